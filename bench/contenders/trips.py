"""Making the trips of `taxi-report`, and the least it can take: writing them from memory."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from engine_comparison.datasets.make import make
from engine_comparison.errors import UserError
from engine_comparison.protocol import Channel

from . import Contender, timed


class MakeTrips(Contender):
    """The program's own maker, manifest included.

    The spec is `{"settings": {...}, "folder": <to write into>, "made": <the dataset, as made>}`.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        """Keep where to write."""
        self._settings: dict[str, str] = spec["settings"]
        self._made = Path(spec["made"])
        self._out = Path(spec["folder"])

    def start(self) -> None:
        """There is nothing to start."""

    def prepare(self) -> None:
        """Remove what the last sample wrote."""
        shutil.rmtree(self._out, ignore_errors=True)

    def execute(self) -> float:
        """Make all files."""
        with open("/dev/null", "w", encoding="utf-8") as nobody:
            spec = {"source": "sample", "kind": "taxi", "settings": self._settings}
            return timed(lambda: make(Channel(nobody), {**spec, "out": str(self._out)}))

    def verify(self) -> dict[str, Any]:
        """Compare with the dataset: the same files of the same sizes.

        Raises:
            UserError: They differ.
        """
        found, wanted = sizes(self._out), sizes(self._made)
        if found != wanted:
            raise UserError(
                f"{len(found)} files with {sum(found.values())} bytes were written.",
                f"The dataset has {len(wanted)} with {sum(wanted.values())}.",
                "Who does less is no faster.",
            )
        return {"files": len(found), "bytes": sum(found.values())}

    def stop(self) -> None:
        """Leave nothing behind."""
        self.prepare()


class WriteTrips(MakeTrips):
    """pyarrow, writing the same tables from memory as the maker writes them."""

    def start(self) -> None:
        """Read all tables of the dataset, whole as the maker has them: pages end with a chunk."""
        self._tables = {
            path.name: (pq.read_table(path).combine_chunks(), parquet_options(path))
            for path in months(self._made)
        }

    def execute(self) -> float:
        """Write the tables, one after the other."""
        self._out.mkdir(parents=True)
        return timed(self._write)

    def _write(self) -> None:
        for name, (table, options) in self._tables.items():
            pq.write_table(table, self._out / name, **options)


def months(dataset: Path) -> list[Path]:
    """The files with trips."""
    return sorted(dataset.rglob("*.parquet"))


def sizes(folder: Path) -> dict[str, int]:
    """The sizes of the files with trips, by name."""
    return {path.name: path.stat().st_size for path in months(folder)}


def parquet_options(path: Path) -> dict[str, Any]:
    """How a file was written."""
    metadata = pq.read_metadata(path)
    group = metadata.row_group(0)
    return {
        "compression": group.column(0).compression.lower(),
        "row_group_size": group.num_rows,
    }
