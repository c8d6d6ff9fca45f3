"""The pages of the plant, Korean and English, without script and without another host."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fems.forecast.reasons import LANGUAGES, Language
from fems.report.page import chance, money, number, signed
from fems.views.factory import FactoryPage, PublishedForecast
from fems.views.health import Health
from fems.views.plant import SORTS, PlantRow, Sort, choose
from fems.views.words import TEXT

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Asked:
    """What a reader asked the plant page for: part of a name, an order, and only what needs a look."""

    q: str = ""
    sort: Sort = "needs"
    needs: bool = False


def language_of(header: str, chosen: str | None) -> Language:
    """Return the language of a page: the one that was chosen, or the first of the browser's that the pages speak.

    Args:
        header: Accept-Language.
        chosen: what the reader chose, by the address or before.
    """
    for name in (chosen, *(part.split(";")[0].strip()[:2].lower() for part in header.split(","))):
        for language in LANGUAGES:
            if name == language:
                return language
    return "ko"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "number": number,
        "signed": signed,
        "money": money,
        "chance": chance,
        "choice": choice_query,
    }
    return environment


def render(template: str, language: Language, root: str, query: Mapping[str, str], **content: object) -> str:
    """Return a page.

    Args:
        template: its file under `templates/`.
        language: of its texts.
        root: the path that all pages lie under.
        query: of its address, so that the link to the other language leads to the same page.
        content: what the template shows.
    """
    other: Language = "en" if language == "ko" else "ko"
    css = (_TEMPLATES / "plant.css").read_text(encoding="utf-8")
    return (
        _environment()
        .get_template(template)
        .render(
            w=TEXT[language],
            language=language,
            other_language=other,
            other_language_query=urlencode({**query, "lang": other}),
            root=root,
            css=Markup(css),  # noqa: S704 - our own file
            **content,
        )
    )


def plant_page(rows: list[PlantRow], asked: Asked, language: Language, root: str) -> str:
    """Return the page of all factories, what needs a look first."""
    shown = choose(rows, asked.q, asked.needs, asked.sort)
    query = {"q": asked.q, "sort": asked.sort, **({"needs": "1"} if asked.needs else {})}
    return render(
        "plant.html.j2", language, root, query, rows=shown, count=len(rows), asked=asdict(asked), sorts=SORTS
    )


def choice_query(each: PublishedForecast) -> str:
    """Return the part of an address that names one of a month's forecasts."""
    summary = each.summary
    return urlencode(
        {
            "origin": f"{summary.origin:%Y-%m-%dT%H:%M}",
            "model": each.folder.rstrip("/").rpartition("model=")[2],
        }
    )


def factory_html(page: FactoryPage, language: Language, root: str, airflow: str, mlflow: str | None) -> str:
    """Return a factory's page.

    Args:
        page: what it shows.
        language: of its texts.
        root: the path that all pages lie under.
        airflow: where Airflow is.
        mlflow: where MLflow is; no link where it is not known.
    """
    return render("factory.html.j2", language, root, {}, page=page, airflow=airflow, mlflow=mlflow)


def health_page(seen: Health, language: Language, root: str, airflow: str) -> str:
    """Return the page that says whether everything is at work.

    Args:
        seen: what it shows.
        language: of its texts.
        root: the path that all pages lie under.
        airflow: where Airflow is.
    """
    return render("health.html.j2", language, root, {}, it=seen, airflow=airflow)


def message_page(
    heading: str, text: str, language: Language, root: str, factories: Sequence[Mapping[str, str]] = ()
) -> str:
    """Return a page that says something: what is wrong with an address, and where else to look."""
    return render("message.html.j2", language, root, {}, heading=heading, text=text, factories=factories)
