"""Notices arrive: at a real SMTP server and real webhooks, through connections as Airflow finds them."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from inbox import Mailbox, html_of, smtp_server
from support import ROOT

from fems.monitor import notices


class Hooks(ThreadingHTTPServer):
    """What a webhook received: (path, headers, body)."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any, Any]] = []
        self.answer = 200
        self.elsewhere = ""
        super().__init__(("127.0.0.1", 0), _Hook)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server: Any = self.server
        server.calls.append((self.path, self.headers, body))
        self.send_response(server.answer)
        if server.elsewhere:
            self.send_header("Location", server.elsewhere)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    with smtp_server() as received:
        yield received


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    server = Hooks()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def channels(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.syspath_prepend(str(ROOT / "plugins"))
    for name in ("SMTP", "SLACK", "WEBHOOK"):
        monkeypatch.delenv(f"AIRFLOW_CONN_FEMS_{name}", raising=False)
    from fems_airflow import channels

    return channels


def connect(monkeypatch: pytest.MonkeyPatch, name: str, **connection: Any) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_FEMS_{name}", json.dumps(connection))


def smtp(monkeypatch: pytest.MonkeyPatch, port: int, **extra: Any) -> None:
    extra = {"from_email": "fems@example.com", "disable_ssl": True, "disable_tls": True, **extra}
    connect(monkeypatch, "SMTP", conn_type="smtp", host="127.0.0.1", port=port, extra=extra)


def message() -> notices.Message:
    found = [
        notices.of_failure("1120", "QualityFailed: factory 1120, 2025-07: not published"),
        notices.of_failure("2140 프레스", "ServiceUnavailable: MinIO did not answer"),
    ]
    made = notices.compose(found, "http://airflow.example.com/dags/ingest/runs/r1")
    assert made is not None
    return made


def test_nothing_configured_sends_nothing_and_is_no_error(channels: Any) -> None:
    assert channels.send(message()) == []


def test_one_mail_tells_all(channels: Any, mailbox: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    box, port = mailbox
    smtp(monkeypatch, port, to_email="Ann <ann@example.com>, bob@example.com")
    assert channels.send(message()) == ["fems_smtp"]
    ((sender, to, mail),) = box.mails
    assert (sender, to) == ("fems@example.com", ["ann@example.com", "bob@example.com"])
    assert mail["Subject"] == message().subject
    html = html_of(mail)
    for told in ("QualityFailed: factory 1120", "2140 프레스", "corrected file", message().link):
        assert told in html


def test_a_webhook_gets_json_with_its_own_headers(
    channels: Any, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(
        monkeypatch,
        "WEBHOOK",
        conn_type="http",
        host=f"{hooks.url}/teams/in?key=1",
        extra={"X-Token": "not-a-secret"},
    )
    assert channels.send(message()) == ["fems_webhook"]
    ((path, headers, body),) = hooks.calls
    assert path == "/teams/in?key=1" and headers["X-Token"] == "not-a-secret"
    assert headers["Content-Type"] == "application/json"
    assert body == message().as_dict()


def test_slack_gets_one_text(channels: Any, hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, "SLACK", conn_type="slackwebhook", host=f"{hooks.url}/services", password="T0/B0/x")
    assert channels.send(message()) == ["fems_slack"]
    ((path, _, body),) = hooks.calls
    assert path == "/services/T0/B0/x"
    assert body["text"].startswith(f"*{message().subject}*") and message().link in body["text"]


@pytest.mark.security
def test_what_a_file_says_changes_neither_a_mail_nor_a_call(
    channels: Any, mailbox: Any, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    box, port = mailbox
    smtp(monkeypatch, port, to_email="ann@example.com")
    connect(monkeypatch, "SLACK", conn_type="slackwebhook", host=f"{hooks.url}/services", password="T0/B0/x")
    about = "1100\r\nBcc: everybody@example.com\r\n\r\n<img src=x>"
    error = "DataError: <!channel> <http://evil.example.com|click> <script>"
    hostile = notices.compose([notices.of_failure(about, error)], "http://airflow.example.com")
    assert channels.send(hostile) == ["fems_smtp", "fems_slack"]
    ((_, to, mail),) = box.mails
    assert to == ["ann@example.com"] and mail["Bcc"] is None
    (html,) = [part.get_content() for part in mail.walk() if part.get_content_type() == "text/html"]
    assert "<img" not in html and "<script>" not in html
    ((_, _, body),) = hooks.calls
    assert "<" not in body["text"] and "&lt;!channel&gt;" in body["text"]


@pytest.mark.security
def test_a_webhook_that_sends_elsewhere_is_not_followed(
    channels: Any, hooks: Hooks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hooks.answer, hooks.elsewhere = 307, f"{hooks.url}/latest/meta-data"
    connect(monkeypatch, "WEBHOOK", conn_type="http", host=f"{hooks.url}/in")
    assert channels.send(message()) == []
    assert [path for path, _, _ in hooks.calls] == ["/in"] and "write the address itself" in caplog.text


def test_a_way_that_fails_keeps_no_other_from_being_tried(
    channels: Any,
    mailbox: Any,
    hooks: Hooks,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    box, port = mailbox
    smtp(monkeypatch, port, from_email="", to_email="")
    hooks.answer = 400
    connect(monkeypatch, "SLACK", conn_type="slackwebhook", host=hooks.url, password="T0/B0/x")
    connect(monkeypatch, "WEBHOOK", conn_type="http", host=f"{hooks.url}/in")
    assert channels.send(message()) == [] and box.mails == [] and len(hooks.calls) == 2
    assert "to_email" in caplog.text
    smtp(monkeypatch, port, to_email="ann@example.com")
    assert channels.send(message()) == ["fems_smtp"] and len(box.mails) == 1


def test_a_missed_deadline_is_told_as_airflow_calls_it_back(
    channels: Any, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.sdk.module_loading import import_string

    from fems_airflow.deadlines import done_within

    connect(monkeypatch, "WEBHOOK", conn_type="http", host=f"{hooks.url}/in")
    callback = done_within(hours=3).callback
    context = {"dag_run": {"dag_id": "ingest", "dag_run_id": "scheduled__1"}, "deadline": {"id": "1"}}

    async def triggered() -> None:
        await import_string(callback.path)(**callback.kwargs, context=context)

    asyncio.run(triggered())
    ((_, _, body),) = hooks.calls
    assert body["notices"][0]["kind"] == "late" and "scheduled__1 is not done after 3 h" in body["text"]
    assert body["link"].endswith("/dags/ingest/runs/scheduled__1")
