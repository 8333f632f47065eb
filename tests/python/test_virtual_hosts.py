"""Contenders on a store that has the bucket in its host name, as AWS S3 has."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from jobs import BUCKETS, IN_PROCESS, fill, minio_server, run_job, spec_of

DOMAIN = "store.localhost"
HOSTS = [f"{bucket}.{DOMAIN}" for bucket in BUCKETS.values()]


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """What a job runs in so that the names resolve: nothing, or a hosts file of its own."""
    try:
        for host in HOSTS:
            socket.getaddrinfo(host, 80)
    except socket.gaierror:
        hosts = tmp_path_factory.mktemp("hosts") / "hosts"
        hosts.write_text(f"127.0.0.1 localhost {DOMAIN} {' '.join(HOSTS)}\n")
        script = f'mount --bind {hosts} /etc/hosts && exec "$@"'
        inside = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
        try:
            subprocess.run([*inside, "true"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip(f"{HOSTS[0]} does not resolve, and there is no `unshare` for a hosts file")
        return inside
    return []


@pytest.fixture(scope="module")
def store(
    store_folder: Path, model_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """A store with the sample datasets, reached by the buckets' host names alone."""
    folder = tmp_path_factory.mktemp("virtual")
    with minio_server(folder, MINIO_DOMAIN=DOMAIN) as made:
        fill(made, store_folder, model_folder)
        endpoint = made["endpoint"].replace("127.0.0.1", DOMAIN)
        yield {**made, "endpoint": endpoint, "pathStyle": False}


@pytest.mark.parametrize(("engine", "workload", "decoder"), IN_PROCESS)
def test_a_run_is_verified(
    store: dict[str, Any],
    inside: Sequence[str],
    model_folder: Path,
    tmp_path: Path,
    engine: str,
    workload: str,
    decoder: str,
):
    spec = spec_of(store, model_folder, workload, decoder=decoder)
    given = {**spec, "engine": engine, "scratch": str(tmp_path)}
    *_, result = run_job(given, inside=inside)
    assert result["event"] == "result", result
    assert result["verified"]
