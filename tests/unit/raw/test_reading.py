"""Files as they really are: each way of writing comes out as what it means, or says what it lacks."""

import io
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import openpyxl
import pytest
from pydantic import ValidationError

from fems.contracts.raw_object import RawObject
from fems.errors import ConfigError
from fems.raw.decode import decode, decode_all
from fems.raw.decoded import DecodedObject
from fems.raw.fast import plain
from fems.raw.one_meter import without_mixed_meters
from fems.registry.book import load_book
from fems.registry.feed import FactoryFeed
from fems.registry.mapping import FileMapping
from fems.registry.plant import Plant
from fems.settings import settings

BOOK = load_book(settings().definitions_dir, "meter")
DAY = date(2024, 3, 4)


def feed(
    zone: str = "Asia/Seoul", grain: str = "1h", *, more: tuple[dict, ...] = (), **mapping: object
) -> FactoryFeed:
    mapping.setdefault("constants", {"sensor_id": "x-M01"})
    names = ["m", *(f"m{i}" for i in range(len(more)))]
    plant = Plant.model_validate(
        {
            "mappings": dict(zip(names, (mapping, *more), strict=True)),
            "factories": {
                "x": {
                    "name": "F",
                    "name_ko": "F",
                    "timezone": zone,
                    "grain": {"meter": grain},
                    "mapping": {"meter": names},
                    "equipment": {
                        f"E{i}": {"name": f"M{i}", "kind": "line", "sensor": f"x-M0{i}"} for i in (1, 2)
                    },
                }
            },
        }
    )
    return FactoryFeed.of(plant, BOOK, "x")


def read(data: str | bytes, source: FactoryFeed, day: date = DAY, name: str = "a.csv") -> DecodedObject:
    """Decode with the compiled reader and with the readers of text: the same comes out."""
    data = data.encode() if isinstance(data, str) else data
    raw = RawObject(f"raw/meter/factory=x/date={day}/{name}", "e", len(data), day)
    one = decode(raw, data, source)
    [other] = decode_all([(raw, data)], source)
    for field in ("starts", "sensors", "lines", "values", "states"):
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
    assert [(b.line, b.reason) for b in one.quarantined] == [(b.line, b.reason) for b in other.quarantined]
    return one


def used(decoded: DecodedObject, sensor: int = 0, column: int = 0) -> list[float]:
    rows = decoded.sensors == sensor
    order = np.argsort(decoded.starts[rows], kind="stable")
    return decoded.values[column, rows][order].tolist()


def local(decoded: DecodedObject, zone: str = "Asia/Seoul") -> list[str]:
    return [
        f"{datetime.fromtimestamp(s, ZoneInfo(zone)):%m-%d %H:%M%z}" for s in sorted(decoded.starts.tolist())
    ]


def reasons(decoded: DecodedObject) -> str:
    return " | ".join(bad.reason for bad in decoded.quarantined)


def hours(values: list[object], sep: str = ",", head: str = "time,kwh") -> str:
    rows = [f"2024-03-04 {i:02d}:00:00{sep}{value}" for i, value in enumerate(values)]
    return "\n".join([head.replace(",", sep), *rows]) + "\n"


COLUMNS = {"timestamp": "time", "used_kwh": "kwh"}


