"""The meters' tables as the parts of a factory: machines with all their meters, and what no submeter measures."""

import numpy as np
import pandas as pd

from fems.model.history import SILENT_HOURS
from fems.registry.factory import Factory
from fems.registry.meter_tree import MeterNode, MeterTree

_WORST = {"coverage_pct": "min", "estimated_pct": "max"}
_NOT_ADDED = ("power_factor_pct",)
"""The share of two sums is no sum; the factory's own is made of its energies."""


def machine_columns(factory: Factory) -> dict[str, str]:
    """Return, by its key in factories.yaml, what each machine's energy is called in a table of `of_machines`."""
    return {key: node.column for key, node in zip(factory.equipment, factory.meter_tree.nodes, strict=False)}


def of_machines(table: pd.DataFrame, tree: MeterTree) -> pd.DataFrame:
    """Return a row a part of the factory and time; all parts together are the factory, and nothing stands twice.

    A main meter, which measures what the others measure already, is left out. A meter with others behind it is its
    remainder: what it measured less what they did. One of those that has been silent for a week counts as nothing.

    Args:
        table: timestamp, sensor_id, and columns of numbers; a row a meter and time, of hours or native intervals.
        tree: the factory's.
    """
    known = {sensor for node in tree.nodes for sensor in node.sensors}
    meters = table[table["sensor_id"].isin(known)]
    if tree.is_plain:
        if isinstance(meters["sensor_id"].dtype, pd.CategoricalDtype):
            meters = meters.assign(sensor_id=meters["sensor_id"].cat.remove_unused_categories())
        return meters
    meters = meters.astype({"sensor_id": "str"})
    wide = {
        name: meters.pivot(index="timestamp", columns="sensor_id", values=name).reindex(columns=sorted(known))
        for name in meters.select_dtypes("number").columns
    }
    plain = {node.column for node in tree.nodes if node.is_plain}
    parts = [meters[meters["sensor_id"].isin(plain)]]
    parts += [_part(node, wide, meters) for node in tree.nodes if not node.is_plain and len(meters)]
    return pd.concat(parts, ignore_index=True)


def _part(node: MeterNode, wide: dict[str, pd.DataFrame], meters: pd.DataFrame) -> pd.DataFrame:
    own, behind = list(node.sensors), list(node.submeters)
    columns: dict[str, object] = {}
    for name, values in wide.items():
        if name in _WORST:
            columns[name] = getattr(values[own + behind], _WORST[name])(axis=1)
        elif name in _NOT_ADDED:
            columns[name] = np.nan
        else:
            columns[name] = values[own].sum(axis=1, skipna=False) - _behind(values[behind])
    times = next(iter(wide.values())).index
    made = pd.DataFrame(columns, index=times).rename_axis("timestamp").reset_index()
    fixed = {name: meters[name].iloc[0] for name in ("factory_id",) if name in meters}
    return made.assign(sensor_id=node.column, **fixed)[
        [name for name in meters.columns if name in made or name in fixed or name == "sensor_id"]
    ]


def _behind(values: pd.DataFrame) -> pd.Series:
    if not len(values.columns):
        return pd.Series(0.0, index=values.index)
    times = pd.DatetimeIndex(values.index)
    step = pd.Series(times).diff().median() if len(times) > 1 else pd.Timedelta(hours=1)
    hour = int(pd.Timedelta(hours=1) / step)
    silent = values.ffill(limit=SILENT_HOURS * max(1, hour)).isna()
    return values.mask(silent, 0.0).sum(axis=1, skipna=False)


def remainders(hours: pd.DataFrame, tree: MeterTree) -> pd.DataFrame:
    """Return what each meter with others behind it measured, what these did, and the remainder, hour by hour.

    The main meter is one of them. A remainder below zero cannot be: a meter is off, or stands elsewhere.

    Args:
        hours: timestamp, sensor_id, used_kwh.
        tree: the factory's.

    Returns:
        timestamp, sensor_id, name, used_kwh, submeters_kwh, remainder_kwh, doubt (text, empty where there is none).
    """
    rows = hours.astype({"sensor_id": "str"})
    wide = rows.pivot(index="timestamp", columns="sensor_id", values="used_kwh")
    branches = [(node.sensors, node.name, node.submeters) for node in tree.branches]
    if tree.main_meter is not None:
        branches.insert(0, ((tree.main_meter,), "main meter", tree.top))
    parts = []
    for sensors, name, submeters in branches:
        values = wide.reindex(columns=[*sensors, *submeters])
        own, others = values[list(sensors)].sum(axis=1, skipna=False), _behind(values[list(submeters)])
        part = pd.DataFrame({"sensor_id": sensors[0], "name": name, "used_kwh": own, "submeters_kwh": others})
        part["remainder_kwh"] = own - others
        below = part["remainder_kwh"] < -1e-9 * own.abs()
        part["doubt"] = np.where(below, "its submeters used more", "")
        parts.append(part.rename_axis("timestamp").reset_index())
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
