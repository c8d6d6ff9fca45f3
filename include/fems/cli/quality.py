"""The command `fems quality`: what the evaluations of published months said, or the evaluation of a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fems.cli.tables import number, plain_table
from fems.cli.terminal import (
    FactoriesArgument,
    FeedOption,
    FolderOption,
    JsonOption,
    as_feed,
    chosen,
    out,
    platform_over,
    print_json,
)
from fems.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd

    from fems.contracts.evaluation import EvaluationRecord, Finding
    from fems.flows.platform import Platform
    from fems.quality.parameters import SuiteParameters
    from fems.registry.sensors import Feed
    from fems.views.quality import QualityRow


def quality(
    factories: FactoriesArgument = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Evaluate a Parquet or CSV file instead; no service needed.")
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            help="With --file: a suite in expectations/, such as meter_hour; by the file's place and columns if not "
            "given."
        ),
    ] = None,
    feed: FeedOption = None,
    month: Annotated[str | None, typer.Option(help="YYYY-MM: this month alone, in detail.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--out", help="With --month: write one factory's page (.html) or picture (.png)."),
    ] = None,
    as_json: JsonOption = False,
    folder: FolderOption = None,
) -> None:
    """Show how the published months were evaluated, or evaluate a file against a suite.

    Exit code 1 if a file breaks something critical.
    """
    if file is not None:
        if factories:
            raise ConfigError(f"--file {file}: name a file or factories, not both")
        if feed is not None:
            raise ConfigError(f"--feed {feed}: the suite says which feed it is of; write --suite {feed}_hour")
        _evaluate_file(file, suite, as_json)
        return
    platform = platform_over(folder)
    asked = chosen(platform.plant, factories)
    if month is None:
        if output is not None:
            raise ConfigError("--out needs a month: FACTORY --month YYYY-MM")
        _show_history(platform, asked, None if feed is None else as_feed(feed), as_json)
        return
    kind = as_feed(feed)
    if output is not None:
        if len(asked) != 1:
            raise ConfigError(f"--out {output}: name one factory")
        _write_month(platform, asked[0], kind, month, output)
        return
    _show_month(platform, asked, kind, month, as_json, named=bool(factories))


def _evaluate_file(path: Path, suite: str | None, as_json: bool) -> None:
    from fems.quality.evaluate import Evaluator
    from fems.settings import settings

    table, parameters, suite = _prepared(path, suite)
    record = Evaluator(settings().expectations_dir).evaluate(table, suite, parameters).record
    if as_json:
        print_json(record)
    else:
        title = f"{path.name}: {record.rows:,} rows, {record.evaluated} expectations of {suite}"
        _print_findings(title, record.findings)
        if record.left_out:
            out.print(f"left out, for want of what they compare with: {', '.join(record.left_out)}")
    if record.critical_failed:
        raise typer.Exit(1)


def _prepared(path: Path, suite: str | None) -> "tuple[pd.DataFrame, SuiteParameters, str]":
    """Return a file's table, the parameters that can be known of it, and its suite."""
    from fems.lake.keys import TABLE_KEY
    from fems.quality.files import parameters_for, read_file, suite_of
    from fems.registry.book import book_names, load_book
    from fems.registry.plant import load_plant
    from fems.settings import settings

    definitions = settings().definitions_dir
    plant = load_plant(settings().factories_file)
    table = read_file(path, plant)
    if suite is None:
        feeds, match = book_names(definitions), TABLE_KEY.search(path.absolute().as_posix())
        if match and match["feed"] in feeds:
            suite = f"{match['feed']}_{match['grain']}"
        else:
            suite = suite_of(table, [load_book(definitions, feed) for feed in feeds])
    return table, parameters_for(table, suite, plant, definitions), suite


