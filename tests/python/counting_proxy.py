"""An HTTP proxy before a store on loopback, which sees how many images are fetched at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HELD_SECONDS = 0.05
"""How long each image is held back, so that those which are asked for together meet."""
OF_A_HOP = {"connection", "expect", "keep-alive", "transfer-encoding"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: str
    lock: threading.Lock
    fetching: int
    most: int

    def forward(self) -> None:
        # The inspection reads first bytes, by a range.
        whole = self.command == "GET" and "Range" not in self.headers
        image = whole and urlsplit(self.path).path.endswith(".jpg")
        if image:
            self._count(1)
            time.sleep(HELD_SECONDS)
        # The store checks the signature of the Host that the client has asked for.
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in OF_A_HOP
        }
        connection = HTTPConnection(self.store)
        connection.request(self.command, self.path, self._body(), headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if image:
            self._count(-1)
        self.send_response_only(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in OF_A_HOP:
                self.send_header(name, value)
        if "Content-Length" not in answer.headers and answer.status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = forward  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers
        return b"".join(parts)

    def _count(self, more: int) -> None:
        kind = type(self)
        with self.lock:
            kind.fetching += more
            kind.most = max(kind.most, kind.fetching)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def counting_proxy(endpoint: str) -> Iterator[tuple[str, type[Handler]]]:
    """Its address; and `most`, the images that were fetched at a time."""
    state = {
        "store": urlsplit(endpoint).netloc,
        "lock": threading.Lock(),
        "fetching": 0,
        "most": 0,
    }
    counting = type("Counting", (Handler,), state)
    server = ThreadingHTTPServer(("127.0.0.1", 0), counting)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", counting
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
