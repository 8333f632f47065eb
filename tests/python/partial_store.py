"""A store that speaks a part of S3: in front of a real one, it refuses some requests.

It knows neither deletes of many objects by one request (DeleteObjects) nor checksums in headers or
trailers, and answers as stores do that have never heard of them.
"""

from __future__ import annotations

import http.client
import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

ERROR = b"<Error><Code>NotImplemented</Code><Message>not here</Message></Error>"
BUSY = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"


class PartialStore(ThreadingHTTPServer):
    """The server.

    Attributes:
        refused: What it was asked for and does not know: `delete` or the header's name.
        busy: Every how manieth request it refuses for now (SlowDown); 0 for none.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behind = behind
        self.refused: list[str] = []
        self.busy = 0
        self.asked = itertools.count(1)


class Handler(BaseHTTPRequestHandler):
    """Passes a request on, with its signature, or refuses it."""

    protocol_version = "HTTP/1.1"
    server: PartialStore

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.busy and next(self.server.asked) % self.server.busy == 0:
            self.reply(503, {"Content-Type": "application/xml"}, BUSY)
            return
        unknown = self.unknown()
        if unknown:
            self.server.refused.append(unknown)
            self.reply(501, {"Content-Type": "application/xml"}, ERROR)
            return
        behind = http.client.HTTPConnection(self.server.behind)
        behind.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            behind.putheader(name, value)
        behind.endheaders(body)
        answer = behind.getresponse()
        self.reply(answer.status, dict(answer.getheaders()), answer.read())
        behind.close()

    def do_GET(self) -> None:
        self.pass_on()

    def do_HEAD(self) -> None:
        self.pass_on()

    def do_PUT(self) -> None:
        self.pass_on()

    def do_POST(self) -> None:
        self.pass_on()

    def do_DELETE(self) -> None:
        self.pass_on()

    def unknown(self) -> str | None:
        if self.command == "POST" and "delete" in urlsplit(self.path).query.split("&")[0]:
            return "delete"
        names = [name.lower() for name in self.headers]
        words = ("x-amz-checksum-", "x-amz-sdk-checksum-", "x-amz-trailer")
        return next((name for name in names if name.startswith(words) and "mode" not in name), None)

    def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        length = headers.get("Content-Length", str(len(body)))
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", length if self.command == "HEAD" else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def partial_store(store: dict[str, Any]) -> Iterator[tuple[PartialStore, dict[str, Any]]]:
    """Put such a store in front of a real one.

    Args:
        store: The `store` object of a job's spec.

    Yields:
        The server, and the `store` object by which it is reached, its missing parts switched off.
    """
    server = PartialStore(urlsplit(store["endpoint"]).netloc)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield server, {**store, "endpoint": endpoint, "bulkDelete": False, "checksums": False}
    finally:
        server.shutdown()
        server.server_close()
