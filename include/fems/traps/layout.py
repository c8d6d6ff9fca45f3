"""What the registry says of a factory's traps, as arrays: a column a trap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fems.calendar import Days
from fems.registry.steam_traps import Repair, SteamTrap, Stop

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.floating]


@dataclass(frozen=True)
class TrapLayout:
    """The traps of a factory.

    Attributes:
        trap_ids: in the order of the registry, N of them.
        line: number of the line of each; traps whose line is not known are alone on one, shape (N,).
        main_position: where the main sensor sits: inlet, outlet or body; of a pair the inlet; "" if not known.
        pair: whether there is a second sensor at the outlet, shape (N,).
        always_hot: in continuous service, shape (N,).
        seasonal: shape (N,).
        has_machine: whether it serves a machine with a meter, shape (N,).
        saturation_c: of its line, NaN where the pressure is not known, shape (N,).
    """

    trap_ids: tuple[str, ...]
    line: Ints
    main_position: tuple[str, ...]
    pair: Bools
    always_hot: Bools
    seasonal: Bools
    has_machine: Bools
    saturation_c: Floats

    @property
    def leak_observable(self) -> Bools:
        """Whether a sensor sits where a leak can be seen: at the outlet or on the body, shape (N,)."""
        return np.asarray(self.pair | np.isin(self.main_position, ("outlet", "body")))

    @property
    def neighbours(self) -> Ints:
        """How many other traps are on the line of each, shape (N,)."""
        return np.asarray(np.bincount(self.line)[self.line] - 1)

    @property
    def at_inlet(self) -> Bools:
        """Whether the main sensor is at the inlet, shape (N,)."""
        return np.asarray(np.isin(self.main_position, ("inlet",)))


def layout_of(traps: Mapping[str, SteamTrap]) -> TrapLayout:
    """Gather what the registry says of some traps."""
    from fems import steam

    names: dict[str, int] = {}
    lines = [
        names.setdefault(f"line {trap.line}" if trap.line is not None else f"trap {key}", len(names))
        for key, trap in traps.items()
    ]
    every = list(traps.values())
    return TrapLayout(
        trap_ids=tuple(traps),
        line=np.array(lines, dtype=np.int64),
        main_position=tuple("inlet" if t.position == "pair" else t.position or "" for t in every),
        pair=np.array([t.outlet_sensor is not None for t in every], dtype=bool),
        always_hot=np.array([t.service == "continuous" for t in every], dtype=bool),
        seasonal=np.array([t.service == "seasonal" for t in every], dtype=bool),
        has_machine=np.array([t.equipment is not None for t in every], dtype=bool),
        saturation_c=np.array(
            [
                float(steam.saturation_c(steam.absolute(t.pressure_bar_g)))
                if t.pressure_bar_g is not None
                else np.nan
                for t in every
            ]
        ),
    )


def stopped_days(traps: Mapping[str, SteamTrap], stops: Sequence[Stop], days: Days) -> Bools:
    """Return whether each day is a planned stop of each trap, shape (days, traps)."""
    out = np.zeros((len(days), len(traps)), dtype=bool)
    for stop in stops:
        inside = (days >= np.datetime64(stop.first)) & (days <= np.datetime64(stop.last))
        whose = np.array(
            [
                key == stop.trap_id if stop.trap_id is not None else stop.line in (None, trap.line)
                for key, trap in traps.items()
            ],
            dtype=bool,
        )
        out |= inside[:, None] & whose
    return out


def repaired_days(traps: Mapping[str, SteamTrap], repairs: Sequence[Repair], days: Days) -> Bools:
    """Return whether each trap was repaired on each day, shape (days, traps)."""
    out = np.zeros((len(days), len(traps)), dtype=bool)
    index = {key: number for number, key in enumerate(traps)}
    for repair in repairs:
        if repair.trap_id in index:
            out[days == np.datetime64(repair.day), index[repair.trap_id]] = True
    return out
