"""Three days of one meter in files however they are written: what is landed and processed of them."""

import io
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import openpyxl
import pandas as pd

from fems.contracts.raw_object import RawObject
from fems.process.partition import process
from fems.raw.decode import decode_all
from fems.raw.split import split
from fems.registry.book import load_book
from fems.registry.feed import FactoryFeed
from fems.registry.plant import Plant
from fems.settings import settings

BOOK = load_book(settings().definitions_dir, "meter")
KWH = np.random.default_rng(7).uniform(4, 9, 72).round(3)
MANY = (KWH * 300).round(3)
TIMES = pd.date_range("2024-03-04", periods=72, freq="h", tz="Asia/Seoul")
UTC = TIMES.tz_convert("UTC")
ONE = {"constants": {"sensor_id": "x-M01"}}
PLAIN: dict[str, Any] = {"columns": {"timestamp": "t", "used_kwh": "v"}, **ONE}
ISO = "%Y-%m-%d %H:%M"
Label = Callable[[pd.Timestamp], str]


def read(
    data: bytes | str,
    mapping: dict[str, Any],
    name: str = "a.csv",
    zone: str = "Asia/Seoul",
    net: bool = False,
    grain: str = "1h",
) -> tuple[pd.DataFrame, list[str]]:
    """Land and process a file of two machines; return what was measured, and the reasons of the quarantine."""
    machines = {f"E{i}": {"name": "M", "kind": "line", "sensor": f"x-M0{i}", "net": net} for i in (1, 2)}
    factory = {"name": "F", "name_ko": "F", "timezone": zone, "grain": {"meter": grain}}
    factory |= {"mapping": {"meter": "m"}, "equipment": machines}
    plant = Plant.model_validate({"mappings": {"m": mapping}, "factories": {"x": factory}})
    source = FactoryFeed.of(plant, BOOK, "x")
    objects = []
    data = data.encode() if isinstance(data, str) else data
    for part in split(data, name, source, date(2000, 1, 1), date(2100, 1, 1)):
        day = date(2024, 3, 6) if part.day is None else date(1970, 1, 1) + timedelta(days=part.day)
        key = f"raw/meter/factory=x/date={day}/{part.name}"
        objects.append((RawObject(key, "e", len(part.data), day), part.data))
    days = [raw.day for raw, _ in objects]
    partition = process(decode_all(sorted(objects), source), source, min(days), max(days))
    native = partition.tables["native"].to_pandas()
    native = native[native["flag"].isin(["measured", "retyped"]) & native["used_kwh"].notna()]
    return native, partition.quarantine["reason"].tolist()


def rows(
    label: Label | str = ISO, value: Callable[[float], object] = str, kwh: Any = KWH, times: Any = TIMES
) -> list[list[str]]:
    made = (lambda t: t.strftime(label)) if isinstance(label, str) else label
    return [[made(t), str(value(x))] for t, x in zip(times, np.asarray(kwh).tolist(), strict=True)]


def text(table: list[list[str]], head: tuple[str, ...] = ("t", "v"), sep: str = ",") -> str:
    return "\n".join(sep.join(row) for row in [list(head), *table]) + "\n"


def workbook(sheets: dict[str, list[list[Any]]], epoch: Any = None) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    if epoch is not None:
        book.epoch = epoch
    for name, table in sheets.items():
        sheet = book.create_sheet(name)
        for row in table:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def assert_right(native: pd.DataFrame, kwh: Any = KWH, times: Any = TIMES) -> None:
    mine = native[native["sensor_id"] == "x-M01"]
    assert mine["timestamp"].tolist() == list(times)
    np.testing.assert_allclose(mine["used_kwh"], kwh, rtol=1e-3, atol=1e-3)
