"""A tariff covers every hour of the year once, or its line is named; costs are what the hours say."""

from pathlib import Path

import numpy as np
import pytest

from fems.errors import ConfigError, DataError
from fems.registry.plant import load_plant
from fems.registry.tariff import LOADS, GridEmission, emission_factor
from fems.settings import settings

REGISTRY = settings().factories_file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "words", "line_has"),
    [
        ('"12:00-13:00", "18:00', '"18:00', "gap: 12:00-13:00", "hours: &warm_hours"),
        ('["11:00-12:00", "13:00-18:00"]', '["10:00-12:00", "13:00-18:00"]', "overlap: 10:00-11:00", "10:00-12:00"),
        ("months: [6, 7, 8]", "months: [6, 7]", "gap: month 8 is in no season", "seasons:"),
        ("months: [6, 7, 8]", "months: [6, 7, 8, 9]", "overlap: month 9", "months: [3, 4, 5, 9, 10]"),
        ("months: [6, 7, 8]", "months: [6, 7, 13]", "months are 1 to 12", "months: [6, 7, 13]"),
        ("valid_from: 2023-11-09", "valid_from: 2023-05-16", "overlap: 2023-05-16 is not after", "2023-05-16"),
        (
            "    contract_kw: 950",
            "    contract_kw: 950\n    budget: {unit: kwh, every_month: -1}",
            "every_month",
            "budget",
        ),
        (
            "    contract_kw: 950",
            "    contract_kw: 950\n    budget: {unit: kwh, by_month: {2026-13: 5}}",
            "write YYYY-MM",
            "budget",
        ),
        ("    - tco2e", "    - {tco2e_per_mwh: 1, year: 2023, source: x}\n    - tco2e", "two factors", "year: 2023"),
        ('light: ["22:00-08:00"]', 'light: ["22:00-8:00"]', "write whole hours", "22:00-8:00"),
        (", maximum: 222.3}", "}", "no price for maximum", "per_kwh: {light: 87.3, medium: 140.2}"),
        ("tariff: kepco_industrial_b", "tariff: mine", "tariff 'mine' is not under `tariffs`", "tariff: mine"),
        ("contract_kw: 950", "contract_kw: 0", "contract_kw", "contract_kw: 0"),
    ],
)  # fmt: skip
def test_a_wrong_tariff_is_one_line_that_names_its_own(
    tmp_path: Path, old: str, new: str, words: str, line_has: str
) -> None:
    path = tmp_path / "factories.yaml"
    text = REGISTRY.replace(old, new, 1)
    assert text != REGISTRY
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_plant(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:") and words in message and "\n" not in message
    line = int(message.removeprefix(f"{path}:").partition(":")[0])
    assert line_has in text.splitlines()[line - 1]


TARIFF = load_plant(settings().factories_file).tariffs["kepco_industrial_b"]


def days_and_hours(*written: str) -> tuple[np.ndarray, np.ndarray]:
    times = np.array(written, dtype="datetime64[h]")
    return times.astype("datetime64[D]"), times.astype(np.int64) % 24


def test_loads_follow_the_season_the_hour_and_the_day_of_rest() -> None:
    days, hours = days_and_hours(
        "2025-07-15T23", "2025-07-15T14", "2025-07-19T14", "2025-07-20T14", "2026-01-14T10", "2026-03-02T14"
    )
    assert [LOADS[i] for i in TARIFF.loads(days, hours, "KR")] == [
        "light",
        "maximum",
        "medium",  # a Saturday
        "light",  # a Sunday
        "maximum",  # 10:00 is maximum load in winter alone
        "light",  # the substitute holiday of 1 March
    ]
    assert TARIFF.prices(days, hours, "KR").tolist() == [110.9, 245.9, 163.8, 110.9, 221.5, 110.9]


def test_a_day_keeps_the_prices_and_hours_that_held_then() -> None:
    days, hours = days_and_hours(
        "2023-10-11T14", "2023-11-09T10", "2026-04-15T14", "2026-04-16T14", "2026-04-16T19"
    )
    assert TARIFF.prices(days, hours, "KR").tolist() == [140.5, 204.6, 164.1, 133.4, 150.9]


def test_a_weekend_discount_is_of_its_hours_and_days_alone() -> None:
    days, hours = days_and_hours(
        "2026-05-02T11", "2026-05-02T14", "2026-05-03T13", "2026-05-04T11", "2026-08-01T11"
    )
    assert TARIFF.prices(days, hours, "KR").tolist() == pytest.approx([133.4 / 2, 133.4, 58.0, 133.4, 163.8])


def test_a_day_before_the_first_prices_is_an_error_that_says_what_to_add() -> None:
    with pytest.raises(DataError, match="its prices begin on 2023-05-16"):
        TARIFF.prices(*days_and_hours("2018-03-01T00"), "KR")


def test_a_year_takes_its_own_emission_factor_or_the_newest_before_it() -> None:
    factors = [GridEmission(tco2e_per_mwh=y / 1000, year=y, source="test") for y in (2023, 2021)]
    chosen = [emission_factor(factors, year) for year in (2020, 2021, 2022, 2023, 2026)]
    assert [f.year for f in chosen if f is not None] == [2021, 2021, 2021, 2023, 2023]
    assert emission_factor([], 2023) is None
