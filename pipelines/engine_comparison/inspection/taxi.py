"""Taxi trips: which files are read, by which types, and the zone table.

The facts have `files` (`<bucket>/<key>`, sorted), `rows`, `bytes`, `types` (name of a column to its
type's name), `zones` (`<bucket>/<key>` of the table that engines read) and `leftOut` (keys of
Parquet files that are hidden or of other services, and not read).
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import fs

from ..errors import one_line
from ..objects import list_files, read_bytes
from ..workloads.taxi_inputs import AMOUNTS, TRIP_COLUMNS, TRIPS_PREFIX, ZONES, ZONES_KEY
from . import Facts, Inspection, examples
from .footers import ENCRYPTED, faults, read_footer

OTHER_SERVICES = re.compile(r"(green|fhv|fhvhv)_tripdata")
"""What names of TLC's files of other services begin with; their trips are not yellow ones."""
LIKE_PARQUET = re.compile(r"\.(parquet|parq|pqt?)(\.\w+)?$", re.IGNORECASE)
PATTERN = re.compile(r"[*?\[\]{}\\\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What readers take for a pattern in a name, or cannot read at all."""
TABLE_FORMATS = {"_delta_log": "Delta", ".hoodie": "Hudi"}
"""Folders with the log of a table, which says what files are data: others are of older versions."""
MAX_DIGITS, MAX_SCALE = 18, 4
"""Of a decimal: each of its values has one nearest float64, which a division finds."""


@dataclass(frozen=True)
class Footer:
    """What the footer of a file says; without `types` it could not be read."""

    key: str
    size: int
    rows: int = 0
    types: dict[str, pa.DataType] | None = None


def inspect(look: Inspection) -> Facts:
    """See `inspection`."""
    chosen, left_out = _choose(look, list_files(look.filesystem, f"{look.bucket}/{TRIPS_PREFIX}"))
    footers = look.each("footers", lambda info: _footer(look, info), chosen)
    read = [footer for footer in footers if footer.types is not None]
    types = {name: _one_type(look, name, read) for name in TRIP_COLUMNS}
    zones = _zones(look)
    return {
        "files": [f"{look.bucket}/{footer.key}" for footer in read],
        "rows": sum(footer.rows for footer in read),
        "bytes": sum(footer.size for footer in read) + zones[1],
        "types": types,
        "zones": zones[0],
        "leftOut": left_out,
    }


def _choose(look: Inspection, found: list[fs.FileInfo]) -> tuple[list[fs.FileInfo], list[str]]:
    """Choose the files that are data by their names, and name those that are not."""
    chosen, left_out, alike = [], [], 0
    for info in found:
        key = info.path[len(look.bucket) + 1 :]
        below = key.split("/")[1:]
        if below[0] in TABLE_FORMATS:
            look.refuse(
                f"{TRIPS_PREFIX}/ is a table of {TABLE_FORMATS[below[0]]}, and files of its older "
                "versions may be there",
                "write its trips as plain Parquet files",
            )
        if not LIKE_PARQUET.search(key):
            continue
        alike += 1
        if any(part[:1] in ("_", ".") for part in below) or OTHER_SERVICES.match(below[-1]):
            left_out.append(key)
        elif len(below) > 1:
            look.refuse(
                f"Parquet files in folders below {TRIPS_PREFIX}/: some engines read them",
                f"move them directly below {TRIPS_PREFIX}/, or out of it",
                key,
            )
        elif not key.endswith(".parquet"):
            look.refuse(
                "a name that does not end in .parquet, which some engines read and others do not",
                "rename it",
                key,
            )
        elif PATTERN.search(key):
            look.refuse(
                "a name with one of * ? [ ] { } \\ or a control character: readers take it for a "
                "pattern",
                "rename it",
                key,
            )
        else:
            chosen.append(info)
    if not chosen and alike == len(left_out):
        which = f" (not read: {examples(left_out)})" if left_out else ""
        look.refuse(
            f"There are no trips in s3://{look.bucket}/{TRIPS_PREFIX}/: no yellow trips as "
            f"*.parquet lie directly in it{which}",
            "upload them, or set bucketNames to where they are",
        )
    return chosen, left_out


def _footer(look: Inspection, info: fs.FileInfo) -> Footer:
    """Read a footer, and refuse what is wrong with its columns."""
    key = info.path[len(look.bucket) + 1 :]
    try:
        with look.filesystem.open_input_file(info.path) as file:
            metadata = read_footer(file)
        if metadata is None:
            look.refuse(ENCRYPTED, "write it without encryption", key)
            return Footer(key, info.size)
        schema = metadata.schema.to_arrow_schema()
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, FileNotFoundError) or "AWS Error" in str(error):
            look.refuse_unread(key, error)
        else:
            look.refuse(
                "the file cannot be read as Parquet",
                "upload it again, or move it away",
                f"{key}: {one_line(error, 100)}",
            )
        return Footer(key, info.size)
    types = {}
    for name in TRIP_COLUMNS:
        alike = [other for other in schema.names if other.lower() == name.lower()]
        if alike == [name]:
            column = schema.field(name)
            types[name] = column.type
            if kind := (column.metadata or {}).get(b"ARROW:extension:name"):
                look.refuse(
                    f"column {name} has Arrow's extension type {kind.decode(errors='replace')}, "
                    "which not all engines read as a number",
                    "write it as a plain number",
                    key,
                )
        elif len(alike) > 1:
            look.refuse(
                f"columns whose names differ in upper and lower case only: {', '.join(alike)}",
                "keep one of them",
                key,
            )
        else:
            has = f" (there is {alike[0]})" if alike else ""
            look.refuse(
                f"column {name} is missing{has}; upper and lower case matter",
                f"rename the column to {name}; files of TLC from before 2011 have no zones, and "
                "no report can be made of them"
                if not alike
                else f"rename it to {name}",
                key,
            )
    for what, do in faults(metadata, schema, TRIP_COLUMNS):
        look.refuse(what, do, key)
    return Footer(key, info.size, metadata.num_rows, types)


