"""A key of a MinIO that may only read some buckets, and do all with others.

python limited_key.py      with the arguments of `add_key` as JSON on standard input
"""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from minio import MinioAdmin
from minio.credentials import StaticProvider


def add_key(
    store: Mapping[str, Any], name: str, reads: Sequence[str], writes: Sequence[str]
) -> dict[str, Any]:
    """The `store` object of a spec with a new key; an authority is that of SSL_CERT_FILE.

    Args:
        store: The same with the key of the server's owner.
        name: Of the key.
        reads: Buckets that it may list and read.
        writes: Buckets, which need not exist, that it may do all with; `*` stands for any end.
    """
    statements = [
        (["s3:ListBucket"], [f"arn:aws:s3:::{bucket}" for bucket in reads]),
        (["s3:GetObject"], [f"arn:aws:s3:::{bucket}/*" for bucket in reads]),
        (["s3:*"], [f"arn:aws:s3:::{bucket}{end}" for bucket in writes for end in ("", "/*")]),
    ]
    allowed = [
        {"Effect": "Allow", "Action": actions, "Resource": resources}
        for actions, resources in statements
    ]
    scheme, host = store["endpoint"].split("://")
    admin = MinioAdmin(
        endpoint=host,
        region=store["region"],
        secure=scheme == "https",
        credentials=StaticProvider(store["accessKey"], store["secretKey"]),
    )
    secret = secrets.token_hex(16)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as policy:
        json.dump({"Version": "2012-10-17", "Statement": allowed}, policy)
        policy.flush()
        admin.policy_add(name, policy.name)
    admin.user_add(name, secret)
    admin.attach_policy([name], user=name)
    return {**store, "accessKey": name, "secretKey": secret}


if __name__ == "__main__":
    print(json.dumps(add_key(**json.load(sys.stdin))))
