"""What a file, a registry, a name or a question can do to this program: nothing but be refused in one clear line."""

import gzip
import io
import zipfile
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzz import feed_of
from pydantic import BaseModel

from fems.contracts.raw_object import RawObject
from fems.errors import ConfigError, DataError
from fems.model.arrays import read_arrays
from fems.monitor import notices
from fems.raw.decode import decode
from fems.registry import yamlfile
from fems.registry.plant import load_plant
from fems.settings import settings
from fems.views import sql
from fems.views.csv import to_csv
from fems.views.sql import query

pytestmark = pytest.mark.security


# questions in SQL


@pytest.fixture
def empty_platform() -> Any:
    return SimpleNamespace(plant=SimpleNamespace(factories={}))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_csv('/proc/self/environ')",
        "SELECT * FROM read_blob('/proc/self/mem')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM parquet_metadata('/etc/passwd')",
        "SELECT * FROM read_parquet('s3://fems/raw/*')",
        "SELECT * FROM 'http://127.0.0.1:9/x.csv'",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "SELECT 1; COPY (SELECT 1) TO '{folder}/out.csv'; SELECT 2",
        "EXPORT DATABASE '{folder}/out'",
        "IMPORT DATABASE '{folder}'",
        "ATTACH '{folder}/other.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "LOAD '{folder}/x.duckdb_extension'",
        "CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
        "SET enable_external_access = true",
        "SET temp_directory = '{folder}'",
        "CALL enable_logging(storage = 'file', storage_path = '{folder}')",
        "SELECT * FROM planted",
        "SELECT list(i) FROM range(400000000) t(i)",
    ],
)
def test_sql_reaches_no_file_no_network_and_no_memory_without_end(
    empty_platform: Any, tmp_path: Path, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sql.LIMITS, "memory_limit", "200MB")  # as it is, 4 GB, it takes longer
    planted = pa.table({"secret": ["a variable of the program"]})
    with pytest.raises(ConfigError):
        query(empty_platform, statement.format(folder=tmp_path))
    assert len(planted) and not list(tmp_path.iterdir())


# spreadsheets


def test_no_text_of_a_csv_is_a_formula() -> None:
    hostile = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "sound", "a=b", None]
    table = pa.table({"name": pa.array(hostile).dictionary_encode(), "kwh": [-1.5] * len(hostile)})
    lines = to_csv(table).decode().split("\n")
    assert lines[1] == '"\'=1+1",-1.5'
    assert all("\"'" in line for line in lines[1:7])
    assert lines[7:9] == ['"sound",-1.5', '"a=b",-1.5']


# names


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('  "1120":', '  "../../1120":'),
        ('  "1120":', '  "1120/x":'),
        ('  "1120":', '  "11\\n20":'),
        ("    name: Forging", '    name: "Forging\\r\\nBcc: somebody@example.org"'),
        ("    name: Forging", '    name: "Forging\\x00"'),
    ],
)
def test_no_name_of_the_registry_is_a_path_or_has_two_lines(tmp_path: Path, old: str, new: str) -> None:
    text = settings().factories_file.read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "factories.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"factories\.yaml"):
        load_plant(tmp_path / "factories.yaml")


def test_a_subject_is_one_short_line_whatever_the_notice_is_about() -> None:
    about = "ingest\r\nBcc: everybody@example.org\r\n\r\n<script>" + "x" * 500
    message = notices.compose([notices.of_failure(about, "DataError: <script>alert(1)</script>")], "http://x")
    assert message is not None
    assert message.subject.isprintable() and len(message.subject) <= 200
    assert "<script>" not in message.html


# the registry's files


class _Anything(BaseModel):
    a: Any = None


def _lol(levels: int, of: str = "[{}]") -> str:
    lines = ["a0: &a0 x"]
    lines += [f"a{i}: &a{i} " + of.format(",".join([f"*a{i - 1}"] * 9)) for i in range(1, levels)]
    return "\n".join([*lines, f"a: *a{levels - 1}"])


@pytest.mark.parametrize(
    "text",
    [
        _lol(12),
        "a0: &a0 {x: 1}\n" + _lol(12).replace("a0: &a0 x\n", "").replace("[", "{<<: [").replace("]", "]}"),
        "a: &a [*a]",
        "a: " + "[" * 10_000,
        "a: \x00",
        "a: 2024-99-99",
        "? [1]\n: 2",
        "? {b: 1}\n: 2",
        "a: !!python/object/apply:os.system ['true']",
        "a: !!int x",
        "a: *nowhere",
        "\ud800a",
    ],
    ids=range(12),
)
def test_a_hostile_yaml_file_is_one_clear_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "factories.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(ConfigError, match=r"factories\.yaml") as caught:
        yamlfile.load(path, _Anything)
    assert "\n" not in str(caught.value)


