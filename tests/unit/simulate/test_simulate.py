"""The simulator: a seed gives the same bytes, physics agree, and the faults on record are in the files."""

import csv
import io
from datetime import UTC, date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fems import steam
from fems.calendar import holiday_dates
from fems.errors import ConfigError
from fems.registry.factory import Factory
from fems.registry.plant import Plant, load_plant
from fems.settings import Settings
from fems.simulate import FAULT_KINDS, FaultRates, SimulationReport, simulate
from fems.simulate.calendar import Grid
from fems.simulate.streams import EPOCH
from fems.simulate.trap_causes import TrapRates, faults
from fems.simulate.truth import month_truth, months_of

NONE = FaultRates.none()
MANY = FaultRates(
    wrong_type=0.01,
    missing_row=0.01,
    spike=0.01,
    stuck=0.02,
    repeated_row=0.01,
    conflicting_row=0.005,
    bad_time=0.005,
    late_file=0.3,
)


@pytest.fixture(scope="module")
def plant() -> Plant:
    """The registry's plant; one factory of minutes is enough, the other one is here at five minutes."""
    return load_plant(Settings().factories_file).with_grains({"2120": "5min"})


def run(plant: Plant, out: Path, *factories: str, start: date = date(2025, 1, 1), **more) -> SimulationReport:
    arguments = {"months": 1, "seed": 7, "workers": 1} | more
    return simulate(plant, out, start=start, factories=factories, **arguments)


def tree(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }


def truth_of(out: Path, factory: str, feed: str = "meter") -> pd.DataFrame:
    files = sorted((out / "truth" / feed / f"factory={factory}").glob("*.parquet"))
    return pd.concat([pd.read_parquet(path, partitioning=None) for path in files], ignore_index=True)


def faults_of(out: Path, factory: str, feed: str = "meter") -> pd.DataFrame:
    return truth_of(out, factory, f"faults/{feed}")


def raw_of(out: Path, factory: str, feed: str = "meter", encoding: str = "utf-8") -> pd.DataFrame:
    files = sorted((out / "raw" / feed / f"factory={factory}").rglob("*.csv"))
    return pd.concat([pd.read_csv(path, encoding=encoding) for path in files], ignore_index=True)


