"""The licences of what is shipped: every package of requirements.txt states one, and none is the GPL alone."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.markers import Marker

_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)\s*(?:;([^\\]+))?")
_COPYLEFT = re.compile(r"\b(?:A?GPL|EUPL|SSPL|BUSL)|GNU (?:Affero )?General Public|Affero", re.IGNORECASE)
_LESSER = re.compile(r"\bLGPL[^|]*|GNU (?:Library or )?Lesser General Public Licen[sc]e[^|]*", re.IGNORECASE)

STATED_ELSEWHERE = {
    "huey": "MIT (the file LICENSE in its source)",
    "skops": "MIT (the file LICENSE in its wheel)",
    "namex": "Apache-2.0 (the file LICENSE in its source)",
}
"""Packages whose metadata states no licence, with the one that their source does."""


@dataclass(frozen=True)
class Licence:
    """A package, what its metadata says of its licence, and what speaks against shipping it (empty: nothing)."""

    package: str
    version: str
    text: str
    problem: str


def pinned(requirements: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and version of each package of a file of requirements that this Python gets."""
    for line in requirements.read_text().splitlines():
        match = _PINNED.match(line)
        if match and (match[3] is None or Marker(match[3].strip()).evaluate()):
            yield match[1], match[2]


def judge(text: str) -> str:
    """Return what speaks against shipping a package with a licence.

    The lesser GPL lets a program use a library as it is. A package under several licences is taken under the one that
    suits; metadata joins them all, so that any that is not the GPL is a choice.
    """
    choices = [choice.strip() for choice in re.split(r"\||\bOR\b", text) if choice.strip(" |")]
    if not choices:
        return "states no licence"
    free = [choice for choice in choices if not _COPYLEFT.search(_LESSER.sub("", choice))]
    return "" if free else f"is under {choices[0]}"


def licences(packages: Iterable[tuple[str, str]]) -> list[Licence]:
    """Look at the installed packages of a list.

    Returns:
        One each; a package that is not installed has a problem, for it was not looked at.
    """
    rows = []
    for name, version in packages:
        try:
            about = metadata.metadata(name).json
        except metadata.PackageNotFoundError:
            rows.append(Licence(name, version, "", "is not installed here, and was not looked at"))
            continue
        classes = [value.removeprefix("License :: ") for value in about.get("classifier", [])
                   if value.startswith("License :: ") and value != "License :: OSI Approved"]  # fmt: skip
        first = str(about.get("license", "")).strip().partition("\n")[0]
        stated = [str(about.get("license_expression", "")), *classes, first]
        text = " | ".join(part for part in stated if part) or STATED_ELSEWHERE.get(name, "")
        rows.append(Licence(name, version, text, judge(text)))
    return rows
