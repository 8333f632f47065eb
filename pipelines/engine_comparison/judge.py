"""The judging of an output in the store, before it is published.

Every image of the list must be answered, or rejected where the oracle rejects it, for the same
reason. Answers are held against the oracle's row by row. Of an output only the exact columns are
read whole: vectors are read where the oracle has them, which is a sample where there are more
images than `oracleImages`.

The oracle decodes with Pillow. An engine's own decoder rounds differently, and of some pictures,
such as small ones, the model makes much of that. So answers that are too far from the oracle's are
held against the model's answers about the pixels of that decoder, if those are near Pillow's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .context import Context
from .engines import load
from .errors import UserError
from .objects import in_parallel, list_parquet
from .oracle import oracle_path
from .verify import SchemaMismatch, Verdict, compare_keys, compare_rejects, examples
from .workloads import Workload
from .workloads.image_inputs import rejection
from .workloads.image_oracle import OracleModel, of_sample
from .workloads.image_workload import ImageWorkload

NEAR_PIXELS, NEAR_EACH = 1.5, 6.0
"""How far the pixels of another decoder may be from Pillow's, of 255: of all images on average, and
of each. Those of Daft are 0.2 away, and up to 4.0 of pictures 3 pixels wide. Scaled without
interpolation they are 3.7 away, with swapped colours 24 (docs/findings/image-decoders.md)."""
Fields = dict[str, Any]
"""Fields of the result event."""


def judge(context: Context, workload: Workload, written: str) -> Fields:
    """Judge an output.

    Args:
        context: What the job was given.
        workload: What was computed.
        written: Prefix of the output's files, `<bucket>/<path>`.

    Returns:
        The fields of the result that describe input and output.

    Raises:
        UserError: It is not right, too many images were left out, or there is no oracle.
    """
    oracle = read_oracle(context)
    # Some engines write no file where there is nothing to write.
    if not list_parquet(context.filesystem, written) and not workload.answered(oracle).num_rows:
        write_empty(context, workload, written)
    judged = read_table(context, written, only=workload.judged_keys(oracle))
    if isinstance(workload, ImageWorkload):
        found = _judge_images(context, workload, written, judged, oracle)
    else:
        verdict = workload.verify(judged, oracle, context.inputs)
        found = {"rows": judged.num_rows, "rejects": [], **_right(context, verdict)}
        found["checksum"] = workload.checksum(judged, context.inputs)
    facts = context.input_facts
    return {
        **found,
        "note": "" if found["rows"] else workload.nothing_to_report(context.inputs),
        "rowsIn": workload.count_inputs(facts),
        "bytesIn": workload.input_bytes(facts),
        "rejected": sum(reject["count"] for reject in found["rejects"]),
        "verified": True,
    }


def _judge_images(
    context: Context, workload: ImageWorkload, written: str, judged: pa.Table, oracle: pa.Table
) -> Fields:
    """Judge which images were answered, all of them, and the answers to those of the sample.

    Raises:
        UserError: As in `judge`.
    """
    inputs = context.inputs
    exact = read_table(context, written, columns=workload.exact_columns(inputs))
    try:
        answered = workload.exact(exact, inputs).column(workload.key).to_pylist()
    except SchemaMismatch as error:
        message = f"The output has the wrong shape: {error}."
        raise _not_right(context, Verdict(False, message=message)) from error
    rejects = _rejects(context, set(oracle.column(workload.key).to_pylist()) - set(answered))
    accepted, expected = workload.split(oracle)
    keys = compare_keys(answered, accepted.column(workload.key).to_pylist())
    differing = [
        f"{what} differ: {which}."
        for what, which in (
            ("Images", keys.message),
            ("Rejects", compare_rejects(rejects, expected)),
        )
        if which
    ]
    if differing:
        verdict = Verdict(False, keys.deviations, message=" ".join(differing))
        raise _not_right(context, verdict)
    verdict = workload.verify(judged, oracle, inputs)
    if not verdict.verified and inputs["decoder"] == "own":
        verdict = by_its_own_pixels(context, workload, judged, oracle, verdict)
    found = _right(context, verdict)
    rejected, allowed = sum(expected.values()), int(inputs.get("maxRejected", "0"))
    if rejected > allowed:
        reasons = ", ".join(f"{reject['count']} {reject['reason']}" for reject in rejects)
        raise UserError(
            f"{rejected} images were rejected ({reasons}), and maxRejected is {allowed}.",
            "Answers for a part of the images would pass for answers for all of them.",
            "Repair those files in the dataset, or set maxRejected to what you can do without.",
        )
    sample = len(of_sample(oracle))
    return {
        "rows": len(answered),
        "rejects": rejects,
        "sampled": sample if sample < len(oracle) else None,
        "checksum": workload.checksum(exact, inputs),
        **found,
    }


def by_its_own_pixels(
    context: Context, workload: ImageWorkload, judged: pa.Table, oracle: pa.Table, verdict: Verdict
) -> Verdict:
    """Judge answers by the model's answers about the pixels of the contender's decoder.

    Args:
        context: What the job was given.
        workload: What was computed.
        judged: The answers about the images of the sample.
        oracle: The oracle's, about Pillow's pixels.
        verdict: What they came to by the oracle's.

    Returns:
        The same if no answers were compared, or the pixels are not near Pillow's. Otherwise what
        the answers come to; if they are right, with the agreement with both.
    """
    if verdict.agreement is None:
        return verdict
    model = OracleModel(context.model, load(context.spec["engine"]).decoded)
    accepted, _ = workload.split(of_sample(oracle))
    names = accepted.column(workload.key).to_pylist()
    asked = workload.ask_each(model, context.filesystem, names)
    average = float(np.mean(model.distances))
    apart = zip(asked.column(workload.key).to_pylist(), model.distances, strict=True)
    far = [name for name, distance in apart if distance > NEAR_EACH]
    if far or average > NEAR_PIXELS:
        damaged = (
            f", and more than {NEAR_EACH} in {examples(far)}: are they damaged?" if far else "."
        )
        pixels = f"Its decoder's pixels are {average:.1f} of 255 from Pillow's on average{damaged}"
        return replace(verdict, message=f"{verdict.message} {pixels}")
    again = workload.verify(judged, asked, context.inputs)
    if not again.verified:
        return again
    both = {f"{name}ByOwnPixels": value for name, value in (again.agreement or {}).items()}
    return replace(verdict, verified=True, message="", agreement=(verdict.agreement or {}) | both)


def _rejects(context: Context, left_out: set[str]) -> list[Fields]:
    """Why images have no answer, by the one rule, whatever the engine: reasons and their counts.

    An image without an answer that the rule accepts has no reason: it is missing.
    """
    found = in_parallel(lambda url: rejection(context.filesystem, url), sorted(left_out))
    reasons = Counter(reason for reason in found if reason is not None)
    return [{"reason": name, "count": count} for name, count in sorted(reasons.items())]


def _right(context: Context, verdict: Verdict) -> Mapping[str, Any]:
    """The fields of a verdict.

    Raises:
        UserError: The output is not right.
    """
    if not verdict.verified:
        raise _not_right(context, verdict)
    return {
        "deviations": verdict.deviations,
        "agreement": verdict.agreement,
        "disagreements": verdict.disagreements,
    }


def _not_right(context: Context, verdict: Verdict) -> UserError:
    deviations = ", ".join(f"{name} {value}" for name, value in verdict.deviations.items())
    return UserError(
        f"The output is not right. {verdict.message}",
        f"It was not published ({deviations or 'nothing could be compared'}); the result published "
        "before, if any, is unchanged.",
        f"See the log of attempt {context.spec['attempt']} for what the engine did.",
        outcome="wrong",
    )


def read_table(
    context: Context,
    prefix: str,
    columns: Sequence[str] | None = None,
    only: tuple[str, pa.Array] | None = None,
) -> pa.Table:
    """Read all Parquet files under a prefix, a row group of each at a time.

    Args:
        context: What the job was given.
        prefix: `<bucket>/<path>`, without a slash at its end.
        columns: Which to read; default: all. Those that are not there are left out.
        only: A column, and which of its values rows are kept for; default: all rows.

    Raises:
        UserError: There is no file.
    """
    files = list_parquet(context.filesystem, prefix)
    if not files:
        raise UserError(
            f"The engine left no Parquet file in s3://{prefix}/.",
            "There is nothing to verify, and the result published before is unchanged.",
            "See the attempt's log for what the engine did.",
            outcome="wrong",
        )

    def kept(group: pa.Table) -> pa.Table:
        if only is None or only[0] not in group.column_names:
            return group
        return group.filter(pc.is_in(group.column(only[0]), only[1]))

    def read(info: Any) -> list[pa.Table]:
        with context.filesystem.open_input_file(info.path) as stream:
            file = pq.ParquetFile(stream)
            groups = range(file.num_row_groups)
            empty = file.schema_arrow.empty_table()
            if columns is not None:
                empty = empty.select([name for name in columns if name in empty.column_names])
            return [empty, *(kept(file.read_row_group(at, columns)) for at in groups)]

    groups = [group for found in in_parallel(read, files) for group in found]
    return pa.concat_tables(groups, promote_options="permissive")


def write_empty(context: Context, workload: Workload, prefix: str) -> None:
    """Write an answer without rows, so that readers find its columns.

    Args:
        context: What the job was given.
        workload: What was computed.
        prefix: `<bucket>/<path>`, where no file is yet.
    """
    with context.filesystem.open_output_stream(f"{prefix}/part-0.parquet") as stream:
        pq.write_table(workload.schema().empty_table(), stream)


def read_oracle(context: Context) -> pa.Table:
    """Read the oracle's answer.

    Raises:
        UserError: It is not there.
    """
    path = oracle_path(context.spec)
    try:
        with context.filesystem.open_input_file(path) as file:
            return pq.ParquetFile(file).read()
    except FileNotFoundError as error:
        raise UserError(
            f"There is no oracle at s3://{path}.",
            "A result is published only after it was compared with the oracle's.",
            "Deploy again: oracles are made before the first run.",
        ) from error
