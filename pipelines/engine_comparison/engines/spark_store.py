"""How Spark reaches the object store: S3A's address and keys, and the certificates it trusts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..store import StoreSpec

if TYPE_CHECKING:
    from pyspark import SparkContext

_TRUST_STORE = "object-store.p12"
_PASSWORD = "changeit"
"""No secret: what is in the trust store is public, and the format wants one."""


def s3a_settings(store: StoreSpec) -> dict[str, str]:
    """S3A's address and keys for this store; how often it tries again is its own default."""
    s3a = {
        "endpoint": store.endpoint,
        "endpoint.region": store.region,
        "path.style.access": str(store.path_style).lower(),
        "connection.ssl.enabled": str(store.encrypted).lower(),
        "access.key": store.access_key,
        "secret.key": store.secret_key,
        **({"session.token": store.session_token} if store.session_token else {}),
        **({} if store.bulk_delete else {"multiobjectdelete.enable": "false"}),
        "aws.credentials.provider": (
            "org.apache.hadoop.fs.s3a."
            f"{'Temporary' if store.session_token else 'Simple'}AWSCredentialsProvider"
        ),
    }
    return {f"spark.hadoop.fs.s3a.{name}": value for name, value in s3a.items()}


def trust_options(store: StoreSpec, scratch: Path) -> tuple[str, str]:
    """The options of the driver's and of the executors' JVMs that name the trust store.

    Files that are added to a job come to an executor's working folder.

    Args:
        store: How the object store is reached.
        scratch: The folder that `trust_store` writes into.
    """
    if store.ca_certificates is None:
        return "", ""
    password = f"-Djavax.net.ssl.trustStorePassword={_PASSWORD}"
    return (
        f"-Djavax.net.ssl.trustStore={scratch / _TRUST_STORE} {password}",
        f"-Djavax.net.ssl.trustStore={_TRUST_STORE} {password}",
    )


def trust_store(context: SparkContext, store: StoreSpec, scratch: Path) -> None:
    """Write the trust store that the JVMs' options name, and send it to the executors.

    A JVM reads it at its first TLS connection, which is after this, or after a task's files
    have come.

    Args:
        context: The application's.
        store: How the object store is reached.
        scratch: Where to write it.
    """
    if store.ca_file is None:
        return
    jvm: Any = context._jvm
    trusted = jvm.java.security.KeyStore.getInstance("PKCS12")
    trusted.load(None, None)
    x509 = jvm.java.security.cert.CertificateFactory.getInstance("X.509")
    with_file = jvm.java.io.FileInputStream(store.ca_file)
    for at, certificate in enumerate(x509.generateCertificates(with_file).toArray()):
        trusted.setCertificateEntry(str(at), certificate)
    with_file.close()
    made = scratch / _TRUST_STORE
    out = jvm.java.io.FileOutputStream(str(made))
    utf8 = jvm.java.nio.charset.StandardCharsets.UTF_8
    # The characters as an array of Java's: a string of Java's would come as one of Python's.
    password = utf8.decode(jvm.java.nio.ByteBuffer.wrap(_PASSWORD.encode()))
    trusted.store(out, password.array())
    out.close()
    context.addFile(str(made))
