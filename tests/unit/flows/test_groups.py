"""Groups of factories, each for one task."""

from datetime import date
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from fems.flows.groups import group_factories
from fems.registry.factory import Equipment, Factory
from fems.registry.mapping import FileMapping
from fems.registry.plant import Plant


def plant_with(machines: list[int], grain: Literal["1min", "1h"] = "1h") -> Plant:
    """A plant whose factories have so many machines each."""
    mapping = FileMapping(time_format="%Y-%m-%d %H:%M:%S")
    factories = {
        f"F{i}": Factory(
            name="F",
            name_ko="F",
            grain={"meter": grain},
            mapping={"meter": "m"},
            since=date(2020, 1, 1),
            equipment={
                f"E{j}": Equipment(name="E", kind="pump", sensor=f"F{i}-M{j:02d}", rated_kw=10)
                for j in range(count)
            },
        )
        for i, count in enumerate(machines)
    }
    return Plant(mappings={"m": mapping}, factories=factories)


@given(
    machines=st.lists(st.integers(1, 5), min_size=1, max_size=40),
    at_once=st.integers(1, 8),
    most=st.integers(1, 10),
    most_groups=st.integers(1, 50),
)
def test_every_factory_is_in_one_group_and_no_group_is_too_large(
    machines: list[int], at_once: int, most: int, most_groups: int
) -> None:
    plant = plant_with(machines)
    factories = list(plant.factories)
    groups = group_factories(plant, factories, at_once, most, most_groups)
    assert sorted(each for group in groups for each in group) == sorted(factories)
    assert all(groups) and len(groups) <= most_groups
    fits = most * most_groups >= len(factories)
    assert all(len(group) <= most for group in groups) or not fits
    assert len(groups) >= min(at_once, len(factories), most_groups)
    assert all(group == sorted(group, key=factories.index) for group in groups)


def test_groups_take_about_as_long_as_each_other() -> None:
    def groups(*machines: int, grain: Literal["1min", "1h"]) -> list[list[str]]:
        plant = plant_with(list(machines), grain)
        return group_factories(plant, list(plant.factories), at_once=2, most=25, most_groups=1000)

    # Of few rows the files weigh; of many the rows weigh as well.
    assert [len(group) for group in groups(9, 1, 1, 1, 3, 1, 1, 1, grain="1h")] == [4, 4]
    assert groups(9, 1, 1, 1, 3, grain="1min") == [["F0", "F3"], ["F1", "F2", "F4"]]


def test_ten_thousand_factories_fit_what_airflow_maps() -> None:
    factories = [f"N{i}" for i in range(10_000)]
    one = plant_with([1]).factories["F0"]
    plant = Plant(mappings=plant_with([1]).mappings, factories=dict.fromkeys(factories, one))
    assert [len(g) for g in group_factories(plant, factories, 2, 25, 1024)] == [25] * 400
    assert {len(g) for g in group_factories(plant, factories, 2, 1, 1024)} <= {9, 10}
    assert group_factories(plant, [], 2, 25, 1024) == []
