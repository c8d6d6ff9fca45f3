import shutil
import subprocess
from pathlib import Path

import pytest

from embedded import natives

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler to make a library with")


def test_a_library_that_is_there_lacks_nothing() -> None:
    import numpy._core._multiarray_umath as numpy_core

    path = Path(numpy_core.__file__)
    assert natives.native_files(path.parent)
    assert "libc.so.6" in natives.needs(path)
    assert natives.missing([path]) == {}


@needs_compiler
def test_a_library_that_the_system_lacks_is_named(tmp_path: Path) -> None:
    def compiled(name: str, *flags: str) -> Path:
        (tmp_path / "empty.c").write_text("void f(void) {}\n")
        target = tmp_path / name
        subprocess.run(["cc", "-shared", "-fPIC", "-o", target, tmp_path / "empty.c", *flags], check=True)
        return target

    other = compiled("libother-7.so.1", "-Wl,-soname,libother-7.so.1")
    user = compiled("user.so", "-Wl,--no-as-needed", str(other))
    found = natives.native_files(tmp_path)
    assert found == [other, user]
    assert natives.missing(found) == {}  # the wheel brings it
    other.unlink()
    assert natives.missing([user]) == {user: ["libother-7.so.1"]}


def test_packages_with_native_code_are_listed_with_a_module_to_import() -> None:
    import numpy

    site = Path(numpy.__file__).parents[1]
    listed = dict(natives.native_packages(site))
    assert listed["numpy"] == "numpy" and listed["xgboost-cpu"] == "xgboost"
    assert listed["psycopg-binary"] == "psycopg"
    assert "typer" not in listed


def test_an_import_that_fails_says_why() -> None:
    assert natives.import_error("json") == ""
    assert "No module named 'no_such_module'" in natives.import_error("no_such_module")
