"""What of a Parquet file not all engines read, as its footer says."""

from __future__ import annotations

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
    chunks = [
        metadata.row_group(group).column(at)
        for at, column in enumerate(columns)
        if column.path in read
        for group in range(metadata.num_row_groups)
    ]
    for codec in sorted({chunk.compression for chunk in chunks} - set(CODECS)):
        yield f"compression {codec}, which not all engines read", "write it with ZSTD or SNAPPY"
    used = {encoding for chunk in chunks for encoding in chunk.encodings}
    for encoding in sorted(used.intersection(_ENCODINGS)):
        yield f"encoding {encoding}, which not all engines read", "write it without it"
