"""What goes wrong between a meter and a file. Every fault is on record, so that cleaning can be judged."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from fems.errors import ConfigError
from fems.simulate.collector import Lines, Sheet, quoted
from fems.simulate.streams import Floats

_UNITS = {"power_factor_pct": "%", "current_a": "A", "reactive_kvarh": "kVarh", "temperature_c": "℃"}
_BAD_TIMES = ("", "????", "0000-00-00 00:00:00", "2025-02-30 25:61", "#VALUE!")
_FULL_WIDTH = str.maketrans("0123456789.", "０１２３４５６７８９．")


@dataclass(frozen=True)
class FaultRates:
    """How often things go wrong; the defaults touch about 0.5 % of the rows.

    Attributes:
        wrong_type: share of rows with text where a number belongs.
        missing_row: share of rows that are not in the file, half of them alone, half in runs of one sensor.
        spike: share of rows with one value 20 to 1000 times too high.
        stuck: share of rows that repeat an earlier reading for 1 to 6 hours while the truth moves.
        repeated_row: share of rows that stand in the file twice.
        conflicting_row: share of rows followed by one with the same key and another value.
        bad_time: share of rows whose time cannot be read.
        late_file: share of days of which some hours arrive in a second file.
    """

    wrong_type: float = 0.0007
    missing_row: float = 0.0008
    spike: float = 0.0004
    stuck: float = 0.0008
    repeated_row: float = 0.0005
    conflicting_row: float = 0.00005
    bad_time: float = 0.0001
    late_file: float = 0.012

    def __post_init__(self) -> None:
        """Check the rates.

        Raises:
            ConfigError: a rate is not in 0..1, or the rows' rates make more than half of the rows.
        """
        rates = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, rate in rates.items():
            if not 0.0 <= rate <= 1.0:
                raise ConfigError(f"fault rate {name}: must be from 0 to 1, not {rate}")
        if sum(rates.values()) - self.late_file > 0.5:
            raise ConfigError("fault rates: together they must leave half of the rows as they are")

    @classmethod
    def none(cls) -> "FaultRates":
        """Return rates of 0: clean files."""
        return cls(**{f.name: 0.0 for f in fields(cls)})


FAULT_KINDS = tuple(f.name for f in fields(FaultRates))


@dataclass(frozen=True)
class Fault:
    """One injected fault.

    Attributes:
        kind: a field of FaultRates.
        row: index of the row within the day; for a late file the first one.
        column: our name of the column it concerns; None where it is the whole row.
        written: the text that stands in the file instead; None where the row is not there.
    """

    kind: str
    row: int
    column: str | None
    written: str | None


@dataclass(frozen=True)
class Day:
    """One day's clean rows, ordered by time and then sensor.

    Attributes:
        sheet: how they are written.
        labels: the time text of each step.
        lines: the text of the block that the day is cut from; the day's rows are begin..end-1.
        written: the clean numbers as they stand in the file, shape (steps, sensors, columns).
        truth: the first value column without registers, shape (steps, sensors).
    """

    sheet: Sheet
    labels: list[str]
    lines: Lines
    begin: int
    end: int
    written: Floats
    truth: Floats

    def texts(self, row: int) -> list[str]:
        """Return the value fields of a row."""
        line = bytes(self.lines.rows(self.begin + row, self.begin + row + 1)).decode()
        fields = line.removeprefix("\n").rsplit(self.sheet.mapping.separator, len(self.sheet.columns))
        return fields[1:]

    def line(self, row: int, texts: list[str], label: str | None = None) -> bytes:
        """Return a row with other value fields, and maybe another time text."""
        step, sensor = divmod(row, self.written.shape[1])
        d = self.sheet.mapping.separator
        time = self.labels[step] if label is None else label
        line: str = "\n" + time + self.sheet.ids[sensor] + d.join(quoted(text, d) for text in texts)
        return line.encode()


@dataclass
class Broken:
    """A day's faults and what they make of its rows.

    Attributes:
        edits: row -> the bytes that stand in its place.
        resent: row -> the bytes that stand once more at the end of its file.
        late: rows begin..end-1 that stand in the second file, if there is one.
        faults: the record.
    """

    edits: dict[int, bytes] = field(default_factory=dict)
    resent: dict[int, bytes] = field(default_factory=dict)
    late: tuple[int, int] | None = None
    faults: list[Fault] = field(default_factory=list)

    def pieces(self, day: Day, begin: int, end: int) -> Iterator[bytes | memoryview]:
        """Yield the text of a file that holds the rows begin..end-1 of the day, in order."""
        at = begin
        for row in sorted(row for row in self.edits if begin <= row < end):
            yield day.lines.rows(day.begin + at, day.begin + row)
            yield self.edits[row]
            at = row + 1
        yield day.lines.rows(day.begin + at, day.begin + end)
        yield from (line for row, line in self.resent.items() if begin <= row < end)


def inject(day: Day, rates: FaultRates, rng: np.random.Generator) -> Broken:
    """Draw a day's faults. No row gets two, except that any row may be in the late file."""
    broken = Broken()
    n = day.end - day.begin
    free = np.ones(n, dtype=bool)
    _missing_runs(day, rates.missing_row / 2, rng, free, broken)
    _stuck(day, rates.stuck, rng, free, broken)
    single = {
        "wrong_type": rates.wrong_type,
        "missing_row": rates.missing_row / 2,
        "spike": rates.spike,
        "repeated_row": rates.repeated_row,
        "conflicting_row": rates.conflicting_row,
        "bad_time": rates.bad_time,
    }
    counts = rng.poisson(np.array(list(single.values())) * n)
    kinds = np.repeat(np.array(list(single)), counts)
    rows = rng.permutation(np.flatnonzero(free))[: len(kinds)]
    for kind, row in zip(kinds.tolist(), rows.tolist(), strict=False):
        _SINGLE[kind](day, row, rng, broken)
    steps, sensors = day.truth.shape
    if rng.random() < rates.late_file:
        length = max(1, int(steps * rng.uniform(1.0, 6.0) / 24.0))
        first = int(rng.integers(0, max(1, steps - length)))
        broken.late = (first * sensors, min(steps, first + length) * sensors)
        broken.faults.append(Fault("late_file", broken.late[0], None, f"{length * sensors} rows"))
    return broken


