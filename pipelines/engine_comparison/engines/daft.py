"""Daft as its guides show it: its own multi-threaded runner in the job's process, or that on Ray.

Its settings are its defaults. Filled in are the addresses and keys of the store, the zone table's
schema, the cores, and the square that the model wants.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from ..batches import ModelTask, Sessions
from ..describe import EngineFacts, engine_facts
from ..images import Frame
from ..model.session import read_shape
from ..placement import Holder
from ..profile import Node, Stage
from ..ray_agents import Agents
from ..ray_cluster import connect, disconnect
from ..workloads import load as load_workload
from ..workloads.image_inputs import list_path
from ..workloads.image_workload import ImageWorkload
from ..workloads.taxi_inputs import AMOUNTS, trip_files, trip_schema, zone_schema, zones_path
from ..workloads.taxi_report import TaxiReport
from . import Engine
from .daft_profile import stages_of

if TYPE_CHECKING:
    import daft
    from daft.io import IOConfig

ALLOCATOR = "_RJEM_MALLOC_CONF"
"""The variable by which Daft's allocator, jemalloc, is configured before it is loaded."""


class Daft(Engine):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)
    means: ClassVar[str] = "the metrics of Daft's operators"
    _operators: list[dict[str, Any]]
    _agents: Agents

    @property
    def runner(self) -> str:
        """`native` or `ray`."""
        return self.context.inputs.get("daftRunner", "native")

    @property
    def holder(self) -> Holder:
        """See `Engine.holder`."""
        return Holder.DAFT_POOL if self.runner == "ray" else Holder.FRESH

    def start(self) -> None:
        """Import Daft without its telemetry and choose its runner; on Ray, connect."""
        os.environ.update(DAFT_ANALYTICS_ENABLED="0", DO_NOT_TRACK="true")
        import daft

        if self.runner == "ray":
            connect(self.context, self.placement.gpus)
            daft.set_runner_ray(noop_if_initialized=True)
        else:
            daft.set_runner_native(num_threads=self.context.threads)
        if "model" in load_workload(self.context.spec["workload"]).facts.question:
            import onnxruntime  # noqa: F401  imported first by several of Daft's threads, it crashes

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """Filter, join, group, aggregate and write, as a lazy plan."""
        from daft import col

        report = (
            self._expensive_trips()
            .join(self._zones(), left_on="PULocationID", right_on="LocationID", how="left")
            .groupby(col("Borough").alias("borough"))
            .agg(
                col("total_amount").sum().alias("revenue"),
                cents().sum().alias("revenue_cents"),
                col("PULocationID").count(mode="all").alias("trips"),
                col("tip_amount").mean().alias("avg_tip"),
                col("trip_distance").mean().alias("avg_distance"),
            )
        )
        self._write(report, output)

    def _write(self, frame: daft.DataFrame, output: str) -> None:
        """Carry a query out by writing its rows."""
        written = frame.write_parquet(f"s3://{output}", io_config=self._io())
        if self.context.timers and written.metrics is not None:
            self._operators = written.metrics.to_pylist()

    def _expensive_trips(self) -> daft.DataFrame:
        """The trips above the limit."""
        from daft import col, lit

        limit = lit(float(self.context.inputs["fareAbove"]))
        return self._trips().where(col("fare_amount") > limit)

    def _trips(self) -> daft.DataFrame:
        """All trips, with amounts in float64."""
        import daft
        from daft import DataType, col

        facts = self.context.input_facts
        schema = trip_schema(facts)
        trips = daft.read_parquet(
            [f"s3://{path}" for path in trip_files(facts)],
            schema=daft_schema(schema),
            io_config=self._io(),
        ).select(*schema.names)  # else the zones' columns hide behind those of the same name
        others = [name for name in AMOUNTS if schema.field(name).type != pa.float64()]
        cast = {name: col(name).cast(DataType.float64()) for name in others}
        return trips.with_columns(cast) if cast else trips

    def _zones(self) -> daft.DataFrame:
        """The zone table."""
        import daft

        facts = self.context.input_facts
        return daft.read_csv(
            f"s3://{zones_path(facts)}",
            infer_schema=False,
            schema=daft_schema(zone_schema(facts)),
            io_config=self._io(),
        )

    def image_predictions(self, workload: ImageWorkload, output: str) -> None:
        """Labels, or vectors, of all images in the list."""
        self._images(workload, output)

    image_embeddings = image_predictions

    def _images(self, workload: ImageWorkload, output: str) -> None:
        """Fetch, decode, resize, ask the model, write."""
        from daft import col, functions

        frame, dimension = read_shape(self.context.model)
        files = functions.download(col("image_url"), io_config=self._io())
        pixels = seen(functions.decode_image(files), frame)
        _, *answers = workload.schema(dimension)
        model = _model(self.task(workload), answers)
        answered = (
            self._listed().with_column("image", pixels).select("image_url", model(col("image")))
        )
        self._write(answered, output)

    @classmethod
    def decoded(cls, file: bytes, frame: Frame) -> np.ndarray:
        """See `Engine.decoded`; evaluated at once, by no runner."""
        from daft import col, functions
        from daft.expressions import ExpressionsProjection
        from daft.recordbatch import RecordBatch

        pixels = seen(functions.decode_image(col("file")), frame).alias("pixels")
        batch = RecordBatch.from_pydict({"file": [file]})
        [one] = batch.eval_expression_list(ExpressionsProjection([pixels])).to_pydict()["pixels"]
        return np.array(one, np.uint8).reshape(frame.size, frame.size, 3)

    def _listed(self) -> daft.DataFrame:
        """The list of images."""
        import daft

        path = list_path(self.context.input_facts)
        return daft.read_parquet(f"s3://{path}", io_config=self._io())

    def _io(self) -> IOConfig:
        """Daft's access to the store; how often it tries again, and how long, are its defaults."""
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
            )
        )

    @contextmanager
    def recording(self) -> Iterator[None]:
        """On Ray, ask the agents; see `Engine.recording`."""
        nodes = []
        if self.runner == "ray":
            import ray

            nodes = ray.nodes()
        with Agents(nodes) as self._agents:
            yield

    def nodes(self) -> list[Node]:
        """See `Engine.nodes`."""
        return self._agents.nodes()

    def stages(self, began: float, seconds: float) -> list[Stage]:
        """See `Engine.stages`."""
        return stages_of(self._operators, self.context.limits["cores"], seconds)

    def persists(self) -> str:
        """See `Engine.persists`."""
        if self.runner == "ray":
            return "the cluster and its worker processes; the model is loaded for each sample"
        return "the process with its thread pool; the model is loaded for each sample"

    def configuration(self) -> dict[str, Any]:
        """The runner in effect with its threads or cluster, and Daft's settings in effect."""
        import daft
        from daft.daft import PyDaftExecutionConfig, PyDaftPlanningConfig

        context = daft.context.get_context()
        execution = _settings(context.daft_execution_config)
        planning = _settings(context.daft_planning_config)
        defaults = _settings(PyDaftExecutionConfig()) | _settings(PyDaftPlanningConfig())
        return {
            "runner": daft.runners.get_or_create_runner().name,
            **(self._cluster() if self.runner == "ray" else self._process()),
            "execution": execution,
            "planning": planning,
            "changedFromDefault": {
                name: value
                for name, value in (execution | planning).items()
                if value != defaults[name]
            },
            "allocator": os.environ.get(ALLOCATOR, "default"),
        }

    def _process(self) -> dict[str, Any]:
        """What the native runner computes with in this process."""
        return {
            "threads": self.context.threads,
            "threadsStarted": _threads_started(),
            **self.session_configuration(),
        }

    def _cluster(self) -> dict[str, Any]:
        """What the cluster offers."""
        import ray

        return {"clusterCpus": ray.cluster_resources().get("CPU", 0)}

    def stop(self) -> None:
        """Leave the Ray cluster, where it was used; the native runner ends with the process."""
        if self.runner == "ray":
            disconnect()


