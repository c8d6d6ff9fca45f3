"""A month's quality as a picture: a calendar of days by score, the worst columns, the most replaced sensors."""

import io
from calendar import monthcalendar
from collections.abc import Mapping
from datetime import date

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from fems.contracts.evaluation import EvaluationRecord, Scored

WORST = 8
"""How many columns and sensors are shown."""

_STEPS = (90.0, 95.0, 98.0, 99.5)
_COLOURS = ("#b42318", "#e07b39", "#f2c14e", "#a9d08e", "#3d9a5f")
_INK, _PALE = "#1d2733", "#8a96a3"


def picture(record: EvaluationRecord, title: str) -> bytes:
    """Draw a month's evaluation.

    Args:
        record: the month's.
        title: what stands above it.

    Returns:
        A PNG.
    """
    figure = Figure(figsize=(11, 5.6), dpi=110, layout="constrained")
    figure.suptitle(title, x=0.012, ha="left", fontsize=14, color=_INK)
    spaces = figure.add_gridspec(2, 2, width_ratios=(1.35, 1))
    _calendar(figure.add_subplot(spaces[:, 0]), record)
    _bars(figure.add_subplot(spaces[0, 1]), record.columns, "Columns: values not as measured, %")
    _bars(figure.add_subplot(spaces[1, 1]), record.sensors, "Sensors: values not as measured, %")
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def level(score: float) -> int:
    """Return which of the five colours a score has, 0 the worst."""
    return sum(score >= step for step in _STEPS)


def _calendar(axes: Axes, record: EvaluationRecord) -> None:
    year, month = map(int, record.month.split("-"))
    weeks = monthcalendar(year, month)
    axes.set_title("Days by score: values as measured, %", loc="left", fontsize=10, color=_INK)
    for row, week in enumerate(weeks):
        for weekday, day in enumerate(week):
            if not day:
                continue
            scored = record.days.get(date(year, month, day))
            score = scored.score if scored is not None else None
            colour = "#eef1f4" if score is None else _COLOURS[level(score)]
            dark = score is not None and level(score) in (0, 4)
            axes.add_patch(
                Rectangle((weekday + 0.04, row + 0.04), 0.92, 0.92, facecolor=colour, edgecolor="none")
            )
            ink = "white" if dark else _INK
            axes.text(weekday + 0.12, row + 0.26, str(day), fontsize=8, color=ink)
            text = "no data" if score is None else f"{score:.1f}"
            axes.text(weekday + 0.5, row + 0.68, text, fontsize=10, ha="center", color=ink)
    axes.set_xlim(0, 7)
    axes.set_ylim(len(weeks) + 0.75, 0)
    axes.set_xticks([i + 0.5 for i in range(7)], ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"])
    axes.xaxis.tick_top()
    axes.set_yticks([])
    for i, text in enumerate(["under 90", "90", "95", "98", "99.5 and more"]):
        axes.add_patch(Rectangle((i * 1.4, len(weeks) + 0.25), 0.25, 0.25, facecolor=_COLOURS[i]))
        axes.text(i * 1.4 + 0.32, len(weeks) + 0.45, text, fontsize=8, color=_INK)
    _bare(axes)


def _bars(axes: Axes, scored: Mapping[str, Scored], title: str) -> None:
    worst = sorted((100 - each.score, name) for name, each in scored.items() if each.score is not None)
    worst = worst[-WORST:]
    axes.set_title(title, loc="left", fontsize=10, color=_INK)
    axes.barh([name for _, name in worst], [share for share, _ in worst], color="#5b8db8", height=0.65)
    for i, (share, _) in enumerate(worst):
        axes.text(share, i, f" {share:.2f}", va="center", fontsize=8, color=_INK)
    axes.set_xlim(0, max([share for share, _ in worst], default=0) * 1.2 or 1)
    axes.set_xticks([])
    axes.tick_params(labelsize=8)
    _bare(axes)


def _bare(axes: Axes) -> None:
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0, colors=_PALE, labelcolor=_INK)
