"""How many requests engines make to read from S3, and what a slow network makes of it.

Needs nothing but packages from PyPI, and about 600 MB of memory:

    pip install "ray[data]==2.60.0" daft==0.7.26 polars==2.0.0 duckdb==1.5.5 datafusion==55.0.0
    pip install duckdb-extension-httpfs==1.5.5 obstore==0.11.1 pyarrow==25.0.1 numpy pandas
    python request_counts.py [rows, default 3000000]

Spark takes part where pyspark is installed and SPARK_JARS names a folder with the jars of S3A.

A server in another process answers as S3 does, from memory, each request by a thread after a
delay. It counts requests by verb, and bytes. Opening a connection costs nothing. For each delay a
way reads once untimed, because it may ask for what it then keeps; the fastest of the next three is
in the table.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from importlib.resources import files
from io import BytesIO
from multiprocessing.connection import Connection
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

FILES, GROUP, IMAGES, IMAGE_BYTES = 12, 125_000, 100, 40_000
DELAYS = (0.0, 0.01, 0.05)
READS = 3
CPUS = 2
DATE = "Mon, 01 Jan 2024 00:00:00 GMT"

Objects = dict[str, bytes]


def trips(rows: int) -> Objects:
    """Parquet files of trips, of which a job reads 3 of 12 columns."""
    random = np.random.default_rng(1)
    made = {}
    for at in range(FILES):
        n = rows // FILES
        fare = np.where(random.random(n) < 0.1, random.uniform(30, 90, n), random.uniform(3, 30, n))
        columns: dict[str, Any] = {"fare": fare, "total": fare * 1.2}
        columns |= {"zone": random.integers(1, 266, n)}
        columns |= {f"unread{i}": random.random(n) for i in range(9)}
        file = BytesIO()
        pq.write_table(pa.table(columns), file, compression="zstd", row_group_size=GROUP)
        made[f"lake/trips/{at:02}.parquet"] = file.getvalue()
    return made


def images() -> Objects:
    """Files that are only fetched: their content does not matter."""
    random = np.random.default_rng(2)
    return {f"lake/images/{at:04}.jpg": random.bytes(IMAGE_BYTES) for at in range(IMAGES)}


class Handler(BaseHTTPRequestHandler):
    """Answers as S3 does: GET with a range, HEAD, and listings. Signatures are not looked at."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    objects: Objects
    delay = 0.0
    counts: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        """An object, a part of it, or a listing."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """An object without its content."""
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        url = urlsplit(self.path)
        key, query = unquote(url.path).strip("/"), parse_qs(url.query, keep_blank_values=True)
        time.sleep(self.delay)
        if "/" not in key and body:
            return self._send("LIST", 200, self._listing(key, query), {})
        verb = "GET" if body else "HEAD"
        content = self.objects.get(key)
        if content is None:
            return self._send(f"{verb} 404", 404, b"", {}, body)
        headers = {"ETag": f'"{len(content):032x}"', "Accept-Ranges": "bytes"}
        span = self.headers.get("Range")
        if span is None:
            return self._send(verb, 200, content, headers, body)
        first, last = span.removeprefix("bytes=").split("-")
        begin = int(first) if first else max(0, len(content) - int(last))
        end = min(int(last) + 1 if first and last else len(content), len(content))
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(content)}"
        return self._send(verb, 206, content[begin:end], headers, body)

    def _listing(self, bucket: str, query: dict[str, list[str]]) -> bytes:
        prefix, delimiter = (query.get(name, [""])[0] for name in ("prefix", "delimiter"))
        most = int(query.get("max-keys", ["1000"])[0])
        listed, folders = [], set()
        for key in sorted(self.objects):
            name = key.removeprefix(f"{bucket}/")
            if not name.startswith(prefix):
                continue
            head, cut, _ = name[len(prefix) :].partition(delimiter or "\0")
            if delimiter and cut:
                folders.add(prefix + head + delimiter)
                continue
            listed.append(
                f"<Contents><Key>{name}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>"
                f'<ETag>"{len(self.objects[key]):032x}"</ETag><Size>{len(self.objects[key])}</Size>'
                "<StorageClass>STANDARD</StorageClass></Contents>"
            )
        common = [f"<CommonPrefixes><Prefix>{one}</Prefix></CommonPrefixes>" for one in folders]
        return (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult '
            f'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>{bucket}</Name>'
            f"<Prefix>{prefix}</Prefix><MaxKeys>{most}</MaxKeys><IsTruncated>false</IsTruncated>"
            f"<KeyCount>{len(listed) + len(common)}</KeyCount>{''.join(listed[:most] + common)}"
            "</ListBucketResult>"
        ).encode()

    def _send(
        self, verb: str, status: int, content: bytes, more: dict[str, str], body: bool = True
    ) -> None:
        self.counts[verb] += 1
        self.counts["bytes"] += len(content) if body else 0
        self.send_response(status)
        headers = {"Content-Length": str(len(content)), "Last-Modified": DATE, **more}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            with suppress(OSError):  # who closes early had enough
                self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """The stand-in for S3."""

    daemon_threads = True
    request_queue_size = 256


def serve(rows: int, orders: Connection) -> None:
    """Be the server: answers a delay by the counts since the last one, None by the end."""
    import threading

    Handler.objects = {**trips(rows), **images()}
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    orders.send(server.server_address[1])
    while (delay := orders.recv()) is not None:
        orders.send(dict(Handler.counts))
        Handler.counts.clear()
        Handler.delay = delay


def with_polars(port: int) -> float:
    """Polars' lazy scan."""
    import polars as pl

    options = {
        "aws_endpoint_url": f"http://127.0.0.1:{port}",
        "aws_access_key_id": "key",
        "aws_secret_access_key": "secret",
        "aws_region": "us-east-1",
        "aws_allow_http": "true",
    }
    lazy = pl.scan_parquet("s3://lake/trips/*.parquet", storage_options=options)
    kept = lazy.filter(pl.col("fare") > 30).group_by("zone").agg(pl.col("total").sum())
    return float(kept.collect(engine="streaming")["total"].sum())


