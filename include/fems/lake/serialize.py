"""Tables into bytes: the same content is the same bytes."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def to_parquet(table: "pa.Table") -> bytes:
    """Serialise a table; the same content is the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Times of a regular grid are all differences; everything else repeats, a meter's readings included.
    times = [field.name for field in table.schema if pa.types.is_timestamp(field.type)]
    others = [name for name in table.column_names if name not in times]
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        coerce_timestamps="us",
        use_dictionary=others,
        column_encoding=dict.fromkeys(times, "DELTA_BINARY_PACKED"),
    )
    data: bytes = sink.getvalue().to_pybytes()
    return data
