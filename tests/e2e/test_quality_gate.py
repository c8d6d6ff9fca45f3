"""Airflow runs `ingest` on three factories, one of them damaged: two are published, one is not, and says why."""

from datetime import UTC, date, datetime

import httpx
import pytest
from browser import CHROMIUM, Browser
from dagruns import ended, start

from embedded.stack import Stack
from fems.flows.land import land_tree
from fems.flows.platform import Platform
from fems.lake import keys
from fems.simulate import simulate

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

FACTORIES = ["1120", "2140", "2160"]
DAMAGED = "2140"
MONTH = "2024-06"  # no other test has it


@pytest.fixture(scope="module")
def platform(airflow_platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    folder = tmp_path_factory.mktemp("plant")
    plant = airflow_platform.plant
    simulate(plant, folder, start=date(2024, 6, 1), months=1, seed=3, factories=FACTORIES, workers=1)
    land_tree(airflow_platform.lake, folder)
    return airflow_platform


@pytest.fixture(scope="module")
def damaged_run(airflow_stack: Stack, platform: Platform) -> tuple[str, dict[str, str]]:
    """A run after which one factory's month would be nearly empty; its ID, and what was published before."""
    first = ended(airflow_stack, "ingest", start(airflow_stack, "ingest", {"factories": FACTORIES}))
    assert first["state"] == "success"
    before = {f: platform.lake.manifests("meter", f)[MONTH].fingerprint for f in FACTORIES}
    for factory in FACTORIES:
        for raw in platform.lake.raw_objects("meter", factory):
            if f"{raw.day:%Y-%m}" != MONTH:
                continue
            if factory == DAMAGED:  # the collector sends its files again, and has lost the meters
                header, *lines = platform.lake.store.get(raw.key).decode("utf-8-sig").splitlines()
                gone = [
                    ",".join([*line.split(",")[:3], *["ERR"] * (header.count(",") - 2)]) for line in lines
                ]
                platform.lake.store.put(raw.key, "\n".join([header, *gone, ""]).encode())
        # and news of the others, so that all three are to be made anew
        day = date(2024, 6, 30)
        platform.lake.store.put(keys.raw_key("meter", factory, day, "zz_note.csv"), b"")
        # the collector does not land its files itself, and says so
        platform.lake.indexes.mark("meter", factory, [MONTH], datetime.now(UTC))
    run_id = start(airflow_stack, "ingest", {"factories": FACTORIES})
    assert ended(airflow_stack, "ingest", run_id)["state"] == "failed"
    return run_id, before


def test_two_are_published_and_the_damaged_one_is_not(
    airflow_stack: Stack, platform: Platform, damaged_run: tuple[str, dict[str, str]]
) -> None:
    run_id, before = damaged_run
    tasks = airflow_stack.airflow().task_instances("ingest", run_id, task_id="ingest_factories")
    states = {factory: t["state"] for t in tasks for factory in t["rendered_map_index"].split(", ")}
    assert states.keys() == set(FACTORIES) and states[DAMAGED] == "failed"
    (failed,) = [t for t in tasks if t["state"] == "failed"]
    done = airflow_stack.airflow().returned(failed)["factories"]
    assert {*done, DAMAGED} == set(failed["rendered_map_index"].split(", ")), (
        "the others of its group are done"
    )
    assert all(t["try_number"] == 1 for t in tasks), "bad data is not worth a retry"
    for factory, fingerprint in before.items():
        now = platform.lake.manifests("meter", factory)[MONTH].fingerprint
        assert (now == fingerprint) == (factory == DAMAGED)
    served = platform.lake.published("meter", "hour", DAMAGED, [MONTH]).to_pandas()
    assert served["used_kwh"].notna().mean() > 0.95, "the last good partition is served"


def test_the_message_names_the_expectation_the_rows_and_examples(
    airflow_stack: Stack, damaged_run: tuple[str, dict[str, str]]
) -> None:
    api = airflow_stack.airflow()
    tasks = api.task_instances("ingest", damaged_run[0], task_id="ingest_factories")
    (failed,) = [t for t in tasks if t["state"] == "failed"]
    log = api.call(
        "GET",
        f"dags/ingest/dagRuns/{damaged_run[0]}/taskInstances/ingest_factories/logs/1",
        params={"map_index": failed["map_index"], "full_content": True},
    )
    text = str(log)
    assert f"factory {DAMAGED}, meter native, {MONTH}: not published" in text
    assert "expect_values_to_be_present(used_kwh)" in text and f"such as {DAMAGED}-M01 {MONTH}-01" in text


def test_the_task_and_the_run_lead_to_the_page(
    airflow_stack: Stack, damaged_run: tuple[str, dict[str, str]]
) -> None:
    api, run_id = airflow_stack.airflow(), damaged_run[0]
    tasks = api.task_instances("ingest", run_id, task_id="ingest_factories")
    (failed,) = [t for t in tasks if t["state"] == "failed"]
    links = api.call(
        "GET",
        f"dags/ingest/dagRuns/{run_id}/taskInstances/ingest_factories/links",
        params={"map_index": failed["map_index"]},
    )
    address = links["extra_links"]["Quality evaluation"]
    assert address.endswith(f"/fems/quality/{DAMAGED}"), (
        "three factories are three groups: the page of the one"
    )
    note = api.run("ingest", run_id)["note"]
    assert note is not None and "/fems/quality" in note

    with httpx.Client(trust_env=False, timeout=60) as anyone:
        assert anyone.get(address).status_code == 401, "who is not logged in reads nothing"
        sent = anyone.get(address, headers={"accept": "text/html"})
        assert sent.status_code == 307 and "/auth/login?next=" in sent.headers["location"]
        known = {"authorization": f"Bearer {api.token()}", "accept-language": "en"}
        page = anyone.get(address, headers=known)
        assert page.status_code == 200 and MONTH in page.text
        month = anyone.get(address.replace(DAMAGED, f"meter/{DAMAGED}/{MONTH}"), headers=known)
        assert "Not published: the last good tables still stand." in month.text
        assert "expect_values_to_be_present" in month.text
        docs = anyone.get(f"{address.replace(DAMAGED, f'meter/{DAMAGED}/{MONTH}')}/native", headers=known)
        assert docs.status_code == 200 and "Unsuccessful Expectations" in docs.text
        missing = anyone.get(address.replace(DAMAGED, f"meter/{DAMAGED}/1999-01"), headers=known)
        assert missing.status_code == 404 and "was not evaluated" in missing.text


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt-get install chromium)")
def test_the_page_is_seen_in_a_browser(airflow_stack: Stack, damaged_run: tuple[str, dict[str, str]]) -> None:
    api = airflow_stack.airflow()
    root = airflow_stack.config.airflow_url
    browser = Browser()
    try:
        browser.remember(root, "_token", api.token())
        browser.open(f"{root}/fems/quality/meter/{DAMAGED}/{MONTH}?lang=en", 1200)
        assert "Not published" in browser.run("document.body.innerText")
        assert browser.run("document.querySelectorAll('table.calendar td').length") >= 28
        browser.open(f"{root}/fems/quality/{DAMAGED}", 390)
        assert MONTH in browser.run("document.body.innerText")
        assert not browser.said, browser.said
        assert all(address.startswith((root, "data:")) for address in browser.requests), browser.requests
    finally:
        browser.close()
