"""The command `fems quality`: evaluate a file, or read what the evaluations of published months said."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fems.cli.tables import number, plain_table
from fems.cli.terminal import FactoriesOption, FeedOption, FolderOption, as_feed, out, platform_over
from fems.errors import ConfigError, DataError

if TYPE_CHECKING:
    import pandas as pd

    from fems.flows.platform import Platform
    from fems.quality.evaluate import Evaluation
    from fems.registry.plant import Feed


def quality(
    path: Annotated[
        Path | None, typer.Argument(help="A Parquet or CSV file to evaluate; no service needed.")
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option(
            help="A suite in expectations/, such as meter_hour; by the file's place and columns if not given."
        ),
    ] = None,
    factories: FactoriesOption = None,
    feed: FeedOption = None,
    month: Annotated[str | None, typer.Option(help="YYYY-MM: this month alone, in detail.")] = None,
    output: Annotated[
        Path | None, typer.Option("--out", help="With --month: write the page (.html) or the picture (.png).")
    ] = None,
    folder: FolderOption = None,
) -> None:
    """Evaluate a file against a suite, or without one show how the published months were evaluated.

    Exit code 1 if a file breaks something critical.
    """
    if path is not None:
        _evaluate_file(path, suite)
        return
    platform = platform_over(folder)
    if month is None:
        if output is not None:
            raise ConfigError("--out needs a month: --factory ID --month YYYY-MM")
        _show_history(platform, factories)
        return
    if not factories or len(factories) != 1:
        raise ConfigError("--month needs one factory: --factory ID")
    _show_month(platform, factories[0], as_feed(feed), month, output)


def _evaluate_file(path: Path, suite: str | None) -> None:
    from fems.quality.evaluate import Evaluator
    from fems.settings import settings

    table, parameters, suite = _prepared(path, suite)
    evaluation = Evaluator(settings().expectations_dir).evaluate(table, suite, parameters)
    _print_findings(
        f"{path.name}: {evaluation.rows:,} rows, {evaluation.evaluated} expectations of {suite}", evaluation
    )
    if evaluation.left_out:
        out.print(f"left out, for want of what they compare with: {', '.join(evaluation.left_out)}")
    if evaluation.failed("critical"):
        raise typer.Exit(1)


def _prepared(path: Path, suite: str | None) -> "tuple[pd.DataFrame, dict[str, Any], str]":
    """Return a file's table, the parameters that can be known of it, and its suite."""
    from fems.lake.keys import TABLE_KEY
    from fems.quality.files import parameters_for, read_file, suite_of
    from fems.registry.plant import load_plant
    from fems.settings import settings

    plant = load_plant(settings().factories_file)
    table = read_file(path, plant)
    if suite is None:
        match = TABLE_KEY.search(path.absolute().as_posix())
        suite = f"{match['feed']}_{match['grain']}" if match else suite_of(table)
    return table, parameters_for(table, suite, plant, settings().definitions_dir), suite


def _print_findings(title: str, evaluation: "Evaluation") -> None:
    if not evaluation.findings:
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
    for each in sorted(evaluation.findings, key=lambda finding: finding.severity != "critical"):
        shown.add_row(
            each.severity,
            each.expectation,
            each.column or "",
            number(each.unexpected),
            "; ".join(each.examples),
            each.note,
        )
    out.print(shown)


def _show_history(platform: "Platform", factories: list[str] | None) -> None:
    from fems.views.quality import quality_overview

    rows = quality_overview(platform, factories)
    if not rows:
        raise DataError("nothing has been evaluated yet; run ingest first")
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
    for each in rows:
        shown.add_row(
            each.factory_id, each.feed, each.month, "yes" if each.published else "NO",
            number(each.score, 2), "" if each.trend is None else f"{each.trend:+.2f}",
            each.worst_day or "", str(each.critical_failed), str(each.warning_failed), ", ".join(each.failed),
        )  # fmt: skip
    out.print(shown)


def _show_month(platform: "Platform", factory_id: str, feed: "Feed", month: str, output: Path | None) -> None:
    from fems.quality.pages import findings
    from fems.views.quality import month_page, month_picture, month_record

    record = month_record(platform, factory_id, feed, month)
    if output is not None:
        if output.suffix not in (".html", ".png"):
            raise ConfigError(f"--out {output}: write .html for the page or .png for the picture")
        html = output.suffix == ".html"
        data = (
            month_page(platform, factory_id, feed, month, root="").encode()
            if html
            else month_picture(platform, record)
        )
        output.write_bytes(data)
        out.print(f"written: {output}")
        return
    days = plain_table(
        f"{factory_id}, {feed}, {month}: score {number(record.score, 2)} %, "
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
    for grain, finding in findings(record):
        failed.add_row(
            grain,
            finding.severity,
            finding.expectation,
            number(finding.unexpected),
            "; ".join(finding.examples),
        )
    out.print(failed if failed.row_count else "Every expectation was met.")
