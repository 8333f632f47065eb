"""What memory each process of a small Spark cluster takes, with Spark's Java options and others.

    pip install pyspark==4.1.1 pyarrow numpy psutil        (and Java 17 or 21)
    python spark_memory.py [--rows 12000000] [--samples 12]

Starts a master, two workers of two cores and 2 GB, and an application of one executor, which runs a
query over Parquet files in a temporary folder again and again, as spark_warm_up.py does. Prints the
processes' memory (PSS: shared pages are divided) at the moment when all together had most. Linux.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pyspark
from spark_warm_up import OPTIONS, make, query

SPARK_HOME = Path(pyspark.__file__).parent
DAEMON_OPTIONS = OPTIONS["quick compiler"]
"""Of master and workers, for all applications: they do not compute."""
PARTS = {
    "deploy.master.Master": "master",
    "deploy.worker.Worker": "workers",
    "deploy.SparkSubmit": "driver, JVM",
    "CoarseGrainedExecutorBackend": "executor, JVM",
    "--address": "driver, Python",
}


@contextmanager
def cluster() -> Iterator[str]:
    """A master and its workers; their address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "SPARK_HOME": str(SPARK_HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_DAEMON_JAVA_OPTS": DAEMON_OPTIONS,
    }
    address = f"spark://127.0.0.1:{port}"
    master = ["master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]
    worker = ["worker.Worker", "--webui-port", "0", "--cores", "2", "--memory", "2g", address]
    started = []
    try:
        for name, *arguments in (master, worker, worker):
            command = [SPARK_HOME / "bin/spark-class", f"org.apache.spark.deploy.{name}"]
            started.append(
                subprocess.Popen([*command, *arguments], env=environment, stderr=subprocess.DEVNULL)
            )
        yield address
    finally:
        for process in started:
            process.terminate()
            process.wait()


def by_part() -> dict[str, int]:
    """Bytes of this process's descendants by what they are."""
    found = dict.fromkeys(PARTS.values(), 0)
    for process in psutil.Process().children(recursive=True):
        try:
            line = " ".join(process.cmdline())
            part = next((part for word, part in PARTS.items() if word in line), None)
            if part is not None:
                found[part] += process.memory_full_info().pss
        except psutil.Error:
            continue
    return found


def peak(address: str, options: str, samples: int, folder: Path) -> dict[str, int]:
    """Run an application to its end; the processes' bytes when they had most together."""
    most: dict[str, int] = {}
    child = [sys.executable, __file__, f"--samples={samples}", f"--folder={folder}"]
    application = subprocess.Popen(
        [*child, f"--address={address}", f"--options={options}"], stderr=subprocess.DEVNULL
    )
    while application.poll() is None:
        now = by_part()
        most = max(most, now, key=lambda parts: sum(parts.values()))
        time.sleep(0.05)
    if application.returncode:
        raise SystemExit("the application failed")
    return most


def application(address: str, options: str, samples: int, folder: Path) -> None:
    """Run the query `samples` times."""
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    os.environ["PYSPARK_SUBMIT_ARGS"] = f'--driver-java-options "{options}" pyspark-shell'
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master(address)
        .config("spark.ui.enabled", "false")
        .config("spark.cores.max", "2")
        .config("spark.executor.memory", "2g")
        .config("spark.executor.extraJavaOptions", options)
        .getOrCreate()
    )
    for sample in range(samples):
        query(session, folder, f"{folder}/out-{os.getpid()}-{sample}")
    session.stop()


def main() -> None:
    """Make the files, run each application, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=12_000_000)
    parser.add_argument("--samples", type=int, default=12)
    parser.add_argument("--address", help=argparse.SUPPRESS)
    parser.add_argument("--options", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.address:
        application(given.address, given.options, given.samples, given.folder)
        return
    with TemporaryDirectory() as made, cluster() as address:
        folder = Path(made)
        make(folder, given.rows)
        taken = {
            name: peak(address, options, given.samples, folder) for name, options in OPTIONS.items()
        }
    print(f"| MiB | {' | '.join(taken)} |\n|---|{'--:|' * len(taken)}")
    for part in [*PARTS.values(), "all"]:
        row = [sum(one.values()) if part == "all" else one[part] for one in taken.values()]
        print(f"| {part} | {' | '.join(f'{size / 2**20:,.0f}' for size in row)} |")


if __name__ == "__main__":
    main()
