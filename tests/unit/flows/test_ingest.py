"""Ingest over a folder with the bucket's keys: the laws of publishing."""

import json
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from builders import HEADER, day_lines, plant

from fems.contracts.grains import GRAINS
from fems.contracts.manifest import ObjectCounts, RowCounts
from fems.errors import DataError, QualityFailed
from fems.flows.feed_state import stale
from fems.flows.history import published_hours, published_months
from fems.flows.ingest import ingest_factory, stale_factories
from fems.flows.ingest_status import ingest_status
from fems.flows.platform import Platform
from fems.lake import keys
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.settings import Settings
from fems.views.published import quarantined

DAYS = [date(2025, 3, d) for d in range(1, 5)]


def lines_of(day: date) -> list[str]:
    return day_lines(day) + day_lines(day, sensor="F-M02", base=20)


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    made = Platform(Lake(FolderStore(tmp_path)), plant(), Settings())
    for day in DAYS:
        put(made, day, lines_of(day))
    return made


def put(platform: Platform, day: date, lines: list[str] | bytes, name: str = "meter.csv") -> None:
    data = lines if isinstance(lines, bytes) else ("\n".join([HEADER, *lines]) + "\n").encode()
    platform.lake.store.put(keys.raw_key("meter", "F", day, name), data)


def snapshot(platform: Platform) -> dict[str, bytes]:
    """Everything that is made of raw objects; the log of evaluations and their pages say when they were made."""
    rooms = ("processed/", "quarantine/", "quality/meter/")
    return {o.key: platform.lake.store.get(o.key) for room in rooms for o in platform.lake.store.list(room)}


def test_a_second_run_with_nothing_new_does_nothing(platform: Platform) -> None:
    assert ingest_factory(platform, "F").partitions == 1
    before = snapshot(platform)
    assert stale_factories(platform, ["F"]) == []
    assert ingest_factory(platform, "F").partitions == 0
    assert snapshot(platform) == before


def test_rebuilding_gives_the_same_bytes(platform: Platform, tmp_path: Path) -> None:
    put(platform, DAYS[1], [day_lines(DAYS[1])[3]], "late.csv")
    ingest_factory(platform, "F")
    before = snapshot(platform)
    for room in ("processed", "quality"):
        shutil.rmtree(tmp_path / room)
    ingest_factory(platform, "F")
    assert snapshot(platform) == before


def test_a_late_file_and_a_changed_rule_need_no_hand(platform: Platform) -> None:
    late = lines_of(DAYS[2])
    put(platform, DAYS[2], late[:150])
    ingest_factory(platform, "F")
    assert ingest_status(platform, "F").rows.read == 3 * 192 + 150
    put(platform, DAYS[2], late[150:], "meter_late.csv")
    assert [job.month for job in stale(platform.lake, platform.source("F", "meter"))] == ["2025-03"]
    ingest_factory(platform, "F")
    assert ingest_status(platform, "F").rows == RowCounts(read=768, published=768)

    changed = plant(delimiter=";")
    assert stale(platform.lake, Platform(platform.lake, changed, platform.settings).source("F", "meter"))


