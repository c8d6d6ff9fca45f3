"""The pages of the plant, Korean and English, without script and without another host."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from fems.forecast.reasons import LANGUAGES, Language
from fems.registry.factory import Factory
from fems.report.page import chance, money, number, signed
from fems.tracking.names import model_name
from fems.views.factory import FactoryPage
from fems.views.forecasts import PublishedForecast
from fems.views.health import Health
from fems.views.plant import SORTS, PlantRow, Sort, choose
from fems.views.quality_words import TEXT as QUALITY_TEXT
from fems.views.quality_words import feed_name
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
            w=TEXT[language] | QUALITY_TEXT[language],
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
    choice = each.choice
    return urlencode({"origin": choice.origin, "model": choice.model, "horizon": choice.horizon})


def report_bar(
    factory_id: str,
    factory: Factory,
    folder: str,
    there: Sequence[PublishedForecast],
    language: Language,
    root: str,
) -> str:
    """Return what stands above a report: the way back, what goes with it, and the factory's other forecasts.

    Args:
        factory_id: whose report it is.
        factory: from the registry.
        folder: of the forecast that is shown.
        there: the factory's forecasts, the newest first.
        language: of its texts.
        root: the path that all pages lie under.
    """
    template = _environment().get_template("report_bar.html.j2")
    return template.render(
        w=TEXT[language], factory_id=factory_id, factory=factory, folder=folder, there=there, language=language,
        root=root, shown=next((each for each in there if each.folder == folder), None),
    )  # fmt: skip


def factory_html(page: FactoryPage, language: Language, root: str, airflow: str, mlflow: str | None) -> str:
    """Return a factory's page.

    Args:
        page: what it shows.
        language: of its texts.
        root: the path that all pages lie under.
        airflow: where Airflow is.
        mlflow: where MLflow is; no link where it is not known.
    """
    model = (
        None if mlflow is None else f"{mlflow.rstrip('/')}/#/models/{quote(model_name(page.row.factory_id))}"
    )
    return render(
        "factory.html.j2", language, root, {}, page=page, airflow=airflow, mlflow=model, feed_name=feed_name
    )


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
