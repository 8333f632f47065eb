"""What Spark's event log says of a sample: its stages, and what the executors used.

The log has to be asked for before an application starts. It has a JSON object a line; see
https://spark.apache.org/docs/latest/monitoring.html for the metrics.

The time of a stage's tasks is divided: scanning, as the SQL metrics of the plan's scans have it
(decoding is in it); waiting for and writing shuffle files; committing output; what timers of ours
measured in Python workers; and the rest, which computes. Scans that go row by row have no time:
there the rest is reading. What a task does before and after it runs is in none, and so is
coordination. The bytes of a scan lack what S3A reads in threads of its own.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..profile import Kind, Node, Stage, inside

SETTINGS = {
    "spark.eventLog.enabled": "true",
    "spark.eventLog.rolling.enabled": "false",
    "spark.eventLog.compress": "false",
    "spark.eventLog.logStageExecutorMetrics": "true",
    "spark.executor.processTreeMetrics.enabled": "true",
    "spark.executor.metrics.pollingInterval": "100",
}
"""What makes the log and fills it; the interval is in milliseconds."""

_SCAN, _TASK_COMMIT, _JOB_COMMIT = "scan time", "task commit time", "job commit time"
_RSS = ("ProcessTreeJVMRSSMemory", "ProcessTreePythonRSSMemory", "ProcessTreeOtherRSSMemory")
_JVM = ("JVMHeapMemory", "JVMOffHeapMemory")
_RSS_WORDS = "largest RSS of the executor's processes"
_JVM_WORDS = "largest use of the JVM's memory"

Event = Mapping[str, Any]


@dataclass
class _Tasks:
    """Sums over the tasks of one of Spark's stages: seconds by kind, and counts."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    counts: Counter[str] = field(default_factory=Counter)


