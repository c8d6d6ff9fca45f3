"""Series that nothing of this project was made for: load profiles of the SimBench data set, Germany 2016.

Quarters of an hour of businesses and of parts of the grid (Meinecke et al., 2020; ODbL). `make others` installs the
package that carries them, and nothing of it is kept in this repository.
"""

from pathlib import Path

import pandas as pd

from fems.errors import ConfigError
from fems.model.history import History

NAMES = ("G3-H", "G3-M", "G4-B", "G4-M", "HS1", "HS2", "HS9", "HS14", "HS21", "hv_mixed1", "mv_urban")
"""Reported; nothing was chosen on them."""

DEVELOPMENT = (
    *("G0-A", "G0-M", "G1-A", "G1-B", "G1-C", "G2-A", "G3-A", "G4-A", "G4-H", "G5-A", "G6-A", "BL-H", "WB-H"),
    *("L0-A", "L1-A", "L2-A", "lv_rural1", "lv_semiurb4", "lv_urban6", "mv_rural", "mv_semiurb", "mv_comm"),
    *(
        "hv_mixed2",
        "hv_mixed3",
        "hv_urban",
        "HS0",
        "HS3",
        "HS5",
        "HS7",
        "HS11",
        "HS13",
        "HS16",
        "HS18",
        "HS23",
    ),
)
"""Designs are chosen on these."""

NET = ("G0-A", "G1-A", "G3-A", "G4-A", "G6-A", "HS3", "HS7", "HS13")
"""Businesses that get solar panels here, see `net_load`; for development."""

_FOLDER = Path(".venv/others/simbench/networks/1-complete_data-mixed-all-0-sw")
_ZONE = "Europe/Berlin"
"""The labels follow the clock change: no 02:00 on 27 March, two on 30 October."""
_SUN = "PV5"


def history(name: str) -> History:
    """Return the hours of a profile, in per cent of its own unit; NAME-net is one with solar panels, see `net_load`.

    Raises:
        ConfigError: the package is not there.
    """
    business, _, net = name.partition("-net")
    if name.endswith("-net") and not net:
        return net_load(business)
    return _history(name, _hours("LoadProfile.csv", f"{name}_pload"))


def net_load(name: str, size: float = 1.2) -> History:
    """Return a business with solar panels behind its meter: its load less a solar profile of the same year.

    Args:
        name: of its load profile.
        size: the panels' highest hour over the load's.

    Raises:
        ConfigError: the package is not there.
    """
    load, sun = _hours("LoadProfile.csv", f"{name}_pload"), _hours("RESProfile.csv", _SUN)
    return _history(f"{name}-net", load - sun / sun.max() * size * load.max())


def _hours(file: str, column: str) -> pd.Series:
    if not (_FOLDER / file).exists():
        raise ConfigError("the SimBench profiles are not installed: run `make others`")
    table = pd.read_csv(_FOLDER / file, sep=";", usecols=["time", column])
    written = pd.to_datetime(table["time"], format="%d.%m.%Y %H:%M")
    starts = written.dt.tz_localize(_ZONE, ambiguous="infer").dt.tz_convert("UTC").dt.floor("h")
    return (100 * table[column]).groupby(starts.dt.tz_convert(_ZONE)).sum()


def _history(name: str, hours: pd.Series) -> History:
    table = {"timestamp": hours.index, "used_kwh": hours.to_numpy(), "factory_id": name, "sensor_id": name}
    return History.from_hour_table(pd.DataFrame(table), country="DE")
