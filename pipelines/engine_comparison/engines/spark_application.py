"""A Spark application on a running standalone cluster, as a client of its master.

What all of Spark's contenders have alike: addresses, keys, cores, memory, and the ports that a
driver may open. Whatever changes how Spark computes is in the contender's own `choices`.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ..errors import UserError, one_line
from ..host import PACKAGE_PARENT
from ..placement import Holder
from ..profile import Node, Stage
from ..workloads.taxi_inputs import AMOUNTS, trip_files, trip_schema, zone_schema, zones_path
from . import Engine
from .spark_launch import as_properties, own_address, set_environment, write_private
from .spark_profile import SETTINGS, EventLog
from .spark_store import s3a_settings, trust_options, trust_store

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

WAIT_SECONDS = 120
"""How long the cluster may take to give the job its executors."""

DEFAULTS = (
    "spark.sql.adaptive.enabled",
    "spark.sql.shuffle.partitions",
    "spark.sql.files.maxPartitionBytes",
    "spark.sql.autoBroadcastJoinThreshold",
    "spark.sql.sources.commitProtocolClass",
    "spark.sql.parquet.output.committer.class",
    "spark.sql.execution.arrow.maxRecordsPerBatch",
)
"""Settings of Spark SQL that decide most, which `configuration` reads back from each session."""

_SECRET_WORDS = ("secret", "key", "password", "token", "credential")
_PROPERTIES = "spark-defaults.conf"
DRIVER_OPTIONS = "spark.driver.extraJavaOptions"
EXECUTOR_OPTIONS = "spark.executor.extraJavaOptions"


class SparkEngine(Engine):
    """A contender that is a Spark application."""

    means: ClassVar[str] = "Spark's event log"
    _log: EventLog
    _session: SparkSession | None = None

    @property
    def session(self) -> SparkSession:
        """The driver's session, after `start`."""
        assert self._session is not None, "start() comes first"
        return self._session

    @property
    def given(self) -> dict[str, Any]:
        """The section `spark` of the job's spec."""
        return dict(self.context.spec["spark"])

    @property
    def cores(self) -> int:
        """Cores of all executors together."""
        return self.context.limits["cores"]

    @property
    def holder(self) -> Holder:
        """See `Engine.holder`."""
        return Holder.SPARK

    @property
    def shares(self) -> int:
        """See `Engine.shares`."""
        return self.cores // int(self.given["workerCores"])

    @property
    def executors(self) -> int:
        """Executors that the job takes, each with the cores and memory of a worker.

        With fewer GPUs than that, it takes one a GPU: an executor without one would have no work.
        """
        return self.placement.executors if self.placement.holder else self.shares

    def choices(self) -> dict[str, str]:
        """Spark's settings that this contender makes: the tunables with a name of Spark's."""
        return {
            one["name"]: str(one["value"]).lower()
            if isinstance(one["value"], bool)
            else str(one["value"])
            for one in self.tunables()
            if one["name"].startswith("spark.")
        }

    def start(self) -> None:
        """Start a driver JVM, connect to the master and wait for the executors."""
        host = self.given.get("driverHost") or own_address(self.given["master"])
        conf = self.context.scratch / "spark-conf"
        write_private(conf / _PROPERTIES, as_properties(self.settings(host)))
        set_environment(conf, host, self.given.get("javaHome"), self._worker_python())
        from pyspark.sql import SparkSession

        try:
            # No settings here: pyspark would pass them, secrets included, in the JVM's arguments.
            self._session = SparkSession.builder.getOrCreate()
        except Exception as error:
            raise UserError(
                f"The Spark master at {self.given['master']} does not take the job: "
                f"{one_line(error, 200)}",
                "Spark's driver needs a master that knows the same secret.",
                "See the job's log and that of spark-master (npm run logs).",
            ) from error
        if self._ships:
            self.session.sparkContext.addPyFile(str(self._packed_code()))
        trust_store(self.session.sparkContext, self.context.store, self.context.scratch)
        self._wait_for_executors()

    def trips_and_zones(self) -> tuple[DataFrame, DataFrame]:
        """The trips and the zone table, with the columns and types that the report needs."""
        facts = self.context.input_facts
        schema, zone_ddl = trip_schema(facts), _ddl(zone_schema(facts))
        # Each `read` is a new reader: the options of the first would apply to the zones, too.
        trips = self.session.read.schema(_ddl(schema)).parquet(
            *(f"s3a://{path}" for path in trip_files(facts))
        )
        others = [name for name in AMOUNTS if str(schema.field(name).type) != "double"]
        trips = trips.withColumns({name: trips[name].cast("double") for name in others})
        zones = self.session.read.schema(zone_ddl).csv(f"s3a://{zones_path(facts)}", header=True)
        return trips, zones

    def report(self) -> DataFrame:
        """The report of taxi-report, not computed yet."""
        from pyspark.sql import functions as sql

        trips, zones = self.trips_and_zones()
        return (
            trips.filter(sql.col("fare_amount") > float(self.context.inputs["fareAbove"]))
            .join(zones, trips.PULocationID == zones.LocationID, "left")
            .groupBy(sql.col("Borough").alias("borough"))
            .agg(
                sql.sum("total_amount").alias("revenue"),
                sql.sum(sql.floor(sql.col("total_amount") * 100 + 0.5)).alias("revenue_cents"),
                sql.count("*").alias("trips"),
                sql.avg("tip_amount").alias("avg_tip"),
                sql.avg("trip_distance").alias("avg_distance"),
            )
        )

    def settings(self, host: str) -> dict[str, str]:
        """All of Spark's settings, secrets included; see `choices` for those that are a choice."""
        base = int(self.given["portBase"])
        settings = {
            "spark.app.name": f"{self.name}/{self.context.spec.get('workload')}",
            "spark.master": self.given["master"],
            **self._authentication(),
            "spark.driver.host": host,
            "spark.driver.bindAddress": host,
            "spark.driver.port": str(base),
            "spark.blockManager.port": str(base + 1),
            "spark.port.maxRetries": "16",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.cores.max": str(self.executors * int(self.given["workerCores"])),
            "spark.executor.cores": str(self.given["workerCores"]),
            "spark.executor.memory": str(self.given["workerMemory"]),
            **self._files(),
            "spark.pyspark.python": self._worker_python(),
            "spark.local.dir": str(self.context.scratch / "spark-local"),
            "spark.sql.warehouse.dir": str(self.context.scratch / "spark-warehouse"),
            **s3a_settings(self.context.store),
            **self.placement.asks,
            **self.choices(),
            **self._profile_settings(),
        }
        trusted = trust_options(self.context.store, self.context.scratch)
        for name, trust in zip((DRIVER_OPTIONS, EXECUTOR_OPTIONS), trusted, strict=True):
            if options := f"{settings.get(name, '')} {trust}".strip():
                settings[name] = options
        return settings

    def _profile_settings(self) -> dict[str, str]:
        """What makes the event log, in a process that is started for a profile."""
        if not self.context.timers:
            return {}
        self._events.mkdir(parents=True, exist_ok=True)
        return {**SETTINGS, "spark.eventLog.dir": self._events.as_uri()}

    @property
    def _events(self) -> Path:
        """The folder of the event log."""
        return self.context.scratch / "spark-events"

    def jar_folders(self) -> list[Path]:
        """Folders of jars that this contender adds to Spark's: those that speak S3."""
        return [Path(self.given["jars"])]

    def _wait_for_executors(self) -> None:
        """Wait until all executors are there.

        Raises:
            UserError: They are not all there after `WAIT_SECONDS`.
        """
        scala_context = self.session.sparkContext._jsc.sc()
        deadline = time.monotonic() + WAIT_SECONDS
        there = 0
        while there < self.executors:
            if time.monotonic() > deadline:
                raise UserError(
                    f"Spark is waiting for workers: {there} of {self.executors} executors came "
                    f"within {WAIT_SECONDS} s.",
                    "Without any Spark would wait for ever, and with fewer the run would not have "
                    "the resources that it states.",
                    "See in the Spark UI whether the workers are there with free cores and memory; "
                    "another application may hold them.",
                )
            time.sleep(0.05)
            there = scala_context.getExecutorMemoryStatus().size() - 1  # the driver is in the list

    @property
    def _ships(self) -> bool:
        """Whether the workers are other machines, on which nothing of this one can be found."""
        return bool(self.given.get("packages"))

    def _authentication(self) -> dict[str, str]:
        """The cluster's secret, if it asks for one."""
        file = self.given.get("secretFile")
        if file is None:
            return {}
        secret = Path(file).read_text(encoding="utf-8").strip()
        return {"spark.authenticate": "true", "spark.authenticate.secret": secret}

    def _worker_python(self) -> str:
        """The workers' Python: this one, or on other machines their own of the same version."""
        if not self._ships:
            return sys.executable
        return "python" + ".".join(map(str, sys.version_info[:2]))

    def _files(self) -> dict[str, str]:
        """Where JVMs and workers find jars, packages and the model: here, or sent to them."""
        folders = self.jar_folders()
        class_path = os.pathsep.join(f"{folder}/*" for folder in folders)
        driver = {"spark.driver.extraClassPath": class_path}
        if not self._ships:
            # Spark puts it in the place of what the workers' services have.
            path = filter(None, (str(PACKAGE_PARENT), os.environ.get("PYTHONPATH")))
            return {
                **driver,
                "spark.executor.extraClassPath": class_path,
                "spark.executorEnv.PYTHONPATH": os.pathsep.join(path),
            }
        # All that lies there: a model may keep its tensors in files beside it.
        folder = Path(self.context.model["path"]).resolve().parent
        model = sorted(file for file in folder.iterdir() if file.is_file())
        return {
            **driver,
            "spark.jars": ",".join(
                str(jar) for one in folders for jar in sorted(one.glob("*.jar"))
            ),
            "spark.archives": f"{self.given['packages']}#packages",
            "spark.files": ",".join(map(str, model)),
            "spark.executorEnv.PYTHONPATH": "packages",
        }

    def _packed_code(self) -> Path:
        """The package as an archive that Python imports from."""
        made = shutil.make_archive(
            str(self.context.scratch / "code"), "zip", PACKAGE_PARENT, "engine_comparison"
        )
        return Path(made)

    def persists(self) -> str:
        """See `Engine.persists`."""
        return (
            "the driver's JVM, the executors' with their compiled code, and their Python workers "
            "with the model they loaded"
        )

    def configuration(self) -> dict[str, Any]:
        """What the running application has, without secrets.

        `set` has what it was given, `defaults` what Spark SQL has of `DEFAULTS` besides,
        `driverCollectors` the garbage collectors that the driver's JVM says it has, and
        `executorJvm` what an executor's JVM says of its compiler.
        """
        context = self.session.sparkContext
        driver: Any = context._jvm
        management = driver.java.lang.management.ManagementFactory
        given = dict(context.getConf().getAll())
        jvm = "reflect('java.lang.System', 'getProperty', 'java.vm.info') AS info"
        return {
            "executors": context._jsc.sc().getExecutorMemoryStatus().size() - 1,
            "defaultParallelism": context.defaultParallelism,
            "driverCollectors": [one.getName() for one in management.getGarbageCollectorMXBeans()],
            "executorJvm": self.session.range(1).selectExpr(jvm).collect()[0]["info"],
            "defaults": {
                name: self.session.conf.get(name) for name in DEFAULTS if name not in given
            },
            "set": {
                name: value
                for name, value in sorted(given.items())
                if not any(word in name.lower() for word in _SECRET_WORDS)
            },
        }

    def versions(self) -> dict[str, str]:
        """Spark, the JVM and the Python packages."""
        jvm: Any = self.session.sparkContext._jvm
        java = jvm.java.lang.System.getProperty("java.version")
        return {**super().versions(), "java": str(java)}

    def stages(self, began: float, seconds: float) -> list[Stage]:
        """See `Engine.stages`. The log is whole when the application has ended."""
        self.stop()
        [file] = [one for one in self._events.iterdir() if not one.name.startswith(".")]
        with file.open(encoding="utf-8") as lines:
            self._log = EventLog(lines, began)
        return self._log.stages(self.cores, self.inner_stages(self.cores))

    def nodes(self) -> list[Node]:
        """See `Engine.nodes`."""
        return self._log.nodes()

    def stop(self) -> None:
        """End the application, so that the workers are free for the next one."""
        if self._session is not None:
            with suppress(Exception):
                self._session.stop()
            self._session = None


def _ddl(schema: pa.Schema) -> str:
    """A schema in Spark's words."""
    words = {"int64": "bigint", "decimal128": "decimal"}
    columns = []
    for field in schema:
        kind, _, rest = str(field.type).partition("(")
        columns.append(f"{field.name} {words.get(kind, kind)}{'(' + rest if rest else ''}")
    return ", ".join(columns)
