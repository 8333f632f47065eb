"""The result of a run: its measured figures, and the schema that its readers rely on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from .fork import Fork
from .samples import Plan, Sample, median_seconds, slope

Fields = dict[str, Any]
"""Fields of a result."""

SCHEMA = Path(__file__).with_name("result.schema.json")
SCHEMA_VERSION = 2
"""Changes when figures of a result mean something else than before."""


def figures_of(plan: Plan, forks: Sequence[Fork]) -> Fields:
    """The measured figures of a run's driver processes, as a result has them."""
    judged = [plan.judged(fork.samples) for fork in forks]
    one_shots = [fork.start_up_seconds + fork.samples[0].total_seconds for fork in forks]
    samples: list[list[Sample]] = [samples for samples, _ in judged]
    readings = [fork.reading for fork in forks]
    return {
        "oneShotSeconds": round(median(one_shots), 4),
        "medianSeconds": round(median_seconds(samples), 6),
        "startUpSeconds": round(median(fork.start_up_seconds for fork in forks), 3),
        "forks": [
            {
                "startUpSeconds": round(fork.start_up_seconds, 3),
                "state": state,
                "slope": round(slope(fork.samples[1:]), 5),
                "peakMemoryBytes": fork.reading.peak_memory,
            }
            for fork, (_, state) in zip(forks, judged, strict=True)
        ],
        "samples": [one.fields(n) for n, some in enumerate(samples, 1) for one in some],
        "peakMemoryBytes": max(seen.peak_memory for seen in readings),
        "idleMemoryBytes": readings[0].idle_memory,
        "cpuSeconds": round(sum(seen.cpu_seconds for seen in readings), 3),
        "othersCpuSeconds": round(sum(seen.others_cpu_seconds for seen in readings), 3),
    }


def validate(result: Fields) -> None:
    """Hold a result against the JSON Schema that its readers rely on.

    Raises:
        jsonschema.ValidationError: A field is missing or of another type: a bug, no user's error.
        ValueError: A number is not finite, which JSON does not have.
    """
    import jsonschema

    json.dumps(result, allow_nan=False)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.validate({"event": "result", **result}, schema)
