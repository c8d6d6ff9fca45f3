"""Objects of every container, encoding and delimiter become the same table; what cannot is refused by name."""

import gzip
import io
import zipfile
from contextlib import suppress
from datetime import date, datetime, time, timedelta

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fems.errors import UndecodableObject
from fems.raw import child, containers, formats
from fems.raw.tables import read_tables
from fems.raw.text import TextTable, distinct
from fems.registry.mapping import FileMapping

ROWS = [["시각", "사용량", "역률"], ["2025-03-04 00:00", "1.5", "90"], ["2025-03-04 00:15", "2.25", "91"]]
TEXT = "\n".join(",".join(row) for row in ROWS) + "\n"


def read(data: bytes | str, coded: tuple[str, ...] = (), **mapping: object) -> TextTable:
    data = data.encode() if isinstance(data, str) else data
    [table] = read_tables(data, FileMapping(**mapping), coded)
    return table


def rows_of(table: TextTable) -> list[list[str]]:
    columns = [column.to_pylist() for column in table.columns.values()]
    return [list(table.columns), *map(list, zip(*columns, strict=True))]


def workbook(rows: list[list[object]], *before: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for content in (*before, rows):
        sheet = book.create_sheet()
        for row in content:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def parquet(**columns: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


PARQUET = parquet(**dict(zip(ROWS[0], zip(*ROWS[1:], strict=True), strict=True)))


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        TEXT.removesuffix("\n").encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("cp949"),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.replace("\n", "\r\n").encode("utf-16"),
        TEXT.replace(",", ";").encode(),
        TEXT.replace(",", "\t").encode("cp949"),
        TEXT.replace(",", "|").encode(),
        TEXT.replace("시각,사용량", '"시각","사용량"').encode(),
        gzip.compress(TEXT.encode("cp949")),
        gzip.compress(TEXT[:30].encode()) + gzip.compress(TEXT[30:].encode()),
        workbook(ROWS),
        gzip.compress(workbook(ROWS)),
        PARQUET,
        gzip.compress(PARQUET),
    ],
)
def test_the_same_table_in_every_dress(data: bytes) -> None:
    table = read(data, coded=("시각",))
    assert rows_of(table) == ROWS
    assert table.lines.tolist() == [2, 3]
    assert table.lines.dtype == np.int32
    assert table.bad == []


def test_titles_above_the_header_are_skipped_and_lines_stay_those_of_the_file() -> None:
    titles = "에너지 보고서\n\n기간: 3월, 공장: 1120\n"
    table = read(titles + "\n" + TEXT + "\n2025-03-04 00:30,3\n2025-03-04 00:45,4,92\n", skip_lines=3)
    assert table.lines.tolist() == [6, 7, 10]
    assert [(bad.line, bad.text) for bad in table.bad] == [(9, "2025-03-04 00:30,3")]
    sheet = workbook([["에너지 보고서"], [], ["기간", "3월"], [], *ROWS, [], ["2025-03-04 00:45", "4", "92"]])
    assert read(sheet, skip_lines=3).lines.tolist() == [6, 7, 9]


def test_the_delimiter_is_found_in_the_header_unless_the_mapping_fixes_it() -> None:
    assert rows_of(read('a;"b,c,d";e\n1,5;2;3\n'))[1] == ["1,5", "2", "3"]
    assert list(read("a;b,c\n1;2\n", delimiter=";").columns) == ["a", "b,c"]
    with pytest.raises(ValidationError, match="between fields"):
        FileMapping(delimiter='"')


def test_columns_without_a_header_are_left_out() -> None:
    assert rows_of(read("a,b,,\n1,2,,\n")) == [["a", "b"], ["1", "2"]]
    assert rows_of(read(workbook([["a", "b", None], [1, 2, "a note"]]))) == [["a", "b"], ["1", "2"]]


