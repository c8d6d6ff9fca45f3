"""At most one request for training in a set time, whatever dies in between."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from fems.errors import DataError
from fems.monitor import peaks, requests

NOW, EVERY = datetime(2026, 3, 1, 20, 30, tzinfo=UTC), timedelta(days=14)


def asked(*earlier: requests.Request, reason: str | None = "moved", after: timedelta = timedelta()):
    return requests.due(list(earlier), "1120", reason, NOW + after, EVERY)


def begun(request: requests.Request) -> requests.Request:
    return requests.started([request], request.id, NOW)[0]


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
    other = requests.Request("other", "1120", made.asked, "x")
    once = requests.started([other, made], made.id, NOW)
    assert once[0] == other and once[1].started == NOW.isoformat()
    assert requests.started(once, made.id, NOW + EVERY) == once


def test_requests_survive_being_kept() -> None:
    made = asked()
    assert made is not None
    kept = json.loads(json.dumps(requests.write([begun(made)])))
    assert requests.read(kept, "key") == [begun(made)]
    assert requests.read(None, "key") == []
    with pytest.raises(DataError, match=r"some/key.json: .*remove it"):
        requests.read({"what": 1}, "some/key.json")


DEMAND = {"kw": 500.0, "at": "2026-03-05T14:15:00+09:00", "contract_kw": 450.0, "chance_over_contract": 0.6}


def test_a_peak_over_the_contract_is_told_before_it_comes() -> None:
    assert peaks.coming({"demand": DEMAND}, NOW, 0.2) == {
        "kw": 500.0, "at": DEMAND["at"], "contract_kw": 450.0, "chance_pct": 60.0,
    }  # fmt: skip
    assert peaks.coming({"demand": DEMAND}, NOW + timedelta(days=5), 0.2) is None, "it is over"


@pytest.mark.parametrize(("chance", "told"), [(0.1, False), (0.2, True), (None, False)])
def test_a_peak_under_the_contract_is_told_where_passing_it_is_likely_enough(
    chance: float | None, told: bool
) -> None:
    demand = {**DEMAND, "kw": 440.0, "chance_over_contract": chance}
    assert (peaks.coming({"demand": demand}, NOW, 0.2) is not None) is told


@pytest.mark.parametrize(
    "summary", [{}, {"demand": None}, {"demand": {"kw": 1.0}}, {"demand": {**DEMAND, "contract_kw": None}}]
)
def test_a_forecast_that_tells_no_demand_is_tolerated(summary: dict) -> None:
    assert peaks.coming(summary, NOW, 0.2) is None
