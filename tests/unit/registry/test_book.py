"""The definition book: what it refuses, and where it says the mistake is."""

from pathlib import Path

import pytest
import yaml

from fems.errors import ConfigError
from fems.registry.book import load_book
from fems.registry.plant import load_plant
from fems.settings import settings

METER = (settings().definitions_dir / "meter.yaml").read_text("utf-8")


def book_of(folder: Path, text: str):
    (folder / "meter.yaml").write_text(text, encoding="utf-8")
    return load_book(folder, "meter")


def line_of(text: str, part: str) -> int:
    return next(i for i, line in enumerate(text.splitlines(), start=1) if part in line)


OVERRIDE = """
overrides:
  - why: a small motor
    sensors: [1100-M05]
    columns:
      used_kwh:
        limits: {max: 3}
"""


@pytest.mark.parametrize(
    ("old", "new", "at", "words"),
    [
        ("max: 100}", "max: -1}", "max: -1", "min 0 must be below max -1"),
        ("unit: kWh", "unit: [kWh]", "unit: [kWh]", "valid string"),
        ("stand_in: active_kwh", "stand_in: actve_kwh", "actve_kwh", "'actve_kwh' is no column"),
        ("columns: [used_kwh, active_kwh]", "columns: [used_kwh, activ_kwh]", "activ_kwh", "'activ_kwh' is no column"),
        ("columns: [used_kwh, active_kwh]", "columns: [used_kwh]", "columns: [used_kwh]", "between 2 different"),
        ("aggregate: {current_a: mean}", "aggregate: {used_kwh: mean}", "{used_kwh: mean}", "two columns make"),
        ("energy_column: used_kwh", "energy_column: kwh", "energy_column: kwh", "must name a column"),
        ("minutes: 45", "minutes: 0", "minutes: 0", "greater than 0"),
        ("law: equal", "law: same", "law: same", "'equal'"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(tmp_path: Path, old: str, new: str, at: str, words: str) -> None:
    text = METER.replace(old, new)
    assert text != METER
    with pytest.raises(ConfigError) as error:
        book_of(tmp_path, text)
    assert f"meter.yaml:{line_of(text, at)}:" in str(error.value)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "at", "words"),
    [
        ("used_kwh:\n        limits: {max", "usd_kwh:\n        limits: {max", "usd_kwh", "'usd_kwh' is no column"),
        ("    sensors: [1100-M05]\n", "", "- why", "name the factories or the sensors"),
        ("{max: 3}", "{most: 3}", "{most: 3}", "Extra inputs"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_override_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, at: str, words: str
) -> None:
    text = METER + OVERRIDE.replace(old, new)
    with pytest.raises(ConfigError) as error:
        book_of(tmp_path, text)
    assert f"meter.yaml:{line_of(text, at)}:" in str(error.value)
    assert words in str(error.value)


def test_an_override_changes_the_version_of_those_it_concerns(tmp_path: Path) -> None:
    plain, changed = book_of(tmp_path, METER), book_of(tmp_path, METER + OVERRIDE)
    assert changed.for_sensor("1100", "1100-M05").columns["used_kwh"].limits.max == 3
    assert changed.for_sensor("1100", "1100-M01") == plain.for_sensor("1100", "1100-M01")
    assert changed.version_for("1100", ["1100-M05"]) != plain.version_for("1100", ["1100-M05"])
    assert changed.version_for("2100", ["2100-M01"]) == plain.version_for("2100", ["2100-M01"])


def test_a_comment_changes_no_version(tmp_path: Path) -> None:
    assert book_of(tmp_path, METER).version == book_of(tmp_path, "# a remark\n" + METER).version
    content = yaml.safe_load(METER)
    content["late_days"] = 3
    assert (
        book_of(tmp_path, yaml.safe_dump(content, sort_keys=False)).version
        != book_of(tmp_path, METER).version
    )


def test_an_override_for_a_sensor_that_there_is_not_is_refused(tmp_path: Path) -> None:
    for sensor in ("1100-M05", "1100-M99"):
        (tmp_path / "meter.yaml").write_text(METER + OVERRIDE.replace("1100-M05", sensor), encoding="utf-8")
        plant = load_plant(settings().factories_file)
        if sensor == "1100-M05":
            assert load_book(tmp_path, "meter", plant).overrides
        else:
            with pytest.raises(ConfigError, match=r"meter\.yaml:\d+: overrides.*'1100-M99' is no sensor"):
                load_book(tmp_path, "meter", plant)