@pytest.fixture(scope="module")
def clean(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month that holds the lunar new year, without faults, of four kinds of factory."""
    out = tmp_path_factory.mktemp("clean")
    run(plant, out, "1100", "1120", "2120", "2140", faults=NONE)
    return out


@pytest.fixture(scope="module")
def broken(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("broken")
    run(plant.with_grains({"1100": "5min"}), out, "1100", "1120", faults=MANY)
    return out


# -- the same again --------------------------------------------------------------------------------


def test_same_seed_same_bytes_on_any_number_of_workers(plant: Plant, tmp_path: Path) -> None:
    asked = {"start": date(2025, 2, 1), "faults": MANY}
    run(plant, tmp_path / "a", "2160", "1120", **asked)
    run(plant, tmp_path / "b", "1120", "2160", **asked, workers=2)
    first = tree(tmp_path / "a")
    assert first == tree(tmp_path / "b")
    run(plant, tmp_path / "a", "2160", "1120", **asked)
    assert tree(tmp_path / "a") == first


def test_another_seed_replaces_the_files_whole(plant: Plant, tmp_path: Path) -> None:
    run(plant, tmp_path / "a", "2160", faults=MANY)
    before = tree(tmp_path / "a")
    run(plant, tmp_path / "a", "2160", faults=MANY, seed=8)
    run(plant, tmp_path / "b", "2160", faults=MANY, seed=8)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert tree(tmp_path / "a") != before


def test_a_month_does_not_depend_on_what_else_was_asked_for(plant: Plant, tmp_path: Path) -> None:
    run(plant, tmp_path / "long", "2100", "2160", months=2)
    run(plant, tmp_path / "short", "2160")
    run(plant, tmp_path / "later", "2160", start=date(2025, 2, 1))
    long, short, later = (tree(tmp_path / name) for name in ("long", "short", "later"))
    assert {key: long[key] for key in short} == short
    assert {key: long[key] for key in later} == later


def test_a_run_may_begin_on_any_day(plant: Plant, tmp_path: Path) -> None:
    report = run(plant, tmp_path / "part", "2160", start=date(2025, 1, 31), months=1)
    run(plant, tmp_path / "whole", "2160", months=2)
    part, whole = tree(tmp_path / "part"), tree(tmp_path / "whole")
    raw = {key: data for key, data in part.items() if key.startswith("raw/meter")}
    assert report.factories["2160"].files >= len(raw) >= 28
    assert all(whole[key] == data for key, data in raw.items())
    days = truth_of(tmp_path / "part", "2160").timestamp.dt.date
    assert (days.min(), days.max()) == (date(2025, 1, 31), date(2025, 2, 27))


def test_months_end_on_the_same_day_of_the_month() -> None:
    assert months_of(date(2025, 1, 31), 1) == (date(2025, 2, 28), [date(2025, 1, 1), date(2025, 2, 1)])
    assert months_of(date(2025, 11, 1), 3)[0] == date(2026, 2, 1)
    assert len(months_of(date(2025, 1, 1), 14)[1]) == 14


def test_a_coarser_grain_shows_the_same_month(plant: Plant) -> None:
    factory = plant.factory("2160")
    grid = Grid(factory.timezone, date(2025, 4, 1), 30)
    fine, coarse = (month_truth("2160", factory, "meter", grid, grain=g, seed=3).values for g in (1, 15))
    np.testing.assert_allclose(fine[:, :, 0].reshape(-1, 15, 5).sum(axis=1), coarse[:, :, 0], rtol=1e-9)


# -- a plant ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("factory", ["1100", "1120", "2120", "2140"])
def test_physics_agree(plant: Plant, clean: Path, factory: str) -> None:
    truth = truth_of(clean, factory)
    hours = plant.grain_minutes(factory, "meter") / 60
    rated = truth.sensor_id.map({s.sensor_id: s.rated_kw for s in plant.sensors(factory, "meter")}).astype(
        float
    )
    assert (truth.used_kwh > 0).all()
    assert (truth.used_kwh <= rated * hours).all()
    assert (truth.active_kwh <= rated * hours).all()
    assert truth.power_factor_pct.between(30, 100).all()

    half_digit = 0.006 if hours > 0.2 else 0.0006
    assert ((truth.active_kwh - truth.used_kwh).abs() <= 0.002 * truth.used_kwh + 2 * half_digit).all()
    big = truth[truth.active_kwh > 500 * half_digit]
    assert len(big) > 1000
    share = 100 * big.active_kwh / np.hypot(big.active_kwh, big.reactive_kvarh)
    np.testing.assert_allclose(share, big.power_factor_pct, rtol=0.004)
    amperes = 1000 * big.active_kwh / hours / (np.sqrt(3) * 380 * big.power_factor_pct / 100)
    np.testing.assert_allclose(amperes, big.current_a, rtol=0.02)


def hourly(truth: pd.DataFrame) -> pd.Series:
    return truth.groupby(truth.timestamp.dt.floor("h")).used_kwh.sum()


def test_a_two_shift_factory_rests_at_night_on_sundays_and_holidays(clean: Path) -> None:
    load = hourly(truth_of(clean, "1100"))
    noon = load[load.index.hour == 9]
    days = pd.Series(noon.index.date, noon.index)
    feast = days.isin([date(2025, 1, 1), date(2025, 1, 28), date(2025, 1, 29), date(2025, 1, 30)])
    work = noon[(noon.index.day_of_week < 5) & ~days.isin(holiday_dates("KR", 2025))]
    assert noon[feast].max() < 0.2 * work.median()
    assert noon[noon.index.day_of_week == 6].max() < 0.2 * work.median()
    saturday = noon[(noon.index.day_of_week == 5)]
    assert 0.2 * work.median() < saturday.median() < 0.85 * work.median()
    assert load[load.index.hour == 2].max() < 0.2 * work.median()


def test_a_continuous_factory_works_through_the_holiday(clean: Path) -> None:
    load = hourly(truth_of(clean, "1120")).resample("1D").sum()
    assert load.loc["2025-01-29"] > 0.5 * load.median()


def test_workers_day_is_a_holiday_and_unknown_countries_are_told() -> None:
    assert date(2025, 5, 1) in holiday_dates("KR", 2025)
    with pytest.raises(ConfigError, match="XX"):
        holiday_dates("XX", 2025)


def test_seasons_turn_chillers_up_in_summer_and_boilers_in_winter(plant: Plant) -> None:
    factory = plant.factory("2120")
    january, july = (
        month_truth("2120", factory, "meter", Grid(factory.timezone, first, 31), grain=15, seed=7).values
        for first in (date(2025, 1, 1), date(2025, 7, 1))
    )
    mixer, _, chiller, boiler = (july[:, :, 0].mean(axis=0) / january[:, :, 0].mean(axis=0)).tolist()
    assert chiller > 1.2 * mixer
    assert boiler < 0.9 * mixer


def test_weeks_repeat_better_than_a_flat_mean(clean: Path) -> None:
    load = hourly(truth_of(clean, "1100")).loc["2025-01-06":"2025-01-19"].to_numpy()
    weekly = np.sqrt(np.mean((load[168:] - load[:168]) ** 2))
    assert weekly < 0.5 * load.std()


def test_traps_are_hot_with_the_plant_and_cool_without(plant: Plant, clean: Path) -> None:
    truth = truth_of(clean, "1100", "steam_trap")
    trap = truth[truth.sensor_id == "1100-T01"].set_index("timestamp").temperature_c
    set_point = plant.factory("1100").steam_traps["1100-T01"].set_point_c
    assert trap.loc["2025-01-15 10:00":"2025-01-15 20:00"].sub(set_point).abs().max() < 18
    assert trap.loc["2025-01-29"].max() < 60


def test_failing_traps_are_on_record_and_show(plant: Plant, tmp_path: Path) -> None:
    """The truth names every cause, and a blocked trap is cold between its start and its repair."""
    low, high = (date(2025, 1, 1) - EPOCH).days, (date(2026, 1, 1) - EPOCH).days
    fault, trap_id, seed = next(
        (fault, trap_id, seed)
        for seed in range(1, 60)
        for trap_id in ("1120-T01", "1120-T02")
        for fault in faults(seed, "1120", trap_id, rates=TrapRates())
        if fault.kind == "blocked" and low < fault.start < high and fault.end - fault.start > 12
    )
    first = (EPOCH + timedelta(days=int(fault.start))).replace(day=1)
    simulate(plant, tmp_path, start=first, months=2, seed=seed, factories=["1120"], faults=NONE, workers=1)
    events = truth_of(tmp_path, "1120", "events/steam_trap")
    event = events[(events.trap_id == trap_id) & (events.kind == "blocked")].iloc[0]
    assert event.severity > 0.9 and event.end > event.start
    temperature = truth_of(tmp_path, "1120", "steam_trap")
    mine = temperature[temperature.sensor_id == trap_id].set_index("timestamp").temperature_c
    usual = mine.loc[: event.start].tail(96 * 5).quantile(0.9) if len(mine.loc[: event.start]) > 96 else 150.0
    inside = mine.loc[event.start + pd.Timedelta("3D") : event.end - pd.Timedelta("1h")]
    assert inside.quantile(0.9) < 0.6 * usual


def test_a_trap_of_the_plant_has_all_its_sensors(plant: Plant, clean: Path) -> None:
    truth = truth_of(clean, "1100", "steam_trap")
    assert set(truth.sensor_id) == {sensor.sensor_id for sensor in plant.sensors("1100", "steam_trap")}
    assert "1100-T02B" in set(truth.sensor_id)


def test_temperatures_are_what_physics_gives(plant: Plant, clean: Path) -> None:
    """No sensor is hotter than saturated steam at its line's highest pressure."""
    truth = truth_of(clean, "1100", "steam_trap")
    highest = steam.saturation_c(1.2 * steam.absolute(5.4))
    assert truth.temperature_c.max() < highest + 2
    inlet, outlet = (truth[truth.sensor_id == f"1100-T02{end}"].temperature_c.to_numpy() for end in ("", "B"))
    assert np.median((inlet - outlet)[inlet > 140]) > 20


# -- files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("factory", "feed"), [("1100", "meter"), ("2120", "meter"), ("1100", "steam_trap")])
def test_clean_files_are_the_truth(clean: Path, factory: str, feed: str) -> None:
    raw, truth = raw_of(clean, factory, feed), truth_of(clean, factory, feed)
    raw["timestamp"] = pd.to_datetime(raw.timestamp).dt.tz_localize("Asia/Seoul")
    assert list(raw.columns) == list(truth.columns)
    assert (raw.timestamp.to_numpy() == truth.timestamp.to_numpy()).all()
    assert (raw.sensor_id == truth.sensor_id.astype(str)).all()
    for column in truth.columns[3:]:
        assert (raw[column] == truth[column]).all()
    assert faults_of(clean, factory, feed).empty


def test_truth_is_typed_as_the_tables_are(clean: Path) -> None:
    truth = truth_of(clean, "1100")
    assert str(truth.timestamp.dtype) == "datetime64[us, Asia/Seoul]"
    assert isinstance(truth.sensor_id.dtype, pd.CategoricalDtype)
    assert len(truth) == 31 * 1440 * 5


def test_the_legacy_collector_writes_cp949_and_korean(clean: Path) -> None:
    path = clean / "raw/meter/factory=1120/date=2025-01-02/meter_20250102.csv"
    with pytest.raises(UnicodeDecodeError):
        path.read_bytes().decode("utf-8")
    header, first, *_ = path.read_bytes().decode("cp949").split("\n")
    assert header == "수집일시,공장,센서ID,사용량,역률,전류,유효전력량,무효전력량"
    assert first.startswith("2025/01/02 00:00,1120,1120-M01,")
    raw = raw_of(clean, "1120", encoding="cp949")
    assert (raw.사용량.to_numpy() == truth_of(clean, "1120").used_kwh.to_numpy()).all()


def test_the_register_rolls_over_and_its_differences_are_the_energy(clean: Path) -> None:
    raw, truth = raw_of(clean, "2140"), truth_of(clean, "2140")
    last = pd.read_csv(clean / "raw/meter/factory=2140/date=2025-01-02/meter_20250102.csv").timestamp.iloc[-1]
    assert last == "2025-01-03 00:00:00"
    register = raw.register_kwh.to_numpy().reshape(-1, 8)
    used = truth.used_kwh.to_numpy().reshape(-1, 8)
    assert ((register >= 0) & (register < 100000)).all()
    assert (np.diff(register, axis=0) < 0).any()
    np.testing.assert_allclose(np.diff(register, axis=0) % 100000, used[1:], atol=1e-6)


def test_a_register_rolls_over_a_few_times_in_fourteen_months(clean: Path) -> None:
    month = truth_of(clean, "2140").groupby("sensor_id", observed=True).used_kwh.sum()
    assert 1 < 14 * month.median() / 100000 < 40


def as_simulated(plant: Plant, factory_id: str, **mapping) -> Plant:
    """The plant, with one factory simulated under another mapping of its meter files."""
    factory: Factory = plant.factory(factory_id).model_copy(update={"simulated": True})
    name = factory.mapping["meter"]
    changed = plant.mappings[name].model_copy(update=mapping)
    return plant.model_copy(
        update={
            "factories": plant.factories | {factory_id: factory},
            "mappings": plant.mappings | {name: changed},
        }
    )


def test_constant_ids_and_a_midnight_of_the_same_day(plant: Plant, tmp_path: Path) -> None:
    run(as_simulated(plant, "steel"), tmp_path, "steel", faults=NONE)
    raw = pd.read_csv(tmp_path / "raw/meter/factory=steel/date=2025-01-02/meter_20250102.csv")
    assert list(raw.columns)[:2] == ["date", "Usage_kWh"]
    assert raw.date.iloc[[0, -2, -1]].tolist() == ["02/01/2025 00:15", "02/01/2025 23:45", "02/01/2025 00:00"]


def test_other_delimiters_zones_and_encodings(plant: Plant, tmp_path: Path) -> None:
    other = as_simulated(
        plant, "2160", delimiter=" ", timezone="UTC", encodings=("utf-16",), time_format="%Y-%m-%d %H:%M:%S%z"
    )
    run(other, tmp_path, "2160", faults=MANY)
    path = tmp_path / "raw/meter/factory=2160/date=2025-01-02/meter_20250102.csv"
    rows = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-16")), delimiter=" "))
    assert {len(row) for row in rows} == {8}
    assert any(row[0] == "2025-01-01 15:00:00+0000" for row in rows)


# -- faults ----------------------------------------------------------------------------------------


def lines_of(out: Path, key: str, encoding: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO((out / key).read_bytes().decode(encoding))))


