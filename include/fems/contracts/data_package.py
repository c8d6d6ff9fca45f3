"""A factory's published tables as the Frictionless standards describe them."""

from collections.abc import Mapping
from typing import NotRequired, TypedDict


class TableField(TypedDict):
    """A column, as the Table Schema standard describes it; `unit` is ours."""

    name: str
    type: str
    description: str
    title: NotRequired[str]
    unit: NotRequired[str]
    constraints: NotRequired[dict[str, float | list[str]]]


class TableSchema(TypedDict):
    """A table's columns and its key."""

    fields: list[TableField]
    primaryKey: list[str]


class Resource(TypedDict):
    """A published table, as the Data Resource standard describes it; `fems` is what its manifest says."""

    name: str
    title: str
    path: str
    type: str
    format: str
    mediatype: str
    sources: NotRequired[list[dict[str, str]]]
    fems: Mapping[str, object]
    schema: TableSchema


DataPackage = TypedDict(
    "DataPackage",
    {"$schema": str, "profile": str, "name": str, "title": str, "resources": list[Resource]},
)
"""A factory's published tables."""
