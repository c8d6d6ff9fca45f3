"""A factory's data package, which describes its published tables for other people's tools."""

from collections.abc import Mapping

from fems.canonical import to_json
from fems.contracts.data_package import Resource
from fems.contracts.feed_index import PublishedMonth
from fems.contracts.grains import GRAINS
from fems.contracts.manifest import Manifest
from fems.flows.platform import Platform
from fems.lake import keys
from fems.lake.traps import readable_trap_manifest
from fems.process.package import package, resource
from fems.registry.book import Book
from fems.registry.sensors import Feed
from fems.traps.package import trap_resources


def write_package(
    platform: Platform,
    factory_id: str,
    published: Mapping[Feed, Mapping[str, PublishedMonth]] | None = None,
) -> None:
    """Describe all published tables of a factory in its data package.

    Args:
        platform: where.
        factory_id: whose.
        published: feed -> month -> what is published, if it was just looked at; of feeds that are not in it every
            manifest is read.
    """
    lake, resources = platform.lake, list[Resource]()
    known = {each["path"]: each for each in lake.package_resources(factory_id)} if published else {}
    for feed in platform.plant.feeds(factory_id):
        months = (published or {}).get(feed)
        if months is None:
            there = lake.part_keys(feed, factory_id)
            found = _from_manifests(feed, platform.book(feed), lake.readable_manifests(feed, factory_id))
            resources += [each for each in found if f"processed/{each['path']}" in there]
        else:
            resources += _from_package(platform, feed, factory_id, months, known)
    traps = readable_trap_manifest(lake, factory_id)
    resources += trap_resources(traps) if traps else []
    if not resources:  # a package without a resource is none
        lake.remove_package(factory_id)
    else:
        name = platform.plant.factory(factory_id).name
        lake.write_package(factory_id, to_json(package(factory_id, name, resources)))


def _from_package(
    platform: Platform,
    feed: Feed,
    factory_id: str,
    months: Mapping[str, PublishedMonth],
    known: Mapping[str, Resource],
) -> list[Resource]:
    """Say again what the package there says of tables that are still published; read the other months' manifests.

    A table's name bears the fingerprint of all that it is made from, so what was said of it stays true.
    """
    paths = {
        month: [_path(feed, grain, factory_id, month, each.fingerprint) for grain in GRAINS]
        for month, each in months.items()
        if not each.empty
    }
    unknown = [month for month, its in paths.items() if not all(path in known for path in its)]
    read = platform.lake.readable(feed, factory_id, unknown)
    resources: list[Resource] = []
    for month in sorted(paths):
        if month not in unknown:
            resources += [known[path] for path in paths[month]]
        elif month in read:
            resources += _from_manifests(feed, platform.book(feed), {month: read[month]})
    return resources


def _from_manifests(feed: Feed, book: Book, manifests: Mapping[str, Manifest]) -> list[Resource]:
    return [
        resource(_path(feed, grain, each.factory_id, month, each.fingerprint), grain, book, each)
        for month, each in manifests.items()
        for grain in GRAINS
    ]


def _path(feed: Feed, grain: str, factory_id: str, month: str, fingerprint: str) -> str:
    return keys.processed_key(feed, grain, factory_id, month, fingerprint).removeprefix("processed/")
