"""What `fems monitor` prints."""

import json

import pandas as pd
import pytest
from rich.console import Console

from fems.cli.monitor import as_plain, record_table, verdict
from fems.contracts.monitoring import Standing
from fems.contracts.track_record import COLUMNS
from fems.flows.monitor import MonitorResult

ORIGIN = pd.Timestamp("2026-02-01", tz="Asia/Seoul")


def findings(
    champion: str | None = "3", standing: Standing | None = None, reason: str | None = None
) -> MonitorResult:
    rows = [
        ("1120", "2026-02", ORIGIN, version, sensor, ORIGIN + pd.Timedelta(days=2), 48, 1000.0, 1100.0, 10.0, 91.25,
         float("nan"), 0.81)
        for version, sensor in (("3", ""), ("3", "1120-M01"), ("weekly_naive", ""))
    ]  # fmt: skip
    return MonitorResult(pd.DataFrame(rows, columns=list(COLUMNS)), champion, standing, [], reason, ORIGIN)


def printed(equipment: bool) -> str:
    console = Console(width=160, record=True, quiet=True)
    with console.capture() as shown:
        console.quiet = False
        console.print(record_table({"1120": findings()}, {"1120"}, equipment))
    return shown.get()


def test_the_factory_alone_or_every_machine() -> None:
    text = printed(equipment=False)
    assert "1120*" in text and "simulated" in text and "weekly_naive" in text and "91.2" in text
    assert "1120-M01" not in text and "1120-M01" in printed(equipment=True)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (findings(champion=None), "no model yet"),
        (findings(reason="it fell behind"), "it fell behind"),
        (findings(), "too few days"),
        (
            findings(standing=Standing(version="3", days=7, accuracy=91.0, weekly_naive=85.0, worse_days=1)),
            "holds: accuracy 91.0 against 85.0",
        ),
    ],
)
def test_a_line_a_factory_says_whether_its_model_fits(found: MonitorResult, said: str) -> None:
    assert said in verdict(found)


def test_json_has_no_nan() -> None:
    plain = json.loads(json.dumps(as_plain(findings()), allow_nan=False))
    assert plain["track_record"][0]["weekly_naive_accuracy"] is None
    assert plain["track_record"][0]["origin"].startswith("2026-01-31T15:00")
