"""A night looks only where something can have changed, and finds the same as who looks everywhere."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from builders import HEADER, both_sensors, land, landed, plant

from fems.errors import ConfigError
from fems.flows.feed_state import stale
from fems.flows.ingest import ingest_factory, reconcile_factory, stale_factories
from fems.flows.land import land_file
from fems.flows.platform import Platform
from fems.lake import keys
from fems.lake.lake import Lake
from fems.lake.store import FolderStore, StoredObject
from fems.settings import Settings, settings

NOW = datetime(2025, 3, 8, tzinfo=UTC)
OLD, NEW, NEWEST = date(2025, 1, 10), date(2025, 3, 5), date(2025, 3, 4)


class Counting:
    """A folder as a store; counts requests by kind, and dies at one of those that write, if it is told to."""

    def __init__(self, root: Path) -> None:
        self._store = FolderStore(root)
        self.requests: Counter[str] = Counter()
        self.dies_at: int | None = None

    def list(self, prefix: str, after: str | None = None) -> Iterator[StoredObject]:
        self.requests["list"] += 1
        return self._store.list(prefix, after)

    def keys(self, prefix: str, after: str | None = None) -> Iterator[str]:
        self.requests["list"] += 1
        return self._store.keys(prefix, after)

    def get(self, key: str) -> bytes:
        self.requests["get"] += 1
        return self._store.get(key)

    def put(self, key: str, data: bytes) -> None:
        self._write()
        self._store.put(key, data)

    def delete(self, key: str) -> None:
        self._write()
        self._store.delete(key)

    def _write(self) -> None:
        if self.requests["write"] == self.dies_at:
            raise ConnectionError
        self.requests["write"] += 1


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a lake with a day in January and four in March, all of it ingested."""
    folder = tmp_path_factory.mktemp("settled")
    platform = landed(folder)
    land(platform, OLD, both_sensors(OLD))
    ingest_factory(platform, "F", now=NOW)
    return folder


@pytest.fixture
def platform(settled: Path, tmp_path: Path) -> Platform:
    return copied(settled, tmp_path / "lake")


def copied(folder: Path, to: Path) -> Platform:
    shutil.copytree(folder, to)
    return Platform(Lake(Counting(to)), plant(), Settings())


def night(platform: Platform, now: datetime = NOW) -> list[str]:
    """What the Dag does."""
    found = stale_factories(platform, ["F"], now)
    for factory_id in found:
        ingest_factory(platform, factory_id, now=now, everything=False)
    return found


def published(platform: Platform) -> dict[str, bytes]:
    rooms = ("processed/", "quarantine/", "quality/meter/")
    return {key: platform.lake.store.get(key) for room in rooms for key in platform.lake.store.keys(room)}


def requests(platform: Platform) -> Counter[str]:
    store = platform.lake.store
    assert isinstance(store, Counting)
    return store.requests


def land_late(platform: Platform, folder: Path) -> None:
    """What `fems land` does with a file of a day of two months ago."""
    file = folder / "late.csv"
    late = OLD + timedelta(days=1)
    file.write_text("\n".join([HEADER, *both_sensors(late)]) + "\n")
    land_file(platform.lake, platform.plant, platform.book("meter"), "F", file, NOW.date())


CHANGES: dict[str, Callable[[Platform, Path], object]] = {
    "a file of today": lambda platform, _: land(platform, NEW, both_sensors(NEW)),
    "a file that was written over": lambda platform, _: land(
        platform, NEWEST, [line.replace(",90.0,", ",91.0,") for line in both_sensors(NEWEST)]
    ),
    "a late file of an old month": land_late,
    "a second file of a day": lambda platform, _: land(platform, NEWEST, both_sensors(NEWEST)[:9], "b.csv"),
    "no manifest": lambda platform, _: platform.lake.store.delete(keys.manifest_key("meter", "F", "2025-01")),
    "a broken manifest": lambda platform, _: platform.lake.store.put(
        keys.manifest_key("meter", "F", "2025-01"), b"{"
    ),
    "no index": lambda platform, _: platform.lake.indexes.remove("meter", "F"),
    "a broken index": lambda platform, _: platform.lake.store.put(keys.index_key("meter", "F"), b"{"),
}


def test_nothing_new_costs_three_requests_and_a_listing_of_marks(platform: Platform) -> None:
    assert stale_factories(platform, ["F"], NOW) == []
    assert requests(platform) == Counter(list=2 + 2, get=1), "marks twice; manifests, newest days, index"


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_is_found_and_made_as_if_everything_were_listed(
    platform: Platform, settled: Path, tmp_path: Path, change: str
) -> None:
    other = copied(settled, tmp_path / "other")
    for each in (platform, other):
        CHANGES[change](each, tmp_path)
    assert night(platform) == ["F"]
    assert stale(platform.lake, platform.source("F", "meter"), NOW) == []
    assert night(platform) == [], "once"
    ingest_factory(other, "F", now=NOW)
    assert published(platform) == published(other)


