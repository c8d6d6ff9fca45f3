"""The month's maximum demand: the highest 15 minutes, when they come, how likely they pass the contract power.

The highest of a month's forecast means is too low: what is highest is high by chance, too. So many months are drawn.
The level, the mean power of the working days, comes from their quantiles; a drawn past span of as many days says how
far its highest 15 minutes were above its level. Their product is one possible maximum demand. Chosen on months before
those that docs/forecast.md reports.

A factory that feeds in has levels near zero, which no factor makes a peak of: there the highest 15 minutes are so many
kW above the level, and not so many times.

Which day and time it is most likely comes from draws by day: a day's energy by its quantiles, times how far the highest
15 minutes of a past day of its kind were above that day's mean.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fems.calendar import WORKDAY, Days, kinds_of_days, local_days
from fems.errors import TooLittleHistory
from fems.forecast.tables import QUANTILES, Forecast, hours_of_days, whole_days
from fems.model.history import Floats
from fems.model.month_ahead.band import FACTORY, Bands

MINUTES = 15
"""Korean tariffs bill the mean power of 15 minutes (the demand interval of the meter)."""
PAST_DAYS = 182
"""Days before the origin that are drawn from."""
PATHS = 2000

_LEAST_KNOWN = 0.9
_LEAST_OF_KIND = 3
Z90 = 1.2815515655446004
"""The standard normal's 90 % quantile."""


@dataclass(frozen=True)
class PastDays:
    """Days that were measured.

    Attributes:
        kinds: (N,) WORKDAY, SATURDAY or REST.
        mean: (N,) kW, the mean power.
        number: (N,) the days since the first of them.
        slot: (N,) when it was, in intervals from midnight.
        kw: (N,) the highest demand.
        minutes: of the interval.
        feeds_in: whether the factory does, so that what is above a level is a difference and not a ratio.
    """

    kinds: NDArray[np.int8]
    mean: Floats
    number: NDArray[np.int64]
    slot: NDArray[np.int64]
    kw: Floats
    minutes: int
    feeds_in: bool = False

    def above(self, level: Floats, top: Floats, level_then: Floats) -> Floats:
        """Return what a level becomes if it is exceeded as `top` exceeded `level_then`."""
        peak: Floats = level + (top - level_then) if self.feeds_in else level * (top / level_then)
        return peak


@dataclass(frozen=True)
class Demand:
    """The maximum demand of a span.

    Attributes:
        kw: the median of the maximum; p10 and p90 its quantiles.
        at: the start of the interval that is most likely the highest one.
        day_chance: 0 to 1, that the highest one is on that day.
        minutes: of the interval.
        by_day: (D,) kW, the median of each day's highest demand; NaN for parts of days.
        draws: (P,) kW, the maxima drawn.
        total_kwh: how far p10 and p90 of the span's energy are from its middle.
    """

    kw: float
    p10: float
    p90: float
    at: pd.Timestamp
    day_chance: float
    minutes: int
    by_day: Floats
    draws: Floats
    total_kwh: tuple[float, float]

    def at_least(self, kw: float, at: pd.Timestamp) -> "Demand":
        """Return the maximum of a span and of what was measured before it.

        Args:
            kw: the highest demand that was measured.
            at: the start of its interval.
        """
        draws = np.maximum(self.draws, kw)
        low, mid, high = np.quantile(draws, [0.1, 0.5, 0.9])
        above = float(np.mean(self.draws > kw))
        stands = above < 0.5  # what was measured is more likely the highest
        return replace(
            self,
            kw=float(mid),
            p10=float(low),
            p90=float(high),
            draws=draws,
            at=at if stands else self.at,
            day_chance=1 - above if stands else self.day_chance * above,
        )

    def chance_over(self, contract_kw: float) -> float:
        """Return how likely the maximum passes a power, 0 to 1."""
        return float(np.mean(self.draws > contract_kw))


def interval(grain_minutes: int) -> int:
    """Return the demand interval that a native interval allows, minutes."""
    return max(MINUTES, grain_minutes)


