"""`many_attempts` with the double of CUDA (`fake_cuda`) in the driver and in all workers.

    python -m on_gpus      with PYTHONPATH, FAKE_GPUS and FAKE_CUDA as for the double

The services are those that all tests share, and know nothing of it.
"""

from __future__ import annotations

import os

import many_attempts

from engine_comparison import ray_cluster
from engine_comparison.engines.spark_application import SparkEngine

WORKERS = {name: os.environ[name] for name in ("PYTHONPATH", "FAKE_GPUS", "FAKE_CUDA")}

settings = SparkEngine.settings


def with_double(engine: SparkEngine, host: str) -> dict[str, str]:
    given = {f"spark.executorEnv.{name}": value for name, value in WORKERS.items()}
    return {**settings(engine, host), **given}


def main() -> None:
    """Answer the request on standard input."""
    ray_cluster._runtime_env = lambda _: {"env_vars": WORKERS}
    SparkEngine.settings = with_double  # type: ignore[method-assign]
    many_attempts.main()


if __name__ == "__main__":
    main()