def with_duckdb(port: int) -> float:
    """DuckDB's httpfs."""
    import duckdb

    extensions = files("duckdb_extension_httpfs") / "extensions"
    with duckdb.connect(config={"threads": CPUS}) as db:
        db.execute(f"LOAD '{extensions}/v{duckdb.__version__}/httpfs.duckdb_extension'")
        db.execute(
            f"CREATE SECRET (TYPE s3, KEY_ID 'key', SECRET 'secret', ENDPOINT '127.0.0.1:{port}', "
            "URL_STYLE 'path', USE_SSL false)"
        )
        rows = db.sql("SELECT sum(total) FROM 's3://lake/trips/*.parquet' WHERE fare > 30")
        return float(rows.fetchall()[0][0])


def with_datafusion(port: int) -> float:
    """DataFusion's Parquet table."""
    import datafusion
    from datafusion.object_store import AmazonS3

    context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(CPUS))
    store = AmazonS3(
        bucket_name="lake",
        region="us-east-1",
        access_key_id="key",
        secret_access_key="secret",
        endpoint=f"http://127.0.0.1:{port}",
        allow_http=True,
    )
    context.register_object_store("s3://", store, "lake")
    context.register_parquet("trips", "s3://lake/trips/")
    batches = context.sql("SELECT sum(total) AS total FROM trips WHERE fare > 30").collect()
    return float(batches[0].column("total")[0].as_py())


def _daft(port: int) -> Any:
    from daft.io import IOConfig, S3Config

    return IOConfig(
        s3=S3Config(
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            key_id="key",
            access_key="secret",
            use_ssl=False,
        )
    )


def with_daft(port: int) -> float:
    """Daft, native runner."""
    import daft
    from daft import col

    read = daft.read_parquet("s3://lake/trips/*.parquet", io_config=_daft(port))
    kept = read.where(col("fare") > 30).agg(col("total").sum())
    return float(kept.to_pydict()["total"][0])


def _pyarrow(port: int) -> Any:
    from pyarrow import fs

    return fs.S3FileSystem(
        access_key="key",
        secret_key="secret",
        endpoint_override=f"127.0.0.1:{port}",
        scheme="http",
        region="us-east-1",
    )


def with_pyarrow(port: int) -> float:
    """A dataset of pyarrow."""
    import pyarrow.dataset as ds

    data = ds.dataset("lake/trips/", filesystem=_pyarrow(port), format="parquet")
    kept = data.to_table(columns=["total"], filter=ds.field("fare") > 30)
    return float(pa.compute.sum(kept["total"]).as_py())


def with_ray(port: int) -> float:
    """Ray Data's `read_parquet`."""
    import ray.data
    from ray.data.expressions import col

    read = ray.data.read_parquet("lake/trips/", filesystem=_pyarrow(port))
    return float(read.filter(expr=col("fare") > 30.0).sum("total"))


