"""The forecast as an Excel workbook in one language: the month's headline with a chart, days, equipment, hours."""

import io
from collections.abc import Callable
from typing import Any

import pandas as pd

from fems.forecast.reasons import Language
from fems.report.content import Content
from fems.report.words import TEXT

_SHEETS: dict[Language, tuple[str, str, str, str]] = {
    "ko": ("요약", "일자", "설비", "시간"),
    "en": ("Summary", "Days", "Equipment", "Hours"),
}
_HEADINGS: dict[Language, dict[str, str]] = {
    "ko": {
        "factory": "공장", "month": "예측 월", "simulated": "모의 데이터", "yes": "예", "no": "아니요",
        "kwh": "월 사용량 (kWh)", "p10": "10 % (kWh)", "p90": "90 % (kWh)", "days": "해당 일수",
        "measured": "이 중 실적 (kWh)", "demand": "최대수요 (kW)", "demand_p10": "최대수요 10 % (kW)",
        "demand_p90": "최대수요 90 % (kW)", "contract": "계약전력 (kW)", "chance": "계약전력 초과 가능성 (%)",
        "cost": "예상 요금", "carbon": "온실가스 (tCO2e)", "model": "모델", "origin": "이 시각까지의 실적으로 예측",
        "horizon": "채점하는 기간 (분)", "date": "날짜", "rank": "순위", "hours": "시간 (h)", "energy": "사용량 (kWh)",
        "kw": "일 최대 (kW)", "reason": "이유", "sensor": "센서", "machine": "설비", "share": "비중 (%)",
        "peak_share": "최대수요 비중 (%)", "hour": "시각 (현지)", "whole": "공장 (kWh)", "kind": "구분",
        "is_measured": "실적", "is_forecast": "예측", "chart": "일별 사용량 (kWh)",
    },
    "en": {
        "factory": "Factory", "month": "Month", "simulated": "Simulated data", "yes": "yes", "no": "no",
        "kwh": "Energy of the month (kWh)", "p10": "10 % (kWh)", "p90": "90 % (kWh)", "days": "Days covered",
        "measured": "of it measured (kWh)", "demand": "Maximum demand (kW)", "demand_p10": "Maximum demand 10 % (kW)",
        "demand_p90": "Maximum demand 90 % (kW)", "contract": "Contract power (kW)",
        "chance": "Chance of exceeding contract power (%)", "cost": "Expected cost", "carbon": "Emission (tCO2e)",
        "model": "Model", "origin": "Forecast from what was measured before", "horizon": "Scored horizon (minutes)",
        "date": "Date", "rank": "Rank", "hours": "Hours (h)", "energy": "Energy (kWh)", "kw": "Day's highest (kW)",
        "reason": "Reason", "sensor": "Sensor", "machine": "Equipment", "share": "Share (%)",
        "peak_share": "Share of the peak (%)", "hour": "Hour (local)", "whole": "Factory (kWh)", "kind": "Kind",
        "is_measured": "measured", "is_forecast": "forecast", "chart": "Energy by day (kWh)",
    },
}  # fmt: skip


def workbook(content: Content, language: Language) -> bytes:
    """Return an .xlsx file of the calendar month; times are local, since Excel knows no zones."""
    makers: tuple[Callable[[Content, Language], pd.DataFrame], ...] = (_summary, _days, _equipment, _hours)
    sink = io.BytesIO()
    with pd.ExcelWriter(sink, engine="openpyxl") as writer:
        for name, make in zip(_SHEETS[language], makers, strict=True):
            make(content, language).to_excel(
                writer, sheet_name=name, index=False, header=make is not _summary
            )
            _format(writer.sheets[name])
        _add_chart(writer.sheets, content, language)
    return sink.getvalue()


def _format(sheet: Any) -> None:
    """Widths by what stands in a column; numbers as people read them; what begins with "=" stays text."""
    if sheet.title not in {names[0] for names in _SHEETS.values()}:
        sheet.freeze_panes = "B2"
        sheet.auto_filter.ref = sheet.dimensions
    for column in sheet.columns:
        longest = max(len(str(cell.value)) if cell.value is not None else 0 for cell in column[:40])
        sheet.column_dimensions[column[0].column_letter].width = min(60, max(12, longest + 4))
        for cell in column:
            if isinstance(cell.value, float):
                cell.number_format = "#,##0.0"
            elif cell.data_type == "f":  # a name that begins with "=" is text: nothing here is a formula
                cell.data_type = "s"
                cell.quotePrefix = True


