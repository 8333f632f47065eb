"""DuckDB in the job's process: one statement, with its own reader and writer of S3.

The extension for S3 comes as a signed file in a Python package, so nothing is installed from the
network.
"""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from ..describe import EngineFacts, engine_facts
from ..profile import Stage
from ..workloads.taxi_inputs import trip_files, zone_schema, zones_path
from ..workloads.taxi_report import TaxiReport
from . import Engine
from .duckdb_profile import record, stages_of

if TYPE_CHECKING:
    import duckdb

FILE = "part-0.parquet"

COPY_REPORT = """
    COPY (
        SELECT zones.Borough                                                  AS borough,
               sum(total_amount::DOUBLE)                                      AS revenue,
               sum(floor(total_amount::DOUBLE * 100 + 0.5)::BIGINT)::BIGINT   AS revenue_cents,
               count(*)                                                       AS trips,
               avg(tip_amount::DOUBLE)                                        AS avg_tip,
               avg(trip_distance::DOUBLE)                                     AS avg_distance
        FROM read_parquet([{trips}], union_by_name = true) AS trips
        LEFT JOIN read_csv({zones}, header = true, columns = {{
            'LocationID': '{zone_type}', 'Borough': 'VARCHAR', 'Zone': 'VARCHAR',
            'service_zone': 'VARCHAR'
        }}) AS zones ON trips.PULocationID = zones.LocationID
        WHERE fare_amount::DOUBLE > {fare_above}
        GROUP BY zones.Borough
    ) TO {output} (FORMAT parquet)
"""


class DuckDb(Engine):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)
    means: ClassVar[str] = "DuckDB's profile and its log of HTTP requests"
    _profiled: duckdb.DuckDBPyConnection

    def start(self) -> None:
        """Import DuckDB, and see that a database opens."""
        self._open().close()

    def _open(self) -> duckdb.DuckDBPyConnection:
        """Open a database in memory, load the extension and give it the keys of the store.

        Each sample has a new one: an open one keeps the contents of the files that it has read, and
        the next sample would read next to nothing from the store.
        """
        import duckdb

        connection = duckdb.connect(
            config={
                "threads": self.context.threads,
                "memory_limit": f"{self.context.limits['memoryBytes']}B",
                "temp_directory": str(self.context.scratch / "duckdb"),
                # Nothing of the user's own DuckDB: neither its keys nor its extensions.
                "allow_persistent_secrets": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        connection.load_extension(_extension())
        if self.context.store.ca_file is not None:
            connection.execute(f"SET ca_cert_file = {_text(self.context.store.ca_file)}")
        connection.execute(self._secret())
        return connection

    def _secret(self) -> str:
        """The statement that gives DuckDB the store's address and keys."""
        store = self.context.store
        values = {
            "KEY_ID": store.access_key,
            "SECRET": store.secret_key,
            **({"SESSION_TOKEN": store.session_token} if store.session_token else {}),
            "REGION": store.region,
            "ENDPOINT": store.host_and_port,
            "URL_STYLE": "path" if store.path_style else "vhost",
            "USE_SSL": str(store.encrypted).lower(),
        }
        given = ", ".join(f"{name} {_text(value)}" for name, value in values.items())
        return f"CREATE SECRET (TYPE s3, {given})"

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """The report by one statement, which reads and writes the store."""
        facts = self.context.input_facts
        is_float = pa.types.is_floating(zone_schema(facts).field("LocationID").type)
        report = COPY_REPORT.format(
            trips=", ".join(_text(f"s3://{path}") for path in trip_files(facts)),
            zones=_text(f"s3://{zones_path(facts)}"),
            zone_type="DOUBLE" if is_float else "BIGINT",
            fare_above=float(self.context.inputs["fareAbove"]),
            output=_text(f"s3://{output}/{FILE}"),
        )
        connection = self._open()
        if self.context.timers:  # what the connection knows of the statement is asked later
            record(connection)
            self._profiled = connection
            connection.execute(report)
        else:
            with connection:
                connection.execute(report)

    def stages(self, began: float, seconds: float) -> list[Stage]:
        """See `Engine.stages`."""
        with self._profiled:
            return stages_of(self._profiled, self.context.threads)

    def persists(self) -> str:
        """See `Engine.persists`."""
        return "the process with the loaded library; each sample opens a new database"

    def configuration(self) -> dict[str, Any]:
        """All settings of a database as a sample has it, from itself; keys are not among them."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT name, value FROM duckdb_settings() WHERE value IS NOT NULL ORDER BY name"
            ).fetchall()
            loaded = connection.execute(
                "SELECT extension_name FROM duckdb_extensions() WHERE loaded ORDER BY 1"
            ).fetchall()
        settings = dict(rows)
        return {
            "threads": int(settings["threads"]),
            "extensions": [name for (name,) in loaded],
            "settings": settings,
        }

    def stop(self) -> None:
        """Nothing outlives a sample but the process."""


def _extension() -> str:
    """The file of the extension for S3 that was built for this version of DuckDB."""
    import duckdb

    package = files("duckdb_extension_httpfs")
    return str(package / "extensions" / f"v{duckdb.__version__}" / "httpfs.duckdb_extension")


def _text(value: str) -> str:
    """A string as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


ENGINE = DuckDb
