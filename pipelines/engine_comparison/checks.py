"""What an attempt is held to: right outputs of all samples, alike, and its limit of memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .context import Context
from .errors import UserError
from .judge import judge, read_table
from .measure import Reading
from .objects import list_parquet
from .verify import SchemaMismatch
from .workloads import Workload

Fields = dict[str, Any]
"""Fields of a result."""


def judge_all(context: Context, workload: Workload, outputs: Sequence[str]) -> Fields:
    """Judge the outputs of all samples: the last one whole, the exact columns of the others.

    Args:
        context: What the job was given.
        workload: What was computed.
        outputs: Prefixes, in the order taken.

    Returns:
        See `judge`.

    Raises:
        UserError: One of them is not right.
    """
    judged = judge(context, workload, outputs[-1])
    for at, output in enumerate(outputs[:-1], 1):
        check_alike(context, workload, output, judged, f"Sample {at} of {len(outputs)}")
    return judged


def check_alike(
    context: Context, workload: Workload, output: str, judged: Fields, name: str
) -> None:
    """Compare the exact columns of an output with those of the one that was judged.

    Args:
        context: What the job was given.
        workload: What was computed.
        output: A prefix.
        judged: What `judge` found of the other one.
        name: What to call it.

    Raises:
        UserError: They differ.
    """
    columns = workload.exact_columns(context.inputs)
    if not judged["rows"] and not list_parquet(context.filesystem, output):
        return  # some engines write no file for an answer without rows
    try:
        table = read_table(context, output, columns=columns)
        rows, checksum = table.num_rows, workload.checksum(table, context.inputs)
    except SchemaMismatch as error:
        rows, checksum = -1, str(error)
    if checksum != judged["checksum"]:
        differs = (
            f"it has {rows} rows, and the last one {judged['rows']}"
            if rows not in (-1, judged["rows"])
            else f"{', '.join(columns)} differ from the last one's"
        )
        raise UserError(
            f"{name} is not right: {differs}.",
            "A sample that does less, or something else, is no faster.",
            f"See the log of attempt {context.spec['attempt']} for what the engine did.",
            outcome="wrong",
        )


def check_memory(context: Context, seen: Reading) -> None:
    """Hold a reading against the run's limit.

    Raises:
        UserError: The peak is above it.
    """
    limit = context.limits["memoryBytes"]
    if seen.peak_memory > limit:
        raise UserError(
            f"The run took {gib(seen.peak_memory)} of memory ({seen.memory}) at its peak, and "
            f"runMemory allows {gib(limit)}.",
            "Every engine gets the same memory, its services included: a result with more would "
            "be compared with those that kept to it.",
            "Set runMemory higher for all engines, or let this run take less by a smaller "
            "batchSize, sparkWorkerMemory or rayObjectStoreMemory.",
            outcome="out of memory",
        )


def gib(size: int) -> str:
    """A size in bytes for people: `6.00 GiB`."""
    return f"{size / 2**30:.2f} GiB"
