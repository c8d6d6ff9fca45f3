"""Whether a champion has fallen behind weekly naive."""

from collections.abc import Iterable

import pandas as pd

from fems.contracts.monitoring import Standing
from fems.contracts.track_record import FACTORY
from fems.model import scores
from fems.monitor.record import Joined


def standing(joined: Iterable[Joined], version: str, days: int, end: pd.Timestamp) -> Standing | None:
    """Judge a champion by the newest days that it had forecast and that are measured.

    Of several forecasts of a day, the one with the newest origin counts.

    Args:
        joined: past forecasts of one factory.
        version: of the champion; forecasts of others are passed over.
        days: how many days.
        end: the first instant after the measured data.

    Returns:
        None while the champion has forecast fewer whole days, or none of the last `2 * days`.
    """
    own = sorted((j for j in joined if j.past.model_version == version), key=lambda j: j.past.origin)
    parts = [_factory(j) for j in own if j.naive is not None and j.span[FACTORY] > 0]
    if not parts:
        return None
    hours = pd.concat(parts)
    hours = hours[~hours.index.duplicated(keep="last")].dropna().sort_index()
    hours["day"] = pd.DatetimeIndex(hours.index).normalize()
    whole = hours[hours.groupby("day")["forecast"].transform("size") >= 23]  # a day of a clock change has 23
    last = whole["day"].unique()[-days:]
    if len(last) < days or last[0] < end - pd.Timedelta(days=2 * days + 1):
        return None
    seen = whole[whole["day"] >= last[0]]
    by_day = seen[["forecast", "naive"]].sub(seen["truth"], axis=0).pow(2).groupby(seen["day"]).mean()
    span = float(seen["span"].iloc[-1])
    return Standing(
        version=version,
        days=days,
        accuracy=scores.accuracy(seen["truth"], seen["forecast"], span),
        weekly_naive=scores.accuracy(seen["truth"], seen["naive"], span),
        worse_days=int((by_day["forecast"] > by_day["naive"]).sum()),
    )


def _factory(joined: Joined) -> pd.DataFrame:
    assert joined.naive is not None  # noqa: S101 - the caller sees to it
    return pd.DataFrame(
        {
            "truth": joined.truth[FACTORY],
            "forecast": joined.past.kwh[FACTORY],
            "naive": joined.naive[FACTORY],
            "span": joined.span[FACTORY],
        }
    )
