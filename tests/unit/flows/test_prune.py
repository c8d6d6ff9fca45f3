"""Old quarantine goes when it is asked for; raw files, tables and counts stay."""

from datetime import date

import pytest

from fems.flows.ingest import ingest_factory, stale_factories
from fems.flows.ingest_status import ingest_status
from fems.flows.land import land_tree
from fems.flows.platform import Platform
from fems.flows.prune import Pruned, prune_quarantine
from fems.lake import keys
from fems.lake.lake import Lake
from fems.registry.plant import load_plant
from fems.settings import settings
from fems.simulate import simulate

FACTORY = "2160"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    folder = tmp_path_factory.mktemp("plant")
    plant = load_plant(settings().factories_file)
    made = Platform(Lake.in_folder(folder / "lake"), plant, settings())
    simulate(plant, folder, start=date(2025, 1, 1), months=1, seed=3, factories=[FACTORY], workers=1)
    land_tree(made.lake, folder)
    for day in (date(2025, 1, 3), date(2025, 1, 20)):
        made.lake.store.put(keys.raw_key("meter", FACTORY, day, "picture.csv"), b"\x89PNG\r\n\x1a\n0000")
    ingest_factory(made, FACTORY)
    return made


def test_only_what_is_older_goes_and_every_count_stays(platform: Platform) -> None:
    lake, before = platform.lake, date(2025, 1, 20)
    raw, counted = lake.raw_etags(), ingest_status(platform, FACTORY)
    tables = {key: lake.get(key) for key in lake.part_keys("meter", FACTORY)}
    rows = lake.quarantined("meter", FACTORY)
    kept = [row for row in rows if f"date={row.object.split('date=')[1][:10]}" >= f"date={before}"]
    assert 0 < len(kept) < len(rows)
    planned = prune_quarantine(platform, before, dry_run=True)
    assert planned.objects > 0 and planned.size > 0 and lake.quarantined("meter", FACTORY) == rows

    assert prune_quarantine(platform, before) == planned
    assert prune_quarantine(platform, before) == Pruned(0, 0)
    left = lake.quarantined("meter", FACTORY)
    assert left and len(left) < len(rows)
    assert lake.raw_etags() == raw
    assert {key: lake.get(key) for key in tables} == tables
    assert ingest_status(platform, FACTORY) == counted
    assert stale_factories(platform, [FACTORY]) == [], "nothing is built again for it"


def test_nothing_but_quarantine_can_be_removed(platform: Platform) -> None:
    (raw, *_) = platform.lake.store.list("raw/")
    with pytest.raises(ValueError, match="no quarantine"):
        platform.lake.remove_quarantine([raw])
    assert raw.key in set(platform.lake.raw_keys())
