"""Who may forecast: a new model becomes champion only where it was better on the same window."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fems.errors import DataError
from fems.model import scores
from fems.model.bundle import Bundle
from fems.model.history import History
from fems.model.plans import Plan

MARGIN = 0.1
"""Accuracy, percentage points, that a challenger must be ahead of the champion; less is noise."""


@dataclass(frozen=True)
class ChampionScore:
    """What is known of the champion on the challenger's held-out window.

    Attributes:
        version: of the registry.
        accuracy: %, None where the two have no window in common.
        basis: where the figure comes from, or why there is none.
    """

    version: str
    accuracy: float | None
    basis: str


@dataclass(frozen=True)
class Decision:
    """Whether the challenger becomes champion, and why."""

    promoted: bool
    reason: str


def score_champion(
    version: str,
    champion: Bundle,
    window: pd.DataFrame,
    span: float,
    history: History,
    recorded: str,
    plan: Plan | None = None,
) -> ChampionScore:
    """Score the champion on the window that the challenger was held out from.

    A champion that was trained before the window forecasts it. One that has seen it would shine for no merit:
    then the score that was recorded for it on the very same window, by a model that had not seen it, counts.

    Args:
        version: the champion's.
        champion: its bundle.
        window: the challenger's held-out window, indexed by hour, with the column truth.
        span: kWh, that accuracy is scaled by.
        history: one factory, past the window's end.
        recorded: the origin of the champion's own held-out window, ISO 8601; "" where none was recorded.
        plan: what was ever planned; what was known at the window's origin counts.
    """
    origin = window.index[0]
    if champion.month_ahead.trained_until <= origin:
        try:
            forecast = champion.month_ahead.predict(history, origin, len(window), plan).sum(axis=1)
        except DataError as error:
            return ChampionScore(version, None, f"it cannot forecast this factory any more: {error}")
        accuracy = scores.accuracy(window["truth"], forecast.to_numpy(), span)
        return ChampionScore(version, accuracy, "it forecast this window")
    own = champion.metrics.get("month_ahead.accuracy")
    same = recorded and pd.Timestamp(recorded) == origin
    if same and own is not None and champion.metrics.get("month_ahead.holdout_hours") == len(window):
        return ChampionScore(version, own, "recorded on this window")
    return ChampionScore(version, None, "no window in common: it was trained on a part of this one")


def decide(accuracy: float, weekly_naive: float, champion: ChampionScore | None) -> Decision:
    """Judge a challenger.

    Args:
        accuracy: the challenger's on its held-out window, %.
        weekly_naive: weekly naive's on the same.
        champion: None where there is none.
    """
    naive = f"accuracy {accuracy:.2f} against weekly naive {weekly_naive:.2f}"
    worse = not (np.isfinite(accuracy) and accuracy >= weekly_naive)
    if champion is None:
        return Decision(True, naive + (", worse, but" if worse else ";") + " the first model of this factory")
    if worse:
        return Decision(False, f"{naive}, worse; v{champion.version} stays")
    if champion.accuracy is None:
        return Decision(True, f"{naive}; not compared with v{champion.version}: {champion.basis}")
    against = (
        f"accuracy {accuracy:.2f} against {champion.accuracy:.2f} of v{champion.version} ({champion.basis})"
    )
    if accuracy >= champion.accuracy + MARGIN:
        return Decision(True, against)
    return Decision(False, f"{against}, less than {MARGIN} ahead; v{champion.version} stays")
