"""Apache Spark on a standing standalone cluster, as a client of its master.

The table is Spark SQL throughout, in the JVM. Images go through `mapInArrow`: Python workers that
live as long as their executor fetch, decode and ask the model, batch by batch.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from ..batches import ModelTask, task_count
from ..describe import EngineFacts, engine_facts
from ..errors import UserError, one_line
from ..model.session import thread_environment
from ..store import ATTEMPTS, CONNECT_SECONDS, REQUEST_SECONDS
from ..workloads import load as load_workload
from ..workloads.image_inputs import list_path
from ..workloads.image_workload import ImageWorkload
from ..workloads.taxi_inputs import AMOUNTS, trip_files, trip_schema, zone_schema, zones_path
from ..workloads.taxi_report import TaxiReport
from . import PACKAGE_PARENT, Engine

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

WAIT_SECONDS = 120
"""How long the cluster may take to give the job its executors."""

SHORT_JOB_BYTES = 2**27
"""Below this input the executors' JVMs are set up for short jobs."""
ONE_COLLECTOR = "-XX:+UseSerialGC"
"""One thread to collect garbage: a JVM has few cores here, and other collectors take more of them,
and twice the memory."""
SHORT_JOB_OPTIONS = f"{ONE_COLLECTOR} -XX:TieredStopAtLevel=1"
"""And only the quick compiler: a JVM that computes for seconds, as the driver always does, spends
more CPU on compiling well than it wins by it, and takes it from the work."""
TASKS_PER_CORE = 2
"""Least tasks to read a table by: Spark's own choice was 3 on 2 cores, of which one then waits."""

_SECRET_WORDS = ("secret", "key", "password", "token", "credential")
_PROPERTIES = "spark-defaults.conf"
_TRUST_STORE = "object-store.p12"
_TRUST_STORE_PASSWORD = "changeit"
"""No secret: what is in it is public, and the format wants one."""


