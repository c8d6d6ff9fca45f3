"""Plans from the feeds into the model: a simulated plant that plans, keeps most of it, and is forecast by it."""

from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fems.cli.main import app
from fems.contracts.forecast import HeldOut
from fems.errors import DataError
from fems.flows import plan_trial
from fems.flows.plans import known_plan
from fems.flows.platform import Platform
from fems.lake import keys
from fems.lake.lake import Lake
from fems.lake.store import FolderStore
from fems.model.history import History
from fems.model.month_ahead.model import MonthAheadModel
from fems.model.month_ahead.train import train_month_ahead
from fems.model.plan_effects import Effects, fit_effects
from fems.model.plans import Plan
from fems.registry.plant import Plant, load_plant
from fems.settings import Settings, settings
from fems.simulate import plans as simulated
from fems.simulate.calendar import Grid
from fems.simulate.truth import month_truth, months_of

ZONE, SEED, START, MONTHS = "Asia/Seoul", 3, date(2024, 5, 1), 11
SENSORS = ("F-M1", "F-M2", "F-M3")


def plant() -> Plant:
    shipped = load_plant(settings().factories_file)
    machines = {"E1": "press", "E2": "chiller", "E3": "pump"}
    feeds = {"meter": "1h", "production_plan": "1d", "planned_stop": "1h", "weather_forecast": "1h"}
    factory = {
        "name": "F",
        "name_ko": "F",
        "tariff": next(iter(shipped.tariffs)),
        "grain": feeds,
        "mapping": dict.fromkeys(feeds, "csv"),
        "equipment": {
            key: {"name": kind, "kind": kind, "sensor": f"F-M{i}", "rated_kw": 200}
            for i, (key, kind) in enumerate(machines.items(), start=1)
        },
        "sensors": {
            "production_plan": {"F-L1": {"name": "Line", "equipment": "E1"}},
            "planned_stop": {f"F-S{key[1]}": {"name": "stops", "equipment": key} for key in machines},
            "weather_forecast": {"F-W": {"name": "Station"}},
        },
    }
    return Plant.model_validate(
        {
            "mappings": {"csv": {"time_format": "%Y-%m-%d %H:%M:%S"}},
            "tariffs": {name: t.model_dump() for name, t in shipped.tariffs.items()},
            "grid_emission": {k: [e.model_dump() for e in v] for k, v in shipped.grid_emission.items()},
            "factories": {"F": factory},
        }
    )


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A lake with the plans' files alone."""
    folder = tmp_path_factory.mktemp("lake")
    made = Platform(Lake(FolderStore(folder)), plant(), Settings(config_dir=settings().config_dir))
    end, _ = months_of(START, MONTHS)
    for feed in simulated.PLAN_FEEDS:
        for day, data in simulated.plan_files(made.plant, "F", feed, SEED, START, end):
            made.lake.store.put(keys.raw_key(feed, "F", day, f"{feed}.csv"), data)
    return made


@pytest.fixture(scope="module")
def history() -> History:
    end, months = months_of(START, MONTHS)
    parts = []
    for first, after in zip(months, [*months[1:], end], strict=True):
        grid = Grid(ZONE, first, (after - first).days)
        truth = month_truth("F", plant().factory("F"), "meter", grid, grain=60, seed=SEED)
        parts.append(pd.DataFrame(truth.values[:, :, 0], index=truth.starts))
    used = pd.concat(parts)
    hours = pd.DatetimeIndex(used.index, name="timestamp")
    inputs = pd.DataFrame({"used_kwh": used.sum(axis=1)})
    return History(hours, used.to_numpy(), SENSORS, inputs, shifts="two_shift")


@pytest.fixture(scope="module")
def plan(platform: Platform) -> Plan:
    return known_plan(platform, "F").plan


@pytest.fixture(scope="module")
def effects(history: History, plan: Plan) -> Effects:
    return fit_effects(history, plan)


def test_what_the_simulator_plans_is_learnt(effects: Effects) -> None:
    assert effects.production[0] == pytest.approx(simulated.FOLLOWS, abs=0.25)
    assert not effects.production[1:].any()  # of which no production is planned
    assert effects.cooling[1] > 0.005 and effects.cooling[0] < 0.004  # a chiller, a press
    keeps = [np.mean([s.kept for s in simulated.stops(SEED, ("F", key))]) > 0.5 for key in ("E1", "E2", "E3")]
    assert effects.kept.astype(bool).tolist() == keeps


