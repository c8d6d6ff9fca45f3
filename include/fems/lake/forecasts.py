"""The forecasts in the lake: tables, report and summary of each, the pointer to the newest, and the track record."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from fems.canonical import to_json
from fems.contracts import record, track_record
from fems.contracts.forecast import ForecastSummary, LatestForecast
from fems.contracts.track_record import MeasuredForecast
from fems.errors import DataError, UnknownFormat
from fems.lake import keys
from fems.lake.records import get, read_record, read_table, write_record
from fems.lake.serialize import to_parquet
from fems.lake.store import Store

if TYPE_CHECKING:
    import pyarrow as pa


class Forecasts:
    """Published forecasts, each in a folder (see `fems.lake.keys.forecast_folder`), and how they did."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def latest(self, factory_id: str) -> LatestForecast | None:
        """Return the pointer to a factory's newest forecast, None before the first.

        Raises:
            UnknownFormat, DataError: it cannot be read; says what to run.
        """
        return read_record(self._store, LatestForecast, keys.latest_key(factory_id))

    def point_to(self, folder: str, summary: ForecastSummary) -> None:
        """Make a forecast the factory's newest, unless there is one of a later origin that makes sense.

        An origin of the future makes none: it came from a wrong clock.
        """
        try:
            present = self.latest(summary.factory_id)
        except DataError:  # of an earlier version
            present = None
        if present is not None and summary.origin < present.origin <= datetime.now(UTC) + timedelta(days=1):
            return
        pointer = LatestForecast(
            factory_id=summary.factory_id, month=summary.month, origin=summary.origin, prefix=folder
        )
        write_record(self._store, keys.latest_key(summary.factory_id), pointer)

    def summary(self, folder: str) -> ForecastSummary | None:
        """Return a forecast's summary; None where there is none: it was never there, or cut short.

        Raises:
            UnknownFormat, DataError: it cannot be read; says what to run.
        """
        return read_record(self._store, ForecastSummary, keys.summary_key(folder))

    def write_summary(self, folder: str, summary: ForecastSummary) -> None:
        """Write the summary, which makes the tables that lie there one forecast."""
        write_record(self._store, keys.summary_key(folder), summary)

    def folders(self, factory_id: str, month: str | None = None) -> list[str]:
        """Return the folders of a factory's whole forecasts, or of a month's, in the order of months and origins."""
        found = self._store.keys(f"{keys.forecasts_prefix(factory_id)}month={month + '/' if month else ''}")
        name = keys.summary_key("")
        return sorted(key.removesuffix(name) for key in found if key.endswith(f"/{name}"))

    def newest(self, factory_id: str, month: str | None = None) -> str:
        """Return the folder of a factory's newest forecast, or of the newest of a month.

        Raises:
            DataError: there is none.
        """
        latest = self.latest(factory_id)
        if latest is not None and month in (None, latest.month):
            return latest.prefix
        there = self.folders(factory_id, month) if month else []
        if not there:
            of_month = f" of {month}" if month else ""
            raise DataError(f"factory {factory_id} has no forecast{of_month}; run forecast first")
        return there[-1]

    def write_table(
        self, folder: str, level: str, grain: str, table: "pa.Table", summary: ForecastSummary
    ) -> None:
        """Write a table of a forecast, with the summary (without its days) in the file's metadata."""
        about = record.write(summary, leave_out=["days"])
        data = to_parquet(table.replace_schema_metadata({b"fems": about}))
        self._store.put(keys.forecast_table_key(folder, level, grain), data)

    def table(self, folder: str, level: str, grain: str) -> "pa.Table":
        """Return a table of a forecast: level is equipment or factory; KeyError if there is none.

        Raises:
            DataError: what lies there is not Parquet.
        """
        key = keys.forecast_table_key(folder, level, grain)
        return read_table(self._store, key, ForecastSummary.REMEDY)

    def write_report(self, folder: str, html: str, workbooks: Mapping[str, bytes]) -> None:
        """Write a forecast's report and its Excel workbooks, one a language."""
        self._store.put(keys.report_key(folder), html.encode())
        for language, workbook in workbooks.items():
            self._store.put(keys.workbook_key(folder, language), workbook)

    def workbook(self, folder: str, language: str) -> bytes | None:
        """Return a forecast's Excel workbook in a language, None where there is none."""
        return get(self._store, keys.workbook_key(folder, language))

    def report(self, folder: str) -> str | None:
        """Return a forecast's report, None where there is none."""
        data = get(self._store, keys.report_key(folder))
        return None if data is None else data.decode()

    def track_record(self, factory_id: str) -> "pa.Table | None":
        """Return the table of how a factory's forecasts did, None before the first was measured.

        Raises:
            UnknownFormat: another version wrote it.
            DataError: what lies there is not Parquet.
        """
        key = keys.track_record_key(factory_id)
        try:
            table = read_table(self._store, key, track_record.REMEDY)
        except KeyError:
            return None
        about = json.loads((table.schema.metadata or {}).get(b"fems", b"{}"))
        if about.get("format") != track_record.FORMAT:
            raise UnknownFormat(
                f"{key}: is not of format {track_record.FORMAT}, which this version reads; {track_record.REMEDY}"
            )
        return table.replace_schema_metadata(None)

    def write_track_record(self, factory_id: str, table: "pa.Table") -> None:
        """Keep the table of how a factory's forecasts did (see `fems.contracts.track_record`)."""
        about = {b"fems": to_json({"format": track_record.FORMAT})}
        self._store.put(keys.track_record_key(factory_id), to_parquet(table.replace_schema_metadata(about)))

    def measured(self, factory_id: str) -> MeasuredForecast | None:
        """Return how the newest forecast did that was measured since, None before the first.

        Raises:
            UnknownFormat, DataError: it cannot be read; says what to run.
        """
        return read_record(self._store, MeasuredForecast, keys.measured_key(factory_id))

    def write_measured(self, measured: MeasuredForecast) -> None:
        """Keep how the newest forecast did that was measured since."""
        write_record(self._store, keys.measured_key(measured.factory_id), measured)
