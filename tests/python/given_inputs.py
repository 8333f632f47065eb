"""Small inputs as people have them: tables of trips and zones, lists of images, pictures."""

from __future__ import annotations

import base64
import csv
import io
import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
from PIL import Image, PngImagePlugin

MONTH = "taxi/yellow_tripdata_2024-01.parquet"
AMOUNTS = ("fare_amount", "tip_amount", "total_amount", "trip_distance")
ZONE_ROWS = [
    (1, "EWR", "Newark Airport", "EWR"),
    (4, "Manhattan", "Alphabet City", "Yellow Zone"),
    (132, "Queens", "JFK Airport", "Airports"),
    (264, "Unknown", "N/A", "N/A"),
    (265, "N/A", "Outside of NYC", "N/A"),
]


def trips(**columns: pa.Array) -> pa.Table:
    """Four trips above 30 dollars, from EWR, Queens, Manhattan and a zone that nobody knows."""
    made = {
        "PULocationID": pa.array([1, 132, 4, 999], pa.int32()),
        "fare_amount": pa.array([45.0, 50.0, 31.0, 60.0]),
        "tip_amount": pa.array([1.0, 2.0, 3.0, None]),
        "total_amount": pa.array([50.0, 55.5, 40.0, 70.0]),
        "trip_distance": pa.array([1.0, 2.0, 3.0, 4.0]),
    }
    return pa.table(made | columns)


def amounts_as(kind: pa.DataType, table: pa.Table | None = None) -> pa.Table:
    """Trips whose amounts have another type."""
    table = trips() if table is None else table
    for name in AMOUNTS:
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, table.column(name).cast(kind))
    return table


def parquet(table: pa.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def edited(data: bytes, old: bytes, new: bytes) -> bytes:
    """A file with other bytes in its footer."""
    at = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    footer = data[at:-8].replace(old, new)
    assert footer != data[at:-8]
    return data[:at] + footer + len(footer).to_bytes(4, "little") + data[-4:]


def stating(table: pa.Table, form: str, value: float, instead: float) -> bytes:
    """A file whose footer states another minimum or maximum; `form` is that of `struct`."""
    return edited(parquet(table), struct.pack(form, value), struct.pack(form, instead))


def stating_nulls(nulls: int) -> bytes:
    """Trips of which a footer states another number of tips that are null."""
    most = b"\x28\x08" + struct.pack("<d", 3.0)
    return edited(parquet(trips()), b"\x16\x02" + most, bytes([0x16, 2 * nulls]) + most)


def stating_rows(rows: int) -> bytes:
    """Trips in one row group whose file states another number of rows."""
    return edited(parquet(trips()), b"\x16\x08\x19\x1c", bytes([0x16, 2 * rows, 0x19, 0x1C]))


def stating_values(name: str, count: int) -> bytes:
    """Trips of which one column states another number of values."""
    before = name.encode() + b"\x15\x02\x16"
    return edited(parquet(trips()), before + b"\x08", before + bytes([2 * count]))


def in_other_files() -> bytes:
    """Trips whose footer says that the columns are in another file."""
    data, footer = parquet(trips()), io.BytesIO()
    metadata = pq.read_metadata(io.BytesIO(data))
    metadata.set_file_path("other.parquet")
    metadata.write_metadata_file(footer)
    return data + footer.getvalue()[4:]


def of_decimals_as_bytes() -> bytes:
    """Trips with fares as decimals of 9 digits in Parquet's BYTE_ARRAY."""
    fares = pa.array([n.to_bytes(2, "big") for n in (4500, 5000, 3100, 6000)], pa.binary())
    data = parquet(trips(fare_amount=fares), store_schema=False)
    decimal = bytes([0x25, 2 * 5, 0x15, 2 * 2, 0x15, 2 * 9, 0])  # converted type, scale, digits
    return edited(data, b"fare_amount\0", b"fare_amount" + decimal)


def with_arrow_schema(schema: bytes, **columns: pa.Array) -> bytes:
    """Trips with this as Arrow's schema in the metadata."""
    table, out = trips(**columns), io.BytesIO()
    with pq.ParquetWriter(out, table.schema, store_schema=False) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"ARROW:schema": base64.b64encode(schema).decode()})
    return out.getvalue()


