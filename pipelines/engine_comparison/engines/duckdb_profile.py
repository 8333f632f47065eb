"""What DuckDB says of a statement: its profile in JSON, and its log of HTTP requests.

Its threads wait for the requests that they make, so the time of a scan has them in it. Footers of
files are read while the statement is bound, by one thread. What is written goes to the store after
the operators have ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..profile import Kind, Stage

if TYPE_CHECKING:
    import duckdb

_REQUESTS = """
    SELECT request.type, epoch_us(request.start_time) / 1e6, epoch_us(timestamp) / 1e6
    FROM duckdb_logs_parsed('HTTP') ORDER BY 2
"""


def record(connection: duckdb.DuckDBPyConnection) -> None:
    """Have a connection keep what `stages_of` reads."""
    connection.execute("SET profiling_mode = 'detailed'")
    connection.execute("SET enable_profiling = 'no_output'")
    connection.execute("CALL enable_logging('HTTP')")


def stages_of(connection: duckdb.DuckDBPyConnection, threads: int) -> list[Stage]:
    """The operators of the last statement, from the scans on.

    Args:
        connection: One that `record` was called for.
        threads: Of DuckDB.
    """
    said = json.loads(connection.get_profiling_information("json"))
    connection.execute("PRAGMA disable_profiling")
    requests = connection.execute(_REQUESTS).fetchall()
    binding = said["planner_binding"]
    bound = requests[0][1] + binding if requests else 0.0
    reading = sum(end - start for way, start, end in requests if way in _READS and start >= bound)
    writing = sum(end - start for way, start, end in requests if way not in _READS)
    *others, root = _operators(said)
    scans = [one for one in others if one["operator_type"] == "TABLE_SCAN"]
    in_scans = sum(one["operator_timing"] for one in scans)
    return [
        Stage("planner: binding, which reads footers", "read", binding),
        Stage(
            "requests of scans",
            "read",
            min(reading, in_scans) / threads,
            None,  # of the rows scanned DuckDB 1.5 counts each twice
            said["total_bytes_read"],
        ),
        *(_stage(one, in_scans, reading, threads) for one in others),
        Stage(
            root["operator_name"],
            "write",
            root["operator_timing"] / threads + writing,
            root["operator_cardinality"],
            said["total_bytes_written"] or None,
            said["system_peak_temp_dir_size"],
        ),
    ]


_READS = ("GET", "HEAD")


def _operators(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The operators below a node, from the leaves on."""
    for child in node["children"]:
        yield from _operators(child)
        yield child


def _stage(operator: dict[str, Any], in_scans: float, reading: float, threads: int) -> Stage:
    """An operator; of a scan what is left without its share of the requests."""
    seconds: float = operator["operator_timing"]
    kind: Kind = "compute"
    if operator["operator_type"] == "TABLE_SCAN":
        kind = "decode"
        seconds *= max(0.0, 1 - reading / max(in_scans, 1e-9))
    return Stage(
        operator["operator_name"],
        kind,
        seconds / threads,
        operator["operator_cardinality"],
    )
