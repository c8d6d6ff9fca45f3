"""Landing: foreign files into raw objects, line by line as they stand."""

import io
import math
import os
import threading
import time
from collections import defaultdict
from datetime import date, datetime, timedelta
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import plant as wide_plant
from python_calamine import CalamineWorkbook
from support import STEEL, needs_steel

from fems.contracts.manifest import RowCounts
from fems.errors import ConfigError, DataError
from fems.flows.ingest import ingest_factory
from fems.flows.ingest_status import ingest_status
from fems.flows.land import Days, Landed, land_file, land_tree
from fems.flows.platform import Platform
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.raw.decode import decode
from fems.registry.book import load_book
from fems.registry.feed import FactoryFeed
from fems.registry.plant import load_plant
from fems.settings import settings

BOOK = load_book(settings().definitions_dir, "meter")
PLANT = load_plant(settings().factories_file)
RECEIVED = date(2026, 1, 1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(FolderStore(tmp_path / "lake"))


def write(folder: Path, lines: list[str]) -> Path:
    path = folder / "steel.csv"
    path.write_bytes(("\ufeff" + "\r\n".join(lines) + "\r\n").encode())
    return path


HEADER = "date,Usage_kWh,Lagging_Current_Reactive_Power_kVarh,Lagging_Current_Power_Factor"


def test_a_row_belongs_to_the_day_in_which_its_interval_starts(lake: Lake, tmp_path: Path) -> None:
    lines = [
        HEADER,
        "01/02/2018 00:15,1,2,90",
        "01/02/2018 00:00,3,4,91",
        "02/02/2018 00:15,5,6,92",
        "rubbish,1,2,3",
    ]
    landed = land_file(lake, PLANT, BOOK, "steel", write(tmp_path, lines), RECEIVED)
    assert landed.put == 2
    first = lake.store.get("raw/meter/factory=steel/date=2018-02-01/steel.csv")
    assert first == ("\ufeff" + "\r\n".join(lines[:3]) + "\r\n").encode()
    second = lake.store.get("raw/meter/factory=steel/date=2018-02-02/steel.csv")
    assert second.splitlines()[1:] == [b"02/02/2018 00:15,5,6,92", b"rubbish,1,2,3"]


def test_landing_twice_changes_nothing_and_a_change_is_refused(lake: Lake, tmp_path: Path) -> None:
    path = write(tmp_path, [HEADER, "01/02/2018 00:15,1,2,90"])
    assert land_file(lake, PLANT, BOOK, "steel", path, RECEIVED).put == 1
    assert land_file(lake, PLANT, BOOK, "steel", path, RECEIVED).kept == 1
    write(tmp_path, [HEADER, "01/02/2018 00:15,7,2,90"])
    with pytest.raises(DataError, match="never changed; land a correction under another name"):
        land_file(lake, PLANT, BOOK, "steel", path, RECEIVED)


def test_what_cannot_be_read_lands_whole_for_ingest_to_judge(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / "photo.csv"
    path.write_bytes(b"\x89PNG\r\n\x1a\n123")
    land_file(lake, PLANT, BOOK, "steel", path, RECEIVED)
    assert lake.store.get("raw/meter/factory=steel/date=2026-01-01/photo.csv") == path.read_bytes()


def test_a_month_kept_back_and_landed_later_is_the_same_as_all_at_once(lake: Lake, tmp_path: Path) -> None:
    lines = [HEADER, *(f"{day:02d}/{month:02d}/2018 00:15,1,2,90" for month in (1, 2) for day in (1, 28))]
    path, cut = write(tmp_path, lines), date(2018, 2, 1)
    whole = Lake(FolderStore(tmp_path / "whole"))
    assert land_file(whole, PLANT, BOOK, "steel", path, RECEIVED).put == 4
    assert land_file(lake, PLANT, BOOK, "steel", path, RECEIVED, days=Days(end=cut)).put == 2
    assert sorted(lake.raw_etags()) == [key for key in sorted(whole.raw_etags()) if "2018-01" in key]
    assert land_file(lake, PLANT, BOOK, "steel", path, RECEIVED, days=Days(first=cut)).put == 2
    assert lake.raw_etags() == whole.raw_etags()

    tree = Lake(FolderStore(tmp_path / "tree"))
    folder = tmp_path / "whole"
    assert land_tree(tree, folder, lambda line: None, Days(end=cut)) == Landed(2, 0)
    assert land_tree(tree, folder, lambda line: None, Days(first=cut)) == Landed(2, 0)
    assert tree.raw_etags() == whole.raw_etags()


def test_errors_say_what_and_where(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.csv: cannot be read"):
        land_file(lake, PLANT, BOOK, "steel", tmp_path / "nowhere.csv", RECEIVED)
    with pytest.raises(ConfigError, match=r"'9999' is not in factories\.yaml"):
        land_file(lake, PLANT, BOOK, "9999", tmp_path / "x.csv", RECEIVED)
    with pytest.raises(ConfigError, match="has no files under raw/"):
        land_tree(lake, tmp_path)


@needs_steel
def test_every_row_of_the_real_file_is_accounted_for(lake: Lake) -> None:
    assert land_file(lake, PLANT, BOOK, "steel", STEEL, RECEIVED).put == 365
    platform = Platform(lake, PLANT, settings())
    ingest_factory(platform, "steel")
    assert ingest_status(platform, "steel").rows == RowCounts(read=35_040, published=35_040)

    written: dict[str, list[float]] = defaultdict(list)
    lines = STEEL.read_text("utf-8-sig").splitlines()[1:]
    for line in lines:
        day, _, usage = line.split(" ")[0], None, line.split(",")[1]
        written["-".join(reversed(day.split("/")))].append(float(usage))
    months = sorted(lake.manifests("meter", "steel"))
    days = lake.published("meter", "day", "steel", months).to_pandas()
    ours = {t.date().isoformat(): v for t, v in zip(days["timestamp"], days["used_kwh"], strict=True)}
    assert len(ours) == 365
    for day, values in written.items():
        assert ours[day] == math.fsum(values), "to the last digit"


def test_a_wide_file_lands_by_day_too(lake: Lake, tmp_path: Path) -> None:
    registry = wide_plant(layout="wide", wide={"pump": "F-M01/used_kwh", "press": "F-M02/used_kwh"})
    path = tmp_path / "wide.csv"
    path.write_text(
        "timestamp,pump,press\n2025-03-04 00:00:00,1,2\n2025-03-05 00:00:00,3,4\n", encoding="utf-8"
    )
    assert land_file(lake, registry, BOOK, "F", path, RECEIVED).put == 2
    second = lake.store.get("raw/meter/factory=F/date=2025-03-05/wide.csv")
    assert second == b"timestamp,pump,press\n2025-03-05 00:00:00,3,4\n"


def xlsx(sheets: dict[str, list[list[object]]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
            for cell in sheet[sheet.max_row]:
                cell.data_type = "s" if isinstance(cell.value, str) else cell.data_type
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_cells_of_a_workbook_of_many_days_stay_what_they_are(lake: Lake, tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["made", "by x"],
        ["timestamp", "sensor_id", "used_kwh", "note"],
        [datetime(2025, 3, 4, 0, 30), "F-M01", 1.234, "a\nb"],  # noqa: DTZ001
        ["soon", "F-M01", 9, "=1+1"],
        [datetime(2025, 3, 5, 0, 15), "F-M01", "1,5", timedelta(hours=30)],  # noqa: DTZ001
    ]
    path = tmp_path / "two.xlsx"
    path.write_bytes(xlsx({"A": rows, "Notes": [["x"]]}))
    registry = wide_plant(decimal=",", time_format=None)
    assert land_file(lake, registry, BOOK, "F", path, RECEIVED).put == 2
    parts = [lake.store.get(f"raw/meter/factory=F/date=2025-03-0{day}/two.xlsx") for day in (4, 5)]
    first, second = (CalamineWorkbook.from_object(io.BytesIO(part)) for part in parts)
    assert first.get_sheet_by_name("A").to_python() == [["made", "by x", "", ""], *rows[1:4]]
    assert second.get_sheet_by_name("A").to_python()[4] == rows[4]
    assert first.get_sheet_by_name("Notes").to_python() and not second.get_sheet_by_name("Notes").to_python()
    [whole] = [key for key in lake.store.keys("raw/") if "/delivered/" in key]
    assert lake.store.get(whole) == path.read_bytes()
    assert [o.day.day for o in lake.raw_objects("meter", "F")] == [4, 5]
    assert land_file(lake, registry, BOOK, "F", path, RECEIVED).kept == 2, (
        "the same file gives the same bytes"
    )
    decoded = [
        decode(o, lake.store.get(o.key), FactoryFeed.of(registry, BOOK, "F"))
        for o in lake.raw_objects("meter", "F")
    ]
    assert [d.values[0].tolist() for d in decoded] == [[1.234], [1.5]]
    assert [b.line for b in decoded[0].quarantined] == [1, 4]


def test_parquet_of_many_days_keeps_its_types(lake: Lake, tmp_path: Path) -> None:
    times = pa.array([datetime(2025, 3, d, 0, 15) for d in (4, 5, 5)], pa.timestamp("us"))  # noqa: DTZ001
    table = pa.table(
        {"timestamp": times, "sensor_id": ["F-M01", "F-M01", "F-M02"], "used_kwh": [1.234, 2, 3]}
    )
    pq.write_table(table, tmp_path / "m.parquet")
    land_file(lake, wide_plant(decimal=","), BOOK, "F", tmp_path / "m.parquet", RECEIVED)
    second = lake.store.get("raw/meter/factory=F/date=2025-03-05/m.parquet")
    assert pq.read_table(pa.BufferReader(second)).equals(table.slice(1))


def test_named_formats_are_cut_by_day(lake: Lake, tmp_path: Path) -> None:
    days = [f"300,2025030{day},{','.join([str(day)] * 96)},A,,,20250306," for day in (4, 5)]
    lines = ["100,NEM12,202503060000,A,B", "200,N1,E1,1,E1,,S,kWh,15,", *days, "900"]
    (tmp_path / "n.csv").write_text("\n".join(lines) + "\n")
    registry = wide_plant(format="nem12", sensors={"N1": "F-M01"}, time_format=None)
    assert land_file(lake, registry, BOOK, "F", tmp_path / "n.csv", RECEIVED).put == 2
    source = FactoryFeed.of(registry, BOOK, "F")
    decoded = [decode(o, lake.store.get(o.key), source) for o in lake.raw_objects("meter", "F")]
    assert [(set(d.values[0].tolist()), d.read) for d in decoded] == [({4.0}, 96), ({5.0}, 96)]


def test_a_longer_file_of_the_same_beginning_takes_the_place_of_a_half_written_one(
    lake: Lake, tmp_path: Path
) -> None:
    whole = [HEADER, "01/02/2018 00:15,1,2,90", "01/02/2018 00:30,3,4,91"]
    path = write(tmp_path, whole)
    data = path.read_bytes()
    path.write_bytes(data[:-9])
    land_file(lake, PLANT, BOOK, "steel", path, RECEIVED)
    path.write_bytes(data)
    assert land_file(lake, PLANT, BOOK, "steel", path, RECEIVED).put == 1
    assert lake.store.get("raw/meter/factory=steel/date=2018-02-01/steel.csv") == data


def test_landing_waits_until_a_file_is_quiet(lake: Lake, tmp_path: Path) -> None:
    path = write(tmp_path, [HEADER])

    def collector() -> None:
        with path.open("a") as file:
            for i in range(8):
                file.write(f"01/02/2018 {i:02d}:15,1,2,90\r\n")
                file.flush()
                time.sleep(0.1)

    writing = threading.Thread(target=collector)
    writing.start()
    land_file(lake, PLANT, BOOK, "steel", path, RECEIVED, quiet_s=0.5)
    writing.join()
    assert lake.store.get("raw/meter/factory=steel/date=2018-02-01/steel.csv").count(b"\n") == 9


def test_links_are_not_followed_and_odd_names_cost_nothing(lake: Lake, tmp_path: Path) -> None:
    path = write(tmp_path, [HEADER, "01/02/2018 00:15,1,2,90"])
    (tmp_path / "link.csv").symlink_to(path)
    with pytest.raises(ConfigError, match="symbolic link"):
        land_file(lake, PLANT, BOOK, "steel", tmp_path / "link.csv", RECEIVED)
    (tmp_path / "raw/meter/factory=steel/date=2018-02-01").mkdir(parents=True)
    (tmp_path / "raw/meter/factory=steel/date=2018-02-01/x.csv").symlink_to(path)
    with pytest.raises(ConfigError, match="has no files"):
        land_tree(lake, tmp_path)
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\nb\xff.csv"))
    path.rename(odd)
    land_file(lake, PLANT, BOOK, "steel", odd, RECEIVED)
    assert list(lake.store.keys("raw/")) == ["raw/meter/factory=steel/date=2018-02-01/a%0Ab%FF.csv"]


@pytest.mark.security
def test_pipes_and_devices_are_not_read(lake: Lake, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), tmp_path):
        with pytest.raises(ConfigError, match=r"no plain file|Is a directory"):
            land_file(lake, PLANT, BOOK, "steel", path, RECEIVED)
    folder = tmp_path / "raw/meter/factory=steel/date=2018-02-01"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "x.csv")
    with pytest.raises(ConfigError, match="has no files"):
        land_tree(lake, tmp_path)


@pytest.mark.security
def test_odd_names_in_a_tree_cost_no_rows(lake: Lake, tmp_path: Path) -> None:
    sound = write(
        tmp_path,
        [HEADER, *[f"01/02/2018 {i // 4:02d}:{i % 4 * 15:02d},{1 + i % 7},2,90" for i in range(1, 96)]],
    )
    folder = tmp_path / "raw/meter/factory=steel/date=2018-02-01"
    folder.mkdir(parents=True)
    sound.rename(Path(os.fsdecode(os.fsencode(folder) + b"/a\nb\xff.csv")))
    land_tree(lake, tmp_path)
    [key] = lake.store.keys("raw/")
    assert key.isprintable() and key.endswith(".csv")
    platform = Platform(lake, PLANT, settings())
    ingest_factory(platform, "steel")
    assert ingest_status(platform, "steel").rows.read == 95


@pytest.mark.parametrize("written", ["01/01/1970 00:15", "01/01/2099 00:15"])
def test_a_wrong_clock_makes_no_partition(lake: Lake, tmp_path: Path, written: str) -> None:
    day = [f"01/02/2018 {i // 4:02d}:{i % 4 * 15:02d},{1 + i % 7},2,90" for i in range(1, 96)]
    lines = [HEADER, *day, f"{written},3,4,91"]
    land_file(lake, PLANT, BOOK, "steel", write(tmp_path, lines), date(2018, 2, 2))
    platform = Platform(lake, PLANT, settings())
    ingest_factory(platform, "steel")
    assert list(lake.manifests("meter", "steel")) == ["2018-02"]
    [row] = lake.quarantined("meter", "steel")
    assert f"'{written}' is outside the object's day 2018-02-01" in row.reason
