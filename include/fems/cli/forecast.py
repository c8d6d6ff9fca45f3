"""The commands of the `fems` command that are about forecasts: forecast, report."""

import json
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from fems.cli.terminal import FactoriesOption, FactoryArgument, note
from fems.errors import ConfigError, DataError

MonthOption = Annotated[
    str | None, typer.Option(help="YYYY-MM; the month after the published data if not given.")
]


def forecast(
    factories: FactoriesOption = None,
    month: MonthOption = None,
    horizon_minutes: Annotated[int, typer.Option(help="Minutes from the origin.")] = 42_300,
    origin: Annotated[
        str | None,
        typer.Option(help="A full hour such as 2026-03-01T00:00, local; nothing measured after it is used."),
    ] = None,
) -> None:
    """Forecast with each factory's champion, or a baseline where there is none, and publish the result."""
    from fems.flows.forecast import forecast_factory, targets
    from fems.flows.platform import Platform

    platform = Platform.from_environment()
    failed: list[DataError] = []
    for target in targets(platform, None, factories, month):
        try:
            outcome = forecast_factory(
                platform, cast(str, target["factory"]), target["month"], horizon_minutes, origin
            )
        except DataError as error:  # of one factory; the others go on
            failed.append(error)
            continue
        typer.echo(json.dumps(outcome.figures(), ensure_ascii=False, indent=2))
    for earlier in failed[:-1]:
        note(f"{type(earlier).__name__}: {earlier}")
    if failed:
        raise failed[-1]


def report(
    factory: FactoryArgument,
    month: Annotated[str | None, typer.Option(help="YYYY-MM; the newest forecast's if not given.")] = None,
    lang: Annotated[str, typer.Option(help="ko or en: which language it opens in.")] = "ko",
    output: Annotated[
        Path | None, typer.Option("--out", help="The HTML file to write; FACTORY-YYYY-MM.html if not given.")
    ] = None,
) -> None:
    """Make a published forecast's report anew, with the track record as it is now, and save it."""
    from fems.flows.platform import Platform
    from fems.flows.report import renew_report
    from fems.forecast.reasons import LANGUAGES
    from fems.lake.keys import month_of
    from fems.views.report import report_page

    if lang not in LANGUAGES:
        raise ConfigError(f"--lang {lang!r}: write one of {', '.join(LANGUAGES)}")
    platform = Platform.from_environment()
    folder = renew_report(platform, factory, month)
    page = report_page(platform, factory, month, cast(Any, lang))
    path = output or Path(f"{factory}-{month_of(folder)}.html")
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--out {path}: cannot be written: {error.strerror}") from error
    typer.echo(f"{path}: {len(page.encode()) / 1000:,.0f} kB, from {folder}")
