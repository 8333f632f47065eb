"""The right answers, found by other code than any engine's: each workload has its own.

    python -m engine_comparison.leader   with the module engine_comparison.oracle and a run's spec

An oracle is stored at s3://<output>/oracles/<workload>/<oracleKey>.parquet. Those of images have a
row for every image, the rejected ones with the reason in the column `rejected`.

The result event has `workload`, `oracleKey`, `uri`, `rows`, `rejected`, `longTexts`, `checksum`
and `seconds`: `rows` are those with an answer, which the checksum covers; `longTexts` are accepted
images that Pillow refuses as a whole, such as PNGs with long texts.
"""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from . import workloads
from .errors import UserError
from .protocol import Channel, Spec, run_module
from .store import open_store
from .workloads.image_inputs import REJECTED
from .workloads.image_oracle import LONG_TEXTS, of_sample


def answer(spec: Mapping[str, Any], filesystem: fs.FileSystem) -> pa.Table:
    """Compute the oracle that a spec asks for.

    Raises:
        UserError: There is no such workload, or an input file cannot be read.
    """
    workload = workloads.load(spec["workload"])
    facts = workload.input_facts(spec, filesystem)
    try:
        return workload.right_answer({**spec, "facts": facts}, filesystem)
    except UserError:
        raise
    except Exception as error:
        unreadable = workload.unreadable_input(filesystem, facts)
        if unreadable is None:
            raise
        traceback.print_exception(error)
        raise UserError(
            unreadable,
            "There is no right answer without it, and so no run is begun.",
            "If the store answers (`npm run status`), the object is damaged: write your own data "
            "again; `npm run destroy` and `npm start` make this project's data again.",
        ) from error


def oracle_path(spec: Mapping[str, Any]) -> str:
    """Where the oracle of a spec is: `<bucket>/oracles/<workload>/<oracleKey>.parquet`."""
    return f"{spec['buckets']['output']}/oracles/{spec['workload']}/{spec['oracleKey']}.parquet"


def main(channel: Channel, spec: Spec) -> dict[str, Any]:
    """Compute and store an oracle; returns the fields of the result event."""
    began = time.monotonic()
    filesystem = open_store(spec["store"])
    channel.phase("compute")
    table = answer(spec, filesystem)
    channel.phase("publish")
    path = oracle_path(spec)
    with filesystem.open_output_stream(path) as stream:
        pq.write_table(table, stream, compression="zstd")
    accepted, rejected, long_texts = table, 0, 0
    if REJECTED in table.column_names:
        rejected = len(table) - table.column(REJECTED).null_count
        long_texts = pc.sum(table.column(LONG_TEXTS)).as_py() or 0
        answered = of_sample(table)
        accepted = answered.filter(answered.column(REJECTED).is_null())
    return {
        "workload": spec["workload"],
        "oracleKey": spec["oracleKey"],
        "uri": f"s3://{path}",
        "rows": len(accepted),
        "rejected": rejected,
        "longTexts": long_texts,
        "checksum": workloads.load(spec["workload"]).checksum(accepted, spec["inputs"]),
        "seconds": round(time.monotonic() - began, 3),
    }


if __name__ == "__main__":
    sys.exit(run_module(main))