@pytest.mark.parametrize(
    ("factory", "encoding", "form"),
    [("1100", "utf-8", "%Y-%m-%d %H:%M:%S"), ("1120", "cp949", "%Y/%m/%d %H:%M")],
)
def test_every_recorded_fault_is_in_its_file(
    plant: Plant, broken: Path, factory: str, encoding: str, form: str
) -> None:
    faults = faults_of(broken, factory)
    assert set(faults.kind) == set(FAULT_KINDS)
    assert str(faults.timestamp.dtype) == "datetime64[us, UTC]"
    columns = ["timestamp", "factory_id", "sensor_id", *truth_of(broken, factory).columns[3:]]
    for key, group in faults[faults.kind != "late_file"].groupby("key"):
        found: dict[tuple[str, str], list[list[str]]] = {}
        for row in lines_of(broken, str(key), encoding):
            found.setdefault((row[0], row[2]), []).append(row)
        for fault in group.itertuples():
            label = fault.timestamp.tz_convert("Asia/Seoul").strftime(form)
            rows = found.get((label, fault.sensor_id), [])
            if fault.kind == "missing_row":
                assert rows == []
            elif fault.kind == "repeated_row":
                assert len(rows) == 2 and rows[0] == rows[1] == fault.written.split(",")
            elif fault.kind == "conflicting_row":
                assert len(rows) == 2 and rows[0][4:] == rows[1][4:]
                assert rows[0][3] != rows[1][3] == fault.written
            elif fault.kind == "bad_time":
                assert rows == []
                assert (fault.written, fault.sensor_id) in found
            elif fault.kind == "stuck":
                assert rows[0][3:] == fault.written.split(",")
            else:
                assert rows[0][columns.index(fault.column)] == fault.written