def test_a_stray_quote_costs_its_own_line_alone() -> None:
    table = read('a,b\n1,2\n"3,4\n5,"6\n7,"8"\n9"",10\n')
    assert rows_of(table)[1:] == [["1", "2"], ["7", "8"], ['9""', "10"]]
    assert [bad.line for bad in table.bad] == [3, 4]
    assert "no other half" in table.bad[0].reason


QUOTED = {
    "a note": ('a,b,c\n1,2,"x\ny"\n3,4,z\n', [["1", "2", "x y"], ["3", "4", "z"]], [2, 4], []),
    "blank lines in it, and commas": (
        'a,b,c\r\n1,2,"x, y\r\n\r\nz"\r\n3,4,\r\n', [["1", "2", "x, y  z"], ["3", "4", ""]], [2, 5], []
    ),
    "two in one row": ('a;b;c\n"x\ny";2;"v\nw"\n3;4;5\n', [["x y", "2", "v w"], ["3", "4", "5"]], [2, 5], []),
    "quotes in it": ('a;b\n1;"say ""x""\ny"\n3;4', [["1", 'say "x" y'], ["3", "4"]], [2, 4], []),
    "a row of a trailing delimiter": ('a;b;c\n1;2;"x\ny";\n3;4;5;\n', [["1", "2", "x y"], ["3", "4", "5"]], [2, 4], []),
    "half a pair before it": ('a;b\n1;"2\n3;"x\ny"\n5;6\n', [["3", "x y"], ["5", "6"]], [3, 5], [2]),
    "half a pair behind it": ('a;b\n1;"x\ny"\n3;"4\n5;6\n', [["1", "x y"], ["5", "6"]], [2, 5], [4]),
    "rows between two halves": ('a;b\n1;"2\n3;4\n5;6\n7;8"\n', [["3", "4"], ["5", "6"]], [3, 4], [2, 5]),
}  # fmt: skip


@pytest.mark.parametrize("kind", QUOTED)
def test_a_field_in_quotes_may_hold_line_breaks(kind: str) -> None:
    written, expected, lines, bad = QUOTED[kind]
    table = read(written)
    assert rows_of(table)[1:] == expected
    assert table.lines.tolist() == lines and [each.line for each in table.bad] == bad


def test_a_header_on_two_lines_is_one_name() -> None:
    for written in ('t,"power\n(kW)"\n1,2\n', 't,"power \r\n (kW)"\r\n1,2\r\n'):
        assert rows_of(read(written)) == [["t", "power (kW)"], ["1", "2"]]
    assert rows_of(read(workbook([["t", "power\n(kW)"], [1, 2]])))[0] == ["t", "power (kW)"]
    assert FileMapping(columns={"used_kwh": "power\n(kW)"}).columns == {"used_kwh": "power (kW)"}


def test_a_line_break_of_another_system_in_a_line_costs_that_line_alone() -> None:
    table = read("a,b\n1,2\n3,\r4\n5,6\n")
    assert rows_of(table)[1:] == [["1", "2"], ["3", ""], ["5", "6"]]
    assert [bad.text for bad in table.bad] == ["4"]


@pytest.mark.parametrize("encoding", ["utf-8", "cp949", "utf-16"])
def test_a_file_cut_anywhere_loses_only_its_end(encoding: str) -> None:
    whole = "시각,상태\n" + "00:00,정상\n" * 3
    data = whole.encode(encoding)
    for end in range(len("시각,상태\n00:00,정상\n".encode(encoding)), len(data)):
        table = read(data[:end])
        assert rows_of(table)[1] == ["00:00", "정상"]
        assert len(table.lines) + len(table.bad) == data[:end].decode(encoding, "replace").rstrip().count(
            "\n"
        )


