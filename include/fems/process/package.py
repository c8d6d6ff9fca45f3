"""A factory's published tables as a Frictionless Data Package: what each file holds, for other people's tools."""

from collections.abc import Sequence

from fems.contracts.data_package import DataPackage, Resource, TableField
from fems.contracts.manifest import FLAGS, Manifest
from fems.registry.book import Book

_OF_PARTITION = {"fingerprint", "book_version", "code_version", "rows", "shares", "time_range", "quality"}
"""What a resource says of its partition."""

_ID_FIELDS: tuple[TableField, ...] = (
    {"name": "timestamp", "type": "datetime", "title": "수집일시", "description": "Start of the interval."},
    {"name": "factory_id", "type": "string", "title": "공장", "description": "The factory."},
    {"name": "sensor_id", "type": "string", "title": "센서ID", "description": "The meter or steam trap."},
)
_SHARE_FIELDS: tuple[TableField, ...] = (
    {
        "name": "coverage_pct",
        "type": "number",
        "unit": "%",
        "description": "Share of the interval that has a value.",
    },
    {
        "name": "estimated_pct",
        "type": "number",
        "unit": "%",
        "description": "Share of the interval whose value was replaced or filled.",
    },
)


def resource(path: str, grain: str, book: Book, manifest: Manifest) -> Resource:
    """Return the description of one published table.

    Args:
        path: of the file, from the package on.
        grain: native, hour or day.
        book: the feed's definition book.
        manifest: the partition's metadata.
    """
    return {
        "name": f"{manifest.feed.replace('_', '-')}-{grain}-{manifest.month}",
        "title": f"{manifest.feed}, {grain}, {manifest.month}",
        "path": path,
        "type": "table",
        "format": "parquet",
        "mediatype": "application/vnd.apache.parquet",
        "sources": [{"title": f"{source.key} ({source.etag})"} for source in manifest.sources],
        "fems": manifest.model_dump(mode="json", include=_OF_PARTITION),
        "schema": {
            "fields": [*_ID_FIELDS, *_value_fields(book, grain)],
            "primaryKey": ["sensor_id", "timestamp"],
        },
    }


def _value_fields(book: Book, grain: str) -> list[TableField]:
    if grain == "native":
        values = [_field(name, name, book) for name in book.columns]
        flag: TableField = {
            "name": "flag",
            "type": "string",
            "description": "What became of the row.",
            "constraints": {"enum": list(FLAGS)},
        }
        detail: TableField = {
            "name": "flag_columns",
            "type": "string",
            "description": "The columns that the flag concerns, and how.",
        }
        return [*values, flag, detail]
    targets = [(target, name) for name, column in book.columns.items() for target in column.aggregate]
    return [*(_field(target, name, book) for target, name in targets), *_SHARE_FIELDS]


def _field(name: str, column: str, book: Book) -> TableField:
    rules = book.columns[column]
    limits = {"minimum": rules.limits.min, "maximum": rules.limits.max}
    # the hard limits hold for single values: of a sum of many, only the lower one does
    if name != column or "sum" in rules.aggregate.values():
        limits.pop("maximum")
    constraints: dict[str, float | list[str]] = {
        key: limit for key, limit in limits.items() if limit is not None
    }
    field: TableField = {
        "name": name,
        "type": "number",
        "title": rules.name_ko,
        "unit": rules.unit,
        "description": rules.description,
    }
    if constraints:
        field["constraints"] = constraints
    return field


def package(factory_id: str, name: str, resources: Sequence[Resource]) -> DataPackage:
    """Return a factory's data package."""
    return {
        "$schema": "https://datapackage.org/profiles/2.0/datapackage.json",
        "profile": "data-package",
        "name": f"fems-{factory_id.lower()}",
        "title": f"{name}: processed energy data of factory {factory_id}",
        "resources": list(resources),
    }