def test_rows_without_a_fault_are_the_truth(broken: Path) -> None:
    truth = truth_of(broken, "1100").set_index(["timestamp", "sensor_id"])
    raw = raw_of(broken, "1100")
    times = pd.to_datetime(raw.timestamp, format="%Y-%m-%d %H:%M:%S", errors="coerce")
    raw["timestamp"] = times.dt.tz_localize("Asia/Seoul")
    raw = raw.dropna(subset="timestamp").set_index(["timestamp", "sensor_id"])
    faulty = faults_of(broken, "1100")
    touched = pd.MultiIndex.from_frame(
        pd.DataFrame(
            {
                "timestamp": faulty.timestamp.dt.tz_convert("Asia/Seoul"),
                "sensor_id": faulty.sensor_id.astype(str),
            }
        )
    )
    raw = raw[~raw.index.isin(touched)]
    expected = truth.loc[~truth.index.isin(touched)]
    assert len(raw) == len(expected)
    got = raw.used_kwh.astype(float).sort_index().to_numpy()
    np.testing.assert_array_equal(got, expected.used_kwh.sort_index().to_numpy())


def test_spikes_and_stuck_values_leave_the_truth(broken: Path) -> None:
    faults, truth = faults_of(broken, "1120"), truth_of(broken, "1120")
    spikes = faults[(faults.kind == "spike") & (faults.column == "used_kwh")]
    key = dict(zip(zip(truth.timestamp, truth.sensor_id, strict=True), truth.used_kwh, strict=True))
    factors = [float(f.written) / key[(f.timestamp, f.sensor_id)] for f in spikes.itertuples()]
    assert min(factors) > 19
    stuck = faults[faults.kind == "stuck"]
    true = np.array([key[(f.timestamp, f.sensor_id)] for f in stuck.itertuples()])
    assert np.mean(true != [float(text.split(",")[0]) for text in stuck.written]) > 0.8


