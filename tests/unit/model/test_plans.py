"""What a plant knows of its future: plans move the forecast by what past ones were worth, from when they were known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fems.errors import DataError
from fems.model import bundle
from fems.model.bundle import Bundle
from fems.model.history import History
from fems.model.month_ahead.model import MonthAheadModel
from fems.model.month_ahead.train import train_month_ahead
from fems.model.plan_effects import fit_effects
from fems.model.plans import Plan

ZONE = "Asia/Seoul"
MACHINES = ("press", "oven")
START, DAYS = pd.Timestamp("2025-02-03", tz=ZONE), 150
ORIGIN = START + pd.Timedelta(days=DAYS)
FOLLOWS, STANDBY = 0.7, 3.0


def row(
    sensor: str, kind: str, day: int, days: float = 1, value: float | None = None, known: int = -7
) -> dict[str, object]:
    begin = START + pd.Timedelta(days=day)
    return {
        "sensor_id": sensor,
        "kind": kind,
        "start": begin,
        "end": begin + pd.Timedelta(days=days),
        "value": value,
        "known_at": START + pd.Timedelta(days=day + known),
    }


def past_plan() -> pd.DataFrame:
    """Production of the press, another each day; a stop of the press every third week, of the oven too, seldom kept."""
    random = np.random.default_rng(4)
    rows = [
        row("press", "production", d, value=float(random.uniform(0.7, 1.3)), known=-30) for d in range(DAYS)
    ]
    rows += [row(sensor, "stop", d) for d in range(15, DAYS, 21) for sensor in MACHINES]
    return pd.DataFrame(rows)


def measured(plan: Plan) -> History:
    """The press follows its plans, the oven keeps one of seven stops and makes what it makes."""
    hours = pd.date_range(START, periods=24 * DAYS, freq="h")
    random = np.random.default_rng(5)
    working = np.where((hours.hour >= 6) & (hours.hour < 22), 40.0, 8.0) * np.where(
        hours.day_of_week < 6, 1, 0.5
    )
    planned = plan.of_hours(hours, MACHINES)
    press = np.where(planned.stopped[:, 0] == 1, STANDBY, working * planned.production[:, 0] ** FOLLOWS)
    kept = (planned.stopped[:, 1] == 1) & (np.arange(len(hours)) < 24 * 30)
    oven = np.where(kept, STANDBY, working)
    used = np.stack([press, oven], axis=1) * random.normal(1, 0.03, (len(hours), 2))
    return History(hours, used, MACHINES, pd.DataFrame({"used_kwh": used.sum(axis=1)}, index=hours))


@pytest.fixture(scope="module")
def plan() -> Plan:
    return Plan.from_table(past_plan(), MACHINES)


@pytest.fixture(scope="module")
def history(plan: Plan) -> History:
    return measured(plan)


@pytest.fixture(scope="module")
def model(history: History, plan: Plan) -> MonthAheadModel:
    return train_month_ahead(history, plan=plan)


def with_future(*rows: dict[str, object]) -> Plan:
    return Plan.from_table(pd.concat([past_plan(), pd.DataFrame(rows)], ignore_index=True), MACHINES)


def test_planted_effects_are_learnt(history: History, plan: Plan) -> None:
    effects = fit_effects(history, plan)
    assert effects.production[0] == pytest.approx(FOLLOWS, abs=0.08) and effects.production[1] == 0
    assert effects.kept.tolist() == [True, False]
    assert effects.standby[0] == pytest.approx(STANDBY, rel=0.05)
    press, oven = effects.describe(MACHINES)
    assert press.startswith("press: planned production +10 %: +6.") and press.endswith(" % energy")
    assert oven == "oven: planned stops are mostly not kept, and count for nothing"
    assert not fit_effects(history, Plan()).production.any()


def test_a_plan_moves_the_machine_that_it_is_of_by_what_it_is_worth(
    history: History, model: MonthAheadModel
) -> None:
    usual = with_future(row("press", "production", DAYS, 30, 1.0))
    more = with_future(row("press", "production", DAYS, 30, 1.12))
    one, two = (model.predict(history, ORIGIN, 705, plan) for plan in (usual, more))
    np.testing.assert_allclose(two["press"] / one["press"], 1.12 ** model.effects.production[0])
    pd.testing.assert_series_equal(one["oven"], two["oven"])
    assert one["press"].mean() == pytest.approx(
        one["oven"].mean(), rel=0.05
    )  # the usual production, not the past's


def test_a_planned_stop_is_forecast_at_standby_and_past_ones_move_no_level(
    history: History, plan: Plan, model: MonthAheadModel
) -> None:
    stop = with_future(
        row("press", "stop", DAYS + 8, 1.5, known=-20), row("oven", "stop", DAYS + 8, 1.5, known=-20)
    )
    kwh, without = model.predict(history, ORIGIN, 705, stop), model.predict(history, ORIGIN, 705, plan)
    stopped = slice(ORIGIN + pd.Timedelta(days=8), ORIGIN + pd.Timedelta(days=9.49))
    assert (kwh["press"][stopped] == model.effects.standby[0]).all() and len(kwh[stopped]) == 36
    pd.testing.assert_series_equal(kwh["oven"], without["oven"])  # whose stops are not kept
    rest = kwh.drop(kwh[stopped].index).index
    pd.testing.assert_series_equal(kwh["press"][rest], without["press"][rest])
    total = model.predict_bands(history, ORIGIN, 705, stop).hour[""]["p50_kwh"]
    pd.testing.assert_series_equal(total, kwh.sum(axis=1), check_names=False, check_freq=False)


def test_a_plan_that_is_known_too_late_moves_nothing(
    history: History, plan: Plan, model: MonthAheadModel
) -> None:
    rows = [row("press", "stop", DAYS + 8, known=-20), row("press", "production", DAYS, 30, 1.3)]
    for late in rows:
        late["known_at"] = ORIGIN + pd.Timedelta(minutes=1)
    before = model.predict(history, ORIGIN, 705, plan)
    pd.testing.assert_frame_equal(
        model.predict(history, ORIGIN, 705, with_future(*rows)), before, check_exact=True
    )
    in_time = [{**late, "known_at": ORIGIN} for late in rows]
    assert not model.predict(history, ORIGIN, 705, with_future(*in_time)).equals(before)
    # Nor is anything learnt from what was written down afterwards.
    afterwards = Plan.from_table(past_plan().assign(known_at=ORIGIN - pd.Timedelta(hours=1)), MACHINES)
    effects = fit_effects(history, afterwards)
    assert not effects.production.any() and effects.kept.all()


def test_a_later_plan_replaces_an_earlier_one() -> None:
    revised = Plan.from_table(
        pd.DataFrame(
            [
                row("press", "production", 10, 3, 0.8, known=-2),
                row("press", "production", 10, 5, 1.2, known=-7),
            ]
        ),
        MACHINES,
    )
    hours = pd.date_range(START + pd.Timedelta(days=10), periods=5 * 24, freq="h")
    assert revised.of_hours(hours, MACHINES).production[::24, 0].tolist() == [0.8, 0.8, 0.8, 1.2, 1.2]
    early = revised.known_at(START + pd.Timedelta(days=5))
    assert set(early.of_hours(hours, MACHINES).production[:, 0]) == {1.2}
    half = Plan.from_table(
        pd.DataFrame(
            [{**row("press", "stop", 10), "end": START + pd.Timedelta(days=10, hours=1, minutes=15)}]
        ),
        MACHINES,
    )
    assert half.of_hours(hours, MACHINES).stopped[:3, 0].tolist() == [1.0, 0.25, 0.0]


def test_without_plans_nothing_is_other_than_before(history: History) -> None:
    short = replace(
        history, hours=history.hours[:1200], used_kwh=history.used_kwh[:1200], inputs=history.inputs[:1200]
    )
    one, two = (train_month_ahead(short, plan=plan) for plan in (None, Plan()))
    pd.testing.assert_frame_equal(
        one.predict(short, short.end, 100), two.predict(short, short.end, 100, Plan()), check_exact=True
    )


def test_learnt_effects_survive_a_save(history: History, model: MonthAheadModel, tmp_path: Path) -> None:
    bundle.save(Bundle("P", model, None, "KR", True), tmp_path)
    read = bundle.load(tmp_path, one_step=False).month_ahead
    stop = with_future(row("press", "stop", DAYS + 8, known=-20))
    pd.testing.assert_frame_equal(
        read.predict(history, ORIGIN, 300, stop), model.predict(history, ORIGIN, 300, stop), check_exact=True
    )


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ({"sensor_id": "lathe"}, "row 2: machine 'lathe' is not known .*press, oven"),
        ({"kind": "party"}, "row 2: kind 'party' is none of stop, production, shift, temperature"),
        ({"end": START}, "row 2: it ends at .* not after its start"),
        ({"start": pd.Timestamp("2025-03-01")}, "row 2: start .* no time zone"),
        ({"start": "yesterday"}, "row 2: start 'yesterday' cannot be read"),
        ({"value": -0.5}, "row 2: value -0.5"),
        ({"value": "much"}, "row 2: value 'much' is no number"),
        ({"start": START + pd.Timedelta(days=12)}, "production of press has a gap from .* to "),
        ({"known_at": None}, "row 2: known_at is missing"),
    ],
)
def test_a_plan_that_cannot_be_is_one_clear_line(spoil: dict[str, object], says: str) -> None:
    rows = [
        row("press", "production", 10, value=1.1),
        {**row("press", "production", 11, 3, value=0.9), **spoil},
    ]
    rows = [{**each, "known_at": spoil.get("known_at", START) if i else START} for i, each in enumerate(rows)]
    with pytest.raises(DataError, match=says) as raised:
        Plan.from_table(pd.DataFrame(rows, dtype=object), MACHINES)
    assert "\n" not in str(raised.value)
    with pytest.raises(DataError, match="it lacks end, start"):
        Plan.from_table(pd.DataFrame({"sensor_id": ["press"], "kind": ["stop"]}), MACHINES)
