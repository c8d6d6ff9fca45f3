"""Landing: foreign files into raw objects, line by line as they stand."""

import math
from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest
from builders import plant
from support import STEEL, needs_steel

from fems.contracts.manifest import RowCounts
from fems.errors import ConfigError, DataError
from fems.flows.ingest import ingest_factory
from fems.flows.ingest_status import ingest_status
from fems.flows.land import land_file, land_tree
from fems.flows.platform import Platform
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.registry.book import load_book
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
    registry = plant(layout="wide", wide={"pump": "F-M01/used_kwh", "press": "F-M02/used_kwh"})
    path = tmp_path / "wide.csv"
    path.write_text(
        "timestamp,pump,press\n2025-03-04 00:00:00,1,2\n2025-03-05 00:00:00,3,4\n", encoding="utf-8"
    )
    assert land_file(lake, registry, BOOK, "F", path, RECEIVED).put == 2
    second = lake.store.get("raw/meter/factory=F/date=2025-03-05/wide.csv")
    assert second == b"timestamp,pump,press\n2025-03-05 00:00:00,3,4\n"
