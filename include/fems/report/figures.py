"""The report's pictures, as SVG for a page: text stays text, set in the reader's own fonts."""

import io
import re
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fems.calendar import REST, kinds_of_days
from fems.forecast.reasons import WEEKDAYS, Language
from fems.report.content import Content
from fems.report.words import TEXT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, SOFT, GRID = "#22303c", "#6b7a88", "#e6eaee"
ACCENT, BAND, PAST, ALERT = "#0b6e6e", "#bfe0dd", "#a9b6c2", "#b4531f"
MACHINES = ("#0b6e6e", "#4c9f9b", "#d9a441", "#7a8fb0", "#b98b6d", "#c3ccd4")
"""Five machines and the others."""
_LONGEST_LABEL = 24
FONTS = (
    "system-ui, -apple-system, 'Segoe UI', 'Malgun Gothic', 'Apple SD Gothic Neo', 'Noto Sans KR', "
    "'Noto Sans CJK KR', sans-serif"
)
LABEL_HEIGHT = 0.1
"""Of a line's label, as a share of the axis: what lies nearer above the line strikes it through."""
TOP_DAYS = 5

Draw = Callable[["Axes", Content, Language, bool], None]


def draw(name: str, content: Content, language: Language, *, narrow: bool) -> str:
    """Draw one picture.

    Args:
        name: months, calendar, equipment, peak_day or track.
        content: the report's.
        language: of the labels.
        narrow: for a phone: half as wide, so that its text keeps its size there.

    Returns:
        An svg element; its IDs are its own within the page.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    picture, wide_height, narrow_height, margins = _PICTURES[name]
    height = narrow_height if narrow else wide_height
    settings: Any = {
        "svg.fonttype": "none",
        "svg.hashsalt": name,
        "font.size": 9.5,
        "text.color": INK,
        "axes.edgecolor": GRID,
        "axes.labelcolor": SOFT,
        "xtick.color": SOFT,
        "ytick.color": SOFT,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": False,
        "axes.axisbelow": True,
        "path.simplify_threshold": 0.5,
        "text.parse_math": False,  # a name with two dollar signs is no formula
    }
    width = 4.9 if narrow else 10.2
    left, right, top, bottom = margins
    if name == "peak_day" and narrow:
        bottom += 0.25
    if name == "equipment":
        ranked, names = content.summary.top_equipment, content.machines(language)
        height = 0.3 + 0.42 * len(ranked)
        left = 0.15 + max(_inches(_short(names.get(m.sensor_id, m.name))) for m in ranked)
    sink = io.StringIO()
    with mpl.rc_context(settings), warnings.catch_warnings():
        # Text is laid out by the reader's browser; here it is only measured, and Korean with a stand-in.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=(width, height))
        figure.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height)
        picture(figure.subplots(), content, language, narrow)
        figure.savefig(sink, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _for_page(sink.getvalue(), f"{name}-{language}-{'n' if narrow else 'w'}")


def _short(name: str) -> str:
    """Cut a name to what a picture of a phone's width has room for."""
    return name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "…"


