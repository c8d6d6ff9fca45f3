"""`make bench BENCH="--only traps"`: failed traps found, when, as what, and the alarms that were wrong."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from time import process_time

import numpy as np
from rich.table import Table

from benchmarks.measurement import Measurement, alone
from benchmarks.traps.plant import TrapYear, trap_year
from benchmarks.traps.rules import RULES, product
from benchmarks.traps.score import BIG_LEAK, FAULT_KINDS, SHUT, Case, Score, delays, score, share

TUNED_ON = (*range(1, 21), *range(201, 209), *range(301, 312))
"""The thresholds were set and looked at on all of these."""
SCORED_ON = tuple(range(401, 412))
_KINDS = ("suspected_leak", "blow_through", "flooded", "blocked", "blocked_or_flooded")
_SPEED_TRAPS = 2000


@dataclass(frozen=True)
class Outcome:
    """Scores of each rule, and the traps and seconds of a processor that the product took to judge."""

    scores: dict[str, Score]
    traps: int
    seconds: float


def outcome(seeds: Sequence[int] = SCORED_ON, workers: int = 2) -> Outcome:
    """Simulate factories with seeds, and score every rule on them."""
    # Spawned, not forked: the caller may hold threads that do not survive a fork.
    with ProcessPoolExecutor(min(workers, len(seeds)), mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(of_seed, seeds))
    scores = {name: merged([part.scores[name] for part in parts]) for name in RULES}
    return Outcome(scores, sum(part.traps for part in parts), sum(part.seconds for part in parts))


def of_seed(seed: int) -> Outcome:
    """Simulate one factory's year and score every rule on it."""
    return of_year(trap_year(seed))


def of_year(year: TrapYear) -> Outcome:
    """Score every rule on a factory's year."""
    scores, seconds = {}, 0.0
    for name, rule in RULES.items():
        begun = process_time()
        alarms = rule(year)
        if rule is product:
            seconds = process_time() - begun
        scores[name] = Score()
        score(year, alarms, scores[name])
    return Outcome(scores, len(year.factory.steam_traps), seconds)


def merged(parts: Sequence[Score]) -> Score:
    """Put scores together."""
    return Score(
        cases=[case for part in parts for case in part.cases],
        wrong=sum((part.wrong for part in parts), Counter()),
        trap_years=sum(part.trap_years for part in parts),
        leaks_of_inlets=sum(part.leaks_of_inlets for part in parts),
    )


GROUPS = {
    "blocked": lambda s: s.of("blocked"),
    "flooded": lambda s: s.of("flooded"),
    "blocked and flooded": lambda s: s.of("blocked", "flooded"),
    "blow-through, pair": lambda s: s.of("blow_through", pair=True),
    "leak of 30 % or more, pair": lambda s: s.of("leak", pair=True, least=BIG_LEAK),
    "smaller leak, pair": lambda s: s.of("leak", pair=True, most=BIG_LEAK),
    "leak or blow-through, one sensor": lambda s: [
        case for case in s.of("leak", "blow_through") if case.position != "pair"
    ],
}
"""What the bar names, and what else there is."""


def tables(found: Outcome, seeds: Sequence[int] = SCORED_ON) -> list[Table]:
    """Lay an outcome out for people."""
    years = next(iter(found.scores.values())).trap_years
    about = (
        f"Simulated steam traps, {years:.0f} trap-years; seeds {_listed(seeds)}, tuned on {_listed(TUNED_ON)}; "
        "delay in days with steam"
    )
    recall = Table(title=about, title_justify="left")
    for heading in ("fault", "n", "rule", "found", "median delay", "within 4", "start within 2 days"):
        recall.add_column(heading, justify="left" if heading in ("fault", "rule") else "right")
    for group, choose in GROUPS.items():
        for rule, result in found.scores.items():
            cases = choose(result)
            late = delays(cases)
            errors = [abs(case.start_error) for case in cases if case.start_error is not None]
            recall.add_row(
                group,
                str(len(cases)),
                rule,
                f"{share(cases):.2f}",
                f"{np.median(late):.0f}" if late else "-",
                f"{np.mean(np.array(late) <= 4):.2f}" if late else "-",
                f"{np.mean(np.array(errors) <= 2):.2f}" if errors else "-",
            )
    return [recall, _false_alarms(found), _confusion(found.scores["fems"].cases)]


