"""What people are told: grouped, the most urgent first, with what to do and a link."""

from datetime import datetime

import pytest

from fems import errors
from fems.contracts.monitoring import ComingPeak, TrainingRequest
from fems.contracts.outcomes import MonitorOutcome, TrainingOutcome
from fems.monitor import notices

LINK = "https://airflow.example.com/dags/ingest/runs/r1?a=1&b=2"


def message(*found: notices.Notice) -> notices.Message:
    made = notices.compose(found, LINK)
    assert made is not None
    return made


def trained(alias: str, reason: str) -> object:
    """What a task of the Dag train passes on."""
    outcome = TrainingOutcome(
        factory_id="1100", month="2026-03", version="4", alias=alias, reason=reason, metrics={}
    )
    return outcome.model_dump(mode="json")


def monitored(request: TrainingRequest | None = None, peak: ComingPeak | None = None) -> object:
    """What a task of the Dag monitor passes on."""
    outcome = MonitorOutcome(
        factory_id="1120", forecasts=1, champion="3", standing=None, moved=(), reason="behind", request=request,
        peak=peak,
    )  # fmt: skip
    return outcome.model_dump(mode="json")


def failures(count: int) -> list[notices.Notice]:
    return [
        notices.of_failure(f"11{n}0", f"QualityFailed: factory 11{n}0, 2025-07: not published")
        for n in range(count)
    ]


def test_nothing_to_tell_is_no_message() -> None:
    assert notices.compose([], LINK) is None


def test_failures_of_a_kind_stand_together_with_one_word_on_what_to_do() -> None:
    text = message(*failures(4)).text
    assert text.count("2025-07: not published") == 4
    assert text.count("To do:") == 1 and "corrected file" in text
    assert text.endswith(LINK)


def test_the_subject_names_who_and_stays_short() -> None:
    assert message(*failures(2)).subject == "FEMS: data was not published (1100, 1110)"
    assert message(*failures(6)).subject.endswith("(1100, 1110, 1120 and 3 more)")


def test_the_most_urgent_stands_first() -> None:
    told = message(
        *notices.of_training(trained("champion", "better")),
        notices.of_failure("1120", "ServiceUnavailable: MinIO"),
        *failures(1),
    )
    assert [one.kind for one in told.notices] == ["quality", "failed", "promotion"]
    assert (
        told.subject.index("not published") < told.subject.index("failed") < told.subject.index("new model")
    )


def test_every_error_of_the_package_comes_with_what_to_do() -> None:
    kinds = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, errors.FemsError)]
    otherwise = notices.of_failure("x", "ZeroDivisionError: y").todo
    for kind in set(kinds) - {errors.FemsError}:
        assert notices.of_failure("x", f"{kind.__name__}: y").todo != otherwise, kind.__name__


def test_a_task_that_ended_without_a_word_is_told_too() -> None:
    told = notices.of_failure("train_factory_3", None)
    assert told.kind == "failed" and "log" in told.todo


@pytest.mark.parametrize("reason", ["timed_out", "all_tasks_deadlocked", "something new"])
def test_a_run_that_failed_as_a_whole_says_why(reason: str) -> None:
    assert notices.of_run("train", reason).about == "train"
    assert "timed_out" not in notices.of_run("train", reason).what


def test_a_champion_that_stayed_is_no_news() -> None:
    assert notices.of_training(trained("challenger", "x")) == []


def test_the_monitor_tells_of_requests_and_peaks_and_is_silent_otherwise() -> None:
    at = datetime.fromisoformat("2026-03-05T14:15:00+09:00")
    request = TrainingRequest(id="asked__1120", factory_id="1120", asked=at, reason="it moved")
    peak = ComingPeak(kw=1234.5, at=at, contract_kw=1200.0, chance_pct=62.4)
    assert notices.of_monitor(monitored()) == []
    found = notices.of_monitor(monitored(request=request, peak=peak))
    assert [one.kind for one in found] == ["drift", "peak"]
    assert found[0].what == "it moved"
    assert all(part in found[1].what for part in ("1,234 kW", "14:15", "1,200 kW", "62 %"))
    assert (
        "chance"
        not in notices.of_monitor(monitored(peak=peak.model_copy(update={"chance_pct": None})))[0].what
    )


def test_html_is_escaped() -> None:
    told = message(notices.of_failure("<b>", "DataError: a < b & c"))
    assert "a &lt; b &amp; c" in told.html and "<b><b>" not in told.html
    assert "a=1&amp;b=2" in told.html


def test_a_webhook_gets_the_text_and_each_notice() -> None:
    sent = message(*failures(2)).as_dict()
    assert set(sent) == {"subject", "text", "link", "notices"}
    assert sent["notices"][0] == {
        "kind": "quality", "about": "1100", "what": "QualityFailed: factory 1100, 2025-07: not published",
        "todo": sent["notices"][1]["todo"],
    }  # fmt: skip


def test_a_champion_that_cannot_be_used_is_told_of() -> None:
    model = {"version": "1", "notice": "v2 cannot be used (changed); v1, the last good champion, forecasts"}
    (told,) = notices.of_forecast({"factory_id": "1100", "model": model})
    assert told.kind == "model" and told.about == "1100" and "v2 cannot be used" in told.what
    assert "train" in told.todo
    assert notices.of_forecast({"factory_id": "1100", "model": {"version": "2", "notice": None}}) == []
    assert notices.of_forecast(None) == []
