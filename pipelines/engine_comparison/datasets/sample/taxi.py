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
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ...workloads.taxi_inputs import TRIPS, TRIPS_PREFIX, ZONES_KEY
from ..files import cores, whole_number
from .zones import OUTSIDE, UNKNOWN, pickup_weights, zones_csv

FIRST_YEAR = 2024
_JFK, _LA_GUARDIA, _NEWARK = 132, 138, 1
_STRANGE_ZONES = np.array([0, 266, 999], np.int32)
# Trips made at a time: a row group of a file.
_BLOCK = 1 << 20


class _Shares:
    """Values to draw from, each with its share of the draws.

    A table has each value as often as its share wants, so a draw is one look into it: that takes a
    tenth of the time of a search for a random number among sums of shares.
    """

    def __init__(self, shares: Mapping[Any, float], kind: type, draws: int = 1 << 16) -> None:
        """Scale the shares to sum to 1, and round them to whole parts of `draws`."""
        sums = np.cumsum(list(shares.values()))
        ends = np.floor(sums / sums[-1] * draws + 0.5).astype(np.int64)
        self._table: np.ndarray = np.repeat(np.array(list(shares), kind), np.diff(ends, prepend=0))

    def draw(self, random: np.random.Generator, count: int) -> np.ndarray:
        """Draw `count` values."""
        drawn: np.ndarray = self._table[random.integers(0, len(self._table), count, np.uint32)]
        return drawn


# Relative number of trips in each hour, before noon and after.
_MORNING = (28, 19, 13, 9, 6, 7, 15, 28, 38, 42, 45, 49)
_EVENING = (53, 54, 57, 59, 60, 66, 70, 62, 56, 55, 50, 40)
_HOUR = _Shares(dict(enumerate(_MORNING + _EVENING)), np.int64)
_PICKUP = _Shares(dict(enumerate(pickup_weights(), 1)), np.int32, draws=1 << 18)
_VENDOR = _Shares({1: 0.24, 2: 0.7598, 6: 0.0002}, np.int32)
_PASSENGERS = _Shares(
    {1: 0.75, 2: 0.145, 3: 0.035, 4: 0.02, 5: 0.015, 6: 0.01, 0: 0.012, 8: 0.0001}, np.int64
)
_BY_APP = 0  # a payment type: "flex fare"
_PAYMENT = _Shares({_BY_APP: 0.05, 1: 0.79, 2: 0.138, 3: 0.005, 4: 0.017}, np.int64)
_EXTRA = _Shares(dict.fromkeys((0.0, 1.0, 2.5, 3.5), 1), np.float64)
_TOLLS = _Shares({6.94: 0.07, 0.0: 0.93}, np.float64)
_CONGESTION = _Shares({2.5: 0.92, 0.0: 0.08}, np.float64)
_TIP = _Shares({0.0: 1, 0.1: 1, 0.15: 1, 0.2: 2, 0.25: 1, 0.3: 1}, np.float64)
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
        path = folder / TRIPS_PREFIX / f"yellow_tripdata_{month:%Y-%m}.parquet"
        with pq.ParquetWriter(path, _schema(month), compression="zstd") as writer:
            for first in range(0, counts[at], _BLOCK):
                block = make_block(month, first, min(_BLOCK, counts[at] - first), seed)
                writer.write_table(block, _BLOCK)

    # A block has its own random numbers, so the order in which threads take them doesn't matter.
    with ThreadPoolExecutor(min(4, cores())) as pool:
        list(pool.map(write, range(months)))
    return 0


def make_block(month: datetime.date, first: int, count: int, seed: int) -> pa.Table:
    """Make some of the trips of one month.

    Args:
        month: Its first day.
        first: Which trip of the month is the block's first, from 0.
        count: How many trips.
        seed: The dataset's seed.

    Returns:
        A table with the schema `TRIPS`; in even months the timestamps are in nanoseconds.
    """
    random = np.random.Generator(np.random.PCG64([seed, month.year, month.month, first]))
    columns = _where_and_when(random, month, count)
    columns |= _meter(random, columns)
    if first == 0:  # so that small datasets have the report's special groups too
        special = [UNKNOWN, OUTSIDE, int(_STRANGE_ZONES[-1])][:count]
        columns["PULocationID"][: len(special)] = special
        columns["fare_amount"][: len(special)] = 45.0
    columns |= _amounts(random, columns)
    _spoil(random, columns)
    return _table(random, columns, _schema(month))


def _schema(month: datetime.date) -> pa.Schema:
    time = pa.timestamp("ns" if month.month % 2 == 0 else "us")
    return pa.schema(
        [field.with_type(time) if pa.types.is_timestamp(field.type) else field for field in TRIPS]
    )


Columns = dict[str, np.ndarray]


def _where_and_when(random: np.random.Generator, month: datetime.date, count: int) -> Columns:
    """Zones, and the pick-up's time in seconds since 1970."""
    next_month = (month.replace(day=28) + datetime.timedelta(days=4)).replace(day=1)
    start = datetime.datetime(month.year, month.month, 1, tzinfo=datetime.timezone.utc)
    seconds = random.integers(0, (next_month - month).days, count) * 86400
    seconds += _HOUR.draw(random, count) * 3600
    seconds += random.integers(0, 3600, count)
    seconds += int(start.timestamp())
    return {
        "PULocationID": _PICKUP.draw(random, count),
        "DOLocationID": random.integers(1, 266, count, np.int32),
        "pickup": seconds,
    }


