"""Series that nothing of this project was made for: load profiles of the SimBench data set, Germany 2016.

Quarters of an hour of businesses and of parts of the grid (Meinecke et al., 2020; ODbL). `make others` installs the
package that carries them, and nothing of it is kept in this repository.
"""

from pathlib import Path

import pandas as pd

from fems.errors import ConfigError
from fems.model.history import History

NAMES = ("G3-H", "G3-M", "G4-B", "G4-M", "HS1", "HS2", "HS9", "HS14", "HS21", "hv_mixed1", "mv_urban")
"""The shares of trees and MSTL were designed on other profiles of the set, and confirmed on these."""

_TABLE = Path(".venv/others/simbench/networks/1-complete_data-mixed-all-0-sw/LoadProfile.csv")
_ZONE = "Etc/GMT-1"
"""The profiles keep winter time all year."""


def history(name: str) -> History:
    """Return the hours of a profile, in per cent of its own unit.

    Raises:
        ConfigError: the package is not there.
    """
    if not _TABLE.exists():
        raise ConfigError("the SimBench profiles are not installed: run `make others`")
    table = pd.read_csv(_TABLE, sep=";", usecols=["time", f"{name}_pload"])
    starts = pd.to_datetime(table["time"], format="%d.%m.%Y %H:%M").dt.tz_localize(_ZONE)
    hours = (100 * table[f"{name}_pload"]).groupby(starts.dt.floor("h")).sum()
    return History.from_hour_table(
        pd.DataFrame(
            {"timestamp": hours.index, "used_kwh": hours.to_numpy(), "factory_id": name, "sensor_id": name}
        ),
        country="DE",
    )