def parts(text: str) -> list[str]:
    """What is between its broken bars."""
    return text.split("¦")


def renamed(table: pa.Table, name: str) -> pa.Table:
    """With one column more, of any name."""
    return table.append_column(name, pa.array([1] * len(table)))


def two_groups(*given: tuple[pa.Table, dict[str, Any]]) -> bytes:
    """A file whose row groups were written with different options."""
    out, footers = io.BytesIO(), []
    for table, options in given:
        pq.write_table(table, pa.PythonFile(out, "w"), **options)
        out.seek(0, io.SEEK_END)
        footers.append(pq.read_metadata(io.BytesIO(out.getvalue())))
    whole, end = footers[0], io.BytesIO()
    for footer in footers[1:]:
        whole.append_row_groups(footer)
    whole.write_metadata_file(end)
    return out.getvalue() + end.getvalue()[4:]


class _Keys(pe.KmsClient):
    """Wraps keys by nothing."""

    def __init__(self, _: pe.KmsConnectionConfig) -> None:
        super().__init__()

    def wrap_key(self, key_bytes: bytes, _: str) -> str:
        return base64.b64encode(key_bytes).decode()


def encrypted(table: pa.Table, column: str, *, readable_footer: bool) -> bytes:
    """A file with one encrypted column."""
    properties = pe.CryptoFactory(_Keys).file_encryption_properties(
        pe.KmsConnectionConfig(),
        pe.EncryptionConfiguration(
            footer_key="footer", column_keys={"column": [column]}, plaintext_footer=readable_footer
        ),
    )
    out = io.BytesIO()
    with pq.ParquetWriter(out, table.schema, encryption_properties=properties) as writer:
        writer.write_table(table)
    return out.getvalue()


def of_codec(number: int) -> bytes:
    """Trips whose columns say that they have a codec, by its number in Parquet's format."""
    data = parquet(trips())
    for name in trips().column_names:
        text = name.encode()
        data = data.replace(text + b"\x15\x02\x16", text + bytes([0x15, 2 * number, 0x16]))
    return data


def zones_csv(rows: Sequence[tuple[Any, ...]] = tuple(ZONE_ROWS)) -> bytes:
    """A zone table as TLC writes it."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(["LocationID", "Borough", "Zone", "service_zone"])
    writer.writerows(rows)
    return out.getvalue().encode()


def listed(addresses: Iterable[str | None], kind: pa.DataType | None = None) -> bytes:
    """A list of images with nothing but their addresses."""
    column = pa.array(list(addresses), pa.string())
    if kind is not None:
        column = column.dictionary_encode() if pa.types.is_dictionary(kind) else column.cast(kind)
    return parquet(pa.table({"image_url": column}))


def picture(seed: int, kind: str = "JPEG", **options: Any) -> bytes:
    """A smooth picture, about which decoders agree."""
    return encoded(photograph(seed), kind, **options)


def photograph(seed: int) -> Image.Image:
    y, x = np.mgrid[0:240, 0:320]
    waves = [np.sin((x * (seed + 1 + c) + y * (c + 1)) / 90.0) for c in range(3)]
    return Image.fromarray(np.uint8(127 + 120 * np.stack(waves, axis=-1)))


def turned(orientation: int) -> Image.Exif:
    """EXIF that says how a picture is to be turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def sixteen_bit() -> bytes:
    """A PNG of 16 bits a pixel."""
    gray = np.asarray(photograph(3).convert("L")).astype(np.uint16) * 257
    return encoded(Image.fromarray(gray), "PNG")


def with_long_text(seed: int) -> bytes:
    """A PNG with megabytes of text, as editors leave it."""
    text = PngImagePlugin.PngInfo()
    text.add_text("XML:com.adobe.xmp", "x" * 3_000_000, zip=True)
    return picture(seed, "PNG", pnginfo=text)


def with_broken_parts(seed: int) -> bytes:
    """A PNG of which all but the pixels is broken: gamma, transparency and a compressed text."""
    png = picture(seed, "PNG")
    chunks = (b"gAMA", b"tRNS\0", b"zTXta\0\0no stream")
    broken = (
        struct.pack(">I", len(one) - 4) + one + struct.pack(">I", zlib.crc32(one)) for one in chunks
    )
    return png[:33] + b"".join(broken) + png[33:]
