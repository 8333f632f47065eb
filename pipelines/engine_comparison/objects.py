"""The few operations that the pipelines need on objects of the store, which is open.

Paths are as `store` has them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from pyarrow import fs

from .errors import UserError, one_line

PARALLEL = 16
"""Requests in flight at a time when many small objects are read, copied or looked up."""
_SLICE = 1024

MAX_COPY_BYTES = 5 * 2**30
"""The largest object that S3 copies by one request (CopyObject)."""
CHUNK_BYTES = 2**23
"""What is read at a time where an object passes through this machine."""


def list_files(store: fs.FileSystem, prefix: str) -> list[fs.FileInfo]:
    """All objects under a prefix with their sizes, sorted by path; none if there is no such one."""
    found = store.get_file_info(fs.FileSelector(prefix, recursive=True, allow_not_found=True))
    files = [info for info in found if info.type == fs.FileType.File]
    return sorted(files, key=lambda info: str(info.path))


def list_parquet(store: fs.FileSystem, prefix: str) -> list[fs.FileInfo]:
    """The Parquet files under a prefix that readers see: none below a `_name` or `.name`."""

    def seen(path: str) -> bool:
        below = path[len(prefix) :].strip("/").split("/")
        return path.endswith(".parquet") and not any(part[:1] in ("_", ".") for part in below)

    return [info for info in list_files(store, prefix) if seen(info.path)]


def delete_prefix(store: fs.FileSystem, prefix: str) -> None:
    """Delete everything under a prefix; nothing happens if there is nothing.

    One by one: not every store deletes many objects by one request, and some say nothing of an
    object that they keep. pyarrow leaves empty objects as markers of folders; they go, too, and so
    do those of parents of which nothing else is left, up to the bucket.

    Raises:
        UserError: An object stays.
    """
    folder = prefix.strip("/")
    found = store.get_file_info(fs.FileSelector(folder, recursive=True, allow_not_found=True))
    delete_files(store, [one.path for one in found if one.type == fs.FileType.File])
    folders = [one.path for one in found if one.type == fs.FileType.Directory]
    for marker in [*sorted(folders, reverse=True), folder]:
        if store.get_file_info(marker).type == fs.FileType.Directory:
            store.delete_dir(marker)
    parent = folder.rpartition("/")[0]
    while "/" in parent and store.get_file_info(parent).type == fs.FileType.Directory:
        if store.get_file_info(fs.FileSelector(parent, allow_not_found=True)):
            return
        store.delete_dir(parent)
        parent = parent.rpartition("/")[0]


def delete_files(store: fs.FileSystem, paths: Sequence[str]) -> None:
    """Delete objects, some at a time; one that is gone already is fine.

    Raises:
        UserError: The store keeps one.
    """

    def delete(path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            try:
                store.delete_file(path)
            except FileNotFoundError:
                raise
            except OSError as error:
                raise UserError(
                    f"The object store does not delete {path}: {one_line(error, 200)}",
                    "What stays there would be read as a part of an output.",
                    "Allow s3:DeleteObject for the key, or end the object's lock.",
                ) from error

    in_parallel(delete, paths)


def copy_files(store: fs.FileSystem, copies: Sequence[tuple[fs.FileInfo, str]]) -> None:
    """Copy objects, and see that each copy is like its original.

    The server copies, and no byte comes here, up to `MAX_COPY_BYTES`. Larger objects pass through
    this machine in parts: pyarrow has no way to have the server copy parts.

    Args:
        store: The object store.
        copies: Original, as listed, and the path of its copy.

    Raises:
        RuntimeError: A copy is missing or differs.
    """

    def copy(one: tuple[fs.FileInfo, str]) -> bool:
        source, target = one
        if source.size <= MAX_COPY_BYTES:
            store.copy_file(source.path, target)
        else:
            _pass_through(store, source.path, target)
        return same_content(store, source.path, target)

    wrong = [
        target
        for (_, target), same in zip(copies, in_parallel(copy, copies), strict=True)
        if not same
    ]
    if wrong:
        raise RuntimeError(f"{len(wrong)} of {len(copies)} copies differ, first {wrong[0]}")


def _pass_through(store: fs.FileSystem, source: str, target: str) -> None:
    """Copy an object by reading and writing it; it is uploaded in parts."""
    with store.open_input_file(source) as original, store.open_output_stream(target) as copy:
        while chunk := original.read(CHUNK_BYTES):
            copy.write(chunk)


def same_content(store: fs.FileSystem, one: str, other: str) -> bool:
    """Whether two objects have the same bytes: by size and ETag, and else by reading both.

    An ETag alone never says that contents differ: it depends on the parts of an upload, and is no
    checksum in buckets that are encrypted by KMS.

    Args:
        store: The object store.
        one: A path.
        other: Another one.
    """
    try:
        with store.open_input_file(one) as first, store.open_input_file(other) as second:
            if first.size() != second.size():
                return False
            if _same_etag(_etag(first), _etag(second)):
                return True
            while True:
                chunk = first.read(CHUNK_BYTES)
                if chunk != second.read(CHUNK_BYTES):
                    return False
                if not chunk:
                    return True
    except FileNotFoundError:
        return False


def _etag(file: Any) -> str:
    """The ETag of an open object, without its quotes; empty where the store gives none."""
    tag = (file.metadata() or {}).get("ETag", b"")
    return str(tag.decode()).strip('"')


def _same_etag(one: str, other: str) -> bool:
    """Whether two ETags say that contents are the same.

    An upload in parts has the MD5 of the parts' MD5s and the number of parts. Of an upload
    in one part, as S3A makes of small files, it follows from the MD5 of the whole.
    """

    def in_one_part(tag: str) -> str:
        if not re.fullmatch("[0-9a-f]{32}", tag):
            return tag
        return hashlib.md5(bytes.fromhex(tag), usedforsecurity=False).hexdigest() + "-1"

    return one != "" and (one == other or in_one_part(one) == in_one_part(other))


def in_parallel(action: Any, items: Sequence[Any]) -> list[Any]:
    """Apply an action to every item, some at a time.

    Items wait in slices: a million of them at once would take a gigabyte. The first error is raised
    after all of its slice have ended.
    """
    results: list[Any] = []
    with ThreadPoolExecutor(PARALLEL) as pool:
        for at in range(0, len(items), _SLICE):
            pending = [pool.submit(action, item) for item in items[at : at + _SLICE]]
            wait(pending)
            results += [one.result() for one in pending]
    return results


def read_bytes(store: fs.FileSystem, path: str) -> bytes | None:
    """The bytes of an object, or None if it does not exist; raises any other error."""
    try:
        with store.open_input_file(path) as file:
            return file.readall()
    except FileNotFoundError:
        return None


def read_json(store: fs.FileSystem, path: str) -> Any:
    """A small JSON object of the store, or None where there is none."""
    data = read_bytes(store, path)
    return None if data is None else json.loads(data)


def write_json(store: fs.FileSystem, path: str, value: Any) -> None:
    """Write a small JSON object; in an S3 store a reader sees the old one or the new one."""
    with store.open_output_stream(path) as stream:
        stream.write(json.dumps(value, indent=1, sort_keys=True).encode())
