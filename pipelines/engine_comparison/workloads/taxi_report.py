"""taxi-report: revenue and tips of the expensive trips, by the borough where they began.

In SQL, with cents(x) = CAST(floor(x * 100 + 0.5) AS BIGINT):

    SELECT zones.Borough                    AS borough,
           sum(total_amount)                AS revenue,
           sum(cents(total_amount))         AS revenue_cents,
           count(*)                         AS trips,
           avg(tip_amount)                  AS avg_tip,
           avg(trip_distance)               AS avg_distance
    FROM trips LEFT JOIN zones ON trips.PULocationID = zones.LocationID
    WHERE fare_amount > :fareAbove
    GROUP BY zones.Borough

The rules that engines are apt to read differently:

- A trip whose zone is null or not in the zone table counts for the group null. "Unknown" and "N/A"
  are two further boroughs of the zone table: "N/A" is a string, also where a CSV reader takes it
  for a null by default (see `read_zones`).
- Nulls are ignored as in SQL: a null fare does not pass the filter; a null total adds nothing to
  the sums, and a null tip or distance is left out of the mean, while the trip is counted.
- Amounts are compared, added and rounded in float64, whatever type the files have them in. There
  is no NaN and nothing from a billion on among them: the oracle refuses such data (see
  `taxi_report_oracle`).
- Cents are rounded half up, in 64-bit floating point, by floor(x * 100 + 0.5): a multiplication, an
  addition and a floor, each exactly rounded by IEEE 754, so that all engines get the same integer.
  (Their own `round` differ: half away from zero, half to even, decimal first.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from ..describe import WorkloadFacts, workload_facts
from ..errors import one_line
from ..inspection import Facts
from .base import Inputs, Workload
from .taxi_inputs import TRIP_COLUMNS, read_zones, trip_files, zones_path
from .taxi_report_oracle import taxi_oracle


class TaxiReport(Workload):
    """See the module."""

    facts: ClassVar[WorkloadFacts] = workload_facts(__name__)
    key: ClassVar[str] = "borough"

    def schema(self, dimension: int | None = None) -> pa.Schema:
        """The report's columns; `borough` is null for trips without a known zone.

        The three means and sums of floats are null where a group has only nulls.
        """
        return pa.schema(
            [
                pa.field("borough", pa.string(), nullable=True),
                pa.field("revenue", pa.float64(), nullable=True),
                pa.field("revenue_cents", pa.int64(), nullable=True),
                pa.field("trips", pa.int64(), nullable=False),
                pa.field("avg_tip", pa.float64(), nullable=True),
                pa.field("avg_distance", pa.float64(), nullable=True),
            ]
        )

    def exact_columns(self, inputs: Inputs) -> tuple[str, ...]:
        """Key, counts and cents."""
        return ("borough", "trips", "revenue_cents")

    def tolerances(self, inputs: Inputs) -> dict[str, float]:
        """Relative. Sums of n floats in another order differ by up to about n * 1e-16 of the sum.

        So 1e-9 leaves room for millions of rows in a group and is far below a cent in a hundred
        thousand dollars, which would show in the exact cents.
        """
        return {"revenue": 1e-9, "avg_tip": 1e-9, "avg_distance": 1e-9}

    def unreadable_input(self, filesystem: fs.FileSystem, facts: Facts) -> str | None:
        """Read the zones and of each month what the question needs, a row group at a time."""
        reading = zones_path(facts)
        try:
            read_zones(filesystem, facts)
            for reading in trip_files(facts):
                with filesystem.open_input_file(reading) as file:
                    month = pq.ParquetFile(file)
                    for group in range(month.num_row_groups):
                        month.read_row_group(group, columns=list(TRIP_COLUMNS))
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            return f"s3://{reading} cannot be read: {one_line(error, 160)}"
        return None

    def nothing_to_report(self, inputs: Inputs) -> str:
        """No fare is above the limit."""
        return f"The input holds nothing to report: no trip has a fare above {inputs['fareAbove']}."

    def right_answer(self, spec: Mapping[str, Any], filesystem: fs.FileSystem) -> pa.Table:
        """By numpy, see `taxi_report_oracle`."""
        lake, fare_above = spec["buckets"][self.input_purpose], spec["inputs"]["fareAbove"]
        facts = self.input_facts(spec, filesystem)
        return taxi_oracle(filesystem, lake, facts, float(fare_above)).cast(self.schema())


WORKLOAD = TaxiReport()
