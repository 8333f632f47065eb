"""A store that is not there: S3's answers about objects whose content a function gives.

As much of the API as reading needs, and writing small objects: it is for inputs that are too many
to be written for a test. Objects that are written are kept in memory.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE = 1000
MODIFIED = "Mon, 01 Jan 2024 00:00:00 GMT"


class StandIn(ThreadingHTTPServer):
    """The server.

    Attributes:
        objects: `<bucket>/<key>` to content.
        delay: Seconds before each answer.
        withheld: Those of the objects that it lists and does not give.
        requests: Verb to how many there were; `LIST` for pages of listings.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, objects: Mapping[str, bytes], delay: float) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects = dict(objects)
        self.sorted = sorted(self.objects)
        self.delay = delay
        self.withheld: set[str] = set()
        self.requests: Counter[str] = Counter()

    @property
    def spec(self) -> dict[str, Any]:
        """The `store` object of a job's spec."""
        host, port = self.server_address[:2]
        return {
            "endpoint": f"http://{host!s}:{port}",
            "region": "us-east-1",
            "accessKey": "key",
            "secretKey": "secret",
            "pathStyle": True,
        }


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    server: StandIn

    def do_HEAD(self) -> None:
        self.give("HEAD")

    def do_GET(self) -> None:
        if "list-type" in self.path:
            self.list()
        else:
            self.give("GET")

    def do_PUT(self) -> None:
        self.count("PUT")
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.objects[self.key] = content
        self.answer(200, b"", {"ETag": '"0"'})

    @property
    def key(self) -> str:
        return unquote(urlsplit(self.path).path)[1:]

    def count(self, verb: str) -> None:
        self.server.requests[verb] += 1
        time.sleep(self.server.delay)

    def give(self, verb: str) -> None:
        self.count(verb)
        content = self.server.objects.get(self.key)
        if content is None:
            self.answer(404, b"" if verb == "HEAD" else b"<Error><Code>NoSuchKey</Code></Error>")
            return
        if self.key in self.server.withheld:
            self.answer(403, b"", with_body=False)
            return
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        headers = {"ETag": '"0"', "Last-Modified": MODIFIED}
        if asked and verb == "GET":
            first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            self.answer(206, content[first : last + 1], headers)
        else:
            self.answer(200, content, headers, with_body=verb == "GET")

    def list(self) -> None:
        self.count("LIST")
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        bucket = self.key.strip("/")
        prefix = f"{bucket}/{query.get('prefix', '')}"
        below = [key for key in self.server.sorted if key.startswith(prefix)]
        start = int(query.get("continuation-token", "0"))
        page = below[start : start + min(PAGE, int(query.get("max-keys", PAGE)))]
        more = start + len(page) < len(below)
        rows = "".join(
            f"<Contents><Key>{escape(key[len(bucket) + 1 :])}</Key>"
            f"<LastModified>2024-01-01T00:00:00.000Z</LastModified>"
            f"<Size>{len(self.server.objects[key])}</Size></Contents>"
            for key in page
        )
        token = (
            f"<NextContinuationToken>{start + len(page)}</NextContinuationToken>" if more else ""
        )
        body = (
            f"<ListBucketResult><Name>{bucket}</Name><KeyCount>{len(page)}</KeyCount>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}</ListBucketResult>"
        )
        self.answer(200, body.encode(), {"Content-Type": "application/xml"})

    def answer(
        self,
        code: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        with_body: bool = True,
    ) -> None:
        self.send_response(code)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def stand_in(objects: Mapping[str, bytes], delay: float = 0.0) -> Iterator[StandIn]:
    """Run a store until the end of the block."""
    server = StandIn(objects, delay)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
