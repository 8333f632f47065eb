"""Ray Data as its guides show it, on a running Ray cluster, with this process as its driver.

Nothing in its `DataContext` is changed. Filled in are addresses, the schemas of trips and zones,
the type of a join's keys, and sizes of pools with which a job ends on the cores there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
from PIL import Image

from ..batches import ModelTask
from ..describe import EngineFacts, engine_facts
from ..placement import Holder
from ..profile import Node, Stage, divided
from ..ray_agents import Agents
from ..ray_cluster import connect, disconnect, idle_worker_milliseconds
from ..workloads.image_inputs import image_urls
from ..workloads.image_workload import ImageWorkload
from ..workloads.taxi_inputs import (
    AMOUNTS,
    TRIP_COLUMNS,
    doubles,
    trip_files,
    trip_schema,
    zone_schema,
    zones_path,
)
from ..workloads.taxi_report import TaxiReport
from . import Engine
from .ray_profile import stages_of

if TYPE_CHECKING:
    from ray.data import Dataset

SHOWN = (
    "use_datasource_v2",
    "op_resource_reservation_enabled",
    "shuffle_strategy",
    "default_hash_shuffle_parallelism",
    "read_op_min_num_blocks",
    "target_max_block_size",
)
"""Settings of Ray Data that decide how these jobs run, stated in each result."""


class OnRay(Engine):
    """What all contenders on a Ray cluster have in common: the driver's side of it."""

    means: ClassVar[str] = "the statistics of Ray's datasets"
    _written: Dataset
    _agents: Agents

    @property
    def cpus(self) -> int:
        """CPUs of the cluster that the job may use."""
        return max(1, int(self.context.spec["ray"].get("cpus") or self.context.threads))

    def blocks(self, files: int) -> int:
        """In how many blocks to read some files: as the tunable says, 0 of which is one a CPU."""
        return int(self.tunable("override_num_blocks")) or min(self.cpus, files)

    def start(self) -> None:
        """Connect to the cluster, see that it has what is asked for, and set what is tuned.

        A tunable that has the name of a setting of Ray Data is that setting.
        """
        connect(self.context, self.placement.gpus)
        from ray.data import DataContext

        data = DataContext.get_current()
        for tunable in self.tunables():
            if hasattr(data, tunable["name"]):
                setattr(data, tunable["name"], tunable["value"])

    def configuration(self) -> dict[str, Any]:
        """The cluster's resources, and settings of Ray Data as they are in effect."""
        import ray
        from ray.data import DataContext

        data, defaults = DataContext.get_current(), DataContext()
        return {
            "cpus": self.cpus,
            "idleWorkerMilliseconds": idle_worker_milliseconds(),
            "cluster": {
                name: value
                for name, value in ray.cluster_resources().items()
                if not name.startswith("node:")
            },
            "dataContext": {name: _plain(getattr(data, name)) for name in SHOWN},
            "changedFromDefault": {
                name: _plain(value)
                for name, value in vars(data).items()
                if not name.startswith("_") and value != getattr(defaults, name, None)
            },
        }

    def _write(self, dataset: Dataset, output: str) -> None:
        """Carry a dataset out by writing it."""
        dataset.write_parquet(output, filesystem=self.context.filesystem)
        if self.context.timers:
            self._written = dataset

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Have fused operators' time divided, and the agents asked; see `Engine.recording`."""
        import ray
        from ray.data import DataContext

        DataContext.get_current().per_stage_map_timing = True
        with Agents(ray.nodes()) as self._agents:
            yield

    def nodes(self) -> list[Node]:
        """See `Engine.nodes`."""
        return self._agents.nodes()

    def stages(self, began: float, seconds: float) -> list[Stage]:
        """See `Engine.stages`."""
        return divided(stages_of(self._written, self.cpus), self.inner_stages(self.cpus))

    def stop(self) -> None:
        """Leave the cluster; the driver's workers end with it."""
        disconnect()


