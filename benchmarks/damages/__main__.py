"""`python -m benchmarks.damages`: the table of damages, then the data that must not be refused.

A simulated factory's three months are published; its last month is damaged in one way after the other, and all of its
tables are evaluated as ingest does. After that the undamaged year of every simulated factory, and the steel file.
"""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.damages.bench import Bench, severity, undamaged
from benchmarks.damages.kinds import DAMAGES
from benchmarks.model import STEEL
from fems.cli.tables import plain_table
from fems.registry.plant import load_plant
from fems.settings import settings


def main(
    months: Annotated[int, typer.Option(min=0, help="Of undamaged simulated data; 0 leaves it out.")] = 12,
) -> None:
    """Plant each kind of damage, print what the suites say; exit 1 if one is not caught as it should be."""
    console = Console(width=150)
    plant = load_plant(settings().factories_file)
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="fems-bench-") as scratch:
        bench = Bench.of(Path(scratch), plant)
        table = plain_table(
            "Damage to a month of factory 2160 (simulated)",
            {"": "right", "damage": "left", "meant": "left", "found": "left", "by": "fold"},
        )
        for number, damage in enumerate((None, *DAMAGES)):
            findings = bench.findings(damage)
            meant = "none" if damage is None else damage.intended
            found = severity(findings)
            wrong += found != meant
            by = sorted({f.expectation for f in findings if f.severity == found})
            name = "none" if damage is None else damage.name
            table.add_row(str(number), name, meant, found, ", ".join(by))
        console.print(table)
    if months:
        steel = STEEL if STEEL.is_file() else None
        table = plain_table(
            f"Undamaged: {months} simulated months with the simulator's usual faults, and the steel file"
            + ("" if steel else " (left out: it is not there; see README)"),
            {"factory": "left", "evaluations": "right", "critical": "right", "warnings": "right"},
        )
        for name, evaluations, critical, warnings in undamaged(plant, months, steel):
            wrong += critical > 0
            table.add_row(name, str(evaluations), str(critical), str(warnings))
        console.print(table)
    if wrong:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