def _family(name: str, kind: pa.DataType) -> str | None:
    """The family of a type, within which the wider one has room for the narrower; None: refused."""
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return "integer"
    if kind in (pa.float32(), pa.float64()):
        return "float"
    if pa.types.is_decimal(kind) and name in AMOUNTS:
        fits = kind.precision <= MAX_DIGITS and 0 <= kind.scale <= MAX_SCALE
        return f"decimal128({kind.precision}, {kind.scale})" if fits else None
    return None


def _one_type(look: Inspection, name: str, footers: list[Footer]) -> str:
    """The type by which a column is read of all files: of its one family, the widest."""
    first_of: dict[str, tuple[str, pa.DataType]] = {}
    for footer in footers:
        kind = (footer.types or {}).get(name)
        if kind is None:
            continue
        family = _family(name, kind)
        if family is None:
            decimals = (
                f", decimals of at most {MAX_DIGITS} digits with {MAX_SCALE} behind the point"
            )
            look.refuse(
                f"column {name} has the type {kind}",
                "write it as a number: integers of at most 64 bits with a sign, float32, float64"
                + (decimals if name in AMOUNTS else ""),
                footer.key,
            )
        else:
            first_of.setdefault(family, (footer.key, kind))
    if len(first_of) > 1:
        (one, one_kind), (other, other_kind), *_ = first_of.values()
        look.refuse(
            f"column {name} is {one_kind} in {one} and {other_kind} in {other}",
            "write it with one kind of number in all files",
        )
    families = list(first_of) or ["float"]
    if families[0] == "integer":
        return "int64"
    if families[0] != "float":
        return families[0]
    kinds = {(footer.types or {}).get(name) for footer in footers}
    return "float32" if kinds == {pa.float32()} and name in AMOUNTS else "float64"


def _zones(look: Inspection) -> tuple[str, int]:
    """Look at the zone table.

    Returns:
        The path of the table that engines read, and its size. It is the owner's own where that is
        written in the one form that all engines read alike, else a copy in that form.
    """
    path = f"{look.bucket}/{ZONES_KEY}"
    content = read_bytes(look.filesystem, path)
    if content is None:
        look.refuse("the zone table is missing", "upload it", ZONES_KEY)
        return path, 0
    rows = _zone_rows(look, content)
    cleaned = io.StringIO()
    writer = csv.writer(cleaned, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(ZONES.names)
    writer.writerows(rows)
    text = cleaned.getvalue().encode()
    if text != content and rows:
        path = look.keep("taxi_zone_lookup.csv", text)
    return path, len(text)


def _zone_rows(look: Inspection, content: bytes) -> list[tuple[int, str, str, str]]:
    """The zones by the names of the columns, each once, in the order of the file."""

    def wrong(what: str, do: str, row: int | None = None) -> None:
        look.refuse(f"zone table {ZONES_KEY}: {what}", do, "" if row is None else f"line {row}")

    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        header, *rows = [(lines.line_num, line) for line in lines if line]
    except (csv.Error, UnicodeDecodeError, ValueError) as error:
        reason = error if content.strip(b"\xef\xbb\xbf\r\n") else "it is empty"
        wrong(
            f"not CSV in UTF-8: {one_line(reason, 100)}", "write it as CSV with commas and a header"
        )
        return []
    names = header[1]
    missing = [name for name in ZONES.names[:2] if names.count(name) != 1]
    if missing:
        wrong(
            f"its header is {one_line(','.join(names), 80)}: {' and '.join(missing)} must be there "
            "once",
            "write the header LocationID,Borough,Zone,service_zone; the order does not matter",
        )
        return []
    places = [names.index(name) if name in names else None for name in ZONES.names]
    boroughs: dict[int, tuple[str, int]] = {}
    zones = []
    for number, row in rows:
        if len(row) != len(names):
            wrong("a row with another number of fields than the header", "correct it", number)
            continue
        text, borough, *others = ["" if at is None else row[at] for at in places]
        if not re.fullmatch(r"\s*[+-]?\d{1,15}\s*", text):
            # Longer ones may not be told from each other in float64.
            wrong(
                "a LocationID that is not a whole number of up to 15 digits", "correct it", number
            )
        elif not borough:
            wrong("an empty Borough", "write N/A where it is not known", number)
        elif any(re.search(r'["\\\r\n]', value) for value in (borough, *others)):
            wrong("a quotation mark, backslash or line break in a value", "remove it", number)
        elif (known := boroughs.get(int(text))) is None:
            boroughs[int(text)] = (borough, number)
            zones.append((int(text), borough, others[0], others[1]))
        elif known[0] != borough:
            wrong(
                f"LocationID {int(text)} is in {known[0]} (line {known[1]}) and in {borough}",
                "keep one of them",
                number,
            )
    if not zones and not boroughs and not rows:
        wrong("it has no zones", "upload the table")
    return zones
