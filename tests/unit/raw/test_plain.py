"""The compiled reader says what the readers of text say, on whatever bytes a collector may send."""

import struct
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from builders import BOOK, HEADER, SOURCE, plant, raw, row, same
from hypothesis import given
from hypothesis import strategies as st

from fems.raw.decode import decode, decode_all
from fems.raw.fast import machine, plain
from fems.raw.labels import read_labels
from fems.raw.typed import TypedRows
from fems.registry.feed import FactoryFeed

FIELD = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-9999, max_value=9999).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.text(alphabet="0123456789.,-+eE kWh%'\u00a0\ufeff한\u3000", max_size=24),
    st.sampled_from(
        ["", "-", "-0", "-.5", "5.", ".", "ERR", "1.2.3", "9007199254740993", "0" * 30 + "1", "통신불량"]
    ),
)
TIME = st.one_of(
    st.datetimes(datetime(1890, 1, 1), datetime(2210, 1, 1)).map(  # noqa: DTZ001 - a label has no zone
        lambda t: f"{t:%Y-%m-%d %H:%M:%S}"
    ),
    st.integers(0, 96).map(lambda i: f"2025-03-04 {i // 4:02d}:{i % 4 * 15:02d}:00"),
    st.text(alphabet="0123456789-: ", min_size=19, max_size=19),
    st.sampled_from(
        ["2024-02-29 00:00:00", "2025-02-29 00:00:00", "2025-03-04T00:15:00Z", "1741061100", "soon", ""]
    ),
)
LINE = st.one_of(
    st.tuples(TIME, st.sampled_from(["F", "F", "F ", "G"]), st.sampled_from(["F-M01", "F-M02", "F-M99", " F-M01"]),
              FIELD, FIELD, FIELD, FIELD, FIELD).map(",".join),
    st.text(alphabet="0123456789,.-: \t\"F\u00a0\u1680\ufeff\x1c\x0b", max_size=40),
    st.sampled_from(["", " ", "\t\t", "\u00a0", "\ufeff", row(), row() + ",", "합계,,,,,,,"]),
)  # fmt: skip


def read(data: bytes, source: FactoryFeed = SOURCE) -> TypedRows:
    [batch] = plain.batches([(raw(0, data), data)], source)
    rows = plain.read(batch)
    assert rows is not None
    return rows


@given(st.lists(LINE, max_size=12), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_it_reads_as_the_readers_of_text_do(lines: list[str], end: str, ended: bool) -> None:
    data = (end.join([HEADER, *lines]) + (end if ended else "")).encode()
    [one] = decode_all([(raw(0, data), data)], SOURCE)
    other = decode(raw(0, data), data, SOURCE)
    assert same(one, other), (one, other)


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_come_out_as_the_readers_of_text_have_them(body: bytes, under_a_header: bool) -> None:
    data = (HEADER + "\n" + row() + "\n").encode() * under_a_header + body
    [one] = decode_all([(raw(0, data), data)], SOURCE)
    assert same(one, decode(raw(0, data), data, SOURCE))


@given(st.lists(LINE, min_size=1, max_size=8), st.sampled_from([",", "."]))
def test_another_delimiter_and_decimal_mark(lines: list[str], decimal: str) -> None:
    source = FactoryFeed.of(plant(delimiter=";", decimal=decimal), BOOK, "F")
    text = "\n".join([HEADER, row(), *lines]) + "\n"
    data = text.replace(",", ";").replace(".", decimal).encode()
    [one] = decode_all([(raw(0, data), data)], source)
    assert same(one, decode(raw(0, data), data, source))


@given(
    st.lists(
        st.one_of(
            st.from_regex(r"\A-?[0-9]{1,17}(\.[0-9]{0,17})?\Z"),
            st.floats(-1e6, 1e6).map(lambda x: format(x, ".15f")),
            st.integers(2**53 - 9, 2**53 + 9).map(str),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_numbers_are_rounded_as_float_rounds_them(texts: list[str]) -> None:
    rows = read("\n".join([HEADER, *(row(used=text) for text in texts), ""]).encode())
    bits = [struct.pack("d", value) for value in rows.values[0].tolist()]
    assert bits == [struct.pack("d", float(text)) for text in texts]
    assert not rows.states[0].any() and not len(rows.odd.rows)


@given(st.lists(TIME.filter(lambda text: text.strip() != ""), min_size=1, max_size=20))
def test_times_mean_what_they_mean_elsewhere(texts: list[str]) -> None:
    rows = read("\n".join([HEADER, *(row(time=text) for text in texts), ""]).encode())
    assert [rows.times.texts[code].as_py() for code in rows.times.codes.tolist()] == texts
    seconds, ahead = read_labels(texts, SOURCE.mapping.time_formats)
    np.testing.assert_array_equal(rows.seconds[rows.times.codes], seconds)
    np.testing.assert_array_equal(rows.ahead[rows.times.codes], ahead)


def test_every_day_from_1900_to_2199_is_counted() -> None:
    days = np.arange("1900-01-01", "2200-01-01", dtype="datetime64[D]")
    texts = [f"{day} 24:00:00" for day in days]
    rows = read("\n".join([HEADER, *(row(time=text) for text in texts), ""]).encode())
    assert (rows.seconds[:-1] == (days.astype(np.int64)[:-1] + 1) * 86_400).all()
    np.testing.assert_array_equal(rows.seconds, read_labels(texts, SOURCE.mapping.time_formats)[0])


def test_most_of_a_collectors_file_is_read_by_it_and_by_no_other() -> None:
    lines = [
        row(time=f"2025-03-04 {i // 4:02d}:{i % 4 * 15:02d}:00", sensor=f"F-M0{j}")
        for i in range(96)
        for j in (1, 2)
    ]
    rows = read("\n".join([HEADER, *lines, ""]).encode())
    assert len(rows.lines) == 192 and not len(rows.odd.rows)
    assert (len(rows.times.texts), len(rows.sensors.texts), len(rows.factories.texts)) == (96, 2, 1)
    assert rows.fields(3) == lines[3].split(",")


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    found: list[Path] = []
    monkeypatch.setattr(machine, "_folders", lambda: iter(found))
    machine.reader.cache_clear()
    yield found
    machine.reader.cache_clear()


def test_where_no_folder_takes_machine_code_the_readers_of_text_do_the_work(
    folders: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    folders.append(tmp_path / "file" / "no folder")
    assert machine.reader() is None
    data = (HEADER + "\n" + row(used="12 kWh") + "\n").encode()
    [one] = decode_all([(raw(0, data), data)], SOURCE)
    assert same(one, decode(raw(0, data), data, SOURCE)) and one.values[0, 0] == 12


def test_machine_code_is_made_once_and_lies_there_whole(folders: list[Path], tmp_path: Path) -> None:
    folders += [tmp_path / "read-only" / "x", tmp_path / "cache"]
    (tmp_path / "read-only").touch()
    made = []

    def compiled() -> bytes:
        made.append(b"code")
        return b"code"

    assert [machine._kept("a machine", compiled) for _ in range(3)] == [b"code"] * 3
    assert len(made) == 1
    assert machine._kept("another", compiled) == b"code" and len(made) == 2
    assert [path.read_bytes() for path in sorted((tmp_path / "cache").iterdir())] == [b"code"] * 2
