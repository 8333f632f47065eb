"""Ray Data on a standing Ray cluster, with this process as its driver.

The table is aggregated in each block where it was read, and the blocks' few rows are brought
together in one block. Images go to tasks that keep the model in their worker process, or to a
pool of actors that load it once.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..batches import ModelTask, fetched_ahead, task_count
from ..describe import EngineFacts, engine_facts
from ..images import decode_batch
from ..ray_cluster import connect, disconnect
from ..workloads.image_inputs import list_path
from ..workloads.image_workload import ImageWorkload
from ..workloads.taxi_inputs import TRIP_COLUMNS, doubles, read_zones, trip_files
from ..workloads.taxi_report import TaxiReport
from . import Engine

if TYPE_CHECKING:
    from ray.data import Dataset

NO_PROGRESS_SECONDS = 300
"""A run in which nothing moves for so long fails: what nobody gives is not waited for for ever."""
WAIT_FOR_ACTORS_SECONDS = 120
POOL_CPUS = 0.5
"""CPUs that an actor of the pool books on a CPU device: two with a whole one each would leave
nothing for reading on two cores, and no run would ever end."""


class Ray(Engine):
    """See the module."""

    facts: ClassVar[EngineFacts] = engine_facts(__name__)

    @property
    def cpus(self) -> int:
        """CPUs of the cluster that the job may use."""
        return max(1, int(self.context.spec["ray"].get("cpus") or self.context.threads))

    @property
    def compute(self) -> str:
        """`actors` or `tasks`: tasks were faster without a GPU."""
        return "actors" if self.context.device == "cuda" else "tasks"

    @property
    def pool_size(self) -> int:
        """Actors of the pool: as many as share the GPU, or one a CPU."""
        return self.context.gpu_workers if self.context.device == "cuda" else self.cpus

    def start(self) -> None:
        """Connect to the cluster, see that it has what is asked for, and set Ray Data up."""
        connect(self.context)
        from ray.data import DataContext

        data = DataContext.get_current()
        data.use_datasource_v2 = False  # the new reader took minutes or timed out, in 2.60
        data.execution_no_progress_timeout_s = NO_PROGRESS_SECONDS
        data.wait_for_min_actors_s = WAIT_FOR_ACTORS_SECONDS
        data.enable_progress_bars = False
        data.print_on_execution_start = False

    def taxi_report(self, workload: TaxiReport, output: str) -> None:
        """Sums by borough where a file was read; the few rows of all files make the report."""
        import ray.data

        store, facts = self.context.filesystem, self.context.input_facts
        files = trip_files(facts)
        trips = ray.data.read_parquet(
            files,
            columns=list(TRIP_COLUMNS),
            filesystem=store,
            override_num_blocks=len(files),  # else each is cut in 17 after it was read: 200 tasks
        )
        sums = trips.map_batches(
            partial(
                sums_by_borough,
                zones=read_zones(store, facts).select(["LocationID", "Borough"]),
                fare_above=float(self.context.inputs["fareAbove"]),
            ),
            batch_size=None,
            batch_format="pyarrow",
        )
        # A shuffle by borough would start an actor for it, in every sample.
        report = sums.repartition(1).map_batches(report_of, batch_size=None, batch_format="pyarrow")
        report.write_parquet(output, filesystem=store, try_create_dir=False)

    def image_predictions(self, workload: ImageWorkload, output: str) -> None:
        """Labels of all images in the list."""
        self._images(workload, output)

    def image_embeddings(self, workload: ImageWorkload, output: str) -> None:
        """Vectors of all images in the list."""
        self._images(workload, output)

    def _images(self, workload: ImageWorkload, output: str) -> None:
        """The list, spread over the cluster, and the model over it."""
        import ray.data

        store, facts = self.context.filesystem, self.context.input_facts
        listed = ray.data.read_parquet(
            list_path(facts),
            columns=["image_url"],
            filesystem=store,
            override_num_blocks=task_count(workload.count_inputs(facts), self.cpus),
        )
        task = ModelTask.of(self.context.spec, workload)
        run = self._in_actors if self.compute == "actors" else self._in_tasks
        run(listed, task).write_parquet(output, filesystem=store, try_create_dir=False)

    def _in_tasks(self, listed: Dataset, task: ModelTask) -> Dataset:
        """Tasks do all of it; the session stays in the worker process, which Ray keeps."""
        return listed.map_batches(
            partial(answer_block, task=task, batch_size=self.context.batch_size),
            batch_size=None,
            batch_format="pyarrow",
        )

    def _in_actors(self, listed: Dataset, task: ModelTask) -> Dataset:
        """Tasks fetch and decode, a pool of actors has the model."""
        from ray.data import ActorPoolStrategy

        gpu = self.context.device == "cuda"
        decoded = listed.map_batches(
            partial(decode_block, task=task, size=self.context.session().size),
            batch_size=self.context.batch_size,
            batch_format="pyarrow",
            num_cpus=1 if gpu else POOL_CPUS,
        )
        return decoded.map_batches(
            ModelActor,
            batch_size=self.context.batch_size,
            batch_format="pyarrow",
            compute=ActorPoolStrategy(size=self.pool_size),
            fn_constructor_args=(task,),
            num_cpus=POOL_CPUS,
            num_gpus=1 if gpu else None,
        )

    def persists(self) -> str:
        """See `Engine.persists`."""
        if self.compute == "actors":
            return (
                "the cluster and its worker processes; the pool of actors, and with it the model, "
                "is started anew for each sample"
            )
        return "the cluster, its worker processes and the model that tasks cached in them"

    def configuration(self) -> dict[str, Any]:
        """The cluster's resources and the settings of Ray Data that differ from its defaults."""
        import ray
        from ray.data import DataContext

        data, defaults = DataContext.get_current(), DataContext()
        changed = {
            name: str(value)
            for name, value in vars(data).items()
            if not name.startswith("_") and value != getattr(defaults, name, None)
        }
        return {
            "compute": self.compute,
            "cpus": self.cpus,
            "modelWorkers": self.pool_size,
            "cluster": {
                name: value
                for name, value in ray.cluster_resources().items()
                if not name.startswith("node:")
            },
            "dataContext": changed,
        }

    def stop(self) -> None:
        """Leave the cluster; the driver's workers end with it."""
        disconnect()


