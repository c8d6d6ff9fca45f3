"""The month's figures, made again by a few lines of pandas from the published tables and the tariff; and the same
everywhere: report, plant page, Excel, SQL, REST's tables."""

import io
from collections.abc import Iterator
from datetime import UTC, date, datetime

import holidays
import openpyxl
import pandas as pd
import pytest
import yaml
from support import ROOT

from embedded.stack import Stack
from fems.contracts.forecast import ForecastSummary
from fems.flows.forecast import forecast_factory
from fems.flows.ingest import ingest_factory
from fems.flows.land import land_tree
from fems.flows.platform import Platform
from fems.lake import keys
from fems.lake.lake import Lake
from fems.report.page import money, number
from fems.simulate import simulate
from fems.views import records
from fems.views.forecasts import Choice
from fems.views.pages import Asked, plant_page
from fems.views.plant import plant_rows
from fems.views.report import report_page, workbook_file
from fems.views.sql import query

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("fems_environment"), pytest.mark.timeout(900)]

FACTORIES = ("1120", "2140", "2160")
CASES = {
    "a February": ("2025-02", "2025-02-01T00:00"),
    "a month of 31 days": ("2025-03", "2025-03-01T00:00"),
    "a run in the month's middle": ("2025-02", "2025-02-12T09:00"),
}
ZONE = "Asia/Seoul"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """January and February 2025 of three factories, published; a folder, so that no other test's data is in it."""
    from fems.registry.plant import load_plant
    from fems.settings import settings

    raw = tmp_path_factory.mktemp("raw")
    plant = load_plant(settings().factories_file)
    simulate(plant, raw, start=date(2025, 1, 1), months=2, seed=9, factories=list(FACTORIES), workers=1)
    made = Lake.in_folder(tmp_path_factory.mktemp("lake"))
    land_tree(made, raw, lambda line: None)
    for factory in FACTORIES:
        ingest_factory(Platform.from_environment(made), factory, lambda line: None)
    return made


@pytest.fixture
def platform(lake: Lake, services: Stack) -> Iterator[Platform]:
    """MLflow is the real one, and says that there is no champion: a baseline forecasts, which is quick."""
    yield Platform.from_environment(lake)


def spans(written: list[str]) -> set[int]:
    """The hours of 22:00-08:00 and the like."""
    found: set[int] = set()
    for span in written:
        first, end = (int(part[:2]) for part in span.split("-"))
        found |= {hour % 24 for hour in range(first, end if end > first else end + 24)}
    return found


def energy_cost(hours: pd.Series, prices: dict) -> float:
    """Price kWh by local hour by a price list of factories.yaml; Sundays and public holidays are light all day."""
    days_off = holidays.country_holidays("KR", years=sorted(set(hours.index.year)))
    total = 0.0
    for time, kwh in hours.items():
        season = next(each for each in prices["seasons"] if time.month in each["months"])
        load = next(name for name, written in season["hours"].items() if time.hour in spans(written))
        if time.weekday() == 6 or time.date() in days_off:
            load = prices["rest_day_as"]
        elif time.weekday() == 5 and load == "maximum":
            load = prices["saturday_maximum_as"]
        total += max(kwh, 0.0) * season["per_kwh"][load]
    return total


def of_month(platform: Platform, summary: ForecastSummary, folder: str, grain: str) -> pd.Series:
    """The factory's kWh of the calendar month: what is published as measured before the origin, then the forecast."""
    start = pd.Timestamp(f"{summary.month}-01", tz=ZONE)
    end, origin = start + pd.DateOffset(months=1), pd.Timestamp(summary.origin)
    ahead = (
        platform.lake.forecasts.table(folder, "factory", grain).to_pandas().set_index("timestamp")["used_kwh"]
    )
    parts = [ahead.tz_convert(ZONE)]
    if origin > start:
        measured = platform.lake.published("meter", grain, summary.factory_id, [summary.month]).to_pandas()
        by_time = measured.groupby("timestamp")["used_kwh"]
        whole = by_time.sum().where(by_time.count() == measured["sensor_id"].nunique()).tz_convert(ZONE)
        parts.insert(0, whole[(whole.index >= start) & (whole.index < origin)])
    both = pd.concat(parts)
    return both[(both.index >= start) & (both.index < end)]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("factory", FACTORIES)
