"""What pip-audit found, and whether it could look at all."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Audit:
    """How many packages were looked at, which were not and why, and what is known against the others."""

    seen: int
    unseen: dict[str, str]
    known: dict[str, list[str]]

    @property
    def failed(self) -> bool:
        """Whether somebody has to look: something is known, or there was nothing to be seen."""
        return bool(self.known or self.unseen or not self.seen)

    def lines(self) -> list[str]:
        """Return what a person reads."""
        found = [f"{name}: {', '.join(ids)}" for name, ids in sorted(self.known.items())]
        if self.unseen:
            name, why = next(iter(sorted(self.unseen.items())))
            found.append(f"NOT LOOKED AT: {len(self.unseen)} packages, such as {name} ({why})")
        if not self.seen:
            return [*found, "pip-audit saw nothing: this says nothing about vulnerabilities"]
        return [*found, f"{self.seen} packages looked at, {len(self.known)} with known vulnerabilities"]


def read(output: str) -> Audit:
    """Read pip-audit's JSON; what is none means that it saw nothing."""
    try:
        packages = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Audit(0, {}, {})
    unseen = {one["name"]: str(one["skip_reason"]) for one in packages if "skip_reason" in one}
    seen = [one for one in packages if "skip_reason" not in one]
    known = {one["name"]: [vuln["id"] for vuln in one["vulns"]] for one in seen if one.get("vulns")}
    return Audit(len(seen), unseen, known)
