"""What a rebuilt month would take away from the one that is published, so that a person is asked first."""

from fems.contracts.manifest import CellCounts, Manifest, PartitionFigures

_LEAST_SHARE = 0.8
"""A month, or a sensor of it, with fewer readings than this share of what is published is much poorer."""

_SHOWN = 5


def losses(published: Manifest | None, coming: PartitionFigures | None) -> list[str]:
    """Return what readers of the published month would miss, a phrase each; nothing where it only grows.

    Sensors, days and columns that had readings and have none now, and readings that are much fewer. A reading is a
    value that stands as it was read: measured or retyped.

    Args:
        published: the manifest that counts now; None where there is none.
        coming: the rebuilt month; None where nothing makes it any more.
    """
    if published is None or published.empty:
        return []
    before, now = _readings(published), _readings(coming)
    total, left = sum(before.values()), sum(now.values())
    if coming is None or not left:
        return [f"all of its {total:,} readings"]
    lines = [
        *_gone("sensor", [name for name, count in before.items() if count and not now.get(name)]),
        *_gone("day", sorted(_days(published) - _days(coming))),
        *_gone("column", sorted(_columns(published) - _columns(coming))),
    ]
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


def _count(cells: CellCounts) -> int:
    return cells.cells_measured + cells.cells_retyped


def _readings(figures: PartitionFigures | None) -> dict[str, int]:
    return {} if figures is None else {name: _count(cells) for name, cells in figures.sensors.items()}


def _days(figures: PartitionFigures) -> set[str]:
    return {day.isoformat() for day, cells in figures.days.items() if _count(cells)}


def _columns(figures: PartitionFigures) -> set[str]:
    return {name for name, column in figures.columns.items() if column.min is not None}
