"""The scores as lines of results.json."""

from benchmarks.measurement import Measurement, alone
from benchmarks.truth.kinds import JUDGES
from benchmarks.truth.score import Score, rmse


def of_another(score: Score, name: str) -> list[Measurement]:
    """Return what counts of another plant: the share of all faults that were found, and of sound values changed."""
    found = score.faults["found"]
    share = 100 * len(score.wrong) / score.sound_count
    return [
        alone(f"truth, {name}: faults found", round(100 * float(found.mean()), 2), "%", len(found)),
        alone(f"truth, {name}: sound values changed", round(share, 5), "%", score.sound_count),
        alone(
            f"truth, {name}: sound values refused, with the reason",
            score.refused_count,
            "values",
            score.sound_count,
        ),
    ]


def measurements(score: Score) -> list[Measurement]:
    """Return the share found of each kind of fault, of sound values changed, and the RMSE beside a straight line."""
    found = []
    for kind in JUDGES:
        hits = score.faults[score.faults["kind"] == kind]["found"]
        if len(hits):
            found.append(alone(f"truth: {kind} found", round(100 * float(hits.mean()), 2), "%", len(hits)))
    share = 100 * len(score.wrong) / score.sound_count
    found.append(alone("truth: sound values changed", round(share, 5), "%", score.sound_count))
    fills = score.fills
    parts = [
        (f"{column}, {gap} gaps", rows)
        for (column, gap), rows in fills.groupby(["column", "gap"], sort=False)
    ]
    for name, rows in [*parts, ("all", fills)]:
        ours, line = rmse(rows["ours"]), rmse(rows["line"])
        ratio = round(line / ours, 2) if ours else None
        found.append(
            Measurement(
                f"truth: RMSE of values made, {name}",
                round(ours, 4),
                "straight line",
                round(line, 4),
                ratio,
                "of the mean",
                len(rows),
            )
        )
    return found
