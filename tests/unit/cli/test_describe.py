"""What `fems describe`, `originals` and `quarantine` say of a folder that `fems process` wrote."""

import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import HEADER, day_lines, plant
from rich.console import Console
from typer.testing import CliRunner

from fems.cli.main import app
from fems.cli.tables import heldout_table, measured_table, rows_table
from fems.contracts.forecast import HeldOut
from fems.contracts.manifest import RowCounts
from fems.contracts.status import Accuracy, FactoryStatus, ForecastStatus
from fems.contracts.track_record import MeasuredForecast
from fems.flows.ingest_status import ingest_status
from fems.flows.platform import Platform
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.settings import settings

DAYS = [date(2025, 3, 30), date(2025, 3, 31), date(2025, 4, 1), date(2025, 4, 2)]


def fems(*args: object, fails: bool = False) -> str:
    """Run the command; return what it prints, or its one line of error."""
    outcome = CliRunner().invoke(app, [str(a) for a in args], env={"COLUMNS": "140"})
    assert outcome.exit_code == int(fails), outcome.output
    if fails:
        [line] = [row for row in outcome.stderr.splitlines() if row.startswith("error:")]
        return line
    return outcome.stdout


def lines_of(day: date) -> list[str]:
    return day_lines(day) + day_lines(day, sensor="F-M02", base=20)


def write(folder: Path, day: date, lines: list[str]) -> None:
    path = folder / f"raw/meter/factory=F/date={day}/meter.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")


def spoilt(lines: list[str]) -> list[str]:
    """A retyped value, one that is no number, a spike, a row that is missing, one repeated and one without a time."""

    def used(line: str, text: str) -> str:
        fields = line.split(",")
        return ",".join([*fields[:3], text, *fields[4:]])

    lines = lines.copy()
    lines[10] = used(lines[10], f"{lines[10].split(',')[3]} kWh")
    lines[20] = used(lines[20], "ERR")
    lines[30] = used(lines[30], "9999.5")
    return [*lines[:40], *lines[41:], lines[50], lines[60].replace(":00,", ":99,")]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A configuration with the factory F alone."""
    folder = tmp_path_factory.mktemp("config")
    shutil.copytree(settings().definitions_dir, folder / "definitions")
    text = yaml.safe_dump(plant().model_dump(mode="json"), allow_unicode=True)
    (folder / "factories.yaml").write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEMS_CONFIG_DIR", str(folder))
        settings.cache_clear()
        yield folder
    settings.cache_clear()


@pytest.fixture(scope="module")
def folder(registry: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two months of two sensors, processed by the real flow; 31 March is spoilt."""
    files, out = tmp_path_factory.mktemp("files"), tmp_path_factory.mktemp("out")
    for day in DAYS:
        write(files, day, spoilt(lines_of(day)) if day == DAYS[1] else lines_of(day))
    fems("process", files, "--factory", "F", "--out", out)
    return out


def described(folder: Path, *args: object) -> dict[str, Any]:
    return json.loads(fems("describe", "F", "--from", folder, "--json", *args))["F"]


