"""The commands that are about forecasts: forecast, report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fems.cli.terminal import FactoriesArgument, JsonOption, each, note, out, print_json
from fems.contracts.horizon import HORIZON_MINUTES
from fems.errors import ConfigError

if TYPE_CHECKING:
    from rich.table import Table

    from fems.contracts.outcomes import ForecastOutcome
    from fems.flows.plan_trial import TriedPlan


def forecast(
    factories: FactoriesArgument = None,
    month: Annotated[
        str | None, typer.Option(help="YYYY-MM; the month after the published data if not given.")
    ] = None,
    horizon_minutes: Annotated[
        int, typer.Option(help="Minutes from the origin: 42,300 are 29 days and 9 hours.")
    ] = HORIZON_MINUTES,
    origin: Annotated[
        str | None,
        typer.Option(help="A full hour such as 2026-03-01T00:00, local; nothing measured after it is used."),
    ] = None,
    plans: Annotated[
        list[Path] | None,
        typer.Option(
            "--plan",
            help="With --dry-run: a CSV file of a plan (sensor_id, kind, start, end, value) that is compared with what "
            "is planned already; several times for several plans.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Compare the plans of --plan; publish and write nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Forecast with each factory's champion, or a baseline where there is none, and publish the result.

    None named means every factory that has a champion.
    """
    if plans or dry_run:
        return _compare_plans(factories, plans or [], dry_run, month, horizon_minutes, origin, as_json)
    from fems.flows.forecast import forecast_factory, targets
    from fems.flows.platform import Platform

    platform = Platform.from_environment()
    wanted = {str(target["factory"]): target["month"] for target in targets(platform, None, factories, month)}

    def one(factory_id: str) -> "ForecastOutcome":
        note(f"factory {factory_id}: forecasting")
        return forecast_factory(platform, factory_id, wanted[factory_id], horizon_minutes, origin)

    def show(outcomes: "Mapping[str, ForecastOutcome]") -> None:
        if as_json:
            print_json({factory_id: outcome.figures() for factory_id, outcome in outcomes.items()})
        else:
            out.print(forecasts_table(outcomes))

    each(wanted, one, show)


def _compare_plans(
    factories: list[str] | None,
    files: list[Path],
    dry_run: bool,
    month: str | None,
    horizon_minutes: int,
    origin: str | None,
    as_json: bool,
) -> None:
    """Try plans on one factory, and print what each would make of its month."""
    from fems.flows.plan_trial import try_plans
    from fems.flows.platform import Platform

    if not dry_run:
        raise ConfigError(
            "--plan: a plan in a file is tried, not published: add --dry-run. What is decided comes as a feed of "
            "plans, see docs/feeds.md"
        )
    if not files:
        raise ConfigError("--dry-run: name a plan to try with --plan FILE.csv")
    if not factories or len(factories) != 1:
        raise ConfigError("--plan: name the one factory whose plan it is")
    (factory_id,) = factories
    named = {str(path) if len({f.name for f in files}) < len(files) else path.name: path for path in files}
    tried = try_plans(Platform.from_environment(), factory_id, named, month, horizon_minutes, origin)
    if as_json:
        print_json({factory_id: [each.model_dump(mode="json") for each in tried]})
    else:
        out.print(plans_table(factory_id, tried))
        for each in tried:
            for line in each.effects:
                out.print(f"{each.name}: {line}", highlight=False)


def plans_table(factory_id: str, tried: "Sequence[TriedPlan]") -> "Table":
    """Lay out what plans would make of a month, each beside what is known."""
    from fems.cli.tables import number, plain_table

    first, currency = tried[0], next((plan.currency for plan in tried if plan.currency), "")
    columns = {"kWh": "kwh", "peak kW": "peak_kw", f"cost {currency}".strip(): "cost", "tCO2e": "tco2e"}
    table = plain_table(
        f"Factory {factory_id}: the month with plan plan; nothing was written",
        {"plan": "left", **dict.fromkeys(columns, "right")},
    )
    for plan in tried:
        cells = []
        for name in columns.values():
            value, base = getattr(plan, name), getattr(first, name)
            change = f" ({100 * (value / base - 1):+.1f} %)" if plan is not first and value and base else ""
            cells.append(number(value, 1 if name == "tco2e" else 0) + change)
        table.add_row(plan.name, *cells)
    return table


def forecasts_table(outcomes: "Mapping[str, ForecastOutcome]") -> "Table":
    """Lay out some forecasts: of what, by whom, how much, and where they lie."""
    from fems.cli.tables import number, plain_table

    headings = {"factory": "left", "from": "left", "model": "left", "kWh": "right", "highest day": "left"}
    table = plain_table("Forecasts", {**headings, "where": "fold"})
    for factory_id, outcome in outcomes.items():
        summary = outcome.summary
        by = summary.model.version if summary.model.fallback else f"v{summary.model.version}"
        highest = f"{summary.peak_days[0].date}" if summary.peak_days else "-"
        table.add_row(
            f"{factory_id}{'*' if summary.simulated else ''}", f"{summary.origin:%Y-%m-%d %H:%M}", by,
            number(summary.kwh), highest, outcome.prefix,
        )  # fmt: skip
        if summary.model.fallback:
            note(f"factory {factory_id}: a baseline forecasts: {summary.model.fallback}")
        if summary.model.notice:
            note(f"factory {factory_id}: {summary.model.notice}")
    if any(outcome.summary.simulated for outcome in outcomes.values()):
        table.caption = "* simulated data"
    return table


def report(
    factories: FactoriesArgument = None,
    month: Annotated[str | None, typer.Option(help="YYYY-MM; the newest forecast's if not given.")] = None,
    lang: Annotated[str, typer.Option(help="ko or en: which language it opens in.")] = "ko",
    output: Annotated[
        Path | None,
        typer.Option("--out", help="An HTML file, or an existing folder for FACTORY-YYYY-MM.html."),
    ] = None,
) -> None:
    """Make a published forecast's report anew, with the track record as it is now; with --out save it as a file.

    None named means every factory that has a forecast.
    """
    from fems.flows.platform import Platform
    from fems.flows.report import renew_report
    from fems.forecast.reasons import LANGUAGES
    from fems.lake.keys import month_of, report_key
    from fems.views.forecasts import Choice
    from fems.views.report import report_page

    language = next((known for known in LANGUAGES if known == lang), None)
    if language is None:
        raise ConfigError(f"--lang {lang!r}: write one of {', '.join(LANGUAGES)}")
    platform = Platform.from_environment()
    known = factories or [f for f in platform.plant.factories if platform.lake.forecasts.latest(f)]
    if output is not None and not output.is_dir() and len(known) != 1:
        raise ConfigError(f"--out {output}: for {len(known)} factories, name a folder that is there")

    def one(factory_id: str) -> None:
        folder = renew_report(platform, factory_id, month)
        if output is None:
            out.print(f"{report_key(folder)}: made anew", highlight=False)
            return
        page = report_page(platform, factory_id, Choice(month), language)
        path = output / f"{factory_id}-{month_of(folder)}.html" if output.is_dir() else output
        try:
            path.write_text(page, encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"--out {path}: cannot be written: {error.strerror}") from error
        out.print(f"{path}: {len(page.encode()) / 1000:,.0f} kB, from {folder}", highlight=False)

    each(known, one)
