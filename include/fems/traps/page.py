"""A factory's page of steam traps: by what they cost, each with its chart; one file, both languages, no script."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import get_args

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from fems.contracts.trap_views import AlarmRecord, EventSeen, Saving, TrapNow
from fems.contracts.traps import FAULTS, LEAKS, TrapState
from fems.registry.steam_traps import Steam
from fems.traps.loss import explanation
from fems.traps.words import BLOCKED_RISK, CONFIRM, LEAK_NOT_OBSERVABLE, STATE_WORDS, VERDICT_WORDS, Language

_CHART_DAYS = 120
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 720, 180, 46, 30, 16
_GAPS, _MARKS = (10, 20, 50, 100, 500), 5
_COLOURS = {"main_c": "#b4531f", "outlet_c": "#0b6e6e"}
_FAULT, _OFF, _INK, _SOFT = "#f6d9c8", "#e6eaee", "#22303c", "#6b7a88"


@dataclass(frozen=True)
class TrapPage:
    """What the page shows.

    Attributes:
        factory_id, name, name_ko: of the factory.
        simulated: whether its data is simulated.
        steam: boiler and fuel.
        traps, events, record, savings: the rows of its lists.
        days: the table `trap_day`.
        root: the path that the other pages lie under; None where the page stands alone, as a file.
    """

    factory_id: str
    name: str
    name_ko: str
    simulated: bool
    steam: Steam | None
    traps: list[TrapNow]
    events: list[EventSeen]
    record: list[AlarmRecord]
    savings: list[Saving]
    days: pd.DataFrame
    root: str | None = None


@lru_cache(maxsize=1)
def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["number"] = _number
    found.globals["t"] = _both
    return found


def _both(korean: str, english: str) -> Markup:
    """Return a text in both languages; the page shows the one that is chosen."""
    return Markup('<span lang="ko">{}</span><span lang="en">{}</span>').format(korean, english)


def render(page: TrapPage, language: Language = "ko") -> str:
    """Return the page.

    Args:
        page: what it shows.
        language: which it opens in; the reader can change it on the page.
    """
    charts = {row["trap_id"]: Markup(chart(page.days, row["trap_id"])) for row in page.traps}  # noqa: S704 - drawn here
    faults = {str(state) for state in FAULTS}
    return (
        _environment()
        .get_template("traps.html.j2")
        .render(
            page=page,
            language=language,
            charts=charts,
            words={str(state): pair for state, pair in STATE_WORDS.items()},
            faults=faults,
            leaks={str(state) for state in LEAKS},
            confirm=CONFIRM,
            risk=BLOCKED_RISK,
            unseen=LEAK_NOT_OBSERVABLE,
            verdicts=VERDICT_WORDS,
            explanation={name: explanation(page.steam, name) for name in get_args(Language)},
            last_day=page.traps[0]["day"] if page.traps else None,
            open_events=[row for row in page.events if row["end"] is None],
            past_events=[row for row in page.events if row["end"] is not None][:30],
        )
    )


def chart(days: pd.DataFrame, trap_id: str) -> str:
    """Draw a trap's last days: temperatures, baselines, days with a fault, days without steam.

    Args:
        days: the table `trap_day`.
        trap_id: whose.

    Returns:
        An svg element.
    """
    mine = days[days["trap_id"] == trap_id].tail(_CHART_DAYS).reset_index(drop=True)
    columns = ["main_c", "main_usual_c", "outlet_c", "outlet_usual_c"]
    values = mine[columns].astype(float)
    low, high = float(values.min().min()), float(values.max().max())
    if low != low:
        low, high = 20.0, 100.0
    low, high = 10.0 * (low // 10) - 10.0, 10.0 * (high // 10) + 20.0
    step = (_WIDTH - _LEFT - 8) / max(1, len(mine))
    scale = (_HEIGHT - _TOP - _BOTTOM) / (high - low)

    def x(number: int) -> float:
        return round(_LEFT + step * (number + 0.5), 1)

    def y(value: float) -> float:
        return round(_HEIGHT - _BOTTOM - (value - low) * scale, 1)

    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{_escaped(trap_id)}" class="chart" '
        'xmlns="http://www.w3.org/2000/svg">'
    ]
    faults = {str(state) for state in FAULTS}
    for number, state in enumerate(mine["state"]):
        colour = _FAULT if state in faults else _OFF if state == TrapState.line_off else None
        if colour:
            parts.append(
                f'<rect x="{x(number) - step / 2:.1f}" y="{_TOP}" width="{step:.1f}" '
                f'height="{_HEIGHT - _TOP - _BOTTOM}" fill="{colour}"/>'
            )
    marks = range(int(low), int(high) + 1, next(gap for gap in _GAPS if (high - low) / gap <= _MARKS))
    parts += [
        f'<text x="{_LEFT - 6}" y="{y(mark) + 4}" text-anchor="end" fill="{_SOFT}">{mark}</text>'
        for mark in marks
    ]
    for name, colour in _COLOURS.items():
        usual = name.replace("_c", "_usual_c")
        parts += _lines(
            mine[usual], x, y, f'stroke="{colour}" stroke-dasharray="4 3" stroke-width="1" opacity="0.7"'
        )
        parts += _lines(mine[name], x, y, f'stroke="{colour}" stroke-width="1.8"')
        parts += [
            f'<circle cx="{x(n)}" cy="{y(v)}" r="1.4" fill="{colour}"/>'
            for n, v in enumerate(mine[name].astype(float))
            if v == v
        ]
    for number in range(0, len(mine), max(1, len(mine) // 6)):
        parts.append(
            f'<text x="{x(number)}" y="{_HEIGHT - 6}" text-anchor="middle" fill="{_SOFT}">'
            f"{mine['day'][number]:%m-%d}</text>"
        )
    return "".join([*parts, "</svg>"])


def _lines(
    values: "pd.Series[float]", x: Callable[[int], float], y: Callable[[float], float], style: str
) -> list[str]:
    """Return a polyline a run of known values."""
    runs: list[list[str]] = [[]]
    for number, value in enumerate(values.astype(float)):
        if value == value:
            runs[-1].append(f"{x(number)},{y(value)}")
        elif runs[-1] and len(runs[-1]) and number and not _gap_is_short(values, number):
            runs.append([])
    return [f'<polyline points="{" ".join(run)}" fill="none" {style}/>' for run in runs if len(run) > 1]


def _gap_is_short(values: "pd.Series[float]", number: int) -> bool:
    """Tell whether values come back within three days: a weekend breaks no line."""
    return bool(values[number : number + 3].notna().any())


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")


def _number(value: float | None, digits: int = 0) -> str:
    return "–" if value is None or value != value else f"{value:,.{digits}f}"