def test_a_row_a_month_and_the_totals(folder: Path) -> None:
    found = described(folder)
    months = found["months"]
    assert list(months) == ["2025-03", "2025-04"]
    assert months["2025-03"]["rows"] == {"read": 385, "published": 383, "quarantined": 1, "duplicate": 1}
    assert found["rows"] == {"read": 769, "published": 767, "quarantined": 1, "duplicate": 1}
    assert found["days"] == 4 and months["2025-04"]["days"] == 2
    assert found["causes"] == {"not a number": 1, "outside limits": 1}
    # 4 days x 96 intervals x 2 sensors x 5 columns; the missing row is 5 of them
    assert found["cells"] == {
        "cells_measured": 3840 - 8, "cells_retyped": 1, "cells_replaced": 2, "cells_filled": 5, "cells_missing": 0,
    }  # fmt: skip
    assert found["shares"]["coverage_pct"] == 100 and found["shares"]["filled_pct"] == round(500 / 3840, 4)
    assert found["quality"]["critical_failed"] == 0 and found["refused"] == []
    assert found["sources"] == 4 and found["objects"] == {"read": 4, "quarantined": 0}
    assert found["book_versions"] == [found["book_version_now"]] and found["code_versions"]
    assert found["time_range"] == {"start": "2025-03-29T15:00:00+00:00", "end": "2025-04-02T15:00:00+00:00"}
    assert (folder / found["data_package"]).is_file() and (folder / found["originals"]).is_dir()

    shown = fems("describe", "F", "--from", folder)
    assert "2025-03-30 00:00 to 2025-04-03 00:00 Asia/Seoul, every 15 min, days: 4" in shown
    rows = {line.split()[0]: line.split() for line in shown.splitlines() if line.strip()}
    assert rows["2025-03"][1:6] == ["2", "385", "383", "1", "1"]
    assert rows["all"][1:6] == ["4", "769", "767", "1", "1"] and rows["all"][-1] == "passed"
    assert max(map(len, shown.splitlines())) <= 140


def test_what_each_sensor_and_column_is(folder: Path) -> None:
    found = described(folder)
    assert found["sensors"]["F-M01"]["shares"]["replaced_pct"] == round(200 / 1920, 4)
    assert found["sensors"]["F-M02"]["shares"] == {
        "coverage_pct": 100, "retyped_pct": 0, "replaced_pct": 0, "filled_pct": 0,
    }  # fmt: skip
    native = Lake(FolderStore(folder)).published("meter", "native", "F", ["2025-03", "2025-04"]).to_pandas()
    for name in ("used_kwh", "current_a"):
        column = found["columns"][name]
        assert (column["min"], column["max"]) == (native[name].min(), native[name].max())
    assert found["columns"]["used_kwh"]["sum"] == pytest.approx(native["used_kwh"].sum(), rel=1e-12)
    assert (
        found["columns"]["used_kwh"]["unit"] == "kWh" and found["columns"]["used_kwh"]["name_ko"] == "사용량"
    )
    assert found["columns"]["current_a"]["sum"] is None, "amperes do not add up"
    assert next(iter(found["columns"])) == "used_kwh", "in the book's order"


def test_laws_that_a_sensor_does_not_keep_are_named(folder: Path) -> None:
    found = described(folder)["laws_not_applied"]
    assert {"law": "current", "sensor": "F-M01", "months": ["2025-03", "2025-04"]} in found
    shown = fems("describe", "F", "--from", folder)
    assert "current to F-M01 (2025-03, 2025-04)" in shown
    only = described(folder, "--sensor", "F-M02")["laws_not_applied"]
    assert all(each["sensor"] == "F-M02" for each in only)


def test_one_month_is_told_day_by_day(folder: Path) -> None:
    found = described(folder, "--month", "2025-03")
    assert list(found["months"]) == ["2025-03"]
    assert list(found["by_day"]) == ["2025-03-30", "2025-03-31"]
    assert found["by_day"]["2025-03-31"]["quarantined"] == 1
    assert found["by_day"]["2025-03-31"]["replaced_pct"] == round(200 / 960, 4)
    assert (folder / found["originals"]).is_file()
    shown = fems("describe", "F", "--from", folder, "--month", "2025-03")
    rows = {line.split()[0]: line.split() for line in shown.splitlines() if line.strip()}
    assert rows["2025-03-31"][1:5] == ["193", "191", "1", "1"]
    assert "2025-04-01" not in rows


