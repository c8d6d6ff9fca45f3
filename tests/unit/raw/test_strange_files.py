"""Files as strange programs write them: the right value, or one clear reason why there is none. In both readers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from three_days import ISO, KWH, MANY, ONE, PLAIN, TIMES, UTC, Label, assert_right, read, rows, text, workbook

from fems.errors import ConfigError
from fems.raw.fast import plain


@pytest.fixture(params=["compiled", "text"], autouse=True)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "text":
        monkeypatch.setattr(plain, "reader", lambda: None)


HEADERS = {
    "Active power (kW)": 1, "Leistung in kW": 1, "load_MW": 0.001, "Verbrauch (MWh/h)": 0.001, "P_total_W": 1000,
    "사용전력량[Wh]": 1000, "Energy (MWh) 15min": 0.001, "Power Wh total": 1000, "1.8.0 [kWh]": 1, "phase_a": 1,
    "Box 3 kWh": 1, "Line 100 (kWh)": 1, "Press E1 MWh": 0.001, "Max 2 [kW]": 1,
}  # fmt: skip


@pytest.mark.parametrize("header", HEADERS)
def test_a_unit_in_the_header_is_read(header: str) -> None:
    mapping = {"columns": {"timestamp": "t", "used_kwh": header}, **ONE}
    table = rows(value=lambda x: f"{x * HEADERS[header]:.7f}")
    assert_right(read(text(table, ("t", header), ";"), mapping)[0])


@pytest.mark.parametrize("header", ["Energy (x1000 kWh)", "kWh x 1000", "MWh*10"])
def test_a_unit_with_a_number_is_asked_about(header: str) -> None:
    mapping = {"columns": {"timestamp": "t", "used_kwh": header}, **ONE}
    native, reasons = read(text(rows(), ("t", header), ";"), mapping)
    assert native.empty and "names a unit and a number" in reasons[0]
    assert_right(read(text(rows(), ("t", header), ";"), {**mapping, "units": {"used_kwh": "kWh"}})[0])


def test_a_line_of_units_below_the_header_is_no_row() -> None:
    table = [["", "MWh"], *rows(value=lambda x: f"{x / 1000:.6f}")]
    native, reasons = read(text(table, sep=";"), PLAIN)
    assert_right(native)
    assert reasons == []
    sheet = [
        ["t", "v"],
        [None, "[W]"],
        *[[t.strftime(ISO), x * 1000] for t, x in zip(TIMES, KWH, strict=True)],
    ]
    assert_right(read(workbook({"S": sheet}), PLAIN, "a.xlsx")[0])


def test_a_column_of_units_says_what_each_value_is() -> None:
    table = [
        [t, f"{float(x) / 1000:.6f}" if i % 3 else x, "MWh" if i % 3 else "kWh"]
        for i, (t, x) in enumerate(rows())
    ]
    table[5][2] = "bar"
    native, _ = read(text(table, ("t", "v", "Unit")), PLAIN)
    assert_right(native, np.delete(KWH, 5), TIMES.delete(5))


GERMAN = str.maketrans(",.", ".,")
NUMBERS: dict[str, tuple[Callable[[float], str], Any]] = {
    "dot thousands": (lambda x: f"{x:,.3f}".translate(GERMAN), MANY),
    "no-break space": (lambda x: f"{x:,.3f}".replace(",", "\u00a0").replace(".", ","), MANY),
    "narrow space": (lambda x: f"{x:,.3f}".replace(",", "\u202f").replace(".", ","), MANY),
    "apostrophe": (lambda x: f"{x:,.3f}".replace(",", "'"), MANY),
    "curly apostrophe": (lambda x: f"{x:,.3f}".replace(",", "\u2019"), MANY),
    "exponent with a comma": (lambda x: f"{x:.6E}".replace(".", ","), KWH),
    "kept as text": (lambda x: f"'{x}", KWH),
    "formula of a text": (lambda x: f'="{x}"', KWH),
    "plus": (lambda x: f"+{x}", KWH),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_however_they_are_written(kind: str) -> None:
    value, kwh = NUMBERS[kind]
    assert_right(read(text(rows(value=value, kwh=kwh), sep=";"), PLAIN)[0], kwh)


@pytest.mark.parametrize("sep", [";", "\t"])
def test_whole_numbers_grouped_by_points_are_no_small_ones(sep: str) -> None:
    pulses = (KWH * 150).round()
    native, _ = read(text(rows(value=lambda x: f"{x:,.0f}".replace(",", "."), kwh=pulses), sep=sep), PLAIN)
    small = pulses < 1000
    assert_right(native, pulses[small], TIMES[small])
    grouped = text(rows(value=lambda x: f"{x:,.0f}".replace(",", "."), kwh=pulses), ("t", "v (Wh)"), sep)
    in_wh = {"columns": {"timestamp": "t", "used_kwh": "v (Wh)"}, **ONE}
    assert_right(read(grouped, in_wh)[0], pulses[small] / 1000, TIMES[small])
    german = {**PLAIN, "decimal": ","}
    assert_right(
        read(text(rows(value=lambda x: f"{x:,.0f}".replace(",", "."), kwh=pulses), sep=sep), german)[0],
        pulses,
    )


def test_quoted_commas_before_three_digits_are_thousands_only_beside_smaller_numbers() -> None:
    pulses = (KWH * 150).round()
    assert_right(read(text(rows(value=lambda x: f'"{x:,.0f}"', kwh=pulses)), PLAIN)[0], pulses)
    native, _ = read(text(rows(value=lambda x: f'"{x:.3f}"'.replace(".", ","))), PLAIN)
    assert native.empty, "4,123 alone may be either"


def half(t: pd.Timestamp) -> str:
    return f"{t:%Y-%m-%d} {'오전' if t.hour < 12 else '오후'} {(t.hour - 1) % 12 + 1}:{t:%M:%S}"


LABELS: dict[str, tuple[Label | str, dict[str, Any], Any]] = {
    "half of the day in Korean": (half, {}, TIMES),
    "a.m.": (
        lambda t: f"{t:%m/%d/%Y %I:%M} {'a.m.' if t.hour < 12 else 'p.m.'}",
        {"time_format": "%m/%d/%Y %I:%M %p"},
        TIMES,
    ),
    "seconds": (lambda t: str(int(t.timestamp())), {}, TIMES),
    "milliseconds": (lambda t: str(int(t.timestamp() * 1000)), {}, TIMES),
    "nanoseconds": (lambda t: str(int(t.timestamp()) * 10**9), {}, TIMES),
    "UTC+9": ("%Y-%m-%d %H:%M UTC+9", {}, TIMES),
    "GMT+09:00": ("%Y-%m-%d %H:%M GMT+09:00", {}, TIMES),
    "zone in brackets": ("%Y-%m-%dT%H:%M:%S+09:00[Asia/Seoul]", {}, TIMES),
    "000Z in the format": ("%d.%m.%Y %H:%M:%S.000Z", {"time_format": "%d.%m.%Y %H:%M:%S.000Z"}, UTC),
    "(UTC) in the format": ("%d.%m.%Y %H:%M (UTC)", {"time_format": "%d.%m.%Y %H:%M (UTC)"}, UTC),
    "UTC before it": ("UTC %d.%m.%Y %H:%M", {"time_format": "UTC %d.%m.%Y %H:%M"}, UTC),
    "KST in the format": ("%d.%m.%Y %H:%M KST", {"time_format": "%d.%m.%Y %H:%M KST"}, TIMES),
    "+09:00 in the format": ("%d.%m.%Y %H:%M +09:00", {"time_format": "%d.%m.%Y %H:%M +09:00"}, TIMES),
}


SAY_NO_ZONE = ("half of the day in Korean", "a.m.")


@pytest.mark.parametrize(
    ("kind", "zone"),
    [(kind, "Asia/Seoul") for kind in LABELS]
    + [(kind, "Europe/Berlin") for kind in LABELS if kind not in SAY_NO_ZONE],
)
def test_times_that_say_their_zone(kind: str, zone: str) -> None:
    label, more, times = LABELS[kind]
    native, reasons = read(text(rows(label, times=times)), {**PLAIN, **more}, zone=zone)
    assert reasons == []
    assert_right(native)


@pytest.mark.parametrize("form", ["%m/%d/%Y %H:%M %p", "%m/%d/%Y %I:%M"])
def test_half_a_day_without_its_half_is_refused(form: str) -> None:
    with pytest.raises(ValueError, match="go together"):
        read(text(rows(form)), {**PLAIN, "time_format": form})


@pytest.mark.parametrize("head", ["Time (UTC)", "timestamp_utc", "Zeit in UTC"])
def test_the_zone_in_the_header_of_the_times_is_read(head: str) -> None:
    mapping = {"columns": {"timestamp": head, "used_kwh": "v"}, **ONE}
    assert_right(read(text(rows(times=UTC), (head, "v")), mapping)[0])
    sheet = [[head, "v"], *rows(times=UTC)]
    assert_right(read(workbook({"S": sheet}), mapping, "a.xlsx")[0])


@pytest.mark.parametrize(("head", "zone"), [("시간(KST)", "Asia/Seoul"), ("MTU (CET/CEST)", "Europe/Berlin")])
def test_the_zone_of_the_place_in_the_header_is_the_clock_on_the_wall(head: str, zone: str) -> None:
    mapping = {"columns": {"timestamp": head, "used_kwh": "v"}, **ONE}
    times = pd.date_range("2024-03-04", periods=72, freq="h", tz=zone)
    assert_right(read(text(rows(times=times), (head, "v")), mapping, zone=zone)[0], times=times)


@pytest.mark.parametrize(("head", "zone"), [("Zeit (MEZ)", "Europe/Berlin"), ("Time (EST)", "Asia/Seoul")])
def test_a_zone_in_the_header_that_may_be_either_is_asked_about(head: str, zone: str) -> None:
    mapping = {"columns": {"timestamp": head, "used_kwh": "v"}, **ONE}
    native, reasons = read(text(rows(), (head, "v")), mapping, zone=zone)
    assert native.empty and "say in the mapping which clock that is, by `timezone`" in reasons[0]


def test_workbooks_whose_days_count_from_1904() -> None:
    sheet = [["t", "v"], *[[t.tz_localize(None).to_pydatetime(), x] for t, x in zip(TIMES, KWH, strict=True)]]
    assert_right(read(workbook({"S": sheet}, CALENDAR_MAC_1904), PLAIN, "a.xlsx")[0])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_text_in_utf_16(encoding: str) -> None:
    table = text(rows(value=lambda x: str(x).replace(".", ",")), sep="\t")
    assert_right(read(table.encode(encoding), PLAIN)[0])


TWO = {"x-M01": KWH, "x-M02": KWH + 1}


def assert_both_right(native: pd.DataFrame) -> None:
    assert_right(native)
    np.testing.assert_allclose(native[native["sensor_id"] == "x-M02"]["used_kwh"], KWH + 1, rtol=1e-9)


def test_the_sensor_in_two_columns_or_in_the_name_of_a_sheet() -> None:
    long = [[t, *sensor.split("-"), v] for sensor, kwh in TWO.items() for t, v in rows(kwh=kwh)]
    mapping: dict[str, Any] = {"columns": {"timestamp": "t", "used_kwh": "v", "sensor_id": ["site", "meter"]}}
    assert_both_right(read(text(long, ("t", "site", "meter", "v")), mapping)[0])
    named = {**mapping, "sensors": {"Hall 1-M01": "x-M01", "Hall 1-M02": "x-M02"}}
    other = [[t, "Hall 1", meter, v] for t, _, meter, v in long]
    assert_both_right(read(text(other, ("t", "site", "meter", "v")), named)[0])

    sheets = {sensor: [["t", "v"], *rows(kwh=kwh)] for sensor, kwh in TWO.items()}
    sheets["Total"] = [["t", "v"], ["2024-03-04 00:00", "99"]]
    by_sheet = {"columns": PLAIN["columns"], "sheet_name": "^(?P<sensor_id>x-M.*)$"}
    native, reasons = read(workbook(sheets), by_sheet, "a.xlsx")
    assert_both_right(native)
    assert len(reasons) == 2 and all("'Total' is not read" in reason for reason in reasons)


def test_a_date_in_four_columns_and_headers_of_four_digits() -> None:
    table = [
        [str(t.year), str(t.month), str(t.day), str(t.hour), str(x)] for t, x in zip(TIMES, KWH, strict=True)
    ]
    parts = {"timestamp": ["y", "m", "d", "h"], "used_kwh": "v"}
    mapping = {"columns": parts, **ONE, "time_format": "%Y %m %d %H"}
    assert_right(read(text(table, ("y", "m", "d", "h", "v")), mapping)[0])

    days = [[f"2024-03-0{4 + d}", *map(str, KWH[24 * d : 24 * d + 24])] for d in range(3)]
    wide = {
        "columns": {"timestamp": "date"},
        **ONE,
        "layout": "row_per_day",
        "row_per_day": {"column": "used_kwh"},
    }
    assert_right(read(text(days, ("date", *(f"{h:02d}00" for h in range(24)))), wide)[0])


def test_what_flows_in_less_what_flows_out() -> None:
    mapping = {"columns": {"timestamp": "t", "used_kwh": ["in", "-out"]}, **ONE}
    table = [[t, v, "7.5"] for t, v in rows()]
    assert_right(read(text(table, ("t", "in", "out")), mapping, net=True)[0], KWH - 7.5)

    ends = TIMES + pd.Timedelta(hours=1)
    table = [
        [f"{t:{ISO}}", f"{100 + a:.3f}", f"{50 + b:.3f}"]
        for t, a, b in zip(ends, KWH.cumsum(), np.full(72, 7.5).cumsum(), strict=True)
    ]
    registers = {**mapping, "time_marks": "end", "cumulative": {"used_kwh": 100_000}}
    assert_right(read(text(table, ("t", "in", "out")), registers, net=True)[0], (KWH - 7.5)[1:], TIMES[1:])


def test_clocks_that_change_by_half_an_hour() -> None:
    times = pd.date_range(
        "2024-04-06", "2024-04-09", freq="30min", tz="Australia/Lord_Howe", inclusive="left"
    )
    kwh = np.resize(KWH, len(times)) + np.arange(len(times)) * 0.001
    native, _ = read(text(rows(kwh=kwh, times=times)), PLAIN, zone="Australia/Lord_Howe", grain="30min")
    assert_right(native, kwh, times)
    with pytest.raises((ConfigError, ValueError), match="30 minutes at most"):
        read(text(rows()), PLAIN, zone="Australia/Lord_Howe")


INTERVALS: dict[str, tuple[Callable[[pd.Timestamp, pd.Timestamp], str], dict[str, Any]]] = {
    "a tilde": (lambda a, b: f"{a:{ISO}}~{b:%H:%M}", {}),
    "a hyphen": (lambda a, b: f"{a:{ISO}} - {b:%H:%M}", {}),
    "a hyphen, no blank": (lambda a, b: f"{a:{ISO}}-{b:%H:%M}", {}),
    "a dash, and 24:00": (lambda a, b: f"{a:{ISO}}–{b:%H:%M}".replace("–00:00", "–24:00"), {}),
    "digits alone": (lambda a, b: f"{a:%Y%m%d %H%M}-{b:%H%M}", {}),
    "the last minute": (lambda a, b: f"{a:{ISO}} - {b - pd.Timedelta('1min'):%H:%M}", {}),
    "the last second": (lambda a, b: f"{a:%Y-%m-%d %H:%M:%S} - {b - pd.Timedelta('1s'):%H:%M:%S}", {}),
    "two dates": (lambda a, b: f"{a:%d.%m.%Y %H:%M} - {b:%d.%m.%Y %H:%M}", {"time_format": "%d.%m.%Y %H:%M"}),
    "two dates in the format": (
        lambda a, b: f"{a:%d/%m/%Y %H:%M} - {b:%d/%m/%Y %H:%M}",
        {"time_format": "%d/%m/%Y %H:%M - %d/%m/%Y %H:%M"},
    ),
    "two times in the format": (
        lambda a, b: f"{a:%m/%d/%Y %H:%M}-{b:%H:%M}", {"time_format": "%m/%d/%Y %H:%M-%H:%M"},
    ),
    "ISO 8601": (lambda a, b: f"{a.isoformat()}/{b.isoformat()}", {}),
    "ISO 8601 with a duration": (lambda a, b: f"{a.isoformat()}/PT15M", {}),
    "a word": (lambda a, b: f"{a:%d.%m.%Y %H:%M} bis {b:%H:%M}", {"time_format": "%d.%m.%Y %H:%M"}),
    "halves of the day": (lambda a, b: f"{half(a)} ~ {half(b).split(' ', 1)[1]}", {}),
}  # fmt: skip
QUARTERS = pd.date_range("2024-03-04", periods=192, freq="15min", tz="Asia/Seoul")
OF_QUARTERS = np.random.default_rng(8).uniform(1, 2, 192).round(3)


@pytest.mark.parametrize("midnight", ["next_day", "same_day"])
@pytest.mark.parametrize("marks", ["start", "end"])
@pytest.mark.parametrize("kind", INTERVALS)
def test_a_label_that_names_both_ends_of_its_interval_is_read_as_what_it_says(
    kind: str, marks: str, midnight: str
) -> None:
    label, more = INTERVALS[kind]
    more = {**more, "midnight": midnight}
    table = rows(lambda t: label(t, t + pd.Timedelta("15min")), kwh=OF_QUARTERS, times=QUARTERS)
    native, reasons = read(text(table, sep=";"), {**PLAIN, **more, "time_marks": marks}, grain="15min")
    assert reasons == []
    assert_right(native, OF_QUARTERS, QUARTERS)


def test_a_date_and_an_interval_in_two_columns_of_text_or_of_a_workbook() -> None:
    table = [
        [f"{t:%d/%m/%Y}", f"{t:%H:%M} - {t + pd.Timedelta('1h'):%H:%M}", str(x)]
        for t, x in zip(TIMES, KWH, strict=True)
    ]
    columns = {"timestamp": ["day", "interval"], "used_kwh": "v"}
    mapping = {"columns": columns, **ONE, "time_format": "%d/%m/%Y %H:%M"}
    assert_right(read(text(table, ("day", "interval", "v")), mapping)[0])
    sheet = [["day", "interval", "v"], *table]
    assert_right(read(workbook({"S": sheet}), mapping, "a.xlsx")[0])


def test_both_ends_over_a_change_of_the_clocks() -> None:
    times = pd.date_range("2025-10-26", "2025-10-27", freq="1h", tz="Europe/Berlin", inclusive="left")
    kwh = KWH[:25]
    form = "%d.%m.%Y %H:%M"
    mapping = {**PLAIN, "time_format": form}
    for marks in ("start", "end"):
        table = rows(lambda t: f"{t:{form}} - {t + pd.Timedelta('1h'):{form}}", kwh=kwh, times=times)
        native, _ = read(text(table), {**mapping, "time_marks": marks}, zone="Europe/Berlin")
        assert_right(native, kwh, times)


def test_behind_a_time_stands_an_offset_or_an_end() -> None:
    """All labels of a file tell, and one alone does not."""
    times = TIMES.tz_convert("America/New_York")[10:34]
    assert_right(
        read(text(rows(lambda t: f"{t:{ISO}}-05:00", kwh=KWH[10:34], times=times)), PLAIN)[0],
        KWH[10:34],
        TIMES[10:34],
    )
    native, _ = read(
        text(rows(lambda t: f"{t:{ISO}}-{t + pd.Timedelta('1h'):%H:%M}", kwh=KWH[10:34], times=times)),
        PLAIN, zone="America/New_York",
    )  # fmt: skip
    assert_right(native, KWH[10:34], times)
    alone = text([["2024-03-04 04:00-05:00", "5"], ["2024-03-04 05:00", "6"]])
    native, reasons = read(alone, PLAIN)
    assert native["timestamp"].tolist() == [TIMES[5]] and len(reasons) == 1


def test_an_interval_of_another_length_is_refused_by_name() -> None:
    native, reasons = read(text(rows(lambda t: f"{t:{ISO}} - {t + pd.Timedelta('2h'):%H:%M}")), PLAIN)
    assert native.empty
    assert "cannot be read as an interval of 60 minutes" in reasons[0]


KOREAN_DAYS = "월화수목금토일"
WEEKDAYS: dict[str, tuple[Label | str, dict[str, Any]]] = {
    "Korean in brackets": (lambda t: f"{t:%Y-%m-%d} ({KOREAN_DAYS[t.weekday()]}) {t:%H:%M}", {}),
    "Korean in brackets, no blank": (lambda t: f"{t:%Y-%m-%d}({KOREAN_DAYS[t.weekday()]}) {t:%H:%M}", {}),
    "Korean in words": (lambda t: f"{t.year}년 {t.month}월 {t.day}일 {KOREAN_DAYS[t.weekday()]}요일 {t.hour}시", {}),
    "English before": ("%a %Y-%m-%d %H:%M", {}),
    "English in full, a comma": ("%A, %Y-%m-%d %H:%M", {}),
    "English behind": ("%Y-%m-%d %a %H:%M", {}),
    "German": (
        lambda t: f"{('Mo', 'Di', 'Mi', 'Do', 'Fr', 'Sa', 'So')[t.weekday()]}, {t:%d.%m.%Y %H:%M}",
        {"time_format": "%d.%m.%Y %H:%M"},
    ),
    "German, and in the format": (
        lambda t: f"{t:%d.%m.%Y} ({('Mo', 'Di', 'Mi', 'Do', 'Fr', 'Sa', 'So')[t.weekday()]}) {t:%H:%M}",
        {"time_format": "%d.%m.%Y (%a) %H:%M"},
    ),
    "a mail's": ("%a, %d %b %Y %H:%M:%S +0900", {"time_format": "%d %b %Y %H:%M:%S %z"}),
    "with both ends": (lambda t: f"{t:%a %Y-%m-%d %H:%M} - {t + pd.Timedelta('1h'):%H:%M}", {}),
}  # fmt: skip


@pytest.mark.parametrize("kind", WEEKDAYS)
def test_the_name_of_the_weekday_may_stand_with_the_date(kind: str) -> None:
    label, more = WEEKDAYS[kind]
    native, reasons = read(text(rows(label), sep=";"), {**PLAIN, **more})
    assert reasons == []
    assert_right(native)


def test_a_weekday_that_contradicts_its_date_is_refused() -> None:
    native, reasons = read(text(rows(lambda t: f"Sun {t:{ISO}}")), PLAIN)
    assert native.empty and "cannot be read" in reasons[0]


def test_notes_with_line_breaks_cost_no_row() -> None:
    note = '"checked, ok\nby the night shift\n\n""really"""'
    table = [[*row, note if i % 5 == 0 else "-"] for i, row in enumerate(rows())]
    native, reasons = read(text(table, ("t", "v", "note")), PLAIN)
    assert reasons == []
    assert_right(native)
    broken = text(table, ("t", '"v\n(MWh)"', "note")).replace("\n", "\r\n")
    mapping = {"columns": {"timestamp": "t", "used_kwh": "v (MWh)"}, **ONE, "units": {"used_kwh": "kWh"}}
    assert_right(read(broken, mapping)[0])