class TestUnits:
    @pytest.mark.parametrize(
        ("unit", "grain", "kwh"),
        [
            *(("W", "1h", 1.5), ("kW", "1h", 1500), ("kW", "15min", 375), ("MW", "30min", 750_000)),
            *(("Wh", "15min", 1.5), ("kWh", "15min", 1500), ("MWh", "15min", 1_500_000), ("kw", "1h", 1500)),
        ],
    )
    def test_a_mean_power_becomes_the_energy_of_its_interval(self, unit: str, grain: str, kwh: float) -> None:
        source = feed(grain=grain, columns=COLUMNS, units={"used_kwh": unit})
        assert used(read("time,kwh\n2024-03-04 00:00,1500\n", source)) == [kwh]

    @pytest.mark.parametrize(
        "header", ["Active power (kW)", "power [kW]", "power_kw", "Leistung, kW", "load kW"]
    )
    def test_the_header_names_it(self, header: str) -> None:
        source = feed(grain="15min", columns={"timestamp": "time", "used_kwh": header}, delimiter=";")
        assert used(read(f"time;{header}\n2024-03-04 00:00;100\n", source)) == [25]

    @pytest.mark.parametrize(
        "header", ["phase_a", "Verbrauch", "kwh", "meter a", "W", "Strom (gesamt)", "Halle MW"]
    )
    def test_what_is_no_unit_is_none(self, header: str) -> None:
        source = feed(grain="15min", columns={"timestamp": "time", "used_kwh": header})
        assert used(read(f"time,{header}\n2024-03-04 00:00,100\n", source)) == [100]

    def test_a_unit_of_something_else_is_refused_and_the_mapping_has_the_last_word(self) -> None:
        text = "time,load (kVA)\n2024-03-04 00:00,100\n"
        columns = {"timestamp": "time", "used_kwh": "load (kVA)"}
        assert "cannot be turned into kWh" in reasons(read(text, feed(columns=columns)))
        assert used(read(text, feed(columns=columns, units={"used_kwh": "kW"}))) == [100]
        with pytest.raises(ConfigError, match=r"units\.current_a: kW \(power\) cannot be turned into A"):
            feed(columns=columns, units={"current_a": "kW"})
        with pytest.raises(ValidationError, match="no unit that is known"):
            FileMapping(units={"used_kwh": "horses"})

    def test_a_factor_and_the_reactive_energy_of_a_mean_power(self) -> None:
        source = feed(
            grain="15min",
            columns={**COLUMNS, "reactive_kvarh": "q"},
            units={"reactive_kvarh": "kvar"},
            factors={"used_kwh": 40},
        )
        decoded = read("time,kwh,q\n2024-03-04 00:00,0.1,8\n", source)
        assert used(decoded) == [4] and used(decoded, column=4) == [2]

    def test_a_unit_behind_a_number_must_be_the_column_s(self) -> None:
        source = feed(grain="15min", columns=COLUMNS, units={"used_kwh": "kW"})
        decoded = read("time,kwh\n2024-03-04 00:00,8 kW\n2024-03-04 00:15,8 kWh\n", source)
        assert used(decoded)[0] == 2 and np.isnan(used(decoded)[1])

    def test_a_register_s_roll_over_is_in_the_file_s_unit(self) -> None:
        source = feed(columns=COLUMNS, units={"used_kwh": "MWh"}, cumulative={"used_kwh": 1000})
        assert source.cumulative == {"used_kwh": 1_000_000}
        with pytest.raises(ValidationError, match="holds energy, not power"):
            FileMapping(units={"used_kwh": "kW"}, cumulative={"used_kwh": 1000})
        head = feed(columns={"timestamp": "time", "used_kwh": "reg (MWh)"}, cumulative={"used_kwh": 1000})
        assert "a running register in MWh" in reasons(read("time,reg (MWh)\n2024-03-04 00:00,1\n", head))


class TestDecimalMarks:
    def test_one_number_proves_the_mark_of_its_column(self) -> None:
        source = feed(columns=COLUMNS)
        assert used(read(hours(["0,763", "1,710", "2.345,5", "1.234"], ";"), source)) == [
            0.763,
            1.71,
            2345.5,
            1234,
        ]

    def test_another_column_proves_it(self) -> None:
        source = feed(columns={**COLUMNS, "current_a": "a"})
        text = "time;kwh;a\n2024-03-04 00:00;1,710;12,5\n2024-03-04 01:00;2,345;12,75\n"
        assert used(read(text, source)) == [1.71, 2.345]

    def test_without_a_proof_nothing_is_guessed(self) -> None:
        source = feed(columns=COLUMNS)
        assert np.isnan(used(read(hours(["1,710", "2,345"], ";"), source))).all()
        assert used(read(hours(["1,710", "2,345"], ";"), feed(columns=COLUMNS, decimal=","))) == [1.71, 2.345]
        assert used(read(hours(["1,710", "2,345"], ";"), feed(columns=COLUMNS, decimal="."))) == [1710, 2345]

    def test_points_beside_show_that_commas_part_thousands(self) -> None:
        assert used(read(hours(["12.5", "1,710"], ";"), feed(columns=COLUMNS))) == [12.5, 1710]
        assert used(read(hours(["12.5", '"1,710"']), feed(columns=COLUMNS))) == [12.5, 1710]

    def test_where_both_are_proven_only_what_is_one_number_is_read(self) -> None:
        values = used(read(hours(["0,5", "0.25", "1,710", "1.710", "7"], ";"), feed(columns=COLUMNS)))
        assert values[:2] == [0.5, 0.25] and np.isnan(values[2:4]).all() and values[4] == 7

    def test_numbers_of_a_workbook_are_what_they_are_and_its_texts_are_not(self) -> None:
        data = workbook(
            {
                "A": [
                    ["time", "kwh"],
                    *([at(i), v] for i, v in enumerate([5.357, "1,234", 12])),
                ]
            }
        )
        assert used(read(data, feed(columns=COLUMNS, decimal=","))) == [5.357, 1.234, 12]


def at(hour: int) -> datetime:
    """A workbook's time has no zone."""
    return datetime(2024, 3, 4, hour)  # noqa: DTZ001


def workbook(sheets: dict[str, list[list[object]]], hidden: tuple[str, ...] = ()) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def sheet(first: int, values: list[object]) -> list[list[object]]:
    return [["time", "kwh"], *([at(first + i), v] for i, v in enumerate(values))]


