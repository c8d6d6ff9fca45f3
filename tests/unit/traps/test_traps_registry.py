"""What is wrong in the registry of steam traps is said in one clear line."""

from datetime import date
from pathlib import Path

import pytest

from fems.errors import ConfigError
from fems.registry.plant import load_plant
from fems.settings import settings

PLANT = settings().factories_file


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pressure_bar_g: 5.4", "pressure_bar_g: -1", "greater than 0"),
        ("orifice_mm: 7.5", "orifice_mm: 0", "greater than 0"),
        ("outlet_sensor: 1100-T02B, ", "", "position: pair needs outlet_sensor"),
        ("outlet_sensor: 1100-T02B", "outlet_sensor: 1100-T01", "'1100-T01' stands on two traps"),
        ("service: batch, equipment: E05", "service: batch, equipment: E55", "equipment 'E55' is not under"),
        (", source: an example}\n      feed", "}\n      feed", "source"),
        (
            "    steam:\n",
            "    trap_repairs: [{trap_id: 1100-T09, day: 2025-03-02}]\n    steam:\n",
            "no steam trap '1100-T09' here",
        ),
        (
            "    steam:\n",
            "    steam_stops: [{first: 2025-03-04, last: 2025-03-02}]\n    steam:\n",
            "ends on 2025-03-02, before it begins",
        ),
        ("basis: net, year: 2006", "basis: gross, year: 2006", "one basis, net or gross"),
    ],
)
def test_a_wrong_registry_is_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = PLANT.read_text(encoding="utf-8")
    assert old in text
    file = tmp_path / "factories.yaml"
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")) as caught:
        load_plant(file)
    assert "\n" not in str(caught.value).strip() or len(str(caught.value)) < 600


def test_a_repair_before_the_trap_existed_is_refused() -> None:
    from fems.registry.steam_traps import Repair

    factory = load_plant(PLANT).factory("1100")
    trap = factory.steam_traps["1100-T01"].model_copy(update={"installed": date(2025, 6, 1)})
    factory = factory.model_copy(update={"steam_traps": {"1100-T01": trap}})
    with pytest.raises(ValueError, match="installed on 2025-06-01: no repair can be on 2025-03-02"):
        factory.check_repair(Repair(trap_id="1100-T01", day=date(2025, 3, 2)))


def test_a_pair_has_two_sensors_in_the_feed() -> None:
    sensors = [sensor.sensor_id for sensor in load_plant(PLANT).sensors("1100", "steam_trap")]
    assert sensors == ["1100-T01", "1100-T02", "1100-T02B"]