def _add_chart(sheets: Any, content: Content, language: Language) -> None:
    """Draw the days' energy on the first sheet, from the cells of the second."""
    from openpyxl.chart import BarChart, Reference

    summary, days, _, _ = _SHEETS[language]
    rows = len(content.summary.days) + 1
    chart = BarChart()
    chart.title = _HEADINGS[language]["chart"]
    chart.legend = None
    chart.height, chart.width = 9, 24
    chart.add_data(Reference(sheets[days], min_col=5, min_row=1, max_row=rows), titles_from_data=True)
    chart.set_categories(Reference(sheets[days], min_col=1, min_row=2, max_row=rows))
    chart.x_axis.number_format, chart.x_axis.delete, chart.y_axis.delete = "mm-dd", False, False
    sheets[summary].add_chart(chart, "D2")


def _summary(content: Content, language: Language) -> pd.DataFrame:
    s, h = content.summary, _HEADINGS[language]
    name = content.factory.name_ko if language == "ko" else content.factory.name
    days = f"{s.calendar.whole_days} / {s.calendar.days}"
    baseline = TEXT[language][s.model.name] if s.model.fallback else f"{s.model.name} v{s.model.version}"
    rows: list[tuple[str, object]] = [
        (h["factory"], f"{name} ({s.factory_id})"),
        (h["month"], s.month),
        (h["simulated"], h["yes"] if s.simulated else h["no"]),
        (h["kwh"], s.kwh),
        (h["p10"], s.kwh_p10),
        (h["p90"], s.kwh_p90),
        (h["days"], days),
        (h["measured"], s.calendar.measured_kwh),
    ]
    if s.demand is not None:
        rows += [
            (h["demand"], s.demand.kw),
            (h["demand_p10"], s.demand.kw_p10),
            (h["demand_p90"], s.demand.kw_p90),
            (h["contract"], s.demand.contract_kw),
        ]
        if s.demand.chance_over_contract is not None:
            rows.append((h["chance"], 100 * s.demand.chance_over_contract))
    if s.cost is not None:
        rows.append((f"{h['cost']} ({s.cost.currency})", s.cost.total))
    if s.carbon is not None:
        rows.append((h["carbon"], s.carbon.tco2e))
    rows += [
        (h["model"], baseline),
        (h["origin"], f"{s.origin:%Y-%m-%d %H:%M}"),
        (h["horizon"], s.horizon_minutes),
    ]
    return pd.DataFrame(rows)


def _days(content: Content, language: Language) -> pd.DataFrame:
    h = _HEADINGS[language]
    days = pd.DataFrame([day.model_dump() for day in content.summary.days])
    kinds = days["measured"].map({True: h["is_measured"], False: h["is_forecast"]})
    return pd.DataFrame(
        {
            h["date"]: pd.to_datetime(days["date"]).dt.date,
            h["rank"]: days["rank"].where(days["rank"] > 0),
            h["kind"]: kinds,
            h["hours"]: days["hours"],
            h["energy"]: days["kwh"],
            h["p10"]: days["kwh_p10"],
            h["p90"]: days["kwh_p90"],
            h["kw"]: days["kw"],
            h["reason"]: days[f"reason_{language}"],
        }
    )


def _equipment(content: Content, language: Language) -> pd.DataFrame:
    h = _HEADINGS[language]
    machines = pd.DataFrame([machine.model_dump() for machine in content.summary.top_equipment])
    return pd.DataFrame(
        {
            h["sensor"]: machines["sensor_id"],
            h["machine"]: machines["sensor_id"].map(content.machines(language)),
            h["energy"]: machines["kwh"],
            h["share"]: machines["share_pct"],
            h["peak_share"]: machines["peak_share_pct"],
        }
    )


def _hours(content: Content, language: Language) -> pd.DataFrame:
    """The factory's hours with their quantiles, then each machine's."""
    h = _HEADINGS[language]
    factory, equipment = content.forecast.factory["hour"], content.forecast.equipment["hour"]
    table = pd.DataFrame({h["hour"]: factory["timestamp"].dt.tz_localize(None)})
    for column, heading in (("used_kwh", h["whole"]), ("used_kwh_p10", h["p10"]), ("used_kwh_p90", h["p90"])):
        table[heading] = factory[column].to_numpy()
    names = content.machines(language)
    for sensor, rows in equipment.groupby("sensor_id", sort=False):
        table[f"{names.get(str(sensor), sensor)} {sensor} (kWh)"] = rows["used_kwh"].to_numpy()
    return table