def test_rates_are_near_those_asked_for(plant: Plant, tmp_path: Path) -> None:
    report = run(plant, tmp_path, "2120", faults=MANY).factories["2120"]
    rows = 31 * (288 * 4 + 96 * 2)
    for kind in set(FAULT_KINDS) - {"late_file"}:
        few = kind in ("stuck", "missing_row")  # they come in runs
        assert report.faults[kind] / rows == pytest.approx(getattr(MANY, kind), rel=0.5 if few else 0.25), (
            kind
        )
    assert 8 <= report.faults["late_file"] <= 32
    recorded = pd.concat([faults_of(tmp_path, "2120", feed) for feed in ("meter", "steam_trap")])
    assert recorded.kind.value_counts().to_dict() == report.faults


def test_the_default_rates_touch_half_a_per_cent() -> None:
    rates = FaultRates()
    late_rows = rates.late_file * 3.5 / 24
    total = sum(getattr(rates, kind) for kind in FAULT_KINDS) - rates.late_file + late_rows
    assert total == pytest.approx(0.005, rel=0.1)


def test_late_rows_stand_in_a_second_file_only(broken: Path) -> None:
    faults = faults_of(broken, "1120")
    late = faults[faults.kind == "late_file"].iloc[0]
    assert late.key.endswith("_late.csv")
    header, *rows = lines_of(broken, late.key, "cp949")
    main_header, *main = lines_of(broken, late.key.replace("_late", ""), "cp949")
    assert header == main_header
    assert len(rows) > 6
    label = late.timestamp.tz_convert("Asia/Seoul").strftime("%Y/%m/%d %H:%M")
    in_span = {row[0] for row in rows if row[0].startswith("2025/")}
    assert label == min(in_span)
    assert not [row for row in main if row[0] in in_span]


