"""What planned stops, production, shifts and the weather make of a forecast: by machine, in figures and in words."""

from collections.abc import Iterator
from typing import get_args

import numpy as np
import pandas as pd

from fems.contracts.forecast import PlanEffect
from fems.forecast.reasons import Language
from fems.model.plan_effects import Effects
from fems.model.plans import Kind, Plan, PlannedHours

_WORDS: dict[Language, dict[str, str]] = {
    "ko": {
        "production": "{machine}: 계획 생산량 {planned:+.0f} %: 사용량 {energy:+.1f} %",
        "stop": "{machine}: 계획 정지 {planned:.0f}시간: {kwh:+,.0f} kWh",
        "not_kept": "{machine}: 계획 정지 {planned:.0f}시간은 반영하지 않음(과거에 대부분 지켜지지 않음)",
        "shift": "{machine}: 추가 근무 {planned:.0f}시간: {kwh:+,.0f} kWh",
        "temperature": "{machine}: 예상 기온 평균 {planned:.0f} °C: 사용량 {energy:+.1f} %",
    },
    "en": {
        "production": "{machine}: planned production {planned:+.0f} %: {energy:+.1f} % energy",
        "stop": "{machine}: planned stops of {planned:.0f} hours: {kwh:+,.0f} kWh",
        "not_kept": "{machine}: planned stops of {planned:.0f} hours are not counted: past ones were mostly not kept",
        "shift": "{machine}: extra shifts of {planned:.0f} hours: {kwh:+,.0f} kWh",
        "temperature": "{machine}: forecast weather of {planned:.0f} °C in the mean: {energy:+.1f} % energy",
    },
}


def plan_effects(
    usual: pd.DataFrame,
    effects: Effects,
    plan: Plan,
    names: dict[Language, dict[str, str]],
) -> tuple[PlanEffect, ...]:
    """Return what a plan makes of a forecast, a row a machine and kind of plan that says something of its hours.

    Args:
        usual: (T, E) kWh by hour and machine, as if nothing were planned.
        effects: what plans are worth.
        plan: what was known at the origin.
        names: by language, sensor -> the machine's name.
    """
    hours = pd.DatetimeIndex(usual.index)
    columns = [str(name) for name in usual.columns]
    planned = plan.of_hours(hours, columns)
    out = []
    for kind in get_args(Kind):
        moved = effects.apply(usual, plan.only(kind))
        for e, sensor in enumerate(columns):
            for rows, amount in _amounts(kind, planned, e):
                before = float(usual.iloc[rows, e].sum())
                change = float((moved.iloc[:, e] - usual.iloc[:, e])[rows].sum())
                kept = kind != "stop" or bool(effects.kept[e])
                energy_pct = 100 * change / before if before else 0.0
                if kind == "temperature" and abs(energy_pct) < 0.05:
                    continue
                words = {
                    language: _WORDS[language][kind if kept else "not_kept"].format(
                        machine=names[language].get(sensor, sensor),
                        planned=amount,
                        energy=energy_pct,
                        kwh=change,
                    )
                    for language in _WORDS
                }
                out.append(
                    PlanEffect(
                        sensor_id=sensor,
                        kind=kind,
                        planned=amount,
                        energy_pct=energy_pct,
                        kwh=change,
                        kept=kept,
                        reason_ko=words["ko"],
                        reason_en=words["en"],
                    )
                )
    return tuple(sorted(out, key=lambda effect: -abs(effect.kwh)))


def _amounts(kind: Kind, planned: PlannedHours, e: int) -> Iterator[tuple[np.ndarray, float]]:
    """Yield the hours that a kind of plan is of, and how much is planned in them; nothing where there are none."""
    if kind == "temperature":
        rows = np.isfinite(planned.temperature)
    else:
        rows = {
            "stop": planned.stopped[:, e] > 0,
            "shift": planned.shift[:, e],
            "production": planned.planned[:, e],
        }[kind]
    if not rows.any():
        return
    if kind == "production":
        yield rows, 100 * (float(planned.production[rows, e].mean()) - 1)
    elif kind == "temperature":
        yield rows, float(planned.temperature[rows].mean())
    else:
        yield rows, float(planned.stopped[:, e].sum() if kind == "stop" else rows.sum())
