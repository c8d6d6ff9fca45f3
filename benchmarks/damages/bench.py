"""A simulated factory's published months, to damage and to evaluate; and data that must not be refused."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from benchmarks.damages.kinds import Damage, Frames
from fems.contracts.evaluation import Finding
from fems.contracts.grains import GRAINS
from fems.flows.ingest import ingest_factory
from fems.flows.land import land_file
from fems.flows.past_months import PastMonths
from fems.flows.platform import Platform
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.quality import baseline, parameters
from fems.quality.gx import CheckContext
from fems.quality.table import TableView
from fems.registry.plant import Plant
from fems.settings import settings
from fems.simulate import simulate

FACTORY, FIRST, LAST = "2160", date(2025, 3, 1), date(2025, 3, 31)
STEEL_DAY = date(2018, 1, 1)


@dataclass(frozen=True)
class Bench:
    """The published months of one factory, to damage and evaluate."""

    platform: Platform

    @classmethod
    def of(cls, folder: Path, plant: Plant) -> "Bench":
        """Simulate three months of one factory, with the simulator's usual faults, and publish them."""
        simulate(
            plant, folder / "plant", start=date(2025, 1, 1), months=3, seed=5, workers=1, factories=[FACTORY]
        )
        lake = Lake(FolderStore(folder / "out", raw=folder / "plant"))
        platform = Platform(lake, plant, settings())
        ingest_factory(platform, FACTORY, progress=lambda _: None)
        return cls(platform)

    def frames(self) -> Frames:
        """Return the last month's tables as plain frames that can be changed at will."""
        found = {}
        for grain in GRAINS:
            frame = self.platform.lake.published("meter", grain, FACTORY, [f"{LAST:%Y-%m}"]).to_pandas()
            texts = [c for c in frame.columns if isinstance(frame[c].dtype, pd.CategoricalDtype)]
            found[grain] = frame.astype(dict.fromkeys(texts, "str"))
        return found

    def findings(self, damage: Damage | None) -> list[Finding]:
        """Evaluate the month as ingest does, after a damage."""
        frames = self.frames()
        source = self.platform.source(FACTORY, "meter")
        manifest = self.platform.lake.manifests("meter", FACTORY)[f"{LAST:%Y-%m}"]
        laws = [(each.law, each.sensor) for each in manifest.laws_not_applied]
        if damage is not None:
            damage.do(frames)
        usual = PastMonths(self.platform.lake, "meter", FACTORY).usual_before(f"{LAST:%Y-%m}")
        views = {grain: TableView(frame) for grain, frame in frames.items()}
        profile = baseline.profile(views["hour"], source.zone)
        context = CheckContext(native=views["native"], profile=profile, baseline=usual)
        findings: list[Finding] = []
        for grain, view in views.items():
            known = parameters.of_partition(source, grain, FIRST, LAST, laws)
            findings += self.platform.evaluator.evaluate(
                view, f"meter_{grain}", known, context
            ).record.findings
        return findings


def severity(findings: list[Finding]) -> str:
    """Return the gravest severity among some findings."""
    return next((s for s in ("critical", "warning") if any(f.severity == s for f in findings)), "none")


def undamaged(plant: Plant, months: int, steel: Path | None) -> Iterator[tuple[str, int, int, int]]:
    """Yield what the evaluation says of undamaged data: name, months, critical, warnings."""
    with tempfile.TemporaryDirectory(prefix="fems-bench-") as scratch:
        folder = Path(scratch)
        factories = [f for f, factory in plant.factories.items() if factory.simulated]
        simulate(plant, folder, start=date(2025, 1, 1), months=months, seed=1, workers=1, factories=factories)
        platform = Platform(Lake(FolderStore(folder / "out", raw=folder)), plant, settings())
        for factory_id in factories:
            yield (f"{factory_id}, simulated", *_evaluated(platform, factory_id))
        if steel is not None:
            lake = Lake(FolderStore(folder / "steel"))
            platform = Platform(lake, plant, settings())
            land_file(lake, plant, platform.book("meter"), "steel", steel, STEEL_DAY)
            yield ("steel, real", *_evaluated(platform, "steel"))


def _evaluated(platform: Platform, factory_id: str) -> tuple[int, int, int]:
    ingest_factory(platform, factory_id, progress=lambda _: None)
    kept = [
        r
        for feed in platform.plant.feeds(factory_id)
        for r in platform.lake.evaluations.by_month(feed, factory_id).values()
    ]
    return len(kept), sum(r.critical_failed for r in kept), sum(r.warning_failed for r in kept)