def _false_alarms(found: Outcome) -> Table:
    table = Table(title="Wrong alarms, each by what then happened at its trap", title_justify="left")
    table.add_column("cause")
    for rule in found.scores:
        table.add_column(rule, justify="right")
    causes = dict.fromkeys(
        cause for result in found.scores.values() for cause, _ in result.wrong.most_common()
    )
    for cause in causes:
        table.add_row(cause, *(str(result.wrong[cause]) for result in found.scores.values()))
    table.add_row(
        "a trap and year, without valves shut by hand",
        *(f"{result.false_alarms / result.trap_years:.3f}" for result in found.scores.values()),
    )
    table.add_row(
        "a trap and year, with them",
        *(f"{sum(result.wrong.values()) / result.trap_years:.3f}" for result in found.scores.values()),
    )
    return table


def _confusion(cases: Sequence[Case]) -> Table:
    table = Table(title="What the product called each fault (rows: truth)", title_justify="left")
    for heading in ("truth", *_KINDS, "not found"):
        table.add_column(heading, justify="left" if heading == "truth" else "right")
    for kind in FAULT_KINDS:
        said = Counter(case.kind for case in cases if case.fault.kind == kind)
        table.add_row(kind, *(str(said[name]) for name in (*_KINDS, None)))
    return table


def measurements(found: Outcome) -> list[Measurement]:
    """Return the figures for results.json; the peer is the better of the two simple rules."""
    lines = []
    ours = found.scores["fems"]
    for group, choose in GROUPS.items():
        cases = choose(ours)
        if not cases:
            continue
        peers = {name: share(choose(result)) for name, result in found.scores.items() if name != "fems"}
        peer, value = max(peers.items(), key=lambda item: item[1])
        mine = share(cases)
        ratio = round(mine / value, 2) if value else None
        lines.append(
            Measurement(
                f"steam traps: {group}, found",
                round(mine, 3),
                peer,
                round(value, 3),
                ratio,
                "share",
                len(cases),
            )
        )
        late = delays(cases)
        if late:
            lines.append(alone(f"steam traps: {group}, delay", float(np.median(late)), "days", len(late)))
    rates = {name: result.false_alarms / result.trap_years for name, result in found.scores.items()}
    peer, value = min(
        ((name, rate) for name, rate in rates.items() if name != "fems"), key=lambda item: item[1]
    )
    years = round(ours.trap_years)
    lines.append(
        Measurement(
            "steam traps: false alarms",
            round(rates["fems"], 3),
            peer,
            round(value, 3),
            round(value / rates["fems"], 1) if rates["fems"] else None,
            "a trap and year",
            years,
        )
    )
    shut = ours.wrong[SHUT] / ours.trap_years
    lines.append(
        alone("steam traps: alarms on valves shut by hand", round(shut, 3), "a trap and year", years)
    )
    lines.append(
        alone("steam traps: suspected leaks of inlet sensors", float(ours.leaks_of_inlets), "alarms", years)
    )
    per_trap = found.seconds / found.traps
    lines.append(
        alone(
            f"steam traps: a year of {_SPEED_TRAPS:,} at 15 minutes, time of one core",
            round(per_trap * _SPEED_TRAPS, 1),
            "s",
            found.traps,
        )
    )
    return lines


def _listed(seeds: Sequence[int]) -> str:
    """Return seeds in words, each run of them by its first and last."""
    starts = [seed for seed in seeds if seed - 1 not in seeds]
    ends = [seed for seed in seeds if seed + 1 not in seeds]
    return " and ".join(f"{a} to {b}" if b > a else str(a) for a, b in zip(starts, ends, strict=True))
