"""The commands that are about models: train, backtest, promote, rollback."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from fems.cli.tables import number, plain_table
from fems.cli.terminal import (
    FactoriesArgument,
    JsonOption,
    SomeFactoriesArgument,
    chosen,
    each,
    note,
    out,
    print_json,
)
from fems.contracts.horizon import HORIZON_MINUTES
from fems.errors import ConfigError

if TYPE_CHECKING:
    from fems.contracts.outcomes import TrainingOutcome
    from fems.model.backtest import BacktestResult


def train(
    factories: FactoriesArgument = None,
    epochs: Annotated[int, typer.Option(min=1, help="Of the one-step LSTM at most.")] = 50,
    seed: int = 0,
    as_json: JsonOption = False,
) -> None:
    """Train, score and register a model per factory.

    None named means every factory that has published meter data.
    """
    from fems.flows.platform import Platform
    from fems.flows.train import train_factory, trainable

    platform = Platform.from_environment()

    def one(factory_id: str) -> "TrainingOutcome":
        note(f"factory {factory_id}: training")
        return train_factory(platform, factory_id, epochs=epochs, seed=seed)

    def show(outcomes: "Mapping[str, TrainingOutcome]") -> None:
        if as_json:
            print_json(outcomes)
        else:
            out.print(outcomes_table(outcomes))

    each(chosen(platform.plant, factories) if factories else trainable(platform), one, show)


def outcomes_table(outcomes: "Mapping[str, TrainingOutcome]") -> Table:
    """Lay out what some trainings made."""
    table = plain_table(
        "Accuracy = 100 x (1 - scaled RMSE); month-ahead and weekly naive on the same held-out window",
        {
            **dict.fromkeys(("factory", "version", "alias"), "left"),
            **dict.fromkeys(("one-step", "month-ahead", "weekly naive"), "right"),
            "why": "fold",
        },
    )
    names = ("one_step.accuracy", "month_ahead.accuracy", "month_ahead.weekly_naive_accuracy")
    for factory_id, outcome in outcomes.items():
        figures = (number(outcome.metrics.get(name), 2) for name in names)
        table.add_row(factory_id, f"v{outcome.version}", outcome.alias, *figures, outcome.reason)
    return table


def backtest(
    table: Annotated[Path, typer.Argument(help="A CSV or Parquet table of one series.")],
    timestamp: Annotated[str, typer.Option(help="Its column of times, the start of each interval.")],
    target: Annotated[str, typer.Option(help="Its column of energy per interval.")],
    output: Annotated[Path, typer.Option("--out", help="The JSON file to write.")],
    features: Annotated[str, typer.Option(help="Further columns, separated by commas.")] = "",
    grain: Annotated[
        str, typer.Option(help="What is forecast; with --one-step also 15min, 10min, ...")
    ] = "1h",
    horizon_minutes: Annotated[int, typer.Option(min=60)] = HORIZON_MINUTES,
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
        typer.Option(min=1, help="With --one-step: of the LSTM, at most."),
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
    factories: SomeFactoriesArgument,
    version: Annotated[
        str | None, typer.Option(help="Version in the registry; the challenger if not given.")
    ] = None,
) -> None:
    """Make a version of a factory's model the champion: it forecasts from now on.

    It changes who forecasts, so the factories are named: none never means all.
    """
    from fems.settings import settings
    from fems.tracking import Tracking

    tracking = Tracking.connect(settings())

    def one(factory_id: str) -> None:
        made = tracking.promote(factory_id, version)
        out.print(f"{made.model}: version {made.version} is champion, {made.reason}", highlight=False)

    each(factories, one)


def rollback(factories: SomeFactoriesArgument) -> None:
    """Give the champion's place back to the version that it took it from.

    It changes who forecasts, so the factories are named: none never means all.
    """
    from fems.settings import settings
    from fems.tracking import Tracking

    tracking = Tracking.connect(settings())

    def one(factory_id: str) -> None:
        made = tracking.rollback(factory_id)
        out.print(f"{made.model}: version {made.version} is champion, {made.reason}", highlight=False)

    each(factories, one)


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
