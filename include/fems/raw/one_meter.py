"""Files of several meters that a mapping calls one: nothing in them tells whose rows they are."""

from collections import defaultdict
from dataclasses import replace

import numpy as np

from fems.raw.decoded import NO_ODD_CELLS, DecodedObject
from fems.raw.text import BadLine
from fems.registry.feed import FactoryFeed
from fems.registry.mapping import FileMapping

_FEWEST = 4
"""Intervals that two files must share before their values tell anything."""
_ALIKE = 0.2
"""A correction repeats most of the values that it corrects; another meter hardly any."""


def without_mixed_meters(objects: list[DecodedObject], source: FactoryFeed) -> list[DecodedObject]:
    """Quarantine the rows of files of one day that hold other values for the same intervals of one constant sensor.

    Only files are looked at whose sensor ID is a constant of a mapping without a `file_name`: with one, a person has
    said that these files are of that meter.

    Args:
        objects: decoded objects, ordered by key.
        source: whose they are.
    """
    if not any(_takes_all(mapping) for mapping in source.mappings):
        return objects
    by_day: dict[object, list[int]] = defaultdict(list)
    for i, decoded in enumerate(objects):
        feed = source.for_file(decoded.raw.key.split("/", 4)[-1])
        if len(decoded.starts) >= _FEWEST and feed is not None and _takes_all(feed.mapping):
            by_day[decoded.raw.day].append(i)
    mixed: dict[int, str] = {}
    for same_day in by_day.values():
        for place, i in enumerate(same_day):
            for j in same_day[place + 1 :]:
                if _are_of_two_meters(objects[i], objects[j]):
                    mixed.setdefault(i, objects[j].raw.name)
                    mixed.setdefault(j, objects[i].raw.name)
    return [_refused(decoded, mixed[i]) if i in mixed else decoded for i, decoded in enumerate(objects)]


def _takes_all(mapping: FileMapping) -> bool:
    return "sensor_id" in mapping.constants and mapping.file_name is None


def _are_of_two_meters(one: DecodedObject, other: DecodedObject) -> bool:
    _, here, there = np.intersect1d(one.starts, other.starts, return_indices=True)
    if len(here) < _FEWEST or (one.sensors[here] != other.sensors[there]).any():
        return False
    a, b = one.values[:, here], other.values[:, there]
    known = ~np.isnan(a) & ~np.isnan(b)
    differ = known & (a != b)
    compared = known.any(axis=0)
    if compared.sum() < _FEWEST:
        return False
    return bool((~differ.any(axis=0) & compared).sum() <= _ALIKE * compared.sum())


def _refused(decoded: DecodedObject, other: str) -> DecodedObject:
    reason = (
        f"this file and {other} hold other values for the same intervals of one sensor: are they of two meters? Say in "
        "the mapping which is which, by `file_name` with the group sensor_id, or that all are of one meter, by "
        "`file_name: .`"
    )
    rows = [
        BadLine(line, reason, ",".join(repr(float(value)) for value in decoded.values[:, i]))
        for i, line in enumerate(decoded.lines.tolist())
    ]
    width = len(decoded.values)
    return replace(
        decoded,
        starts=decoded.starts[:0],
        days=decoded.days[:0],
        sensors=decoded.sensors[:0],
        lines=decoded.lines[:0],
        values=np.empty((width, 0)),
        states=np.empty((width, 0), np.uint8),
        odd=NO_ODD_CELLS,
        quarantined=sorted([*decoded.quarantined, *rows], key=lambda bad: bad.line),
    )
