"""Text into numbers: what is plain stays what it is, what is odd is read or named, and nothing is guessed."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fems.raw.numbers import EMPTY, MEASURED, RETYPED, WRONG, parse_number, to_numbers

NAN = float("nan")


@pytest.mark.parametrize(
    ("written", "value", "state"),
    [
        ("12.5", 12.5, MEASURED),
        ("-0.25", -0.25, MEASURED),
        ("+3", 3.0, MEASURED),
        ("2.5e1", 25.0, MEASURED),
        ("5.", 5.0, MEASURED),
        (".5", 0.5, MEASURED),
        ("1,234.5", 1234.5, RETYPED),
        ("1,234", 1234.0, RETYPED),
        ("1,234,567", 1234567.0, RETYPED),
        ("12,5", 12.5, RETYPED),
        ("0,123", 0.123, RETYPED),
        ("1 234,5", 1234.5, RETYPED),
        ("1\u00a0234.5", 1234.5, RETYPED),
        ("1.234,56", 1234.56, RETYPED),
        ("1'234.5", 1234.5, RETYPED),
        ("\u221212.5", -12.5, RETYPED),
        ("- 5", -5.0, RETYPED),
        ("\u00a07\u00a0", 7.0, RETYPED),
        ("１２．５", 12.5, RETYPED),
        ("12.3 kWh", 12.3, RETYPED),
        ("12.3㎾h", 12.3, RETYPED),
        ("0.7kVarh", 0.7, RETYPED),
        ("10 A", 10.0, RETYPED),
        ("96％", 96.0, RETYPED),
        ("21.5 ℃", 21.5, RETYPED),
        ("21.5 °C", 21.5, RETYPED),
        ("", NAN, EMPTY),
        ("  ", NAN, EMPTY),
        ("-", NAN, EMPTY),
        ("---", NAN, EMPTY),
        ("N/A", NAN, EMPTY),
        ("#N/A", NAN, EMPTY),
        ("NaN", NAN, EMPTY),
        ("-inf", NAN, EMPTY),
        ("ERR", NAN, WRONG),
        ("오류", NAN, WRONG),
        ("통신불량", NAN, WRONG),
        ("5 MWh", NAN, WRONG),
        ("5 kW", NAN, WRONG),
        ("5²", NAN, WRONG),
        ("½", NAN, WRONG),
        ("1.2.3", NAN, WRONG),
        ("1-2", NAN, WRONG),
        ("12/25", NAN, WRONG),
        ("1,23,456", NAN, WRONG),
        ("1 2 3", NAN, WRONG),
        ("0x1A", NAN, WRONG),
        ("1_000", NAN, WRONG),
        ("1e999", NAN, WRONG),
        ("9" * 400, NAN, WRONG),
        (".", NAN, WRONG),
    ],
)
def test_every_way_to_write_a_number(written: str, value: float, state: int) -> None:
    values, states, odd = to_numbers(pa.chunked_array([["1", written, "2.5"]]))
    np.testing.assert_array_equal(values, [1.0, value, 2.5])
    assert states.tolist() == [MEASURED, state, MEASURED]
    assert odd.tolist() == ([] if state == MEASURED or not written.strip() else [1])


cell = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.text(alphabet="0123456789.,-+ e'%A\u00a0\u2212한", max_size=12),
    st.text(max_size=8),
    st.sampled_from(["", "-", "ERR", "NaN", "1,234.5"]),
)


@given(st.lists(st.lists(st.one_of(st.none(), cell), max_size=12), max_size=4), st.data())
def test_a_column_at_once_reads_as_its_cells_one_by_one(
    chunks: list[list[str | None]], data: st.DataObject
) -> None:
    texts = [text for chunk in chunks for text in chunk]
    column = pa.chunked_array([pa.array(chunk, pa.string()) for chunk in chunks], pa.string())
    begin = data.draw(st.integers(0, len(texts)))
    column, texts = column.slice(begin), texts[begin:]
    if data.draw(st.booleans()):
        column = column.dictionary_encode()
    expected = [parse_number(text or "") for text in texts]
    values, states, odd = to_numbers(column)
    np.testing.assert_array_equal(values, [value for value, _ in expected])
    assert states.tolist() == [state for _, state in expected]
    said = [
        bool((text or "").strip()) and state != MEASURED for text, state in zip(texts, states, strict=True)
    ]
    assert odd.tolist() == np.flatnonzero(said).tolist()
    assert np.isnan(values[states != MEASURED][states[states != MEASURED] != RETYPED]).all()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30))
def test_what_a_meter_writes_is_read_to_the_last_digit(written: list[float]) -> None:
    values, states, _ = to_numbers(pa.chunked_array([[repr(value) for value in written]]))
    assert values.tolist() == written
    assert not states.any()


@given(st.lists(cell, min_size=1, max_size=12), st.integers(0, 5))
def test_a_file_that_writes_the_decimal_comma_says_the_same(texts: list[str], begin: int) -> None:
    swapped = [text.translate(str.maketrans(".,", ",.")) for text in texts]
    as_point = to_numbers(pa.chunked_array([texts]).slice(begin))
    as_comma = to_numbers(pa.chunked_array([swapped]).slice(begin), ",")
    for point, comma in zip(as_point, as_comma, strict=True):
        np.testing.assert_array_equal(point, comma)


def test_with_a_decimal_comma_three_decimals_are_no_thousands() -> None:
    values, states, odd = to_numbers(pa.chunked_array([["1,234", "0,987", "1.234,5"]]), ",")
    assert values.tolist() == [1.234, 0.987, 1234.5]
    assert states.tolist() == [MEASURED, MEASURED, RETYPED]
    assert odd.tolist() == [2]
