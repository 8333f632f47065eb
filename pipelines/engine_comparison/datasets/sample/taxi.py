"""Sample taxi trips: TLC's schema, plausible values, and the kinds of dirt that TLC's files have.

Settings: `rows` (trips in all), `months` (files, from January 2024 on), `seed`.

Writes taxi/yellow_tripdata_YYYY-MM.parquet and taxi/taxi_zone_lookup.csv. The dirt, and about how
much of it: refunds with all amounts negative (1 %), fares of nought, trips without the app's fields
(5 %: passengers, rate, flag, surcharges are null), pick-ups in the special zones, in zones that the
table lacks or in none, single nulls in amounts and distances (TLC has them only in some months),
odometers gone wild, drop-offs before pick-ups, dates in other years, sums with the rounding noise
of floating point, and every other month's timestamps in nanoseconds instead of microseconds.
"""

from __future__ import annotations

import datetime
import math
import statistics
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...workloads.taxi_report import TRIPS, TRIPS_PREFIX, ZONES_KEY
from ..files import cores, whole_number
from .zones import OUTSIDE, UNKNOWN, pickup_weights, zones_csv

FIRST_YEAR = 2024
_JFK, _NEWARK = 132, 1
_STRANGE_ZONES = np.array([0, 266, 999], np.int32)
# Relative number of trips in each hour of the day, from 0 to 23.
_HOURS = np.array([28, 19, 13, 9, 6, 7, 15, 28, 38, 42, 45, 49, 53, 54, 57, 59, 60, 66, 70, 62])
_HOURS = np.concatenate([_HOURS, [56, 55, 50, 40]])
# Quantiles of a log-normal distribution of trip lengths, in hundredths of a mile. Rounded, and no
# logarithm or exponential later: their last bits depend on the processor, and so would the files.
_MILES = np.array(
    [
        round(100 * math.exp(0.62 + 0.78 * statistics.NormalDist().inv_cdf((at + 0.5) / 4096)))
        / 100
        for at in range(4096)
    ]
)