def test_rows_that_do_not_fit_are_found_by_line_in_a_long_file() -> None:
    lines = ["a,b", *(f"{i},{i}" for i in range(300_000))]
    for place in (5, 100_000, 299_999):
        lines[place] = "odd"
    table = read("\n".join(lines))
    assert [bad.line for bad in table.bad] == [6, 100_001, 300_000]
    np.testing.assert_array_equal(np.array(table.columns["a"].to_pylist(), int) + 2, table.lines)
    assert len(table.columns["a"].chunks) > 1, "the case is meant to run over several blocks of the reader"
    codes, texts = distinct(read("\n".join(lines), coded=("A",)).columns["a"])
    assert [texts[code] for code in codes] == table.columns["a"].to_pylist()


@given(st.lists(st.lists(st.sampled_from(["", "a", "b", "한"]), max_size=4), max_size=3), st.integers(0, 5))
def test_distinct_is_the_column(chunks: list[list[str]], begin: int) -> None:
    column = pa.chunked_array([pa.array(chunk, pa.string()) for chunk in chunks], pa.string()).slice(begin)
    coded = pa.chunked_array(
        [chunk.dictionary_encode() for chunk in column.chunks], pa.dictionary(pa.int32(), pa.string())
    )
    for form in (column, coded):
        codes, texts = distinct(form)
        assert [texts[code] for code in codes] == column.to_pylist()
        assert codes.dtype == np.int32 and len(set(texts)) == len(texts)


def test_cells_of_a_workbook_keep_what_they_say() -> None:
    cells: list[object] = [
        *(5, 0.1, 1e20, 12.0, -3, True, "1,234", "", None),
        *(datetime(2025, 3, 4, 13, 5, 7), date(2025, 3, 4), time(1, 5), timedelta(hours=25), 1741061100000),  # noqa: DTZ001
    ]
    table = read(workbook([["n", "v"], *([i, value] for i, value in enumerate(cells))]))
    assert table.columns["v"].to_pylist() == [
        *("5", "0.1", "1e+20", "12", "-3", "true", "1,234", "", ""),
        *("2025-03-04 13:05:07", "2025-03-04", "01:05:00", "25:00:00", "1741061100000"),
    ]


def test_a_sheet_without_a_header_is_not_read_and_its_rows_are_counted() -> None:
    table = read(workbook(ROWS, [], [["Cover"], ["made by the collector"]]))
    assert rows_of(table) == ROWS
    assert [(bad.line, bad.text) for bad in table.bad] == [(1, "Cover"), (2, "made by the collector")]
    assert "the sheet 'Sheet1' is not read" in table.bad[0].reason


@given(st.lists(st.floats(), min_size=1))
def test_parquet_numbers_are_written_to_the_last_digit(values: list[float]) -> None:
    with np.errstate(over="ignore"):
        singles = np.array(values, np.float32)
    table = read(parquet(a=values, b=singles))
    np.testing.assert_array_equal([float(text) for text in table.columns["a"].to_pylist()], values)
    np.testing.assert_array_equal(np.array(table.columns["b"].to_pylist(), np.float32), singles)


def test_parquet_columns_of_every_kind_become_text() -> None:
    moment = datetime(2025, 3, 4, 13, 5)  # noqa: DTZ001
    table = read(
        parquet(
            time=pa.array([moment, None], pa.timestamp("us")),
            fine=pa.array([moment, moment.replace(microsecond=500_000)], pa.timestamp("ms")),
            zoned=pa.array([moment, None], pa.timestamp("us", "Asia/Seoul")),
            day=pa.array([moment.date(), None]),
            sensor=pa.array(["M01", None]).dictionary_encode(),
            count=pa.array([7, None], pa.uint8()),
            half=pa.array([np.float16(0.5), None], pa.float16()),
            raw=pa.array([b"x", None], pa.binary()),
            empty=pa.nulls(2),
        )
    )
    assert rows_of(table)[1:] == [
        [
            "2025-03-04 13:05:00",
            "2025-03-04 13:05:00.000",
            "2025-03-04 13:05:00Z",
            "2025-03-04",
            "M01",
            "7",
            "0.5",
            "x",
            "",
        ],
        ["", "2025-03-04 13:05:00.500", "", "", "", "", "", "", ""],
    ]
    assert pa.types.is_dictionary(table.columns["sensor"].type)


