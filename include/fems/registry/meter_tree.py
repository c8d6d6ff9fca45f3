"""Which meter stands behind which, and of which meters a machine's energy is made: nothing is counted twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

REMAINDER = " remainder"
"""Ends the name of what a meter measures and none of the meters behind it."""


@dataclass(frozen=True)
class MeterNode:
    """A machine, or a meter of no machine, with what stands behind it.

    Attributes:
        name: of the machine or the meter. name_ko: the same in Korean.
        sensors: its own meters; its energy is their sum.
        parent: sensor ID of the meter before it, None where there is none.
        submeters: sensor IDs of the meters right behind its own.
    """

    name: str
    name_ko: str
    sensors: tuple[str, ...]
    parent: str | None
    submeters: tuple[str, ...] = ()

    @property
    def column(self) -> str:
        """What its energy is called where the parts of a factory are told apart: less what its submeters measure."""
        return self.sensors[0] + (REMAINDER if self.submeters else "")

    @property
    def is_plain(self) -> bool:
        """Whether it is one meter with none behind it."""
        return len(self.sensors) == 1 and not self.submeters

    def title(self, korean: bool = False) -> str:
        """Return its name, and that it is a remainder where it is one."""
        name, rest = (self.name_ko, "나머지") if korean else (self.name, "remainder")
        return f"{name} ({rest})" if self.submeters else name


@dataclass(frozen=True)
class MeterTree:
    """All meters of a factory. A main meter stands before every meter that has no parent.

    Attributes:
        nodes: machines first, then the meters of no machine.
        main_meter: sensor ID; None where there is none.
    """

    nodes: tuple[MeterNode, ...]
    main_meter: str | None = None
    _of: Mapping[str, MeterNode] = field(default_factory=dict)

    @classmethod
    def of(cls, nodes: Sequence[MeterNode], main_meter: str | None) -> "MeterTree":
        """Put a tree together.

        Raises:
            ValueError: a meter stands twice, behind one that there is not, behind itself, or before the main one.
        """
        owner: dict[str, MeterNode] = {}
        for node in nodes:
            for sensor in node.sensors:
                if sensor in owner or node.sensors.count(sensor) > 1:
                    raise ValueError(f"equipment: one sensor stands on two machines ({sensor!r})")
                owner[sensor] = node
        if main_meter in owner and owner[str(main_meter)].parent is not None:
            before = owner[str(main_meter)].parent
            raise ValueError(
                f"main_meter: {main_meter!r} stands behind {before!r}; one factory has one main meter"
            )
        if main_meter in owner:
            raise ValueError(
                f"main_meter: {main_meter!r} is a machine's meter, or stands under `meters`, too"
            )
        for node in nodes:
            if node.parent is not None and node.parent not in owner and node.parent != main_meter:
                known = ", ".join([*owner, *filter(None, [main_meter])])
                raise ValueError(
                    f"parent: {node.parent!r}, before {node.sensors[0]!r}, is no meter here (there are {known})"
                )
        for node in nodes:
            _refuse_circle(node, owner)
        behind: dict[str, list[str]] = {}
        for node in nodes:
            if node.parent in owner:
                behind.setdefault(owner[node.parent].sensors[0], []).extend(node.sensors)
        whole = tuple(
            MeterNode(n.name, n.name_ko, n.sensors, n.parent, tuple(behind.get(n.sensors[0], ())))
            for n in nodes
        )
        return cls(whole, main_meter, {sensor: node for node in whole for sensor in node.sensors})

    @cached_property
    def is_plain(self) -> bool:
        """Whether every machine has one meter, and none stands behind another."""
        return all(node.is_plain for node in self.nodes)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """What the parts of the factory are called whose sum is the whole."""
        return tuple(node.column for node in self.nodes)

    @cached_property
    def top(self) -> tuple[str, ...]:
        """The meters that stand behind no other one but the main one: their sum is the factory's energy."""
        return tuple(s for node in self.nodes if node.parent not in self._of for s in node.sensors)

    @property
    def branches(self) -> tuple[MeterNode, ...]:
        """The nodes that have meters behind them."""
        return tuple(node for node in self.nodes if node.submeters)

    def titles(self, korean: bool = False) -> dict[str, str]:
        """Return the column of each part of the factory -> its name."""
        return {node.column: node.title(korean) for node in self.nodes}


def _refuse_circle(node: MeterNode, owner: Mapping[str, MeterNode]) -> None:
    path = [node.sensors[0]]
    while node.parent in owner:
        node = owner[str(node.parent)]
        if node.sensors[0] in path:
            raise ValueError(
                f"parent: the meters stand in a circle: {' behind '.join([*path, node.sensors[0]])}"
            )
        path.append(node.sensors[0])
