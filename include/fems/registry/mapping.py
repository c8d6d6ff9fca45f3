"""How collectors write their files: the mappings of factories.yaml."""

import re
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from fems.registry import units
from fems.registry.names import one_line
from fems.registry.yamlfile import StrictModel, WrongAt

NAME_GROUPS = ("sensor_id", "factory_id", "date")
"""What a file's name or folder may say."""
_YEAR, _MONTH, _DAY = {"Y", "y", "G", "c", "x"}, {"m", "b", "B", "c", "x"}, {"d", "c", "x"}
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d\d(?::\d\d)?(?:\s*[-–~]\s*\d{1,2}:\d\d(?::\d\d)?)?")


def known_zone(name: str) -> str:
    """Return the name of a time zone that there is.

    Raises:
        ValueError: there is none of that name.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is no IANA time zone (such as Asia/Seoul)") from error
    return name


class IntervalNumber(StrictModel):
    """A column with the number of the interval in its day: hours 1 to 24, quarters 1 to 96."""

    column: str = Field(description="the file's header")
    first: Literal[0, 1] = Field(1, description="the number of the day's first interval")


class RowPerDay(StrictModel):
    """A row a day, a column an interval."""

    column: str = Field(description="our column that the intervals hold, such as used_kwh")
    headers: str | None = Field(
        None,
        description="regular expression with a group `number` or `time` for the headers of the intervals; if not "
        "given, headers that are times of day (00:15) or numbered from 0 or 1 in one row (H1 to H24)",
    )

    @field_validator("headers")
    @classmethod
    def _names_a_place(cls, pattern: str | None) -> str | None:
        if pattern is not None and not {"number", "time"} & compiled(pattern).groupindex.keys():
            raise ValueError(f"{pattern!r} has no group (?P<number>..) or (?P<time>..)")
        return pattern


def _first_of_both(form: str) -> str:
    """Return the format of the first time in one that names both ends of an interval: `%d.%m.%Y %H:%M - %H:%M`."""
    named: set[str] = set()
    for match in re.finditer(r"%(.)", form):
        if match[1] in named:
            between = re.search(r"\s*(?:[-~–—/]|\bto\b|\bbis\b)\s*$", form[: match.start()])
            return form[: between.start()] if between else form
        if match[1] != "%":
            named.add(match[1])
    return form


def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern of a mapping.

    Raises:
        ValueError: it is no regular expression; says why.
    """
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error


