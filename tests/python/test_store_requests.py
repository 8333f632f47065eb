"""The counts of requests: those that MinIO itself has."""

from __future__ import annotations

import time
from typing import Any

from pyarrow import fs

from engine_comparison.store import open_store
from engine_comparison.store_requests import Requests, read_requests


def test_what_a_sample_asks_of_the_store_is_counted_by_the_store(
    minio: dict[str, Any], creating: fs.FileSystem
):
    creating.create_dir("counted")
    store = open_store(minio)
    before = read_requests(minio)
    with store.open_output_stream("counted/one") as stream:
        stream.write(bytes(10_000))
    for _ in range(3):
        with store.open_input_stream("counted/one") as stream:
            assert len(stream.read()) == 10_000
    deadline = time.monotonic() + 30
    asked = None
    while not asked or asked.by_api.get("GetObject") != 3:  # it counts when the answer is sent
        assert time.monotonic() < deadline, asked
        after = read_requests(minio)
        assert after
        asked = after.since(before)
    assert asked.by_api["CompleteMultipartUpload"] == 1
    assert asked.sent_bytes >= 30_000
    assert 10_000 <= asked.received_bytes < 30_000
    again = read_requests(minio)
    assert again
    assert again.since(after) == Requests({}, 0, 0)  # reading counts asks nothing of S3


def test_only_what_was_asked_meanwhile_counts():
    before = Requests({"GetObject": 5, "HeadObject": 2}, 100, 1000)
    after = Requests({"GetObject": 7, "HeadObject": 2, "PutObject": 1}, 150, 1700)
    assert after.since(before) == Requests({"GetObject": 2, "PutObject": 1}, 50, 700)
    assert after.since(None) is None
    restarted = Requests({"GetObject": 1}, 10, 100)
    assert restarted.since(before) is None


def test_a_store_without_counts_or_without_an_answer_is_no_failure(minio: dict[str, Any]):
    assert read_requests({**minio, "metrics": None}) is None
    assert read_requests({**minio, "secretKey": "another"}) is None
    assert read_requests({**minio, "endpoint": "http://127.0.0.1:9"}) is None
