"""`python -m benchmarks`: measure, print tables, write results.json under FEMS_STATE_DIR (.local if not set)."""

from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import measure, scale
from benchmarks.measurement import Measurement
from benchmarks.truth import report
from benchmarks.truth.lines import measurements, of_another
from benchmarks.truth.score import OTHER_MONTHS, OTHERS, of_plant
from embedded.config import Config
from fems.canonical import to_json
from fems.errors import ConfigError, FemsError
from fems.registry.plant import load_plant
from fems.settings import settings


class Part(StrEnum):
    """What can be measured alone."""

    process = "process"
    ingest = "ingest"
    truth = "truth"
    linear = "linear"
    quality = "quality"
    simulate = "simulate"
    model = "model"
    forecast = "forecast"
    traps = "traps"
    night = "night"
    neural = "neural"
    versions = "versions"


_USUAL = ",".join(part for part in Part if part not in (Part.neural, Part.versions))


def main(
    only: Annotated[
        str,
        typer.Option(
            help=f"Some of {','.join(Part)}; all but neural, which `make neural` installs, and versions."
        ),
    ] = _USUAL,
) -> None:
    """Measure on simulated data."""
    console = Console()
    try:
        bench = Config.from_environment().state / "bench"
        bench.mkdir(parents=True, exist_ok=True)
        found = [line for part in _parts(only) for line in _MEASURED[part](bench, console)]
    except FemsError as error:
        typer.echo(f"error: {type(error).__name__}: {error}", err=True)
        raise typer.Exit(1) from error
    console.print(_table(found))
    out = bench / "results.json"
    out.write_bytes(to_json([asdict(m) for m in found]))
    typer.echo(f"A ratio over 1 is in our favour; what has no peer has none. Written to {out}")


def _parts(only: str) -> list[Part]:
    try:
        return [Part(name.strip()) for name in only.split(",")]
    except ValueError as error:
        raise ConfigError(f"--only: {error}; there are {', '.join(Part)}") from error


def _process(bench: Path, console: Console) -> list[Measurement]:
    from benchmarks import speed  # only here: its peers are installed for `make bench` alone

    with console.status("process, beside pandas and polars"):
        return speed.beside_peers(bench, settings())


def _ingest(bench: Path, console: Console) -> list[Measurement]:
    from benchmarks import ingest  # only here: it starts the object store, and brings polars

    with console.status("ingest from the object store and back, beside a script in polars"):
        return ingest.rows(bench, console.print)


def _linear(bench: Path, console: Console) -> list[Measurement]:
    with console.status("1, 2, 4 and 8 million rows"):
        return scale.growing(bench)


def _truth(bench: Path, console: Console) -> list[Measurement]:
    with console.status("against the simulator's truth"):
        score, what = of_plant(bench, settings())
    console.print(what)
    for table in report.tables(score):
        console.print(table)
    found = measurements(score)
    for name, plant in OTHERS.items():
        with console.status(f"against the truth of another plant, {name}"):
            score, what = of_plant(
                bench, settings(), name=name.replace(" ", ""), months=OTHER_MONTHS, other=plant
            )
        console.print(what)
        found += of_another(score, name)
    return found


def _quality(bench: Path, console: Console) -> list[Measurement]:
    with console.status("quality evaluation"):
        return measure.quality(load_plant(settings().factories_file), settings())


def _simulate(bench: Path, console: Console) -> list[Measurement]:
    with console.status("simulation"):
        return [measure.simulated(load_plant(settings().factories_file))]


def _model(bench: Path, console: Console) -> list[Measurement]:
    from benchmarks import model  # only here: it brings TensorFlow's peers

    with console.status("backtests of the month-ahead model, about ten minutes"):
        return model.rows()


def _forecast(bench: Path, console: Console) -> list[Measurement]:
    from benchmarks import forecast, forecast_scale  # only here: they bring TensorFlow

    with console.status("forecasts of the last three months and of 100 factories, about twenty minutes"):
        return [*forecast.rows(), *forecast_scale.rows()]


def _night(bench: Path, console: Console) -> list[Measurement]:
    from benchmarks import night  # only here: it starts the object store

    with console.status("nights of 10, 100 and 1,000 factories, some minutes"):
        return night.rows()


def _neural(bench: Path, console: Console) -> list[Measurement]:
    from benchmarks import neural  # only here: it brings TensorFlow

    with console.status("the month-ahead model beside neuralforecast's LSTM, a few minutes"):
        return neural.rows()


def _versions(bench: Path, console: Console) -> list[Measurement]:
    from benchmarks import versions  # only here: it starts two stacks

    with console.status(f"ingest and training beside version {versions.EARLIER}, some minutes"):
        return versions.rows(console.print)


def _traps(bench: Path, console: Console) -> list[Measurement]:
    from benchmarks.traps import bench as traps

    with console.status("eleven factories of fifty steam traps for a year, a few minutes"):
        found = traps.outcome()
    for table in traps.tables(found):
        console.print(table)
    return traps.measurements(found)


_MEASURED: dict[Part, Callable[[Path, Console], list[Measurement]]] = {
    Part.process: _process,
    Part.ingest: _ingest,
    Part.truth: _truth,
    Part.linear: _linear,
    Part.quality: _quality,
    Part.simulate: _simulate,
    Part.model: _model,
    Part.forecast: _forecast,
    Part.traps: _traps,
    Part.night: _night,
    Part.neural: _neural,
    Part.versions: _versions,
}


def _table(found: list[Measurement]) -> Table:
    title = "Simulated data. Medians of n repeats; of a share, n is how many things it is a share of."
    table = Table(
        "measurement", "unit", "ours", "peer", "peer's", "ratio", "n", title=title, title_justify="left"
    )
    for m in found:
        peers = (m.peer, *("-" if value is None else f"{value:,}" for value in (m.peer_value, m.ratio)))
        table.add_row(m.name, m.unit, f"{m.ours:,}", *peers, f"{m.n:,}")
    return table


if __name__ == "__main__":
    typer.run(main)