class Ray(OnRay):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)

    @property
    def holder(self) -> Holder:
        """See `Engine.holder`."""
        return Holder.RAY_POOL

    @property
    def pool(self) -> dict[str, Any]:
        """The pool of actors, as `map_batches` takes it: a GPU each, or on all CPUs but one.

        Reading needs a CPU, too: with an actor on each of two, no run finished.
        """
        from ray.data import ActorPoolStrategy

        asks = {"num_gpus": None, "size": max(1, self.cpus - 1), **self.placement.asks}
        return {"compute": ActorPoolStrategy(size=asks["size"]), "num_gpus": asks["num_gpus"]}

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """Filter, join, group, aggregate and write, each by the dataset's method of that name."""
        from ray.data.datatype import DataType
        from ray.data.expressions import col

        key = DataType.from_arrow(zone_schema(self.context.input_facts).field("LocationID").type)
        trips = self._expensive_trips().with_column("LocationID", col("PULocationID").cast(key))
        joined = trips.join(
            self._zones(), join_type="left_outer", num_partitions=self.cpus, on=("LocationID",)
        )
        report = joined.groupby("borough").aggregate(*aggregates())
        self._write(report, output)

    def _expensive_trips(self, **reading: Any) -> Dataset:
        """The trips above the limit, with their total in cents."""
        import ray.data
        from ray.data.datatype import DataType
        from ray.data.expressions import col

        store, facts = self.context.filesystem, self.context.input_facts
        schema = trip_schema(facts)
        # Without it, other columns have to be of types in all files that Arrow can unify.
        trips = ray.data.read_parquet(
            trip_files(facts), filesystem=store, schema=schema, **reading
        ).select_columns(list(TRIP_COLUMNS))
        others = [name for name in AMOUNTS if schema.field(name).type != pa.float64()]
        if others:
            trips = trips.map_batches(
                partial(with_doubles, names=others), batch_size=None, batch_format="pyarrow"
            )
        cents = (col("total_amount") * 100 + 0.5).floor().cast(DataType.from_arrow(pa.int64()))
        return trips.filter(
            expr=col("fare_amount") > float(self.context.inputs["fareAbove"])
        ).with_column("revenue_cents", cents)

    def _zones(self) -> Dataset:
        """The zone table, in which "N/A" is a string."""
        import ray.data
        from pyarrow import csv

        facts = self.context.input_facts
        zones = ray.data.read_csv(
            zones_path(facts),
            filesystem=self.context.filesystem,
            convert_options=csv.ConvertOptions(
                column_types=zone_schema(facts), strings_can_be_null=False, null_values=[]
            ),
        )
        return zones.select_columns(["LocationID", "Borough"]).rename_columns(
            {"Borough": "borough"}
        )

    def image_predictions(self, workload: ImageWorkload, output: str) -> None:
        """Labels, or vectors, of all images in the list."""
        self._images(workload, output)

    image_embeddings = image_predictions

    def _images(self, workload: ImageWorkload, output: str) -> None:
        """Read the images, and map batches of them by a pool of actors that have the model."""
        import ray.data

        store = self.context.filesystem
        urls = image_urls(store, self.context.input_facts)
        paths = [url.removeprefix("s3://") for url in urls]
        images = ray.data.read_images(
            paths, filesystem=store, include_paths=True, mode="RGB", file_extensions=None
        )
        answers = images.map_batches(
            ImageModel,
            fn_constructor_args=(self.task(workload),),
            **self.pool,
            batch_size=self.context.batch_size,
        )
        self._write(answers, output)

    def persists(self) -> str:
        """See `Engine.persists`."""
        return (
            "the cluster and its worker processes; pools of actors, and with them the model, are "
            "started anew for each sample"
        )


def aggregates() -> list[Any]:
    """The report's sums, counts and means."""
    from ray.data.aggregate import Count, Mean, Sum

    return [
        Sum("total_amount", alias_name="revenue"),
        Sum("revenue_cents", alias_name="revenue_cents"),
        Count(alias_name="trips"),
        Mean("tip_amount", alias_name="avg_tip"),
        Mean("trip_distance", alias_name="avg_distance"),
    ]


def with_doubles(trips: pa.Table, names: Sequence[str]) -> pa.Table:
    """Trips with some of their amounts cast to float64."""
    for name in names:
        at = trips.schema.get_field_index(name)
        trips = trips.set_column(at, name, doubles(trips.column(name)))
    return trips


def _plain(value: Any) -> bool | int | float | str:
    """A setting's value as JSON has it."""
    return value if isinstance(value, (bool, int, float)) else str(getattr(value, "value", value))


class ImageModel:
    """An actor of the pool: loads the model once and asks it about batches of decoded images."""

    def __init__(self, task: ModelTask) -> None:
        self.task = task
        self.session = task.session()

    def __call__(self, batch: dict[str, np.ndarray]) -> pa.Table:
        """Answer one batch of `read_images`; the workload's rows.

        Args:
            batch: `image`, n arrays uint8 [height, width, 3], and `path`, n strings.
        """
        frame = self.session.frame
        pixels = np.stack([frame.of(Image.fromarray(image)) for image in batch["image"]])
        answers = self.task.image_workload().answer(self.session, pixels)
        urls = pa.array([f"s3://{path}" for path in batch["path"]], pa.string())
        return pa.Table.from_arrays([urls, *answers], schema=self.task.schema())


ENGINE = Ray
