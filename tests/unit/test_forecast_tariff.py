"""A tariff covers every hour of the year once, or its line is named; costs are what the hours say."""

from pathlib import Path

import numpy as np
import pytest

from fems.errors import ConfigError
from fems.registry.plant import load_plant
from fems.registry.tariff import LOADS
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


def test_loads_follow_the_season_the_hour_and_the_day_of_rest() -> None:
    tariff = load_plant(settings().factories_file).tariffs["kepco_industrial_b"]
    days = np.array(
        ["2026-07-15", "2026-07-15", "2026-07-18", "2026-07-19", "2026-01-14", "2026-03-02"],
        dtype="datetime64[D]",
    )
    hours = np.array([23, 14, 14, 14, 10, 14])
    loads = tariff.loads(days, hours, "KR")
    assert [LOADS[i] for i in loads] == [
        "light",
        "maximum",
        "medium",  # a Saturday
        "light",  # a Sunday
        "maximum",  # 10:00 is maximum load in winter alone
        "light",  # the substitute holiday of 1 March
    ]
    assert tariff.prices(days, loads).tolist() == [87.3, 222.3, 140.2, 87.3, 197.9, 87.3]
