"""Daft: its own multi-threaded runner in the job's process, or its runner on the Ray cluster.

Reading, joining, fetching, decoding and writing are Daft's native code; the model is a class with a
batch method, loaded once a worker.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from ..batches import ModelTask
from ..describe import EngineFacts, engine_facts
from ..images import Decoded, decode_rest
from ..ray_cluster import connect, disconnect
from ..store import ATTEMPTS, CONNECT_SECONDS, REQUEST_SECONDS
from ..workloads.image_inputs import REJECTED, list_path
from ..workloads.image_workload import ImageWorkload
from ..workloads.taxi_inputs import trip_files, trip_schema, zone_schema, zones_path
from ..workloads.taxi_report import TaxiReport
from . import Context, Engine

if TYPE_CHECKING:
    import daft
    from daft.io import IOConfig

FETCHES = 32
"""Images that one download operator fetches at a time."""


class Daft(Engine):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)

    @property
    def runner(self) -> str:
        """`native` or `ray`."""
        return self.context.inputs.get("daftRunner", "native")

    def start(self) -> None:
        """Import Daft and choose its runner; on Ray, connect."""
        os.environ.update(DAFT_ANALYTICS_ENABLED="0", DO_NOT_TRACK="true", DAFT_PROGRESS_BAR="0")
        # Its allocator, jemalloc, keeps memory for the next sample instead of giving it back to the
        # system and having it cleared again: a fifth of the CPU of a table's scan.
        os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:-1")
        import daft

        if self.runner == "ray":
            connect(self.context)
            daft.set_runner_ray(noop_if_initialized=True)
        else:
            daft.set_runner_native(num_threads=self.context.threads)

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """The report as a lazy plan: columns and filter go down to the reader."""
        import daft
        from daft import col, functions

        io = self._io()
        facts = self.context.input_facts
        schema = trip_schema(facts)
        trips = daft.read_parquet(
            [f"s3://{path}" for path in trip_files(facts)],
            infer_schema=False,
            schema=_daft_schema(schema),
            io_config=io,
        )
        zones = daft.read_csv(
            f"s3://{zones_path(facts)}",
            infer_schema=False,
            schema=_daft_schema(zone_schema(facts)),
            io_config=io,
        )

        def amount(name: str) -> daft.Expression:
            is_double = schema.field(name).type == pa.float64()
            return col(name) if is_double else col(name).cast(daft.DataType.float64())

        cents = functions.floor(amount("total_amount") * 100 + 0.5).cast(daft.DataType.int64())
        (
            trips.where(amount("fare_amount") > daft.lit(float(self.context.inputs["fareAbove"])))
            .join(zones, left_on="PULocationID", right_on="LocationID", how="left")
            .groupby(col("Borough").alias("borough"))
            .agg(
                amount("total_amount").sum().alias("revenue"),
                cents.sum().alias("revenue_cents"),
                col("PULocationID").count(mode="all").alias("trips"),
                amount("tip_amount").mean().alias("avg_tip"),
                amount("trip_distance").mean().alias("avg_distance"),
            )
            .write_parquet(f"s3://{output}", write_mode="overwrite", io_config=io)
        )

    def image_predictions(self, workload: ImageWorkload, output: str) -> None:
        """Labels of all images in the list."""
        self._images(workload, output)

    def image_embeddings(self, workload: ImageWorkload, output: str) -> None:
        """Vectors of all images in the list."""
        self._images(workload, output)

    def _images(self, workload: ImageWorkload, output: str) -> None:
        """Fetch, decode, let the one rule decide, ask the model."""
        import daft
        from daft import col, functions

        io = self._io()
        listed = daft.read_parquet(f"s3://{list_path(self.context.input_facts)}", io_config=io)
        if (nodes := self._nodes()) > 1:
            # The list is one file, and a file would be one node's: which computes on all its cores.
            listed = listed.into_partitions(nodes)
        files = listed.select(
            "image_url",
            functions.download(
                col("image_url"), max_connections=FETCHES, on_error="null", io_config=io
            ).alias("file"),
        )
        session = self.context.session()
        model = _model(self.context, ModelTask.of(self.context.spec, workload))
        pixels = functions.resize(
            functions.decode_image(col("file"), on_error="null", mode="RGB"),
            w=session.size,
            h=session.size,
        ).cast(daft.DataType.image("RGB", session.size, session.size))
        answers = model.from_pixels(pixels, col("file"))
        answered = files.select("image_url", answers)
        accepted = answered.where(col(REJECTED).is_null()).exclude(REJECTED)
        accepted.write_parquet(f"s3://{output}", write_mode="overwrite", io_config=io)

    def _nodes(self) -> int:
        """How many machines compute: with the runner on Ray, the cluster's that offer CPUs."""
        if self.runner != "ray":
            return 1
        import ray

        return sum(node["Alive"] and node["Resources"].get("CPU", 0) > 0 for node in ray.nodes())

    def _io(self) -> IOConfig:
        """Daft's access to the store."""
        from daft.io import IOConfig, S3Config

        store = self.context.store
        return IOConfig(
            s3=S3Config(
                endpoint_url=store.endpoint,
                region_name=store.region,
                key_id=store.access_key,
                access_key=store.secret_key,
                session_token=store.session_token,
                use_ssl=store.encrypted,
                force_virtual_addressing=not store.path_style,
                connect_timeout_ms=1000 * CONNECT_SECONDS,
                read_timeout_ms=1000 * REQUEST_SECONDS,
                num_tries=ATTEMPTS,
                retry_initial_backoff_ms=200,
            )
        )

    def persists(self) -> str:
        """See `Engine.persists`."""
        if self.runner == "ray":
            return "the cluster, its worker processes and the sessions of the model in them"
        return "the process with its thread pool, and the session of the model"

    def configuration(self) -> dict[str, Any]:
        """The runner in effect with its threads or cluster, and Daft's execution settings."""
        import daft

        settings = daft.context.get_context().daft_execution_config
        return {
            "runner": daft.runners.get_or_create_runner().name,
            **(self._cluster() if self.runner == "ray" else self._process()),
            "execution": {
                name: str(getattr(settings, name))
                for name in dir(settings)
                if not name.startswith("_") and not callable(getattr(settings, name))
            },
        }

    def _process(self) -> dict[str, Any]:
        """What the native runner computes with in this process."""
        return {
            "threads": self.context.threads,
            "threadsStarted": _threads_started(),
            **self.context.session_configuration(),
        }

    def _cluster(self) -> dict[str, Any]:
        """What the cluster offers."""
        import ray

        return {"clusterCpus": ray.cluster_resources().get("CPU", 0)}

    def stop(self) -> None:
        """Leave the Ray cluster, where it was used; the native runner ends with the process."""
        if self.runner == "ray":
            disconnect()


