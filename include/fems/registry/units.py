"""Units in which meters write, and how a value of one becomes a value of another."""

import re
from fractions import Fraction

_QUANTITIES: dict[str, dict[str, Fraction]] = {
    "energy": {"Wh": Fraction(1, 1000), "kWh": Fraction(1), "MWh": Fraction(1000), "GWh": Fraction(10**6)},
    "power": {"W": Fraction(1, 1000), "kW": Fraction(1), "MW": Fraction(1000), "GW": Fraction(10**6)},
    "reactive energy": {"varh": Fraction(1, 1000), "kvarh": Fraction(1), "Mvarh": Fraction(1000)},
    "reactive power": {"var": Fraction(1, 1000), "kvar": Fraction(1), "Mvar": Fraction(1000)},
    "apparent energy": {"VAh": Fraction(1, 1000), "kVAh": Fraction(1)},
    "apparent power": {"VA": Fraction(1, 1000), "kVA": Fraction(1), "MVA": Fraction(1000)},
    "current": {"mA": Fraction(1, 1000), "A": Fraction(1), "kA": Fraction(1000)},
    "voltage": {"V": Fraction(1), "kV": Fraction(1000)},
    "share": {"%": Fraction(1)},
    "temperature": {"°C": Fraction(1)},
    "volume": {"l": Fraction(1, 1000), "m3": Fraction(1), "Nm3": Fraction(1)},
    "mass": {"kg": Fraction(1, 1000), "t": Fraction(1)},
    "pressure": {"Pa": Fraction(1, 1000), "kPa": Fraction(1), "bar": Fraction(100), "MPa": Fraction(1000)},
    "heat": {"MJ": Fraction(1), "GJ": Fraction(1000)},
}
# A mean power over an interval is an energy.
_OVER_TIME = {"power": "energy", "reactive power": "reactive energy", "apparent power": "apparent energy"}
_KNOWN = {unit.casefold(): (quantity, unit) for quantity, units in _QUANTITIES.items() for unit in units} | {
    "m³": ("volume", "m3"),
    "nm³": ("volume", "Nm3"),
    "c": ("temperature", "°C"),
    "℃": ("temperature", "°C"),
    "degc": ("temperature", "°C"),
    "wh/h": ("power", "W"),
    "kwh/h": ("power", "kW"),
    "mwh/h": ("power", "MW"),
}
UNITS = tuple(unit for units in _QUANTITIES.values() for unit in units)
"""Every unit that is understood."""

_IN_BRACKETS = re.compile(r"[(\[]\s*([^()\[\]]{1,8}?)\s*[)\]]\s*$")
# Not one letter alone ("phase_a" is no current), and two behind a space only where they mean nothing else.
_AT_THE_END = re.compile(r"(?:(?:^|[_./,-]\s*)([^\W\d_]{2,5})|\s([^\W\d_]{3,5}|kW|Wh))$")
_WATTS = re.compile(r"(?:^p|power|leistung|puissance|potencia|potenza|전력).*[_.,-]\s*W$", re.IGNORECASE)
"""One letter is a unit where the header says what it measures; `I_W` is the current of a phase."""
_ANYWHERE = re.compile(r"(?<![^\W\d_])(kW|[kMG]?Wh|[kM]?varh|kvar|kVAh?)(?![^\W_])", re.IGNORECASE)
_TIMES = re.compile(r"(?:(?<![^\W\d_])x|[×*·]|10\s*\^)\s*\d|\d\s*(?:x(?![^\W\d_])|[×*·])", re.IGNORECASE)
"""A number beside a unit: `x 1000`, `10^3`; the 3 of `Box 3` is none."""

IN_COLUMNS = frozenset(
    [
        "unit",
        "units",
        "uom",
        "unit of measure",
        "measurement unit",
        "einheit",
        "단위",
        "unité",
        "unidad",
        "unità",
    ]
)
"""Headers of a column that says in which unit each row's value is."""


def named(unit: str) -> str | None:
    """Return a unit as it is written properly, whatever its case; None if it is not known."""
    quantity = _KNOWN.get(unit.strip().casefold())
    return quantity[1] if quantity else None


def quantity_of(unit: str) -> str | None:
    """Return what a unit measures, such as `power`; None if it is not known."""
    known = _KNOWN.get(unit.strip().casefold())
    return known[0] if known else None


def in_header(header: str) -> str | None:
    """Return the unit that a header names: `Active power (kW)`, `load_MW`, `MWh import`; None if none, or several."""
    header = header.strip()
    bracket = _IN_BRACKETS.search(header)
    if bracket and named(bracket[1]):
        return named(bracket[1])
    end = _AT_THE_END.search(header)
    if end and named(end[1] or end[2]):
        return named(end[1] or end[2])
    if _WATTS.search(header):
        return "W"
    anywhere = set(map(named, _ANYWHERE.findall(header)))
    return anywhere.pop() if len(anywhere) == 1 else None


def is_multiplied(header: str) -> bool:
    """Tell whether a header names a unit and a number beside it: `kWh x 1000`. What it means is not guessed."""
    return in_header(header) is not None and _TIMES.search(header) is not None


def in_cell(text: str) -> str | None:
    """Return the unit that a cell holds and nothing else, in brackets or not; None if it holds another thing."""
    return named(text.strip().strip("()[]").strip())


def factor(unit: str, target: str, grain_minutes: int) -> Fraction:
    """Return by what a value in one unit is multiplied to be one in another.

    A mean power becomes the energy of its interval: kW at 15 minutes, a quarter of it in kWh.

    Args:
        unit: as the file writes it.
        target: the column's own.
        grain_minutes: the interval.

    Raises:
        ValueError: they do not measure the same; says so.
    """
    if unit.strip().casefold() == target.strip().casefold():
        return Fraction(1)
    one, other = _KNOWN.get(unit.strip().casefold()), _KNOWN.get(target.strip().casefold())
    if one is None:
        raise ValueError(f"{unit!r} is no unit that is known ({', '.join(UNITS)})")
    if other is None:
        raise ValueError(f"{unit!r} cannot be turned into {target!r}")
    (quantity, name), (wanted, own) = one, other
    size = _QUANTITIES[quantity][name] / _QUANTITIES[wanted][own]
    if quantity == wanted and quantity != "volume":
        return size
    if quantity == wanted and ("Nm3" in (name, own)) == (name == own):
        return size
    if _OVER_TIME.get(quantity) == wanted:
        return size * Fraction(grain_minutes, 60)
    raise ValueError(f"{name} ({quantity}) cannot be turned into {own} ({wanted})")
