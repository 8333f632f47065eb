"""How many requests a store has had and how many bytes, as it counts them itself.

MinIO has these counts in Prometheus' format (its `docs/metrics/v3.md`). They are read by a token
that the store's keys make, so nothing has to be set on the server.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SECONDS = 10
"""How long reading the counts may take, and how long the token for it holds."""
_CALLS = "minio_api_requests"
_BYTES = "minio_api_requests_traffic_{}_bytes"


@dataclass(frozen=True)
class Requests:
    """What was asked of a store.

    Attributes:
        by_api: Calls of the S3 API by their names, such as `GetObject`; of some, how many.
        received_bytes: What the store has received.
        sent_bytes: What it has sent.
    """

    by_api: Mapping[str, int]
    received_bytes: int
    sent_bytes: int

    def since(self, before: Requests | None) -> Requests | None:
        """What was asked between two readings; None without the first, or from before a restart.

        A request counts when the store is done with it, a little after its client has the answer.
        """
        if before is None or before.sent_bytes > self.sent_bytes:
            return None
        return Requests(
            dict(Counter(self.by_api) - Counter(before.by_api)),
            max(0, self.received_bytes - before.received_bytes),
            self.sent_bytes - before.sent_bytes,
        )

    def fields(self) -> dict[str, Any]:
        """As a result has it."""
        return {
            "byApi": dict(sorted(self.by_api.items())),
            "receivedBytes": self.received_bytes,
            "sentBytes": self.sent_bytes,
        }


def read_requests(store: Mapping[str, Any]) -> Requests | None:
    """What was asked of a store since its start.

    Args:
        store: The `store` object of a job's spec. `metrics` is where it has its counts.

    Returns:
        None for a store that tells no counts, or does not answer: no run fails for that.
    """
    from prometheus_client.parser import text_string_to_metric_families

    if not store.get("metrics"):
        return None
    headers = {"Authorization": f"Bearer {_token(store['accessKey'], store['secretKey'])}"}
    request = urllib.request.Request(store["endpoint"] + store["metrics"], headers=headers)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=SECONDS) as answer:
            text = answer.read().decode()
    except OSError as error:
        print(f"the store's counts of requests cannot be read: {error}", file=sys.stderr)
        return None
    by_api: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("type") != "s3":
                continue  # what the server asks itself
            if family.name == _CALLS:
                by_api[sample.labels["name"]] += int(sample.value)
            elif sample.labels.keys() <= {"server", "type"}:
                sizes[family.name] += int(sample.value)
    received, sent = (sizes[_BYTES.format(way)] for way in ("received", "sent"))
    return Requests(dict(by_api), received, sent)


def _token(access_key: str, secret_key: str) -> str:
    """A JSON Web Token (RFC 7519) as `mc admin prometheus generate` makes it."""
    header = {"alg": "HS512", "typ": "JWT"}
    claims = {"iss": "prometheus", "sub": access_key, "exp": int(time.time()) + SECONDS}
    signed = b".".join(_base64(json.dumps(part).encode()) for part in (header, claims))
    signature = hmac.digest(secret_key.encode(), signed, hashlib.sha512)
    return (signed + b"." + _base64(signature)).decode()


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