def archive(name: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(name, TEXT)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b" \r\n\n", "empty"),
        ("\ufeff\n".encode(), "empty"),
        ("\u3000\n\u00a0".encode(), "empty"),
        (gzip.compress(b""), "empty"),
        (b"\x89PNG\r\n\x1a\n....", "PNG picture"),
        (b"%PDF-1.7", "PDF document"),
        (b"PK\x03\x04....", "ZIP archive"),
        (archive("a.csv"), "ZIP archive, not an Excel workbook"),
        (archive("xl/workbook.bin"), "save it as .xlsx"),
        (archive("xl/workbook.xml"), "cannot be read"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "save it as .xlsx"),
        (b"PAR1....PAR1", "Parquet file cannot be read"),
        (parquet(a=pa.array([[1, 2]]), b=[1]), "'a' of the Parquet file is nested"),
        (parquet(a=pa.array([], pa.string())), "no row"),
        (workbook([["a", "b"]]), "no row"),
        (workbook([["Cover"]]), "no sheet with a header"),
        (b"a,b\x00c\n1,2\n", "binary"),
        (b"\xfa\xfb\xfc\n\xff\n1", "not text"),
        (b"a,b\n", "no row"),
        (b",\n", "names no column"),
        (b'a,b\n"1,\n2,3"\n', "quoted field"),
        (gzip.compress(gzip.compress(TEXT.encode())), "gzip within gzip"),
        (gzip.compress(TEXT.encode())[:-9], "cut short"),
        (gzip.compress(TEXT.encode()) + b"more", "behind its end"),
        (b"\x1f\x8b\x08....", "broken"),
    ],
)
def test_what_is_no_table_is_refused_by_name(data: bytes, reason: str) -> None:
    with pytest.raises(UndecodableObject, match=reason):
        read(data)


def test_bombs_are_refused_before_they_unfold(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UndecodableObject, match="unfolds to more than"):
        read(gzip.compress(b"0" * (65 << 20)))
    monkeypatch.setattr(formats, "_ALWAYS_ALLOWED", 1000)
    monkeypatch.setattr(formats, "_RATIO", 1)
    with pytest.raises(UndecodableObject, match="unfolds to more than"):
        containers.read_container(workbook([["a" * 1000, "b"] * 100] * 100))
    monkeypatch.setattr(formats, "LARGEST", 1000)
    with pytest.raises(UndecodableObject, match="unfolds to more than"):
        containers.read_container(parquet(a=np.zeros(1000)))


def long_lines() -> bytes:
    return b"a,b\n1," + b"2" * (2 << 20) + b"\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (long_lines(), "line of more than"),
        (b"a," * 20_000 + b"b\n", "more than 10,000 columns"),
        (workbook([["a", "b"], ["x" * 32_767, 1], [1, 2]]).replace(b"x", b"x"), None),
        (
            parquet(
                a=pa.DictionaryArray.from_arrays(np.zeros(50_000, np.int32), ["y" * 200_000]), b=[1] * 50_000
            ),
            "32,767 characters",
        ),
        (parquet(a=pa.array(["y" * 200_000]), b=[1]), "32,767 characters"),
        (parquet(**{f"c{i}": [1] for i in range(10_001)}), "more than 10,000 columns"),
    ],
)
def test_what_passes_a_limit_is_refused_by_name_and_the_next_object_is_read(
    data: bytes, reason: str | None
) -> None:
    if reason is None:
        assert read(data).lines.tolist() == [2, 3]
        return
    with pytest.raises(UndecodableObject, match=reason):
        read(data)
    assert rows_of(read(workbook(ROWS))) == ROWS


