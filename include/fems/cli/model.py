"""The commands of the `fems` command that are about models: backtest, promote, rollback."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from fems.cli.tables import plain_table
from fems.cli.terminal import FactoryArgument, out
from fems.errors import ConfigError

if TYPE_CHECKING:
    from fems.model.backtest import BacktestResult


def backtest(
    table: Annotated[Path, typer.Argument(help="A CSV or Parquet table of one series.")],
    timestamp: Annotated[str, typer.Option(help="Its column of times, the start of each interval.")],
    target: Annotated[str, typer.Option(help="Its column of energy per interval.")],
    output: Annotated[Path, typer.Option("--out", help="The JSON file to write.")],
    features: Annotated[str, typer.Option(help="Further columns, separated by commas.")] = "",
    grain: Annotated[
        str, typer.Option(help="What is forecast; with --one-step also 15min, 10min, ...")
    ] = "1h",
    horizon_minutes: Annotated[int, typer.Option(min=60)] = 42_300,
    origins: Annotated[int, typer.Option(min=1)] = 4,
    skip: Annotated[
        int,
        typer.Option(
            min=0, help="Leave out so many of the last windows: designs are chosen on those before."
        ),
    ] = 0,
    country: Annotated[str, typer.Option(help="ISO 3166 code of the public holidays.")] = "KR",
    timezone: Annotated[str, typer.Option(help="Of times that carry none.")] = "Asia/Seoul",
    one_step: Annotated[
        bool, typer.Option("--one-step", help="Score the study's protocol, beside persistence.")
    ] = False,
    epochs: Annotated[
        int,
        typer.Option(min=1, help="Of the LSTM (the one-step model, or the month-ahead gate), at most."),
    ] = 50,
    seed: int = 0,
) -> None:
    """Score all methods on the same windows of any series: month-ahead from rolling origins, or one-step."""
    from fems.flows.backtest import HOUR, read_series, run, step_of

    step = step_of(grain)
    if step != HOUR and not one_step:
        raise ConfigError(f"--grain {grain}: a month is forecast by the hour (1h); finer is for --one-step")
    columns = [f for f in features.split(",") if f]
    history = read_series(table, timestamp, target, columns, timezone, country, step)
    result = run(
        history,
        one_step=one_step,
        horizon_minutes=horizon_minutes,
        origins=origins,
        epochs=epochs,
        seed=seed,
        skip=skip,
    )
    try:
        output.write_text(json.dumps(result.to_json(), indent=1), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--out {output}: cannot be written: {error.strerror}") from error
    # a pipe or a log file has no width; 80 columns would break the table
    out.print(backtest_table(table.name, result))


def promote(
    factory: FactoryArgument,
    version: Annotated[
        str | None, typer.Argument(help="Version in the registry; the challenger if not given.")
    ] = None,
) -> None:
    """Make a version of a factory's model the champion: it forecasts from now on."""
    from fems.settings import settings
    from fems.tracking import Tracking

    made = Tracking.connect(settings()).promote(factory, version)
    typer.echo(f"{made.model}: version {made.version} is champion, {made.reason}")


def rollback(factory: FactoryArgument) -> None:
    """Give the champion's place back to the version that it took it from."""
    from fems.settings import settings
    from fems.tracking import Tracking

    made = Tracking.connect(settings()).rollback(factory)
    typer.echo(f"{made.model}: version {made.version} is champion, {made.reason}")


def backtest_table(name: str, result: "BacktestResult") -> Table:
    """Lay out what a backtest found, best accuracy first."""
    columns = {
        "accuracy": ("accuracy", ".2f"),
        "RMSE scaled": ("rmse_scaled", ".4f"),
        "MAE": ("mae", ".2f"),
        "R2": ("r2", ".3f"),
        "total error %": ("total_error_pct", "+.1f"),
        "|total error| %": ("abs_total_error_pct", ".1f"),
        "in the 80 % band": ("coverage_80", ".3f"),
    }
    shown = plain_table(
        f"{name}: {result.protocol}, {len(result.windows)} windows, mean",
        {"method": "left", **dict.fromkeys(columns, "right")},
    )
    for method, found in sorted(result.mean.items(), key=lambda item: -item[1]["accuracy"]):
        cells = (f"{found[key]:{form}}" if key in found else "-" for key, form in columns.values())
        shown.add_row(method, *cells)
    return shown
