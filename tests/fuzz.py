"""Mutated files of every kind through the readers: `python -m fuzz 20000 [seed]`.

Raw files, registries and definition books in YAML, model bundles. Each must come out whole: it is read, or refused with
an error of the package; of a raw file as many rows are read as published and quarantined; no more than 1 GB of memory.
What it finds is kept as a test.
"""

import gzip
import io
import resource
import sys
import tempfile
import time
import zipfile
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from pydantic import BaseModel

from fems.contracts.model_manifest import ModelManifest
from fems.contracts.raw_object import RawObject
from fems.errors import ConfigError, DataError
from fems.model import bundle
from fems.model.history import History
from fems.model.month_ahead.train import train_month_ahead
from fems.raw import child
from fems.raw.decode import decode, decode_all
from fems.registry import yamlfile
from fems.registry.book import Book, load_book
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


class RawFile:
    """A raw file, read as a month's first pass reads it and as its second does."""

    def __init__(self, kind: str, sound: bytes, feed: FactoryFeed) -> None:
        self.kind, self.sound, self._feed = kind, sound, feed

    def read(self, data: bytes, number: int) -> bool:
        """Tell whether it was read; raise where its rows are not accounted for."""
        raw = RawObject(f"raw/meter/factory=x/date={_DAY}/{number}", "e", len(data), _DAY)
        one = decode(raw, data, self._feed)
        [other] = decode_all([(raw, data)], self._feed)
        for decoded in (one, other):
            assert decoded.undecodable or decoded.read == len(decoded.starts) + len(decoded.quarantined)
        assert one.read == other.read and np.array_equal(one.values, other.values, equal_nan=True)
        return not one.undecodable


class YamlFile:
    """A registry or a definition book."""

    def __init__(self, kind: str, sound: bytes, model: type[BaseModel], folder: Path) -> None:
        self.kind, self.sound, self._model, self._path = kind, sound, model, folder / f"{kind}.yaml"

    def read(self, data: bytes, number: int) -> bool:
        """Tell whether it was read."""
        self._path.write_bytes(data)
        try:
            yamlfile.load(self._path, self._model)
        except ConfigError as error:
            assert "\n" not in str(error), error
            return False
        return True


class BundleFile:
    """A file of a model's bundle, changed by somebody who writes the bundle's manifest anew as well."""

    def __init__(self, name: str, whole: Path) -> None:
        self.kind, self.sound = f"bundle, {name}", (whole / name).read_bytes()
        self._path, self._folder = whole / name, whole

    def read(self, data: bytes, number: int) -> bool:
        """Tell whether the bundle was read; it is left as it was."""
        self._path.write_bytes(data)
        manifest = ModelManifest.of_folder(self._folder)
        try:
            bundle.load(self._folder, one_step=False, manifest=manifest)
        except DataError:
            return False
        finally:
            self._path.write_bytes(self.sound)
        return True


def _small_registry() -> bytes:
    """A registry of one factory, so that reading it takes milliseconds."""
    plant = yaml.safe_load(settings().factories_file.read_text(encoding="utf-8"))
    plant["factories"] = {"2160": plant["factories"]["2160"]}
    return yaml.safe_dump(plant, allow_unicode=True).encode()


def _save_bundle(folder: Path) -> list[str]:
    """Train on a made-up load and save it; return the names of the files."""
    hours = pd.date_range("2025-01-01", periods=24 * 90, freq="h", tz="Asia/Seoul")
    used = 5 + np.stack([np.sin(hours.hour / 4), np.cos(hours.hour / 3)], axis=1)
    inputs = pd.DataFrame({"used_kwh": used.sum(axis=1)}, index=hours)
    model = train_month_ahead(History(hours, used, ("a", "b"), inputs))
    manifest = bundle.save(bundle.Bundle("x", model, None, "KR", True), folder)
    return sorted(manifest.files)


def targets(folder: Path) -> list[RawFile | YamlFile | BundleFile]:
    """Return what is to be mutated."""
    bundle_folder = folder / "bundle"
    book = (settings().definitions_dir / "meter.yaml").read_bytes()
    return [
        *(RawFile(*seed) for seed in _seeds()),
        YamlFile("factories", _small_registry(), Plant, folder),
        YamlFile("meter", book, Book, folder),
        *(BundleFile(name, bundle_folder) for name in _save_bundle(bundle_folder)),
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
    rng, read, refused = np.random.default_rng(seed), Counter[str](), Counter[str]()
    with tempfile.TemporaryDirectory(prefix="fems-fuzz-") as folder:
        every, began = targets(Path(folder)), time.monotonic()
        for number in range(count):
            target = every[number % len(every)]
            data = _mutated(target.sound, rng)
            try:
                good = target.read(data, number)
            except BaseException:
                print(f"file {number} of seed {seed} ({target.kind}): {data[:400]!r}", file=sys.stderr)
                raise
            (read if good else refused)[target.kind] += 1
            if (number + 1) % 1000 == 0:
                seconds = time.monotonic() - began
                print(
                    f"{number + 1} files, {read.total()} read, {refused.total()} refused, {seconds:.0f} s",
                    flush=True,
                )
    child.stop()
    for target in every:
        print(f"  {target.kind:28} {read[target.kind]:6} read {refused[target.kind]:6} refused")
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    most = max(resource.getrusage(each).ru_maxrss for each in who) / 1024
    seconds = time.monotonic() - began
    print(
        f"{count} files in {seconds:.0f} s: {read.total()} read, {refused.total()} refused, none crashed; "
        f"{most:.0f} MiB at most"
    )
    assert most < 1024, "more than 1 GB"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000, int(sys.argv[2]) if len(sys.argv) > 2 else 0)
