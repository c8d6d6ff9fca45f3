"""The scores of some factories together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import data
from benchmarks.truth import case, fill, kinds, sound
from fems.registry.book import load_book
from fems.registry.plant import load_plant
from fems.settings import Settings

GOALS = {
    **dict.fromkeys(
        ("wrong_type", "missing_row", "repeated_row", "conflicting_row", "spike", "rollover"), 99.0
    ),
    "stuck": 95.0,
    "sensor_stuck": 95.0,
}
"""Share of a kind of fault that must be found, in %."""


@dataclass(frozen=True)
class Other:
    """Another simulated plant: its seed, its first day, and where it stands; as the registry says if None."""

    seed: int
    start: date
    timezone: str | None = None
    country: str | None = None


OTHERS = {
    "seed 2": Other(2, date(2025, 1, 1)),
    "seed 3": Other(3, date(2025, 6, 1)),
    "Berlin": Other(4, date(2025, 10, 1), "Europe/Berlin", "DE"),
}
"""Other plants than the one on whose faults the rules were tuned: two months each, one over a change of the clocks."""
OTHER_MONTHS = 2
MOST_WRONG = 0.01
"""Share of sound values that may come out changed, in %."""


@dataclass(frozen=True)
class Score:
    """What processing made of simulated data.

    Attributes:
        faults: see `kinds.found`.
        sound: of each case.
        fills: see `fill.errors`.
    """

    faults: pd.DataFrame
    sound: Sequence[sound.Sound]
    fills: pd.DataFrame

    @property
    def sound_count(self) -> int:
        """Values with no fault on record."""
        return sum(each.count for each in self.sound)

    @property
    def refused_count(self) -> int:
        """Values with no fault on record that are not there, with the reason: of an hour that the clocks repeat."""
        return sum(each.refused for each in self.sound)

    @property
    def wrong(self) -> pd.DataFrame:
        """Sound values that came out changed, see `sound.judged`."""
        return pd.concat([each.wrong for each in self.sound], ignore_index=True)


def rmse(errors: pd.Series) -> float:
    """Return the root of the mean of the squares."""
    return float(np.sqrt((errors**2).mean()))


def of_plant(
    bench: Path,
    settings: Settings,
    *,
    factories: Sequence[str] | None = None,
    start: date = date(2025, 3, 1),
    months: int = 3,
    seed: int = 1,
    name: str = "truth",
    other: Other | None = None,
) -> tuple[Score, str]:
    """Simulate (once), process and judge the meters and steam traps of some factories.

    Args:
        bench: where simulated files are kept.
        settings: where the registry and the definition book are.
        factories: IDs; all simulated ones if None.
        start: first local day.
        months: how many.
        seed: of the simulation.
        name: of the folder in which the files are kept.
        other: instead of `start` and `seed`, and with its own place.

    Returns:
        The score, and what the data are.
    """
    plant = load_plant(settings.factories_file)
    wanted = factories or [key for key, each in plant.factories.items() if each.simulated]
    place: dict[str, str] = {}
    if other is not None:
        start, seed = other.start, other.seed
        given = {"timezone": other.timezone, "country": other.country}
        place = {key: value for key, value in given.items() if value is not None}
    moved = {key: plant.factories[key].model_copy(update=place) for key in wanted}
    plant = plant.model_copy(update={"factories": {**plant.factories, **moved}})
    folder = data.simulated(bench, name, plant, factories=wanted, start=start, months=months, seed=seed)
    faults, sounds, fills = [], [], []
    for factory_id in wanted:
        for feed in plant.feeds(factory_id):
            laid = case.load(folder, plant, load_book(settings.definitions_dir, feed), factory_id, seed)
            faults.append(kinds.found(laid))
            sounds.append(sound.judged(laid))
            fills.append(fill.errors(laid))
    score = Score(pd.concat(faults, ignore_index=True), sounds, pd.concat(fills, ignore_index=True))
    where = f", {place['timezone']}" if "timezone" in place else ""
    return score, f"Simulated data: {months} months from {start:%Y-%m-%d}, seed {seed}{where}"
