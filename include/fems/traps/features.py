"""A day of each trap in a few figures: all that the detector looks at. Past values only."""

from dataclasses import dataclass

import numpy as np

from fems.traps.clamps import jumps, warmed
from fems.traps.layout import TrapLayout
from fems.traps.readings import Bools, Floats, Readings, earlier, nan_median, nan_quantile, trailing_all

_SETTLED_MIN = 90
"""After that long with steam a pipe has its temperature."""
_LEAST_INLET_C, _LEAST_OUTLET_C = 100.0, 70.0
"""A trap with steam is at least so hot, before its own past says more."""
_ON_SHARE, _HOT_SHARE, _WARM_SHARE = 0.8, 0.6, 0.5
"""Of its usual temperature: a neighbour that proves steam, a trap that is hot, one that has flow."""
_LEVEL_DAYS = 45
_FALLING_C_H = 10.0
_FLAT_MIN = 360
_JUMP_C = 25.0
_STEADY_C = 6.0
_COOLING_HOURS = 6.0
_SUDDEN_C, _SUDDEN_MIN = 30.0, 15
"""No pipe cools by that in a quarter of an hour: the sensor has come off."""


@dataclass(frozen=True)
class Features:
    """Figures of each day and trap, shape (days, traps).

    Attributes:
        measured: share of the day that was measured at the main sensor.
        outlet_measured: the same at the outlet.
        steam_hours: hours with settled steam by the neighbours, or by the trap itself where it is hot.
        line_hours: hours with settled steam by the neighbours alone, the machine running where it is known.
        line_known: whether there was any neighbour, or a machine, to tell.
        hot_share: of `line_hours`, in which the trap was hot; NaN without such hours.
        main_c: median of the main sensor over its own settled hours, NaN under an hour of those.
        outlet_c: the same of the outlet.
        outlet_hot: share of `line_hours` in which the outlet was hot.
        flat: share of the day's values that stood still for hours, main sensor; `outlet_flat` the outlet.
        sudden: whether the main sensor fell at once by more than a pipe can.
        outlet_jumped: whether the outlet rose at once by more than a failing trap's, in settled steam.
        season_on: whether another seasonal trap of the line was hot, share of `line_hours`.
        level_c: temperature that the main sensor has when hot, by the days before.
        floor_c: temperature that the day's coldest twentieth stays under, NaN where the line was not off for hours;
            `outlet_floor_c` the outlet's.
        main_jump: by how much the main sensor's level jumped within one reading, alone, 0 where it did not;
            `outlet_jump` the outlet's.
        warmed: how far the main sensor came towards its usual heat when the line was heated from cold, as a share,
            NaN where it was not.
    """

    measured: Floats
    outlet_measured: Floats
    steam_hours: Floats
    line_hours: Floats
    line_known: Bools
    hot_share: Floats
    main_c: Floats
    outlet_c: Floats
    outlet_hot: Floats
    flat: Floats
    outlet_flat: Floats
    sudden: Bools
    outlet_jumped: Bools
    season_on: Floats
    level_c: Floats
    floor_c: Floats
    outlet_floor_c: Floats
    main_jump: Floats
    outlet_jump: Floats
    warmed: Floats


def day_features(readings: Readings, layout: TrapLayout) -> Features:
    """Return each day's figures. A line's traps are taken together, lines one after another."""
    parts = [
        (members, _line_features(readings, layout, members))
        for members in (np.flatnonzero(layout.line == line) for line in np.unique(layout.line))
    ]
    order = np.argsort(np.concatenate([members for members, _ in parts]), kind="stable")
    return Features(
        **{name: np.concatenate([part[name] for _, part in parts], axis=1)[:, order] for name in parts[0][1]}
    )


