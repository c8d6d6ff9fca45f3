"""The ways that a message goes out: each an Airflow connection, found by its ID; none that is there means none used."""

import logging
from collections.abc import Callable
from email.utils import getaddresses
from html import escape

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException

from fems.monitor.notices import Message

log = logging.getLogger(__name__)

SMTP, SLACK, WEBHOOK = "fems_smtp", "fems_slack", "fems_webhook"
"""IDs of the connections; their types are smtp, slackwebhook and http."""

_TIMEOUT_S = 10
"""Callbacks hold up what runs them; a server that is slower than this is as good as down."""


def send(message: Message) -> list[str]:
    """Send a message by every connection that there is.

    A way that fails is logged and does not keep the others from being tried: nobody's run fails for it.

    Returns:
        The connections by which it went out.
    """
    done = []
    for conn_id, way in _WAYS.items():
        try:
            connection = _find(conn_id)
            if connection is None:
                continue
            way(message, connection)
        except Exception as error:  # each provider raises its own kinds
            log.error("connection %s: %r was not sent: %s", conn_id, message.subject, error)
        else:
            done.append(conn_id)
    log.info(
        "%r: sent by %s", message.subject, ", ".join(done) or "nothing, no connection is configured or works"
    )
    return done


def _find(conn_id: str) -> Connection | None:
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        return None


def _smtp(message: Message, connection: Connection) -> None:
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    given = connection.extra_dejson.get("to_email") or connection.extra_dejson.get("from_email") or ""
    # newer Pythons make an empty address of an empty or wrong one
    to = [address for _, address in getaddresses([given] if isinstance(given, str) else given) if address]
    if not to:
        raise ValueError('its Extra names nobody: add "to_email": "somebody@example.com, ..."')
    with SmtpHook(smtp_conn_id=SMTP) as hook:
        hook.send_email_smtp(to=to, subject=message.subject, html_content=message.html)


def _slack(message: Message, connection: Connection) -> None:
    from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook

    hook = SlackWebhookHook(slack_webhook_conn_id=SLACK, timeout=_TIMEOUT_S)
    # Slack reads <...> as links and calls to everybody; what came from a file is neither.
    hook.send(text=escape(f"*{message.subject}*\n{message.text}", quote=False))


def _webhook(message: Message, connection: Connection) -> None:
    from airflow.providers.http.hooks.http import HttpHook

    hook = HttpHook(method="POST", http_conn_id=WEBHOOK)
    # The host of the connection holds the whole address; HttpHook would put a slash after it.
    # Elsewhere than where its administrator sent it, no message goes.
    options = {"timeout": _TIMEOUT_S, "allow_redirects": False}
    answer = hook.run(endpoint=None, json=message.as_dict(), extra_options=options)
    if 300 <= answer.status_code < 400:
        raise ValueError(f"it answers {answer.status_code}, see elsewhere: write the address itself")


_WAYS: dict[str, Callable[[Message, Connection], None]] = {SMTP: _smtp, SLACK: _slack, WEBHOOK: _webhook}
