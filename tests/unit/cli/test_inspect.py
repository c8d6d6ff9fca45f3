"""`fems inspect` says what a file looks like, and the mapping that it proposes reads it."""

import json
from pathlib import Path

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
