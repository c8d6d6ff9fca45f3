"""A real SMTP server for tests, and what it received."""

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller

from embedded.ports import free_ports


class Mailbox:
    """What an SMTP server received: (sender, recipients, mail)."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, list[str], Any]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        parsed = message_from_bytes(envelope.content, policy=default)
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, parsed))
        return "250 OK"


def html_of(mail: EmailMessage) -> str:
    """The HTML part of a mail."""
    (html,) = [part.get_content() for part in mail.walk() if part.get_content_type() == "text/html"]
    return html


@contextmanager
def smtp_server() -> Iterator[tuple[Mailbox, int]]:
    """Run a server on a free port of this machine; yield what it receives, and the port."""
    box = Mailbox()
    (port,) = free_ports(1)  # the controller knocks at the port it was given, and 0 is none
    server = Controller(box, hostname="127.0.0.1", port=port)
    server.start()
    try:
        yield box, port
    finally:
        server.stop()