class TestSheets:
    def test_every_sheet_that_fits_is_read_and_every_other_counted(self) -> None:
        data = workbook(
            {"Cover": [["report of"], ["March"]], "A": sheet(0, [1, 2]), "B": [["title"], [], *sheet(2, [3, 4])],
             "old": sheet(4, [9])},
            hidden=("old",),
        )  # fmt: skip
        decoded = read(data, feed(columns=COLUMNS))
        assert used(decoded) == [1, 2, 3, 4]
        assert decoded.read == 4 + 2 + 2 == 4 + len(decoded.quarantined)
        assert "'Cover' is not read" in reasons(decoded) and "'old' is not read: it is hidden" in reasons(
            decoded
        )

    def test_those_that_are_named_are_read_and_no_other(self) -> None:
        data = workbook({"A": sheet(0, [1]), "B": sheet(1, [2])}, hidden=("B",))
        decoded = read(data, feed(columns=COLUMNS, sheets=["B"]))
        assert used(decoded) == [2] and decoded.read == 1
        assert "no sheet 'C' (it has: A, B)" in reasons(read(data, feed(columns=COLUMNS, sheets=["C"])))

    def test_dates_of_a_workbook_in_every_form(self) -> None:
        rows = [
            ["time", "kwh"],
            [45355 + 1 / 24, 1],
            [at(2), 2],
            ["2024-03-04 03:00", 3],
            ["45355.1666666667", 4],
        ]
        assert used(read(workbook({"A": rows}), feed(columns=COLUMNS))) == [1, 2, 3, 4]

    def test_a_date_and_a_time_in_two_columns(self) -> None:
        cells = [["d", "t", "kwh"], [at(0), timedelta(hours=1), 1], [date(2024, 3, 4), at(2).time(), 2],
                 [date(2024, 3, 4), 0.125, 3], ["2024-03-04", "04:00", 4]]  # fmt: skip
        source = feed(columns={"timestamp": ["d", "t"], "used_kwh": "kwh"})
        assert local(read(workbook({"A": cells}), source)) == [f"03-04 0{i}:00+0900" for i in (1, 2, 3, 4)]


class TestHeaders:
    def test_two_headers_for_one_column_are_refused_or_a_stated_sum(self) -> None:
        text = "time,used_kwh,usage_kwh\n2024-03-04 00:00,1,2\n"
        assert "'used_kwh' and 'usage_kwh' both name used_kwh" in reasons(read(text, feed()))
        assert used(read(text, feed(columns={"used_kwh": ["used_kwh", "usage_kwh"]}))) == [3]
        assert used(read(text, feed(columns={"used_kwh": "usage_kwh"}))) == [2]

    def test_a_sum_lacks_what_one_part_lacks(self) -> None:
        text = "time,HT,NT\n2024-03-04 00:00,1,\n2024-03-04 01:00,1,x\n2024-03-04 02:00,1,2\n"
        decoded = read(text, feed(columns={"used_kwh": ["HT", "NT"]}))
        assert np.isnan(used(decoded)[:2]).all() and used(decoded)[2] == 3
        assert decoded.odd.texts.tolist() == ["1 + x"]
        assert "no column 'NT', a part of used_kwh" in reasons(
            read("time,HT\n2024-03-04 00:00,1\n", feed(columns={"used_kwh": ["HT", "NT"]}))
        )

    def test_wide_headers_of_one_target(self) -> None:
        wide = {"HT": "x-M01/used_kwh", "NT": "x-M01/used_kwh", "pump": "x-M02/used_kwh"}
        with pytest.raises(ValidationError, match="sum_same_target"):
            FileMapping(layout="wide", wide=wide)
        decoded = read(
            "time,HT,NT,pump\n2024-03-04 00:00,1,2,5\n",
            feed(constants={}, layout="wide", wide=wide, sum_same_target=True),
        )
        assert used(decoded, 0) == [3] and used(decoded, 1) == [5]

    def test_wide_headers_name_their_unit(self) -> None:
        wide = {"pump (kW)": "x-M01/used_kwh", "press (kW)": "x-M02/used_kwh"}
        text = "time,pump (kW),press (kW)\n2024-03-04 00:00,4,8\n"
        decoded = read(text, feed(grain="15min", constants={}, layout="wide", wide=wide))
        assert used(decoded, 0) == [1] and used(decoded, 1) == [2]
        other = {"pump (kW)": "x-M01/used_kwh", "press (MW)": "x-M02/used_kwh"}
        decoded = read(
            text.replace("press (kW)", "press (MW)"), feed(constants={}, layout="wide", wide=other)
        )
        assert "different units: MW, kW" in reasons(decoded)

    def test_titles_comments_and_trailing_delimiters(self) -> None:
        source = feed(columns=COLUMNS)
        assert used(read("Report\nfrom, to\n\n" + hours([1, 2]), source)) == [1, 2]
        assert used(read("time,kwh\n2024-03-04 00:00,1,\n2024-03-04 01:00,2,\n", source)) == [1, 2]
        assert used(read("time,kwh,\n2024-03-04 00:00,1\n2024-03-04 01:00,2\n", source)) == [1, 2]
        commented = "# made by x\ntime,kwh\n2024-03-04 00:00,1\n# a break\n2024-03-04 01:00,2\n"
        assert used(read(commented, feed(columns=COLUMNS, comment="#"))) == [1, 2]

    def test_a_time_without_a_header_and_a_file_without_one(self) -> None:
        assert used(read(hours([1, 2], head=",kwh"), feed(columns={"used_kwh": "kwh"}))) == [1, 2]
        assert used(read("2024-03-04 00:00,1\n", feed(header=["time", "kwh"], columns=COLUMNS))) == [1]

    def test_a_header_twice_matters_only_where_it_is_wanted(self) -> None:
        assert used(read("time,kwh,s,s\n2024-03-04 00:00,1,a,b\n", feed(columns=COLUMNS))) == [1]
        assert "'kwh' twice, which is used_kwh" in reasons(
            read("time,kwh,kwh\n2024-03-04 00:00,1,2\n", feed(columns=COLUMNS))
        )


