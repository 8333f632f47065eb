"""What a job is given: its spec, read by name, and the object store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyarrow import fs

from .inspection import Facts
from .store import StoreSpec, open_store, trust
from .workloads import load as load_workload


@dataclass(frozen=True)
class Context:
    """What an engine is given for a job. Holds the store's secret: never print it.

    Attributes:
        spec: The job's spec, whole; an engine reads the section with its name.
        filesystem: The object store, open.
    """

    spec: Mapping[str, Any]
    filesystem: fs.FileSystem

    @classmethod
    def open(cls, spec: Mapping[str, Any]) -> Context:
        """Open the store of a spec."""
        certificates = StoreSpec.parse(spec["store"]).ca_certificates
        if certificates is not None:
            trust(certificates)
        return cls(spec, open_store(spec["store"]))

    def __repr__(self) -> str:
        return f"Context(engine={self.spec.get('engine')!r})"

    @property
    def store(self) -> StoreSpec:
        """How the object store is reached."""
        return StoreSpec.parse(self.spec["store"])

    @property
    def inputs(self) -> Mapping[str, str]:
        """The inputs that the run's key hashes."""
        inputs: Mapping[str, str] = self.spec["inputs"]
        return inputs

    def bucket(self, purpose: str) -> str:
        """The name of the bucket for `lake`, `images`, `warehouse` or `output`."""
        return str(self.spec["buckets"][purpose])

    @property
    def input_facts(self) -> Facts:
        """What the inspection found of the run's dataset: which objects are read, by which types.

        `workloads.taxi_inputs` and `workloads.image_inputs` say what is in it.
        """
        return load_workload(self.spec["workload"]).input_facts(self.spec, self.filesystem)

    @property
    def threads(self) -> int:
        """Cores that the engine may use."""
        return max(1, int(self.spec.get("threads", 1)))

    @property
    def limits(self) -> dict[str, int]:
        """What the run may use: `{"cores": ..., "memoryBytes": ...}`, the same for all engines.

        The memory is that of the job and of its engine's services together.
        """
        return {name: int(self.spec["limits"][name]) for name in ("cores", "memoryBytes")}

    @property
    def device(self) -> str:
        """`cpu` or `cuda`."""
        return self.inputs.get("device", "cpu")

    @property
    def gpus(self) -> int:
        """GPUs that the target has for the model; 0 where the run is one of the CPU's."""
        return int(self.inputs["gpus"]) if self.device == "cuda" else 0

    @property
    def batch_size(self) -> int:
        """Images that the model gets at once."""
        return max(1, int(self.inputs.get("batchSize", "32")))

    @property
    def timers(self) -> str | None:
        """Where tasks leave the sums of their timers, in a process that is started for a profile.

        None in all others.
        """
        return self.spec.get("timers")

    @property
    def model(self) -> dict[str, str]:
        """Where the model is: `{"path": ...}`, with its contract and its other files beside it."""
        return dict(self.spec["model"])

    @property
    def scratch(self) -> Path:
        """A folder for temporary files."""
        return Path(self.spec["scratch"])
