"""The report as one self-contained HTML page: both languages inside, a switch without script, no outside address."""

from functools import lru_cache
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fems.forecast.reasons import LANGUAGES, WEEKDAYS, Language
from fems.report.content import Content
from fems.report.figures import TOP_DAYS, draw
from fems.report.words import TEXT

_SWITCH = 'id="show-{language}"'


def render(content: Content, language: Language = "ko") -> str:
    """Return the page.

    Args:
        content: what it shows.
        language: which it opens in; the reader can change it on the page.
    """
    views = [_view(content, name) for name in LANGUAGES]
    page = _environment().get_template("report.html.j2").render(views=views, content=content)
    return opened_in(page, language)


def opened_in(page: str, language: Language) -> str:
    """Return a rendered page that opens in a language."""
    for name in LANGUAGES:
        page = page.replace(f"{_SWITCH.format(language=name)} checked", _SWITCH.format(language=name))
    mark = _SWITCH.format(language=language)
    page = page.replace(mark, f"{mark} checked", 1)
    return page.replace(
        page[page.index("<html") : page.index(">", page.index("<html")) + 1], f'<html lang="{language}">', 1
    )


@lru_cache(maxsize=1)
def _environment() -> Environment:
    folder = Path(__file__).parent / "templates"
    made = Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {"number": number, "signed": signed, "chance": chance}
    return made


def number(value: float | None, digits: int = 0) -> str:
    """Write a number with thousands separators, a dash where there is none."""
    return "–" if value is None or pd.isna(value) else f"{value:,.{digits}f}"


def signed(value: float | None, digits: int = 1) -> str:
    """Write a rise with + and a fall with a minus sign."""
    return "–" if value is None or pd.isna(value) else f"{value:+,.{digits}f}".replace("-", "−")


def chance(value: float | None) -> str:
    """Write a chance in %: never 0 or 100, which nobody can promise."""
    if value is None or pd.isna(value):
        return "–"
    pct = 100 * value
    return "< 1" if pct < 1 else "> 99" if pct > 99 else f"{pct:.0f}"


def money(value: float, currency: str, language: Language) -> str:
    """Write an amount as people say it: 2,730만 원, KRW 27.3 million."""
    if language == "ko" and currency == "KRW":
        return f"{value / 1e4:,.0f}만 원"
    return f"{currency} {value / 1e6:,.1f} million" if value >= 1e6 else f"{currency} {value:,.0f}"


def written_day(day: pd.Timestamp, language: Language) -> str:
    """Write a day as a reader says it."""
    weekday = WEEKDAYS[language][day.weekday()]
    if language == "ko":
        return f"{day.month}월 {day.day}일 ({weekday[0]})"
    return f"{weekday[:3]} {day.day} {day:%b}"


def _budget(content: Content, language: Language) -> str:
    budget = content.summary.budget
    if budget is None:
        return ""
    if budget.unit == "kwh":
        return f"{number(budget.amount / 1000, 1)} MWh"
    return money(budget.amount, content.summary.cost.currency if content.summary.cost else "", language)


def _view(content: Content, language: Language) -> dict[str, object]:
    """Everything that the template needs in one language."""
    words, summary, names = TEXT[language], content.summary, content.machines(language)
    zone = pd.DatetimeIndex(content.forecast.factory["day"]["timestamp"]).tz
    origin = pd.Timestamp(summary.origin).tz_convert(zone)
    last = content.forecast.factory["native"]["timestamp"].iloc[-1]
    demand, change = summary.demand, summary.change
    at = pd.Timestamp(demand.at).tz_convert(zone) if demand else None
    written_at = f"{written_day(at, language)} {at:%H:%M}" if at is not None else ""
    ranked = sorted((d for d in summary.days if d.rank), key=lambda d: d.rank)
    machines = [m.model_copy(update={"name": names.get(m.sensor_id, m.name)}) for m in summary.top_equipment]
    at_peak = max(machines, key=lambda m: m.peak_share_pct or 0.0)
    alts = {
        "months": words["months_alt"].format(kwh=number(summary.kwh)),
        "calendar": words["calendar_alt"].format(day=written_day(pd.Timestamp(ranked[0].date), language)),
        "equipment": words["equipment_alt"].format(
            machine=machines[0].name, share=number(machines[0].share_pct)
        ),
        "peak_day": words["peak_day_alt"].format(
            day=written_day(content.peak_day(), language),
            at=written_at,
            kw=number(demand.kw if demand else None),
        ),
        "track": words["track_alt"],
    }
    shown = [name for name in alts if name != "track" or len(content.track)]
    return {
        "language": language,
        "words": words,
        "factory": content.factory.name_ko if language == "ko" else content.factory.name,
        "month": f"{origin.year}년 {origin.month}월" if language == "ko" else f"{origin:%B %Y}",
        "first": written_day(origin, language),
        "last": written_day(last, language),
        "origin": f"{origin:%Y-%m-%d %H:%M}",
        "top_days": ranked[:TOP_DAYS],
        "days": summary.days,
        "written": {d.date: written_day(pd.Timestamp(d.date), language) for d in summary.days},
        "machines": machines,
        "at_peak": at_peak,
        "written_at": written_at,
        "then": "".join(
            words[key].format(days=past.working_days)
            for key, past in (("then_month", change.last_month), ("then_year", change.last_year))
            if past is not None
        ),
        "poor": content.summary.model.heldout is not None and content.summary.model.heldout.is_poor,
        "budget": _budget(content, language),
        "money": lambda value: money(value, summary.cost.currency if summary.cost else "", language),
        "figures": {
            name: {
                "alt": alts[name],
                "wide": Markup(draw(name, content, language, narrow=False)),  # noqa: S704 - our own SVG
                "narrow": Markup(draw(name, content, language, narrow=True)),  # noqa: S704
            }
            for name in shown
        },
    }