class TestNames:
    PATTERN = r"(?P<sensor_id>[^/]+)/(?P<date>\d{8})"

    def test_what_the_name_and_the_folder_tell(self) -> None:
        source = feed(constants={}, file_name=self.PATTERN, columns=COLUMNS, sensors={"pump": "x-M02"})
        text = "time,kwh\n00:00,1\n01:00,2\n"
        decoded = read(text, source, name="pump/20240304.csv")
        assert used(decoded, 1) == [1, 2] and local(decoded)[0] == "03-04 00:00+0900"
        assert "no mapping of factory x, feed meter, is for a file of this name" in reasons(
            read(text, source, name="readme.txt")
        )

    def test_the_mapping_is_chosen_by_the_name(self) -> None:
        source = feed(
            file_name=r"^new_", columns={**COLUMNS, "used_kwh": "Wh"}, units={"used_kwh": "Wh"},
            more=({"columns": COLUMNS, "constants": {"sensor_id": "x-M02"}},),
        )  # fmt: skip
        assert used(read(hours([1000], head="time,Wh"), source, name="new_1.csv")) == [1]
        assert used(read(hours([3]), source, name="old.csv"), 1) == [3]

    def test_patterns_are_checked(self) -> None:
        with pytest.raises(ValidationError, match="no regular expression"):
            FileMapping(file_name="(")
        with pytest.raises(ValidationError, match="'meter' is none of sensor_id, factory_id, date"):
            FileMapping(file_name="(?P<meter>.*)")