def _line_features(readings: Readings, layout: TrapLayout, members: np.ndarray) -> dict[str, Floats | Bools]:
    main = readings.main[:, members]
    outlet = readings.outlet[:, members]
    at_outlet = np.isin(np.array(layout.main_position)[members], ("outlet",))
    days = _Days(readings)
    level = _levels(days.quantile(main, 0.9), np.where(at_outlet, _LEAST_OUTLET_C, _LEAST_INLET_C))
    outlet_level = _levels(days.quantile(outlet, 0.9), np.full(len(members), _LEAST_OUTLET_C))
    flat, outlet_flat = _flat(main, readings), _flat(outlet, readings)
    by_step = level[readings.day]
    settled_steps = readings.steps_of(_SETTLED_MIN)
    with np.errstate(invalid="ignore"):
        proof = (main > _ON_SHARE * by_step) & ~flat
        hot = main > _HOT_SHARE * by_step
        hour = readings.steps_of(60)
        steady = ~(main - earlier(main, hour) < -_FALLING_C_H)
        warm = main > _WARM_SHARE * by_step
        outlet_hot = outlet > _HOT_SHARE * outlet_level[readings.day]
        # Over a longer interval a pipe may well cool by that much.
        fine = readings.grain <= _SUDDEN_MIN
        sudden = (earlier(main, 1) - main > _SUDDEN_C) & fine
        before = earlier(outlet, 1)
        was_hot = before > _ON_SHARE * outlet_level[readings.day]
        # A supply that opens, or opens again after a pause, is no jump.
        was_steady = np.abs(before - earlier(outlet, hour)) < _STEADY_C
        outlet_jumped = (outlet - before > _JUMP_C) & was_hot & was_steady & fine
    valid = ~np.isnan(main)
    others = valid.sum(axis=1, keepdims=True) - valid
    proofs = proof.sum(axis=1, keepdims=True) - proof
    line_on = proofs >= np.where(others > 3, 2, 1)
    machine = readings.machine[:, members]
    known_machine = ~np.isnan(machine)
    expected = np.where(known_machine, (machine > 0) & (line_on | (others == 0)), line_on)
    told = (others > 0) | known_machine
    settled = trailing_all(expected, settled_steps) & valid
    # Heat of its own proves steam where it is as hot as ever, or where nobody else could tell.
    own = trailing_all(warm & valid, settled_steps) & steady & ~flat & (line_on | proof | ~told)
    season = layout.seasonal[members]
    hot_seasonal = (hot & season).sum(axis=1, keepdims=True) - (hot & season)
    counts = days.count(settled)
    hours = readings.grain / 60.0

    def share(flags: Bools) -> Floats:
        return np.where(counts > 0, days.count(flags & settled) / np.maximum(counts, 1), np.nan)

    cooled = days.count(~line_on & (others > 0)) * hours >= _COOLING_HOURS
    enough = days.count(own) * hours >= 1.0
    main_jump, outlet_jump = jumps(main, outlet, own, layout.pair[members], readings.grain)
    return {
        "measured": days.count(valid) / days.length[:, None],
        "outlet_measured": days.count(~np.isnan(outlet)) / days.length[:, None],
        "steam_hours": days.count(trailing_all(line_on, settled_steps) | (own & hot)) * hours,
        "line_hours": counts * hours,
        "line_known": days.count(told) > 0,
        "hot_share": share(hot),
        "main_c": np.where(enough, days.median(np.where(own, main, np.nan)), np.nan),
        "outlet_c": np.where(enough, days.median(np.where(own, outlet, np.nan)), np.nan),
        "outlet_hot": share(outlet_hot),
        "flat": days.count(flat) / np.maximum(days.count(valid), 1),
        "outlet_flat": days.count(outlet_flat) / np.maximum(days.count(~np.isnan(outlet)), 1),
        "sudden": days.count(sudden) > 0,
        "outlet_jumped": days.count(outlet_jumped & own) > 0,
        "season_on": share(hot_seasonal > 0),
        "level_c": level,
        "floor_c": np.where(cooled, days.quantile(main, 0.05), np.nan),
        "outlet_floor_c": np.where(cooled, days.quantile(outlet, 0.05), np.nan),
        "main_jump": days.largest(main_jump),
        "outlet_jump": days.largest(outlet_jump),
        "warmed": days.quantile(warmed(main, by_step, line_on, settled_steps, readings), 1.0),
    }


class _Days:
    """Reduce steps to days."""

    def __init__(self, readings: Readings) -> None:
        edges = np.searchsorted(readings.day, np.arange(len(readings.days) + 1))
        self.length = np.diff(edges).clip(1)
        # Days of equal length, padded: a day of a clock change has one hour less, or more.
        self._index = edges[:-1, None] + np.arange(int(self.length.max()))
        self._inside = self._index < edges[1:, None]
        self._index = self._index.clip(max=len(readings.day) - 1)

    def _padded(self, values: Floats) -> Floats:
        cube = values[self._index]
        cube[~self._inside] = np.nan
        return np.swapaxes(cube, 0, 1)

    def count(self, flags: Bools) -> Floats:
        cube = flags[self._index]
        return np.asarray((cube & self._inside[:, :, None]).sum(axis=1), dtype=np.float64)

    def median(self, values: Floats) -> Floats:
        return nan_median(self._padded(values))

    def largest(self, values: Floats) -> Floats:
        """Return the value that is farthest from 0, with its sign."""
        cube = np.nan_to_num(self._padded(values))
        high, low = cube.max(axis=0), cube.min(axis=0)
        largest: Floats = np.where(high > -low, high, low)
        return largest

    def quantile(self, values: Floats, share: float) -> Floats:
        return nan_quantile(self._padded(values), share)


def _levels(peaks: Floats, least: Floats) -> Floats:
    """Return how hot each trap is when hot, by the second hottest of the days before, shape (days, traps)."""
    out = np.empty_like(peaks)
    for number in range(len(peaks)):
        past = np.sort(np.nan_to_num(peaks[max(0, number - _LEVEL_DAYS) : number], nan=-np.inf), axis=0)
        second = past[-2] if len(past) > 1 else np.full(peaks.shape[1], -np.inf)
        out[number] = np.maximum(second, least)
    return out


def _flat(values: Floats, readings: Readings) -> Bools:
    """Return whether a value has not moved for hours."""
    steps = readings.steps_of(_FLAT_MIN)
    with np.errstate(invalid="ignore"):
        still = np.abs(values - earlier(values, 1)) == 0.0
    return trailing_all(still, steps) if steps > 1 else still
