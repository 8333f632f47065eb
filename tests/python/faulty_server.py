"""An HTTP server on loopback that serves files, with Range, and does wrong what it is told to."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Fault = Callable[["Handler", bytes], None]
"""Answers one request in place of the server; gets the file's content."""


@dataclass
class FaultyServer:
    """What is served, and what was asked for.

    Attributes:
        files: Path, with the slash before it, to content.
        faults: Path to what answers its next requests, one each; after them all is well.
        asked: Path and Range header ("" for none) of each request so far.
        told: Headers of every right answer, by path.
    """

    port: int = 0
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    told: dict[str, dict[str, str]] = field(default_factory=dict)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: FaultyServer

    def do_GET(self) -> None:
        self.state.asked.append((self.path, self.headers.get("Range", "")))
        content = self.state.files.get(self.path)
        if content is None:
            status(404)(self, b"")
            return
        faults = self.state.faults.get(self.path, [])
        (faults.pop(0) if faults else right)(self, content)

    def head(self, code: int, length: int, **headers: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(length))
        for name, value in {**self.state.told.get(self.path, {}), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def right(handler: Handler, content: bytes) -> None:
    """The file, or the rest of it that was asked for."""
    found = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    condition = handler.headers.get("If-Range", etag(content))
    start = int(found.group(1)) if found and condition == etag(content) else 0
    if start >= len(content):
        handler.head(416, 0, Content_Range=f"bytes */{len(content)}")
        return
    told = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if start else {}
    handler.head(206 if start else 200, len(content) - start, ETag=etag(content), **told)
    handler.wfile.write(content[start:])


def without_range(handler: Handler, content: bytes) -> None:
    """The whole file, whatever was asked for."""
    handler.head(200, len(content), ETag=etag(content))
    handler.wfile.write(content)


def drops_after(share: float, serve: Fault = right) -> Fault:
    """Ends the connection within the file, after a share of what it said it would send."""

    def fault(handler: Handler, content: bytes) -> None:
        whole, file = handler.wfile, _Collected()
        handler.wfile = file  # type: ignore[assignment]
        serve(handler, content)
        handler.wfile = whole
        head, _, body = file.data.partition(b"\r\n\r\n")
        whole.write(head + b"\r\n\r\n" + body[: int(len(body) * share)])
        handler.close_connection = True

    return fault


def stalls_after(share: float) -> Fault:
    """Sends a share of the file, then nothing, and does not end the connection."""

    def fault(handler: Handler, content: bytes) -> None:
        handler.head(200, len(content), ETag=etag(content))
        handler.wfile.write(content[: int(len(content) * share)])
        handler.wfile.flush()
        handler.state.ended.wait()
        handler.close_connection = True

    return fault


def drips(handler: Handler, content: bytes) -> None:
    """Sends a byte at a time, often enough that no read times out."""
    handler.head(200, len(content), ETag=etag(content))
    for at in range(len(content)):
        if handler.state.ended.wait(0.05):
            break
        try:
            handler.wfile.write(content[at : at + 1])
        except OSError:
            break
    handler.close_connection = True


def status(code: int, **headers: str) -> Fault:
    """An error."""

    def fault(handler: Handler, _content: bytes) -> None:
        handler.head(code, 0, **headers)

    return fault


def other(content: bytes, whole: bool = True) -> Fault:
    """Another file, or the rest of another where a rest is asked for and `whole` is false."""

    def fault(handler: Handler, _content: bytes) -> None:
        if whole:
            without_range(handler, content)
        else:
            del handler.headers["If-Range"]
            right(handler, content)

    return fault


class _Collected:
    """Takes what is written."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)

    def flush(self) -> None:
        pass


@contextmanager
def serving() -> Iterator[FaultyServer]:
    """Serve on a free port, until the end of the block."""
    state = FaultyServer()
    handler = type("StateHandler", (Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield state
    finally:
        state.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
