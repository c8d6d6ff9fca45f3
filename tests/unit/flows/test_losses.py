"""Nothing good is replaced by nothing, nor by much less, without a person's word."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from builders import FOUR_DAYS as DAYS
from builders import HEADER, both_sensors, land, landed, plant
from hypothesis import given
from hypothesis import strategies as st

from fems.contracts.manifest import CellCounts, Manifest
from fems.errors import NeedsAcceptance, QualityFailed
from fems.flows.feed_state import stale
from fems.flows.ingest import ingest_factory, stale_factories
from fems.flows.platform import Platform
from fems.lake import keys
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.process.losses import losses
from fems.registry.plant import Plant
from fems.settings import Settings
from fems.views.published import quarantined


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    return landed(tmp_path)


def published(platform: Platform) -> bytes:
    return platform.lake.published("meter", "native", "F", ["2025-03"])["used_kwh"].to_numpy().tobytes()


def test_an_empty_month_replaces_no_good_one(platform: Platform) -> None:
    ingest_factory(platform, "F")
    good = published(platform)
    for day in DAYS:  # the collector has renamed a column
        text = "\n".join([HEADER.replace("used_kwh", "used_kw"), *both_sensors(day)]) + "\n"
        land(platform, day, text.encode())
    with pytest.raises(NeedsAcceptance, match=r"all of its .* readings.*--accept.*no column for used_kwh"):
        ingest_factory(platform, "F")
    assert published(platform) == good
    assert stale_factories(platform, ["F"]) == ["F"], "it asks again until somebody answers"
    assert len(quarantined(platform, "F", "meter")) == len(DAYS), "what is wrong is there to be seen"
    with pytest.raises(QualityFailed, match="no row could be used"):
        ingest_factory(platform, "F", accept=True)
    assert platform.lake.manifests("meter", "F")["2025-03"].empty
    assert platform.lake.part_keys("meter", "F") == set()


def test_a_renamed_sensor_asks_and_an_answer_publishes(platform: Platform) -> None:
    ingest_factory(platform, "F")
    good = published(platform)
    for day in DAYS:
        land(platform, day, [line.replace("F-M02", "F-M2") for line in both_sensors(day)])
    with pytest.raises(NeedsAcceptance, match=r"sensor F-M02.*'F-M2' is not registered"):
        ingest_factory(platform, "F")
    assert published(platform) == good
    lines: list[str] = []
    assert ingest_factory(platform, "F", lines.append, accept=True).partitions == 1
    assert published(platform) != good
    assert stale(platform.lake, platform.source("F", "meter")) == []


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        (lambda day: [] if day == DAYS[1] else both_sensors(day), "day 2025-03-02"),
        (
            lambda day: [",".join([*x.split(",")[:5], "", *x.split(",")[6:]]) for x in both_sensors(day)],
            "current_a",
        ),
        (lambda day: both_sensors(day)[::2], "readings"),
    ],
)
def test_fewer_days_columns_or_readings_ask(platform: Platform, change, lost: str) -> None:
    ingest_factory(platform, "F")
    good = published(platform)
    for day in DAYS:
        land(platform, day, change(day))
    with pytest.raises(NeedsAcceptance, match=lost):
        ingest_factory(platform, "F")
    assert published(platform) == good


def test_a_month_whose_raw_objects_are_gone_stays_until_somebody_says_so(platform: Platform) -> None:
    land(platform, date(2025, 4, 2), both_sensors(date(2025, 4, 2)))
    ingest_factory(platform, "F")
    platform.lake.store.delete(keys.raw_key("meter", "F", date(2025, 4, 2), "meter.csv"))
    assert stale_factories(platform, ["F"], datetime.now(UTC) + timedelta(days=7)) == ["F"], "once a week"
    with pytest.raises(NeedsAcceptance, match=r"2025-04.*raw objects are gone"):
        ingest_factory(platform, "F")
    assert platform.lake.published("meter", "hour", "F", ["2025-04"]).num_rows
    ingest_factory(platform, "F", accept=True)
    assert list(platform.lake.manifests("meter", "F")) == ["2025-03"]
    assert all("2025-04" not in key for key in platform.lake.part_keys("meter", "F"))
    assert stale_factories(platform, ["F"]) == []


def test_late_rows_that_change_their_file_lose_nothing_on_the_way(platform: Platform) -> None:
    """A day known by a late file alone: the file grows, so for a moment nobody knows of its late rows."""
    late = date(2025, 3, 31)
    land(platform, date(2025, 4, 2), both_sensors(date(2025, 4, 2)) + both_sensors(late))
    ingest_factory(platform, "F")
    land(
        platform,
        date(2025, 4, 2),
        [*both_sensors(date(2025, 4, 2)), *both_sensors(late), both_sensors(late)[0]],
    )
    ingest_factory(platform, "F")
    manifest = platform.lake.manifests("meter", "F")["2025-03"]
    assert manifest.days[date(2025, 3, 31)].published == 192


def test_a_refused_month_shows_its_quarantine_and_the_real_cause(tmp_path: Path) -> None:
    made = Platform(Lake(FolderStore(tmp_path)), plant(), Settings())
    for day in DAYS:
        lines = [line.split(",") for line in both_sensors(day)]
        land(
            made,
            day,
            [",".join([*x[:3], "900", *x[4:6], "900", x[7]]) for x in lines] + ["soon,F,F-M01,1,90,1,1,1"],
        )
    with pytest.raises(
        QualityFailed, match=r"384 of 384 values of used_kwh: above the limit that rated_kw sets"
    ):
        ingest_factory(made, "F")
    assert made.lake.manifests("meter", "F") == {}
    assert [r.reason for r in quarantined(made, "F", "meter")] == ["the time 'soon' cannot be read"] * 4


COUNTS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 100), min_size=1)


def manifest(sensors: dict[str, int]) -> Manifest:
    cells = {name: CellCounts(cells_measured=count) for name, count in sensors.items()}
    return Manifest.model_construct(empty=not any(sensors.values()), sensors=cells, days={}, columns={})


@given(COUNTS, COUNTS)
def test_what_only_grows_is_never_asked_about_and_a_lost_sensor_always(before: dict, now: dict) -> None:
    lost = losses(manifest(before), manifest(now))
    if all(now.get(name, 0) >= count for name, count in before.items()):
        assert lost == []
    if any(count and not now.get(name) for name, count in before.items()):
        assert lost


def test_a_whole_month_in_another_unit_asks_and_the_answer_is_kept(platform: Platform) -> None:
    """Without a rating and with no file of another unit beside it, the months before tell."""
    written = plant().model_dump()
    for machine in written["factories"]["F"]["equipment"].values():
        machine["rated_kw"] = None
    platform = Platform(platform.lake, Plant.model_validate(written), platform.settings)
    ingest_factory(platform, "F")
    later = [date(2025, 4, d) for d in range(25, 29)]
    for day in later:
        rows = [line.split(",") for line in both_sensors(day)]
        wh = [
            [
                *x[:3],
                f"{1000 * float(x[3]):.1f}",
                *x[4:6],
                f"{1000 * float(x[6]):.1f}",
                f"{1000 * float(x[7]):.1f}",
            ]
            for x in rows
        ]
        land(platform, day, [",".join(x) for x in wh])
    with pytest.raises(NeedsAcceptance, match=r"F-M01 used_kwh is 1,000 times that of the month before"):
        ingest_factory(platform, "F")
    assert list(platform.lake.manifests("meter", "F")) == ["2025-03"]
    ingest_factory(platform, "F", accept=True)
    assert len(platform.lake.manifests("meter", "F")["2025-04"].accepted) == 6
    land(platform, later[-1], [both_sensors(later[-1])[0].replace(",90.0,", ",91.0,")], "correction.csv")
    ingest_factory(platform, "F")
    assert len(platform.lake.manifests("meter", "F")["2025-04"].accepted) == 6, "it is not asked again"