def generate(folder: Path, settings: Mapping[str, str]) -> int:
    """Write the files into a folder.

    Args:
        folder: An empty folder.
        settings: `rows`, `months`, `seed`.

    Returns:
        0: no photographs are used.

    Raises:
        UserError: A setting is wrong.
    """
    rows = whole_number(settings, "rows", 1, 10_000_000_000)
    months = whole_number(settings, "months", 1, min(120, rows))
    seed = whole_number(settings, "seed", 0, 2**63 - 1)
    (folder / TRIPS_PREFIX).mkdir()
    (folder / ZONES_KEY).write_bytes(zones_csv())
    counts = [rows // months + (at < rows % months) for at in range(months)]

    def write(at: int) -> None:
        month = datetime.date(FIRST_YEAR + at // 12, at % 12 + 1, 1)
        trips = make_month(month, counts[at], seed)
        path = folder / TRIPS_PREFIX / f"yellow_tripdata_{month:%Y-%m}.parquet"
        pq.write_table(trips, path, compression="zstd", row_group_size=1 << 20)

    # A month has its own random numbers, so the order in which threads take them doesn't matter.
    with ThreadPoolExecutor(min(4, cores())) as pool:
        list(pool.map(write, range(months)))
    return 0


def make_month(month: datetime.date, count: int, seed: int) -> pa.Table:
    """Make the trips of one month.

    Args:
        month: Its first day.
        count: How many trips.
        seed: The dataset's seed.

    Returns:
        A table with the schema `TRIPS`; in even months the timestamps are in nanoseconds.
    """
    random = np.random.Generator(np.random.PCG64([seed, month.year, month.month]))
    columns = _where_and_when(random, month, count)
    columns |= _meter(random, columns)
    # So that small datasets have the report's special groups too.
    special = [UNKNOWN, OUTSIDE, int(_STRANGE_ZONES[-1])][:count]
    columns["PULocationID"][: len(special)] = special
    columns["fare_amount"][: len(special)] = 45.0
    columns |= _amounts(random, columns)
    _spoil(random, columns)
    return _table(random, columns, nanoseconds=month.month % 2 == 0)


Columns = dict[str, np.ndarray]


def _where_and_when(random: np.random.Generator, month: datetime.date, count: int) -> Columns:
    edges = np.cumsum(pickup_weights())
    pickups = (np.searchsorted(edges, random.random(count) * edges[-1]) + 1).astype(np.int32)
    next_month = (month.replace(day=28) + datetime.timedelta(days=4)).replace(day=1)
    days = random.integers(0, (next_month - month).days, count)
    hours = np.searchsorted(np.cumsum(_HOURS), random.random(count) * _HOURS.sum(), side="right")
    start = int(
        datetime.datetime(month.year, month.month, 1, tzinfo=datetime.timezone.utc).timestamp()
    )
    seconds = start + days * 86400 + hours * 3600 + random.integers(0, 3600, count)
    return {
        "PULocationID": pickups,
        "DOLocationID": random.integers(1, 266, count, dtype=np.int32),
        "pickup": seconds,
    }


def _meter(random: np.random.Generator, columns: Columns) -> Columns:
    """Distance in miles, fare by the meter's steps of 70 cents, duration in seconds."""
    count = len(columns["pickup"])
    airport = np.isin(columns["PULocationID"], [_JFK, 138])
    spread = random.integers(0, len(_MILES), count)
    miles = _MILES[spread] * random.uniform(0.97, 1.03, count)
    miles += airport * random.uniform(3, 16, count)
    distance = _hundredths(miles)
    rate = np.ones(count, np.int64)
    rate[(columns["PULocationID"] == _JFK) & (random.random(count) < 0.55)] = 2
    rate[columns["DOLocationID"] == _NEWARK] = 3
    rate[random.random(count) < 0.005] = 5
    minutes = miles * random.uniform(3.0, 7.5, count) + random.uniform(1, 6, count)
    steps = np.floor(miles * 2.6 + minutes * 0.4)
    fare = np.where(rate == 2, 70.0, _hundredths(3.0 + 0.7 * steps + (rate == 3) * 20.0))
    fare[rate == 5] = _hundredths(random.uniform(15, 120, int((rate == 5).sum())))
    return {
        "trip_distance": distance,
        "RatecodeID": rate,
        "fare_amount": fare,
        "dropoff": columns["pickup"] + (minutes * 60).astype(np.int64),
    }


def _amounts(random: np.random.Generator, columns: Columns) -> Columns:
    """Payment, surcharges, tip and total; by TLC's data dictionary for yellow trips."""
    count = len(columns["pickup"])
    by_app = random.random(count) < 0.05  # "flex fare": payment type 0
    payment = _choose(random, count, {1: 0.83, 2: 0.145, 3: 0.006, 4: 0.019})
    payment[by_app] = 0
    fare = columns["fare_amount"]
    columns["extra"] = random.choice(np.array([0.0, 1.0, 2.5, 3.5]), count)
    columns["mta_tax"] = np.full(count, 0.5)
    columns["improvement_surcharge"] = np.ones(count)
    columns["congestion_surcharge"] = np.where(random.random(count) < 0.92, 2.5, 0.0)
    columns["Airport_fee"] = np.where(np.isin(columns["PULocationID"], [_JFK, 138]), 1.75, 0.0)
    columns["tolls_amount"] = np.where(random.random(count) < 0.07, 6.94, 0.0)
    generous = random.choice(np.array([0.0, 0.1, 0.15, 0.2, 0.2, 0.25, 0.3]), count)
    columns["tip_amount"] = np.where(payment <= 1, _hundredths((fare + 4.0) * generous), 0.0)
    # A plain sum: as in TLC's files, totals such as 22.700000000000003 stay as they come out.
    charges = ("extra", "mta_tax", "tip_amount", "tolls_amount", "improvement_surcharge")
    total = fare.copy()
    for name in (*charges, "congestion_surcharge", "Airport_fee"):
        total += columns[name]
    return {"payment_type": payment, "total_amount": total, "by_app": by_app}


def _spoil(random: np.random.Generator, columns: Columns) -> None:
    count = len(columns["pickup"])

    def some(share: float) -> np.ndarray:
        return random.random(count) < share

    refund = some(0.01)
    amounts = [name for name in columns if name.endswith(("_amount", "surcharge", "_tax"))]
    for name in [*amounts, "extra", "Airport_fee"]:
        columns[name][refund] *= -1.0
    columns["fare_amount"][some(0.0004)] = 0.0
    columns["trip_distance"][some(0.012)] = 0.0
    wild = some(0.00005)
    columns["trip_distance"][wild] = _hundredths(random.uniform(5e3, 3e5, int(wild.sum())))
    backwards = some(0.0005)
    columns["dropoff"][backwards] = columns["pickup"][backwards] - 1800
    elsewhere = some(0.00001)
    columns["pickup"][elsewhere] -= 15 * 365 * 86400
    strange = some(0.0008)
    columns["PULocationID"][strange] = random.choice(_STRANGE_ZONES, int(strange.sum()))


def _table(random: np.random.Generator, columns: Columns, nanoseconds: bool) -> pa.Table:
    count = len(columns["pickup"])
    by_app = columns["by_app"]

    def rare() -> np.ndarray:
        return random.random(count) < 0.0003

    flags = _choose(random, count, {0: 0.996, 1: 0.004}).astype(np.int32)
    null_where = {
        **dict.fromkeys(("passenger_count", "RatecodeID", "store_and_fwd_flag"), by_app),
        **dict.fromkeys(("congestion_surcharge", "Airport_fee"), by_app),
        "PULocationID": rare(),
        "trip_distance": rare(),
        "fare_amount": rare(),
        "tip_amount": rare(),
        "total_amount": rare(),
    }
    columns["VendorID"] = _choose(random, count, {1: 0.24, 2: 0.7598, 6: 0.0002}).astype(np.int32)
    shares = {1: 0.75, 2: 0.145, 3: 0.035, 4: 0.02, 5: 0.015, 6: 0.01, 0: 0.012, 8: 0.0001}
    columns["passenger_count"] = _choose(random, count, shares)
    columns["tpep_pickup_datetime"] = columns["pickup"]
    columns["tpep_dropoff_datetime"] = columns["dropoff"]
    unit = "ns" if nanoseconds else "us"
    arrays, fields = [], []
    for field in TRIPS:
        mask = null_where.get(field.name)
        kind = field.type
        if field.name == "store_and_fwd_flag":
            codes = pa.array(flags, mask=mask)
            array = pa.DictionaryArray.from_arrays(codes, pa.array(["N", "Y"], kind)).cast(kind)
        elif pa.types.is_timestamp(kind):
            kind = pa.timestamp(unit)
            array = pa.array(columns[field.name], pa.timestamp("s")).cast(kind)
        else:
            array = pa.array(columns[field.name], kind, mask=mask)
        arrays.append(array)
        fields.append(pa.field(field.name, kind))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _hundredths(values: np.ndarray) -> np.ndarray:
    rounded: np.ndarray = np.floor(values * 100.0 + 0.5) / 100.0
    return rounded


def _choose(random: np.random.Generator, count: int, shares: Mapping[int, float]) -> np.ndarray:
    """Integers with given shares; the shares are scaled to sum to 1."""
    edges = np.cumsum(list(shares.values()))
    at = np.searchsorted(edges, random.random(count) * edges[-1], side="right")
    chosen: np.ndarray = np.array(list(shares), np.int64)[np.minimum(at, len(shares) - 1)]
    return chosen
