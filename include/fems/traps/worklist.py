"""The open events as an Excel work list, Korean and English."""

import io

import pandas as pd

from fems.contracts.trap_views import WorkItem
from fems.contracts.traps import LEAKS, TrapState
from fems.traps.words import BLOCKED_RISK, CONFIRM, STATE_WORDS

_WIDTHS = {
    "공장 factory": 10,
    "트랩 trap": 14,
    "이름": 22,
    "name": 22,
    "상태": 22,
    "state": 22,
    "시작 since": 12,
    "발견 detected": 12,
    "신뢰도 confidence": 10,
    "손실 loss (kg/h)": 12,
    "일 손실 a day (kg)": 12,
    "일 비용 cost a day": 12,
    "이유": 60,
    "reason": 60,
    "할 일": 60,
    "to do": 60,
    "확인 결과 confirmed / false alarm": 14,
    "메모 note": 30,
}
"""Of each column, in characters."""


def workbook(rows: list[WorkItem]) -> bytes:
    """Return an .xlsx file with a row an event; the last two columns are for the person who goes and looks."""
    sink = io.BytesIO()
    table = pd.DataFrame([_line(row) for row in rows], columns=list(_WIDTHS))
    with pd.ExcelWriter(sink, engine="openpyxl") as writer:
        table.to_excel(writer, sheet_name="traps", index=False)
        sheet = writer.sheets["traps"]
        sheet.freeze_panes = "C2"
        sheet.auto_filter.ref = sheet.dimensions
        for column, width in zip(sheet.columns, _WIDTHS.values(), strict=True):
            sheet.column_dimensions[column[0].column_letter].width = width
            for cell in column[1:]:
                if isinstance(cell.value, float):
                    cell.number_format = "#,##0.0"
                elif isinstance(cell.value, str) and cell.value[:1] in "=+-@":
                    cell.data_type = "s"  # a note that begins like a formula is none
    return sink.getvalue()


def _line(row: WorkItem) -> dict[str, object]:
    state = TrapState(row["kind"])
    todo = CONFIRM if state in LEAKS else BLOCKED_RISK
    english, korean = STATE_WORDS[state]
    return {
        "공장 factory": row["factory_id"],
        "트랩 trap": row["trap_id"],
        "이름": row["name_ko"],
        "name": row["name"],
        "상태": korean,
        "state": english,
        "시작 since": row["start"],
        "발견 detected": row["detected"],
        "신뢰도 confidence": row["confidence"],
        "손실 loss (kg/h)": row["loss_kg_h"],
        "일 손실 a day (kg)": row["kg_a_day"],
        "일 비용 cost a day": row["cost_a_day"],
        "이유": row["reason_ko"],
        "reason": row["reason"],
        "할 일": todo[1],
        "to do": todo[0],
        "확인 결과 confirmed / false alarm": None,
        "메모 note": row["note"],
    }