class FileMapping(StrictModel):
    """How one kind of collector writes its files, and what that means in the project's own words."""

    format: Literal["table", "nem12", "green_button"] = Field(
        "table",
        description="table: delimited text, Excel or Parquet; nem12: the Australian interval format; green_button: "
        "ESPI XML",
    )
    columns: dict[str, str | tuple[str, ...]] = Field(
        default_factory=dict,
        description="our column -> the file's header; others are found by the definition book's aliases. A list of "
        "headers: the parts of a timestamp, joined by a space; of a sensor_id, joined by a hyphen; of a value column, "
        "the sum of all of them, less those that are written with a minus before them (-Export)",
    )
    constants: dict[Literal["sensor_id", "factory_id"], str] = Field(
        default_factory=dict, description="IDs that the file does not carry"
    )
    file_name: str | None = Field(
        None,
        description="regular expression that the file's name (with its folder below date=..) must match; its groups "
        f"{', '.join(NAME_GROUPS)} say what the file itself does not",
    )
    sensors: dict[str, str] = Field(
        default_factory=dict, description="a sensor's name in the files -> its sensor ID"
    )
    header: tuple[str, ...] | None = Field(
        None, description="names of the columns of a file that has no header line"
    )
    sheets: tuple[str, ...] | None = Field(
        None, description="workbooks: the sheets to read; all visible ones that have our columns if not given"
    )
    sheet_name: str | None = Field(
        None,
        description="regular expression that a sheet's name must match to be read; its group sensor_id says whose rows "
        "they are",
    )
    layout: Literal["long", "wide", "row_per_day"] = Field(
        "long", description="long: a row a sensor; wide: a column a sensor; row_per_day: a column an interval"
    )
    wide: dict[str, str] = Field(
        default_factory=dict, description="wide layout only: the file's header -> SENSOR/COLUMN"
    )
    sum_same_target: bool = Field(
        False, description="wide layout only: several headers with the same SENSOR/COLUMN are added up"
    )
    row_per_day: RowPerDay | None = Field(
        None, description="row_per_day layout only: what the intervals hold"
    )
    interval_number: IntervalNumber | None = Field(
        None,
        description="where the timestamp is a date, and a column beside it counts the intervals of the day",
    )
    units: dict[str, str] = Field(
        default_factory=dict,
        description="our column -> the unit in which the file writes it (W, kW, MW, Wh, MWh, kvar ...); a mean power "
        "becomes the energy of its interval. If not given, the unit that the header ends with, or else the book's",
    )
    factors: dict[str, float] = Field(
        default_factory=dict,
        description="our column -> what its values are multiplied by (a transformer's ratio, a pulse's worth)",
    )
    time_format: str | tuple[str, ...] | None = Field(
        None,
        description="strptime format, or several tried in this order; what matches none is read where it can mean "
        "one time only (ISO 8601 and the like; day and month of 04/03/2025 are never guessed). A label that names both "
        "ends of its interval needs no more than the format of the first",
    )
    timezone: str | None = Field(None, description="of the written times; the factory's if not given")
    time_marks: Literal["start", "end"] = Field(
        "start", description="which end of the interval the time marks"
    )
    midnight: Literal["next_day", "same_day"] = Field(
        "next_day",
        description="same_day: a day's last row is labelled 00:00 of that day and belongs to the midnight after it",
    )
    delimiter: str | None = Field(
        None, min_length=1, max_length=1, description="comma, semicolon, tab or | by the header if not given"
    )
    decimal: Literal[".", ","] | None = Field(
        None,
        description="the decimal mark of numbers that are text. If not given, concluded from the whole column: 0,763 "
        "proves the comma, and 1,710 beside it is 1.71. With the comma 1,234 is 1.234; with the point it is 1234",
    )
    skip_lines: int | None = Field(
        None,
        ge=0,
        description="lines above the header; if not given, the header is the first line that has our columns",
    )
    comment: str | None = Field(
        None, min_length=1, max_length=8, description="what lines begin with that are no rows, such as #"
    )
    encodings: tuple[str, ...] = Field(
        ("utf-8-sig", "cp949"),
        min_length=1,
        description="tried in this order; ASCII, and UTF-16 and UTF-8 with their marks, are known without",
    )
    cumulative: dict[str, float] = Field(
        default_factory=dict,
        description="columns that are a running register -> the value at which it rolls over to 0, in the file's unit",
    )

    _zone = field_validator("timezone")(lambda name: known_zone(name) if name else name)

    @field_validator("columns")
    @classmethod
    def _headers_on_one_line(
        cls, given: dict[str, str | tuple[str, ...]]
    ) -> dict[str, str | tuple[str, ...]]:
        return {
            ours: one_line(header) if isinstance(header, str) else tuple(map(one_line, header))
            for ours, header in given.items()
        }

    @field_validator("wide")
    @classmethod
    def _wide_headers_on_one_line(cls, given: dict[str, str]) -> dict[str, str]:
        return {one_line(header): target for header, target in given.items()}

    @field_validator("delimiter")
    @classmethod
    def _readable_delimiter(cls, delimiter: str | None) -> str | None:
        if delimiter is not None and (delimiter in '"\r\n\0' or not delimiter.isascii()):
            raise ValueError(f"{delimiter!r} cannot stand between fields")
        return delimiter

    @field_validator("encodings")
    @classmethod
    def _known_encodings(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            try:
                "a".encode(name)
            except LookupError as error:
                raise ValueError(f"{name!r} is no encoding of text") from error
        return names

    @field_validator("units")
    @classmethod
    def _known_units(cls, given: dict[str, str]) -> dict[str, str]:
        for column, unit in given.items():
            if units.named(unit) is None:
                raise WrongAt((column,), f"{unit!r} is no unit that is known ({', '.join(units.UNITS)})")
        return given

    @field_validator("file_name")
    @classmethod
    def _readable_pattern(cls, pattern: str | None) -> str | None:
        for group in compiled(pattern).groupindex if pattern else ():
            if group not in NAME_GROUPS:
                raise ValueError(f"the group {group!r} is none of {', '.join(NAME_GROUPS)}")
        return pattern

    @field_validator("time_format")
    @classmethod
    def _readable_formats(cls, given: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        moment = datetime(2025, 3, 4, 13, 5, tzinfo=UTC)
        if given is None:
            return None
        forms = tuple(map(_first_of_both, (given,) if isinstance(given, str) else given))
        for form in forms:
            try:
                datetime.strptime(moment.strftime(form), form)  # noqa: DTZ007 - only whether it can be read
            except (ValueError, re.error) as error:
                raise ValueError(f"{form!r} is no strptime format") from error
            parts = set(re.findall(r"%(.)", form.replace("%%", "")))
            if not parts & _YEAR:
                raise ValueError(f"{form!r} has no year: a row could be of any; have the collector write it")
            twelve, half = bool(parts & {"I"}), bool(parts & {"p", "c", "X"})
            if twelve != half and not parts & {"c", "X"}:
                raise ValueError(
                    f"{form!r}: %I, the hour of a half day, and %p, which half it is, go together (with %H, %p would "
                    "be passed over)"
                )
            if "j" not in parts and not (parts & _MONTH and parts & _DAY):
                raise ValueError(f"{form!r} has no month or no day")
        return forms[0] if isinstance(given, str) else forms

    @property
    def separator(self) -> str:
        """What stands between fields where rows are written and not read."""
        return self.delimiter or ","

    @property
    def time_formats(self) -> tuple[str, ...]:
        """The strptime formats to try, in order."""
        return (self.time_format,) if isinstance(self.time_format, str) else self.time_format or ()

    @property
    def is_plain(self) -> bool:
        """Whether its text files hold a row a line with each of our columns in one field."""
        return (
            self.format == "table"
            and self.layout == "long"
            and not self.skip_lines
            and not self.comment
            and self.header is None
            and self.interval_number is None
            and "(?P<date>" not in (self.file_name or "")
            and all(isinstance(header, str) for header in self.columns.values())
        )

    def facts_of(self, name: str) -> dict[str, str] | None:
        """Return what a file's name says of its rows; None if it is not the name of such a file."""
        if self.file_name is None:
            return {}
        match = compiled(self.file_name).search(name)
        return None if match is None else {k: v for k, v in match.groupdict().items() if v is not None}

    @field_validator("sheet_name")
    @classmethod
    def _readable_sheet_pattern(cls, pattern: str | None) -> str | None:
        for group in compiled(pattern).groupindex if pattern else ():
            if group != "sensor_id":
                raise ValueError(f"the group {group!r} is not sensor_id")
        return pattern

    def facts_of_sheet(self, name: str) -> dict[str, str] | None:
        """Return what a sheet's name says of its rows; None if such a sheet is not read."""
        if self.sheet_name is None:
            return {}
        match = compiled(self.sheet_name).search(name)
        return None if match is None else {k: v for k, v in match.groupdict().items() if v is not None}

    @property
    def facts_of_sheets(self) -> frozenset[str]:
        """What the names of sheets say."""
        return frozenset(compiled(self.sheet_name).groupindex) if self.sheet_name else frozenset()

    @model_validator(mode="after")
    def _layout_is_complete(self) -> "FileMapping":
        if (self.layout == "wide") != bool(self.wide):
            raise ValueError("layout: wide and the table `wide:` go together")
        if (self.layout == "row_per_day") != (self.row_per_day is not None):
            raise ValueError("layout: row_per_day and the table `row_per_day:` go together")
        headers: dict[str, list[str]] = {}
        for header, target in self.wide.items():
            if target.count("/") != 1:
                raise ValueError(f"wide.{header}: write SENSOR/COLUMN, not {target!r}")
            headers.setdefault(target, []).append(header)
        for target, several in headers.items():
            times = all(_TIME_OF_DAY.fullmatch(header.strip()) for header in several)
            if len(several) > 1 and not times and not self.sum_same_target:
                raise ValueError(
                    f"wide.{several[1]}: {target} has {several[0]!r} already; with `sum_same_target: true` they are "
                    "added up"
                )
        return self

    @property
    def times_are_headers(self) -> bool:
        """Whether its wide files hold a row a day: headers that are times of day, several for one target."""
        return len(set(self.wide.values())) < len(self.wide) and all(
            _TIME_OF_DAY.fullmatch(header.strip()) for header in self.wide
        )

    @model_validator(mode="after")
    def _registers_and_sums_make_sense(self) -> "FileMapping":
        if any(modulus <= 0 for modulus in self.cumulative.values()):
            raise ValueError("cumulative: the roll-over value must be above 0")
        for column, factor in self.factors.items():
            if factor == 0:
                raise WrongAt(("factors", column), "a factor of 0 would make every value 0")
        for column in self.cumulative:
            quantity = units.quantity_of(self.units.get(column, ""))
            if quantity is not None and quantity.endswith("power"):
                raise WrongAt(("units", column), "a running register holds energy, not power")
        for column, header in self.columns.items():
            if not isinstance(header, str) and (len(header) < 2 or column == "factory_id"):
                raise WrongAt(
                    ("columns", column), "a list needs two headers, and a time, a sensor_id or a value column"
                )
        if self.row_per_day is not None and self.row_per_day.column in self.columns:
            raise WrongAt(("columns", self.row_per_day.column), "it stands in the headers of `row_per_day`")
        counted = self.interval_number is not None or self.row_per_day is not None
        if self.interval_number is not None and self.layout != "long":
            raise ValueError("interval_number: only in the long layout")
        if counted and self.midnight == "same_day":
            raise ValueError("midnight: a row that is placed by its date and a number has no such label")
        return self
