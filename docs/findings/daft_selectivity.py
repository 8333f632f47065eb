"""How Daft's and Polars' Parquet readers do with a filter, against the share of rows that it keeps.

Needs nothing but packages from PyPI, and writes 300 MB to a temporary folder:

    pip install daft==0.7.26 polars==2.0.0 pyarrow==25.0.1 numpy
    python daft_selectivity.py [rows, default 12000000]

Files, threads and query are the same for all: sum four columns of the rows whose fare is above a
limit. The kept rows are scattered, as they are in real trips. Daft is also asked to filter a
computed column, which it does not push into its scan; once it infers the schema, once it gets one
with the files' types and `infer_schema=False`. Ways take turns; medians are shown.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

THREADS = 2
# Before Polars and Daft are imported.
os.environ.update(POLARS_MAX_THREADS=str(THREADS), DAFT_PROGRESS_BAR="0", DO_NOT_TRACK="true")

# ruff: noqa: E402
import daft
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from daft import col

FILES, ROUNDS = 12, 7
LIMITS = (0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0, 100.0)
OTHERS = 10
"""Columns that no way asks for, as trips have."""
SUMMED = ("total", "tip", "distance", "zone")
SCHEMA = {"zone": daft.DataType.int32(), "fare": daft.DataType.float64()} | {
    name: daft.DataType.float64() for name in SUMMED[:3]
}


def write(folder: Path, rows: int) -> None:
    """Write trips with fares in cents around 12 dollars, a tenth of them to an airport."""
    random = np.random.default_rng(1)
    for at in range(FILES):
        n = rows // FILES
        distance = np.round(random.lognormal(0.7, 0.8, n), 2)
        airport = random.random(n) < 0.1
        fare = np.round(3 + 3.5 * distance + np.where(airport, random.uniform(20, 60, n), 0), 1)
        tip = np.where(random.random(n) < 0.7, np.round(fare * 0.2, 2), 0.0)
        zone = random.zipf(1.3, n).clip(max=265).astype(np.int32)
        columns = {
            "fare": fare,
            "tip": tip,
            "distance": distance,
            "zone": zone,
            "total": fare + tip,
            **{f"other{n}": np.round(random.random(len(fare)), 2) for n in range(OTHERS)},
        }
        pq.write_table(
            pa.table(columns), folder / f"{at}.parquet", compression="zstd", row_group_size=1 << 20
        )


def by_daft(
    files: str, limit: float, pushed: bool, inferred: bool = True
) -> dict[str, list[float]]:
    """Sum by Daft, with the filter in the scan or after it, and the schema inferred or given."""
    given = {"schema": SCHEMA, "infer_schema": False}
    trips = daft.read_parquet(files) if inferred else daft.read_parquet(files, **given)
    expensive = col("fare") > limit
    if pushed:
        kept = trips.where(expensive)
    else:
        kept = trips.with_column("expensive", expensive).where(col("expensive"))
    return kept.agg(*(col(name).sum() for name in SUMMED)).to_pydict()


def by_polars(files: str, limit: float) -> dict[str, list[float]]:
    """Sum by Polars' streaming engine."""
    kept = pl.scan_parquet(files).filter(pl.col("fare") > limit)
    return kept.select(*SUMMED).sum().collect(engine="streaming").to_dict(as_series=False)


def main() -> None:
    """Write the files, take the samples, print a table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 12_000_000
    daft.set_runner_native(num_threads=THREADS)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), rows)
        files = f"{folder}/*.parquet"
        fares = np.concatenate(
            [pq.read_table(f, columns=["fare"])["fare"] for f in sorted(Path(folder).iterdir())]
        )
        print(", ".join(f"{name} {metadata.version(name)}" for name in ("daft", "polars")))
        print(f"{rows:,} rows in {FILES} files, {THREADS} threads; seconds (CPU seconds)\n")
        print(
            "| kept | runs a million rows | Daft, in the scan | Daft, after it "
            "| Daft, after it, schema given | Polars |"
        )
        print("|--:|--:|--:|--:|--:|--:|")
        for limit in LIMITS:
            kept = fares > limit
            runs = (1 + int(np.count_nonzero(kept[1:] != kept[:-1]))) / len(fares) * 1e6
            ways: list[Callable[[], dict[str, list[float]]]] = [
                lambda: by_daft(files, limit, True),  # noqa: B023
                lambda: by_daft(files, limit, False),  # noqa: B023
                lambda: by_daft(files, limit, False, inferred=False),  # noqa: B023
                lambda: by_polars(files, limit),  # noqa: B023
            ]
            taken: list[list[tuple[float, float]]] = [[] for _ in ways]
            for _ in range(ROUNDS):
                sums = []
                for way, samples in zip(ways, taken, strict=True):
                    wall, cpu = time.perf_counter(), time.process_time()
                    sums.append([way()[name][0] for name in SUMMED])
                    samples.append((time.perf_counter() - wall, time.process_time() - cpu))
                assert np.allclose(sums, sums[0])
            cells = [
                f"{statistics.median(w for w, _ in one):.2f} "
                f"({statistics.median(c for _, c in one):.2f})"
                for one in taken
            ]
            print(f"| {kept.mean():.1%} | {runs:,.0f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
