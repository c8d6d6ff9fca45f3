"""`fems inspect` says what a file looks like, and the mapping that it proposes reads it."""

import json
from pathlib import Path

import openpyxl
import pytest
import yaml
from typer.testing import CliRunner

from fems.cli.main import app
from fems.raw.guess import guess
from fems.registry.book import load_book
from fems.settings import settings

BOOK = load_book(settings().definitions_dir, "meter")
ROWS = [(f"{13 + d:02d}.03.2024", f"{h:02d}:00", d * 24 + h + 0.5) for d in range(3) for h in range(24)]


@pytest.mark.parametrize(
    ("text", "mapping", "doubt"),
    [
        (
            "Zeit;Energie (kWh)\n" + "".join(f"{d} {t};{v}\n".replace(".5", ",5") for d, t, v in ROWS),
            {"columns": {"timestamp": "Zeit", "used_kwh": "Energie (kWh)"}, "time_format": "%d.%m.%Y %H:%M"},
            "constants",
        ),
        (
            "d,t,m,kW\n" + "".join(f"{d},{t},{m},{v}\n" for d, t, v in ROWS for m in ("a", "b")),
            {"columns": {"timestamp": ["d", "t"], "used_kwh": "kW", "sensor_id": "m"}},
            "columns.sensor_id",
        ),
        (
            "d,h,kwh\n" + "".join(f"{d},{int(t[:2]) + 1},{v}\n" for d, t, v in ROWS),
            {"interval_number": {"column": "h", "first": 1}},
            "constants",
        ),
        (
            "time,kwh\n" + "".join(f"2024-03-{d[:2]} {t},{5000 + v}\n" for d, t, v in ROWS),
            {"cumulative": {"used_kwh": 100_000.0}},
            "cumulative",
        ),
        (
            "time,kwh\n" + "".join(f"04/03/2024 {t},{v}\n" for _, t, v in ROWS[:24]),
            {"time_format": "%d/%m/%Y %H:%M"},
            "time_format",
        ),
    ],
)
def test_the_mapping_that_fits_and_what_is_not_sure(text: str, mapping: dict, doubt: str) -> None:
    look = guess(text.encode(), BOOK)
    for key, value in mapping.items():
        proposed = look.mapping[key]
        assert proposed == value if not isinstance(value, dict) else value.items() <= proposed.items()
    assert doubt in look.doubts
    assert look.interval_minutes == 60


def test_it_prints_a_mapping_that_can_be_pasted_and_the_first_rows(tmp_path: Path) -> None:
    file = tmp_path / "strange.csv"
    file.write_text("Titel\n\nd;t;Leistung (kW)\n" + "".join(f"{d};{t};{v}\n" for d, t, v in ROWS))
    result = CliRunner().invoke(app, ["inspect", str(file)])
    assert result.exit_code == 0, result.output
    text = result.output
    pasted = text[text.index("  my_collector:") : text.index("With this mapping")]
    mapping = yaml.safe_load(pasted)["my_collector"]
    assert mapping["columns"] == {"timestamp": ["d", "t"], "used_kwh": "Leistung (kW)"}
    assert "# ? which sensor of factories.yaml it is" in pasted
    assert "72 rows read, 0 of them to quarantine" in text and "2024-03-13 00:00+09:00" in text
    result = CliRunner().invoke(app, ["inspect", str(file), "--factory", "1100"])
    assert result.exit_code == 0
    assert "1 x the header has no column for timestamp" in " ".join(result.output.split())
    assert "it has: d, t, Leistung (kW)" in " ".join(result.output.split())


def test_what_is_no_table_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n....")
    result = CliRunner().invoke(app, ["inspect", str(tmp_path / "x.png")])
    assert result.exit_code == 1


def test_as_json_for_other_programs(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("time,kWh\n" + "".join(f"2024-03-{d[:2]} {t},{v}\n" for d, t, v in ROWS))
    result = CliRunner().invoke(app, ["inspect", str(file), "--json"])
    look = json.loads(result.stdout)
    assert look["interval_minutes"] == 60 and look["trial"]["read"] == 72 and look["own"] is None


def test_units_below_the_header_and_marks_that_may_be_either_are_told() -> None:
    lines = "".join(f"2024-03-{d[:2]} {t};{v};{v / 7:.1f}\n" for d, t, v in ROWS)
    look = guess(("t;P;I\n;kW;A\n" + lines).encode(), BOOK)
    assert look.mapping["columns"]["used_kwh"] == "P" and look.mapping["columns"]["current_a"] == "I"
    assert {column.name: column.unit for column in look.columns} == {"t": None, "P": "kW", "I": "A"}

    grouped = "".join(f"2024-03-{d[:2]} {t};{v * 50:,.0f}\n".replace(",", ".") for d, t, v in ROWS)
    look = guess(("t;kWh\n" + grouped).encode(), BOOK)
    assert look.mapping["columns"]["used_kwh"] == "kWh"
    assert "may be two numbers" in look.doubts["decimal"]


def test_a_column_a_meter_a_sheet_a_meter_and_a_row_a_day_are_told(tmp_path: Path) -> None:
    wide = "t;Pump kWh;Oven kWh\n" + "".join(f"2024-03-{d[:2]} {t};{v % 5};{9 - v % 7}\n" for d, t, v in ROWS)
    look = guess(wide.encode(), BOOK)
    assert look.mapping["wide"] == {"Pump kWh": "SENSOR1/used_kwh", "Oven kWh": "SENSOR2/used_kwh"}
    assert "would count twice" in look.doubts["wide"]

    book = openpyxl.Workbook()
    book.remove(book.active)
    for name in ("Pump", "Oven"):
        sheet = book.create_sheet(name)
        for row in [("t", "kWh"), *((f"2024-03-{d[:2]} {t}", v % 7) for d, t, v in ROWS)]:
            sheet.append(row)
    book.save(tmp_path / "two.xlsx")
    look = guess((tmp_path / "two.xlsx").read_bytes(), BOOK)
    assert look.mapping["sheet_name"] == "^(?P<sensor_id>.+)$" and look.rows == 144

    days = "날짜;" + ";".join(f"{h}시" for h in range(1, 25)) + "\n"
    days += "".join(f"2024-03-0{4 + d};" + ";".join(str(h % 7) for h in range(24)) + "\n" for d in range(3))
    file = tmp_path / "days.csv"
    file.write_text(days)
    printed = CliRunner().invoke(app, ["inspect", str(file)], catch_exceptions=False).output
    assert "layout: row_per_day" in printed and "72 rows read, 0 of them to quarantine" in printed


def test_the_likelier_of_day_and_month_comes_first_and_latin_1_is_the_last_resort() -> None:
    american = "t;kWh\n" + "".join(f"03/0{4 + i // 24}/2024 {i % 24:02d}:00;{i % 7}\n" for i in range(72))
    look = guess(american.encode(), BOOK)
    assert look.mapping["time_format"] == "%m/%d/%Y %H:%M" and "time_format" in look.doubts
    latin = "Zeit;Verbräuche (kWh)\n" + "".join(f"{d} {t};{v % 7}\n" for d, t, v in ROWS)
    look = guess(latin.encode("latin-1"), BOOK)
    assert look.mapping["encodings"] == ["latin-1"] and "encodings" in look.doubts
