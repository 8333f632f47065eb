r"""The shaped network: engines reach the store by a proxy that delays its answers.

    python -m engine_comparison.network toxiproxy-server 127.0.0.1:9004 127.0.0.1:9000 \
        10ms=127.0.0.1:9002 50ms=127.0.0.1:9003

starts Toxiproxy (https://github.com/Shopify/toxiproxy) with its API at the first address, before
the store at the second, and ends with it. What it is started with cannot name delays. So each
listener is opened here when its delay is set, also after the proxy was killed and started again: no
request ever passes without.

The delay is that of the answers, all of it: a request that waits for one takes so much longer, as
with a round trip of that length. Opening a connection costs nothing, and bandwidth is not limited.
"""

from __future__ import annotations

import ctypes
import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from .errors import UserError

START_SECONDS = 30
_PR_SET_PDEATHSIG = 1


def over_network(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What an engine gets of a job's spec: the store's address is that over the run's network.

    All else of a job uses the store's own address: the judging and publishing of outputs.

    Raises:
        UserError: Nothing shapes such a network.
    """
    network = spec["inputs"].get("network", "none")
    if network == "none":
        return dict(spec)
    store = spec["store"]
    endpoint = (store.get("shaped") or {}).get(network)
    if endpoint is None:
        raise UserError(
            f"network is {network!r}, and the stack has no proxy that shapes it.",
            "The run would measure a store without the delay.",
            "Deploy the stack on target local (npm start, or pulumi up), which starts the proxy.",
        )
    return {**spec, "store": {**store, "endpoint": endpoint}}


def main(program: str, api: str, upstream: str, *listeners: str) -> int:
    """Run Toxiproxy with its delays until it ends.

    Args:
        program: Toxiproxy's server.
        api: The address that its API listens on.
        upstream: The store's address.
        listeners: Delays with the addresses for them, such as `10ms=127.0.0.1:9002`.

    Returns:
        Its exit code.
    """
    host, _, port = api.rpartition(":")
    proxy = subprocess.Popen([program, "-host", host, "-port", port], preexec_fn=_end_with_parent)
    try:
        _wait(api, proxy)
        for listener in listeners:
            delay, _, address = listener.partition("=")
            latency = {"latency": int(delay.removesuffix("ms"))}
            place = {"name": delay, "listen": address, "upstream": upstream, "enabled": False}
            _call(api, "POST", "proxies", place)
            toxic = {"type": "latency", "stream": "downstream", "attributes": latency}
            _call(api, "POST", f"proxies/{delay}/toxics", toxic)
            _call(api, "PATCH", f"proxies/{delay}", {"enabled": True})
        return proxy.wait()
    finally:
        proxy.kill()


def _end_with_parent() -> None:
    """In the child: Linux kills it when this process is killed, whose place another one takes."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _wait(api: str, proxy: subprocess.Popen[bytes]) -> None:
    """Wait until the API answers.

    Raises:
        RuntimeError: It does not.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and proxy.poll() is None:
        with suppress(OSError):
            _call(api, "GET", "version")
            return
        time.sleep(0.05)
    raise RuntimeError(f"Toxiproxy does not answer at {api}")


def _call(api: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> None:
    """Call Toxiproxy's API, by no proxy of the environment.

    Raises:
        urllib.error.URLError: It refuses, or is not there; an `OSError`.
    """
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{api}/{path}", data, method=method)
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=START_SECONDS) as answer:
        answer.read()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