_SUMS = ("revenue", "revenue_cents", "trips", "tips", "tipped", "distance", "measured")


def sums_by_borough(trips: pa.Table, zones: pa.Table, fare_above: float) -> pa.Table:
    """Filter one block, look its zones up, and add up.

    Args:
        trips: Has `TRIP_COLUMNS`.
        zones: LocationID and Borough of every zone.
        fare_above: Fares above it count, in dollars.

    Returns:
        A row for each borough of the block, null included: sums and counts of values.
    """
    kept = trips.filter(pc.greater(doubles(trips.column("fare_amount")), fare_above))
    ids = zones.column("LocationID").combine_chunks()
    row = pc.index_in(kept.column("PULocationID").cast(ids.type), ids)
    total = doubles(kept.column("total_amount"))
    cents = pc.floor(pc.add(pc.multiply(total, 100.0), 0.5)).cast(pa.int64())
    grouped = pa.table(
        {
            "borough": zones.column("Borough").combine_chunks().take(row),
            "revenue": total,
            "revenue_cents": cents,
            "tips": doubles(kept.column("tip_amount")),
            "distance": doubles(kept.column("trip_distance")),
        }
    ).group_by("borough")
    parts = {
        "revenue": ("revenue", "sum", None),
        "revenue_cents": ("revenue_cents", "sum", None),
        "trips": ([], "count_all", None),
        "tips": ("tips", "sum", None),
        "tipped": ("tips", "count", None),
        "distance": ("distance", "sum", None),
        "measured": ("distance", "count", None),
    }
    summed = grouped.aggregate(list(parts.values()))
    return summed.rename_columns(["borough", *parts])


def report_of(parts: pa.Table) -> pa.Table:
    """The rows of all blocks, as `sums_by_borough` has them, to the report."""
    summed = parts.group_by("borough").aggregate([(name, "sum") for name in _SUMS])
    sums = summed.rename_columns(["borough", *_SUMS])

    def mean(total: str, count: str) -> pa.ChunkedArray:
        counts = sums.column(count)
        some = pc.if_else(pc.equal(counts, 0), pa.scalar(None, pa.int64()), counts)
        return pc.divide(sums.column(total), some.cast(pa.float64()))

    return pa.table(
        {
            "borough": sums.column("borough"),
            "revenue": sums.column("revenue"),
            "revenue_cents": sums.column("revenue_cents"),
            "trips": sums.column("trips"),
            "avg_tip": mean("tips", "tipped"),
            "avg_distance": mean("distance", "measured"),
        }
    )


def answer_block(listed: pa.Table, task: ModelTask, batch_size: int) -> pa.Table:
    """Fetch, decode and ask for all images of a block.

    Args:
        listed: Has `image_url`.
        task: What to ask.
        batch_size: Images that the model gets at once.

    Returns:
        The workload's rows of the accepted images.
    """
    urls = listed.column("image_url").to_pylist()
    batches = (urls[at : at + batch_size] for at in range(0, len(urls), batch_size))
    return pa.Table.from_batches(task.run(batches), schema=task.schema())


def decode_block(listed: pa.Table, task: ModelTask, size: int) -> pa.Table:
    """Fetch and decode the images of a batch.

    Returns:
        The accepted ones: `image_url`, and `pixels`, a binary value of size * size * 3 bytes.
    """
    urls = listed.column("image_url").to_pylist()
    [(_, files)] = fetched_ahead([urls], task.reader())
    decoded = decode_batch(files, size)
    pixels = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(3 * size * size), len(decoded.pixels), [None, pa.py_buffer(decoded.pixels)]
    )
    return pa.table({"image_url": [urls[at] for at in decoded.accepted], "pixels": pixels})


class ModelActor:
    """An actor of the pool: loads the model once and asks it about decoded batches."""

    def __init__(self, task: ModelTask) -> None:
        self.task = task
        self.session = task.session()

    def __call__(self, decoded: pa.Table) -> pa.Table:
        """Answer one batch of `decode_block`; the workload's rows."""
        size = self.session.size
        images = [np.frombuffer(image, np.uint8) for image in decoded.column("pixels").to_pylist()]
        pixels = np.array(images, np.uint8).reshape(-1, size, size, 3)
        answers = self.task.image_workload().answer(self.session, pixels)
        urls = decoded.column("image_url").cast(pa.string()).combine_chunks()
        return pa.Table.from_arrays([urls, *answers], schema=self.task.schema())


ENGINE = Ray