def test_one_sensor_alone(folder: Path) -> None:
    found = described(folder, "--sensor", "F-M01")
    assert list(found["sensors"]) == ["F-M01"] and found["shares"] == found["sensors"]["F-M01"]["shares"]
    assert found["causes"] == {"not a number": 1, "outside limits": 1}
    assert found["months"]["2025-04"]["shares"]["filled_pct"] == 0
    assert described(folder, "--sensor", "F-M02")["causes"] == {}
    assert "No value that was read was taken out." in fems(
        "describe", "F", "--from", folder, "--sensor", "F-M02"
    )
    for month in ((), ("--month", "2025-03")):
        assert "sensor F-M01" in fems("describe", "F", "--from", folder, "--sensor", "F-M01", *month)


def test_the_original_of_every_value_that_is_another_now(folder: Path) -> None:
    shown = fems("originals", "F", "--month", "2025-03", "--from", folder)
    assert "3 values that were read and are published otherwise" in shown
    rows = [line.split() for line in shown.splitlines() if "F-M01" in line]
    assert [row[:5] for row in rows] == [
        ["2025-03-31", "02:30", "F-M01", "used_kwh", "retyped"],
        ["2025-03-31", "05:00", "F-M01", "used_kwh", "replaced"],
        ["2025-03-31", "07:30", "F-M01", "used_kwh", "replaced"],
    ], "the factory's own clock"
    assert rows[0][5:7] == ["8.10", "kWh"]
    assert rows[1][5:9] == ["not", "a", "number", "ERR"]
    assert rows[2][5:8] == ["outside", "limits", "9999.5"]
    assert [row[-2:] for row in rows] == [["2025-03-31/meter.csv", line] for line in ("12", "22", "32")]

    some = fems("originals", "F", "--month", "2025-03", "--from", folder, "--limit", 1)
    assert "3 values" in some and "the first 1" in some and "9999" not in some
    for option, other in (("--sensor", "F-M02"), ("--column", "current_a")):
        none = fems("originals", "F", "--month", "2025-03", "--from", folder, option, other)
        assert ": 0 values" in none


def test_quarantine_from_the_folder(folder: Path) -> None:
    shown = fems("quarantine", "F", "--from", folder)
    assert "1 quarantine records" in shown and "cannot be read" in shown and "2025-03-31/meter.csv" in shown


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("describe", "9999"), "ConfigError: factory '9999' is not in factories.yaml (it has F)"),
        (("describe", "F", "--feed", "steam_trap"), "factory F has no feed 'steam_trap' in factories.yaml"),
        (("describe", "F", "--month", "2025-3"), "ConfigError: month '2025-3': write YYYY-MM"),
        (("describe", "F", "--month", "2025-09"), "nothing is published (published: 2025-03, 2025-04)"),
        (("describe", "F", "--sensor", "F-M09"), "there is no sensor 'F-M09' (there are F-M01, F-M02)"),
        (("originals", "9999", "--month", "2025-03"), "factory '9999' is not in factories.yaml"),
        (
            ("originals", "F", "--month", "2025-09"),
            "DataError: factory F, meter, 2025-09: nothing is published",
        ),
        (("originals", "F", "--month", "2025-03", "--sensor", "X"), "there is no sensor 'X'"),
        (("originals", "F", "--month", "2025-03", "--column", "watt"), "there is no column 'watt'"),
    ],
)
def test_what_there_is_not_is_named_in_one_line(folder: Path, args: tuple[str, ...], says: str) -> None:
    assert says in fems(*args, "--from", folder, fails=True)


def test_a_folder_that_nothing_was_written_to_is_named(registry: Path, tmp_path: Path) -> None:
    for command in (("describe", "F"), ("originals", "F", "--month", "2025-03"), ("quarantine", "F")):
        assert "is no folder that `fems process --out` wrote" in fems(
            *command, "--from", tmp_path, fails=True
        )


