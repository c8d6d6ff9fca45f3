"""The scores as tables for a person."""

from collections.abc import Iterator

import pandas as pd
from rich.table import Table

from benchmarks.truth.kinds import JUDGES
from benchmarks.truth.score import GOALS, MOST_WRONG, Score, rmse

LISTED = 30


def tables(score: Score) -> Iterator[Table]:
    """Yield the tables: faults, stuck values by column, sound values, filled values."""
    yield _faults(score)
    yield _stuck(score)
    yield _sound(score)
    yield _fills(score)


def lists(score: Score) -> Iterator[Table]:
    """Yield the missed faults of each kind, the sound values that came out changed, and the gaps filled worst."""
    for kind, rows in score.faults[~score.faults["found"]].groupby("kind"):
        missed = rows.drop(columns=["kind", "found"])
        yield _listed(f"missed, {kind}", _stretches(missed) if kind == "stuck" else missed)
    for (rule, column), rows in score.wrong.groupby(["rule", "column"]):
        title = f"sound, but {rule or 'changed'}, {column}"
        yield _listed(title, rows.drop(columns=["rule", "column"]))
    yield _listed("gaps that a straight line fills better, worst first", _worst_gaps(score.fills))


def _stretches(rows: pd.DataFrame) -> pd.DataFrame:
    """Put the values of a stretch, which all repeat the same reading, on one line."""
    by = ["name", "sensor_id", "column", "written"]
    groups = rows.groupby([*by, rows["timestamp"].dt.date], sort=False)
    return groups.agg(
        begin=("timestamp", "min"),
        end=("timestamp", "max"),
        missed=("timestamp", "size"),
        least_truth=("truth", "min"),
        most_truth=("truth", "max"),
        flag=("flag", "first"),
    ).reset_index(by)


def _worst_gaps(fills: pd.DataFrame) -> pd.DataFrame:
    """Sum up the gaps, ordered by how much more error ours adds than the line does."""
    squares = fills.assign(ours=fills["ours"] ** 2, line=fills["line"] ** 2)
    gaps = squares.groupby(["sensor_id", "column", "begin"])
    found = gaps.agg(values=("ours", "size"), ours=("ours", "mean"), line=("line", "mean"))
    excess = (found["ours"] - found["line"]) * found["values"]
    found[["ours", "line"]] **= 0.5
    return found[excess > 0].loc[excess[excess > 0].sort_values(ascending=False).index].reset_index()


def _table(title: str, *columns: str) -> Table:
    return Table(*columns, title=f"Simulated: {title}", title_justify="left", min_width=len(title) + 12)


def _percent(part: int, whole: int, digits: int = 1) -> str:
    return f"{100 * part / whole:.{digits}f}" if whole else "-"


def _faults(score: Score) -> Table:
    names = list(dict.fromkeys(score.faults["name"]))
    table = _table("faults found of those injected", "fault", *names, "all", "share %", "goal %")
    for kind in JUDGES:
        mine = score.faults[score.faults["kind"] == kind]
        counts = [mine[mine["name"] == name]["found"] for name in names]
        cells = [f"{each.sum()}/{len(each)}" if len(each) else "-" for each in counts]
        hits = int(mine["found"].sum())
        goal = f"{GOALS[kind]:g}" if kind in GOALS else "-"
        table.add_row(kind, *cells, f"{hits}/{len(mine)}", _percent(hits, len(mine), 2), goal)
    return table


def _stuck(score: Score) -> Table:
    table = _table("stuck values by column", "column", "injected", "found", "share %")
    for column, rows in score.faults[score.faults["kind"] == "stuck"].groupby("column", sort=False):
        hits = int(rows["found"].sum())
        table.add_row(str(column), str(len(rows)), str(hits), _percent(hits, len(rows)))
    return table


def _sound(score: Score) -> Table:
    title = f"sound values that came out changed; goal: under {MOST_WRONG} %"
    table = _table(
        title, "", "sound values", "changed", "share %", "refused, with the reason", "most of them"
    )
    wrong = score.wrong
    names = list(dict.fromkeys(each.name for each in score.sound))
    for name in [*names, "all"]:
        count = sum(each.count for each in score.sound if name in (each.name, "all"))
        mine = wrong if name == "all" else wrong[wrong["name"] == name]
        worst = mine.groupby(["sensor_id", "column", "rule"]).size().nlargest(3)
        counts = zip(worst.index.tolist(), worst.tolist(), strict=True)
        which = ", ".join(f"{' '.join(key)}: {n}" for key, n in counts)
        refused = sum(each.refused for each in score.sound if name in (each.name, "all"))
        table.add_row(name, f"{count:,}", str(len(mine)), _percent(len(mine), count, 4), str(refused), which)
    return table


def _fills(score: Score) -> Table:
    title = "RMSE of values made, as a share of the sensor's mean, beside a straight line"
    table = _table(title, "column", "gap", "values", "ours", "line", "line / ours")
    fills = score.fills
    parts = [(key, rows) for key, rows in fills.groupby(["column", "gap"], sort=False)]
    for (column, gap), rows in [*parts, (("all", "short and long"), fills)]:
        ours, line = rmse(rows["ours"]), rmse(rows["line"])
        ratio = f"{line / ours:.2f}" if ours else "-"
        table.add_row(str(column), str(gap), f"{len(rows):,}", f"{ours:.4f}", f"{line:.4f}", ratio)
    return table


def _listed(title: str, rows: pd.DataFrame) -> Table:
    shown = rows.head(LISTED)
    table = _table(f"{title}: {len(shown)} of {len(rows)}", *shown.columns)
    for row in shown.itertuples(index=False):
        table.add_row(*(f"{value:g}" if isinstance(value, float) else str(value) for value in row))
    return table