def test_of_every_plan_it_is_known_when_it_was_known(plan: Plan) -> None:
    assert {entry.kind for entry in plan.entries} >= {"production", "stop", "temperature"}
    for entry in plan.entries:
        assert entry.known_at == entry.known_at.normalize()
        assert entry.kind == "shift" or entry.start >= entry.known_at


def test_a_plan_that_comes_later_moves_no_earlier_forecast(platform: Platform, plan: Plan) -> None:
    origin = pd.Timestamp("2025-02-01", tz=ZONE)
    before = known_plan(platform, "F")
    late = keys.raw_key("production_plan", "F", date(2025, 2, 1), "late.csv")
    rows = "".join(f"\n2025-02-{day:02d} 00:00:00,F,F-L1,9999" for day in range(2, 25))
    platform.lake.store.put(late, ("timestamp,factory_id,sensor_id,planned_qty" + rows + "\n").encode())
    try:
        after = known_plan(platform, "F")
        assert after.plan.known_at(origin) == before.plan.known_at(origin)
        assert after.fingerprint(origin) == before.fingerprint(origin) != ""
        next_day = origin + pd.Timedelta(days=1)
        assert after.plan.known_at(next_day) != before.plan.known_at(next_day)
        assert after.fingerprint(next_day) != before.fingerprint(next_day)
    finally:
        (platform.lake.store.root / late).unlink()  # type: ignore[attr-defined]


def test_a_stop_that_is_called_off_is_none(platform: Platform) -> None:
    meter = "F-M3"
    at = pd.Timestamp("2025-05-06 08:00", tz=ZONE)
    head = "timestamp,factory_id,sensor_id,stop_min"
    written = []
    for day, minutes in ((date(2025, 4, 1), 60), (date(2025, 4, 10), 0)):
        written.append(keys.raw_key("planned_stop", "F", day, "more.csv"))
        rows = "".join(f"\n2025-05-06 {hour:02d}:00:00,F,F-S3,{minutes}" for hour in range(8, 12))
        platform.lake.store.put(written[-1], (head + rows + "\n").encode())
    try:
        plan = known_plan(platform, "F").plan
        hours = pd.date_range(at, periods=4, freq="h")
        decided = pd.Timestamp("2025-04-05", tz=ZONE)
        assert plan.known_at(decided).of_hours(hours, [meter]).stopped[:, 0].tolist() == [1.0] * 4
        assert not plan.of_hours(hours, [meter]).stopped.any()
    finally:
        for key in written:
            (platform.lake.store.root / key).unlink()  # type: ignore[attr-defined]


def test_plans_make_the_month_more_accurate(history: History, plan: Plan) -> None:
    """On the last month of the plant, each forecast by what was known at its origin alone."""
    origin = history.end - pd.Timedelta(hours=705)
    before = history.until(origin)
    truth = history.used_kwh[-705:]
    errors = {}
    for name, known in (("without", Plan()), ("with", plan)):
        model = train_month_ahead(before, plan=known.known_at(origin))
        kwh = model.predict(before, origin, 705, known).to_numpy()
        errors[name] = np.sqrt(np.mean((kwh - truth) ** 2, axis=0))
    assert errors["with"][0] < 0.97 * errors["without"][0]  # the press, whose production is planned
    assert errors["with"].sum() < errors["without"].sum()


@pytest.fixture(scope="module")
def champion(history: History, plan: Plan) -> MonthAheadModel:
    return train_month_ahead(history, plan=plan.known_at(history.end))


