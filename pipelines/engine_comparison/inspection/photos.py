"""Photographs: the list of images, their addresses, and the first bytes of a sample.

The facts have `list` (`<bucket>/<key>` of the list that engines read), `rows`, `bytes` (of the list
and of all images in it), `repeated` (how many addresses name an image that was named before),
`prefixes` (of the images in the bucket: no two overlap) and `hidden` (how many images have names
that Spark takes for those of hidden files).
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import one_line
from ..image_rule import EMPTY, MISSING, REASONS, first_reason
from ..objects import list_files
from ..workloads.image_inputs import METADATA_KEY, sampled
from . import Facts, Inspection, examples
from .footers import ENCRYPTED, faults, read_footer

COLUMN = "image_url"
READ_BYTES = 4096
"""Read of each image. pyarrow tries again what a store refuses for now if its XML fits in there."""
SAMPLE = 1000
"""Images whose first bytes are read; of the others the run finds out what they are."""
MAX_FOLDERS = 64
"""Above this number of folders with images, what they have in common is listed instead."""
MAX_KEY_BYTES, MAX_PART_BYTES = 1024, 255
"""Of S3's keys, and of MinIO's between slashes: longer ones are no missing images, but errors."""

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://")
_CUT_SCHEME = re.compile(r"(s3[an]?|https?|file):/|data:\w+/", re.IGNORECASE)
"""What paths of libraries leave of an address, and pictures that are written into it."""
_UNUSABLE = re.compile(r"[*?\[\]{}\\\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ENDINGS = re.compile(r"(;|\.(gz|bz2|zst|lz4|br|snappy))$", re.IGNORECASE)
"""What Ray cuts off, or takes for compressed files."""
_HIDDEN = re.compile(r"(^|/)[_.][^/]*$|\._COPYING_$")
_AMAZON = re.compile(r"s3[.-]([a-z0-9-]+\.)?amazonaws\.com(\.cn)?$")

PLAIN = "write it as s3://<bucket>/<key>, or as the key alone"


class Unusable(ValueError):
    """An address that names no image of this bucket: what is wrong, and what to do."""

    def __init__(self, what: str, do: str) -> None:
        super().__init__(what)
        self.what, self.do = what, do


def inspect(look: Inspection) -> Facts:
    """See `inspection`."""
    path = f"{look.bucket}/{METADATA_KEY}"
    found = _read_list(look, path)
    if found is None:
        return {}
    given, alike = found
    keys = _keys(look, given)
    prefixes = prefixes_of([literal for literal, _ in keys] + [other for _, other in keys])
    sizes: dict[str, int] = {}
    for prefix in prefixes:
        look.tell(f"listing {look.bucket}/{prefix}")
        listed = list_files(look.filesystem, f"{look.bucket}/{prefix}".rstrip("/"))
        sizes.update((info.path[len(look.bucket) + 1 :], info.size) for info in listed)
    images = list(dict.fromkeys(_existing(literal, other, sizes) for literal, other in keys))
    prefixes = prefixes_of(images)
    _first_bytes(look, images, sizes)
    urls = [f"s3://{look.bucket}/{key}" for key in images]
    if urls != given or not alike:
        # Only the addresses: nothing else of the list is read.
        content = io.BytesIO()
        pq.write_table(pa.table({COLUMN: pa.array(urls, pa.string())}), content)
        path = look.keep(METADATA_KEY, content.getvalue())
    return {
        "list": path,
        "rows": len(images),
        "bytes": sum(sizes.get(key, 0) for key in images)
        + (look.filesystem.get_file_info(path).size or 0),
        "repeated": len(given) - len(images),
        "prefixes": prefixes,
        "hidden": sum(_HIDDEN.search(key) is not None for key in images),
    }


def _is_plain(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _read_list(look: Inspection, path: str) -> tuple[list[str | None], bool] | None:
    """The addresses, and whether all engines read the list alike; None where it is refused."""

    def wrong(what: str, do: str) -> None:
        look.refuse(f"list of images {METADATA_KEY}: {what}", do)

    try:
        with look.filesystem.open_input_file(path) as file:
            metadata = read_footer(file)
            if metadata is None:
                wrong(ENCRYPTED, "write it without encryption")
                return None
            parquet = pq.ParquetFile(file)
            names = parquet.schema_arrow.names
            if names.count(COLUMN) != 1:
                alike = [name for name in names if name.lower() == COLUMN]
                has = f" ({' and '.join(alike)} are there)" if alike else ""
                if COLUMN in names:
                    wrong(f"column {COLUMN} is there {names.count(COLUMN)} times", "keep one")
                else:
                    wrong(f"column {COLUMN} is missing{has}", f"name the column {COLUMN}")
                return None
            column = parquet.read([COLUMN]).column(0)
            unlike = [name for name in names if name != COLUMN and name.lower() == COLUMN]
            unlike += [what for what, _ in faults(metadata, parquet.schema_arrow, names)]
            if b"ARROW:extension:name" in (parquet.schema_arrow.field(COLUMN).metadata or {}):
                unlike.append("an extension type")
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if not _is_plain(kind) and not any(is_text(kind) for is_text in _TEXTS):
            wrong(f"column {COLUMN} has the type {kind}", "write the addresses as strings")
            return None
        return column.cast(pa.string()).to_pylist(), not unlike and _is_plain(column.type)
    except FileNotFoundError:
        wrong("it is missing", "upload it: a Parquet file with the images' addresses")
    except (pa.ArrowException, OSError, ValueError) as error:
        wrong(f"it cannot be read as Parquet: {one_line(error, 100)}", "upload it as Parquet")
    return None


_TEXTS = (pa.types.is_string_view, pa.types.is_binary, pa.types.is_large_binary)


def _keys(look: Inspection, given: Sequence[str | None]) -> list[tuple[str, str]]:
    """Of each address the key as it is written, and as it is when percent-decoded."""
    keys = []
    for row, address in enumerate(given, 1):
        try:
            keys.append(key_of(address, look.bucket, look.endpoint))
        except Unusable as error:
            shown = re.sub("//[^/]*@", "//", address or "")  # no key and secret, no signature
            shown = one_line(re.sub(r"(?s)\?.*", "?...", shown), 80)
            where = f"row {row}: {shown}" if shown else f"row {row}"
            look.refuse(f"{COLUMN} {error.what}", error.do, where)
    return keys


def key_of(address: str | None, bucket: str, endpoint: str) -> tuple[str, str]:
    """The key of an image in the bucket.

    Args:
        address: `s3://bucket/key`, `s3a:` or `s3n:` alike; the https address of the object at the
            same store; or the key alone.
        bucket: The bucket for images.
        endpoint: URL of the store.

    Returns:
        The key as it is written, and percent-decoded, or twice the same where there is one only.

    Raises:
        Unusable: It names no image of the bucket.
    """
    if not address:
        raise Unusable("is null or empty", "take the row out, or write the address")
    found = _SCHEME.match(address)
    scheme = found[1].lower() if found else ""
    rest = address[found.end() :] if found else address
    decoded = False
    if scheme in ("s3", "s3a", "s3n"):
        path = rest
    elif scheme in ("http", "https"):
        path, decoded = _at_store(address, bucket, endpoint), True
    elif scheme:
        raise Unusable(f"has the scheme {scheme}:", PLAIN)
    elif _CUT_SCHEME.match(address):
        raise Unusable("has a scheme without //", PLAIN)
    else:
        path = f"{bucket}/{rest}"
    place = path.partition("/")[0]
    if "@" in place:
        raise Unusable("has a key before its bucket", PLAIN)
    if not place or "/" not in path:
        raise Unusable("names no bucket, or no image in it", PLAIN)
    if place != bucket:
        raise Unusable(
            f"is in bucket {place}, not {bucket}",
            "copy the images there, or set bucketNames to the bucket that has all of them",
        )
    key = path[len(bucket) + 1 :]
    literal = unquote(key) if decoded else key
    _check_key(literal)
    other = literal if decoded else unquote(literal)
    try:
        _check_key(other)
    except Unusable:
        other = literal
    return literal, other


def _existing(literal: str, decoded: str, sizes: Mapping[str, int]) -> str:
    """Decide which of the two is meant: a key may have a percent sign, and then comes first."""
    return decoded if literal not in sizes and decoded in sizes else literal


def _at_store(address: str, bucket: str, endpoint: str) -> str:
    """Bucket, slash and key, still percent-encoded, of an address of http or https."""
    try:
        parts, store = urlsplit(address), urlsplit(endpoint)
    except ValueError as error:
        raise Unusable(f"is not an address: {error}", PLAIN) from error
    host, own = (one.netloc.rpartition("@")[2].lower() for one in (parts, store))
    # Buckets lie below a path of the store, or have a host's name of their own.
    of_amazon = _AMAZON.search(own) is not None
    if host == own or (of_amazon and _AMAZON.fullmatch(host)):
        path = parts.path[1:]
    elif host == f"{bucket}.{own}" or (
        of_amazon and host.startswith(f"{bucket}.") and _AMAZON.fullmatch(host[len(bucket) + 1 :])
    ):
        path = bucket + parts.path
    else:
        raise Unusable(f"is at {host or 'no host'}, not at the store {own}", PLAIN)
    if parts.query or parts.fragment:
        raise Unusable("has a query or a fragment, such as ?versionId=", PLAIN)
    return path


def _check_key(key: str) -> None:
    if not key or any(part in ("", ".", "..") for part in key.split("/")):
        raise Unusable("has an empty part or one of dots in its key", PLAIN)
    if "?" in key:
        raise Unusable(
            "has a ? in its key: a query such as ?versionId= is not read, and readers take ? for a "
            "pattern",
            "write the key without a query, or rename the object",
        )
    if _UNUSABLE.search(key):
        raise Unusable(
            "has one of * [ ] { } \\ or a control character in its key: readers take it for a "
            "pattern",
            "rename the object",
        )
    if _ENDINGS.search(key):
        raise Unusable(
            "has a key that ends in ; or as those of compressed files do, such as .gz: readers "
            "cut it off, or unpack the image",
            "rename the object",
        )
    if (
        len(key.encode()) > MAX_KEY_BYTES
        or max(map(len, key.encode().split(b"/"))) > MAX_PART_BYTES
    ):
        raise Unusable(
            f"has a key of more than {MAX_KEY_BYTES} bytes, or of {MAX_PART_BYTES} between slashes",
            "rename the object",
        )
    if key != key.strip().strip("\ufeff"):
        raise Unusable("has a blank or byte order mark at an end of its key", PLAIN)


def prefixes_of(keys: Iterable[str]) -> list[str]:
    """Prefixes with a slash at their end, below which all keys lie; none is below another.

    A bucket's root is the empty prefix, and then the only one.
    """
    folders = {key[: key.rfind("/") + 1] for key in keys}
    if len(folders) > MAX_FOLDERS:
        folders = {folder[: folder.find("/") + 1] for folder in folders}
    kept: list[str] = []
    for folder in sorted(folders):  # a folder sorts before all that is below it
        if not kept or not folder.startswith(kept[-1]):
            kept.append(folder)
    return kept


def _first_bytes(look: Inspection, images: Sequence[str], sizes: Mapping[str, int]) -> None:
    """Refuse images that are surely rejected, if they are more than may be.

    What is missing or empty is known of all, by the listing; of a sample the first bytes are read.
    """
    reasons = {key: MISSING for key in images if key not in sizes}
    reasons |= {key: EMPTY for key in images if sizes.get(key) == 0}
    there = sampled([key for key in images if key not in reasons], SAMPLE)

    def first(key: str) -> str | None:
        try:
            with look.filesystem.open_input_file(f"{look.bucket}/{key}") as file:
                return first_reason(file.read(READ_BYTES))
        except FileNotFoundError:
            return MISSING
        except OSError as error:
            look.refuse_unread(key, error)
            return None

    found = look.each("first bytes", first, there)
    reasons |= {key: why for key, why in zip(there, found, strict=True) if why is not None}
    limit = look.max_rejected
    if limit is None or len(reasons) <= limit:
        return
    for reason, count in sorted(Counter(reasons.values()).items()):
        keys = sorted(key for key, why in reasons.items() if why == reason)
        look.refuse(
            f"{count} of {len(images)} images are {reason} ({REASONS[reason]}), and maxRejected is "
            f"{limit}",
            "replace them, take them out of the list, or set maxRejected to how many may be left "
            "out",
            examples(keys),
        )
