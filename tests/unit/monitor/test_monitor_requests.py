"""At most one request for training in a set time, whatever dies in between."""

from datetime import UTC, datetime, timedelta

import pytest

from fems.contracts.forecast import DemandSummary
from fems.contracts.monitoring import ComingPeak, TrainingRequest, TrainingRequests
from fems.monitor import peaks, requests

NOW, EVERY = datetime(2026, 3, 1, 20, 30, tzinfo=UTC), timedelta(days=14)


def kept(*these: TrainingRequest) -> TrainingRequests:
    return TrainingRequests(requests=these)


def asked(*earlier: TrainingRequest, reason: str | None = "moved", after: timedelta = timedelta()):
    return requests.due(kept(*earlier), "1120", reason, NOW + after, EVERY)


def begun(request: TrainingRequest) -> TrainingRequest:
    return requests.started(kept(request), request.id, NOW).requests[0]


def test_a_reason_makes_a_request_and_none_makes_none() -> None:
    made = asked()
    assert made is not None and made.reason == "moved" and made.started is None
    assert made.id == "asked__1120__20260301T203000Z"
    assert asked(reason=None) is None


@pytest.mark.parametrize("days", [0, 1, 13])
def test_no_second_request_within_the_set_time(days: int) -> None:
    made = asked()
    assert made is not None
    assert asked(begun(made), reason="another", after=timedelta(days=days)) is None


def test_after_the_set_time_it_asks_again_while_there_is_a_reason() -> None:
    made = asked()
    assert made is not None
    again = asked(begun(made), after=EVERY)
    assert again is not None and again.id != made.id
    assert asked(begun(made), reason=None, after=EVERY) is None


def test_a_request_that_was_never_started_is_passed_on_again_as_the_same() -> None:
    made = asked()
    assert made is not None
    assert asked(made, reason=None, after=timedelta(days=1)) == made


def test_the_first_mark_stays_and_other_requests_are_left_alone() -> None:
    made = asked()
    assert made is not None
    other = made.model_copy(update={"id": "other", "reason": "x"})
    once = requests.started(kept(other, made), made.id, NOW)
    assert once.requests[0] == other and once.requests[1].started == NOW
    assert requests.started(once, made.id, NOW + EVERY) == once


def test_a_request_is_written_down_once() -> None:
    made = asked()
    assert made is not None
    once = requests.added(kept(), made)
    assert once == kept(made) and requests.added(once, made) is once


DEMAND = DemandSummary(
    kw=500.0, kw_p10=450.0, kw_p90=550.0, at=datetime.fromisoformat("2026-03-05T14:15:00+09:00"), day_chance=0.3,
    minutes=15, contract_kw=450.0, chance_over_contract=0.6,
)  # fmt: skip


def test_a_peak_over_the_contract_is_told_before_it_comes() -> None:
    assert peaks.coming(DEMAND, NOW, 0.2) == ComingPeak(
        kw=500.0, at=DEMAND.at, contract_kw=450.0, chance_pct=60.0
    )
    assert peaks.coming(DEMAND, NOW + timedelta(days=5), 0.2) is None, "it is over"


@pytest.mark.parametrize(("chance", "told"), [(0.1, False), (0.2, True), (None, False)])
def test_a_peak_under_the_contract_is_told_where_passing_it_is_likely_enough(
    chance: float | None, told: bool
) -> None:
    demand = DEMAND.model_copy(update={"kw": 440.0, "chance_over_contract": chance})
    assert (peaks.coming(demand, NOW, 0.2) is not None) is told


@pytest.mark.parametrize("demand", [None, DEMAND.model_copy(update={"contract_kw": None})])
def test_a_forecast_that_tells_no_demand_is_tolerated(demand: DemandSummary | None) -> None:
    assert peaks.coming(demand, NOW, 0.2) is None