def test_bad_files_go_to_quarantine_and_the_others_are_published(platform: Platform) -> None:
    whole = ("\n".join([HEADER, *lines_of(DAYS[3])]) + "\n").encode()
    put(platform, DAYS[3], whole[: len(whole) // 2], "cut.csv")
    put(platform, DAYS[3], b"", "empty.csv")
    put(platform, DAYS[3], b"\x89PNG\r\n\x1a\n0000", "picture.csv")
    put(platform, DAYS[3], [line.replace(",F,", ",2100,") for line in lines_of(DAYS[3])], "other.csv")
    ingest_factory(platform, "F")

    found = ingest_status(platform, "F")
    rows = found.rows
    assert rows.read == rows.published + rows.quarantined + rows.duplicate
    assert rows.published == 4 * 192
    assert found.objects == ObjectCounts(read=8, quarantined=2)
    records = quarantined(platform, "F", "meter")
    reasons = {r.object.rsplit("/", 1)[1]: r.reason for r in records}
    assert "fields where the header has 8" in reasons["cut.csv"]
    assert "empty" in reasons["empty.csv"]
    assert "PNG" in reasons["picture.csv"]
    assert "2100" in reasons["other.csv"]
    assert sum(r.object.endswith("other.csv") for r in records) == 192

    for name in ("cut.csv", "empty.csv", "picture.csv", "other.csv"):
        platform.lake.store.delete(keys.raw_key("meter", "F", DAYS[3], name))
    ingest_factory(platform, "F")
    assert quarantined(platform, "F", "meter") == []


def test_what_fails_its_suite_is_not_published_and_the_last_good_one_stays(
    platform: Platform, tmp_path: Path
) -> None:
    ingest_factory(platform, "F")
    good = platform.lake.published("meter", "hour", "F", ["2025-03"])
    for day in DAYS:
        platform.lake.store.put(
            keys.raw_key("meter", "F", day, "meter.csv"),
            "\n".join(
                [HEADER, *(f"{day} 00:{15 * i:02d}:00,F,F-M01,ERR,ERR,ERR,ERR,ERR" for i in range(4))]
            ).encode(),
        )
    with pytest.raises(
        QualityFailed, match=r"2025-03: not published.*expect_values_to_be_present\(used_kwh\)"
    ):
        ingest_factory(platform, "F")
    assert platform.lake.published("meter", "hour", "F", ["2025-03"]).equals(good)
    assert stale(platform.lake, platform.source("F", "meter"))
    record = json.loads(platform.lake.store.get(keys.quality_key("meter", "F", "2025-03")))
    assert record["critical_failed"] >= 1 and not record["published"]
    assert record["tables"]["native"]["critical_failed"] >= 1


def test_a_publish_that_was_cut_off_leaves_the_last_good_one_and_is_made_again(platform: Platform) -> None:
    ingest_factory(platform, "F")
    put(platform, DAYS[0], [line.replace(",90.0,", ",91.0,") for line in lines_of(DAYS[0])])
    key = keys.manifest_key("meter", "F", "2025-03")
    real_put = platform.lake.store.put

    def dies(at: str, data: bytes) -> None:
        if at == key:
            raise ConnectionError
        real_put(at, data)

    platform.lake.store.put = dies  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        ingest_factory(platform, "F")
    platform.lake.store.put = real_put  # type: ignore[method-assign]
    assert platform.lake.published("meter", "native", "F", ["2025-03"])["power_factor_pct"][0].as_py() == 90.0
    assert len(platform.lake.part_keys("meter", "F")) == 8, "the new tables lie beside the old ones"
    ingest_factory(platform, "F")
    assert len(platform.lake.part_keys("meter", "F")) == 4
    assert platform.lake.published("meter", "native", "F", ["2025-03"])["power_factor_pct"][0].as_py() == 91.0


def test_months_are_partitions_and_a_running_month_has_no_empty_days(platform: Platform) -> None:
    put(platform, date(2025, 4, 2), lines_of(date(2025, 4, 2)))
    result = ingest_factory(platform, "F")
    assert result.months == ("meter 2025-03", "meter 2025-04")
    manifests = platform.lake.manifests("meter", "F")
    assert manifests["2025-03"].last_day == date(2025, 3, 31)
    assert manifests["2025-04"].last_day == date(2025, 4, 2)
    assert manifests["2025-04"].rows.read == 192


def test_the_tables_describe_themselves(platform: Platform) -> None:
    ingest_factory(platform, "F")
    [key] = [k for k in platform.lake.part_keys("meter", "F") if "grain=native" in k]
    table = platform.lake.read_table(key)
    about = json.loads(table.schema.metadata[b"fems"])
    assert about["rows"]["read"] == 768 and len(about["sources"]) == 4
    assert table.schema.field("used_kwh").metadata[b"unit"] == b"kWh"


def test_a_file_under_a_wrong_date_is_quarantined_and_moves_nothing(platform: Platform) -> None:
    put(platform, date(2026, 8, 1), b"", "wrong.csv")
    with pytest.raises(
        QualityFailed, match=r"2026-08: no row could be used.*wrong\.csv: the object is empty"
    ):
        ingest_factory(platform, "F")
    assert platform.lake.manifests("meter", "F")["2026-08"].empty
    assert published_months(platform.lake, "F") == ["2025-03"]
    assert published_hours(platform, "F")["timestamp"].max().date() == DAYS[-1]
    assert [r.reason for r in quarantined(platform, "F", "meter")] == ["the object is empty"]
    assert stale_factories(platform, ["F"]) == []


def test_a_table_that_is_gone_or_a_manifest_that_is_broken_is_made_again(platform: Platform) -> None:
    ingest_factory(platform, "F")
    before = snapshot(platform)
    for key in sorted(platform.lake.part_keys("meter", "F")):
        platform.lake.store.delete(key)
        if "grain=hour" in key:
            with pytest.raises(DataError, match="not published; run ingest"):
                platform.lake.published("meter", "hour", "F", ["2025-03"])
        ingest_factory(platform, "F")
        assert snapshot(platform) == before, key
    platform.lake.store.put(keys.manifest_key("meter", "F", "2025-03"), b"{")
    ingest_factory(platform, "F")
    assert snapshot(platform) == before


def test_what_failed_is_counted(platform: Platform) -> None:
    for day in DAYS:
        put(platform, day, [f"{day} 00:{15 * i:02d}:00,F,F-M01,ERR,ERR,ERR,ERR,ERR" for i in range(4)])
    with pytest.raises(QualityFailed):
        ingest_factory(platform, "F")
    assert ingest_status(platform, "F").quality.critical_failed >= 1


def test_rows_that_come_days_late_find_their_month(platform: Platform) -> None:
    """In a file of a later day, even of the next month: the month that they are of is rebuilt in the same run."""
    day = date(2025, 3, 31)
    rows = lines_of(day)
    put(platform, day, rows[:100])
    put(platform, date(2025, 4, 2), lines_of(date(2025, 4, 2)) + rows[100:])
    result = ingest_factory(platform, "F")
    assert result.months == ("meter 2025-03", "meter 2025-04", "meter 2025-03")
    manifests = platform.lake.manifests("meter", "F")
    assert manifests["2025-03"].days[day].published == 192
    assert manifests["2025-04"].rows == RowCounts(read=192, published=192)
    assert manifests["2025-04"].late[0].days == (day,)
    before = snapshot(platform)
    assert ingest_factory(platform, "F").partitions == 0
    for item in list(platform.lake.store.list("processed/")):
        platform.lake.store.delete(item.key)
    ingest_factory(platform, "F")
    assert snapshot(platform) == before, "from nothing, the same"


def test_rows_that_come_too_late_are_quarantined(platform: Platform) -> None:
    put(
        platform,
        DAYS[3],
        [line.replace("2025-03-04", "2025-02-20") for line in day_lines(DAYS[3])[:5]],
        "old.csv",
    )
    ingest_factory(platform, "F")
    [reason] = {r.reason.split("' ")[1] for r in quarantined(platform, "F", "meter")}
    assert reason == "is outside the object's day 2025-03-04 and the 7 days before it"


def test_a_rule_for_one_factory_leaves_the_others_as_they_are(platform: Platform, tmp_path: Path) -> None:
    folder = tmp_path / "definitions"
    shutil.copytree(platform.settings.definitions_dir, folder)
    ingest_factory(platform, "F")
    own = Settings(config_dir=tmp_path)
    assert stale(platform.lake, Platform(platform.lake, plant(), own).source("F", "meter")) == []
    text = (folder / "meter.yaml").read_text("utf-8")
    rule = "overrides: [{why: test, sensors: [F-M01], columns: {current_a: {limits: {max: 21}}}}]"
    (folder / "meter.yaml").write_text(f"{text}\n{rule}\n", encoding="utf-8")
    changed = Platform(platform.lake, plant(), own)
    assert [job.month for job in stale(changed.lake, changed.source("F", "meter"))] == ["2025-03"]
    ingest_factory(changed, "F")
    causes = changed.lake.manifests("meter", "F")["2025-03"].causes
    assert causes == {
        "outside limits": sum(float(line.split(",")[5]) > 21 for d in DAYS for line in day_lines(d))
    }


def test_the_data_package_is_one_that_frictionless_accepts(platform: Platform, tmp_path: Path) -> None:
    put(platform, DAYS[1], [*lines_of(DAYS[1])[:150], f"{DAYS[1]} 20:00:00,F,F-M01,ERR,ERR,1,1,1"])
    ingest_factory(platform, "F")
    descriptor = tmp_path / "processed" / "datapackage-F.json"
    content = json.loads(descriptor.read_bytes())
    assert [r["name"] for r in content["resources"]] == [f"meter-{g}-2025-03" for g in GRAINS]
    tool = Path(sys.executable).with_name("frictionless")
    done = subprocess.run(
        [tool, "validate", descriptor, "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    report = json.loads(done.stdout)
    assert report["valid"] and [t["stats"]["rows"] for t in report["tasks"]] == [768, 192, 8]


def test_a_folder_gives_the_same_bytes_as_the_store(platform: Platform, tmp_path: Path) -> None:
    landed, out = tmp_path / "landed", tmp_path / "out"
    put(platform, DAYS[1], [day_lines(DAYS[1])[3].replace(",90.0,", ",ERR,")], "late.csv")
    ingest_factory(platform, "F")
    shutil.copytree(tmp_path / "raw", landed / "raw")
    other = Platform(Lake(FolderStore(out, raw=landed)), platform.plant, platform.settings)
    ingest_factory(other, "F")
    assert snapshot(other) == snapshot(platform)
    assert not (out / "raw").exists(), "raw files are only read"
