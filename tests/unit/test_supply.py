"""What is shipped: a licence that may not be shipped is found, and a check that sees nothing says so."""

import json
from pathlib import Path

import pytest
from supply import audit
from supply.licences import judge, licences, pinned


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("MIT", False),
        ("Apache-2.0", False),
        ("LGPL-3.0-only", False),
        ("OSI Approved :: GNU Library or Lesser General Public License (LGPL) | LGPL with exceptions", False),
        ("OSI Approved :: Artistic License | OSI Approved :: GNU General Public License (GPL)", False),
        ("MIT OR GPL-2.0-or-later", False),
        ("GPL-3.0", True),
        ("AGPL-3.0-only", True),
        ("OSI Approved :: GNU Affero General Public License v3", True),
        ("OSI Approved :: GNU General Public License v2 or later (GPLv2+)", True),
        ("SSPL-1.0", True),
        ("", True),
    ],
)
def test_what_may_be_shipped(text: str, wrong: bool) -> None:
    assert bool(judge(text)) == wrong


def test_a_package_that_is_not_installed_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("pandas==3.1.1 \\\n    --hash=sha256:00\n# a note\nthere-is-no-such-package==1.0\n")
    assert list(pinned(path)) == [("pandas", "3.1.1"), ("there-is-no-such-package", "1.0")]
    good, absent = licences(pinned(path))
    assert not good.problem and "not looked at" in absent.problem


def test_an_audit_that_saw_nothing_fails_and_says_so() -> None:
    skipped = {"dependencies": [{"name": "pandas", "skip_reason": "could not be found on the index"}]}
    for output in (json.dumps(skipped), "", "no JSON", json.dumps({"dependencies": []})):
        found = audit.read(output)
        assert found.failed and "saw nothing" in found.lines()[-1]
    assert "NOT LOOKED AT: 1 packages, such as pandas" in audit.read(json.dumps(skipped)).lines()[0]


def test_an_audit_that_saw_all_passes_and_what_is_known_fails() -> None:
    clean = {"dependencies": [{"name": "pandas", "version": "3.1.1", "vulns": []}]}
    assert not audit.read(json.dumps(clean)).failed
    clean["dependencies"].append({"name": "old", "version": "1", "vulns": [{"id": "CVE-2020-1"}]})
    assert audit.read(json.dumps(clean)).lines()[0] == "old: CVE-2020-1"
    assert audit.read(json.dumps(clean)).failed


def test_what_another_python_gets_is_not_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(
        "old==1 ; python_full_version < '3' and sys_platform == 'linux' \\\n    --hash=sha256:00\n"
        "new==2 ; python_full_version >= '3' \\\n    --hash=sha256:00\n"
    )
    assert list(pinned(path)) == [("new", "2")]