# raw files


def _refused_or_read(data: bytes) -> str:
    """Return why an object is not read; empty where each of its rows is accounted for."""
    day = date(2024, 3, 4)
    decoded = decode(RawObject(f"raw/meter/factory=x/date={day}/a", "e", len(data), day), data, feed_of())
    if not decoded.undecodable:
        assert decoded.read == len(decoded.starts) + len(decoded.quarantined)
        return ""
    return decoded.quarantined[0].reason


_TEXT = b"time,sensor_id,used_kwh\n" + b"".join(b"2024-03-04 %02d:00:00,x-M01,1.5\n" % h for h in range(24))


def _zip(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def _workbook(**changed: bytes) -> bytes:
    book, plain, out = openpyxl.Workbook(), io.BytesIO(), io.BytesIO()
    for line in _TEXT.decode().splitlines():
        book.active.append(line.split(","))
    book.save(plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, changed.pop(name, old.read(name)))
        for name, content in changed.items():
            new.writestr(name, content)
    return out.getvalue()


def _parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def _nested(levels: int) -> pa.Table:
    kind: pa.DataType = pa.int8()
    for _ in range(levels):
        kind = pa.list_(kind)
    return pa.table({"time": pa.nulls(3, kind)})


_DTD = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
_LINK = b'<externalLink xmlns="x"><externalBook r:id="rId1"/></externalLink>'


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(gzip.compress(_TEXT)),
        gzip.compress(gzip.compress(gzip.compress(bytes(200 << 20)))),
        _zip(**{"inner.zip": _zip(**{"inner.zip": _zip(a=bytes(1 << 20))})}),
        _zip(**{"xl/workbook.xml": b"<workbook/>", "../../x": b"x"}),
        gzip.compress(_zip(a=_TEXT)),
        _parquet(_nested(500)),
        _parquet(pa.table({"time": pa.array(["x" * 40_000])})),
        b"<feed>" + _DTD + b"</feed>",
        _DTD + b"<feed>&a;</feed>",
        b"<a>" * 200_000,
        b'{"a":' * 100_000,
    ],
    ids=["gzip in gzip", "gzip bomb", "nested zip", "zip that is no workbook", "zip in gzip", "deep Parquet",
         "long cell", "DTD inside", "DTD", "deep XML", "deep JSON"],
)  # fmt: skip
def test_a_hostile_file_is_refused_with_the_reason(data: bytes) -> None:
    reason = _refused_or_read(data)
    assert reason and "Traceback" not in reason and "\n" not in reason


@pytest.mark.parametrize(
    "data",
    [
        _TEXT.replace(b"x-M01", b"x-M\x0001"),
        _TEXT.replace(b"1.5", b"1.5\0"),
        _TEXT.replace(b"x-M01", b'"x-M\n01"'),
        _TEXT.replace(b"\n", b"\0\n"),
        _workbook(**{"xl/externalLinks/externalLink1.xml": _LINK}),
        _workbook(**{"xl/styles.xml": _DTD + b"<styleSheet>&a;</styleSheet>"}),
        _workbook(**{"xl/sharedStrings.xml": _DTD + b"<sst><si><t>&a;</t></si></sst>"}),
        _parquet(pa.table({"time": ["2024-03-04 00:00:00"] * 9, "sensor_id": ["x-M01\n"] * 9, "used_kwh": [1] * 9})),
    ],
    ids=["NUL in an ID", "NUL in a value", "ID with a line break", "NUL at the end", "external link", "DTD in styles",
         "DTD in strings", "Parquet ID with a line break"],
)  # fmt: skip
def test_a_hostile_file_is_refused_or_each_row_is_accounted_for(data: bytes) -> None:
    reason = _refused_or_read(data)
    with open("/etc/hostname", "rb") as file:  # noqa: PTH123
        assert file.read().strip().decode() not in reason or not reason


# what a model's bundle holds


def _npz(kind: str, shape: str, content: bytes = b"") -> bytes:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}".encode()
    return _zip(**{"a.npy": b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        _zip(b=b""),
        _npz("<f4", "(1,\n"),
        _npz("|O", "(1,), }", b"cos\nsystem\n(S'true'\ntR."),
        _npz("<f8", "(99999999999999,), }"),
        _npz("<f8", "(12500000,), }", bytes(100_000_000)),
    ],
    ids=["empty", "no array", "cut header", "pickle", "endless", "bomb"],
)
def test_hostile_arrays_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "trees.npz").write_bytes(data)
    with pytest.raises(DataError, match=r"trees\.npz"):
        read_arrays(tmp_path / "trees.npz", ["a"])
