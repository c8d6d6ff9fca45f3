"""The forecast as an Excel workbook: days, equipment, hours; units in the headers, Korean and English."""

import io

import pandas as pd

from fems.report.content import Content

_WIDTHS = {"days": (12, 8, 8, 16, 16, 16, 16, 60, 60), "equipment": (16, 24, 24, 18, 14, 18), "hours": (18,)}


def workbook(content: Content) -> bytes:
    """Return an .xlsx file; times are local, since Excel knows no zones."""
    sheets = {"days": _days(content), "equipment": _equipment(content), "hours": _hours(content)}
    sink = io.BytesIO()
    with pd.ExcelWriter(sink, engine="openpyxl") as writer:
        for name, table in sheets.items():
            table.to_excel(writer, sheet_name=name, index=False)
            sheet = writer.sheets[name]
            sheet.freeze_panes = "B2"
            sheet.auto_filter.ref = sheet.dimensions
            widths = _WIDTHS[name]
            for i, column in enumerate(sheet.columns):
                sheet.column_dimensions[column[0].column_letter].width = widths[min(i, len(widths) - 1)]
                for cell in column[1:]:
                    if isinstance(cell.value, float):
                        cell.number_format = "#,##0.0"
    return sink.getvalue()


def _days(content: Content) -> pd.DataFrame:
    days = pd.DataFrame([day.model_dump() for day in content.summary.days])
    return pd.DataFrame(
        {
            "날짜 date": pd.to_datetime(days["date"]).dt.date,
            "순위 rank": days["rank"].where(days["rank"] > 0),
            "시간 hours (h)": days["hours"],
            "사용량 energy (kWh)": days["kwh"],
            "10 % (kWh)": days["kwh_p10"],
            "90 % (kWh)": days["kwh_p90"],
            "일 최대 day's highest (kW)": days["kw"],
            "이유": days["reason_ko"],
            "reason": days["reason_en"],
        }
    )


def _equipment(content: Content) -> pd.DataFrame:
    machines = pd.DataFrame([machine.model_dump() for machine in content.summary.top_equipment])
    return pd.DataFrame(
        {
            "센서 sensor": machines["sensor_id"],
            "설비": machines["sensor_id"].map(content.machines("ko")),
            "equipment": machines["sensor_id"].map(content.machines("en")),
            "사용량 energy (kWh)": machines["kwh"],
            "비중 share (%)": machines["share_pct"],
            "최대수요 비중 share of the peak (%)": machines["peak_share_pct"],
        }
    )


def _hours(content: Content) -> pd.DataFrame:
    """The factory's hours with their quantiles, then each machine's."""
    factory, equipment = content.forecast.factory["hour"], content.forecast.equipment["hour"]
    table = pd.DataFrame({"시각 hour (local)": factory["timestamp"].dt.tz_localize(None)})
    for column, heading in (
        ("used_kwh", "공장 factory (kWh)"),
        ("used_kwh_p10", "공장 factory 10 % (kWh)"),
        ("used_kwh_p90", "공장 factory 90 % (kWh)"),
    ):
        table[heading] = factory[column].to_numpy()
    names = content.machines("en")
    for sensor, rows in equipment.groupby("sensor_id", sort=False):
        table[f"{names.get(str(sensor), sensor)} {sensor} (kWh)"] = rows["used_kwh"].to_numpy()
    return table