def _meter(random: np.random.Generator, columns: Columns) -> Columns:
    """Distance in miles, fare by the meter's steps of 70 cents, duration in seconds."""
    count = len(columns["pickup"])
    pickup = columns["PULocationID"]
    miles = _MILES[random.integers(0, len(_MILES), count)]
    miles *= random.uniform(0.97, 1.03, count)
    airport = np.flatnonzero((pickup == _JFK) | (pickup == _LA_GUARDIA))
    miles[airport] += random.uniform(3, 16, len(airport))
    minutes = miles * random.uniform(3.0, 7.5, count) + random.uniform(1, 6, count)
    steps = np.floor(miles * 2.6 + minutes * 0.4)
    fare = _hundredths(3.0 + 0.7 * steps)
    rate = np.ones(count, np.int64)
    jfk = np.flatnonzero(pickup == _JFK)
    jfk = jfk[random.random(len(jfk)) < 0.55]
    rate[jfk], fare[jfk] = 2, 70.0
    newark = np.flatnonzero(columns["DOLocationID"] == _NEWARK)
    rate[newark], fare[newark] = 3, _hundredths(fare[newark] + 20.0)
    agreed = _some(random, count, 0.005)
    rate[agreed], fare[agreed] = 5, _hundredths(random.uniform(15, 120, len(agreed)))
    return {
        "trip_distance": _hundredths(miles),
        "RatecodeID": rate,
        "fare_amount": fare,
        "dropoff": columns["pickup"] + (minutes * 60).astype(np.int64),
    }


def _amounts(random: np.random.Generator, columns: Columns) -> Columns:
    """Payment, surcharges, tip and total; by TLC's data dictionary for yellow trips."""
    pickup, fare = columns["PULocationID"], columns["fare_amount"]
    count = len(pickup)
    payment = _PAYMENT.draw(random, count)
    tip = _hundredths((fare + 4.0) * _TIP.draw(random, count))
    tip[payment > 1] = 0.0
    charges = {
        "extra": _EXTRA.draw(random, count),
        "mta_tax": np.full(count, 0.5),
        "tip_amount": tip,
        "tolls_amount": _TOLLS.draw(random, count),
        "improvement_surcharge": np.ones(count),
        "congestion_surcharge": _CONGESTION.draw(random, count),
        "Airport_fee": 1.75 * ((pickup == _JFK) | (pickup == _LA_GUARDIA)),
    }
    # A plain sum: as in TLC's files, totals such as 22.700000000000003 stay as they come out.
    total = fare.copy()
    for amount in charges.values():
        total += amount
    return {**charges, "payment_type": payment, "total_amount": total}


def _spoil(random: np.random.Generator, columns: Columns) -> None:
    count = len(columns["pickup"])
    refund = _some(random, count, 0.01)
    amounts = [name for name in columns if name.endswith(("_amount", "surcharge", "_tax"))]
    for name in [*amounts, "extra", "Airport_fee"]:
        columns[name][refund] *= -1.0
    columns["fare_amount"][_some(random, count, 0.0004)] = 0.0
    columns["trip_distance"][_some(random, count, 0.012)] = 0.0
    wild = _some(random, count, 0.00005)
    columns["trip_distance"][wild] = _hundredths(random.uniform(5e3, 3e5, len(wild)))
    backwards = _some(random, count, 0.0005)
    columns["dropoff"][backwards] = columns["pickup"][backwards] - 1800
    elsewhere = _some(random, count, 0.00001)
    columns["pickup"][elsewhere] -= 15 * 365 * 86400
    strange = _some(random, count, 0.0008)
    columns["PULocationID"][strange] = random.choice(_STRANGE_ZONES, len(strange))


def _table(random: np.random.Generator, columns: Columns, schema: pa.Schema) -> pa.Table:
    count = len(columns["pickup"])

    def rare() -> np.ndarray:
        mask = np.zeros(count, bool)
        mask[_some(random, count, 0.0003)] = True
        return mask

    by_app = columns["payment_type"] == _BY_APP
    null_where = {
        **dict.fromkeys(("passenger_count", "RatecodeID", "store_and_fwd_flag"), by_app),
        **dict.fromkeys(("congestion_surcharge", "Airport_fee"), by_app),
        "PULocationID": rare(),
        "trip_distance": rare(),
        "fare_amount": rare(),
        "tip_amount": rare(),
        "total_amount": rare(),
    }
    columns["VendorID"] = _VENDOR.draw(random, count)
    columns["passenger_count"] = _PASSENGERS.draw(random, count)
    flags = np.zeros(count, np.int32)
    flags[_some(random, count, 0.004)] = 1
    columns["tpep_pickup_datetime"] = columns["pickup"]
    columns["tpep_dropoff_datetime"] = columns["dropoff"]
    arrays = []
    for field in schema:
        mask = null_where.get(field.name)
        kind = field.type
        if field.name == "store_and_fwd_flag":
            codes = pa.array(flags, mask=mask)
            array = pa.DictionaryArray.from_arrays(codes, pa.array(["N", "Y"], kind)).cast(kind)
        elif pa.types.is_timestamp(kind):
            array = pa.array(columns[field.name], pa.timestamp("s")).cast(kind)
        else:
            array = pa.array(columns[field.name], kind, mask=mask)
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=schema)


def _hundredths(values: np.ndarray) -> np.ndarray:
    rounded: np.ndarray = np.floor(values * 100.0 + 0.5) / 100.0
    return rounded


def _some(random: np.random.Generator, count: int, share: float) -> np.ndarray:
    """Positions below `count`: about `share` of them, in ascending order."""
    return np.unique(random.integers(0, count, round(count * share)))
