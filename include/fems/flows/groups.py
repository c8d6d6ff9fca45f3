"""Groups of factories, each for one task of a scheduler: a start and its imports serve many factories."""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush

from fems.registry.plant import Plant

_DAY_MINUTES = 1440
_FILE_ROWS = 5_000
"""What a file a day takes beyond its rows, in rows: requests, and its share of evaluating and publishing a month."""


def work_a_day(plant: Plant, factory_id: str) -> int:
    """Return how long a day of a factory takes beside others: in rows, all feeds together, a file counted as some."""
    return sum(
        _FILE_ROWS
        + len(list(plant.sensors(factory_id, feed))) * _DAY_MINUTES // plant.grain_minutes(factory_id, feed)
        for feed in plant.feeds(factory_id)
    )


def group_factories(
    plant: Plant, factories: Sequence[str], at_once: int, most: int, most_groups: int
) -> list[list[str]]:
    """Put factories into groups that take about as long as each other; each in the registry's order.

    Args:
        plant: the registry.
        factories: which.
        at_once: how many groups run side by side: there are no fewer, unless there are fewer factories.
        most: the most factories in a group, as far as `most_groups` allows it.
        most_groups: so many at most, however many factories there are.
    """
    if not factories:
        return []
    wanted = max(min(at_once, len(factories)), -(-len(factories) // most))
    count = min(wanted, most_groups)
    room = -(-len(factories) // count) if wanted > most_groups else most
    size = {factory_id: work_a_day(plant, factory_id) for factory_id in factories}
    order = {factory_id: i for i, factory_id in enumerate(factories)}
    groups: list[list[str]] = [[] for _ in range(count)]
    open_groups = [(0, i) for i in range(count)]
    heapify(open_groups)
    for factory_id in sorted(factories, key=lambda each: (-size[each], order[each])):
        work, i = heappop(open_groups)
        groups[i].append(factory_id)
        if len(groups[i]) < room:
            heappush(open_groups, (work + size[factory_id], i))
    return [sorted(group, key=order.__getitem__) for group in groups]
