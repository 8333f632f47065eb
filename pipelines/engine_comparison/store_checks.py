"""Whether the object store can be used, told early and in words."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pyarrow import fs

from .errors import UserError, one_line
from .store import CONNECT_SECONDS, StoreSpec


def check_store(spec: Mapping[str, Any], store: fs.FileSystem, buckets: Sequence[str]) -> None:
    """Fail early and clearly when the store is away, refuses the key, or lacks a bucket.

    Args:
        spec: The `store` object of a job's spec.
        store: What `open_store` returned for it.
        buckets: The buckets that have to be there.

    Raises:
        UserError: What is wrong, and what to do.
    """
    endpoint = StoreSpec.parse(spec).endpoint
    parts = urlsplit(endpoint)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        socket.create_connection((parts.hostname or "", port), CONNECT_SECONDS).close()
    except OSError as error:
        raise _silent(endpoint, error) from error
    for bucket in buckets:
        if check_answer(endpoint, store, bucket) == fs.FileType.NotFound:
            raise UserError(
                f"The object store at {endpoint} has no bucket {bucket!r}.",
                "The pipelines find their inputs and leave their outputs in buckets made before.",
                "Deploy the stack (npm start, or pulumi up), which makes the buckets.",
            )


def check_answer(endpoint: str, store: fs.FileSystem, bucket: str) -> fs.FileType:
    """Ask the store for a bucket; returns what is there.

    Raises:
        UserError: It does not answer, or refuses the key.
    """
    try:
        with refusals_explained(endpoint):
            return store.get_file_info(bucket).type
    except OSError as error:
        raise _silent(endpoint, error) from error


def _silent(endpoint: str, error: OSError) -> UserError:
    return UserError(
        f"The object store at {endpoint} does not answer: {one_line(error, 200)}.",
        "Every pipeline reads from it and writes to it.",
        "See whether its service runs (npm run status) and what its log says (npm run logs).",
    )


@contextlib.contextmanager
def refusals_explained(endpoint: str) -> Iterator[None]:
    """Turn the SDK's words for a refused key or certificate into a `UserError`, no others."""
    try:
        yield
    except OSError as error:
        text = str(error)
        if "certificate" in text:
            raise UserError(
                f"The certificate of the object store at {endpoint} is not trusted: "
                f"{one_line(text, 200)}",
                "Whoever sits between could read and change all data.",
                "Set s3CaCertificates to the authority that signed it.",
            ) from error
        refused = ("ACCESS_DENIED", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH", "403")
        if any(word in text for word in refused):
            raise UserError(
                f"The object store at {endpoint} refuses the access key: {one_line(text, 200)}",
                "No pipeline can read or write without a key that the store accepts.",
                "Give the stack the credentials the store was set up with.",
            ) from error
        raise
