"""`python -m supply licences|audit`: checks of what is shipped; each ends with 1 where somebody has to look."""

import subprocess
import sys
from pathlib import Path

from supply import audit, licences

REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements.txt"


def check_licences() -> int:
    """Print the packages that may not be shipped."""
    rows = licences.licences(licences.pinned(REQUIREMENTS))
    wrong = [row for row in rows if row.problem]
    for row in wrong:
        print(f"{row.package} {row.version} {row.problem}")
    print(f"{len(rows)} packages of {REQUIREMENTS.name}, {len(wrong)} that may not be shipped")
    return 1 if wrong or not rows else 0


def check_vulnerabilities(pip_audit: list[str]) -> int:
    """Run pip-audit, given as a command, over what is shipped, and print what it saw and what it did not."""
    command = [
        *pip_audit,
        "--requirement",
        str(REQUIREMENTS),
        "--disable-pip",
        "--no-deps",
        "--format",
        "json",
    ]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    found = audit.read(outcome.stdout)
    if not found.seen and outcome.stderr:
        print(outcome.stderr.strip().splitlines()[-1])
    print("\n".join(found.lines()))
    return 1 if found.failed else 0


if __name__ == "__main__":
    word, *rest = sys.argv[1:] or [""]
    if word == "licences":
        sys.exit(check_licences())
    if word == "audit":
        sys.exit(check_vulnerabilities(rest or ["pip-audit"]))
    sys.exit("usage: python -m supply licences | audit [COMMAND OF PIP-AUDIT]")
