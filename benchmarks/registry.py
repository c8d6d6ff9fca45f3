"""The factory that is measured: eight meters of several kinds of machine, a row a minute each, and its raw files."""

from datetime import date
from pathlib import Path

from benchmarks import data
from fems.registry.factory import Equipment, Factory
from fems.registry.mapping import FileMapping
from fems.registry.plant import Plant

FACTORY = "bench"
START = date(2024, 1, 1)
_MONTHS = 24
_SEED = 1
_MACHINES = {
    "press": 420,
    "compressor": 250,
    "furnace": 600,
    "chiller": 320,
    "mixer": 140,
    "pump": 90,
    "conveyor": 60,
    "line": 240,
}


def bench_plant() -> Plant:
    """Return a registry of one simulated factory whose files need nothing but a time format."""
    machines = {
        f"E{i:02d}": Equipment(name=kind, kind=kind, sensor=f"bench-M{i:02d}", rated_kw=kw)
        for i, (kind, kw) in enumerate(_MACHINES.items(), 1)
    }
    factory = Factory(
        name="Benchmark",
        name_ko="성능 시험",
        grain={"meter": "1min"},
        mapping={"meter": "csv"},
        equipment=machines,
        simulated=True,
    )
    mapping = FileMapping(time_format="%Y-%m-%d %H:%M:%S")
    return Plant(mappings={"csv": mapping}, factories={FACTORY: factory})


def raw_files(bench: Path) -> Path:
    """Return the folder of two simulated years of the factory."""
    return data.simulated(
        bench, "speed", bench_plant(), factories=[FACTORY], start=START, months=_MONTHS, seed=_SEED
    )