class Spark(Engine):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)
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
    def executors(self) -> int:
        """Executors that the job takes, one a worker."""
        return int(self.given["workers"])

    @property
    def cores(self) -> int:
        """Cores of all executors together."""
        return self.executors * int(self.given["workerCores"])

    def start(self) -> None:
        """Start a driver JVM, connect to the master and wait for the executors."""
        host = self.given.get("driverHost") or _own_address(self.given["master"])
        conf = self.context.scratch / "spark-conf"
        _write_private(conf / _PROPERTIES, _as_properties(self._settings(host)))
        _set_environment(conf, host, self.given.get("javaHome"), self._worker_python())
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
        self._trust_the_store()
        self._wait_for_executors()

    def _trust_the_store(self) -> None:
        """Make the trust store that the JVMs' options name, and send it to the executors.

        A JVM reads it at its first TLS connection, which is after this, or after a task's files
        have come.
        """
        file = self.context.store.ca_file
        if file is None:
            return
        jvm: Any = self.session.sparkContext._jvm
        trusted = jvm.java.security.KeyStore.getInstance("PKCS12")
        trusted.load(None, None)
        x509 = jvm.java.security.cert.CertificateFactory.getInstance("X.509")
        with_file = jvm.java.io.FileInputStream(file)
        for at, certificate in enumerate(x509.generateCertificates(with_file).toArray()):
            trusted.setCertificateEntry(str(at), certificate)
        with_file.close()
        made = self.context.scratch / _TRUST_STORE
        out = jvm.java.io.FileOutputStream(str(made))
        utf8 = jvm.java.nio.charset.StandardCharsets.UTF_8
        # The characters as an array of Java's: a string of Java's would come as one of Python's.
        password = utf8.decode(jvm.java.nio.ByteBuffer.wrap(_TRUST_STORE_PASSWORD.encode()))
        trusted.store(out, password.array())
        out.close()
        self.session.sparkContext.addFile(str(made))

    def _wait_for_executors(self) -> None:
        """Wait until every worker has given an executor.

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

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """The report in Spark SQL: the zones are sent to all, so only the groups are shuffled."""
        from pyspark.sql import functions as sql

        facts = self.context.input_facts
        # Each `read` is a new reader: the options of the first would apply to the zones, too.
        trips = self.session.read.schema(_ddl(trip_schema(facts))).parquet(
            *(f"s3a://{path}" for path in trip_files(facts))
        )
        trips = trips.withColumns({name: sql.col(name).cast("double") for name in AMOUNTS})
        zones = self.session.read.schema(_ddl(zone_schema(facts))).csv(
            f"s3a://{zones_path(facts)}", header=True
        )
        fare_above = float(self.context.inputs["fareAbove"])
        report = (
            trips.where(sql.col("fare_amount") > fare_above)
            .join(sql.broadcast(zones), trips.PULocationID == zones.LocationID, "left")
            .groupBy(sql.col("Borough").alias("borough"))
            .agg(
                sql.sum("total_amount").alias("revenue"),
                sql.sum(sql.floor(sql.col("total_amount") * 100 + 0.5)).alias("revenue_cents"),
                sql.count("*").alias("trips"),
                sql.avg("tip_amount").alias("avg_tip"),
                sql.avg("trip_distance").alias("avg_distance"),
            )
        )
        report.coalesce(1).write.parquet(f"s3a://{output}")

    def image_predictions(self, workload: ImageWorkload, output: str) -> None:
        """Labels of all images in the list."""
        self._images(workload, "label string, confidence float").write.parquet(f"s3a://{output}")

    def image_embeddings(self, workload: ImageWorkload, output: str) -> None:
        """Vectors of all images in the list."""
        self._images(workload, "embedding array<float>").write.parquet(f"s3a://{output}")

    def _images(self, workload: ImageWorkload, columns: str) -> DataFrame:
        """The list, spread over the cores, and the model over it."""
        facts = self.context.input_facts
        listed = self.session.read.schema("image_url string").parquet(f"s3a://{list_path(facts)}")
        task = ModelTask.of(self.context.spec, workload)
        tasks = task_count(workload.count_inputs(facts), self.cores)
        return listed.repartition(tasks).mapInArrow(
            _MapInArrow(task), f"image_url string, {columns}"
        )

    def _settings(self, host: str) -> dict[str, str]:
        """All of Spark's settings, secrets included."""
        base = int(self.given["portBase"])
        trust_driver, trust_executor = self._trust_options()
        return {
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
            "spark.driver.memory": "1g",
            "spark.driver.extraClassPath": f"{self.given['jars']}/*",
            "spark.driver.extraJavaOptions": f"{SHORT_JOB_OPTIONS} {trust_driver}".strip(),
            "spark.cores.max": str(self.cores),
            "spark.executor.cores": str(self.given["workerCores"]),
            "spark.executor.memory": str(self.given["workerMemory"]),
            "spark.executor.extraJavaOptions": f"{self._java_options()} {trust_executor}".strip(),
            **self._worker_files(),
            **{f"spark.executorEnv.{k}": v for k, v in thread_environment().items()},
            "spark.pyspark.python": self._worker_python(),
            "spark.task.maxFailures": "2",
            # The store is as near to each worker. The list of images is one small file, though, and
            # by default tasks may wait three seconds to be where it was read.
            "spark.locality.wait": "0s",
            "spark.local.dir": str(self.context.scratch / "spark-local"),
            "spark.sql.warehouse.dir": str(self.context.scratch / "spark-warehouse"),
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.files.minPartitionNum": str(TASKS_PER_CORE * self.cores),
            "spark.sql.shuffle.partitions": str(self.cores),
            "spark.sql.adaptive.enabled": "false",
            "spark.sql.execution.arrow.maxRecordsPerBatch": str(self.context.batch_size),
            **self._store_settings(),
            **self.given.get("conf", {}),
        }

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

    def _worker_files(self) -> dict[str, str]:
        """Where workers find jars, packages and the model: here, or sent to where they work."""
        jars = Path(self.given["jars"])
        if not self._ships:
            return {
                "spark.executor.extraClassPath": f"{jars}/*",
                "spark.executorEnv.PYTHONPATH": str(PACKAGE_PARENT),
            }
        # All that lies there: a model may keep its tensors in files beside it.
        folder = Path(self.context.model["path"]).resolve().parent
        model = sorted(file for file in folder.iterdir() if file.is_file())
        return {
            "spark.jars": ",".join(map(str, sorted(jars.glob("*.jar")))),
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

    def _store_settings(self) -> dict[str, str]:
        """S3A for this store; with the magic committer tasks upload in place, the job completes."""
        store = self.context.store
        s3a = {
            "endpoint": store.endpoint,
            "endpoint.region": store.region,
            "path.style.access": str(store.path_style).lower(),
            "connection.ssl.enabled": str(store.encrypted).lower(),
            "access.key": store.access_key,
            "secret.key": store.secret_key,
            **({"session.token": store.session_token} if store.session_token else {}),
            "aws.credentials.provider": (
                "org.apache.hadoop.fs.s3a."
                f"{'Temporary' if store.session_token else 'Simple'}AWSCredentialsProvider"
            ),
            "connection.maximum": "64",
            "connection.establish.timeout": "15s",  # less is not taken
            "connection.timeout": f"{REQUEST_SECONDS}s",
            "attempts.maximum": str(ATTEMPTS),
            "retry.limit": str(ATTEMPTS),
            "retry.interval": "200ms",
            "committer.name": "magic",
            # Each output is a new place of one job: nothing has to be looked for before a folder or
            # file is made or deleted there. What a task has uploaded is kept in its memory.
            "performance.flags": "create,delete,mkdir",
            "committer.magic.track.commits.in.memory.enabled": "true",
        }
        return {
            **{f"spark.hadoop.fs.s3a.{name}": value for name, value in s3a.items()},
            "spark.sql.sources.commitProtocolClass": (
                "org.apache.spark.internal.io.cloud.PathOutputCommitProtocol"
            ),
            "spark.sql.parquet.output.committer.class": (
                "org.apache.spark.internal.io.cloud.BindingParquetOutputCommitter"
            ),
        }

    def _java_options(self) -> str:
        """The executors' options, by the size of the input. Of images they see addresses only."""
        workload = load_workload(self.context.spec["workload"])
        if isinstance(workload, ImageWorkload):
            return SHORT_JOB_OPTIONS
        size = workload.input_bytes(self.context.input_facts)
        return SHORT_JOB_OPTIONS if size < SHORT_JOB_BYTES else ONE_COLLECTOR

    def _trust_options(self) -> tuple[str, str]:
        """The options of the driver's and of the executors' JVMs that name the trust store.

        Files that are added to a job come to an executor's working folder.
        """
        if self.context.store.ca_certificates is None:
            return "", ""
        rest = f"-Djavax.net.ssl.trustStorePassword={_TRUST_STORE_PASSWORD}"
        return (
            f"-Djavax.net.ssl.trustStore={self.context.scratch / _TRUST_STORE} {rest}",
            f"-Djavax.net.ssl.trustStore={_TRUST_STORE} {rest}",
        )

    def persists(self) -> str:
        """See `Engine.persists`."""
        return (
            "the driver's JVM, one executor a worker with its compiled code, and its Python "
            "workers with the model they loaded"
        )

    def configuration(self) -> dict[str, Any]:
        """The settings as the running application has them, without secrets."""
        context = self.session.sparkContext
        return {
            "executors": context._jsc.sc().getExecutorMemoryStatus().size() - 1,
            "defaultParallelism": context.defaultParallelism,
            **{
                name: value
                for name, value in sorted(context.getConf().getAll())
                if not any(word in name.lower() for word in _SECRET_WORDS)
            },
        }

    def versions(self) -> dict[str, str]:
        """Spark, the JVM and the Python packages."""
        jvm: Any = self.session.sparkContext._jvm
        java = jvm.java.lang.System.getProperty("java.version")
        return {**super().versions(), "java": str(java)}

    def stop(self) -> None:
        """End the application, so that the workers are free for the next one."""
        if self._session is not None:
            with suppress(Exception):
                self._session.stop()
            self._session = None


class _MapInArrow:
    """The function for `mapInArrow`; an instance is sent to the Python workers."""

    def __init__(self, task: ModelTask) -> None:
        self.task = task

    def __call__(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for rows in self.task.run(batch.column(0).to_pylist() for batch in batches):
            yield _with_plain_lists(rows)


def _ddl(schema: pa.Schema) -> str:
    """A schema in Spark's words."""
    words = {"int64": "bigint", "float": "float", "double": "double", "string": "string"}
    return ", ".join(
        f"{field.name} {words.get(str(field.type), str(field.type).replace('128', ''))}"
        for field in schema
    )


def _with_plain_lists(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Lists in the place of fixed-size lists, which Spark does not have."""
    import pyarrow as pa

    columns = [
        column.cast(pa.list_(column.type.value_type))
        if pa.types.is_fixed_size_list(column.type)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _own_address(master: str) -> str:
    """The address of this machine on the way to the master, to which its workers can connect back.

    Raises:
        UserError: The master does not answer.
    """
    parts = urlsplit(master)
    try:
        reached = socket.create_connection(
            (parts.hostname or "", parts.port or 7077), CONNECT_SECONDS
        )
        with reached:
            return str(reached.getsockname()[0])
    except OSError as error:
        raise UserError(
            f"The Spark master at {master} does not answer: {error}.",
            "Spark's driver gets its executors from it.",
            "See whether spark-master runs (npm run status) and its log (npm run logs).",
        ) from error


def _set_environment(conf: Path, host: str, java_home: str | None, worker_python: str) -> None:
    """What pyspark and the JVM's launcher read from the environment. No secret is in it."""
    os.environ.update(
        SPARK_CONF_DIR=str(conf),
        SPARK_LOCAL_IP=host,
        PYSPARK_PYTHON=worker_python,
        PYSPARK_DRIVER_PYTHON=sys.executable,
        **({"JAVA_HOME": java_home} if java_home else {}),
    )
    for name in ("PYSPARK_SUBMIT_ARGS", "HADOOP_CONF_DIR", "SPARK_HOME", "SPARK_REMOTE"):
        os.environ.pop(name, None)


def _as_properties(settings: dict[str, str]) -> str:
    """Settings in the format of java.util.Properties, in which a backslash has to be doubled."""
    escaped = ((name, value.replace("\\", "\\\\")) for name, value in settings.items())
    return "".join(f"{name}={value}\n" for name, value in escaped)


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in a folder that only its owner can enter."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


ENGINE = Spark