def _print_findings(title: str, findings: "Sequence[Finding]") -> None:
    if not findings:
        out.print(f"{title}: all met")
        return
    shown = plain_table(
        title,
        {
            "severity": "left",
            "expectation": "left",
            "column": "left",
            "at fault": "right",
            "such as": "fold",
            "why it matters": "fold",
        },
    )
    for each in sorted(findings, key=lambda finding: finding.severity != "critical"):
        shown.add_row(
            each.severity,
            each.expectation,
            each.column or "",
            number(each.unexpected),
            "; ".join(each.examples),
            each.note,
        )
    out.print(shown)


def _show_history(platform: "Platform", factories: Sequence[str], feed: "Feed | None", as_json: bool) -> None:
    from fems.views.quality import quality_overview

    rows = quality_overview(platform, factories, feed)
    if not rows:
        of_feed = f" of {feed}" if feed else ""
        raise DataError(f"nothing{of_feed} has been evaluated yet; run ingest first")
    if as_json:
        by_factory: dict[str, list[QualityRow]] = {}
        for row in rows:
            by_factory.setdefault(row.factory_id, []).append(row)
        print_json(by_factory)
        return
    shown = plain_table(
        "Quality evaluation by month. Score: values as measured, in %. Trend: against the six months before",
        {
            "factory": "left",
            "feed": "left",
            "month": "left",
            "published": "left",
            "score": "right",
            "trend": "right",
            "worst day": "left",
            "critical": "right",
            "warnings": "right",
            "what failed": "fold",
        },
    )
    for row in rows:
        shown.add_row(
            row.factory_id, row.feed, row.month, "yes" if row.published else "NO",
            number(row.score, 2), "" if row.trend is None else f"{row.trend:+.2f}",
            row.worst_day or "", str(row.critical_failed), str(row.warning_failed), ", ".join(row.failed),
        )  # fmt: skip
    out.print(shown)


def _show_month(
    platform: "Platform", factories: Sequence[str], feed: "Feed", month: str, as_json: bool, *, named: bool
) -> None:
    """Show a month of some factories; of all of them, where none was named, those that have it."""
    from fems.views.quality import month_record

    records: dict[str, EvaluationRecord] = {}
    for factory_id in factories:
        if named or (
            feed in platform.plant.feeds(factory_id)
            and platform.lake.evaluations.last(feed, factory_id, month)
        ):
            records[factory_id] = month_record(platform, factory_id, feed, month)
    if not records:
        raise DataError(f"{feed}: {month} was not evaluated of any factory")
    if as_json:
        print_json(records)
        return
    for record in records.values():
        _print_month(record)


def _print_month(record: "EvaluationRecord") -> None:
    days = plain_table(
        f"{record.factory_id}, {record.feed}, {record.month}: score {number(record.score, 2)} %, "
        + ("published" if record.published else "NOT published"),
        {"day": "left", "score": "right", "replaced %": "right", "filled %": "right"},
    )
    for day, each in record.days.items():
        days.add_row(
            day.isoformat(), number(each.score, 2), number(each.replaced_pct, 2), number(each.filled_pct, 2)
        )
    out.print(days)
    failed = plain_table(
        "What was not met",
        {"table": "left", "severity": "left", "expectation": "left", "at fault": "right", "such as": "fold"},
    )
    for grain, finding in record.findings():
        examples = "; ".join(finding.examples)
        failed.add_row(grain, finding.severity, finding.expectation, number(finding.unexpected), examples)
    out.print(failed if failed.row_count else "Every expectation was met.")


def _write_month(platform: "Platform", factory_id: str, feed: "Feed", month: str, output: Path) -> None:
    from fems.views.quality import month_picture, month_record
    from fems.views.quality_pages import month_page

    if output.suffix not in (".html", ".png"):
        raise ConfigError(f"--out {output}: write .html for the page or .png for the picture")
    if output.suffix == ".html":
        data = month_page(platform, factory_id, feed, month, "en").encode()
    else:
        data = month_picture(platform, month_record(platform, factory_id, feed, month))
    try:
        output.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"--out {output}: cannot be written: {error.strerror}") from error
    out.print(f"written: {output}")
