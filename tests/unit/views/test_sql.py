"""`fems sql`: the published tables in local time, and nothing else."""

import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fems.cli.main import app
from fems.errors import ConfigError
from fems.flows.offline import process_folder
from fems.flows.platform import Platform
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.registry.plant import load_plant
from fems.settings import settings
from fems.simulate import FaultRates, simulate
from fems.views.sql import query

FACTORY = "2160"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month of one factory, processed."""
    base = tmp_path_factory.mktemp("sql")
    plant = load_plant(settings().factories_file)
    simulate(
        plant, base / "in", start=date(2025, 3, 1), months=1, seed=3, factories=[FACTORY],
        faults=FaultRates.none(), workers=1,
    )  # fmt: skip
    process_folder(base / "in", FACTORY, base / "out", "meter", lambda line: None)
    return base / "out"


@pytest.fixture(scope="module")
def platform(folder: Path) -> Platform:
    return Platform.from_environment(Lake(FolderStore(folder)))


def test_days_add_up_to_hours_in_local_time(platform: Platform) -> None:
    rows = query(
        platform,
        """SELECT d.local_time AS day, d.sensor_id, d.used_kwh, sum(h.used_kwh) AS of_hours, min(h.local_time) AS first
           FROM meter_day d JOIN meter_hour h
             ON h.sensor_id = d.sensor_id AND date_trunc('day', h.local_time) = d.local_time
           GROUP BY ALL""",
    ).to_pylist()
    machines = platform.plant.factory(FACTORY).equipment
    assert len(rows) == 31 * len(machines)
    for row in rows:
        assert row["day"].hour == 0 and row["first"] == row["day"]
        assert row["of_hours"] == pytest.approx(row["used_kwh"])


def test_names_stand_beside_ids_and_the_factory_is_text(platform: Platform) -> None:
    row = query(
        platform, "SELECT DISTINCT factory_id, factory, equipment FROM meter_day ORDER BY 3"
    ).to_pylist()[0]
    assert row["factory_id"] == FACTORY and isinstance(row["factory_id"], str)
    assert row["factory"] == platform.plant.factory(FACTORY).name
    assert row["equipment"] in {e.name for e in platform.plant.factory(FACTORY).equipment.values()}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM nothing_there",
        "SELEC 1",
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY (SELECT 1) TO 'out.csv'",
        "ATTACH 'other.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
    ],
)
def test_what_is_no_question_to_the_views_is_one_clear_line(platform: Platform, statement: str) -> None:
    with pytest.raises(ConfigError, match="the views are meter_hour"):
        query(platform, statement)


def test_the_command_prints_json_csv_and_a_table(folder: Path) -> None:
    def run(*options: str) -> str:
        statement = "SELECT factory_id, round(sum(used_kwh), 3) AS kwh FROM meter_day GROUP BY 1"
        result = CliRunner().invoke(app, ["sql", statement, "--from", str(folder), *options])
        assert result.exit_code == 0, result.output
        return result.stdout

    (row,) = json.loads(run("--json"))
    assert row["factory_id"] == FACTORY and row["kwh"] > 0
    header, line = run("--csv").splitlines()
    assert header == '"factory_id","kwh"' and line.split(",")[0] == f'"{FACTORY}"'
    assert "1 rows" in run()
