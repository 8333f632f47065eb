"""Access to the object store: as a pyarrow file system, and by a client for single objects.

Paths are pyarrow's: `bucket/key/of/object`, without a scheme; a URI is `s3://` before that.
"""

from __future__ import annotations

import getpass
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pyarrow import fs

from .errors import UserError

if TYPE_CHECKING:
    from obstore.store import S3Config

CONNECT_SECONDS = 5
REQUEST_SECONDS = 60
ATTEMPTS = 4
"""Tries of one request, the first included; the SDK waits longer after each."""


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
    folder = Path(f"/tmp/engine-comparison-{getpass.getuser()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
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