class EventLog:
    """The events of an application since a moment."""

    def __init__(self, lines: Iterable[str], since: float) -> None:
        """Read the log.

        Args:
            lines: Of the file.
            since: Seconds since 1970; tasks that began before are left out.
        """
        self._metrics: dict[int, tuple[str, float]] = {}
        self._tasks: dict[int, _Tasks] = defaultdict(_Tasks)
        self._memory: dict[str, Counter[str]] = defaultdict(Counter)
        self._cpu: dict[str, float] = defaultdict(float)
        self._job_commit = 0.0
        self._executions: set[int] = set()
        self._since = 1000 * since
        for line in lines:
            self._read(json.loads(line))

    def _read(self, event: Event) -> None:
        match event["Event"]:
            case "SparkListenerTaskEnd":
                if event["Task Info"]["Launch Time"] >= self._since and "Task Metrics" in event:
                    self._read_task(event)
            case "SparkListenerStageExecutorMetrics":
                self._see_memory(event["Executor ID"], event["Executor Metrics"])
            case _ if "sparkPlanInfo" in event:
                if event.get("time", 0) >= self._since:
                    self._executions.add(event["executionId"])
                self._metrics.update(_metrics_of(event["sparkPlanInfo"]))
            case _ if event.get("executionId") in self._executions:
                for at, value in event.get("accumUpdates", []):
                    name, unit = self._metrics.get(at, ("", 0.0))
                    if name == _JOB_COMMIT:
                        self._job_commit += value * unit

    def _read_task(self, event: Event) -> None:
        info, metrics = event["Task Info"], event["Task Metrics"]
        tasks = self._tasks[event["Stage ID"]]
        for one in info["Accumulables"]:
            name, unit = self._metrics.get(one["ID"], ("", 0.0))
            if name in (_SCAN, _TASK_COMMIT) and "Update" in one:
                tasks.seconds[name] += float(one["Update"]) * unit
        read, wrote = metrics["Shuffle Read Metrics"], metrics["Shuffle Write Metrics"]
        tasks.seconds["run"] += metrics["Executor Run Time"] / 1e3
        tasks.seconds["shuffle"] += (
            read["Fetch Wait Time"] / 1e3 + wrote["Shuffle Write Time"] / 1e9
        )
        tasks.counts.update(
            {
                "rows in": metrics["Input Metrics"]["Records Read"],
                "bytes in": metrics["Input Metrics"]["Bytes Read"],
                "rows out": metrics["Output Metrics"]["Records Written"],
                "bytes out": metrics["Output Metrics"]["Bytes Written"],
                "rows moved": wrote["Shuffle Records Written"],
                "bytes moved": wrote["Shuffle Bytes Written"],
                "spilled": metrics["Disk Bytes Spilled"],
            }
        )
        executor = info["Executor ID"]
        self._cpu[executor] += metrics["Executor CPU Time"] / 1e9
        self._see_memory(executor, event.get("Task Executor Metrics", {}))

    def _see_memory(self, executor: str, metrics: Mapping[str, int]) -> None:
        seen = self._memory[executor]
        seen["rss"] = max(seen["rss"], sum(metrics.get(name, 0) for name in _RSS))
        seen["jvm"] = max(seen["jvm"], sum(metrics.get(name, 0) for name in _JVM))

    def stages(self, cores: int, python: Sequence[Stage]) -> list[Stage]:
        """The stages of the sample, in the order in which Spark numbered them.

        Args:
            cores: Of all executors, by which the time of tasks is divided.
            python: What our timers measured in Python workers: in those of the longest stage.
        """
        longest = max(self._tasks, key=lambda at: self._tasks[at].seconds["run"], default=None)
        found = []
        for at, tasks in sorted(self._tasks.items()):
            *parts, rest = _parts(at, tasks, cores)
            found += [*parts, *inside(rest, python if at == longest else ())]
        if self._job_commit:
            found.append(Stage("commit of the job, by the driver", "write", self._job_commit))
        return found

    def nodes(self) -> list[Node]:
        """What each executor used."""
        return [
            Node(
                f"executor {name}",
                seen["rss"] or seen["jvm"] or None,
                self._cpu.get(name),
                f"Spark's executor metrics: {_RSS_WORDS if seen['rss'] else _JVM_WORDS}; "
                "CPU of tasks in the JVM",
            )
            for name, seen in sorted(self._memory.items())
            if name != "driver"
        ]


def _metrics_of(plan: Event) -> Iterator[tuple[int, tuple[str, float]]]:
    """The metrics of a plan: accumulator to name, and the length of its unit in seconds."""
    for metric in plan["metrics"]:
        unit = {"timing": 1e-3, "nsTiming": 1e-9}.get(metric["metricType"], 0.0)
        yield metric["accumulatorId"], (metric["name"], unit)
    for child in plan["children"]:
        yield from _metrics_of(child)


def _parts(at: int, tasks: _Tasks, cores: int) -> Iterator[Stage]:
    """One of Spark's stages, divided by what its time was for."""
    seconds, counts = tasks.seconds, tasks.counts
    rest = seconds["run"]

    def part(name: str, kind: Kind, took: float, what: str, spilled: bool = False) -> Stage:
        nonlocal rest
        took = min(took, rest)
        rest -= took
        return Stage(
            f"stage {at}: {name}",
            kind,
            took / cores,
            counts[f"rows {what}"],
            counts[f"bytes {what}"],
            counts["spilled"] if spilled else None,
        )

    if seconds[_SCAN] or counts["rows in"]:
        yield part("scan", "read", seconds[_SCAN], "in")
    if counts["bytes moved"] or seconds["shuffle"]:
        yield part("shuffle", "shuffle", seconds["shuffle"], "moved", spilled=True)
    if counts["bytes out"] or seconds[_TASK_COMMIT]:
        yield part("commit of tasks", "write", seconds[_TASK_COMMIT], "out")
    by_row = counts["rows in"] and not seconds[_SCAN]
    yield Stage(f"stage {at}: tasks", "read" if by_row else "compute", rest / cores)