def test_a_month_that_failed_its_evaluation_is_told(registry: Path, tmp_path: Path) -> None:
    for day in DAYS[:2]:
        write(tmp_path / "in", day, lines_of(day))
    for day in DAYS[2:]:
        bad = [",".join([*line.split(",")[:3], *["ERR"] * 5]) for line in lines_of(day)]
        write(tmp_path / "in", day, bad)
    fems("process", tmp_path / "in", "--factory", "F", "--out", tmp_path / "out", fails=True)
    found = described(tmp_path / "out")
    assert list(found["months"]) == ["2025-03"]
    assert [each["month"] for each in found["refused"]] == ["2025-04"]
    assert "2025-04 refused" in fems("describe", "F", "--from", tmp_path / "out")
    error = fems("describe", "F", "--from", tmp_path / "out", "--month", "2025-04", fails=True)
    assert "a critical expectation failed" in error


def test_a_month_none_of_whose_rows_could_be_used_is_told(registry: Path, tmp_path: Path) -> None:
    path = tmp_path / "in/raw/meter/factory=F/date=2025-03-04/empty.csv"
    path.parent.mkdir(parents=True)
    path.touch()
    refused = fems("process", tmp_path / "in", "--factory", "F", "--out", tmp_path / "out", fails=True)
    assert "no row could be used" in refused and "empty.csv: the object is empty" in refused
    found = described(tmp_path / "out", "--month", "2025-03")
    assert found["originals"] is None and found["shares"]["coverage_pct"] is None
    assert found["objects"] == {"read": 1, "quarantined": 1}
    assert "nothing to evaluate" in fems("describe", "F", "--from", tmp_path / "out")
    assert "0 values" in fems("originals", "F", "--month", "2025-03", "--from", tmp_path / "out")


def test_a_changed_rule_is_told(registry: Path, folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "config"
    shutil.copytree(registry, own)
    book = own / "definitions" / "meter.yaml"
    book.write_text(book.read_text("utf-8").replace("max_of_rated: 1.15", "max_of_rated: 1.2", 1), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FEMS_CONFIG_DIR", str(own))
        settings.cache_clear()
        shown = fems("describe", "F", "--from", folder)
    settings.cache_clear()
    assert "the next ingest makes new what it touches" in shown


def test_status_shows_the_shares_and_fits(folder: Path) -> None:
    ingested = ingest_status(Platform(Lake(FolderStore(folder)), plant(), settings()), "F")
    assert ingested.shares.filled_pct == round(500 / 3840, 4)
    status = FactoryStatus(
        name="Food processing", simulated=True, model_version=None, accuracy=Accuracy(),
        forecast=ForecastStatus(), **dict(ingested),
    )  # fmt: skip
    rows = RowCounts(read=13_133_622, published=13_131_577, quarantined=10_507, duplicate=11_538)
    table = rows_table({"2100": status.model_copy(update={"rows": rows})})
    console = Console(width=140)
    with console.capture() as captured:
        console.print(table)
    shown = captured.get()
    assert "Food processing" in shown and "0.13" in shown and "…" not in shown

    held = HeldOut(accuracy=91.2, weekly_naive=92.0, profile=90.1, total_error_pct=-11.6, coverage_80=0.48)
    last = MeasuredForecast(
        factory_id="2100",
        month="2026-02", origin="2026-02-01T00:00+09:00", model_version="1", hours=672, actual_kwh=50_000.0,
        forecast_kwh=44_200.0, bias_pct=-11.6, accuracy=85.0, weekly_naive_accuracy=88.0, coverage_80=0.5,
    )  # fmt: skip
    known = {"2100": status.model_copy(update={"heldout": held, "measured": last})}
    with console.capture() as captured:
        console.print(heldout_table(known))
        console.print(measured_table(known))
    shown = " ".join(captured.get().split())
    assert (
        "-11.6 48 far off on the held-out month; a simple method was ahead there; 2026-02 came out far off"
        in shown
    )
    assert "2026-02 v1 672 50,000 44,200 -11.6 85.0 88.0 50" in shown


def test_the_books_schema_is_printed() -> None:
    schema = json.loads(fems("schema", "--book"))
    assert schema["title"] == "Book" and "late_days" in schema["properties"]
    assert json.loads(fems("schema"))["title"] == "Plant"
