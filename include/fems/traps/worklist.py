"""The open events as an Excel work list, Korean and English."""

import io
from typing import Any

import pandas as pd

from fems.contracts.traps import LEAKS, TrapState
from fems.traps.words import BLOCKED_RISK, CONFIRM, STATE_WORDS

_WIDTHS = (10, 14, 22, 22, 22, 22, 12, 12, 10, 12, 12, 12, 60, 60, 60, 60, 14, 30)


def workbook(rows: list[dict[str, Any]]) -> bytes:
    """Return an .xlsx file with a row an event; the last two columns are for the person who goes and looks."""
    sink = io.BytesIO()
    table = pd.DataFrame([_line(row) for row in rows], columns=list(_line(_NOTHING)))
    with pd.ExcelWriter(sink, engine="openpyxl") as writer:
        table.to_excel(writer, sheet_name="traps", index=False)
        sheet = writer.sheets["traps"]
        sheet.freeze_panes = "C2"
        sheet.auto_filter.ref = sheet.dimensions
        for column, width in zip(sheet.columns, _WIDTHS, strict=True):
            sheet.column_dimensions[column[0].column_letter].width = width
            for cell in column[1:]:
                if isinstance(cell.value, float):
                    cell.number_format = "#,##0.0"
                elif isinstance(cell.value, str) and cell.value[:1] in "=+-@":
                    cell.data_type = "s"  # a note that begins like a formula is none
    return sink.getvalue()


_NOTHING: dict[str, Any] = {"kind": "ok"}


def _line(row: dict[str, Any]) -> dict[str, Any]:
    state = TrapState(row["kind"])
    todo = CONFIRM if state in LEAKS else BLOCKED_RISK
    english, korean = STATE_WORDS[state]
    return {
        "공장 factory": row.get("factory_id"),
        "트랩 trap": row.get("trap_id"),
        "이름": row.get("name_ko"),
        "name": row.get("name"),
        "상태": korean,
        "state": english,
        "시작 since": row.get("start"),
        "발견 detected": row.get("detected"),
        "신뢰도 confidence": row.get("confidence"),
        "손실 loss (kg/h)": row.get("loss_kg_h"),
        "일 손실 a day (kg)": row.get("kg a day"),
        "일 비용 cost a day": row.get("cost a day"),
        "이유": row.get("reason_ko"),
        "reason": row.get("reason"),
        "할 일": todo[1],
        "to do": todo[0],
        "확인 결과 confirmed / false alarm": None,
        "메모 note": row.get("note"),
    }