class TestTimes:
    @pytest.mark.parametrize(
        ("form", "text", "utc_hour"),
        [
            *(
                ("%Y-%m-%dT%H:%M:%SZ", "2024-03-04T05:00:00Z", 5),
                ("%Y-%m-%d %H:%M UTC", "2024-03-04 05:00 UTC", 5),
            ),
            *(
                ("%Y-%m-%d %H:%M %Z", "2024-03-04 05:00 CEST", 3),
                ("%Y-%m-%d %H:%M %Z", "2024-03-04 15:00 KST", 6),
            ),
            *((None, "2024-03-04 15:00 KST", 6), (None, "2024-03-04 05:00 UTC", 5)),
        ],
    )
    def test_a_zone_in_the_label_counts(self, form: str | None, text: str, utc_hour: int) -> None:
        decoded = read(f"time,kwh\n{text},1\n", feed(columns=COLUMNS, time_format=form))
        assert decoded.starts.tolist() == [
            int(datetime(2024, 3, 4, utc_hour, tzinfo=ZoneInfo("UTC")).timestamp())
        ]

    def test_an_unknown_zone_is_refused_and_a_known_one_means_what_it_does_there(self) -> None:
        text = "time,kwh\n2024-03-04 05:00 CST,1\n"
        for form in (None, "%Y-%m-%d %H:%M %Z"):
            assert "cannot be read" in reasons(read(text, feed(columns=COLUMNS, time_format=form)))
            decoded = read(text, feed("America/Chicago", columns=COLUMNS, time_format=form))
            assert local(decoded, "America/Chicago") == ["03-04 05:00-0600"]

    @pytest.mark.parametrize("form", ["%m/%d %H:%M", "%H:%M", "%d.%m. %H:%M", "%Y %H:%M", "%Y-%m %H"])
    def test_a_format_without_a_date_is_refused(self, form: str) -> None:
        with pytest.raises(ValidationError, match=r"has no (year|month or no day)"):
            FileMapping(time_format=form)

    def test_hours_are_numbered(self) -> None:
        source = feed(
            columns={"timestamp": "d", "used_kwh": "kwh"}, time_format="%d/%m/%Y",
            interval_number={"column": "h", "first": 1},
        )  # fmt: skip
        text = "d,h,kwh\n" + "".join(f"04/03/2024,{h},{h}\n" for h in range(1, 26))
        decoded = read(text, source)
        assert used(decoded) == list(range(1, 25)) and "'04/03/2024 25' cannot be read" in reasons(decoded)
        assert local(decoded)[0] == "03-04 00:00+0900"

    def test_a_row_a_day_by_pattern_and_by_number(self) -> None:
        text = "day,meter,H1,H2,H3\n2024-03-04,x-M02,1,2,\n"
        columns = {"timestamp": "day", "sensor_id": "meter"}
        layout = {"constants": {}, "layout": "row_per_day", "columns": columns}
        pattern = {"column": "used_kwh", "headers": r"H(?P<number>\d+)"}
        decoded = read(text, feed(row_per_day=pattern, **layout))
        assert used(decoded, 1) == [1, 2] and local(decoded)[1] == "03-04 01:00+0900"
        head = ",".join(f"V{i:02d}" for i in range(1, 97))
        row = ",".join(str(i) for i in range(1, 97))
        decoded = read(
            f"day,meter,{head}\n2024-03-04,x-M01,{row}\n",
            feed(grain="15min", row_per_day={"column": "used_kwh"}, **layout),
        )
        assert used(decoded) == list(range(1, 97)) and decoded.read == 96
        ends = "day,meter,01:00,02:00,00:00\n2024-03-04,x-M01,1,2,24\n"
        decoded = read(ends, feed(row_per_day={"column": "used_kwh"}, time_marks="end", **layout))
        assert local(decoded) == ["03-04 00:00+0900", "03-04 01:00+0900", "03-04 23:00+0900"]


class TestAnotherInterval:
    def test_quarters_of_an_hour_are_no_hours(self) -> None:
        rows = [f"2024-03-04 {i // 4:02d}:{i % 4 * 15:02d},1" for i in range(96)]
        decoded = read("\n".join(["time,kwh", *rows]), feed(columns=COLUMNS))
        assert len(decoded.starts) == 0 and decoded.read == 96
        assert "15 minutes apart" in reasons(decoded)

    def test_hours_are_no_quarters(self) -> None:
        decoded = read(hours(list(range(24))), feed(grain="15min", columns=COLUMNS))
        assert len(decoded.starts) == 0 and "60 minutes apart" in reasons(decoded)

    def test_one_meter_of_two(self) -> None:
        rows = [f"2024-03-04 {i // 4:02d}:{i % 4 * 15:02d},{m},1" for i in range(48) for m in ("x-M01", "x-M02")
                if m == "x-M01" or i % 2 == 0]  # fmt: skip
        text = "\n".join(["time,sensor,used_kwh", *rows])
        decoded = read(text, feed(grain="15min", constants={}))
        assert (
            len(used(decoded, 0)) == 48 and used(decoded, 1) == [] and "30 minutes apart" in reasons(decoded)
        )

    def test_scattered_rows_are_late_and_nothing_else(self) -> None:
        text = "time,kwh\n" + "".join(f"2024-03-04 {h:02d}:00,1\n" for h in (0, 1, 5, 9, 14, 15, 22))
        assert len(read(text, feed(grain="15min", columns=COLUMNS)).starts) == 7


