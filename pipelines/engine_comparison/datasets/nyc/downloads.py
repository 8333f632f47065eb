"""Files of the net in a folder that all stacks share: whole and checked, or not there."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import requests
from urllib3.exceptions import HTTPError, IncompleteRead, MaxRetryError
from urllib3.util import Retry

from ...errors import UserError, one_line
from ..files import alone_in
from .transfer import (
    ForbiddenError,
    InterruptedTransferError,
    Patience,
    RefusedError,
    Version,
    forget,
    is_given,
    transfer,
)

_SAID_EVERY = 1.0
_BROKEN = (
    InterruptedTransferError,
    requests.ConnectionError,
    requests.Timeout,
    HTTPError,
)
"""After these the next attempt may succeed."""


@dataclass(frozen=True)
class Remote:
    """A file to download.

    Attributes:
        url: Where it is.
        check: Raises ValueError, OSError or pyarrow's errors where the file is not what it should
            be; gets its path.
        absent: What to do where the server has no such file, as a sentence.
        witness: The address of another file that the server has for sure; empty if none is known.
            A server that answers 403 for both has been asked too often.
    """

    url: str
    check: Callable[[Path], None]
    absent: str
    witness: str = ""

    @property
    def name(self) -> str:
        """The last part of its path."""
        return unquote(urlsplit(self.url).path).rpartition("/")[2]


class _WrongContentError(Exception):
    """A file has arrived whole and is not what it should be."""


class _LimitedError(InterruptedTransferError):
    """The server gives nothing for a while, because it was asked too often."""


class Downloads:
    """A folder of downloaded files, at `<host>/<path>` as in their addresses.

    A file is there only when it is whole: it arrives in `<name>.part`, is checked, and moved.
    `<name>.json` then has its address, size, SHA-256 and time, by which it is checked before each
    use. A file that somebody put there by hand is checked as if it had been downloaded.
    """

    def __init__(
        self, folder: Path, say: Callable[[str], None], patience: Patience | None = None
    ) -> None:
        """Keep the arguments; nothing is made or asked for.

        Args:
            folder: Where the files are.
            say: Is called with what goes on, at most once a second.
            patience: How long to wait for what.
        """
        self.folder = folder
        self.patience = patience or Patience()
        self._say = say

    def place(self, remote: Remote) -> Path:
        """Where a file is once it is there."""
        parts = urlsplit(remote.url)
        host = parts.netloc.rpartition("@")[2]
        return self.folder / host / unquote(parts.path).lstrip("/")

    def fetch(self, remotes: Sequence[Remote]) -> list[Path]:
        """Have some files, downloading those that are not there.

        Returns:
            Their paths, in the order given.

        Raises:
            UserError: One cannot be had, or is wrong. What has arrived is kept for the next time.
        """
        with requests.Session() as session:
            return [
                self._have(session, remote, f"file {at} of {len(remotes)}, {remote.name}")
                for at, remote in enumerate(remotes, 1)
            ]

    def _have(self, session: requests.Session, remote: Remote, words: str) -> Path:
        place = self.place(remote)
        place.parent.mkdir(parents=True, exist_ok=True)
        waiting = f"{words}: waiting for another download into {place.parent}"
        with alone_in(place.parent, lambda: self._say(waiting)):
            if not self._is_present(remote, words):
                self._download(session, remote, words)
        return place

    def _is_present(self, remote: Remote, words: str) -> bool:
        """Whether the file is there as it was when it was checked; a damaged one is removed."""
        place = self.place(remote)
        record = _record(place)
        if not place.exists():
            return False
        self._say(f"{words}: checking")
        try:
            noted = json.loads(record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._adopt(remote)
            return True
        if noted.get("bytes") == place.stat().st_size and noted.get("sha256") == _sha256(place):
            return True
        _log(f"{place} is not what was downloaded any more: downloading it again")
        place.unlink()
        record.unlink()
        return False

    def _adopt(self, remote: Remote) -> None:
        """Accept a file that was put there by hand, if it is what it should be."""
        place = self.place(remote)
        try:
            remote.check(place)
        except (ValueError, OSError, pa.ArrowException) as error:
            raise UserError(
                f"{place} is not what it should be: {one_line(error, 200)}.",
                "It was put there by hand, and every run would read it.",
                "Replace it by the right file, or remove it and it is downloaded.",
            ) from error
        _write_record(place, None)

    def _download(self, session: requests.Session, remote: Remote, words: str) -> None:
        """Have the file arrive, in as many attempts as it takes and patience allows."""
        place, patience = self.place(remote), self.patience
        part = place.with_name(f"{place.name}.part")
        fresh = Retry(
            total=patience.attempts - 1,
            backoff_factor=patience.backoff,
            backoff_max=patience.longest,
            backoff_jitter=patience.backoff / 2,
        )
        retries, furthest, wrong, limited = fresh, _size(part), 0, 0
        while True:
            try:
                version = self._attempt(session, remote, part, words)
                break
            except _WrongContentError as error:
                forget(part)
                reason, pause, furthest, wrong = str(error), 0.0, 0, wrong + 1
                if wrong == 2:  # once, parts of two files may have come together
                    raise self._failed(remote, reason) from error
            except _LimitedError as error:
                reason, pause = str(error), min(patience.limited * 2**limited, patience.longest)
                limited += 1
            except _BROKEN as error:
                reason, pause = _words(error), getattr(error, "pause", None) or 0.0
            if _size(part) >= furthest + patience.progress:
                retries, furthest = fresh, _size(part)
            try:
                retries = retries.increment("GET", remote.url)
            except MaxRetryError as error:
                failure = f"{reason}, {patience.attempts} times in a row"
                raise self._failed(
                    remote, failure, "Try again in an hour." * bool(limited)
                ) from error
            pause = max(pause, retries.get_backoff_time())
            if pause > patience.longest:
                raise self._failed(remote, f"{reason}, and asks to wait {pause:.0f} s")
            _log(f"{remote.url}: {reason}; again in {pause:.1f} s")
            self._say(f"{words}: {reason}; again in {pause:.0f} s")
            time.sleep(pause)
        part.rename(place)
        forget(part)
        _write_record(place, version)
        _log(f"{remote.url}: {place.stat().st_size} bytes")

    def _attempt(
        self, session: requests.Session, remote: Remote, part: Path, words: str
    ) -> Version:
        """One attempt; raises one of `_BROKEN` or _WrongContentError if another one makes sense."""
        try:
            progress = _Progress(words, self._say)
            version = transfer(session, remote.url, part, self.patience, progress)
        except RefusedError as error:
            forbidden = isinstance(error, ForbiddenError) and remote.witness
            if forbidden and not is_given(session, remote.witness, self.patience):
                reason = f"{error}, as it does when it was asked too often"
                raise _LimitedError(reason) from error
            raise self._failed(remote, str(error), remote.absent) from error
        except requests.exceptions.SSLError as error:
            hint = "Set SSL_CERT_FILE to the certificates that this network needs."
            raise self._failed(remote, _words(error), hint) from error
        except _BROKEN:
            raise
        except requests.RequestException as error:
            raise self._failed(remote, _words(error)) from error
        self._say(f"{words}: checking")
        _check(part, version, remote)
        return version

    def _failed(self, remote: Remote, reason: str, first: str = "") -> UserError:
        place = self.place(remote)
        do = (
            "Connect this machine to the internet (https_proxy is honoured), or set nycMirror, or "
            f"put the file at {place} by hand, or set datasetSource to sample."
        )
        return UserError(
            f"{remote.url} cannot be had: {one_line(reason, 200)}.",
            "With datasetSource nyc the data comes from there. What has arrived is kept.",
            f"{first} {do}".strip(),
        )


class _Progress:
    """Words about a transfer: how much, how fast, how long yet."""

    def __init__(self, words: str, say: Callable[[str], None]) -> None:
        self._words, self._say = words, say
        self._first: tuple[float, int] | None = None
        self._said = 0.0

    def __call__(self, have: int, total: int | None) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = (now, have)
        if now - self._said < _SAID_EVERY:
            return
        self._said = now
        began, before = self._first
        rate = (have - before) / (now - began) if now > began else 0.0
        parts = [f"{have / 1e6:.0f}{f' of {total / 1e6:.0f}' if total else ''} MB"]
        if rate > 0:
            parts.append(f"{rate / 1e6:.1f} MB/s")
            if total:
                minutes, seconds = divmod(round((total - have) / rate), 60)
                parts.append(f"{minutes}:{seconds:02d} left")
        self._say(f"{self._words}: {', '.join(parts)}")


def _check(part: Path, version: Version, remote: Remote) -> None:
    """See that a file that has arrived is what the server, and we, say it is.

    Raises:
        _WrongContentError: It is not.
    """
    if version.sha256 and (found := _sha256(part)) != version.sha256:
        raise _WrongContentError(f"its SHA-256 is {found}, and not {version.sha256}")
    try:
        remote.check(part)
    except (ValueError, OSError, pa.ArrowException) as error:
        raise _WrongContentError(one_line(error, 200)) from error


def _record(place: Path) -> Path:
    return place.with_name(f"{place.name}.json")


def _write_record(place: Path, version: Version | None) -> None:
    """Write down what a file is that has just been checked.

    Without this record the file counts as put there by hand, so nothing is lost in between.
    """
    record = {
        "url": version.url if version else None,
        "etag": version.etag if version else None,
        "lastModified": version.last_modified if version else None,
        "bytes": place.stat().st_size,
        "sha256": _sha256(place),
        "at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }
    new = _record(place).with_suffix(".new")
    new.write_text(json.dumps(record, indent=1), encoding="utf-8")
    new.rename(_record(place))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _size(path: Path) -> int:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _words(error: BaseException) -> str:
    """The innermost cause of a network's error in a few words."""
    causes = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    if isinstance(error, InterruptedTransferError):
        return str(error)
    for cause in causes:
        if isinstance(cause, IncompleteRead):
            return f"the connection ended {cause.expected} bytes too early"
    said = next((c.strerror for c in reversed(causes) if isinstance(c, OSError) and c.strerror), "")
    words = said or str(causes[-1])
    return f"the proxy: {words}" if isinstance(error, requests.exceptions.ProxyError) else words


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