def test_the_report_counts_what_is_there(plant: Plant, tmp_path: Path) -> None:
    said: list[str] = []
    report = run(plant, tmp_path, "2160", faults=MANY, progress=said.append).factories["2160"]
    files = list((tmp_path / "raw").rglob("*.csv"))
    assert report.files == len(files)
    assert report.bytes == sum(path.stat().st_size for path in files)
    assert report.rows == sum(len(path.read_bytes().splitlines()) - 1 for path in files)
    assert report.seconds > 0
    assert len(said) == 1 and said[0].startswith("2160: ")
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


# -- what cannot be --------------------------------------------------------------------------------


def test_wrong_arguments_are_told(plant: Plant, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="9999"):
        run(plant, tmp_path, "9999")
    with pytest.raises(ConfigError, match="steel"):
        run(plant, tmp_path, "steel")
    with pytest.raises(ConfigError, match="months"):
        run(plant, tmp_path, "2160", months=0)
    with pytest.raises(ConfigError, match="seed"):
        run(plant, tmp_path, "2160", seed=-1)
    with pytest.raises(ConfigError, match="workers"):
        run(plant, tmp_path, "2160", workers=0)
    with pytest.raises(ConfigError, match="spike"):
        FaultRates(spike=1.5)
    with pytest.raises(ConfigError, match="half"):
        FaultRates(spike=0.4, stuck=0.4)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"layout": "wide"}, "layout"),
        ({"encodings": ("klingon",)}, "klingon"),
        ({"encodings": ("ascii",), "columns": {"timestamp": "수집일시"}}, "headers"),
        ({"constants": {"sensor_id": "M1"}}, "5 sensors"),
    ],
)
def test_mappings_that_cannot_be_simulated_are_told(
    plant: Plant, tmp_path: Path, mapping: dict, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        run(as_simulated(plant, "2160", **mapping), tmp_path, "2160")


def test_all_simulated_factories_are_the_default(plant: Plant, tmp_path: Path) -> None:
    two = plant.model_copy(update={"factories": {k: plant.factories[k] for k in ("2160", "steel")}})
    report = simulate(two, tmp_path, start=date(2025, 3, 1), months=1, seed=1, workers=1)
    assert list(report.factories) == ["2160"]


def test_a_zone_with_summer_time_has_days_of_23_and_25_hours(plant: Plant, tmp_path: Path) -> None:
    factory = plant.factory("2160").model_copy(update={"timezone": "Europe/Berlin", "country": "DE"})
    berlin = plant.model_copy(update={"factories": {"2160": factory}})
    run(berlin, tmp_path, "2160", start=date(2025, 3, 1), faults=NONE)
    truth = truth_of(tmp_path, "2160")
    assert (truth.timestamp.dt.date == date(2025, 3, 30)).sum() == 23 * 4 * 5
    assert truth.timestamp.iloc[0].astimezone(UTC).hour == 23
