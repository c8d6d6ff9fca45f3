"""The command `fems sql`: published tables as SQL views."""

import json
import sys
from typing import Annotated

import typer

from fems.cli.tables import plain_table
from fems.cli.terminal import FolderOption, out, platform_over


def sql(
    statement: Annotated[str, typer.Argument(help='Such as "SELECT * FROM meter_day LIMIT 5".')],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, an object a row.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    folder: FolderOption = None,
) -> None:
    """Ask the published tables in SQL (DuckDB's), read-only.

    Views: meter_hour, meter_day, forecast_hour, forecast_day (the newest forecast of each factory), trap_day,
    trap_events, equipment, factory.
    """
    import pyarrow as pa

    from fems.views.csv import to_csv
    from fems.views.sql import query

    rows = query(platform_over(folder), statement)
    if as_json:
        out.print_json(json.dumps(rows.to_pylist(), ensure_ascii=False, default=str))
    elif as_csv:
        sys.stdout.write(to_csv(rows).decode())
    else:
        table = plain_table(
            f"{rows.num_rows:,} rows",
            {
                field.name: "right"
                if pa.types.is_floating(field.type) or pa.types.is_integer(field.type)
                else "left"
                for field in rows.schema
            },
        )
        for row in rows.to_pylist():
            table.add_row(*map(_written, row.values()))
        out.print(table)


def _written(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
