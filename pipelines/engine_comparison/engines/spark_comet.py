"""Apache Spark with Comet, whose native operators take the place of Spark's where it has them."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any, ClassVar

from ..describe import EngineFacts, engine_facts
from ..errors import UserError
from ..workloads.taxi_report import TaxiReport
from .spark_application import SparkEngine

X86_64_V3 = {"avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"}
"""What a processor has to have for the library in Comet's jar, as /proc/cpuinfo names it."""


class SparkComet(SparkEngine):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)

    def start(self) -> None:
        """Start as Spark does.

        Raises:
            UserError: Comet cannot work on this machine or with this store.
        """
        if reason := lacks(self.context.store.ca_certificates is not None):
            raise UserError(
                f"Comet does not work here: {reason}.",
                "Spark would compute without it, under its name.",
                "Take the contender spark-comet out of `engines`.",
                outcome="not supported",
            )
        super().start()

    def choices(self) -> dict[str, str]:
        """The tunables, and the worker's memory divided between the JVM's heap and Comet."""
        total = int(str(self.given["workerMemory"]).removesuffix("m"))
        outside = int(total * self.tunable("offHeapShare"))
        return {
            **super().choices(),
            "spark.executor.memory": f"{total - outside}m",
            "spark.memory.offHeap.size": f"{outside}m",
        }

    def jar_folders(self) -> list[Path]:
        """With Comet's jar, which no other contender has on its class path."""
        return [*super().jar_folders(), Path(self.given["jars"], "comet")]

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """The report in Spark SQL; Comet puts its operators into the plan."""
        self.report().write.parquet(f"s3a://{output}")

    def configuration(self) -> dict[str, Any]:
        """With the operators of the report's plan, and why Comet left some to Spark."""
        return {**super().configuration(), "comet": self._plan()}

    def _plan(self) -> dict[str, Any]:
        jvm: Any = self.session.sparkContext._jvm
        plan = self.report()._jdf.queryExecution().executedPlan()
        reasons = jvm.org.apache.comet.ExtendedExplainInfo().getFallbackReasons(plan)
        return {
            "operators": [line.strip() for line in plan.toString().splitlines()],
            "fallbacks": [reasons.apply(at) for at in range(reasons.size())],
        }


def lacks(own_certificates: bool, cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    """What Comet needs and is not here, in words; None if all is."""
    if own_certificates:
        return "its reader of S3 trusts the system's certificates alone"
    if platform.machine() not in ("x86_64", "aarch64"):
        return f"its jar has no library for {platform.machine()}"
    if platform.machine() == "x86_64":
        words = cpuinfo.read_text(encoding="utf-8").split()
        if missing := sorted(X86_64_V3.difference(words)):
            return f"the processor lacks {', '.join(missing)}"
    return None


ENGINE = SparkComet
