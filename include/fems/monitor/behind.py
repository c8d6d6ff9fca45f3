"""Whether a champion has fallen behind weekly naive."""

from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from fems.model import scores
from fems.monitor.record import FACTORY, Joined


@dataclass(frozen=True)
class Standing:
    """How a champion did of late, for the whole factory.

    Attributes:
        version: the champion's.
        days: local days that are looked at, each with every hour measured.
        accuracy: % over these days.
        weekly_naive: weekly naive's, from the same origins over the same hours.
        worse_days: days on which the champion's RMSE was the greater one.
    """

    version: str
    days: int
    accuracy: float
    weekly_naive: float
    worse_days: int

    def behind(self, margin: float) -> str | None:
        """Say that the champion is behind, or return None.

        Behind is: less accurate by more than the margin over all days together, and worse on most of them, so that one
        odd day does not do it.

        Args:
            margin: accuracy, percentage points.
        """
        lost = self.weekly_naive - self.accuracy
        if not (lost > margin and 2 * self.worse_days > self.days):
            return None
        return (
            f"model v{self.version} fell behind weekly naive: accuracy {self.accuracy:.1f} against "
            f"{self.weekly_naive:.1f} over the last {self.days} days, worse on {self.worse_days} of them"
        )


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
    whole = hours[hours.groupby("day")["said"].transform("size") >= 23]  # a day of a clock change has 23
    last = whole["day"].unique()[-days:]
    if len(last) < days or last[0] < end - pd.Timedelta(days=2 * days + 1):
        return None
    seen = whole[whole["day"] >= last[0]]
    by_day = seen[["said", "naive"]].sub(seen["truth"], axis=0).pow(2).groupby(seen["day"]).mean()
    span = float(seen["span"].iloc[-1])
    return Standing(
        version,
        days,
        scores.accuracy(seen["truth"], seen["said"], span),
        scores.accuracy(seen["truth"], seen["naive"], span),
        int((by_day["said"] > by_day["naive"]).sum()),
    )


def _factory(joined: Joined) -> pd.DataFrame:
    assert joined.naive is not None  # noqa: S101 - the caller sees to it
    return pd.DataFrame(
        {
            "truth": joined.truth[FACTORY],
            "said": joined.past.kwh[FACTORY],
            "naive": joined.naive[FACTORY],
            "span": joined.span[FACTORY],
        }
    )
