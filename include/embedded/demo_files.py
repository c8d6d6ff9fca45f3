"""The demo's raw files: the simulated plant, and the file of a real factory. Their last month is landed apart."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from embedded.progress import Step
from fems.errors import ConfigError
from fems.settings import ROOT

if TYPE_CHECKING:
    from fems.flows.land import Days
    from fems.flows.platform import Platform

START, SEED = date(2025, 1, 1), 1
STEEL = "steel"
STEEL_FILE = ROOT.parent / "shared" / "data" / "steel" / "Steel_industry_data.csv"
STEEL_LAST_MONTH = date(2018, 12, 1)
"""The file is of 2018."""
LEAST_MONTHS = 4
"""With fewer none is kept back: a model needs three to learn from and to be scored on."""


@dataclass(frozen=True)
class RawFiles:
    """The raw files of some factories.

    Args:
        platform: the registry, and the lake that they are landed in.
        folder: where the simulated plant is written.
        factories: IDs.
        months: how many are simulated.
    """

    platform: "Platform"
    folder: Path
    factories: Sequence[str]
    months: int

    @property
    def keeps_back(self) -> bool:
        """Whether the last month is landed apart."""
        return self.months >= LEAST_MONTHS

    def simulate(self, step: Step) -> None:
        """Write what is missing of the simulated plant: a month's bytes don't depend on the others'."""
        mark = self.folder / "simulated.json"
        done: dict[str, int] = json.loads(mark.read_text()) if mark.exists() else {}
        wanted = [key for key in self._simulated() if done.get(key, 0) < self.months]
        if not wanted:
            step.say(f"reused {self.folder}")
            return
        from fems.simulate import simulate

        simulate(
            self.platform.plant, self.folder, start=START, months=self.months, seed=SEED, factories=wanted,
            workers=os.cpu_count() or 1, progress=step.say,
        )  # fmt: skip
        mark.write_text(json.dumps(done | dict.fromkeys(wanted, self.months), indent=2) + "\n")

    def land(self, step: Step, *, last_month: bool = False) -> list[str]:
        """Land the files before the last month, or those of the last month; all where none is kept back.

        Returns:
            The factories that have raw files.

        Raises:
            ConfigError: FEMS_STEEL_FILE names no file.
        """
        from fems.flows.land import land_file, land_tree

        platform, landed = self.platform, self._simulated()
        if landed:
            months = START.year * 12 + START.month - 1 + self.months - 1
            last = date(months // 12, months % 12 + 1, 1)
            land_tree(platform.lake, self.folder, step.say, self._days(last, last_month))
        if STEEL not in self.factories:
            return landed
        named = os.environ.get("FEMS_STEEL_FILE")
        path = Path(named) if named else STEEL_FILE
        if named and not path.is_file():
            raise ConfigError(f"FEMS_STEEL_FILE: {path} is no file")
        if not path.is_file():
            step.say(f"{step.text}; factory {STEEL} is left out: no {path} (set FEMS_STEEL_FILE)")
            return landed
        result = land_file(
            platform.lake, platform.plant, platform.book("meter"), STEEL, path, datetime.now(UTC).date(),
            days=self._days(STEEL_LAST_MONTH, last_month),
        )  # fmt: skip
        step.say(f"{step.text}; {path.name}: {result.put} landed, {result.kept} were there already")
        return [*landed, STEEL]

    def _simulated(self) -> list[str]:
        return [key for key in self.factories if self.platform.plant.factory(key).simulated]

    def _days(self, last: date, last_month: bool) -> "Days":
        from fems.flows.land import EVERY_DAY, Days

        if not self.keeps_back:
            return EVERY_DAY
        return Days(first=last) if last_month else Days(end=last)
