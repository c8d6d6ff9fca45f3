"""What a clamp does to a reading: a sensor that is clamped anew, and one that hangs beside its pipe."""

import numpy as np

from fems.traps.readings import Bools, Floats, Readings, earlier, trailing_all

_BEFORE, _AFTER = 2, 3
"""Readings that are looked at on both sides of a jump."""
_LEAST_JUMP_C = 2.0
_AT_ONCE, _LEVEL_BEFORE, _LEVEL_AFTER = 0.7, 0.4, 0.5
"""Of a jump: what must come within one reading, and how far the readings before and after it may differ."""
_OTHER_MOVES, _MOVES_C, _OTHERS_MOVE = 0.35, 1.0, 0.25
"""What the other sensor of a pair may move by, of the jump; what is a move; share of a line's traps that may move."""
_FINE_MIN = 15
"""Over a longer interval a pipe may well follow within one reading."""
_OFF_MIN, _HEATING_MIN = 150, 60
"""A line is cold after so long; so long before its traps prove it, steam may have been there."""

_CONTACT_SHARE, _ROOM_C = 0.1, 20.0
"""Of the temperature over the room, what another contact of a clamp changes at most."""
_BORNE_OUT = (0.6, 1.6)
_PAST_DAYS, _LEVEL_DAYS, _OFTEN = 30, 3, 1
"""An outlet whose level jumps by as much on more days than that follows its load."""


def jumps(main: Floats, outlet: Floats, own: Bools, pair: Bools, grain: int) -> tuple[Floats, Floats]:
    """Return by how much each sensor's level jumped within one reading, alone, 0 where it did not.

    A pipe takes its time, a pressure moves the whole line, and a trap moves both of its ends; what jumps alone is the
    contact of a sensor. A jump is known some readings after it came.

    Args:
        main: readings of a line's traps, shape (steps, traps).
        outlet: the same of the outlets.
        own: whether the trap has settled steam, shape (steps, traps).
        pair: traps with two sensors, shape (traps,).
        grain: interval in minutes.
    """
    nothing = np.zeros(main.shape, dtype=np.float32)
    if grain > _FINE_MIN:
        return nothing, nothing
    told = trailing_all(own, _BEFORE + _AFTER)
    moves = [_move(values, told) for values in (main, outlet)]
    (main_move, main_jump), (outlet_move, outlet_jump) = moves
    moving = np.abs(np.nan_to_num(main_move)) > _MOVES_C
    others = told.sum(axis=1, keepdims=True) - told
    alone = moving.sum(axis=1, keepdims=True) - moving <= _OTHERS_MOVE * others
    still_outlet = ~pair | (np.abs(outlet_move) < _OTHER_MOVES * np.abs(main_move))
    still_main = ~pair | (np.abs(main_move) < _OTHER_MOVES * np.abs(outlet_move))
    return (
        np.where(main_jump & alone & still_outlet, main_move, 0.0),
        np.where(outlet_jump & alone & still_main, outlet_move, 0.0),
    )


def _move(values: Floats, told: Bools) -> tuple[Floats, Bools]:
    """Return how far a level moved between the readings before and after, and whether it did so at once."""
    after = np.stack([values, *(earlier(values, n) for n in range(1, _AFTER))])
    before = np.stack([earlier(values, _AFTER + n) for n in range(_BEFORE)])
    with np.errstate(invalid="ignore"):
        move = np.where(told, after.mean(axis=0) - before.mean(axis=0), np.nan)
        size = np.abs(move)
        at_once = (after[-1] - before[0]) * np.sign(move) > _AT_ONCE * size
        level = (np.ptp(before, axis=0) < _LEVEL_BEFORE * size) & (
            np.ptp(after, axis=0) < _LEVEL_AFTER * size
        )
    return move, at_once & level & (size > _LEAST_JUMP_C)


def warmed(main: Floats, level: Floats, line_on: Bools, settled_steps: int, readings: Readings) -> Floats:
    """Return how far a sensor came towards its usual heat when its line was heated from cold, else NaN.

    A pipe behind a blocked trap still hangs on the hot line. A sensor that has come off hangs in the air.

    Args:
        main: readings of a line's traps, shape (steps, traps).
        level: how hot each is when hot, shape (steps, traps).
        line_on: whether its neighbours prove steam, shape (steps, traps).
        settled_steps: how long heating takes.
        readings: for its grain.
    """
    off_steps, before = readings.steps_of(_OFF_MIN), settled_steps + readings.steps_of(_HEATING_MIN)
    was_off = trailing_all(~line_on, off_steps).astype(np.float32)
    began = trailing_all(line_on, settled_steps) & (earlier(was_off, settled_steps) > 0)
    smooth = (main + earlier(main, 1) + earlier(main, 2)) / 3
    cold = earlier(smooth, before)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(began, (smooth - cold) / (level - cold), np.nan)


class Contact:
    """Day figures of a sensor, each brought to the contact that it has now.

    A jump counts where the next day bears it out. What was measured before it is moved by as much.

    Attributes:
        values: figures, shape (days, traps); those before today may change.
    """

    def __init__(self, values: Floats, jump: Floats) -> None:
        self.values = values.copy()
        self._jump = jump
        self._since = np.full(values.shape[1], -1)

    def jumped(self, day: int, may: Bools) -> Bools:
        """Return which sensors were clamped anew, known today.

        Args:
            day: today.
            may: traps of which that is asked: none with an open event.
        """
        out = np.zeros(len(may), dtype=bool)
        for trap in np.flatnonzero((self._since >= 0) & ~np.isnan(self.values[day])):
            first = int(self._since[trap])
            self._since[trap] = -1
            past = self.values[max(0, first - _PAST_DAYS) : first, trap]
            past = past[~np.isnan(past)][-_LEVEL_DAYS:]
            size = float(self._jump[first, trap])
            often = np.abs(self._jump[max(0, first - _PAST_DAYS) : first, trap]) > _BORNE_OUT[0] * abs(size)
            if len(past) == 0 or not may[trap] or np.count_nonzero(often) > _OFTEN:
                continue
            level = float(np.median(past))
            moved = float(self.values[day, trap]) - level
            most = _CONTACT_SHARE * (level - _ROOM_C)
            if abs(size) <= most and _BORNE_OUT[0] <= moved / size <= _BORNE_OUT[1]:
                self.values[:first, trap] += size
                self.values[first, trap] = np.nan
                out[trap] = True
        self._since = np.where((self._jump[day] != 0) & may, day, self._since)
        return out