def factory_power(native: pd.DataFrame, grain_minutes: int) -> pd.Series:
    """Return the factory's mean power, kW, of each demand interval whose every part was measured.

    Args:
        native: timestamp, sensor_id, used_kwh.
        grain_minutes: the native interval.
    """
    minutes = interval(grain_minutes)
    wide = native.pivot(index="timestamp", columns="sensor_id", values="used_kwh").dropna(axis=1, how="all")
    total = wide.sum(axis=1, min_count=wide.shape[1]) * 60 / minutes
    by_interval = total.groupby(pd.DatetimeIndex(total.index).floor(f"{minutes}min"))
    return by_interval.sum(min_count=minutes // grain_minutes).dropna()


def past_days(power: pd.Series, minutes: int, country: str | None, feeds_in: bool = False) -> PastDays:
    """Return what the days before an origin looked like.

    Args:
        power: see `factory_power`; the last `PAST_DAYS` days count.
        minutes: of its intervals, see `interval`.
        country: whose public holidays are days of rest; None where the factory works through them.
        feeds_in: whether the factory does; see `fems.model.floors`.

    Raises:
        TooLittleHistory: no day is whole.
    """
    recent = power[power.index >= power.index.max() - pd.Timedelta(days=PAST_DAYS)]
    times = pd.DatetimeIndex(recent.index)
    slots = 24 * 60 // minutes
    slot = (times.hour * 60 + times.minute) // minutes
    day = times.tz_localize(None).normalize()
    grid = pd.DataFrame({"day": day, "slot": slot, "kw": recent.to_numpy()}).pivot_table(
        index="day", columns="slot", values="kw"
    )
    kw = grid.to_numpy(dtype=np.float64)
    whole = (np.isfinite(kw).sum(axis=1) >= _LEAST_KNOWN * slots) & (feeds_in | (np.nanmean(kw, axis=1) > 0))
    if not whole.any():
        raise TooLittleHistory(f"no whole day of measured power in the {PAST_DAYS} days before the origin")
    kw, days = kw[whole], grid.index.to_numpy()[whole].astype("datetime64[D]")
    kinds, mean, top = kinds_of_days(days, country), np.nanmean(kw, axis=1), np.nanmax(kw, axis=1)
    highest = np.nanargmax(kw, axis=1)
    return PastDays(
        kinds,
        mean,
        (days - days[0]).astype(np.int64),
        grid.columns.to_numpy()[highest].astype(np.int64),
        top,
        minutes,
        feeds_in,
    )


def over_level(past: PastDays, span: int) -> tuple[Floats, Floats]:
    """Return highest demands and levels of every past span of so many days; of all past days if they are fewer.

    The level is the mean power of the working days, of all days where a span has none.
    """
    found = []
    for first in range(max(1, int(past.number[-1]) + 2 - span)):
        rows = (past.number >= first) & (past.number < first + span)
        work = rows & (past.kinds == WORKDAY)
        if rows.any():
            found.append((past.kw[rows].max(), past.mean[work if work.any() else rows].mean()))
    tops, levels = np.array(found).T
    return tops, levels


def of_forecast(
    forecast: Forecast,
    bands: Bands,
    past: PastDays,
    country: str | None,
    *,
    end: pd.Timestamp | None = None,
    seed: int = 0,
) -> Demand:
    """Return the maximum demand of a forecast, see `expected`.

    Args:
        forecast: its tables.
        bands: its quantiles.
        past: what to draw shapes from.
        country: see `past_days`.
        end: days from there on do not count; None where all do.
        seed: of the draws.
    """
    day = forecast.factory["day"]
    if end is not None:
        day = day.loc[day["timestamp"] < end]
    times = pd.DatetimeIndex(day["timestamp"])
    hours = hours_of_days(forecast)[: len(day)]
    kwh = float(day["used_kwh"].sum())
    low, high = bands.of_span(FACTORY, kwh, int(hours.sum()))
    return expected(
        day[[f"used_kwh_{name}" for name in QUANTILES]].to_numpy(),
        hours,
        local_days(times),
        str(times.tz),
        past,
        country,
        bands.shared[FACTORY],
        (low - kwh, high - kwh),
        seed,
    )


def expected(
    quantiles: Floats,
    hours: NDArray[np.int64],
    days: Days,
    zone: str,
    past: PastDays,
    country: str | None,
    shared: float,
    total_kwh: tuple[float, float],
    seed: int = 0,
) -> Demand:
    """Draw months.

    Args:
        quantiles: (D, 3) kWh of each day: 10 %, 50 %, 90 %.
        hours: (D,) hours of each day that are forecast; parts of a day are left out where there is a whole one.
        days: (D,) local days.
        zone: IANA time zone.
        past: what to draw shapes from.
        country: see `past_days`.
        shared: 0 to 1, share of the variance of a day's error that all days have in common; see `Bands.shared`.
        total_kwh: how far the 10 % and the 90 % quantile of the span's energy are from its middle; see `Bands.of_span`.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    whole = whole_days(hours)
    low, mid, high = quantiles[whole].T
    kinds = kinds_of_days(days[whole], country)
    common = rng.standard_normal((PATHS, 1))
    z = np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.standard_normal((PATHS, len(mid)))
    kwh = _drawn(z, low, mid, high, past.feeds_in)
    drawn = np.empty(kwh.shape, dtype=np.int64)
    for i, kind in enumerate(kinds):
        of_kind = np.flatnonzero(past.kinds == kind)
        pool = of_kind if len(of_kind) >= _LEAST_OF_KIND else np.arange(len(past.kinds))
        drawn[:, i] = rng.choice(pool, PATHS)
    kw = past.above(kwh / hours[whole], past.kw[drawn], past.mean[drawn])
    best = kw.argmax(axis=1)
    top = int(np.bincount(best, minlength=len(kinds)).argmax())
    slot = int(np.bincount(past.slot[drawn[best == top, top]]).argmax())
    by_day = np.full(len(days), np.nan)
    by_day[whole] = np.median(kw, axis=0)
    wall = pd.Timestamp(days[whole][top]) + pd.Timedelta(minutes=slot * past.minutes)

    work = kinds == WORKDAY if (kinds == WORKDAY).any() else np.ones(len(kinds), dtype=bool)
    level = (
        _drawn(np.sqrt(shared) * common, low[work], mid[work], high[work], past.feeds_in) / hours[whole][work]
    )
    tops, levels = over_level(past, int(whole.sum()))
    span = rng.choice(len(tops), PATHS)
    maxima = np.maximum(past.above(level.mean(axis=1), tops[span], levels[span]), 0.0)
    low_kw, mid_kw, high_kw = np.quantile(maxima, [0.1, 0.5, 0.9])
    return Demand(
        float(mid_kw),
        float(low_kw),
        float(high_kw),
        wall.tz_localize(zone, ambiguous=True, nonexistent="shift_forward"),
        float(np.mean(best == top)),
        past.minutes,
        by_day,
        maxima,
        total_kwh,
    )


def _drawn(z: Floats, low: Floats, mid: Floats, high: Floats, feeds_in: bool) -> Floats:
    """Quantiles at normal deviates: half a normal on either side of the median, as wide as its quantile says."""
    drawn: Floats = mid + z * np.where(z > 0, high - mid, mid - low) / Z90
    return drawn if feeds_in else np.maximum(drawn, 0.0)
