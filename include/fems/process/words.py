"""What processing took out or spread, in words: for the run, the manifest and `fems describe`."""

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from fems.process.grid import Axis
from fems.process.judge import Judged
from fems.process.unit_factors import times
from fems.registry.feed import FactoryFeed

_DAY_MINUTES = 24 * 60


def off_levels(judged: Judged, days: np.ndarray, first: date) -> list[str]:
    """Say which levels are off on the published days, and which columns are registers or are none.

    Args:
        judged: the grid after the book.
        days: datetime64[D]: of the axis.
        first: the first published day.
    """
    lines = []
    for sensor, off in judged.off_levels:
        which = days if off.days is None else days[off.days]
        mine = which[which >= np.datetime64(first)]
        if len(mine):
            span = f"{mine[0]}" if len(mine) == 1 else f"{mine[0]} to {mine[-1]} ({len(mine)} days)"
            size = "" if off.factor is None else f"{times(off.factor)} "
            lines.append(f"{sensor} {off.column}, {span}: {size}{off.against}")
    lines += [
        f"{sensor} {column}: it keeps falling, as no running register does"
        for sensor, column in judged.not_registers
    ]
    return lines


def register_sums(judged: Judged, axis: Axis, since: int, source: FactoryFeed) -> list[str]:
    """Say which energies are known as a sum alone: over more than a day, or partly before the published days.

    Args:
        judged: the grid after the book.
        axis: its intervals.
        since: position of the first published interval.
        source: names of sensors and columns.
    """
    lines = []
    names = list(source.book.columns)
    for each in judged.sums:
        length = each.end - each.begin
        if each.end <= since or (each.begin >= since and length * axis.grain_minutes <= _DAY_MINUTES):
            continue
        shares = judged.values[each.column, each.sensor, each.begin : each.end]
        unit = source.book.columns[names[each.column]].unit
        begin, end = (
            pd.Timestamp(int(second), unit="s", tz="UTC").tz_convert(ZoneInfo(source.zone))
            for second in (axis.starts[each.begin], axis.starts[each.end - 1] + axis.grain_minutes * 60)
        )
        line = (
            f"{source.sensors[each.sensor].sensor_id} {names[each.column]}, {begin:%Y-%m-%d %H:%M} to "
            f"{end:%Y-%m-%d %H:%M}: {shares.sum():,.3f} {unit} are known as a sum alone, and spread over the gap"
        )
        if each.begin < since:
            before = shares[: since - each.begin].sum()
            day = axis.days[axis.day[since]]
            line += f"; {before:,.3f} {unit} of them lie before {day} and are in no table"
        lines.append(line)
    return lines
