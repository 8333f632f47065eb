"""How long a Spark application takes to warm up, and what the JVM's compiler has to do with it.

    pip install pyspark==4.1.1 pyarrow numpy        (and Java 17 or 21)
    python spark_warm_up.py [--rows 12000000] [--samples 15] [--cores 2]

Makes Parquet files in a temporary folder, and runs one query over them again and again in Spark's
local mode: scan, filter, join with a small table, group, write. Each way to start the JVM gets a
fresh process. For each sample it prints seconds, CPU seconds of the JVM, and what of that its
compiler threads say they took. It needs Linux, for the CPU time of another process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OPTIONS = {
    "default": "",
    "one collector thread": "-XX:+UseSerialGC",
    "quick compiler": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
}
FILES = 12
ZONES = 265


def make(folder: Path, rows: int) -> None:
    """Write trips in `FILES` files, with 19 columns of which the query reads 5, and the zones."""
    random = np.random.default_rng(1)
    (folder / "trips").mkdir()
    for number in range(FILES):
        count = rows // FILES
        fare = np.round(random.gamma(2.0, 9.0, count), 2)
        columns = {
            "zone": random.integers(1, ZONES + 1, count),
            "fare": fare,
            "tip": np.round(fare * random.random(count) / 3, 2),
            "total": np.round(fare * 1.3 + 2.5, 2),
            "distance": np.round(fare / 3, 2),
            **{f"other{at}": random.integers(0, 9, count) for at in range(14)},
        }
        pq.write_table(pa.table(columns), folder / "trips" / f"{number}.parquet")
    zones = {"id": np.arange(1, ZONES + 1), "borough": [f"b{at % 8}" for at in range(ZONES)]}
    pq.write_table(pa.table(zones), folder / "zones.parquet")


def query(session: SparkSession, folder: Path, output: str) -> None:
    """Scan, filter, join with a small table, group, and write."""
    from pyspark.sql import functions as sql

    zones = session.read.parquet(f"{folder}/zones.parquet")
    trips = session.read.parquet(f"{folder}/trips/*.parquet")
    (
        trips.filter(sql.col("fare") > 30)
        .join(zones, trips.zone == zones.id, "left")
        .groupBy("borough")
        .agg(sql.sum("total"), sql.count("*"), sql.avg("tip"), sql.avg("distance"))
        .write.parquet(output)
    )


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(folder: Path, options: str, samples: int, cores: int) -> None:
    """Run the query `samples` times in this process's application, and print a line for each."""
    os.environ["PYSPARK_SUBMIT_ARGS"] = f'--driver-java-options "{options}" pyspark-shell'
    from pyspark.sql import SparkSession

    began = time.perf_counter()
    builder = SparkSession.builder.master(f"local[{cores}]").config("spark.ui.enabled", "false")
    session = builder.config("spark.driver.memory", "2g").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    java = session.sparkContext._jvm.java
    pid = java.lang.ProcessHandle.current().pid()
    compiler = java.lang.management.ManagementFactory.getCompilationMXBean()
    print(f"    start-up {time.perf_counter() - began:.1f} s, {cpu_seconds(pid):.1f} CPU s")
    print(f"    {'sample':>6} {'seconds':>8} {'CPU s':>8} {'compiler s':>11}")
    for sample in range(1, samples + 1):
        cpu, compiled = cpu_seconds(pid), compiler.getTotalCompilationTime()
        began = time.perf_counter()
        query(session, folder, f"{folder}/out-{os.getpid()}-{sample}")
        seconds = time.perf_counter() - began
        cpu, compiled = cpu_seconds(pid) - cpu, compiler.getTotalCompilationTime() - compiled
        print(f"    {sample:>6} {seconds:>8.2f} {cpu:>8.2f} {compiled / 1000:>11.2f}", flush=True)
    session.stop()


def main() -> None:
    """Make the files, and measure each way to start the JVM in its own process."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=12_000_000)
    parser.add_argument("--samples", type=int, default=15)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--options", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.folder:
        measure(given.folder, given.options, given.samples, given.cores)
        return
    with TemporaryDirectory() as made:
        make(Path(made), given.rows)
        for name, options in OPTIONS.items():
            print(f"{name}: {options or '(nothing set)'}", flush=True)
            sizes = [f"--samples={given.samples}", f"--cores={given.cores}"]
            child = [sys.executable, __file__, *sizes, f"--folder={made}", f"--options={options}"]
            subprocess.run(child, check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
