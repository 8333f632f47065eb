"""The shaped network: each request of an engine takes the delay, and nothing else of a run does."""

from __future__ import annotations

import os
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest
from clusters import PIPELINES, environment
from jobs import BUCKETS, put_folder, run_job, spec_of
from pyarrow import fs

from engine_comparison import oracle
from engine_comparison.check_gpu.clusters import free_port, service, wait_for
from engine_comparison.errors import UserError
from engine_comparison.network import over_network

DELAYS = {"10ms": 0.01, "50ms": 0.05}
"""Each network with the seconds that a request takes longer."""


@contextmanager
def toxiproxy(store: dict[str, Any], folder: Path) -> Iterator[tuple[Any, dict[str, str]]]:
    """The proxy before a store: its process, and its addresses by their networks."""
    program = os.environ.get("TOXIPROXY_BIN")
    if not program:
        pytest.skip("set TOXIPROXY_BIN to a Toxiproxy server to test the shaped network")
    addresses = {network: f"127.0.0.1:{free_port()}" for network in DELAYS}
    api, upstream = f"127.0.0.1:{free_port()}", store["endpoint"].removeprefix("http://")
    listeners = [f"{network}={address}" for network, address in addresses.items()]
    command = [sys.executable, "-m", "engine_comparison.network", program, api, upstream]
    variables = {**environment(folder), "PYTHONPATH": str(PIPELINES)}
    with service([*command, *listeners], variables, folder / "proxy.log") as proxy:
        for address in addresses.values():
            wait_for(int(address.rpartition(":")[2]), proxy)
        yield proxy, {network: f"http://{address}" for network, address in addresses.items()}


def asked(endpoint: str) -> float:
    """The seconds that a request takes."""
    began = time.perf_counter()
    urllib.request.urlopen(f"{endpoint}/minio/health/live").close()
    return time.perf_counter() - began


def test_a_request_takes_at_least_the_delay(minio: dict[str, Any], tmp_path: Path):
    with toxiproxy(minio, tmp_path) as (_, shaped):
        for network, delay in DELAYS.items():
            assert asked(shaped[network]) >= delay


def test_a_proxy_that_is_killed_ends_whole_so_that_its_supervisor_starts_it_again(
    minio: dict[str, Any], tmp_path: Path
):
    for lost in ("server", "python"):
        with toxiproxy(minio, tmp_path) as (proxy, shaped):
            (server,) = psutil.Process(proxy.pid).children()
            (server if lost == "server" else psutil.Process(proxy.pid)).send_signal(signal.SIGKILL)
            proxy.wait(30)
            server.wait(30)
            with pytest.raises(OSError, match="refused"):
                asked(shaped["10ms"])


def test_only_engines_get_the_address_over_the_network():
    store = {"endpoint": "http://here", "shaped": {"10ms": "http://there"}}
    spec = {"inputs": {"network": "10ms"}, "store": store, "engine": "polars"}
    assert over_network(spec) == {**spec, "store": {**store, "endpoint": "http://there"}}
    for inputs in ({}, {"network": "none"}):
        assert over_network({**spec, "inputs": inputs}) == {**spec, "inputs": inputs}
    with pytest.raises(UserError, match="no proxy that shapes it"):
        over_network({**spec, "inputs": {"network": "50ms"}})


def test_a_run_over_the_network_is_verified_and_takes_its_round_trips(
    minio: dict[str, Any],
    creating: fs.FileSystem,
    store_folder: Path,
    model_folder: Path,
    tmp_path: Path,
):
    buckets = {purpose: f"far-{bucket}" for purpose, bucket in BUCKETS.items()}
    for bucket in buckets.values():
        creating.create_dir(bucket)
    put_folder(creating, store_folder / "lake", buckets["lake"])
    spec = spec_of(minio, model_folder, "taxi-report", buckets, network="50ms")
    pq.write_table(oracle.answer(spec, creating), oracle.oracle_path(spec), filesystem=creating)
    with toxiproxy(minio, tmp_path) as (_, shaped):
        far = {**minio, "shaped": shaped}
        *_, result = run_job({**spec, "store": far, "engine": "polars", "scratch": str(tmp_path)})
    assert result["event"] == "result", result
    assert result["configuration"]["network"] == "50ms"
    # It lists, reads a footer, what it says, and writes: one after the other.
    for sample in result["samples"]:
        assert sample["totalSeconds"] >= 4 * DELAYS["50ms"]