class TestClockChanges:
    """Berlin, New York and Sydney: 25 hours in autumn, 23 in spring."""

    ZONES = pytest.mark.parametrize(
        ("zone", "autumn", "spring"),
        [
            ("Europe/Berlin", date(2024, 10, 27), date(2024, 3, 31)),
            ("America/New_York", date(2024, 11, 3), date(2024, 3, 10)),
            ("Australia/Sydney", date(2024, 4, 7), date(2024, 10, 6)),
        ],
    )

    @staticmethod
    def day(zone: str, day: date, minutes: int) -> list[datetime]:
        begin = int(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).timestamp())
        after = day + timedelta(days=1)
        end = int(datetime(after.year, after.month, after.day, tzinfo=ZoneInfo(zone)).timestamp())
        return [datetime.fromtimestamp(s, ZoneInfo(zone)) for s in range(begin, end, minutes * 60)]

    @ZONES
    @pytest.mark.parametrize("minutes", [15, 60])
    @pytest.mark.parametrize("marks", ["start", "end", "end of the start"])
    @pytest.mark.parametrize("newest_first", [False, True])
    def test_the_order_of_rows_tells(
        self, zone: str, autumn: date, spring: date, minutes: int, marks: str, newest_first: bool
    ) -> None:
        source = feed(
            zone,
            "15min" if minutes == 15 else "1h",
            columns=COLUMNS,
            time_marks="start" if marks == "start" else "end",
        )
        for day, count in ((autumn, 25), (spring, 23)):
            starts = self.day(zone, day, minutes)
            assert len(starts) == count * 60 // minutes
            labels = starts
            if marks == "end":
                labels = [
                    datetime.fromtimestamp(s.timestamp() + minutes * 60, ZoneInfo(zone)) for s in starts
                ]
            elif marks == "end of the start":
                labels = [s.replace(tzinfo=None) + timedelta(minutes=minutes) for s in starts]
            rows = [f"{label:%Y-%m-%d %H:%M},{i}" for i, label in enumerate(labels)]
            decoded = read("\n".join(["time,kwh", *(rows[::-1] if newest_first else rows)]), source, day)
            assert reasons(decoded) == ""
            assert sorted(decoded.starts.tolist()) == [int(s.timestamp()) for s in starts]
            assert used(decoded) == list(range(len(starts)))

    @ZONES
    def test_two_files_that_meet_in_the_hour(self, zone: str, autumn: date, spring: date) -> None:
        source = feed(zone, "15min", columns=COLUMNS)
        starts = self.day(zone, autumn, 15)
        labels = [f"{start:%Y-%m-%d %H:%M}" for start in starts]
        back = next(i for i in range(1, len(labels)) if labels[i] < labels[i - 1])
        found = []
        for part in (range(back), range(back, len(labels))):
            decoded = read("\n".join(["time,kwh", *(f"{labels[i]},{i}" for i in part)]), source, autumn)
            assert reasons(decoded) == ""
            found += decoded.starts.tolist()
        assert found == [int(start.timestamp()) for start in starts]

    @staticmethod
    def rounds(starts: list[datetime], marks: str) -> list[tuple[int, str, str]]:
        """Two meters' rows as a collector writes them, round by round: place of the interval, sensor, line."""
        step = starts[1].timestamp() - starts[0].timestamp()
        late = step if marks == "end" else 0
        zone = starts[0].tzinfo
        labels = [datetime.fromtimestamp(start.timestamp() + late, zone) for start in starts]
        return [
            (i, sensor, f"{label:%Y-%m-%d %H:%M},{sensor},{i + 100 * m}")
            for i, label in enumerate(labels)
            for m, sensor in enumerate(("x-M01", "x-M02"))
        ]

    @ZONES
    @pytest.mark.parametrize("marks", ["start", "end"])
    @pytest.mark.parametrize("fault", ["twice", "sent again", "other value", "not there", "no time"])
    def test_a_fault_in_the_hour_costs_its_own_row_alone(
        self, zone: str, autumn: date, spring: date, fault: str, marks: str
    ) -> None:
        columns = {"timestamp": "time", "sensor_id": "meter", "used_kwh": "kwh"}
        source = feed(zone, "15min", constants={}, columns=columns, time_marks=marks)
        starts = self.day(zone, autumn, 15)
        rows = self.rounds(starts, marks)
        back = next(i for i in range(1, len(starts)) if starts[i].utcoffset() != starts[i - 1].utcoffset())
        for place in (back - 3, back - 1, back, back + 2):
            lines = [line for _, _, line in rows]
            k = 2 * place
            if fault == "twice":
                lines.insert(k, lines[k])
            elif fault == "sent again":
                lines += [lines[2 * 70], lines[k]]
            elif fault == "other value":
                lines.insert(k + 1, lines[k].rsplit(",", 1)[0] + ",9")
            elif fault == "not there":
                del lines[k]
            else:
                lines[k] = "????," + lines[k].split(",", 1)[1]
            decoded = read("\n".join(["time,meter,kwh", *lines]), source, autumn)
            whole = {int(start.timestamp()): float(i) for i, start in enumerate(starts)}
            if fault in ("not there", "no time"):
                del whole[int(starts[place].timestamp())]
            first = {}
            for start, value in zip(
                decoded.starts[decoded.sensors == 0].tolist(),
                decoded.values[0, decoded.sensors == 0].tolist(),
                strict=True,
            ):
                first.setdefault(start, value)
            assert first == whole
            assert used(decoded, 1) == [100.0 + i for i in range(len(starts))]
            assert len(decoded.quarantined) == (fault in ("no time", "sent again"))

    @ZONES
    @pytest.mark.parametrize("marks", ["start", "end"])
    def test_other_meters_tell_which_of_two_hours_is_not_there(
        self, zone: str, autumn: date, spring: date, marks: str
    ) -> None:
        columns = {"timestamp": "time", "sensor_id": "meter", "used_kwh": "kwh"}
        source = feed(zone, "1h", constants={}, columns=columns, time_marks=marks)
        starts = self.day(zone, autumn, 60)
        rows = self.rounds(starts, marks)
        back = next(i for i in range(1, len(starts)) if starts[i].utcoffset() != starts[i - 1].utcoffset())
        # of labels at the end, the repeated one is of the hour before
        for gone in (back, back - 1) if marks == "start" else (back - 1, back - 2):
            lines = [line for i, sensor, line in rows if (i, sensor) != (gone, "x-M02")]
            decoded = read("\n".join(["time,meter,kwh", *lines]), source, autumn)
            assert used(decoded, 0) == list(range(25))
            kept = dict(zip(decoded.starts[decoded.sensors == 1].tolist(), used(decoded, 1), strict=True))
            right = {int(s.timestamp()): 100.0 + i for i, s in enumerate(starts) if i != gone}
            assert kept.items() <= right.items(), "what stays open is refused"
            assert len(kept) + len(decoded.quarantined) == 24

    @pytest.mark.parametrize(
        ("zone", "autumn", "marks"),
        [("America/New_York", date(2024, 11, 3), "end"), ("Atlantic/Azores", date(2024, 10, 27), "start")],
    )
    def test_a_day_that_begins_in_the_hour_does_not_tell_which_of_the_two_is_not_there(
        self, zone: str, autumn: date, marks: str
    ) -> None:
        source = feed(zone, columns=COLUMNS, time_marks=marks)
        starts = self.day(zone, autumn, 60)
        lines = [
            line.replace("x-M01,", "") for _, sensor, line in self.rounds(starts, marks) if sensor == "x-M01"
        ]
        assert len(read("\n".join(["time,kwh", *lines]), source, autumn).starts) == 25
        for gone in (0, 1):
            decoded = read("\n".join(["time,kwh", *lines[:gone], *lines[gone + 1 :]]), source, autumn)
            # of ends of intervals, 02:00 is open as well: the start plus the interval may have been written
            assert len(decoded.starts) == (23 if marks == "start" else 22)
            assert "does not tell" in reasons(decoded)

    @ZONES
    def test_rows_in_no_order_tell_nothing(self, zone: str, autumn: date, spring: date) -> None:
        source = feed(zone, "15min", columns=COLUMNS)
        rows = [f"{start:%Y-%m-%d %H:%M},{i}" for i, start in enumerate(self.day(zone, autumn, 15))]
        for seed in range(20):
            mixed = np.random.default_rng(seed).permutation(rows).tolist()
            decoded = read("\n".join(["time,kwh", *mixed]), source, autumn)
            assert len(decoded.starts) == 92 and len(decoded.quarantined) == 8

    @ZONES
    def test_what_stays_open_is_refused(self, zone: str, autumn: date, spring: date) -> None:
        labels = dict.fromkeys(f"{start:%Y-%m-%d %H:%M}" for start in self.day(zone, autumn, 60))
        decoded = read(
            "\n".join(["time,kwh", *(f"{label},1" for label in labels)]), feed(zone, columns=COLUMNS), autumn
        )
        assert len(decoded.starts) == 23 and "order of the rows does not tell" in reasons(decoded)

    @ZONES
    @pytest.mark.parametrize("counts_on", [True, False])
    def test_numbered_hours_of_long_and_short_days(
        self, zone: str, autumn: date, spring: date, counts_on: bool
    ) -> None:
        source = feed(zone, columns={"timestamp": "d", "used_kwh": "kwh"}, interval_number={"column": "h"})
        for day in (autumn, spring):
            starts = self.day(zone, day, 60)
            numbers = [i + 1 if counts_on else start.hour + 1 for i, start in enumerate(starts)]
            text = "\n".join(["d,h,kwh", *(f"{day},{n},{i}" for i, n in enumerate(numbers))])
            decoded = read(text, source, day)
            assert decoded.starts.tolist() == [int(start.timestamp()) for start in starts], reasons(decoded)


