"""A table of which only the file is at hand: which suite it is for, and what is known of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fems.errors import ConfigError, DataError
from fems.quality.parameters import SuiteParameters, of_table
from fems.registry.book import Book, book_names, load_book
from fems.registry.feed import FactoryFeed
from fems.registry.plant import Plant


def read_file(path: Path, plant: Plant) -> pd.DataFrame:
    """Read a Parquet or CSV file as a table to evaluate; times without a zone are those of its factory.

    Raises:
        DataError: it cannot be read, or has no column timestamp.
    """
    try:
        # one file, and not the folders above it that look like partitions
        if path.suffix == ".parquet":
            table: pd.DataFrame = pq.read_table(path, partitioning=None).to_pandas()
        else:
            table = pd.read_csv(path, dtype={"factory_id": str, "sensor_id": str})
    except (OSError, ValueError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: cannot be read as a table: {error}") from error
    if "timestamp" not in table:
        raise DataError(f"{path}: has no column timestamp (it has {', '.join(map(str, table.columns))})")
    if not isinstance(table["timestamp"].dtype, pd.DatetimeTZDtype):
        factory = plant.factories.get(_factory_of(table))
        zone = factory.timezone if factory else next(iter(plant.factories.values())).timezone
        try:
            times = pd.to_datetime(table["timestamp"])
            table["timestamp"] = times if times.dt.tz is not None else times.dt.tz_localize(zone)
        except (ValueError, TypeError, AttributeError):
            pass  # not times: the suite says so
    return table


def _factory_of(table: pd.DataFrame) -> str:
    """Return the factory that most rows name."""
    if "factory_id" not in table or not table["factory_id"].notna().any():
        return ""
    return str(table["factory_id"].astype(str).mode().iloc[0])


def suite_of(table: pd.DataFrame, books: Sequence[Book]) -> str:
    """Return the suite that a table's columns and steps are of.

    Args:
        table: see `read_file`.
        books: the definition books that there are.

    Raises:
        ConfigError: they are of none.
    """
    columns = set(table.columns)
    if not {"flag", "coverage_pct"} & columns:
        if "used_kwh_p50" in columns:
            return "forecast"
        raise ConfigError("the columns are of no table that is published; name the suite with --suite")
    grain = "native" if "flag" in columns else _grain(table)
    known = {book.feed: set(book.table_columns(grain)) - {"flag", "flag_columns", *_SHARES} for book in books}
    fitting = [feed for feed, own in known.items() if own <= columns] or [
        book.feed for book in books if book.main_column in columns
    ]
    if len(fitting) != 1:
        feeds = " and of ".join(fitting) or "no feed that has a definition book"
        raise ConfigError(f"the columns are of {feeds}; name the suite with --suite, such as meter_{grain}")
    return f"{fitting[0]}_{grain}"


_SHARES = ("coverage_pct", "estimated_pct")


def _grain(table: pd.DataFrame) -> str:
    step = table["timestamp"].drop_duplicates().sort_values().diff().median()
    return "day" if step >= np.timedelta64(20, "h") else "hour"


def parameters_for(table: pd.DataFrame, suite: str, plant: Plant, definitions_dir: Path) -> SuiteParameters:
    """Return what can be known of a table of which only the file is at hand.

    The registry and the book are asked where they know its factory. What they don't know is left out, and with it the
    expectations that need it.
    """
    feed, _, grain = suite.rpartition("_")
    factory_id = _factory_of(table)
    zoned = isinstance(table["timestamp"].dtype, pd.DatetimeTZDtype)
    if (
        feed not in book_names(definitions_dir)
        or factory_id not in plant.factories
        or not zoned
        or table.empty
    ):
        return SuiteParameters()
    if feed not in plant.feeds(factory_id):
        return SuiteParameters()
    source = FactoryFeed.of(plant, load_book(definitions_dir, feed, plant), factory_id)
    return of_table(table, source, grain)
