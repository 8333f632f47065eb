"""A client of the stack's clusters, with what it has to show or without it.

    python client.py ray 127.0.0.1:6379 [token file]
    python client.py spark spark://127.0.0.1:7077 [secret file]

Prints `taken`, or `refused:` and what it was told.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any


def ray_client(address: str, token: str | None) -> None:
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ["RAY_AUTH_MODE"] = "token" if token else "disabled"
    if token:
        os.environ["RAY_AUTH_TOKEN_PATH"] = token
    import ray

    ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    ray.shutdown()


def spark_client(master: str, secret: str | None) -> None:
    """Ask the master for its endpoint, which is the first that any client of Spark's does."""
    from pyspark import SparkConf
    from pyspark.java_gateway import launch_gateway

    jvm: Any = launch_gateway(SparkConf()).jvm
    conf = jvm.org.apache.spark.SparkConf(False)
    conf.set("spark.rpc.askTimeout", "20s").set("spark.rpc.lookupTimeout", "20s")
    if secret:
        conf.set("spark.authenticate", "true")
        conf.set("spark.authenticate.secret", Path(secret).read_text().strip())
    given = jvm.org.apache.spark.SecurityManager
    defaults = [getattr(given, f"$lessinit$greater$default${at}")() for at in (2, 3)]
    security = given(conf, *defaults)
    env = jvm.org.apache.spark.rpc.RpcEnv.create("client", "127.0.0.1", 0, conf, security, True)
    host, _, port = master.removeprefix("spark://").rpartition(":")
    env.setupEndpointRef(jvm.org.apache.spark.rpc.RpcAddress(host, int(port)), "Master")


def main() -> None:
    kind, address, shown = sys.argv[1], sys.argv[2], (sys.argv[3:] or [None])[0]
    try:
        {"ray": ray_client, "spark": spark_client}[kind](address, shown)
        print("taken", flush=True)
    except BaseException as error:
        print("refused:", " ".join(str(error).split())[:2000], flush=True)
    os._exit(0)


main()