def _spans(
    day: Day, rate: float, lengths: tuple[int, int], rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Yield runs of rows of one sensor each, whose lengths add up to about `rate` of the day's rows."""
    steps, sensors = day.truth.shape
    low, high = (max(1, min(length, steps - 1)) for length in lengths)
    for _ in range(rng.poisson(rate * steps * sensors / ((low + high) / 2))):
        length = int(rng.integers(low, high + 1))
        first, sensor = int(rng.integers(0, max(1, steps - length))), int(rng.integers(0, sensors))
        yield np.arange(first, min(steps, first + length)) * sensors + sensor


def _missing_runs(
    day: Day, rate: float, rng: np.random.Generator, free: NDArray[np.bool_], broken: Broken
) -> None:
    for rows in _spans(day, rate, (3, 24), rng):
        for row in rows[free[rows]].tolist():
            _missing(day, row, rng, broken)
        free[rows] = False


def _stuck(day: Day, rate: float, rng: np.random.Generator, free: NDArray[np.bool_], broken: Broken) -> None:
    """Freeze whole readings, as a gateway that lost its meter sends the last frame again and again.

    A stretch in which the truth stands still as well is no fault; others are drawn in its place.
    """
    hour = 60 // day.sheet.grain
    wanted = list(_spans(day, rate, (hour + 1, 6 * hour + 1), rng))
    steps, sensors = day.truth.shape
    for rows in wanted:
        for _ in range(6):
            first, sensor = int(rng.integers(0, max(1, steps - len(rows)))), int(rng.integers(0, sensors))
            moved = np.arange(first, min(steps, first + len(rows))) * sensors + sensor
            truth = day.truth.reshape(-1)[moved]
            if free[moved[0]] and np.ptp(truth) > 0.05 * np.abs(truth).max():
                _freeze(day, moved[free[moved]], broken)
                free[moved] = False
                break


def _freeze(day: Day, rows: NDArray[np.int64], broken: Broken) -> None:
    texts = day.texts(int(rows[0]))
    written = day.sheet.mapping.separator.join(texts)
    for row in rows[1:].tolist():
        broken.edits[row] = day.line(row, texts)
        broken.faults.append(Fault("stuck", row, None, written))


def _missing(day: Day, row: int, rng: np.random.Generator, broken: Broken) -> None:
    broken.edits[row] = b""
    broken.faults.append(Fault("missing_row", row, None, None))


def _wrong_type(day: Day, row: int, rng: np.random.Generator, broken: Broken) -> None:
    texts = day.texts(row)
    i = int(rng.integers(0, len(texts)))
    column, number = day.sheet.columns[i], texts[i]
    choices = ["ERR", "-", "N/A", f"{number} {_UNITS.get(column, 'kWh')}", number.translate(_FULL_WIDTH)]
    if float(number) >= 1000.0:
        choices.append(f"{float(number):,.{day.sheet.decimals[i]}f}")
    choices = [text for text in choices if day.sheet.can_write(text)]
    texts[i] = choices[int(rng.integers(0, len(choices)))]
    broken.edits[row] = day.line(row, texts)
    broken.faults.append(Fault("wrong_type", row, column, texts[i]))


def _spike(day: Day, row: int, rng: np.random.Generator, broken: Broken) -> None:
    texts = day.texts(row)
    columns = [i for i, name in enumerate(day.sheet.columns) if name != "power_factor_pct"]
    i = columns[int(rng.integers(0, len(columns)))]
    step, sensor = divmod(row, day.truth.shape[1])
    # Over the day's mean at least: twenty times the standby of a machine that is off is no spike at all.
    value = max(float(day.written[step, sensor, i]), float(day.written[:, sensor, i].mean()))
    factor = float(np.exp(rng.uniform(np.log(20.0), np.log(1000.0))))
    texts[i] = f"{value * factor:.{day.sheet.decimals[i]}f}"
    broken.edits[row] = day.line(row, texts)
    broken.faults.append(Fault("spike", row, day.sheet.columns[i], texts[i]))


def _repeated(day: Day, row: int, rng: np.random.Generator, broken: Broken) -> None:
    line = day.line(row, day.texts(row))
    if rng.random() < 0.6:
        broken.edits[row] = line + line
    else:
        broken.resent[row] = line
    broken.faults.append(Fault("repeated_row", row, None, line.decode().lstrip("\n")))


def _conflicting(day: Day, row: int, rng: np.random.Generator, broken: Broken) -> None:
    texts = day.texts(row)
    line = day.line(row, texts)
    sign = 1.0 if rng.random() < 0.5 else -1.0
    value = float(texts[0]) * (1.0 + sign * rng.uniform(0.02, 0.3)) + sign * 10.0 ** -day.sheet.decimals[0]
    texts[0] = f"{abs(value):.{day.sheet.decimals[0]}f}"
    broken.edits[row] = line + day.line(row, texts)
    broken.faults.append(Fault("conflicting_row", row, day.sheet.columns[0], texts[0]))


def _bad_time(day: Day, row: int, rng: np.random.Generator, broken: Broken) -> None:
    text = _BAD_TIMES[int(rng.integers(0, len(_BAD_TIMES)))]
    broken.edits[row] = day.line(row, day.texts(row), label=quoted(text, day.sheet.mapping.separator))
    broken.faults.append(Fault("bad_time", row, "timestamp", text))


_SINGLE: dict[str, Callable[[Day, int, np.random.Generator, Broken], None]] = {
    "wrong_type": _wrong_type,
    "missing_row": _missing,
    "spike": _spike,
    "repeated_row": _repeated,
    "conflicting_row": _conflicting,
    "bad_time": _bad_time,
}
