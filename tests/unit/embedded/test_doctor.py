import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from embedded import doctor
from embedded.advice import advice
from fems.settings import ROOT

GB = doctor.GB
DEBIAN, FEDORA = 'ID=debian\nVERSION_ID="12"\n', 'ID=rocky\nID_LIKE="rhel centos fedora"\n'


def test_a_linux_with_glibc_will_do_and_others_are_refused() -> None:
    assert doctor.system("Linux", "x86_64", "glibc 2.36").state == doctor.OK
    for other in (("Darwin", "arm64", ""), ("Linux", "aarch64", "glibc 2.36"), ("Linux", "x86_64", "")):
        finding = doctor.system(*other)
        assert finding.state == doctor.FAIL and finding.do
    assert doctor.system("Linux", "x86_64", "glibc 2.17").state == doctor.FAIL


@pytest.mark.parametrize("minor", [11, 12, 13])
def test_every_python_that_fits_is_taken(minor: int) -> None:
    assert doctor.python((3, minor, 2), "python3", True, DEBIAN).state == doctor.OK


def test_where_no_python_fits_the_command_is_that_of_the_distribution() -> None:
    too_old = doctor.python((3, 9, 2), "python3", True, DEBIAN)
    assert too_old.state == doctor.FAIL and "apt install python3.11-venv" in too_old.do
    assert "dnf" not in too_old.do
    assert "dnf install python3.13" in doctor.python((3, 14, 0), "python3", True, FEDORA).do
    unknown = doctor.python((3, 10, 0), "python3", True, "").do
    assert "apt" in unknown and "dnf" in unknown and "uv python install" in unknown


def test_a_python_without_venv_names_its_package() -> None:
    finding = doctor.python((3, 13, 5), "/usr/bin/python3", False, DEBIAN)
    assert finding.state == doctor.FAIL and "apt install python3.13-venv`" in finding.do


def fake_environment(folder: Path, answer: str, shebang: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    for name, content in (("python", f"#!/bin/sh\necho {answer}\n"), ("fems", f"#!{shebang}\n")):
        (folder / "bin" / name).write_text(content)
        (folder / "bin" / name).chmod(0o755)
    return folder


def test_an_old_environment_is_noticed(tmp_path: Path) -> None:
    now = (3, 11, 7)
    assert doctor.environment(tmp_path / "none", now).state == doctor.OK
    good = fake_environment(tmp_path / "good", "3 11 2", f"{tmp_path}/good/bin/python")
    assert doctor.environment(good, now).state == doctor.OK
    assert doctor.environment(good, (3, 13, 0)).state == doctor.WARN
    moved = fake_environment(tmp_path / "moved", "3 11 2", "/elsewhere/.venv/bin/python")
    assert f"rm -rf {moved}" in doctor.environment(moved, now).do
    old = fake_environment(tmp_path / "old", "3 9 1", f"{tmp_path}/old/bin/python")
    assert doctor.environment(old, now).state == doctor.FAIL
    (tmp_path / "gone" / "bin").mkdir(parents=True)
    (tmp_path / "gone" / "bin" / "python").symlink_to(tmp_path / "no-python")
    assert "no Python that runs" in doctor.environment(tmp_path / "gone", now).what


def test_what_is_too_little_says_what_to_do() -> None:
    assert doctor.disk(20 * GB, 10 * GB, ROOT).state == doctor.OK
    assert doctor.disk(5 * GB, 10 * GB, ROOT).state == doctor.FAIL
    assert doctor.memory(8 * GB, 5 * GB).state == doctor.OK
    assert "--factories" in doctor.memory(1 * GB, 5 * GB).do
    assert doctor.memory(None, 5 * GB).state == doctor.WARN
    assert [finding.state for finding in doctor.limits(-1, 1024)] == [doctor.OK, doctor.OK]
    files, processes = doctor.limits(100, 200)
    assert files.state == doctor.FAIL and "ulimit -n" in files.do
    assert processes.state == doctor.WARN and "ulimit -u" in processes.do


def test_a_containers_limit_counts_as_memory(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   8388608 kB\n")
    assert doctor.available_memory(tmp_path / "meminfo", tmp_path) == 8 * GB
    (tmp_path / "memory.max").write_text("max\n")
    assert doctor.available_memory(tmp_path / "meminfo", tmp_path) == 8 * GB
    (tmp_path / "memory.max").write_text(f"{2 * GB}\n")
    (tmp_path / "memory.current").write_text(f"{GB}\n")
    assert doctor.available_memory(tmp_path / "meminfo", tmp_path) == GB


def test_ports_are_free_taken_or_our_own(tmp_path: Path) -> None:
    found = list(doctor.ports({"FEMS_MLFLOW_PORT": "x"}, {8080}, lambda port: port != 9000))
    assert [finding.state for finding in found] == [doctor.OK, doctor.FAIL, doctor.FAIL]
    assert "own service" in found[0].what and "FEMS_MINIO_PORT=9100" in found[2].do
    assert doctor.own_ports(tmp_path) == set()
    (tmp_path / "supervisord.pid").write_text(str(os.getpid()))
    (tmp_path / "stack.json").write_text(json.dumps({"airflow_port": 8080}))
    assert doctor.own_ports(tmp_path) == set()  # the pid is another program's


def test_it_runs_alone_and_the_syntax_is_that_of_python_3_9() -> None:
    path = Path(doctor.__file__)
    compile(path.read_text(), path, "exec", dont_inherit=True)
    import ast

    ast.parse(path.read_text(), feature_version=(3, 9))
    done = subprocess.run(
        [sys.executable, "-I", "-S", path, "setup"], capture_output=True, text=True, check=False
    )
    assert "Linux" in done.stdout and "Traceback" not in done.stderr


def test_the_versions_stand_in_three_places_and_agree() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    oldest, newest = doctor.OLDEST, doctor.NEWEST
    assert wanted == f">={oldest[0]}.{oldest[1]},<{newest[0]}.{newest[1] + 1}"
    assert f"not {oldest} <= sys.version_info[:2] <= {newest}" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("OSError: libgomp.so.1: cannot open shared object file: No such file", "embedded.natives"),
        ("ModuleNotFoundError: No module named 'x'", "make setup"),
        ("Process ended with return code -9", "memory"),
        ("[Errno 28] No space left on device", "disk"),
        ("ServiceUnavailable: MLflow did not answer", "embedded logs"),
    ],
)
def test_a_failed_demo_ends_with_what_to_do(error: str, words: str) -> None:
    first, *others = advice(error)
    assert words in first
    assert "runbook" in others[0] and "make demo" in others[-1]
