"""Mutated files of every kind through the readers: `python -m fuzz 20000 [seed]`.

Each must come out whole: no exception, as many rows read as published and quarantined, no more than 1 GB of memory.
What it finds is kept as a test.
"""

import gzip
import io
import resource
import sys
import time
import zipfile
from datetime import date, datetime, timedelta

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from fems.contracts.raw_object import RawObject
from fems.raw import child
from fems.raw.decode import decode, decode_all
from fems.registry.book import load_book
from fems.registry.feed import FactoryFeed
from fems.registry.plant import Plant
from fems.settings import settings

_DAY = date(2024, 3, 4)
_PIECES = [
    b",",
    b";",
    b'"',
    b"\n",
    b"\r",
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"-",
    b"1e309",
    b"NaN",
    b"=1+1",
    b"<",
]


def feed_of(**mapping: object) -> FactoryFeed:
    """Return a feed of one hourly meter, `x-M01`, of a factory `x`."""
    machines = {"E1": {"name": "M", "kind": "line", "sensor": "x-M01"}}
    factory = {
        "name": "F",
        "name_ko": "F",
        "grain": {"meter": "1h"},
        "mapping": {"meter": "m"},
        "equipment": machines,
    }
    plant = Plant.model_validate({"mappings": {"m": mapping}, "factories": {"x": factory}})
    return FactoryFeed.of(plant, load_book(settings().definitions_dir, "meter"), "x")


def _seeds() -> list[tuple[str, bytes, FactoryFeed]]:
    rows = [(datetime(2024, 3, 4, h), "x-M01", h + 0.5) for h in range(24)]  # noqa: DTZ001
    text = "time,sensor_id,used_kwh\n" + "".join(f"{t},{s},{v}\n" for t, s, v in rows)
    book = openpyxl.Workbook()
    book.active.append(["time", "sensor_id", "used_kwh"])
    for row in rows:
        book.active.append(row)
    workbook, parquet = io.BytesIO(), io.BytesIO()
    book.save(workbook)
    columns = zip(*rows, strict=True)
    pq.write_table(
        pa.table(dict(zip(("time", "sensor_id", "used_kwh"), map(list, columns), strict=True))), parquet
    )
    values = ",".join(["1.5"] * 24)
    nem12 = (
        f"100,NEM12,202403050000,A,B\n200,x-M01,E1,1,E1,,S,kWh,60,\n300,20240304,{values},A,,,2024,\n900\n"
    )
    head = ",".join(f"H{i}" for i in range(1, 25))
    per_day = f"time,sensor_id,{head}\n2024-03-04,x-M01,{values}\n"
    start = int((datetime(2024, 3, 4) - timedelta(hours=9)).timestamp())  # noqa: DTZ001
    xml = (
        "<feed xmlns='http://www.w3.org/2005/Atom'><entry><content><ReadingType xmlns='http://naesb.org/espi'><uom>72"
        "</uom></ReadingType></content></entry><entry><content><IntervalBlock xmlns='http://naesb.org/espi'>"
        f"<IntervalReading><timePeriod><duration>3600</duration><start>{start}</start></timePeriod><value>5</value>"
        "</IntervalReading></IntervalBlock></content></entry></feed>"
    )
    plain = feed_of()
    return [
        ("csv", text.encode(), plain),
        ("csv, other marks", text.replace(",", ";").replace(".5", ",5").encode("utf-16"), plain),
        ("gzip", gzip.compress(text.encode()), plain),
        ("xlsx", workbook.getvalue(), plain),
        ("parquet", parquet.getvalue(), plain),
        ("nem12", nem12.encode(), feed_of(format="nem12")),
        ("row a day", per_day.encode(), feed_of(layout="row_per_day", row_per_day={"column": "used_kwh"})),
        ("green button", xml.encode(), feed_of(format="green_button", constants={"sensor_id": "x-M01"})),
    ]


def _mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Change some bytes, cut, repeat or insert; of a workbook mostly a member's own bytes, in a sound archive."""
    if data.startswith(b"PK") and rng.random() < 0.7:
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
            chosen = rng.choice(old.namelist())
            for name in old.namelist():
                content = old.read(name)
                new.writestr(name, _mutated(content, rng) if name == chosen else content)
        return out.getvalue()
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        at = int(rng.integers(0, len(changed) + 1))
        match int(rng.integers(0, 5)):
            case 0:
                changed[at : at + 1] = bytes([int(rng.integers(0, 256))])
            case 1:
                del changed[at : at + int(rng.integers(1, 40))]
            case 2:
                changed[at:at] = changed[at : at + int(rng.integers(1, 400))] * int(rng.integers(1, 20))
            case 3:
                changed[at:at] = _PIECES[int(rng.integers(0, len(_PIECES)))] * int(rng.integers(1, 4))
            case _:
                del changed[at + int(rng.integers(0, 4000)) :]
    return bytes(changed)


def main(count: int, seed: int = 0) -> None:
    """Try `count` files and print what became of them."""
    seeds, rng, began = _seeds(), np.random.default_rng(seed), time.monotonic()
    read = refused = 0
    for i in range(count):
        kind, sound, source = seeds[i % len(seeds)]
        data = _mutated(sound, rng)
        raw = RawObject(f"raw/meter/factory=x/date={_DAY}/{i}", "e", len(data), _DAY)
        try:
            one = decode(raw, data, source)
            [other] = decode_all([(raw, data)], source)
            for decoded in (one, other):
                assert decoded.undecodable or decoded.read == len(decoded.starts) + len(decoded.quarantined)
            assert one.read == other.read and np.array_equal(one.values, other.values, equal_nan=True)
        except Exception:
            print(f"file {i} of seed {seed} ({kind}): {data[:400]!r}", file=sys.stderr)
            raise
        read, refused = read + (not one.undecodable), refused + one.undecodable
        if (i + 1) % 1000 == 0:
            print(
                f"{i + 1} files, {read} read, {refused} refused, {time.monotonic() - began:.0f} s", flush=True
            )
    child.stop()
    most = (
        max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        / 1024
    )
    print(f"{count} files: {read} read, {refused} refused, none crashed; {most:.0f} MiB at most")
    assert most < 1024, "more than 1 GB"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
