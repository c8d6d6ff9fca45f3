"""`python -m benchmarks`: measure, print a table, write .local/bench/results.json. Takes under a minute."""

import tempfile
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.measure import FACTORY, FIRST, processed, quality_share, simulated
from embedded.config import Config
from fems.errors import FemsError
from fems.flows.platform import Platform
from fems.lake import FolderStore, Lake, to_json


def main() -> None:
    """Measure on simulated data; print a table, write bench/results.json under FEMS_STATE_DIR (.local if not set)."""
    try:
        out = Config.from_environment().state / "bench" / "results.json"
        with tempfile.TemporaryDirectory(prefix="fems-bench-") as scratch:
            folder = Path(scratch)
            platform = Platform.from_environment(Lake(FolderStore(folder)))
            found = [simulated(platform, folder), processed(platform, folder), quality_share(platform)]
    except FemsError as error:
        typer.echo(f"error: {type(error).__name__}: {error}", err=True)
        raise typer.Exit(1) from error
    table = Table("measurement", "unit", "ours", "peer", "peer's", "ratio", "n", title_justify="left")
    table.title = f"Simulated data: factory {FACTORY}, {FIRST:%Y-%m}, a row a minute. Medians of n repeats."
    for m in found:
        peers = (m.peer, *("-" if value is None else f"{value:,}" for value in (m.peer_value, m.ratio)))
        table.add_row(m.name, m.unit, f"{m.ours:,}", *peers, str(m.n))
    Console().print(table)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(to_json([asdict(m) for m in found]))
    typer.echo(f"A ratio over 1 is in our favour; what has no peer has none. Written to {out}")


typer.run(main)
