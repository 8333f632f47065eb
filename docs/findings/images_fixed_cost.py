"""What Spark and Daft add to a bare loop over images: seconds a query, and seconds an image.

    pip install pyspark==4.1.1 daft==0.7.26 numpy pillow pyarrow     (and Java 17 or 21)
    python images_fixed_cost.py [threads, default 2]

Reads JPEG files from a folder, decodes and resizes them, multiplies matrices for about as long as a
small model takes, and writes a vector each to Parquet. A bare loop of threads, Spark's `mapInArrow`
and a class of Daft call the same function; Daft decodes and resizes once by itself, too.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

os.environ.update(
    PYSPARK_PYTHON=sys.executable,
    SPARK_LOCAL_IP="127.0.0.1",
    OPENBLAS_NUM_THREADS="1",
    DAFT_PROGRESS_BAR="0",
    DO_NOT_TRACK="true",
)

import daft
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from pyspark.sql import SparkSession

COUNTS, WARM, ROUNDS, BATCH, SIDE = (250, 1000, 2000), 2, 3, 32, 224
OPTIONS = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
MATRIX = np.random.default_rng(0).random((SIDE * SIDE * 3 // 512, 512), np.float32)
WEIGHTS = np.random.default_rng(1).random((512, 512), np.float32)
VECTOR = pa.list_(pa.float32())


def pixels_of(path: str) -> np.ndarray:
    """Read, decode and resize by Pillow; uint8 [224, 224, 3]."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def model(pixels: np.ndarray) -> list[float]:
    """Stands for a model: about 5 ms of a core; 512 numbers."""
    values = pixels.reshape(512, -1).astype(np.float32) @ MATRIX
    for _ in range(2):
        values = values @ WEIGHTS
        values /= values.max()
    answer: list[float] = values.mean(axis=0).tolist()
    return answer


def answers(paths: list[str]) -> list[list[float]]:
    """The vectors of a batch of files."""
    return [model(pixels_of(path)) for path in paths]


def bare(paths: list[str], out: Path, threads: int) -> None:
    """Every thread takes its share of the batches."""
    batches = [paths[at : at + BATCH] for at in range(0, len(paths), BATCH)]
    with ThreadPoolExecutor(threads) as pool:
        vectors = [vector for batch in pool.map(answers, batches) for vector in batch]
    out.mkdir()
    table = pa.table({"path": paths, "vector": pa.array(vectors, VECTOR)})
    pq.write_table(table, out / "0.parquet")


def in_arrow(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """For `mapInArrow`."""
    for batch in batches:
        vectors = pa.array(answers(batch.column(0).to_pylist()), VECTOR)
        yield pa.record_batch([batch.column(0), vectors], ["path", "vector"])


def by_spark(session: SparkSession, paths: list[str], out: Path) -> None:
    """As many tasks as threads."""
    listed = session.createDataFrame(pa.table({"path": paths}))
    listed.mapInArrow(in_arrow, "path string, vector array<float>").write.parquet(str(out))


@daft.cls(use_process=False)
class Model:
    """For Daft, whose threads call it."""

    @daft.method.batch(return_dtype=daft.DataType.from_arrow_type(VECTOR), batch_size=BATCH)
    def of_paths(self, paths: daft.Series) -> pa.Array:
        """Decode by Pillow."""
        return pa.array(answers(paths.to_pylist()), VECTOR)

    @daft.method.batch(return_dtype=daft.DataType.from_arrow_type(VECTOR), batch_size=BATCH)
    def of_images(self, images: daft.Series) -> pa.Array:
        """What Daft decoded and resized."""
        pixels = np.asarray(images.to_arrow().storage.flatten()).reshape(-1, SIDE, SIDE, 3)
        return pa.array([model(one) for one in pixels], VECTOR)


def by_daft(paths: list[str], out: Path, decode: bool) -> None:
    """`decode`: by Daft's decoder."""
    listed, answer = daft.from_pydict({"path": paths}), Model()
    vector = answer.of_paths(daft.col("path"))
    if decode:
        image = daft.functions.decode_image(daft.col("path").download(), mode="RGB")
        square = daft.DataType.image("RGB", SIDE, SIDE)
        vector = answer.of_images(daft.functions.resize(image, SIDE, SIDE).cast(square))
    listed.select("path", vector.alias("vector")).write_parquet(str(out))


def make(folder: Path) -> list[str]:
    """Pictures of 500 x 375, about 40 kB each; their paths."""
    random, paths = np.random.default_rng(2), []
    for at in range(32):
        coarse = random.integers(0, 256, (75, 100, 3), np.uint8)
        paths.append(str(folder / f"{at}.jpg"))
        Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC).save(paths[-1])
    return paths


def main() -> None:
    """Have all take turns, and print a table."""
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    session = (
        SparkSession.builder.master(f"local[{threads}]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.extraJavaOptions", OPTIONS)
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", str(BATCH))
        .getOrCreate()
    )
    ways: dict[str, Callable[[list[str], Path], None]] = {
        "bare loop": lambda paths, out: bare(paths, out, threads),
        "Spark, `mapInArrow`": lambda paths, out: by_spark(session, paths, out),
        "Daft, the same function": lambda paths, out: by_daft(paths, out, decode=False),
        "Daft, its own decoder": lambda paths, out: by_daft(paths, out, decode=True),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    with TemporaryDirectory() as made:
        files = make(Path(made))
        for count in COUNTS:
            paths = [files[at % len(files)] for at in range(count)]
            seconds: dict[str, list[float]] = {name: [] for name in ways}
            for turn in range(WARM + ROUNDS):
                for name, way in ways.items():
                    began = time.perf_counter()
                    way(paths, Path(made) / f"{count}-{turn}-{len(name)}")
                    seconds[name].append(time.perf_counter() - began)
            for name, all_ in seconds.items():
                taken[name].append(median(all_[WARM:]))
    session.stop()
    versions = (f"{name} {metadata.version(name)}" for name in ("pyspark", "daft", "pillow"))
    print(f"{', '.join(versions)}, {threads} threads\n")
    heads = "".join(f" {count:,} images |" for count in COUNTS)
    print(f"| seconds, share of the bare loop |{heads} a query | an image |")
    print(f"|---|{'--:|' * (len(COUNTS) + 2)}")
    for name, each in taken.items():
        pairs = zip(taken["bare loop"], each, strict=True)
        cells = "".join(f" {mine:.2f}, {own / mine:.0%} |" for own, mine in pairs)
        slope, fixed = np.polyfit(COUNTS, each, 1)
        print(f"| {name} |{cells} {fixed:.2f} s | {1000 * slope:.2f} ms |")


if __name__ == "__main__":
    main()
