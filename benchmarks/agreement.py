"""Whether a peer made what we made, wherever no rule of ours asks for something else."""

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.job import GRAINS, VALUES
from fems.errors import DataError

_KEY = ["sensor_id", "timestamp"]
_LEAST_COMPARED = 0.95


def require(ours: Path, peer: Path, folder: Path, name: str) -> None:
    """Compare the tables of two sides, value by value, on what no fault touched.

    A native row is compared if no fault is on record for it and both sides keep all its values as measured; an hour or
    a day if all its rows are. What is done to the others is where the rules differ.

    Args:
        ours: our folder, with the bucket's keys.
        peer: the peer's, a file a grain.
        folder: the simulated data, with the record of its faults.
        name: the peer.

    Raises:
        DataError: other rows, another value, or too few rows to compare.
    """
    tables = {grain: (_ours(ours, grain), _read(peer / f"{grain}.parquet")) for grain in GRAINS}
    native, theirs = tables["native"]
    if len(native) != len(theirs):
        raise DataError(
            f"benchmark: {name}: {len(theirs)} native rows, ours {len(native)}; nothing was timed"
        )
    kept = (native["flag"] == "measured").to_numpy() & theirs[VALUES].notna().all(axis=1).to_numpy()
    clean = kept & ~_faulty(native, folder)
    if clean.mean() < _LEAST_COMPARED:
        raise DataError(f"benchmark: only {clean.mean():.1%} of the rows can be compared; nothing was timed")
    starts = native["timestamp"].dt
    by_grain = {
        "native": clean,
        "hour": _whole(native, starts.floor("h"), clean),
        "day": _whole(native, starts.normalize(), clean),
    }
    for grain, (mine, other) in tables.items():
        difference = _difference(mine, other, by_grain[grain])
        if difference:
            raise DataError(f"benchmark: {name}, {grain}: {difference}; nothing was timed")


def _difference(ours: pd.DataFrame, peer: pd.DataFrame, at: np.ndarray) -> str:
    """Say what is the first difference between two tables, on the rows that are compared; empty if there is none."""
    if len(ours) != len(peer) or not all(np.array_equal(ours[key], peer[key]) for key in _KEY):
        return f"it has other rows than ours ({len(peer)}, ours {len(ours)})"
    if not at.any():
        return "no row can be compared"
    mine, theirs = ours[VALUES].to_numpy(), peer[VALUES].to_numpy()
    close = np.all(np.isclose(mine, theirs, rtol=1e-12, atol=0), axis=1)  # NaN is not equal
    if close[at].all():
        return ""
    row = int(np.flatnonzero(at & ~close)[0])
    return (
        f"{(at & ~close).sum()} of {at.sum()} rows differ, first {ours['sensor_id'][row]} at "
        f"{ours['timestamp'][row]}: {theirs[row].tolist()}, ours {mine[row].tolist()}"
    )


def _ours(folder: Path, grain: str) -> pd.DataFrame:
    months = sorted(folder.glob(f"processed/meter/grain={grain}/factory=*/month=*/*.parquet"))
    return pd.concat([_read(file) for file in months]).sort_values(_KEY, ignore_index=True)


def _read(path: Path) -> pd.DataFrame:
    table = pd.read_parquet(path)
    table["timestamp"] = table["timestamp"].astype(pd.DatetimeTZDtype("us", "Asia/Seoul"))
    table["sensor_id"] = table["sensor_id"].astype(object)
    return table.sort_values(_KEY, ignore_index=True)


def _faulty(native: pd.DataFrame, folder: Path) -> np.ndarray:
    """Tell which rows have a fault on record; a late file is the matter of all sensors and changes no value."""
    files = sorted(folder.glob("truth/faults/meter/factory=*/*.parquet"))
    faults = pd.concat([pd.read_parquet(file, columns=_KEY) for file in files]).dropna()
    keys = pd.MultiIndex.from_frame(faults.astype({"sensor_id": object}))
    rows = pd.MultiIndex.from_arrays([native["sensor_id"], native["timestamp"].dt.tz_convert("UTC")])
    return rows.isin(keys)


def _whole(native: pd.DataFrame, start: pd.Series, clean: np.ndarray) -> np.ndarray:
    """Tell of each hour or day, ordered as its table is, whether all its rows are clean."""
    return pd.Series(clean).groupby([native["sensor_id"], start]).all().to_numpy()
