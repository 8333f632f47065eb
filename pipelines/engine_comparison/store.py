"""The object store as a pyarrow file system, and the few operations the pipelines need on it.

Paths are pyarrow's: `bucket/key/of/object`, without a scheme; a URI is `s3://` before that.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import os
import re
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pyarrow import fs

from .errors import UserError, one_line

if TYPE_CHECKING:
    from obstore.store import S3Config

CONNECT_SECONDS = 5
REQUEST_SECONDS = 60
ATTEMPTS = 4
"""Tries of one request, the first included; the SDK waits longer after each."""

PARALLEL = 16
"""Requests in flight at a time when many small objects are read, copied or looked up."""
_SLICE = 1024

MAX_COPY_BYTES = 5 * 2**30
"""The largest object that S3 copies by one request (CopyObject)."""
CHUNK_BYTES = 2**23
"""What is read at a time where an object passes through this machine."""


@dataclass(frozen=True)
class StoreSpec:
    """How the object store is reached. Holds a secret: never print it.

    Attributes:
        endpoint: URL of the S3 API, such as `http://127.0.0.1:9000`.
        region: Its region; MinIO's is `us-east-1` unless set otherwise.
        access_key: The key's name.
        secret_key: The key's secret.
        path_style: True for `endpoint/bucket/key`, false for `bucket.endpoint/key`.
        bulk_delete: Whether many objects are deleted by one request.
        checksums: Whether the store takes checksums in headers and trailers.
        session_token: What temporary keys have besides.
        ca_certificates: PEM text of the authorities that alone are trusted for it; None means
            those that the system trusts.
    """

    endpoint: str
    region: str
    access_key: str
    secret_key: str
    path_style: bool = True
    bulk_delete: bool = True
    checksums: bool = True
    session_token: str | None = None
    ca_certificates: str | None = None

    @classmethod
    def parse(cls, spec: Mapping[str, Any]) -> StoreSpec:
        """Read the `store` object of a job's spec."""
        return cls(
            endpoint=spec["endpoint"],
            region=spec["region"],
            access_key=spec["accessKey"],
            secret_key=spec["secretKey"],
            path_style=bool(spec.get("pathStyle", True)),
            bulk_delete=bool(spec.get("bulkDelete", True)),
            checksums=bool(spec.get("checksums", True)),
            session_token=spec.get("sessionToken"),
            ca_certificates=spec.get("caCertificates"),
        )

    def __repr__(self) -> str:
        return f"StoreSpec(endpoint={self.endpoint!r}, access_key=…, secret_key=…)"

    @property
    def host_and_port(self) -> str:
        """What comes after `http://`."""
        return urlsplit(self.endpoint).netloc

    @property
    def ca_file(self) -> str | None:
        """A file on this machine with `ca_certificates`, or None for what the system trusts."""
        return None if self.ca_certificates is None else certificates_file(self.ca_certificates)

    def endpoint_of(self, bucket: str) -> str:
        """The endpoint with the bucket in its host name: `http://bucket.host:9000`."""
        return f"{urlsplit(self.endpoint).scheme}://{bucket}.{self.host_and_port}"

    @property
    def encrypted(self) -> bool:
        """True for https."""
        return urlsplit(self.endpoint).scheme == "https"


def open_store(spec: Mapping[str, Any]) -> fs.S3FileSystem:
    """Open the object store. Nothing is sent until the first operation.

    Args:
        spec: The `store` object of a job's spec.
    """
    store = StoreSpec.parse(spec)
    if not store.checksums:
        send_no_checksums()
    return fs.S3FileSystem(
        access_key=store.access_key,
        secret_key=store.secret_key,
        session_token=store.session_token,
        endpoint_override=store.host_and_port,
        scheme="https" if store.encrypted else "http",
        region=store.region,
        force_virtual_addressing=not store.path_style,
        connect_timeout=CONNECT_SECONDS,
        request_timeout=REQUEST_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        tls_ca_file_path=store.ca_file,
    )


def fetcher(spec: Mapping[str, Any]) -> Callable[[str], bytes | None]:
    """A function that fetches an object by its `s3://` address; several threads may call it.

    It makes one request an object. pyarrow makes two: it asks for the size first. It returns None
    where there is no such object.

    Args:
        spec: The `store` object of a job's spec.
    """
    import obstore
    from obstore.store import S3Store

    store = StoreSpec.parse(spec)
    if store.ca_certificates is not None:
        trust(store.ca_certificates)

    keys: S3Config = {
        "region": store.region,
        "access_key_id": store.access_key,
        "secret_access_key": store.secret_key,
        "virtual_hosted_style_request": not store.path_style,
    }
    if store.session_token:
        keys["session_token"] = store.session_token

    @cache
    def bucket(name: str) -> S3Store:
        return S3Store(
            name,
            # With addresses by host name, an endpoint is that of the bucket (obstore#754).
            endpoint=store.endpoint if store.path_style else store.endpoint_of(name),
            config=keys,
            client_options={
                "allow_http": not store.encrypted,
                "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
                "timeout": timedelta(seconds=REQUEST_SECONDS),
            },
            retry_config={"max_retries": ATTEMPTS - 1},
        )

    def fetch(url: str) -> bytes | None:
        name, _, key = url.removeprefix("s3://").partition("/")
        try:
            return bytes(obstore.get(bucket(name), key).bytes())
        except FileNotFoundError:
            return None

    return fetch


def certificates_file(pem: str) -> str:
    """Keep certificates in a file of this user, at the same path on every machine.

    The path is the same so that a file system that was opened elsewhere can be sent here, once this
    has been called here, too.

    Args:
        pem: The certificates.

    Raises:
        UserError: Another user has the folder.
    """
    folder = Path("/tmp" if os.name == "posix" else tempfile.gettempdir())
    folder /= f"engine-comparison-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        raise UserError(
            f"{folder} belongs to another user.",
            "The certificates that are trusted for the object store go there.",
            "Remove it, and start again.",
        )
    file = folder / f"ca-{hashlib.sha256(pem.encode()).hexdigest()[:32]}.pem"
    if not file.exists() or file.read_text(encoding="ascii") != pem:
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(pem, encoding="ascii")
        part.replace(file)
    return str(file)


def trust(pem: str) -> None:
    """Let libraries of this process that have no option for it trust certificates, and no others.

    Polars and Daft bring their own TLS, which asks this variable of OpenSSL's for a file. It has to
    be set before their first connection.

    Args:
        pem: The certificates.
    """
    os.environ["SSL_CERT_FILE"] = certificates_file(pem)


def send_no_checksums() -> None:
    """Let the AWS SDKs of this process send and want checksums only where S3 demands one.

    pyarrow and Daft have no option for it. They read these variables when they make a client.
    """
    os.environ["AWS_REQUEST_CHECKSUM_CALCULATION"] = "when_required"
    os.environ["AWS_RESPONSE_CHECKSUM_VALIDATION"] = "when_required"


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
        raise UserError(
            f"The object store at {endpoint} does not answer: {error}.",
            "Every pipeline reads from it and writes to it.",
            "See whether its service runs (npm run status) and what its log says (npm run logs).",
        ) from error
    for bucket in buckets:
        with refusals_explained(endpoint):
            kind = store.get_file_info(bucket).type
        if kind == fs.FileType.NotFound:
            raise UserError(
                f"The object store at {endpoint} has no bucket {bucket!r}.",
                "The pipelines find their inputs and leave their outputs in buckets made before.",
                "Deploy the stack (npm start, or pulumi up), which makes the buckets.",
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
    """A whole object, or None where there is none. Other errors are raised."""
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
