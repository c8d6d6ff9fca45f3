"""For each kind of fault: what was injected, and whether processing found it."""

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.truth.case import FILLED, REPLACED, RETYPED, Case
from fems.contracts.manifest import FLAGS
from fems.simulate import collector


def found(case: Case) -> pd.DataFrame:
    """Return every fault that should have been found, one a row.

    Returns:
        kind, name (see `Case.name`), sensor_id, timestamp, column, written, truth, published, flag, found. What a
        fault left as it was is no fault: a spike of a meter that shows zero, a stuck value that is the true one.
    """
    judged = [_described(case, kind, judge(case)) for kind, judge in JUDGES.items()]
    return pd.concat([table for table in judged if len(table)], ignore_index=True)


def _of(case: Case, kind: str) -> pd.DataFrame:
    return case.faults[case.faults["kind"] == kind].reset_index(drop=True)


def _at(block: NDArray[Any], items: pd.DataFrame) -> NDArray[Any]:
    """Return the items' cells of a block; of a fault of the whole row, the first column's."""
    return block[items["sensor"], items["step"], items["column"].clip(lower=0)]


def _half(case: Case, items: pd.DataFrame) -> NDArray[np.float64]:
    return 0.5 * 10.0 ** -np.array(case.sheet.decimals)[items["column"]] + 1e-9


def _wrong_type(case: Case) -> pd.DataFrame:
    items = _of(case, "wrong_type")
    flag = _at(case.flags, items)
    return items.assign(found=(flag >= REPLACED) | ((flag == RETYPED) & _at(case.right, items)))


def _missing_row(case: Case) -> pd.DataFrame:
    items = _of(case, "missing_row")
    return items.assign(found=np.all(case.flags[items["sensor"], items["step"]] >= FILLED, axis=1))


def _repeated_row(case: Case) -> pd.DataFrame:
    """The record of a day says how many rows it dropped, not which. One may be refused instead, with its reason."""
    items = _of(case, "repeated_row")
    day = items["key"].str.extract(r"date=([^/]+)/")[0]
    refused = np.array(
        [
            line in case.quarantined.get(key, ())
            for line, key in zip(items["written"], items["key"], strict=True)
        ],
        bool,
    )
    dropped = [case.duplicates.get(date.fromisoformat(each), 0) for each in day]
    counted = refused.copy()
    counted[~refused] = items[~refused].groupby(day[~refused]).cumcount() < np.array(dropped, int)[~refused]
    return items.assign(found=counted & np.all(_right_or_standing(case, items), axis=1))


def _right_or_standing(case: Case, items: pd.DataFrame) -> NDArray[np.bool_]:
    """Return whether the items' cells are right, or of a sensor that stands still, whose values are taken out."""
    rows = items["sensor"], items["step"]
    return case.right[rows] | case.standing[rows][:, None]


def _quarantined(case: Case, items: pd.DataFrame, labels: pd.Series) -> pd.Series:
    """Tell which items' lines are in quarantine, by how they begin: time, IDs, and the first value if it is known."""
    begins = labels + items["sensor"].map(dict(enumerate(case.sheet.ids)))
    there = pd.Series(
        [
            sum(line.startswith(begin) for line in case.quarantined.get(key, []))
            for key, begin in zip(items["key"], begins, strict=True)
        ],
        index=items.index,
        dtype=int,
    )
    return items.groupby([items["key"], begins]).cumcount() < there


def _conflicting_row(case: Case) -> pd.DataFrame:
    items = _of(case, "conflicting_row")
    labels = pd.Series(collector.time_labels(case.sheet, case.starts[items["step"]]), dtype=object)
    begins = items.assign(found=_quarantined(case, items, labels))
    right = _at(case.right, items) | case.standing[items["sensor"], items["step"]]
    return begins.assign(found=begins["found"] & right)


def _bad_time(case: Case) -> pd.DataFrame:
    items = _of(case, "bad_time")
    labels = items["written"].map(lambda text: collector.quoted(text, case.sheet.mapping.separator))
    return items.assign(found=_quarantined(case, items, labels))


def _spike(case: Case) -> pd.DataFrame:
    items = _of(case, "spike")
    written = items["written"].astype(float)
    apart = np.abs(written - _at(case.readings, items)) > _half(case, items)
    items, written = items[apart], written[apart]
    gone = ~(_at(case.published, items) == written)
    return items.assign(found=gone & (_at(case.flags, items) >= REPLACED))