def test_what_breaks_the_reader_of_workbooks_breaks_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook(ROWS))) as sound, zipfile.ZipFile(out, "w") as broken:
        for name in sound.namelist():
            content = sound.read(name)
            if name == "xl/worksheets/sheet1.xml":  # a cell far out, spelled as the guard does not know it
                far = b"<row r='1048576'><c r = 'XFD1048576'><v>1</v></c></row></sheetData>"
                content = content.replace(b"</sheetData>", far)
            broken.writestr(name, content)
    with pytest.raises(UndecodableObject, match="breaks its reader, or needs more than"):
        read(out.getvalue())
    monkeypatch.setattr(child, "SECONDS", 0.0)
    with pytest.raises(UndecodableObject, match="takes longer than"):
        read(workbook(ROWS))
    monkeypatch.undo()
    assert rows_of(read(workbook(ROWS))) == ROWS


def test_a_stray_cell_at_the_end_of_the_sheet_is_refused_before_the_rectangle_is_made() -> None:
    book = openpyxl.Workbook()
    book.active.append(["a", "b"])
    book.active["XFD1048576"] = 1
    out = io.BytesIO()
    book.save(out)
    with pytest.raises(UndecodableObject, match="spans more than"):
        read(out.getvalue())


WORKBOOK = workbook(ROWS)
MANGLED = st.sampled_from([WORKBOOK, PARQUET, gzip.compress(TEXT.encode()), TEXT.encode("utf-16")])


@given(st.binary(max_size=300), st.booleans())
def test_random_bytes_never_raise_anything_else(data: bytes, packed: bool) -> None:
    try:
        table = read(gzip.compress(data) if packed else data)
    except UndecodableObject:
        return
    assert len(table.lines) + len(table.bad)


@settings(deadline=None, max_examples=200)
@given(MANGLED, st.data())
def test_broken_containers_never_raise_anything_else(whole: bytes, data: st.DataObject) -> None:
    broken = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 3)) if broken else 0):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UndecodableObject):
        read(bytes(broken))


@settings(deadline=None)
@given(st.data())
def test_a_broken_sheet_in_a_sound_archive_never_raises_anything_else(data: st.DataObject) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(WORKBOOK)) as sound, zipfile.ZipFile(out, "w") as broken:
        for name in sound.namelist():
            content = bytearray(sound.read(name))
            if data.draw(st.booleans()):
                content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
            broken.writestr(name, bytes(content))
    with suppress(UndecodableObject):
        read(out.getvalue())


line = st.text(alphabet='0123456789,;"\r\t 한', max_size=12)


@given(st.lists(line, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_no_line_is_lost(lines: list[str], end: str) -> None:
    text = end.join(["a,b", "1,2", *lines])
    try:
        table = read(text)
    except UndecodableObject:
        return
    every = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    written = [n for n, line in enumerate(every, 1) if line.strip()]
    found = sorted([1, *table.lines.tolist(), *(bad.line for bad in table.bad)])
    assert len(set(found)) == len(found) and set(found) <= set(written)
    for n in set(written) - set(found):  # it is within a field in quotes that began in a line before
        begin = max(line for line in found if line < n)
        end_of_record = min([line for line in found if line > n], default=len(every) + 1)
        assert every[begin - 1].count('"') % 2 == 1
        assert "".join(every[begin - 1 : end_of_record - 1]).count('"') % 2 == 0


def test_a_header_that_stands_twice_is_left_out() -> None:
    table = read("a,b,a\n1,2,3\n")
    assert rows_of(table) == [["b"], ["2"]] and table.header == ("a", "b", "a")


def test_parquet_texts_that_are_no_text_are_refused() -> None:
    good = parquet(a=["abcde" * 3], b=[1])
    assert good.count(b"abcdeabcdeabcde") >= 1
    with pytest.raises(UndecodableObject, match="Parquet file cannot be read"):
        read(good.replace(b"abcdeabcdeabcde", b"abcdeabc\xc5eabcde"))
