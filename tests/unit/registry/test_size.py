"""How large a registry may be: 10,000 factories fit, and a file that unfolds without end does not."""

from pathlib import Path

import pytest

from fems.errors import ConfigError
from fems.registry import cache, yamlfile
from fems.registry.book import Book, load_book
from fems.registry.plant import MOST_VALUES, load_plant
from fems.registry.yamlfile import count_values, load
from fems.settings import settings

_HEAD = """\
mappings:
  csv: {time_format: "%Y-%m-%d %H:%M:%S"}
factories:
"""


def factory(factory_id: str) -> str:
    """A factory with ten machines and three traps, and everything that is usually said of it."""
    lines = [
        f"  {factory_id}:",
        "    name: Press shop",
        "    name_ko: 프레스",
        "    grain: {meter: 1min, steam_trap: 15min}",
        "    mapping: {meter: csv, steam_trap: csv}",
        "    shifts: two_shift",
        "    contract_kw: 1500",
        "    main_meter: " + factory_id,
        "    equipment:",
    ]
    lines += [
        f"      E{i}: {{name: Pump {i}, name_ko: 펌프, kind: pump, sensor: {factory_id}-M{i}, rated_kw: 90}}"
        for i in range(10)
    ]
    lines += ["    steam_traps:"]
    lines += [
        f"      {factory_id}-T{i}: {{name: Trap, name_ko: 트랩, line: L1, set_point_c: 150, orifice_mm: 8,"
        " pressure_bar_g: 6, application: process, service: continuous}"
        for i in range(3)
    ]
    return "\n".join(lines) + "\n"


@pytest.fixture
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "LARGE", 1)
    return tmp_path / "cache" / "fems"


def bomb(levels: int) -> str:
    """A mapping of lists, each of ten aliases of the one before."""
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, levels)]
    return "\n".join(lines) + "\n"


def test_ten_thousand_factories_with_ten_machines_fit(tmp_path: Path) -> None:
    path, text = tmp_path / "factories.yaml", _HEAD + "".join(factory(f"F{i:05d}") for i in range(50))
    path.write_text(text, encoding="utf-8")
    assert len(load_plant(path).factories) == 50
    # Nothing but the factories grows: a registry of 10,000 would take this test a quarter of a minute.
    assert 10_000 / 50 * count_values(text) < MOST_VALUES / 2


@pytest.mark.parametrize("levels", [9, 40])
def test_aliases_that_unfold_without_end_are_refused_before_they_do(tmp_path: Path, levels: int) -> None:
    for name in ("factories.yaml", "meter.yaml"):
        (tmp_path / name).write_text(bomb(levels), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"factories\.yaml:\d+: more than 5,000,000 values"):
        load_plant(tmp_path / "factories.yaml")
    with pytest.raises(ConfigError, match=r"meter\.yaml:\d+: more than 1,000,000 values"):
        load_book(tmp_path, "meter")


def test_a_file_of_too_many_written_values_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "meter.yaml"
    path.write_text("a: [" + "1," * 1001 + "]", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"meter\.yaml:1: more than 1,000 values"):
        load(path, Book, most=1000)


def test_a_large_registry_is_parsed_once_and_comes_back_the_same(
    cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = settings().factories_file
    plant = load_plant(path)
    (file,) = cache_folder.iterdir()
    assert file.stat().st_mode & 0o077 == 0 and cache_folder.stat().st_mode & 0o077 == 0
    monkeypatch.setattr(yamlfile, "load", None)  # not called
    assert load_plant(path) == plant


def test_what_is_kept_of_another_text_or_is_damaged_is_not_used(cache_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "factories.yaml"
    path.write_text(_HEAD + factory("A"), encoding="utf-8")
    assert list(load_plant(path).factories) == ["A"]
    path.write_text(_HEAD + factory("B"), encoding="utf-8")
    assert list(load_plant(path).factories) == ["B"]
    for file in cache_folder.iterdir():
        file.write_text(file.read_text().replace("two_shift", "sometimes"), encoding="utf-8")
    assert load_plant(path).factories["B"].shifts == "two_shift"


def test_a_wrong_registry_is_told_each_time_and_nothing_is_kept(cache_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "factories.yaml"
    path.write_text((_HEAD + factory("A")).replace("two_shift", "sometimes"), encoding="utf-8")
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"factories\.yaml:\d+: factories\.A\.shifts"):
            load_plant(path)
    assert not cache_folder.exists()


def test_a_cache_that_cannot_be_written_hinders_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(cache, "LARGE", 1)
    assert load_plant(settings().factories_file).factories