NEM12 = """100,NEM12,202403050000,MDP,RET
200,NMI1,E1B1,1,E1,N1,METER,WH,30,
300,20240304,{drawn},A,,,20240305000000,
200,NMI1,E1B1,2,B1,N1,METER,kWh,30,
300,20240304,{fed},A,,,20240305000000,
900
"""


class TestNamedFormats:
    def test_nem12(self) -> None:
        text = NEM12.format(drawn=",".join(str(i * 1000) for i in range(48)), fed=",".join(["0.5"] * 48))
        source = feed("Australia/Sydney", "30min", constants={}, format="nem12", sensors={"NMI1": "x-M01"})
        decoded = read(text, source, date(2024, 3, 5))
        assert used(decoded) == list(range(48)) and reasons(decoded) == ""
        assert local(decoded, "Australia/Sydney")[0] == "03-04 01:00+1100", (
            "the market's clock knows no summer"
        )
        assert "no NEM12 file" in reasons(read("a,b\n", source))
        coarse = feed("Australia/Sydney", "15min", constants={}, format="nem12", sensors={"NMI1": "x-M01"})
        assert "30 minutes apart" in reasons(read(text, coarse, date(2024, 3, 5)))
        broken = text.replace("300,20240304,0,", "300,2024,0,")
        assert "'2024' is no date" in reasons(read(broken, source, date(2024, 3, 5)))

    def test_green_button(self) -> None:
        source = feed("America/New_York", constants={"sensor_id": "x-M01"}, format="green_button")
        decoded = read(green_button([1000, 2500]), source, name="usage.xml")
        assert used(decoded) == [1, 2.5] and local(decoded, "America/New_York")[0] == "03-04 00:00-0500"

    def test_an_attack_on_readers_of_xml_is_refused(self) -> None:
        bomb = '<!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;">]><a>&d;</a>'
        source = feed(format="green_button")
        assert "no XML that can be read" in reasons(read(bomb, source))