def test_what_others_put_under_an_old_day_is_found_within_the_week(platform: Platform) -> None:
    land(platform, OLD + timedelta(days=2), both_sensors(OLD + timedelta(days=2)))
    assert night(platform) == [], "nothing says so"
    assert night(platform, NOW + timedelta(days=6, hours=23)) == []
    assert night(platform, NOW + timedelta(days=7)) == ["F"]
    assert stale(platform.lake, platform.source("F", "meter"), NOW) == []
    assert platform.lake.manifests("meter", "F")["2025-01"].days[OLD + timedelta(days=2)].published == 192
    assert night(platform, NOW + timedelta(days=8)) == []


def test_another_rule_is_news(platform: Platform) -> None:
    changed = Platform(platform.lake, plant(delimiter=";"), platform.settings)
    assert stale_factories(changed, ["F"], NOW) == ["F"]


def test_late_rows_that_a_new_file_brings_mend_the_old_month(platform: Platform) -> None:
    """The file of 1 March is known to hold no row of February; then it comes again, with some."""
    late = [date(2025, 2, day) for day in range(23, 29)]
    rows = [line for day in [*late, date(2025, 3, 1)] for line in both_sensors(day)]
    land(platform, date(2025, 3, 1), rows)
    assert night(platform) == ["F"]
    assert platform.lake.manifests("meter", "F")["2025-02"].days[late[0]].published == 192
    assert stale(platform.lake, platform.source("F", "meter"), NOW) == []


def test_whatever_dies_in_the_middle_the_next_night_makes_it_good(
    platform: Platform, settled: Path, tmp_path: Path
) -> None:
    def news(each: Platform) -> None:
        land(each, NEW, both_sensors(NEW))
        land_late(each, tmp_path)

    news(platform)
    begun = requests(platform)["write"]
    night(platform)
    whole, writes = published(platform), requests(platform)["write"] - begun
    assert writes > 20
    for dies_at in range(writes):
        cut = copied(settled, tmp_path / f"cut-{dies_at}")
        news(cut)
        store = cut.lake.store
        assert isinstance(store, Counting)
        store.dies_at = requests(cut)["write"] + dies_at
        with pytest.raises(ConnectionError):
            night(cut)
        store.dies_at = None
        night(cut)
        assert night(cut) == []
        assert published(cut) == whole, f"died at the write number {dies_at}"


def test_a_night_takes_the_newest_months_and_leaves_the_others(platform: Platform) -> None:
    for month in ("2025-01", "2025-03"):
        platform.lake.store.delete(keys.manifest_key("meter", "F", month))
    outcome = ingest_factory(platform, "F", now=NOW, everything=False, most_months=1)
    assert (outcome.months, outcome.left) == (("meter 2025-03",), 1)
    assert stale_factories(platform, ["F"], NOW) == ["F"], "what is left is not forgotten"
    said: list[str] = []
    land(platform, NEW, both_sensors(NEW))
    outcome = ingest_factory(platform, "F", said.append, now=NOW)
    assert outcome.months[0] == "meter 2025-01", "the oldest first"
    assert any("(1 of " in line for line in said), said
    assert night(platform) == []


def test_reconciling_makes_the_index_anew_and_says_what_is_to_be_ingested(platform: Platform) -> None:
    land(platform, OLD + timedelta(days=2), both_sensors(OLD + timedelta(days=2)))
    assert stale_factories(platform, ["F"], NOW) == [], "nothing says so"
    assert reconcile_factory(platform, "F", NOW) == ["meter 2025-01"]
    assert night(platform) == ["F"]
    assert reconcile_factory(platform, "F", NOW) == []
    assert stale(platform.lake, platform.source("F", "meter"), NOW) == []


def test_a_landing_that_dies_leaves_its_marks_first(platform: Platform, tmp_path: Path) -> None:
    store = platform.lake.store
    assert isinstance(store, Counting)
    for dies_at in (0, 1):
        store.dies_at = requests(platform)["write"] + dies_at
        with pytest.raises(ConnectionError):
            land_late(platform, tmp_path)
    store.dies_at = None
    assert list(platform.lake.indexes.marks(date.min)) == [("meter", "F")]
    assert night(platform) == [], "a mark alone is no news"
    land_late(platform, tmp_path)
    assert night(platform) == ["F"]


def test_marks_go_when_no_index_needs_them(platform: Platform, tmp_path: Path) -> None:
    land_late(platform, tmp_path)
    later = datetime.now(UTC) + timedelta(days=8)
    stale_factories(platform, ["F"], later)
    assert platform.lake.indexes.marks(date.min)
    stale_factories(platform, ["F"], later + timedelta(days=2))
    assert not platform.lake.indexes.marks(date.min)


def test_the_newest_days_reach_to_where_marks_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEMS_NEWEST_DAYS", "8")
    settings.cache_clear()
    with pytest.raises(ConfigError, match=r"FEMS_NEWEST_DAYS.*newest_days=8.*reconcile_days=7"):
        settings()
    settings.cache_clear()
