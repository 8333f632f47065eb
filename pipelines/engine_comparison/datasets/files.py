"""A dataset's folder: written beside its place, listed in a manifest, then moved there whole."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """What is in a dataset's folder, without the manifest itself.

    Attributes:
        files: How many files.
        size: Their sizes' sum in bytes.
        sha256: Of manifest.json.
    """

    files: int
    size: int
    sha256: str


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """Give a folder `<out>.tmp` to write into, and put it in the place of `out` at the end.

    When the body raises, `out` is what it was and nothing is left beside it. Of two processes that
    make the same folder, the second waits; what the first has made in the meantime is kept, as
    somebody may be reading it.

    Args:
        out: Where the folder is to be; what is there is replaced.

    Yields:
        The empty folder to write into.
    """
    part, old = out.with_name(f"{out.name}.tmp"), out.with_name(f"{out.name}.old")
    existed = out.exists()
    out.parent.mkdir(parents=True, exist_ok=True)
    with alone_in(out.parent):
        for folder in (part, old):
            shutil.rmtree(folder, ignore_errors=True)
        part.mkdir()
        try:
            yield part
            if existed and out.exists():
                out.rename(old)
            if not out.exists():
                part.rename(out)
        finally:
            shutil.rmtree(part, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def alone_in(folder: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a lock on a folder, which ends with the process at the latest.

    Args:
        folder: An existing folder.
        waiting: Is called where another process has the lock, before waiting for it.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_manifest(folder: Path) -> Manifest:
    """List all files of a folder in its manifest.json, sorted by path.

    Each entry has `path` (the key that the object gets in its bucket, which is the path below the
    folder), `bytes` and `sha256`.
    """

    def entry(path: Path) -> dict[str, str | int]:
        content = path.read_bytes()
        return {
            "path": path.relative_to(folder).as_posix(),
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }

    # Files are read and hashed outside Python's lock.
    with ThreadPoolExecutor(cores()) as pool:
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        entries = list(pool.map(entry, paths))
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    text = f"[\n{lines}\n]\n".encode()
    (folder / MANIFEST).write_bytes(text)
    return Manifest(
        files=len(entries),
        size=sum(int(str(entry["bytes"])) for entry in entries),
        sha256=hashlib.sha256(text).hexdigest(),
    )


def whole_number(settings: Mapping[str, str], name: str, minimum: int, maximum: int) -> int:
    """Read one of a dataset's settings, which are all strings.

    Raises:
        UserError: It is not there, no whole number, or out of its range.
    """
    text = settings.get(name)
    try:
        number = int(str(text))
    except ValueError:
        number = minimum - 1
    if not minimum <= number <= maximum:
        raise UserError(
            f"The setting {name} of the dataset is {text!r}.",
            "The dataset is made from it, the same one from the same settings.",
            f"Give a whole number from {minimum} to {maximum}.",
        )
    return number


def link_or_copy(source: Path, to: Path) -> None:
    """Have a file in a second place; on the same disk it takes no room there."""
    try:
        os.link(source, to)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(source, to)


def bucket_name(settings: Mapping[str, str]) -> str:
    """Read the setting `bucket`: what the addresses of pictures begin with.

    Raises:
        UserError: It is not there, or no name.
    """
    bucket = settings.get("bucket", "")
    if not bucket or "/" in bucket:
        raise UserError(
            f"The setting bucket of the dataset is {bucket!r}.",
            "The addresses of the pictures begin with it.",
            "Give the name of the bucket for images.",
        )
    return bucket


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0))
