"""One attempt to get a file by HTTP, which goes on where an earlier one ended.

What has arrived lies in `<name>.part`; beside it `<name>.part.json` says of which version of the
file it is, so that parts of two versions are never put together (RFC 9110, sections 13.1.5 and 14).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import requests
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from ...errors import UserError

_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
"""Answers after which the same request may succeed."""
_CHUNK = 1 << 18
_SHA256 = re.compile(r'"?([0-9a-f]{64})"?')

Progress = Callable[[int, "int | None"], None]
"""Gets the bytes that are there, and the file's size where the server says it."""


class InterruptedTransferError(Exception):
    """The attempt failed in a way in which the next one need not.

    Attributes:
        pause: Seconds that the server asks to wait before it, or None.
    """

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


class RefusedError(Exception):
    """The server answered, and asking again will not help."""


class ForbiddenError(RefusedError):
    """The server answered 403: the file is not there, or it was asked too often."""


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds if nothing else is said.

    Attributes:
        connect: For a connection.
        read: For the next bytes.
        window: How long a transfer may be slower than `min_rate`.
        min_rate: Bytes a second.
        attempts: Failed attempts in a row after which the download fails.
        progress: Bytes by which an attempt must be ahead of all earlier ones to start a new row.
        backoff: Doubled after each failed attempt; the first is followed by the second at once.
        limited: The first wait after a 403 that means too many requests; doubled after each.
        longest: The longest wait between attempts; a server that asks for more is not waited for.
    """

    connect: float = 10
    read: float = 30
    window: float = 60
    min_rate: int = 2000
    attempts: int = 6
    progress: int = 1 << 20
    backoff: float = 1
    limited: float = 30
    longest: float = 300


@dataclass(frozen=True)
class Version:
    """What the server says about a file, that distinguishes its versions.

    Attributes:
        url: Where it was asked for.
        etag: Its strong entity tag, or None.
        last_modified: Of the answer, or None.
        sha256: Of the content, where the server knows it: Hugging Face says it of large files, in
            the header X-Linked-Etag of its redirection.
    """

    url: str
    etag: str | None
    last_modified: str | None
    sha256: str | None

    @classmethod
    def of(cls, url: str, response: requests.Response) -> Version:
        """Read the headers of an answer and of the redirections before it."""
        etag = response.headers.get("ETag", "")
        linked = [answer.headers.get("X-Linked-Etag") for answer in (*response.history, response)]
        sha256 = [found.group(1) for tag in linked if tag and (found := _SHA256.fullmatch(tag))]
        return cls(
            url=url,
            etag=etag if etag.startswith('"') else None,
            last_modified=response.headers.get("Last-Modified"),
            sha256=sha256[0] if sha256 else None,
        )

    @property
    def condition(self) -> str | None:
        """The value of `If-Range` that makes a server send a rest of this version only."""
        return self.etag or self.last_modified

    def is_same(self, other: Version) -> bool:
        """Whether nothing speaks against it that the other is this version too."""
        pairs = zip(asdict(self).values(), asdict(other).values(), strict=True)
        return all(a is None or b is None or a == b for a, b in pairs)


def transfer(
    session: requests.Session, url: str, part: Path, patience: Patience, progress: Progress
) -> Version:
    """Get a file, or the rest of it, into `part`.

    Args:
        session: How to connect.
        url: The file.
        part: Where to; what is there of the same version is kept and not asked for again.
        patience: How long to wait.
        progress: Is called after each chunk.

    Returns:
        What the server said about the file, which now is as long as it said. It is not checked.

    Raises:
        InterruptedTransferError: It may go on later; `part` has what arrived.
        requests.RequestException: No connection, or it broke.
        urllib3.exceptions.HTTPError: The connection broke within the file.
        RefusedError: The server will not give it.
        UserError: The disk has no room for it.
    """
    known = _read_version(part, url)
    have = part.stat().st_size if known else 0
    headers = {"Accept-Encoding": "identity"}
    if known and have:
        headers["Range"] = f"bytes={have}-"
        if known.condition:
            headers["If-Range"] = known.condition
    timeout = (patience.connect, patience.read)
    with session.get(url, headers=headers, stream=True, timeout=timeout) as response:
        status, version = response.status_code, Version.of(url, response)
        if status in _TRANSIENT:
            reason = f"the server answers {_named(response)}"
            raise InterruptedTransferError(reason, _pause(response))
        if known and have and status == 416:  # asked for what comes after the last byte
            if _content_range(response)[1] == have:
                return known
            forget(part)
            raise InterruptedTransferError("the server has another version of the file now")
        if status == 206 and known and have:
            start, total = _content_range(response)
            if start != have or not known.is_same(version):
                forget(part)
                raise InterruptedTransferError("the server sends another part than was asked for")
            version = known
        elif status == 200:
            length = response.headers.get("Content-Length", "")
            have, total = 0, int(length) if length.isdigit() else None
            forget(part)
            _write_version(part, version)
        else:
            refusal = ForbiddenError if status == 403 else RefusedError
            raise refusal(f"the server answers {_named(response)}")
        _check_room(part, (total or 0) - have)
        with part.open("ab") as file:
            for chunk in _chunks(response, patience):
                file.write(chunk)
                have += len(chunk)
                progress(have, total)
            file.flush()
            os.fsync(file.fileno())
        if total is not None and have != total:
            raise InterruptedTransferError(f"the connection ended after {have} of {total} bytes")
        return version


def is_given(session: requests.Session, url: str, patience: Patience) -> bool:
    """Whether a server gives a file at all; its content is not read."""
    try:
        timeout = (patience.connect, patience.read)
        with session.get(url, stream=True, timeout=timeout) as response:
            return response.ok
    except requests.RequestException:
        return False


def forget(part: Path) -> None:
    """Remove what has arrived."""
    part.unlink(missing_ok=True)
    _about(part).unlink(missing_ok=True)


def _about(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_version(part: Path, url: str) -> Version | None:
    """Of what version the part is; None where going on with it would be unsafe."""
    try:
        version = Version(**json.loads(_about(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    safe = version.url == url and part.exists() and (version.condition or version.sha256)
    return version if safe else None


def _write_version(part: Path, version: Version) -> None:
    _about(part).write_text(json.dumps(asdict(version)), encoding="utf-8")


def _chunks(response: requests.Response, patience: Patience) -> Iterator[bytes]:
    """The body as it arrives, undecoded.

    Raises:
        InterruptedTransferError: It comes too slowly, though it does come.
    """
    began, received = time.monotonic(), 0
    while chunk := response.raw.read1(_CHUNK, decode_content=False):
        yield chunk
        received += len(chunk)
        if time.monotonic() - began >= patience.window:
            if received < patience.min_rate * patience.window:
                raise InterruptedTransferError(f"{received} bytes came in {patience.window:g} s")
            began, received = time.monotonic(), 0


def _check_room(part: Path, wanted: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if free < wanted:
        raise UserError(
            f"{free / 1e6:.0f} MB are free in {part.parent}, and {part.stem} takes "
            f"{wanted / 1e6:.0f} MB more.",
            "It would stop half-way on a full disk.",
            "Make room, or set ENGINE_COMPARISON_CACHE to a folder on another disk.",
        )


def _content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """First byte and size of the whole file, of `bytes 5-9/10`, `bytes 5-9/*` or `bytes */10`."""
    content_range = response.headers.get("Content-Range", "")
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", content_range)
    if not found:
        return None, None
    start, total = found.groups()
    return int(start) if start else None, int(total) if total else None


def _pause(response: requests.Response) -> float | None:
    """Seconds to wait by the header Retry-After, which has a number or a date."""
    try:
        return Retry().get_retry_after(response.raw)
    except InvalidHeader:
        return None


def _named(response: requests.Response) -> str:
    return f"{response.status_code} {response.reason}".strip()