def test_total_cost_and_demand_are_what_the_tables_and_the_tariff_make(
    platform: Platform, factory: str, case: str
) -> None:
    month, origin = CASES[case]
    made = forecast_factory(platform, factory, None, origin=origin)
    summary = made.summary
    assert summary.month == month
    hours = of_month(platform, summary, made.prefix, "hour")
    days = pd.Period(month).days_in_month
    assert len(hours) == 24 * days and summary.calendar.days == days
    assert summary.kwh == pytest.approx(hours.sum(), rel=1e-9)

    registry = yaml.safe_load((ROOT / "include/config/factories.yaml").read_text(encoding="utf-8"))
    lists = registry["tariffs"][registry["factories"][factory]["tariff"]]["price_lists"]
    prices = [each for each in lists if each["valid_from"] <= date.fromisoformat(f"{month}-01")][-1]
    assert summary.cost is not None and summary.demand is not None
    assert summary.cost.valid_from == prices["valid_from"] == date(2024, 10, 24)
    energy, power = energy_cost(hours.fillna(0.0), prices), prices["demand_per_kw"] * summary.demand.kw
    assert summary.cost.energy == pytest.approx(energy, rel=1e-9)
    assert summary.cost.demand == pytest.approx(power, rel=1e-9)
    assert summary.cost.total == pytest.approx(energy + power, rel=1e-9)

    # The demand is the median of the month's maximum, so no lower than the highest interval of the median forecast,
    # and no lower than what was measured already.
    highest = of_month(platform, summary, made.prefix, "native").resample("15min").sum().max() * 4
    assert summary.demand.kw_p10 <= summary.demand.kw <= summary.demand.kw_p90
    assert summary.demand.kw >= 0.999 * highest

    page = report_page(platform, factory, Choice(month, origin, keys.model_of(made.prefix)), "en")
    for shown in (
        number(hours.sum() / 1000, 1),
        money(energy + power, "KRW", "en"),
        number(summary.demand.kw),
    ):
        assert shown in page


@pytest.mark.parametrize("factory", FACTORIES)
def test_the_same_figures_stand_everywhere(platform: Platform, factory: str) -> None:
    summary = forecast_factory(platform, factory).summary
    assert summary.month == "2025-03" and summary.cost is not None and summary.demand is not None
    assert summary.carbon is not None
    figures = [summary.kwh, summary.demand.kw, summary.cost.total, summary.carbon.tco2e]

    (told,) = [row for row in records.forecasts(platform, factory).to_pylist() if row["newest"]]
    assert [told[name] for name in ("kwh", "demand_kw", "cost", "tco2e")] == figures

    asked = f"SELECT kwh, demand_kw, cost, tco2e FROM forecast WHERE newest AND factory_id = '{factory}'"
    assert list(query(platform, asked).to_pylist()[0].values()) == figures
    by_day = query(
        platform,
        f"SELECT sum(used_kwh) AS kwh FROM forecast_day WHERE factory_id = '{factory}' AND sensor_id IS NULL "
        "AND local_time >= '2025-03-01' AND local_time < '2025-04-01'",
    )
    assert by_day["kwh"][0].as_py() == pytest.approx(summary.kwh)

    for language in ("ko", "en"):
        _, data = workbook_file(platform, factory, language)
        sheets = openpyxl.load_workbook(io.BytesIO(data)).worksheets
        values = [row[1].value for row in sheets[0].iter_rows() if isinstance(row[1].value, float)]
        assert all(any(value == pytest.approx(figure) for value in values) for figure in figures)
        assert sum(row[4].value for row in sheets[1].iter_rows(min_row=2)) == pytest.approx(summary.kwh)

    row = plant_page(plant_rows(platform, datetime.now(UTC), [factory]), Asked(), "en", "/fems")
    report = report_page(platform, factory, language="en")
    for shown in (number(summary.kwh / 1000, 1), number(summary.demand.kw), number(summary.carbon.tco2e, 1)):
        assert shown in row and shown in report
