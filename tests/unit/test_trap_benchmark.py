"""The score of the steam traps' benchmark: what counts as found, by which day, as what; and what is a wrong alarm."""

from datetime import date

import pytest
from benchmarks.traps.bench import SCORED_ON, TUNED_ON, _listed
from benchmarks.traps.plant import TrapYear, trap_year
from benchmarks.traps.rules import Alarm
from benchmarks.traps.score import Case, Score, score, share

from fems.simulate.trap_causes import TrapRates


@pytest.fixture(scope="module")
def trap_days() -> TrapYear:
    """Four months of eight traps, one of which fails whatever the draw."""
    return trap_year(5, traps=8, months=4, rates=TrapRates(fault=(30.0, 60.0)))


def scored(year: TrapYear, alarms: list[Alarm]) -> Score:
    into = Score()
    score(year, alarms, into)
    return into


def test_each_failure_of_a_trap_counts_once_and_an_alarm_beside_it_is_wrong(trap_days: TrapYear) -> None:
    cases = scored(trap_days, []).cases
    assert len(cases) >= 5 and share(cases) == 0.0

    def alarm(case: Case, *, leak: bool) -> Alarm:
        begun = case.fault.start.date()
        kind = "suspected_leak" if leak else "blocked"
        return Alarm(str(case.fault.trap_id), ((begun, kind),), begun, begun, None)

    lost = [case.fault.kind in ("leak", "blow_through") for case in cases]
    right = scored(trap_days, [alarm(case, leak=leak) for case, leak in zip(cases, lost, strict=True)])
    assert share(right.cases) == 1.0 and not right.wrong
    assert {case.delay for case in right.cases} == {case.start_error for case in right.cases} == {0}
    other = scored(trap_days, [alarm(case, leak=not leak) for case, leak in zip(cases, lost, strict=True)])
    assert share(other.cases) == 0.0, "a blocked trap that is called a leak is not found"
    early = date(2025, 1, 6)
    quiet = next(
        trap
        for trap in trap_days.factory.steam_traps
        if not any(
            event.trap_id == trap and event.start.date() <= early <= event.end.date()
            for event in trap_days.events
        )
    )
    assert (
        sum(scored(trap_days, [Alarm(quiet, ((early, "blocked"),), early, early, None)]).wrong.values()) == 1
    )


def test_an_alarm_is_named_by_what_it_says_on_most_days() -> None:
    days = [date(2025, 1, day) for day in range(1, 6)]
    kinds = ("blocked", "suspected_leak", "blow_through", "blow_through", "suspected_leak")
    said = Alarm("T", tuple(zip(days, kinds, strict=True)), days[0], days[0], None)
    assert said.first(leak=True, until=days[-1]) == days[1]
    assert said.first(leak=True, until=days[0]) is None
    assert said.kind(leak=True, until=days[3]) == "blow_through"


def test_seeds_are_listed_by_their_runs() -> None:
    assert _listed((1, 2, 3, 201, 202)) == "1 to 3 and 201 to 202" and _listed((7,)) == "7"
    assert not set(TUNED_ON) & set(SCORED_ON)
