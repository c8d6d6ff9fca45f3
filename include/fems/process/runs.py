"""Runs of neighbouring intervals in which something holds."""

import numpy as np


def runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the runs of True along the last axis.

    Args:
        mask: bool, (S, T).

    Returns:
        sensor, begin, end of each run, int64 each, ordered by sensor and time; `end` is one past the last.
    """
    width = mask.shape[1] + 1
    framed = np.zeros((len(mask), width), bool)
    framed[:, :-1] = mask
    flat = framed.reshape(-1)
    change = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    if len(flat) and flat[0]:
        change = np.concatenate(([0], change))
    begin, end = change[::2], change[1::2]
    sensor = begin // width
    return sensor, begin - sensor * width, end - sensor * width


def cells_of(
    sensor: np.ndarray, begin: np.ndarray, end: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the flat position (of S x T) of every interval of some runs, and which run it is of."""
    length = end - begin
    run = np.repeat(np.arange(len(length)), length)
    offset = np.arange(len(run)) - np.repeat(np.cumsum(length) - length, length)
    return (sensor * steps + begin)[run] + offset, run


def longer_than(mask: np.ndarray, length: int) -> np.ndarray:
    """Return the flat positions of the intervals in runs of more than `length`."""
    sensor, begin, end = runs(mask)
    long = end - begin > length
    return cells_of(sensor[long], begin[long], end[long], mask.shape[1])[0]
