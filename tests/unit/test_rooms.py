"""The rooms of docs/architecture.md: the order that they import in, and who may touch the store."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

LONG = {
    "include/embedded/stack.py": "the order in which everything starts",
    "include/fems/contracts/forecast.py": "one record, forecast/summary.json, with its parts",
    "include/fems/lake/lake.py": "one door to raw objects and published tables, a short method each",
    "include/fems/quality/checks.py": "one function a rule",
    "include/fems/raw/arrange.py": "one function a way in which tables are laid out",
    "include/fems/raw/fast/plain.py": "one pass over plain files",
    "include/fems/raw/labels.py": "one function a way in which times are written",
    "include/fems/raw/typed.py": "the rows' class and what makes it of texts",
    "include/fems/registry/mapping.py": "one record, a mapping of factories.yaml, with its checks",
    "include/fems/simulate/run.py": "one pass over a factory's feeds and months",
    "include/fems/simulate/traps.py": "one month of traps, step by step",
    "include/fems/views/published.py": "one view with its records",
    "plugins/fems_airflow/pages.py": "one route a page",
}
"""Modules of over 300 lines, each with the reason why it is not two."""


def test_a_long_module_has_a_reason() -> None:
    long = {
        str(path.relative_to(ROOT))
        for folder in ("include", "dags", "plugins")
        for path in (ROOT / folder).rglob("*.py")
        if path.read_text(encoding="utf-8").count("\n") > 300
    }
    assert long == set(LONG)


def linted(include: Path) -> subprocess.CompletedProcess[str]:
    """Run the linter of imports on a copy of include/, with the project's own contracts."""
    shutil.copy(ROOT / "pyproject.toml", include.parent)
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=include.parent, env={**os.environ, "PYTHONPATH": str(include)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def include(tmp_path: Path) -> Path:
    return shutil.copytree(
        ROOT / "include",
        tmp_path / "include",
        ignore=shutil.ignore_patterns("__pycache__", "*.html", "*.yaml"),
    )


def test_every_room_imports_only_from_those_below_it(include: Path) -> None:
    done = linted(include)
    assert done.returncode == 0 and "2 kept, 0 broken" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("where", "planted", "told"),
    [
        ("fems/lake/keys.py", "import fems.process.grid", "fems.lake is not allowed to import fems.process"),
        (
            "fems/model/history.py",
            "import fems.tracking",
            "fems.model is not allowed to import fems.tracking",
        ),
        ("fems/flows/land.py", "import fems.views.status", "fems.flows is not allowed to import fems.views"),
        ("fems/attic.py", "", "attic"),
    ],
)
def test_an_upward_import_and_a_room_without_a_place_fail(
    include: Path, where: str, planted: str, told: str
) -> None:
    with (include / where).open("a", encoding="utf-8") as file:
        file.write(f"\n{planted}\n")
    done = linted(include)
    assert done.returncode == 1 and told in " ".join(done.stdout.split()), done.stdout + done.stderr


@pytest.mark.parametrize("folder", ["include/fems", "include/embedded", "dags", "plugins"])
def test_nothing_outside_the_lake_touches_the_store(folder: str) -> None:
    inside = ROOT / "include/fems/lake"
    reaching = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in (ROOT / folder).rglob("*.py")
        if inside not in path.parents
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"lake\.store\b(?!\s+import)|FolderStore|MinioStore", line)
    ]
    assert reaching == []


def test_no_test_imports_from_another_and_each_has_a_name_of_its_own() -> None:
    tests = sorted((ROOT / "tests").rglob("test_*.py"))
    names = [path.name for path in tests]
    assert len(set(names)) == len(names), "pytest imports them by name"
    importing = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("*.py")
        if re.search(r"^(from|import) test_", path.read_text(encoding="utf-8"), re.M)
    ]
    assert importing == []


def test_what_passes_between_functions_has_a_type() -> None:
    """Plain dictionaries of anything stand only where JSON comes in or goes out."""
    untyped = [
        f"{path.relative_to(ROOT)}: {function.name}"
        for path in (ROOT / "include/fems").rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(function, ast.FunctionDef)
        for signature in (ast.unparse(function.args) + ast.unparse(function.returns or ast.Constant(None)),)
        if "dict[str, Any]" in signature
    ]
    assert len(untyped) < 10, "\n".join(untyped)
