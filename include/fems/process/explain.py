"""Why a month has so few usable rows or values, in the words that a person needs to mend it."""

import re

import numpy as np
import pandas as pd

from fems.process.partition import Partition
from fems.registry.feed import FactoryFeed
from fems.registry.rules import Column

_LEAST_SHARE = 0.1
"""A rule that took out a smaller share of a sensor's values is not why a month is refused."""

_SHOWN = 3
_OTHER_UNIT = (
    "The unit of the file has changed or is another one: say it in the mapping; or, if the machine really runs so, "
    "an override with `level: false` says that."
)
_REGISTER = "If it is one, name it in the mapping: `cumulative: {column: the value at which it rolls over}`."
_NO_REGISTER = "Take it out of `cumulative` in the mapping, or mend what the collector writes."
_HINTS = {
    "stuck value": "if this is its real load, an override with `stuck: null` says so",
    "below the book's least": "if it feeds back into the grid, `net: true` in factories.yaml says so",
    "above the limit that rated_kw sets": "check the unit of the file, and rated_kw",
}


def why_unusable(partition: Partition, source: FactoryFeed) -> str:
    """Say which rows are in quarantine and which rule took out most values, with counts; empty where neither.

    Args:
        partition: the month.
        source: registry and book.
    """
    return " ".join(
        [
            *_refused_rows(partition.quarantine),
            *(f"{line}. {_remedy(line)}" for line in partition.off_levels[:1]),
            *_refused_values(partition, source),
        ]
    )


def _remedy(line: str) -> str:
    if "register" not in line:
        return _OTHER_UNIT
    return _NO_REGISTER if "no running register" in line else _REGISTER


def _refused_rows(quarantine: pd.DataFrame) -> list[str]:
    """Count the records by kind of reason: what stands in quotes, and numbers, differ from row to row."""
    lines = []
    for whole, some in quarantine.groupby(quarantine["line"] == 0):
        kinds = some["reason"].map(lambda reason: re.sub(r"'[^']*'|\d+", "", reason))
        for kind in kinds.value_counts().index[:_SHOWN]:
            mine = some[kinds == kind]
            first = mine.iloc[0]
            where = str(first["object"]).rsplit("/", 1)[-1]
            count = f"{len(mine):,} {'file' if whole else 'row'}{'s' if len(mine) > 1 else ''}"
            place = where if whole else f"{where} line {first['line']}"
            lines.append(f"{count} in quarantine, such as {place}: {first['reason']}.")
    return lines


def _refused_values(partition: Partition, source: FactoryFeed) -> list[str]:
    changed = partition.originals.select(["sensor_id", "column", "cause", "original"]).to_pandas()
    changed = changed[changed["cause"] != ""]
    if changed.empty:
        return []
    changed["cause"] = _refined(changed, source)
    counts = (
        changed.groupby(["sensor_id", "column", "cause"], observed=True).size().sort_values(ascending=False)
    )
    lines = []
    for (sensor, column, cause), count in counts.items():
        read = partition.read_values.get((sensor, column), 0)
        if read and count >= _LEAST_SHARE * read:
            hint = f" ({_HINTS[cause]})" if cause in _HINTS else ""
            lines.append(f"{sensor}: {count:,} of {read:,} values of {column}: {cause}{hint}.")
    more = f" And {len(lines) - _SHOWN} more of the kind." if len(lines) > _SHOWN else ""
    return [" ".join(lines[:_SHOWN]) + more] if lines else []


def _refined(changed: pd.DataFrame, source: FactoryFeed) -> list[str]:
    """Return the causes, those of `outside limits` by the limit that was passed."""
    sensors = {sensor.sensor_id: i for i, sensor in enumerate(source.sensors)}
    books = {int(i): group.book for group in source.rules for i in group.sensors}
    causes = []
    fields = (changed[name].astype(str) for name in ("sensor_id", "column", "cause", "original"))
    for sensor, name, cause, original in zip(*fields, strict=True):
        # of a register the reading was read, and its energy judged
        if cause == "outside limits" and name not in source.cumulative and _is_number(original):
            i = sensors[sensor]
            rules = books[i].columns[name]
            cause = _limit(float(original), rules, source.sensors[i].rated_kw, source.grain_minutes)
        causes.append(cause)
    return causes


def _is_number(text: str) -> bool:
    """Tell a plain number from a text that was tidied."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _limit(value: float, column: Column, rated_kw: float | None, grain_minutes: int) -> str:
    limits = column.limits
    if limits.min is not None and value < limits.min:
        return "below the book's least"
    if limits.max is not None and value > limits.max:
        return "above the book's most"
    rated = np.array([np.nan if rated_kw is None else rated_kw])
    if value > column.upper_limits(rated, grain_minutes)[0]:
        return "above the limit that rated_kw sets"
    return "far above what the sensor usually shows"
