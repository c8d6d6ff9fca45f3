"""A wrong clock: rows of the future and of before the plant poison nothing."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from builders import FOUR_DAYS as DAYS
from builders import HEADER, SOURCE, both_sensors, day_lines, land, landed
from hypothesis import given
from hypothesis import strategies as st

from fems.contracts.raw_object import RawObject
from fems.errors import QualityFailed
from fems.flows.feed_state import stale
from fems.flows.ingest import ingest_factory, stale_factories
from fems.flows.platform import Platform
from fems.lake import keys
from fems.process.partition import process, row_totals
from fems.raw.decode import decode
from fems.raw.decoded import DecodedObject
from fems.registry.feed import FactoryFeed
from fems.registry.plant import Plant
from fems.views.published import quarantined

NOON = datetime(2025, 3, 4, 3, 0, tzinfo=UTC)
"""12:00 in Seoul."""
EVENING = NOON + timedelta(hours=13)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return landed(tmp_path)


def decoded(lines: list[str], name: str) -> DecodedObject:
    data = ("\n".join([HEADER, *lines]) + "\n").encode()
    raw = RawObject(f"raw/meter/factory=F/date={DAYS[3]}/{name}", name, len(data), DAYS[3])
    return decode(raw, data, SOURCE)


def test_hours_that_have_not_come_yet_are_quarantined_and_come_in_their_time(platform: Platform) -> None:
    ingest_factory(platform, "F", now=NOON)
    manifest = platform.lake.manifests("meter", "F")["2025-03"]
    today = manifest.days[date(2025, 3, 4)]
    assert (today.read, today.published, today.quarantined) == (192, 106, 86), "one hour is tolerated"
    reasons = {r.reason for r in quarantined(platform, "F", "meter")}
    assert "the time '2025-03-04 13:15' has not come yet: the collector's clock is wrong" in reasons
    assert stale_factories(platform, ["F"], NOON) == []
    assert stale_factories(platform, ["F"], EVENING) == ["F"]
    ingest_factory(platform, "F", now=EVENING)
    assert platform.lake.manifests("meter", "F")["2025-03"].rows.published == 4 * 192
    assert quarantined(platform, "F", "meter") == []


@pytest.mark.parametrize("wrong", [date(2099, 1, 1), date(1970, 1, 1), date(2025, 3, 28)])
def test_a_day_that_cannot_be_moves_no_other_and_heals(platform: Platform, wrong: date) -> None:
    now = datetime(2025, 3, 5, tzinfo=UTC)
    ingest_factory(platform, "F", now=now)
    good = platform.lake.published("meter", "native", "F", ["2025-03"])
    land(platform, wrong, both_sensors(wrong), "clock.csv")
    other_month = wrong.isoformat()[:7] != "2025-03"
    if other_month:
        with pytest.raises(QualityFailed, match=r"no row could be used.*192 rows in quarantine"):
            ingest_factory(platform, "F", now=now)
        assert platform.lake.manifests("meter", "F")[wrong.isoformat()[:7]].empty
        assert stale(platform.lake, platform.source("F", "meter"), now) == [], (
            "it fails once, not every night"
        )
    else:
        ingest_factory(platform, "F", now=now)
    after = platform.lake.published("meter", "native", "F", ["2025-03"]).to_pandas()
    assert (
        after[after["used_kwh"].notna()].equals(after.merge(good.to_pandas(), how="inner")) or not other_month
    )
    assert after["used_kwh"].sum() == pytest.approx(good.to_pandas()["used_kwh"].sum())
    assert len(quarantined(platform, "F", "meter")) == 192
    platform.lake.store.delete(keys.raw_key("meter", "F", wrong, "clock.csv"))
    ingest_factory(platform, "F", now=now)
    assert platform.lake.published("meter", "native", "F", ["2025-03"]).equals(good)
    assert list(platform.lake.manifests("meter", "F")) == ["2025-03"]
    assert quarantined(platform, "F", "meter") == []


@given(st.integers(-2, 26), st.integers(0, 96))
def test_every_row_is_published_or_quarantined_whatever_the_time_is(hour: int, cut: int) -> None:
    day = DAYS[3]
    now = datetime(2025, 3, 3, 15, tzinfo=UTC) + timedelta(
        hours=hour
    )  # midnight in Seoul, and hours after it
    part = process(
        [decoded(day_lines()[cut:], "a.csv"), decoded(day_lines()[:cut], "b.csv")], SOURCE, day, day, now
    )
    counts = row_totals(part.days)
    due = min(96, max(0, 4 * (hour + 1) + 1))
    assert counts == {"read": 96, "published": due, "quarantined": 96 - due, "duplicate": 0}
    assert (part.future_from is None) == (due == 96)


def test_a_simulated_factory_may_be_months_ahead_and_no_century() -> None:
    written = SOURCE.plant.model_dump()
    written["factories"]["F"]["simulated"] = True
    source = FactoryFeed.of(Plant.model_validate(written), SOURCE.book, "F")
    for now, published in ((NOON - timedelta(days=300), 96), (NOON - timedelta(days=3000), 0)):
        part = process([decoded(day_lines(), "a.csv")], source, DAYS[3], DAYS[3], now)
        assert row_totals(part.days)["published"] == published