def _for_page(svg: str, own: str) -> str:
    """Cut to the element, give its IDs a name of their own, and its text the page's fonts."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{own}-", svg)
    svg = re.sub(r"(font(?:-family)?: (?:[^;\"']*?px )?)'[^;\"]*", lambda found: found[1] + FONTS, svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    return svg.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1).strip()


def _months(axes: "Axes", content: Content, language: Language, narrow: bool) -> None:
    import matplotlib.dates

    mdates: Any = matplotlib.dates  # it has no types

    words, day = TEXT[language], content.forecast.factory["day"]
    whole = np.array([d.rank > 0 for d in content.summary.days])
    ahead = pd.DatetimeIndex(day["timestamp"]).tz_localize(None)[whole]
    said, low, high = (day[f"used_kwh{q}"].to_numpy()[whole] / 1000 for q in ("", "_p10", "_p90"))
    past = content.measured / 1000
    past_days = pd.DatetimeIndex(past.index)
    if narrow:
        past, past_days = past[-45:], past_days[-45:]
    axes.plot(past_days.to_pydatetime(), past.to_numpy(), color=PAST, linewidth=1.4, label=words["measured"])
    when = ahead.to_pydatetime()
    axes.fill_between(when, low, high, color=BAND, linewidth=0, label=words["band_label"])
    axes.plot(when, said, color=ACCENT, linewidth=1.8, label=words["forecast"])
    if len(ahead):
        axes.axvline(
            mdates.date2num(ahead[0].to_pydatetime()), color=SOFT, linewidth=0.8, linestyle=(0, (2, 3))
        )
    axes.set_ylim(0, 1.12 * float(np.nanmax([*past.to_numpy(), *high, 1e-9])))
    axes.set_ylabel(words["kwh_axis"])
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.xaxis.set_major_locator(mdates.MonthLocator())
    form = "%y.%m" if language == "ko" else "%b %y"
    axes.xaxis.set_major_formatter(mdates.DateFormatter(form))
    axes.xaxis.set_minor_locator(mdates.WeekdayLocator(mdates.MO))
    axes.tick_params(axis="x", which="minor", length=2, color=GRID)
    # to the last day and no further: a month that only begins there would have its name cut off
    last = ahead[-1] if len(ahead) else past_days[-1]
    axes.set_xlim(
        *(mdates.date2num(day.to_pydatetime()) + half for day, half in ((past_days[0], -0.5), (last, 0.5)))
    )
    axes.legend(frameon=False, loc="upper left", ncols=3, bbox_to_anchor=(0, 1.13), borderaxespad=0)


def _calendar(axes: "Axes", content: Content, language: Language, narrow: bool) -> None:
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.patches import Rectangle

    every = content.summary.days
    days = pd.DatetimeIndex([d.date for d in every])
    kwh = np.array([d.kwh for d in every])
    kinds = kinds_of_days(days.to_numpy().astype("datetime64[D]"), content.factory.rest_country)
    week = (days - pd.to_timedelta(days.day_of_week, unit="D")).to_numpy()
    rows = ((week - week[0]) / np.timedelta64(7, "D")).astype(int)
    shades = LinearSegmentedColormap.from_list("kwh", ["#f3f7f7", "#9fd0cc", ACCENT])
    whole = np.array([d.rank > 0 for d in every])
    lowest, highest = kwh[whole].min(), kwh[whole].max()
    for i, day in enumerate(days):
        part = (kwh[i] - lowest) / (highest - lowest) if highest > lowest else 0.0
        face = shades(float(np.clip(part, 0, 1))) if whole[i] else "#ffffff"
        x, y = day.weekday(), rows[i]
        top = 0 < every[i].rank <= TOP_DAYS
        axes.add_patch(
            Rectangle((x + 0.04, y + 0.05), 0.92, 0.9, facecolor=face, edgecolor=ALERT if top else GRID,
                      linewidth=2.0 if top else 0.8)
        )  # fmt: skip
        dark = part > 0.62 and whole[i]
        red = "#ffd9cf" if dark else "#b3261e"
        color = red if kinds[i] == REST else ("#e8f4f3" if dark else SOFT)
        label = f"{day.month}/{day.day}" if day.day == 1 or i == 0 else str(day.day)
        axes.text(x + 0.12, y + 0.34, label, fontsize=9, color=color)
        axes.text(
            x + 0.5, y + 0.78, f"{kwh[i] / 1000:,.1f}", fontsize=10 if narrow else 11.5, ha="center",
            color="#ffffff" if dark else INK, fontweight="bold" if top else "normal",
        )  # fmt: skip
    names = WEEKDAYS[language]
    axes.set(xlim=(0, 7), ylim=(rows.max() + 1, 0))
    axes.set_xticks(np.arange(7) + 0.5, [name[: 1 if language == "ko" else 3] for name in names])
    axes.xaxis.tick_top()
    axes.set_yticks([])
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _equipment(axes: "Axes", content: Content, language: Language, narrow: bool) -> None:
    words, names = TEXT[language], content.machines(language)
    ranked = content.summary.top_equipment
    at = np.arange(len(ranked))
    share = [m.share_pct for m in ranked]
    peak = [m.peak_share_pct or 0.0 for m in ranked]
    known = all(m.peak_share_pct is not None for m in ranked)
    thick = 0.36 if known else 0.6
    axes.barh(at - (thick / 2 if known else 0), share, thick, color=ACCENT, label=words["share_label"])
    if known:
        axes.barh(at + thick / 2, peak, thick, color=MACHINES[2], label=words["peak_label"])
    for i in range(len(ranked)):
        y = i - (thick / 2 if known else 0)
        axes.text(share[i] + 0.6, y, f"{share[i]:.0f} %", va="center", fontsize=8.5, color=INK)
        if known:
            axes.text(peak[i] + 0.6, i + thick / 2, f"{peak[i]:.0f} %", va="center", fontsize=8.5, color=SOFT)
    axes.set_yticks(at, [_short(names.get(m.sensor_id, m.name)) for m in ranked])
    axes.set_xlim(0, 1.12 * max([*share, *peak]))
    axes.invert_yaxis()
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(length=0, labelcolor=INK)
    if known:
        axes.legend(frameon=False, loc="lower right", fontsize=8.5)


def _peak_day(axes: "Axes", content: Content, language: Language, narrow: bool) -> None:
    words, names = TEXT[language], content.machines(language)
    native = content.forecast.equipment["native"]
    day = content.peak_day()
    rows = native[(native["timestamp"] >= day) & (native["timestamp"] < day + pd.DateOffset(days=1))]
    power = rows.pivot(index="timestamp", columns="sensor_id", values="used_kwh") * 60 / content.grain_minutes
    order = [m.sensor_id for m in content.summary.top_equipment]
    shown = order[: len(MACHINES) - 1] if len(order) > len(MACHINES) else order
    stack = [power[sensor].to_numpy() for sensor in shown]
    labels = [_short(names.get(sensor, sensor)) for sensor in shown]
    if len(shown) < len(order):
        stack.append(power[order[len(shown) :]].sum(axis=1).to_numpy())
        labels.append(words["others"])
    hour = ((pd.DatetimeIndex(power.index) - day) / pd.Timedelta(hours=1)).to_numpy()
    axes.stackplot(hour, *stack, labels=labels, colors=MACHINES[: len(stack)], step="post", linewidth=0)
    top = float(np.sum(stack, axis=0).max())
    demand = content.summary.demand
    if demand is not None:
        axes.axhline(demand.kw, color=ALERT, linewidth=1.3, linestyle=(0, (4, 3)))
        top = max(top, demand.kw)
        # A label stands above its line, and below it where the other line would strike it through.
        ahead = 0.0 if demand.contract_kw is None else demand.contract_kw - demand.kw
        under, over = 0 < ahead < LABEL_HEIGHT * top, 0 < -ahead < LABEL_HEIGHT * top
        expected = f"{words['expected_peak']} {demand.kw:,.0f} kW"
        _label(axes, 0.15, demand.kw, expected, ALERT, below=under)
        if demand.contract_kw is not None and demand.contract_kw < 1.5 * top:
            axes.axhline(demand.contract_kw, color=INK, linewidth=1.2)
            text = f"{words['contract_line']} {demand.contract_kw:,.0f} kW"
            _label(axes, 23.9, demand.contract_kw, text, INK, below=over, ha="right")
            top = max(top, demand.contract_kw)
    axes.set(xlim=(0, 24), ylim=(0, 1.12 * top), ylabel=words["kw_axis"])
    axes.set_xticks(
        range(0, 25, 4 if narrow else 2), [f"{h:02d}:00" for h in range(0, 25, 4 if narrow else 2)]
    )
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.legend(
        frameon=False, loc="upper left", ncols=3 if narrow else 6, bbox_to_anchor=(0, -0.11), borderaxespad=0,
        handlelength=1.0, columnspacing=1.2,
    )  # fmt: skip


def _label(axes: "Axes", x: float, y: float, text: str, color: str, *, below: bool, ha: str = "left") -> None:
    """Write on a horizontal line, a little above it or below."""
    axes.annotate(
        text, (x, y), (0, -3 if below else 2), textcoords="offset points", color=color, ha=ha,
        va="top" if below else "bottom",
    )  # fmt: skip


def _track(axes: "Axes", content: Content, language: Language, narrow: bool) -> None:
    words, track = TEXT[language], content.track.tail(12)
    at = np.arange(len(track))
    for offset, column, color, label in (
        (-0.19, "accuracy", ACCENT, words["ours"]),
        (0.19, "weekly_naive_accuracy", PAST, words["naive"]),
    ):
        values = track[column].to_numpy(dtype=np.float64)
        axes.bar(at + offset, values, 0.36, color=color, label=label)
        for x, value in zip(at + offset, values, strict=True):
            if np.isfinite(value):
                axes.text(x, value, f"{value:.0f}", ha="center", va="bottom", fontsize=8.5, color=SOFT)
    axes.set_xticks(at, [str(month) for month in track["month"]])
    axes.set_ylim(0, 112)
    axes.set_xlim(-0.7, max(len(track) - 0.3, 3.7))
    axes.set_yticks([0, 50, 100])
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.tick_params(length=0)
    axes.legend(frameon=False, loc="upper left", ncols=2, bbox_to_anchor=(0, 1.18), borderaxespad=0)


_PICTURES: dict[str, tuple[Draw, float, float, tuple[float, float, float, float]]] = {
    "months": (_months, 3.1, 3.0, (0.6, 0.1, 0.4, 0.3)),
    "calendar": (_calendar, 3.7, 3.7, (0.0, 0.02, 0.25, 0.02)),
    "equipment": (_equipment, 3.0, 3.0, (1.0, 0.05, 0.05, 0.05)),
    "peak_day": (_peak_day, 3.4, 3.7, (0.7, 0.25, 0.1, 0.6)),
    "track": (_track, 2.2, 2.4, (0.4, 0.05, 0.35, 0.3)),
}
"""How each is drawn, its height in inches wide and narrow, and its margins: left, right, top, bottom.

Margins are given, since a layout that is found takes as long again as the drawing.
"""


def _inches(text: str) -> float:
    """About how long a label is; a Korean letter is as wide as two Latin ones."""
    return sum(0.145 if ord(letter) > 0x1100 else 0.075 for letter in text)