@pytest.fixture
def trying(
    platform: Platform, history: History, champion: MonthAheadModel, monkeypatch: pytest.MonkeyPatch
) -> Platform:
    """The platform with a champion that was not registered, and hours that were not published."""
    held = HeldOut(accuracy=90, weekly_naive=80, profile=85, total_error_pct=1, coverage_80=0.8)
    loaded = SimpleNamespace(
        tags={"trained_until": history.end.isoformat()},
        version="1",
        bundle=SimpleNamespace(month_ahead=champion),
        notice=None,
    )
    tracking = SimpleNamespace(
        load_champion=lambda factory_id: loaded,
        model_name=lambda factory_id: f"fems-{factory_id}",
        champion_metrics=lambda factory_id: ("run", {}),
    )
    native = pd.DataFrame(
        history.used_kwh[-24 * 120 :], index=history.hours[-24 * 120 :], columns=list(SENSORS)
    )
    native = native.melt(var_name="sensor_id", value_name="used_kwh", ignore_index=False).reset_index()
    monkeypatch.setitem(platform.__dict__, "tracking", tracking)
    monkeypatch.setattr(plan_trial, "published_hours", lambda *args: None)
    monkeypatch.setattr(plan_trial, "as_history", lambda *args: history)
    monkeypatch.setattr(plan_trial, "native_before", lambda *args: native)
    assert held.accuracy == 90
    return platform


def test_two_plans_are_compared_and_nothing_is_written(
    trying: Platform, history: History, tmp_path: Path
) -> None:
    first = history.end
    more, stop = tmp_path / "more.csv", tmp_path / "stop.csv"
    month_end = (first + pd.DateOffset(months=1)).strftime("%Y-%m-%d")
    more.write_text(f"sensor_id,kind,start,end,value\nE1,production,{first:%Y-%m-%d},{month_end},1.4\n")
    begin = first + pd.Timedelta(days=6)
    stop.write_text(
        f"sensor_id,kind,start,end\nF-M1,stop,{begin:%Y-%m-%d},{begin + timedelta(days=5):%Y-%m-%d}\n"
    )
    stored = sorted(trying.lake.store.root.rglob("*"))
    known, with_more, with_stop = plan_trial.try_plans(trying, "F", {"more": more, "stop": stop})
    assert (known.name, with_more.name, with_stop.name) == ("as known", "more", "stop")
    assert with_stop.kwh < known.kwh < with_more.kwh
    assert with_stop.cost < known.cost < with_more.cost and known.currency == "KRW"
    assert with_stop.tco2e < known.tco2e < with_more.tco2e
    assert with_more.peak_kw > known.peak_kw
    assert any(line.startswith("press: planned production +40 %: +") for line in with_more.effects)
    assert any(line.startswith("press: planned stops of ") for line in with_stop.effects)
    assert sorted(trying.lake.store.root.rglob("*")) == stored


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("E9,stop,{0},{1},", "row 1: machine 'E9' is not known"),
        ("E1,stop,{1},{0},", "row 1: it ends at .* not after its start"),
        ("E1,production,{0},{1},1.1\nE1,production,{2},{3},1.1", "production of F-M1 has a gap from"),
        ("E1,stop,2020-01-01,2020-01-02,", "row 1: .* is not forecast"),
        ("E1,stop,soon,{1},", "row 1: start 'soon' cannot be read"),
        ("E1,production,{0},{1},", "row 1: value nan"),
        ("", "has no rows"),
    ],
)
def test_a_plan_file_that_cannot_be_is_one_clear_line(
    platform: Platform, tmp_path: Path, rows: str, says: str
) -> None:
    origin = pd.Timestamp("2025-04-01", tz=ZONE)
    days = [f"{origin + timedelta(days=n):%Y-%m-%d}" for n in range(1, 5)]
    path = tmp_path / "plan.csv"
    path.write_text("sensor_id,kind,start,end,value\n" + rows.format(*days))
    with pytest.raises(DataError, match=says) as raised:
        plan_trial.read_plan(path, platform.plant.factory("F"), origin, origin + timedelta(days=30))
    assert "\n" not in str(raised.value) and str(path) in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["F", "--plan", "plan.csv"], "add --dry-run"),
        (["F", "--dry-run"], "name a plan to try with --plan"),
        (["--plan", "plan.csv", "--dry-run"], "name the one factory"),
    ],
)
def test_a_plan_is_tried_and_never_published(arguments: list[str], says: str) -> None:
    result = CliRunner().invoke(app, ["forecast", *arguments], env={"COLUMNS": "200"})
    assert result.exit_code != 0
    assert says in str(result.exception or "") + result.output
