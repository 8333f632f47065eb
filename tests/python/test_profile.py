"""Profiles: how the bottleneck is named, and what is read from what engines say."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest
from pyarrow import fs

from engine_comparison import ray_agents
from engine_comparison.engines import daft_profile, duckdb_profile, polars_profile
from engine_comparison.engines.spark_profile import EventLog
from engine_comparison.profile import Node, Profile, Stage, divided, waits, with_bottleneck
from engine_comparison.timers import Timers, read_timers


def named(wall: float, start_up: float, first: float, **kinds: float) -> dict[str, Any]:
    stages = [Stage(kind, kind, seconds) for kind, seconds in kinds.items()]  # type: ignore[arg-type]
    return with_bottleneck(Profile("x", wall, stages).fields(), start_up, first)


@pytest.mark.parametrize(
    ("wall", "start_up", "first", "kinds", "sample", "one_shot"),
    [
        (1.0, 0.1, 1.0, {"read": 0.6, "compute": 0.3}, "read", "read"),
        (1.0, 0.1, 1.0, {"read": 0.3, "compute": 0.3, "write": 0.31}, "write", "write"),
        (1.0, 0.1, 1.0, {"decode": 0.5, "shuffle": 0.2}, "decode", "decode"),
        (1.0, 0.1, 1.0, {"shuffle": 0.9}, "shuffle", "shuffle"),
        # Less than half is covered by stages.
        (1.0, 0.1, 1.0, {"read": 0.2, "compute": 0.2}, "coordination", "coordination"),
        (1.0, 0.1, 1.0, {}, "coordination", "coordination"),
        # Start-up against that kind's share of the first sample: 0.6 of 3 s.
        (1.0, 1.7, 3.0, {"read": 0.6, "compute": 0.4}, "read", "read"),
        (1.0, 1.9, 3.0, {"read": 0.6, "compute": 0.4}, "read", "start-up"),
        # Stages that overlap cover more than all of it: nothing is left.
        (1.0, 0.1, 1.0, {"read": 0.9, "compute": 0.8}, "read", "read"),
    ],
)
def test_the_bottleneck_is_the_kind_with_the_largest_share(
    wall: float, start_up: float, first: float, kinds: dict[str, float], sample: str, one_shot: str
):
    found = named(wall, start_up, first, **kinds)
    assert (found["bottleneck"], found["oneShotBottleneck"]) == (sample, one_shot)
    coordination, started = found["stages"][-2:]
    covered = sum(kinds.values())
    assert coordination["seconds"] == pytest.approx(max(0.0, wall - covered))
    assert (started["kind"], started["seconds"]) == ("start-up", start_up)


def test_stages_of_one_kind_count_together():
    stages = [Stage("a", "read", 0.3), Stage("b", "compute", 0.4), Stage("c", "read", 0.3)]
    found = with_bottleneck(Profile("x", 1.0, stages).fields(), 0.1, 1.0)
    assert found["bottleneck"] == "read"


def test_what_a_function_of_ours_did_takes_the_place_of_its_stage():
    stages = [Stage("scan", "read", 1.0), Stage("a", "compute", 0.1), Stage("map", "compute", 2.0)]
    inner = [Stage("decode", "decode", 0.5), Stage("model", "compute", 1.2)]
    found = divided(stages, inner)
    assert [(one.name, one.kind) for one in found] == [
        ("scan", "read"),
        ("a", "compute"),
        ("map: decode", "decode"),
        ("map: model", "compute"),
        ("map", "compute"),
    ]
    assert [one.seconds for one in found[2:]] == pytest.approx([0.5, 1.2, 0.3])
    assert divided(stages, []) == stages
    assert divided(stages[:1], inner) == stages[:1]


def test_waiting_counts_only_while_no_worker_was_busy():
    busy = [Stage("scan", "decode", 0.5), Stage("group", "compute", 0.2)]
    requests = [Stage("get", "read", 0.9), Stage("put", "write", 0.2)]
    get, put, *rest = waits(busy, requests, 1.1)
    assert (get.seconds, put.seconds) == pytest.approx((0.4, 0.0))
    assert rest == busy


def test_the_timers_of_all_tasks_are_added_up_and_divided_by_the_workers(
    local_store: fs.FileSystem,
):
    local_store.create_dir("output/timers")
    for _ in range(2):
        timers = Timers()
        assert list(timers.each("read", [1, 2])) == [1, 2]
        with timers.timing("decode"):
            pass
        timers.seconds.update(decode=3.0, compute=1.0)
        timers.count([b"12345", None])
        timers.save(local_store, "output/timers")
    fetch, decode, model = read_timers(local_store, "output/timers", 2)
    assert [one.name for one in (fetch, decode, model)] == ["fetch", "decode", "model"]
    assert (fetch.rows, fetch.bytes, decode.rows, decode.bytes) == (4, 10, 4, None)
    assert decode.seconds == pytest.approx(3.0, rel=1e-3)
    assert model.seconds == pytest.approx(1.0)
    assert read_timers(local_store, "output/none", 2) == []


def test_a_node_says_by_which_measure():
    fields = Node("executor 0", 5, 0.12345, "RSS").fields()
    assert fields == {
        "name": "executor 0",
        "peakMemoryBytes": 5,
        "cpuSeconds": 0.123,
        "measure": "RSS",
    }


def plan(*metrics: tuple[int, str, str], children: list[Any] | None = None) -> dict[str, Any]:
    named = [{"accumulatorId": at, "name": name, "metricType": sort} for at, name, sort in metrics]
    return {"metrics": named, "children": children or []}


def task(stage: int, launched: int, run: int, updates: dict[int, str], **more: Any) -> str:
    """A task's end as Spark's event log has it; times in milliseconds."""
    none = {
        "Executor Run Time": run,
        "Executor CPU Time": run * 500_000,
        "Disk Bytes Spilled": 0,
        "Input Metrics": {"Records Read": 0, "Bytes Read": 0},
        "Output Metrics": {"Records Written": 0, "Bytes Written": 0},
        "Shuffle Read Metrics": {"Fetch Wait Time": 0},
        "Shuffle Write Metrics": {
            "Shuffle Write Time": 0,
            "Shuffle Records Written": 0,
            "Shuffle Bytes Written": 0,
        },
    }
    event = {
        "Event": "SparkListenerTaskEnd",
        "Stage ID": stage,
        "Task Info": {
            "Launch Time": launched,
            "Executor ID": "0",
            "Accumulables": [{"ID": at, "Update": value} for at, value in updates.items()],
        },
        "Task Metrics": {**none, **more},
        "Task Executor Metrics": {
            "ProcessTreeJVMRSSMemory": 600,
            "ProcessTreePythonRSSMemory": 300 + run,
            "JVMHeapMemory": 100,
        },
    }
    return json.dumps(event)


def sql(name: str, **fields: Any) -> str:
    prefix = "org.apache.spark.sql.execution.ui.SparkListener"
    return json.dumps({"Event": f"{prefix}{name}", **fields})


SHUFFLED = {
    "Disk Bytes Spilled": 4096,
    "Input Metrics": {"Records Read": 1000, "Bytes Read": 500},
    "Shuffle Write Metrics": {
        "Shuffle Write Time": 100_000_000,
        "Shuffle Records Written": 9,
        "Shuffle Bytes Written": 90,
    },
}
WROTE = {
    "Shuffle Read Metrics": {"Fetch Wait Time": 20},
    "Output Metrics": {"Records Written": 9, "Bytes Written": 77},
}
SCAN = plan((1, "scan time", "timing"), (2, "number of output rows", "sum"))
COMMITS = [(3, "task commit time", "timing"), (4, "job commit time", "timing")]
LOG = [
    # A query before the profiled one, which is not counted.
    sql("SQLExecutionStart", executionId=0, time=500, sparkPlanInfo=plan(*COMMITS)),
    task(0, 600, 9000, {}),
    sql("DriverAccumUpdates", executionId=0, accumUpdates=[[4, 7000]]),
    sql("SQLExecutionStart", executionId=1, time=1100, sparkPlanInfo=plan(*COMMITS)),
    sql("SQLAdaptiveExecutionUpdate", executionId=1, sparkPlanInfo=plan(*COMMITS, children=[SCAN])),
    # Two tasks scan, one of which is counted by a metric of no interest, too; one writes.
    task(1, 1200, 1000, {1: "400", 2: "500"}, **SHUFFLED),
    task(1, 1200, 2000, {1: "800"}, **SHUFFLED),
    task(2, 3300, 300, {3: "50"}, **WROTE),
    sql("DriverAccumUpdates", executionId=1, accumUpdates=[[4, 250]]),
    json.dumps({"Event": "SparkListenerApplicationEnd"}),
]


def test_sparks_event_log_says_what_tasks_were_busy_with():
    log = EventLog(LOG, since=1.0)
    stages = {one.name: one for one in log.stages(2, [])}
    assert {name: (one.kind, round(one.seconds, 3)) for name, one in stages.items()} == {
        "stage 1: scan": ("read", 0.6),
        "stage 1: shuffle": ("shuffle", 0.1),
        "stage 1: tasks": ("compute", 0.8),
        "stage 2: shuffle": ("shuffle", 0.01),
        "stage 2: commit of tasks": ("write", 0.025),
        "stage 2: tasks": ("compute", 0.115),
        "commit of the job, by the driver": ("write", 0.25),
    }
    scan, shuffle = stages["stage 1: scan"], stages["stage 1: shuffle"]
    assert (scan.rows, scan.bytes) == (2000, 1000)
    assert (shuffle.rows, shuffle.bytes, shuffle.spilled_bytes) == (18, 180, 8192)
    commit = stages["stage 2: commit of tasks"]
    assert (commit.rows, commit.bytes) == (9, 77)


def test_sparks_executors_say_how_much_memory_their_processes_had():
    [node] = EventLog(LOG, since=1.0).nodes()
    assert (node.name, node.peak_memory, node.cpu_seconds) == ("executor 0", 600 + 2300, 1.65)
    assert "RSS" in node.measure


def test_a_scan_row_by_row_has_no_time_in_spark_and_is_what_is_left():
    read = {"Input Metrics": {"Records Read": 20, "Bytes Read": 500}}
    log = EventLog([task(1, 1200, 2000, {}, **read), task(2, 1200, 100, {})], since=1.0)
    inner = [Stage("decode", "decode", 0.3), Stage("model", "compute", 0.5)]
    found = [(one.name, one.kind, round(one.seconds, 3)) for one in log.stages(2, inner)]
    assert found[1:] == [
        ("stage 1: tasks: decode", "decode", 0.3),
        ("stage 1: tasks: model", "compute", 0.5),
        ("stage 1: tasks", "read", 0.2),
        ("stage 2: tasks", "compute", 0.05),
    ]


NONE = "io(total_active_time=0.00ns, total_bytes_received=0, total_bytes_sent=0)"
POLARS = [
    "Streaming query took 1.00s (1.04s CPU), detailed breakdown:",
    "multi-scan[parquet]: tot(800.00ms), poll(79.00ms, n=8, max=2.02ms, stolen=59.8%), recv(row=0, "
    "morsel=0, max=0), sent(row=29120, morsel=3, max=9769), io(total_active_time=600.00ms, "
    "total_bytes_requested=9, total_bytes_received=3127894, total_bytes_sent=0)",
    "io-sink[single-file[parquet]]: tot(4.00ms), poll(355.95µs, n=52), recv(row=9, morsel=3, "
    "max=5), sent(row=0, morsel=0, max=0), io(total_active_time=3.00ms, total_bytes_requested=0, "
    "total_bytes_received=0, total_bytes_sent=2624)",
    f"group-by: tot(200.00µs), recv(row=29120, morsel=3, max=9769), sent(row=9), {NONE}, groups=8",
]


def test_polars_lines_say_what_its_nodes_were_busy_with_and_waited_for():
    found = polars_profile.stages_of(POLARS, 2, 1.0)
    assert [(one.name, one.kind, round(one.seconds, 4)) for one in found] == [
        ("multi-scan[parquet]: waiting for the store", "read", 0.5979),
        ("io-sink[single-file[parquet]]: waiting for the store", "write", 0.0),
        ("multi-scan[parquet]", "decode", 0.4),
        ("io-sink[single-file[parquet]]", "write", 0.002),
        ("group-by", "compute", 0.0001),
    ]
    assert [one.rows for one in found] == [None, None, 29120, 9, 9]
    assert [one.bytes for one in found] == [3127894, 2624, None, None, None]


def test_the_address_of_the_store_is_in_no_name_of_daft():
    download = "url_download(image_url, true, PyObject(IOConfig: Key ID = b6, URL = http://a)) as x"

    def operator(name: str, sort: str, **stats: float) -> dict[str, Any]:
        named = [(at.replace("_", "."), {"value": value}) for at, value in stats.items()]
        return {"name": name, "type": sort, "stats": named}

    found = daft_profile.stages_of(
        [
            operator("Read Parquet", "ScanTask", duration=100_000.0, rows_out=40.0, bytes_read=9.0),
            operator(download, "Project", duration=900_000.0, rows_out=40.0, bytes_out=5.0),
            operator("image_resize(image_decode(x), 1)", "Project", duration=800_000.0),
            operator("UDF answer", "UDFProject", duration=400_000.0, rows_out=40.0),
        ],
        2,
        1.0,
    )
    assert [(one.name, one.kind, round(one.seconds, 3), one.rows) for one in found] == [
        ("Read Parquet", "read", 0.1, 40),
        ("Project: url_download", "read", 0.3, 40),
        ("Project: image_resize, image_decode", "decode", 0.4, None),
        ("UDF answer", "compute", 0.2, 40),
    ]


def test_a_spill_of_duckdb_is_told():
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "60MB"})
    connection.execute("SET preserve_insertion_order = false")
    connection.execute("SET enable_profiling = 'no_output'")
    connection.execute("SET profiling_mode = 'detailed'")
    connection.execute(
        "CREATE TABLE x AS SELECT hash(i)::VARCHAR AS k FROM range(2000000) AS r(i) ORDER BY k"
    )
    stages = duckdb_profile.stages_of(connection, 2)
    assert max(one.spilled_bytes or 0 for one in stages) > 2**20


def test_rays_agents_say_what_the_processes_of_a_node_use():
    labels = 'Component="gcs",ip="127.0.0.1"'
    text = "\n".join(
        [
            "# TYPE ray_component_uss_bytes gauge",
            f"ray_component_uss_bytes{{{labels}}} 5e+06",
            f"ray_component_rss_bytes{{{labels}}} 9e+06",
            f'ray_component_uss_bytes{{{labels},pid="2"}} 1000',
            f"ray_component_cpu_percentage{{{labels}}} 150.0",
            f'ray_component_cpu_percentage{{{labels},pid="2"}} 30',
        ]
    )
    assert ray_agents.read_metrics(text) == (5_001_000, 1.8)
