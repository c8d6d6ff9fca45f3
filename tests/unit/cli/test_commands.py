"""The commands of the shell: how factories are named, what is printed where, and what is not imported."""

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from fems import __version__
from fems.cli import data, forecast, model, monitor, published, quality
from fems.cli.main import app
from fems.cli.terminal import each, explained
from fems.errors import DataError

OF_FACTORIES = (
    data.simulate, data.ingest, published.status, published.describe, published.originals, published.quarantine,
    quality.quality, model.train, forecast.forecast, forecast.report, monitor.monitor, model.promote, model.rollback,
)  # fmt: skip
READING = (
    published.status, published.describe, published.originals, published.quarantine, quality.quality, monitor.monitor,
)  # fmt: skip
HEAVY = {
    "pandas",
    "mlflow",
    "great_expectations",
    "tensorflow",
    "matplotlib",
    "scipy",
    "xgboost",
    "statsforecast",
}


def test_the_version() -> None:
    assert CliRunner().invoke(app, ["--version"]).stdout.split() == ["fems", __version__]


@pytest.mark.parametrize("command", OF_FACTORIES, ids=lambda command: command.__name__)
def test_factories_are_arguments_several_of_them(command: Callable[..., None]) -> None:
    shown = CliRunner().invoke(app, [command.__name__, "--help"], env={"COLUMNS": "120"}).stdout
    assert "FACTORY" in shown.partition("Arguments")[0], "in the line of usage"
    assert "--factory" not in shown


@pytest.mark.parametrize("command", READING, ids=lambda command: command.__name__)
def test_what_reads_prints_json_where_asked(command: Callable[..., None]) -> None:
    assert "as_json" in inspect.signature(command).parameters


def test_bad_data_of_one_factory_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    shown: dict[str, str] = {}

    def one(factory_id: str) -> str:
        if factory_id in ("B", "C"):
            raise DataError(f"factory {factory_id} is bad")
        return factory_id.lower()

    @explained
    def command() -> None:
        each("ABCD", one, shown.update)

    with pytest.raises(typer.Exit):
        command()
    assert shown == {"A": "a", "D": "d"}
    said = capsys.readouterr()
    assert (
        said.out == "" and "factory B is bad" in said.err and "error: DataError: factory C is bad" in said.err
    )


def _imported(code: str) -> set[str]:
    script = f"{code}\nimport json, sys\nprint(json.dumps([name for name in sys.modules if '.' not in name]))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_list_of_commands_imports_nothing_heavy() -> None:
    assert not _imported("import fems.cli.main") & (HEAVY | {"numpy", "pyarrow"})


def test_describe_imports_nothing_that_it_does_not_use(tmp_path: Path) -> None:
    (tmp_path / "processed").mkdir()
    code = (
        "from typer.testing import CliRunner\nfrom fems.cli.main import app\n"
        f"CliRunner().invoke(app, ['describe', '--from', {str(tmp_path)!r}])"
    )
    assert not _imported(code) & (HEAVY | {"pyarrow"})


def test_a_file_or_a_folder_is_written_only_where_asked() -> None:
    for command in (forecast.report, quality.quality):
        assert inspect.signature(command).parameters["output"].default is None