def green_button(watt_hours: list[int]) -> str:
    begin = int(datetime(2024, 3, 4, tzinfo=ZoneInfo("America/New_York")).timestamp())
    readings = "".join(
        f"<IntervalReading><timePeriod><duration>3600</duration><start>{begin + i * 3600}</start></timePeriod>"
        f"<value>{value}</value></IntervalReading>"
        for i, value in enumerate(watt_hours)
    )
    base = "https://example.org/espi/RetailCustomer/1/UsagePoint/7/MeterReading/1"

    def entry(link: str, content: str, **links: str) -> str:
        more = "".join(f'<link rel="{rel}" href="{href}"/>' for rel, href in links.items())
        return f'<entry><link rel="self" href="{link}"/>{more}<content>{content}</content></entry>'

    kind = (
        "<ReadingType xmlns='http://naesb.org/espi'><flowDirection>1</flowDirection>"
        "<accumulationBehaviour>4</accumulationBehaviour><powerOfTenMultiplier>0</powerOfTenMultiplier>"
        "<uom>72</uom></ReadingType>"
    )
    return (
        "<?xml version='1.0'?><feed xmlns='http://www.w3.org/2005/Atom'>"
        + entry(
            base, "<MeterReading xmlns='http://naesb.org/espi'/>", related="https://example.org/ReadingType/1"
        )
        + entry("https://example.org/ReadingType/1", kind)
        + entry(
            base + "/IntervalBlock/1",
            f"<IntervalBlock xmlns='http://naesb.org/espi'>{readings}</IntervalBlock>",
            up=base + "/IntervalBlock",
        )
        + "</feed>"
    )


def test_the_text_reader_is_tested_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "reader", lambda: None)
    assert used(read(hours([1, 2]), feed(columns=COLUMNS))) == [1, 2]


class TestOneMeter:
    def files(self, *texts: str, **mapping: object) -> list[DecodedObject]:
        source = feed(columns=COLUMNS, **mapping)
        decoded = [read(text, source, name=f"{i}.csv") for i, text in enumerate(texts)]
        return without_mixed_meters(decoded, source)

    def test_two_files_with_other_values_under_one_constant_sensor_are_refused(self) -> None:
        one, other = self.files(hours(list(range(24))), hours([i + 0.5 for i in range(24)]))
        assert (len(one.starts), len(other.starts), one.read, other.read) == (0, 0, 24, 24)
        assert "are they of two meters?" in reasons(one) and len(other.quarantined) == 24

    def test_a_correction_and_a_repetition_stand(self) -> None:
        rows = list(range(24))
        for second in (rows, [99, *rows[1:]], [*rows[:12], *(i + 7 for i in range(12))]):
            one, other = self.files(hours(rows), hours(second))
            assert len(one.starts) == len(other.starts) == 24

    def test_a_pattern_says_that_all_are_of_one_meter(self) -> None:
        one, other = self.files(hours(list(range(24))), hours([i + 0.5 for i in range(24)]), file_name=".")
        assert len(one.starts) == len(other.starts) == 24


def test_a_header_of_an_interval_or_of_a_wide_column_that_stands_twice_is_refused() -> None:
    per_day = feed(layout="row_per_day", row_per_day={"column": "used_kwh", "headers": r"H(?P<number>\d+)"})
    assert "'H1' twice" in reasons(read("time,H1,H1,H2\n2024-03-04,1,2,3\n", per_day))
    wide = feed(constants={}, layout="wide", wide={"pump": "x-M01/used_kwh"})
    assert "'pump' twice" in reasons(read("time,pump,pump\n2024-03-04 00:00,1,2\n", wide))
    numbered = feed(columns={"timestamp": "d", "used_kwh": "kwh"}, interval_number={"column": "h"})
    assert "'h' twice" in reasons(read("d,h,h,kwh\n2024-03-04,1,1,2\n", numbered))
