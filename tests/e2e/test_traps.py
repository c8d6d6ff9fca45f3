"""Airflow's own scheduler runs `traps`: simulated failures found, told by mail, and looked at in a browser."""

import io
import json
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote

import httpx
import pandas as pd
import pytest
from browser import CHROMIUM, Browser
from dagruns import ended, start
from inbox import Mailbox, html_of, smtp_server

from embedded.stack import Stack
from fems.contracts.traps import LEAKS
from fems.flows.ingest import ingest_factory
from fems.flows.land import land_tree
from fems.flows.platform import Platform
from fems.simulate import simulate
from fems.simulate.faults import FaultRates
from fems.views.traps import event_rows

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

FACTORY = "2120"  # no other test through Airflow has it
FIRST, MONTHS, SEED = date(2025, 2, 1), 3, 20
FIRST_NEWS = date(2025, 3, 20)
"""Up to that day is known to the first run: a trap is blocked. After it that one is mended, and another leaks."""


@pytest.fixture(scope="module")
def later(airflow_platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plant's traps up to `FIRST_NEWS`, published; the folder of what is measured after it."""
    known, later = tmp_path_factory.mktemp("known"), tmp_path_factory.mktemp("later")
    plant = airflow_platform.plant
    simulate(
        plant, known, start=FIRST, months=MONTHS, seed=SEED, factories=[FACTORY], faults=FaultRates.none(),
        workers=1,
    )  # fmt: skip
    for path in sorted(known.glob("raw/**/date=*/*")):
        if "raw/steam_trap/" in path.as_posix() and path.parent.name > f"date={FIRST_NEWS}":
            moved = later / path.relative_to(known)
            moved.parent.mkdir(parents=True, exist_ok=True)
            path.rename(moved)
        elif "raw/steam_trap/" not in path.as_posix():
            path.unlink()
    truth = sorted(known.glob("truth/events/steam_trap/**/*.parquet"))
    pd.concat([pd.read_parquet(path) for path in truth]).drop_duplicates().to_parquet(later / "truth.parquet")
    land_tree(airflow_platform.lake, known)
    ingest_factory(airflow_platform, FACTORY)
    return later


@pytest.fixture(scope="module")
def mail(airflow_stack: Stack) -> Iterator[Mailbox]:
    """What the connection `fems_smtp` sent to a real SMTP server."""
    api = airflow_stack.airflow()
    with smtp_server() as (box, port):
        api.call(
            "POST",
            "connections",
            json={
                "connection_id": "fems_smtp",
                "conn_type": "smtp",
                "host": "127.0.0.1",
                "port": port,
                "extra": json.dumps(
                    {
                        "from_email": "fems@example.com",
                        "to_email": "plant@example.com",
                        "disable_ssl": True,
                        "disable_tls": True,
                    }
                ),
            },
        )
        yield box
        api.call("DELETE", "connections/fems_smtp")


def told(box: Mailbox) -> list[str]:
    """The mails of the Dag's runs so far; other Dags may send some, too."""
    mails = [(sender, to, html_of(mail), mail["Subject"]) for sender, to, mail in box.mails]
    ours = [mail for mail in mails if "/dags/traps/runs/" in mail[2]]
    for sender, to, _, subject in ours:
        assert (sender, to) == ("fems@example.com", ["plant@example.com"]) and FACTORY in subject
    return [html for _, _, html, _ in ours]


def watched(stack: Stack, box: Mailbox) -> str:
    """Run the Dag for the factory; return all that was told by then and not before.

    Let loose within hours of its time of day, the Dag also starts a run of its own, which then tells first.
    """
    before = len(told(box))
    run_id = start(stack, "traps", {"factories": [FACTORY]})
    assert ended(stack, "traps", run_id, patience=180)["state"] == "success"
    deadline = time.monotonic() + 60
    while not any(quote(run_id, safe="") in html for html in told(box)):
        assert time.monotonic() < deadline, "no mail came"
        time.sleep(0.5)
    return "".join(told(box)[before:])


@pytest.fixture(scope="module")
def mails(airflow_stack: Stack, airflow_platform: Platform, later: Path, mail: Mailbox) -> list[str]:
    """What was told of the first days, and what after all the rest was measured."""
    first = watched(airflow_stack, mail)
    land_tree(airflow_platform.lake, later)
    ingest_factory(airflow_platform, FACTORY)
    second = watched(airflow_stack, mail)
    assert len(told(mail)) == len(airflow_stack.airflow().runs("traps")), "one mail a run"
    return [first, second]


def test_the_simulated_failures_are_found(airflow_platform: Platform, later: Path, mails: list[str]) -> None:
    zone = airflow_platform.plant.factory(FACTORY).timezone
    truth = pd.read_parquet(later / "truth.parquet")
    failures = truth[truth["kind"].isin(["blocked", "flooded", "leak", "blow_through"])]
    assert len(failures) == 2
    events = event_rows(airflow_platform, [FACTORY])
    assert len(events) == 2, "nothing else is an alarm: not the boiler's trip, not the stop"
    for _, failure in failures.iterrows():
        (event,) = [event for event in events if event["trap_id"] == failure["trap_id"]]
        begun = failure["start"].tz_convert(zone).date()
        assert abs(event["start"] - begun) <= timedelta(days=2)
        assert event["detected"] - begun <= timedelta(days=4)
        assert (event["kind"] in LEAKS) == (failure["kind"] in ("leak", "blow_through"))


def test_each_opening_and_closing_is_one_mail(airflow_platform: Platform, mails: list[str]) -> None:
    leak, blocked = event_rows(airflow_platform, [FACTORY])
    first, second = mails
    found = f"{blocked['trap_id']}: blocked or flooded since {blocked['start']}"
    assert first.count(f"{found}, confidence") == 1 and f"{found}, confidence" not in second
    assert leak["trap_id"] not in first and "See whether its valve is open" in first
    assert second.count(f"{found}, over on {blocked['end']} (recovered)") == 1
    assert second.count(f"{leak['trap_id']}: suspected leak since {leak['start']}, confidence") == 1
    assert "kg/h of steam" in second and "Confirm by ultrasound before replacing" in second


def test_the_work_list_comes_as_excel(airflow_stack: Stack, mails: list[str]) -> None:
    root = airflow_stack.config.airflow_url
    with httpx.Client(trust_env=False, timeout=60) as client:
        address = f"{root}/fems/traps/{FACTORY}/worklist.xlsx"
        assert client.get(address).status_code == 401, "who is not logged in reads nothing"
        answer = client.get(address, headers={"authorization": f"Bearer {airflow_stack.airflow().token()}"})
    assert answer.status_code == 200
    table = pd.read_excel(io.BytesIO(answer.content), engine="openpyxl")
    assert table["state"].tolist() == ["suspected leak"] and table["상태"].tolist() == ["누설 의심"]
    assert "ultrasound" in table["to do"][0] and table["일 비용 cost a day"][0] > 0


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)")
@pytest.mark.parametrize("width", [390, 1440])
def test_the_page_is_seen_in_a_browser(
    airflow_stack: Stack, airflow_platform: Platform, mails: list[str], width: int, tmp_path: Path
) -> None:
    root = airflow_stack.config.airflow_url
    browser = Browser()
    try:
        browser.remember(root, "_token", airflow_stack.airflow().token())
        browser.open(f"{root}/fems/traps/{FACTORY}?lang=ko", width)
        text = browser.run("document.querySelector('main').innerText")
        for words in ("누설 의심", "교체 전에 초음파로 확인", "하루 손실", "KRW", "모의 데이터"):
            assert words in text
        korean = browser.picture()
        browser.run("document.querySelector('label[lang=en]').click()")
        text = browser.run("document.querySelector('main').innerText")
        for words in (
            "suspected leak",
            "Confirm by ultrasound before replacing",
            "Loss a day",
            "simulated data",
        ):
            assert words in text
        assert browser.run("/[가-힣]/.test(document.querySelector('main').innerText)") is False
        english = browser.picture()
        for language, picture in (("ko", korean), ("en", english)):
            (tmp_path / f"{language}-{width}.png").write_bytes(picture)
        assert korean != english and min(len(korean), len(english)) > 30_000, "a page that is more than blank"
        traps = list(airflow_platform.plant.factory(FACTORY).steam_traps)
        shown = browser.run("[...document.querySelectorAll('.trap')].map(t => t.id).join()").split(",")
        assert sorted(shown) == sorted(traps) and shown[0] == "2120-T01", "what costs most comes first"
        lines = "[...document.querySelectorAll('.trap')].map(t => t.querySelectorAll('svg polyline').length)"
        assert min(browser.run(lines)) >= 2, "a temperature and its baseline in each chart"
        smallest = """[...document.querySelectorAll('svg text')]
            .map(t => parseFloat(getComputedStyle(t).fontSize) * Math.hypot(t.getCTM().a, t.getCTM().b))
            .sort((a, b) => a - b)[0]"""
        assert browser.run(smallest) > 8, "the smallest text of a chart, CSS pixels"
        assert browser.run("document.documentElement.scrollWidth") <= width, "nothing sticks out sideways"
        assert browser.said == []
        assert all(address.startswith((root, "data:")) for address in browser.requests), browser.requests
    finally:
        browser.close()
