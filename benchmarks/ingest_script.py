"""An ingest as a script in polars that does the least: `python -m benchmarks.ingest_script JOB`.

It reads a factory's raw objects from the object store, makes the tables of `benchmarks.polars_peer`, evaluates each
month of them with Great Expectations by its own API, and writes them back. There are no flags, no quarantine, no
account of rows, no metadata, no scores, no Data Docs, and a second run does everything again.

Our suites name expectations of our own, which only our evaluation can run. So its suite says what the shipped ones can:
the columns and their types, the number of rows, one row for a sensor and a time, limits, and that values are there.
"""

import io
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import great_expectations as gx
import polars as pl
from great_expectations import expectations as gxe
from minio import Minio

from benchmarks.job import MIN_COVERAGE, RATED_LIMITS, VALUES
from benchmarks.polars_peer import tables

OUT = "peer/"
_PER_DAY = {"native": 1440, "hour": 24, "day": 1}
_THREADS = 16


def main(text: str) -> None:
    """Do the job; JSON, see `benchmarks.ingest`."""
    job = json.loads(text)
    client = Minio(job["address"], job["access_key"], job["secret_key"], secure=False)
    first, end = (date.fromisoformat(job[name]) for name in ("first", "end"))

    def get(name: str) -> bytes:
        response = client.get_object(job["bucket"], name)
        try:
            return bytes(response.read())
        finally:
            response.close()
            response.release_conn()

    objects = client.list_objects(job["bucket"], prefix=job["raw"], recursive=True)
    with ThreadPoolExecutor(_THREADS) as pool:
        files = list(pool.map(get, [str(item.object_name) for item in objects]))
    context = gx.get_context(mode="ephemeral")
    source = context.data_sources.add_pandas("tables")
    results = {}
    for grain, table in tables(files, job["rated_kw"], job["zone"], first, end).items():
        batches = source.add_dataframe_asset(grain).add_batch_definition_whole_dataframe(grain)
        by_month = table.with_columns(month=pl.col("timestamp").dt.strftime("%Y-%m"))
        for (month,), part in by_month.partition_by("month", as_dict=True, include_key=False).items():
            suite = _suite(grain, part, max(job["rated_kw"].values()))
            batch = batches.get_batch({"dataframe": part.to_pandas()})
            results[f"{grain} {month}"] = batch.validate(suite).to_json_dict()
            data = io.BytesIO()
            part.write_parquet(data)
            size = data.tell()
            data.seek(0)
            client.put_object(job["bucket"], f"{OUT}{grain}/{month}.parquet", data, size)
    text = json.dumps(results)
    client.put_object(job["bucket"], f"{OUT}evaluation.json", io.BytesIO(text.encode()), len(text.encode()))


def _suite(grain: str, table: pl.DataFrame, rated_kw: float) -> gx.ExpectationSuite:
    hours = 24 / _PER_DAY[grain]
    most = {name: share * rated_kw * hours for name, share in RATED_LIMITS.items()}
    most["power_factor_pct"] = 100.0
    sensors, days = table["sensor_id"].n_unique(), table["timestamp"].dt.date().n_unique()
    own = [
        gxe.ExpectTableColumnsToMatchSet(column_set=table.columns, exact_match=True),
        gxe.ExpectTableRowCountToEqual(value=sensors * days * _PER_DAY[grain]),
        gxe.ExpectCompoundColumnsToBeUnique(column_list=["sensor_id", "timestamp"]),
        gxe.ExpectColumnValuesToNotBeNull(column=VALUES[0], mostly=MIN_COVERAGE),
    ]
    for name in VALUES:
        own.append(gxe.ExpectColumnValuesToBeOfType(column=name, type_="float64"))
        own.append(gxe.ExpectColumnValuesToBeBetween(column=name, min_value=0, max_value=most.get(name)))
    return gx.ExpectationSuite(name=f"{grain}", expectations=own)


if __name__ == "__main__":
    main(sys.argv[1])