def _stuck(case: Case) -> pd.DataFrame:
    """What is stuck for longer than the book's rule asks for."""
    rows = _of(case, "stuck")
    return _stuck_values(case, rows[case.stuck_for_long(rows)])


def _short_stuck(case: Case) -> pd.DataFrame:
    """What is stuck for no longer: sound values of one column repeat as long by chance."""
    rows = _of(case, "stuck")
    return _stuck_values(case, rows[~case.stuck_for_long(rows)])


def _stuck_values(case: Case, rows: pd.DataFrame) -> pd.DataFrame:
    """A stuck row counts value by value: the columns differ in how they can be told."""
    width = len(case.sheet.columns)
    texts = rows["written"].str.split(case.sheet.mapping.separator, expand=True)
    written = texts.to_numpy().astype(float) if len(rows) else np.empty((0, width))
    rows = rows.reset_index(drop=True)
    items = rows.loc[rows.index.repeat(width)].assign(
        column=np.tile(np.arange(width), len(rows)), written=written.reshape(-1)
    )
    # A register that stands still says that nothing was used.
    says = np.where(items["column"].isin(case.registers), 0.0, items["written"])
    items = items[np.abs(says - _at(case.truth, items)) > _half(case, items)]
    return items.assign(found=_at(case.flags, items) >= REPLACED)


def _sensor_stuck(case: Case) -> pd.DataFrame:
    """A sensor that stands still for days, in the simulation itself."""
    sensor, step = np.nonzero(case.standing)
    items = pd.DataFrame(
        {"sensor": sensor, "step": step, "column": 0, "written": case.truth[sensor, step, 0]}
    )
    return items.assign(found=_at(case.flags, items) >= REPLACED)


def _late_file(case: Case) -> pd.DataFrame:
    items = _of(case, "late_file")
    steps = items["written"].str.split().str[0].astype(int) // len(case.sensors)
    good = (case.right & (case.flags < REPLACED)) | case.touched | case.in_doubt
    whole = [good[:, step : step + n].all() for step, n in zip(items["step"], steps, strict=True)]
    return items.assign(found=np.array(whole, bool))


def _rollover(case: Case) -> pd.DataFrame:
    """Intervals in which a register fell, where both readings stand in the files as they were."""
    tables = []
    for column in case.registers:
        fell = np.diff(case.readings[:, :, column], axis=1, prepend=-np.inf) < 0
        sensor, step = np.nonzero(fell & ~case.touched[:, :, column])
        written = case.readings[sensor, step, column]
        tables.append(pd.DataFrame({"sensor": sensor, "step": step, "column": column, "written": written}))
    if not tables:
        return _of(case, "rollover").assign(found=False)
    items = pd.concat(tables, ignore_index=True)
    return items.assign(found=_at(case.right, items))


JUDGES: dict[str, Callable[[Case], pd.DataFrame]] = {
    "wrong_type": _wrong_type,
    "missing_row": _missing_row,
    "repeated_row": _repeated_row,
    "conflicting_row": _conflicting_row,
    "spike": _spike,
    "stuck": _stuck,
    "short_stuck": _short_stuck,
    "sensor_stuck": _sensor_stuck,
    "bad_time": _bad_time,
    "late_file": _late_file,
    "rollover": _rollover,
}


def _described(case: Case, kind: str, items: pd.DataFrame) -> pd.DataFrame:
    """Add to the items what a person needs to see why one was missed."""
    zone = case.sheet.zone
    whole = items["column"] < 0
    names = np.array([*case.sheet.columns, "row"])
    return pd.DataFrame(
        {
            "kind": kind,
            "name": case.name,
            "sensor_id": np.array([*case.sensors, ""])[items["sensor"]],
            "timestamp": case.starts[items["step"]].tz_convert(zone).tz_localize(None),
            "column": names[items["column"]],
            "written": items["written"].astype(str).to_numpy(),
            "truth": np.where(whole, np.nan, _at(case.truth, items)),
            "published": np.where(whole, np.nan, _at(case.published, items)),
            "flag": np.array(FLAGS)[_at(case.flags, items)],
            "found": items["found"].to_numpy(bool),
        }
    )