def _spark(port: int) -> Any:
    from pyspark.sql import SparkSession

    jars = os.environ["SPARK_JARS"]
    settings = {
        "endpoint": f"http://127.0.0.1:{port}",
        "endpoint.region": "us-east-1",
        "access.key": "key",
        "secret.key": "secret",
        "path.style.access": "true",
    }
    builder = SparkSession.builder.master(f"local[{CPUS}]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.driver.extraClassPath", f"{jars}/*")
    for name, value in settings.items():
        builder = builder.config(f"spark.hadoop.fs.s3a.{name}", value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


def with_spark(port: int) -> float:
    """Spark SQL by S3A."""
    read = _spark(port).read.parquet("s3a://lake/trips/")
    return float(read.where("fare > 30").agg({"total": "sum"}).collect()[0][0])


def images_with_daft(port: int) -> float:
    """Daft's `download`."""
    import daft
    from daft import col, functions

    urls = [f"s3://lake/images/{at:04}.jpg" for at in range(IMAGES)]
    content = functions.download(col("url"), io_config=_daft(port))
    read = daft.from_pydict({"url": urls}).select(functions.length(content).alias("n"))
    return float(sum(read.to_pydict()["n"]))


def images_with_ray(port: int) -> float:
    """Ray Data's `read_binary_files`."""
    import ray.data

    paths = [f"lake/images/{at:04}.jpg" for at in range(IMAGES)]
    read = ray.data.read_binary_files(paths, filesystem=_pyarrow(port))
    return float(read.map_batches(_sizes, batch_format="numpy").sum("n"))


def _sizes(batch: dict[str, Any]) -> dict[str, Any]:
    return {"n": np.array([len(one) for one in batch["bytes"]])}


def images_with_pyarrow(port: int) -> float:
    """Files of pyarrow, 16 at a time."""
    from concurrent.futures import ThreadPoolExecutor

    store = _pyarrow(port)

    def fetch(at: int) -> int:
        with store.open_input_file(f"lake/images/{at:04}.jpg") as file:
            return len(file.read())

    with ThreadPoolExecutor(16) as pool:
        return float(sum(pool.map(fetch, range(IMAGES))))


def images_with_obstore(port: int) -> float:
    """`get` of obstore, 16 at a time."""
    from concurrent.futures import ThreadPoolExecutor

    import obstore
    from obstore.store import S3Store

    store = S3Store(
        "lake",
        endpoint=f"http://127.0.0.1:{port}",
        config={"access_key_id": "key", "secret_access_key": "secret", "region": "us-east-1"},
        client_options={"allow_http": True},
    )

    def fetch(at: int) -> int:
        return len(obstore.get(store, f"images/{at:04}.jpg").bytes())

    with ThreadPoolExecutor(16) as pool:
        return float(sum(pool.map(fetch, range(IMAGES))))


def images_with_spark(port: int) -> float:
    """Spark's `binaryFile`, given the files' names."""
    names = [f"s3a://lake/images/{at:04}.jpg" for at in range(IMAGES)]
    read = _spark(port).read.format("binaryFile").load(names)
    return float(read.selectExpr("sum(length(content))").collect()[0][0])


TABLES: dict[str, list[Callable[[int], float]]] = {
    f"{FILES} Parquet files": [
        with_polars,
        with_duckdb,
        with_datafusion,
        with_daft,
        with_pyarrow,
        with_ray,
    ],
    f"{IMAGES} images": [
        images_with_obstore,
        images_with_pyarrow,
        images_with_daft,
        images_with_ray,
    ],
}


def measured(way: Callable[[int], float], port: int, orders: Connection) -> str:
    """A row of a table: requests by verb, bytes, seconds for each delay, and what follows of them.

    The last is how many requests waited one after the other: what the delay added, by the delay.
    """
    seconds, answers = [], set()
    counts: dict[str, int] = {}
    for delay in DELAYS:
        taken = []
        for _ in range(1 + READS):
            orders.send(delay)
            orders.recv()
            began = time.perf_counter()
            answers.add(round(way(port), 2))
            taken.append(time.perf_counter() - began)
            orders.send(delay)
            counts = orders.recv()
        seconds.append(min(taken[1:]))
    assert len(answers) == 1, (way.__name__, answers)
    size = counts.pop("bytes", 0) / 2**20
    missing = sum(n for verb, n in counts.items() if "404" in verb)
    asked = " | ".join(str(counts.get(verb, 0)) for verb in ("GET", "HEAD", "LIST"))
    times = " | ".join(f"{one:.2f}" for one in seconds)
    in_a_row = (seconds[-1] - seconds[0]) / (DELAYS[-1] - DELAYS[0])
    name = str(way.__doc__).rstrip(".")
    return f"| {name} | {asked} | {missing} | {size:.1f} | {times} | {in_a_row:.0f} |"


def main() -> None:
    """Start the server and the engines, and print the tables."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000_000
    warnings.filterwarnings("ignore")
    os.environ.update(DAFT_ANALYTICS_ENABLED="0", AWS_EC2_METADATA_DISABLED="true")
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=serve, args=(rows, theirs), daemon=True
    )
    process.start()
    port = mine.recv()
    import daft
    import ray
    from ray.data import DataContext

    daft.set_runner_native(num_threads=CPUS)
    ray.init(num_cpus=CPUS, log_to_driver=False, logging_level="ERROR")
    DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    if os.environ.get("SPARK_JARS"):
        TABLES[f"{FILES} Parquet files"].append(with_spark)
        TABLES[f"{IMAGES} images"].append(images_with_spark)
    names = ["daft", "ray", "polars", "duckdb", "datafusion", "pyarrow", "obstore"]
    print(", ".join(f"{name} {metadata.version(name)}" for name in names))
    for title, ways in TABLES.items():
        print(f"\n{title}, {rows:,} rows\n" if "Parquet" in title else f"\n{title}\n")
        print("| way | GET | HEAD | LIST | 404 | MiB | 0 ms | 10 ms | 50 ms | in a row |")
        print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
        for way in ways:
            print(measured(way, port, mine), flush=True)
    mine.send(None)


if __name__ == "__main__":
    main()
