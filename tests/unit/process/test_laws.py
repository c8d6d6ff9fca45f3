"""The laws of processing, on whatever a collector may send."""

from datetime import date, timedelta

import numpy as np
from builders import HEADER, SOURCE
from hypothesis import given, settings
from hypothesis import strategies as st

from fems.contracts.grains import GRAINS
from fems.contracts.raw_object import RawObject
from fems.lake.serialize import to_parquet
from fems.process.partition import Partition, process
from fems.raw.decode import decode_all

FIRST = date(2025, 3, 4)
LAST = FIRST + timedelta(days=1)

CELL = st.one_of(
    st.floats(0, 30).map("{:.2f}".format),
    st.sampled_from(["ERR", "", "-", "１２.5", "7 kWh", "12,5", "1e3", "-4", "99999", "NaN", "통신불량"]),
)
PLACE = st.tuples(st.sampled_from([FIRST, LAST]), st.integers(0, 95), st.sampled_from(["F-M01", "F-M02"]))
READINGS = st.dictionaries(PLACE, st.lists(CELL, min_size=5, max_size=5), min_size=1, max_size=60)
JUNK = st.lists(
    st.sampled_from(
        [
            "soon,F,F-M01,1,90,1,1,1",
            "2025-03-04 00:07:00,F,F-M01,1,90,1,1,1",
            "2025-03-04 00:00:00,F,F-M99,1,90,1,1,1",
            "2025-03-04 00:00:00,2100,F-M01,1,90,1,1,1",
            "2025-03-04 00:00:00,F",
            "2025-01-04 00:00:00,F,F-M01,1,90,1,1,1",
        ]
    ),
    max_size=4,
)


def written(place: tuple[date, int, str], cells: list[str]) -> str:
    day, step, sensor = place
    fields = ",".join(f'"{cell}"' if "," in cell else cell for cell in cells)
    return f"{day} {step // 4:02d}:{step % 4 * 15:02d}:00,F,{sensor},{fields}"


def processed(files: list[tuple[str, date, list[str]]]) -> Partition:
    objects = []
    for name, day, lines in files:
        data = ("\n".join([HEADER, *lines]) + "\n").encode()
        raw = RawObject(f"raw/meter/factory=F/date={day}/{name}", name, len(data), day)
        objects.append((raw, data))
    return process(decode_all(sorted(objects), SOURCE), SOURCE, FIRST, LAST)


def tables(partition: Partition) -> dict[str, bytes]:
    return {grain: to_parquet(partition.tables[grain]) for grain in GRAINS}


def totals(partition: Partition) -> dict[str, int]:
    names = ("read", "published", "quarantined", "duplicate")
    return {name: sum(day[name] for day in partition.days.values()) for name in names}


@settings(max_examples=30)
@given(READINGS, JUNK, st.randoms(use_true_random=False), st.integers(1, 4))
def test_nothing_is_lost_and_order_files_and_lateness_change_nothing(
    readings: dict, junk: list[str], random, parts: int
) -> None:
    lines = {place: written(place, cells) for place, cells in readings.items()}
    plain = processed(
        [(f"{day}.csv", day, [line for p, line in lines.items() if p[0] == day] + junk * (day == FIRST))
         for day in (FIRST, LAST)]
    )  # fmt: skip
    counts = totals(plain)
    assert counts["published"] == len(readings)
    assert counts["quarantined"] == len(junk) and counts["duplicate"] == 0
    assert counts["read"] == len(readings) + len(junk)
    rows = plain.quarantine[plain.quarantine["line"] > 0]
    assert len(rows) == len(junk) and all(len(reason) > 10 for reason in rows["reason"])

    files: dict[tuple[str, date], list[str]] = {}
    for place, line in random.sample(list(lines.items()), len(lines)):
        day = random.choice([d for d in (FIRST, LAST) if d >= place[0]])  # a row may come a day late
        files.setdefault((f"{random.randrange(parts)}.csv", day), []).append(line)
    other = processed([(name, day, some) for (name, day), some in files.items()])
    assert tables(other) == tables(plain)
    assert totals(other) == counts | {"read": len(readings), "quarantined": 0}


@settings(max_examples=15)
@given(READINGS, st.integers(2, 3))
def test_processing_twice_is_processing_once(readings: dict, times: int) -> None:
    days = {day: [written(p, c) for p, c in readings.items() if p[0] == day] for day in (FIRST, LAST)}
    once = processed([("a.csv", day, lines) for day, lines in days.items()])
    again = processed([(f"{i}.csv", day, lines) for day, lines in days.items() for i in range(times)])
    assert tables(again) == tables(once)
    assert totals(again)["duplicate"] == (times - 1) * len(readings)


@settings(max_examples=30)
@given(READINGS)
def test_every_value_that_changed_has_its_original(readings: dict) -> None:
    part = processed(
        [("a.csv", day, [written(p, c) for p, c in readings.items() if p[0] == day]) for day in (FIRST, LAST)]
    )
    native = part.tables["native"].to_pandas()
    flags = [dict(f.split("=") for f in text.split(";") if f) for text in native["flag_columns"].astype(str)]
    changed = sum(flag in ("retyped", "replaced") for row in flags for flag in row.values())
    found = part.originals.to_pandas()
    assert found["flag"].isin(["retyped", "replaced"]).sum() == changed
    assert (found["original"].str.len() > 0).all() and (found["line"] > 1).all()
    assert (found.loc[found["flag"] != "retyped", "cause"].str.len() > 0).all()
    measured = [all(flag != "measured" for flag in row.values()) for row in flags]
    assert all(measured), "measured needs no word"
    values = native[list(SOURCE.book.columns)].to_numpy(dtype=float)
    missing = sum(flag == "missing" for row in flags for flag in row.values())
    assert np.isnan(values).sum() == missing