def _settings(config: Any) -> dict[str, str]:
    """All settings of one of Daft's configurations, but for that of the store with its keys."""
    names = (
        name for name in dir(config) if not name.startswith("_") and name != "default_io_config"
    )
    values = {name: getattr(config, name) for name in names}
    return {name: str(value) for name, value in values.items() if not callable(value)}


def cents() -> daft.Expression:
    """The total in cents, rounded half up."""
    from daft import DataType, col, functions

    return functions.floor(col("total_amount") * 100 + 0.5).cast(DataType.int64())


def _threads_started() -> int:
    """Daft's threads for computing: its workers, and those that were in a function of ours.

    Daft does not say how many workers it has.
    """
    count = 0
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # a thread that has ended meanwhile
            count += (task / "comm").read_text().startswith("DAFTCPU")
    return count


def daft_schema(schema: pa.Schema) -> dict[str, daft.DataType]:
    """A pyarrow schema as Daft's readers take it."""
    from daft import DataType

    return {field.name: DataType.from_arrow_type(field.type) for field in schema}


def seen(image: daft.Expression, frame: Frame) -> daft.Expression:
    """What a model sees of an image: cut and scaled by Daft's functions as `Frame.of` does it."""
    from daft import DataType, functions, lit

    if frame.crop is not None:
        width, height = functions.image_width(image), functions.image_height(image)
        shorter = functions.columns_min(width, height)
        side = functions.columns_max(functions.floor(shorter * lit(frame.crop)), lit(1.0))
        left, top = (functions.floor((length - side) / 2) for length in (width, height))
        box = functions.to_list(left, top, side, side)
        image = functions.crop(image, box.cast(DataType.fixed_size_list(DataType.uint64(), 4)))
    return functions.resize(image, w=frame.size, h=frame.size)


def _model(task: ModelTask, answers: list[pa.Field]) -> Any:
    """The model as a Daft class, which loads it where it is used; a function of decoded images."""
    import daft
    import onnxruntime
    from daft import DataType, Series

    @daft.cls(**task.placement.asks)
    class Model:
        # Named here, it is imported where this class arrives, before several threads do at once.
        runtime = onnxruntime

        def __init__(self, task: ModelTask) -> None:
            self.sessions = Sessions.of(type(self), task)
            self.workload = task.image_workload()

        @daft.method.batch(
            return_dtype=DataType.struct(daft_schema(pa.schema(answers))),
            unnest=True,
            batch_size=task.batch,
        )
        def __call__(self, images: Series) -> pa.Array:
            """Answer a batch of images of one size."""
            size = self.sessions.frame.size
            pixels = np.array(images.to_pylist(), np.uint8).reshape(-1, size, size, 3)
            with self.sessions.one() as session:
                columns = self.workload.answer(session, pixels)
            # Not `answers`: a pickled type of lists has forgotten that its items are not null.
            _, *fields = self.workload.schema(session.dimension)
            return pa.StructArray.from_arrays(columns, fields=fields)

    return Model(task)


ENGINE = Daft
