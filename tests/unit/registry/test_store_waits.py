"""A store that has just started calls every key wrong for a while: that is waited out, and a wrong key is told."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from fems.errors import AccessDenied
from fems.lake.store import MinioStore

PLACE = b"<LocationConstraint/>"
UNKNOWN = b"<Error><Code>InvalidAccessKeyId</Code><Message>no such key</Message></Error>"


@pytest.fixture
def starting() -> Iterator[tuple[str, list[int]]]:
    """An S3 server that does not know its accounts for the first requests: its address, how many are left."""
    left = [2]

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            left[0] -= 1
            known = left[0] < 0
            body = UNKNOWN if not known else PLACE if "location" in self.path else b"bytes"
            self.send_response(200 if known else 403)
            self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", left
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_account_that_is_not_known_yet_is_asked_for_again(starting: tuple[str, list[int]]) -> None:
    url, left = starting
    assert MinioStore(url, "fems-pages", "secret", "fems").get("raw/a") == b"bytes"
    left[0] = 10**6
    with pytest.raises(AccessDenied, match="InvalidAccessKeyId"):
        MinioStore(url, "fems-pages", "secret", "fems", patience=0).get("raw/a")
