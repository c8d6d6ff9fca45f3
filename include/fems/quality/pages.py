"""The pages that a person reads: an overview of all months, and one month of a factory. They need no other host."""

import base64
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from fems.contracts.evaluation import EvaluatedMonth, EvaluationRecord, Finding, PastEvaluation
from fems.contracts.grains import GRAINS

_PAGES = Environment(
    loader=PackageLoader("fems.quality"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


def overview(rows: Sequence[object], root: str) -> str:
    """Return the page of all months.

    Args:
        rows: see `fems.views.quality.QualityRow`.
        root: where the pages lie.
    """
    return _PAGES.get_template("overview.html").render(rows=rows, root=root)


def month(
    record: EvaluationRecord,
    history: list[PastEvaluation],
    picture: bytes,
    docs: dict[str, str],
    *,
    name: str,
    simulated: bool,
    root: str | None,
) -> str:
    """Return the page of a factory's month.

    Args:
        record: its last evaluation.
        history: all that are kept, the newest first.
        picture: see `fems.quality.picture`.
        docs: grain -> address of its Data Docs page.
        name: the factory's.
        simulated: whether its data is.
        root: where the pages lie; None for a page that stands alone.
    """
    return _PAGES.get_template("month.html").render(
        record=record,
        factory=record.factory_id,
        feed=record.feed,
        findings=findings(record),
        history=history,
        picture=base64.b64encode(picture).decode(),
        docs=docs,
        name=name,
        simulated=simulated,
        root=root,
        grains=GRAINS,
    )


def findings(record: EvaluatedMonth) -> list[tuple[str, Finding]]:
    """Return what a month did not meet, the critical first, each with the grain of its table."""
    every = [
        (grain, finding)
        for grain in GRAINS
        if grain in record.tables
        for finding in record.tables[grain].findings
    ]
    return sorted(every, key=lambda each: each[1].severity != "critical")
