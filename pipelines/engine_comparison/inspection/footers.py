"""What of a Parquet file not all engines read, or read alike, as its footer says."""

from __future__ import annotations

import base64
import math
import re
from collections import Counter
from collections.abc import Collection, Iterator
from importlib.resources import files

import pyarrow as pa
import pyarrow.parquet as pq

CODECS = ("UNCOMPRESSED", "SNAPPY", "GZIP", "ZSTD", "LZ4")
UNKNOWN_TYPES = re.compile(r"(string|binary|list)_view|decimal(32|64|256)\(|time32\[")
"""Types of Arrow of which one is enough, in any column, for Daft to read nothing of a file."""
_ZONES_OF_TIME = re.compile(r"tz=([^\]]*)")
_VARIANT = re.compile(r"group field_id=-?\d+ (.*) \(Variant\(")
"""A column of Parquet's VARIANT in pyarrow's text of a schema, which alone has it: not Arrow's."""
_ENCODINGS = ("BYTE_STREAM_SPLIT", "DELTA_BYTE_ARRAY")
"""Those of numbers and decimals that not all engines read."""

WRITE_AGAIN = "write the file again, by another program"
ENCRYPTED = "the file or a column of it is encrypted, and engines have no key"
_TAIL_BYTES = 2**16
"""What is read of a file's end at first: nearly all footers."""
_SIGNATURE_BYTES = 28
"""Behind a footer that is not encrypted itself, of a file that has encrypted columns."""


def read_footer(file: pa.NativeFile) -> pq.FileMetaData | None:
    """Read a footer; None of a file that is encrypted, or has columns that are.

    pyarrow reads the footer of such columns without a word, and ends the process when it is asked
    about them.

    Raises:
        pa.ArrowException, OSError: It is no Parquet file.
    """
    size = file.size()
    tail = file.read_at(min(size, _TAIL_BYTES), max(0, size - _TAIL_BYTES))
    if tail[-4:] == b"PARE":
        return None
    length = int.from_bytes(tail[-8:-4], "little")
    if len(tail) < length + 8 <= size:
        tail = file.read_at(length + 8, size - length - 8)
    metadata = pq.read_metadata(pa.BufferReader(tail))
    return None if length == metadata.serialized_size + _SIGNATURE_BYTES else metadata


def zones_of_time() -> set[str]:
    """The time zones that all engines know: the system may know more, at which Polars ends."""
    names = files("tzdata").joinpath("zones").read_text(encoding="ascii").split()
    return set(names) - {"Factory"}


def faults(
    metadata: pq.FileMetaData, schema: pa.Schema, read: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong, each once, and what to do about it.

    Args:
        metadata: The footer.
        schema: Its columns.
        read: The columns that are read.
    """
    for column in schema:
        if UNKNOWN_TYPES.search(str(column.type)):
            yield (
                f"column {column.name} has the type {column.type}, which not all engines know",
                "write it as a string, a binary, a list, a decimal128 or a time64, or leave it out",
            )
        for zone in set(_ZONES_OF_TIME.findall(str(column.type))) - {"UTC"}:
            if zone not in zones_of_time():
                yield (
                    f"column {column.name} has the time zone {zone}, which not all engines know",
                    "write it in UTC, or with a name such as America/New_York",
                )
    for name, count in Counter(schema.names).items():
        if count > 1:
            yield f"column {name} is there {count} times", "keep one of them"
    columns = [metadata.schema.column(at) for at in range(metadata.num_columns)]
    for path in sorted({one.path for one in columns if one.converted_type == "INTERVAL"}):
        yield (
            f"column {path} has the type INTERVAL of Parquet, which not all engines know",
            "write it as a number, or leave it out",
        )
    for name in _VARIANT.findall(repr(metadata.schema)):
        yield (
            f"column {name} has the type VARIANT of Parquet, which not all engines know",
            "write it as a string or a struct, or leave it out",
        )
    if "" in schema.names:
        yield "a column has no name, and engines give it different ones", "name it"
    for part in (part for pair in (metadata.metadata or {}).items() for part in pair):
        try:
            part.decode()
        except UnicodeDecodeError:
            yield "text of its metadata is not UTF-8", "write it without that text"
    if _unlike_arrow(metadata, schema, read):
        yield (
            "its metadata has a schema of Arrow's (ARROW:schema) with other columns or types than "
            "the file has, by which some engines go",
            WRITE_AGAIN,
        )
    groups = [metadata.row_group(at) for at in range(metadata.num_row_groups)]
    if metadata.num_rows != sum(group.num_rows for group in groups):
        yield "its footer has another number of rows than its row groups", WRITE_AGAIN
    chunks = []
    for at, column in enumerate(columns):
        if column.path not in read:
            continue
        own = [group.column(at) for group in groups]
        chunks += own
        values = [chunk.num_values for chunk in own]
        if column.max_repetition_level == 0 and values != [group.num_rows for group in groups]:
            yield (
                f"column {column.path} has another number of values than its row group has rows",
                WRITE_AGAIN,
            )
        if any(map(_states_nan, own)):
            yield f"column {column.path} has a minimum or maximum of NaN in the footer", WRITE_AGAIN
        if column.physical_type == "BYTE_ARRAY" and column.converted_type == "DECIMAL":
            yield (
                f"column {column.path} has decimals of different lengths (BYTE_ARRAY), which not "
                "all engines read",
                "write them as integers, or with one length (FIXED_LEN_BYTE_ARRAY)",
            )
    if any(chunk.file_path for chunk in chunks):
        yield "its columns are in other files, which not all engines read", WRITE_AGAIN
    for codec in sorted({chunk.compression for chunk in chunks} - set(CODECS)):
        yield f"compression {codec}, which not all engines read", "write it with ZSTD or SNAPPY"
    encodings = {encoding for chunk in chunks for encoding in chunk.encodings}
    for encoding in sorted(encodings.intersection(_ENCODINGS)):
        yield f"encoding {encoding}, which not all engines read", "write it without it"


def _states_nan(chunk: pq.ColumnChunkMetaData) -> bool:
    stated = chunk.statistics
    return (
        chunk.physical_type in ("FLOAT", "DOUBLE")
        and stated is not None
        and stated.has_min_max
        and (math.isnan(stated.min) or math.isnan(stated.max))
    )


def _unlike_arrow(metadata: pq.FileMetaData, schema: pa.Schema, read: Collection[str]) -> bool:
    """Whether a schema of Arrow's in the metadata contradicts Parquet's own."""
    text = (metadata.metadata or {}).get(b"ARROW:schema")
    if text is None:
        return False
    stored = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))
    try:
        names = stored.names
    except UnicodeDecodeError:
        return True
    return names != schema.names or any(
        _as_written(one.type) != _as_written(own.type)
        and (one.type, own.type) != (pa.uint32(), pa.int64())
        for one, own in zip(stored, schema, strict=True)
        if one.name in read
    )


def _as_written(kind: pa.DataType) -> pa.DataType:
    """A type of Arrow's without what Parquet itself does not tell apart."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_large_string(kind):
        return pa.string()
    return pa.timestamp("us") if pa.types.is_timestamp(kind) else kind
