"""What a rebuilt month would take away from the one that is published, so that a person is asked first."""

from collections.abc import Mapping
from typing import Any

_LEAST_SHARE = 0.8
"""A month, or a sensor of it, with fewer readings than this share of what is published is much poorer."""

_SHOWN = 5


def losses(published: Mapping[str, Any] | None, coming: Mapping[str, Any]) -> list[str]:
    """Return what readers of the published month would miss, a phrase each; nothing where it only grows.

    Sensors, days and columns that had readings and have none now, and readings that are much fewer. A reading is a
    value that stands as it was read: measured or retyped.

    Args:
        published: the manifest that counts now; None where there is none.
        coming: the manifest of the rebuilt month.
    """
    if published is None or published.get("empty", True):
        return []
    before, now = _readings(published), _readings(coming)
    if not sum(now.values()):
        return [f"all of its {sum(before.values()):,} readings"]
    lines = [
        *_gone("sensor", [name for name, count in before.items() if count and not now.get(name)]),
        *_gone("day", sorted(_days(published) - _days(coming))),
        *_gone("column", sorted(_columns(published) - _columns(coming))),
    ]
    total, left = sum(before.values()), sum(now.values())
    if left < _LEAST_SHARE * total:
        lines.append(f"{total - left:,} of {total:,} readings")
    lines += [
        f"{count - now[name]:,} of {count:,} readings of {name}"
        for name, count in before.items()
        if 0 < now.get(name, 0) < _LEAST_SHARE * count
    ]
    return lines


def _gone(what: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return [f"{what}{'s' if len(names) > 1 else ''} {', '.join(names[:_SHOWN])}{more}"]


def _readings(manifest: Mapping[str, Any]) -> dict[str, int]:
    return {
        name: counts.get("cells_measured", 0) + counts.get("cells_retyped", 0)
        for name, counts in manifest.get("sensors", {}).items()
    }


def _days(manifest: Mapping[str, Any]) -> set[str]:
    return {
        day
        for day, counts in manifest.get("days", {}).items()
        if counts.get("cells_measured", 0) + counts.get("cells_retyped", 0)
    }


def _columns(manifest: Mapping[str, Any]) -> set[str]:
    return {name for name, column in manifest.get("columns", {}).items() if column.get("min") is not None}