def _threads_started() -> int | None:
    """Daft's threads for computing: its workers, and those that were in a function of ours.

    Daft does not say how many workers it has. None where the system has no /proc.
    """
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return None
    count = 0
    for task in tasks.iterdir():
        with suppress(OSError):  # a thread that has ended meanwhile
            count += (task / "comm").read_text().startswith("DAFTCPU")
    return count


def _daft_schema(schema: pa.Schema) -> dict[str, daft.DataType]:
    """A pyarrow schema as Daft's readers take it."""
    from daft import DataType

    return {field.name: DataType.from_arrow_type(field.type) for field in schema}


def _model(context: Context, task: ModelTask) -> Any:
    """The model as an instance of a Daft class, which loads it where it is used, once a worker."""
    import daft
    from daft import DataType, Series

    _, *answers, rejected = task.image_workload().with_rejects(context.session().dimension)

    def struct(*fields: pa.Field) -> DataType:
        return DataType.struct(_daft_schema(pa.schema(fields)))

    # On the CPU Daft's own threads call the one instance at once: a session allows it and lets go
    # of the GIL. `max_concurrency` would make it a pool of processes, whatever `use_process` says,
    # each of which loads the model anew in every query (UdfOperator::make_state in Daft 0.7's
    # daft-local-execution): 6 s of CPU instead of 3 for 200 images.
    gpu = context.device == "cuda"

    @daft.cls(
        max_concurrency=context.gpu_workers if gpu else None,
        gpus=1 / context.gpu_workers if gpu else 0,
        use_process=False,
    )
    class Model:
        def __init__(self, task: ModelTask) -> None:
            self.session = task.session()
            self.workload = task.image_workload()

        @daft.method.batch(
            return_dtype=struct(*answers, rejected), unnest=True, batch_size=context.batch_size
        )
        def from_pixels(self, images: Series, files: Series) -> pa.Array:
            """Ask about images that Daft has decoded and resized, as far as its decoder could."""
            size = self.session.size
            storage = images.to_arrow().storage
            pixels = iter(np.asarray(storage.flatten()).reshape(-1, size, size, 3))
            own = [next(pixels) if there else None for there in storage.is_valid().to_pylist()]
            return self.answer(decode_rest(files.to_pylist(), own, size))

        def answer(self, decoded: Decoded) -> pa.Array:
            """Answers and reasons of a batch, without the images' names."""
            names = [""] * len(decoded.reasons)
            answered = self.workload.infer_decoded(self.session, names, decoded)
            return answered.select(answered.schema.names[1:]).to_struct_array()

    return Model(task)


ENGINE = Daft
