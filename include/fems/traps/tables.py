"""The detector's result as tables: a row a trap and day, and a row an event, with what it costs."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pyarrow as pa

from fems.calendar import Days
from fems.contracts.traps import LEAKS, Loss, TrapDay, TrapEvent, TrapState
from fems.registry.steam_traps import Steam, SteamTrap
from fems.traps.detector import STATES, Detection, OpenedEvent
from fems.traps.evidence import CAUSES
from fems.traps.features import Features
from fems.traps.flow import Band, Kind, steam_loss
from fems.traps.loss import worth
from fems.traps.words import reason

_COST = [
    ("steam_kg_low", pa.float64()),
    ("steam_kg", pa.float64()),
    ("steam_kg_high", pa.float64()),
    ("heat_kwh", pa.float64()),
    ("fuel_kwh", pa.float64()),
    ("cost", pa.float64()),
    ("currency", pa.string()),
    ("tco2e", pa.float64()),
]
TRAP_DAY = pa.schema(
    [
        ("day", pa.date32()),
        ("factory_id", pa.string()),
        ("trap_id", pa.string()),
        ("state", pa.string()),
        ("confidence", pa.float64()),
        ("reason", pa.string()),
        ("reason_ko", pa.string()),
        ("event_id", pa.string()),
        ("steam_hours", pa.float64()),
        ("measured_pct", pa.float64()),
        ("main_c", pa.float64()),
        ("main_usual_c", pa.float64()),
        ("outlet_c", pa.float64()),
        ("outlet_usual_c", pa.float64()),
        ("loss_kg_h", pa.float64()),
        *_COST,
    ]
)
TRAP_EVENTS = pa.schema(
    [
        ("event_id", pa.string()),
        ("factory_id", pa.string()),
        ("trap_id", pa.string()),
        ("kind", pa.string()),
        ("start", pa.date32()),
        ("detected", pa.date32()),
        ("end", pa.date32()),
        ("closed", pa.date32()),
        ("closing", pa.string()),
        ("severity_c", pa.float64()),
        ("confidence", pa.float64()),
        ("reason", pa.string()),
        ("reason_ko", pa.string()),
        ("steam_hours", pa.float64()),
        ("loss_kg_h_low", pa.float64()),
        ("loss_kg_h", pa.float64()),
        ("loss_kg_h_high", pa.float64()),
        *_COST,
    ]
)


class TrapTables:
    """Lay a detection out as tables.

    Args:
        factory_id: whose traps.
        traps: as registered, in the order of the detection's columns.
        given: the factory's boiler and fuel.
        days: local days, in the order of the detection's rows.
        features: of these days.
        detection: of these days.
    """

    def __init__(
        self,
        factory_id: str,
        traps: Mapping[str, SteamTrap],
        given: Steam | None,
        days: Days,
        features: Features,
        detection: Detection,
    ) -> None:
        self.factory_id, self.traps, self.given = factory_id, dict(traps), given
        self.days, self.features, self.detection = days, features, detection
        self.ids = tuple(traps)
        self.dates = days.astype("datetime64[D]").astype(object)

    def days_table(self) -> pa.Table:
        """Return a row a day and trap, in the order of the days."""
        rows = [self._day(n, i) for n in range(len(self.dates)) for i in range(len(self.ids))]
        return pa.Table.from_pylist(rows, TRAP_DAY)

    def events_table(self) -> pa.Table:
        """Return a row an event, in the order of their detection."""
        rows = [self._event(event) for event in self.detection.events]
        return pa.Table.from_pylist(rows, TRAP_EVENTS)

    def _event_id(self, event: OpenedEvent) -> str:
        return f"{self.ids[event.trap]}-{self.dates[event.detected]:%Y%m%d}"

    def _reasons(self, n: int, i: int) -> tuple[str, str]:
        """Return why a trap is in its state, in English and Korean."""
        f, d = self.features, self.detection
        hot, hours = f.hot_share[n, i], f.line_hours[n, i]
        said = {
            "main": _number(d.main_moved[n, i]),
            "outlet": _number(d.outlet_moved[n, i]),
            "hot": _number(hot),
            "hours": float(hours),
        }
        cause = CAUSES[d.cause[n, i]]
        return reason(cause, "en", **said), reason(cause, "ko", **said)

    def _day(self, n: int, i: int) -> TrapDay:
        f, d = self.features, self.detection
        state = STATES[d.state[n, i]]
        band = self._band(state, i)
        number = int(d.event[n, i])
        english, korean = self._reasons(n, i)
        return {
            "day": self.dates[n],
            "factory_id": self.factory_id,
            "trap_id": self.ids[i],
            "state": str(state),
            "confidence": round(float(d.confidence[n, i]), 2),
            "reason": english,
            "reason_ko": korean,
            "event_id": self._event_id(d.events[number]) if number >= 0 else None,
            "steam_hours": float(f.steam_hours[n, i]),
            "measured_pct": round(100 * float(f.measured[n, i]), 1),
            "main_c": _rounded(f.main_c[n, i]),
            "main_usual_c": _rounded(d.main_usual[n, i]),
            "outlet_c": _rounded(f.outlet_c[n, i]),
            "outlet_usual_c": _rounded(d.outlet_usual[n, i]),
            "loss_kg_h": None if band is None else band.likely,
            **self._cost(band, float(f.steam_hours[n, i]), i),
        }

    def _event(self, event: OpenedEvent) -> TrapEvent:
        i, last = event.trap, event.end[0] if event.end else len(self.dates)
        kind = STATES[event.kinds[-1][1]]
        hours, totals = self._total(event, last)
        closed = event.closed[0] if event.closed else None
        english, korean = self._reasons(event.detected, i)
        band = self._band(kind, i)
        return {
            "event_id": self._event_id(event),
            "factory_id": self.factory_id,
            "trap_id": self.ids[i],
            "kind": str(kind),
            "start": self.dates[event.start],
            "detected": self.dates[event.detected],
            "end": self.dates[event.end[0]] if event.end else None,
            "closed": None if closed is None else self.dates[closed[0]],
            "closing": None if closed is None else closed[1],
            "severity_c": round(max(event.severity), 1),
            "confidence": round(max(event.confidence), 2),
            "reason": english,
            "reason_ko": korean,
            "steam_hours": hours,
            "loss_kg_h_low": None if band is None else band.low,
            "loss_kg_h": None if band is None else band.likely,
            "loss_kg_h_high": None if band is None else band.high,
            **totals,
        }

    def _total(self, event: OpenedEvent, last: int) -> tuple[float, Loss]:
        """Return the hours with steam and what was lost in them, each day by what the trap's state then was.

        Days on which the fault was suspected but not yet known, and days that tell nothing, count as what it turned
        out to be; days without a fault within it count nothing.
        """
        kinds = dict(event.kinds)
        current, hours = event.kinds[0][1], 0.0
        parts: list[Loss] = []
        for n in range(event.start, last):
            current = kinds.get(n, current)
            seen = STATES[self.detection.state[n, event.trap]]
            if seen in (TrapState.ok, TrapState.line_off) and n >= event.detected:
                continue
            here = float(self.features.steam_hours[n, event.trap])
            hours += here
            parts.append(self._cost(self._band(STATES[current], event.trap), here, event.trap))
        return hours, _added(parts) if parts else _NO_LOSS

    def _band(self, state: TrapState, i: int) -> Band | None:
        """Return the steam that a trap in a state loses; None where the orifice or the pressure is not known."""
        trap = self.traps[self.ids[i]]
        if state not in LEAKS or trap.orifice_mm is None or trap.pressure_bar_g is None:
            return None
        kind: Kind = "suspected_leak" if state == TrapState.suspected_leak else "blow_through"
        returns = bool(trap.condensate_returns)
        return steam_loss(kind, trap.orifice_mm, trap.pressure_bar_g, condensate_returns=returns)

    def _cost(self, band: Band | None, hours: float, i: int) -> Loss:
        """Return what some hours lose."""
        pressure = self.traps[self.ids[i]].pressure_bar_g
        if band is None or pressure is None:
            return _NO_LOSS
        made = worth(band.likely * hours, pressure, self.given)
        return {
            "steam_kg_low": round(band.low * hours, 3),
            "steam_kg": round(made.steam_kg, 3),
            "steam_kg_high": round(band.high * hours, 3),
            "heat_kwh": made.heat_kwh,
            "fuel_kwh": made.fuel_kwh,
            "cost": made.cost,
            "currency": made.currency,
            "tco2e": made.tco2e,
        }


_NO_LOSS: Loss = {
    "steam_kg_low": None,
    "steam_kg": None,
    "steam_kg_high": None,
    "heat_kwh": None,
    "fuel_kwh": None,
    "cost": None,
    "currency": None,
    "tco2e": None,
}
_Amount = Literal["steam_kg_low", "steam_kg", "steam_kg_high", "heat_kwh", "fuel_kwh", "cost", "tco2e"]


def _added(parts: list[Loss]) -> Loss:
    """Return losses in one; what is not known of one of them is not known of all."""

    def total(name: _Amount) -> float | None:
        known = [value for part in parts if (value := part[name]) is not None]
        return round(sum(known), 6) if len(known) == len(parts) else None

    return {
        "steam_kg_low": total("steam_kg_low"),
        "steam_kg": total("steam_kg"),
        "steam_kg_high": total("steam_kg_high"),
        "heat_kwh": total("heat_kwh"),
        "fuel_kwh": total("fuel_kwh"),
        "cost": total("cost"),
        "currency": parts[0]["currency"],
        "tco2e": total("tco2e"),
    }


def _number(value: float | np.floating) -> float:
    return 0.0 if np.isnan(value) else float(value)


def _rounded(value: float | np.floating) -> float | None:
    return None if np.isnan(value) else round(float(value), 1)
