"""The step that looks at a dataset before any run; see the package.

The result event has `facts`.
"""

from __future__ import annotations

import sys
from typing import Any

from ..protocol import Channel, Spec, run_module
from ..store import open_store
from ..store_checks import refusals_explained
from . import inspect


def main(channel: Channel, spec: Spec) -> dict[str, Any]:
    """Look at the dataset of a spec; returns the fields of the result event.

    Raises:
        UserError: All that is wrong with it.
    """
    dataset = spec["dataset"]
    channel.phase(f"inspect {dataset}")
    with refusals_explained(spec["store"]["endpoint"]):
        facts = inspect(
            dataset,
            spec,
            open_store(spec["store"]),
            lambda words: channel.phase(f"inspect {dataset}: {words}"),
        )
    return {"facts": facts}


if __name__ == "__main__":
    sys.exit(run_module(main))
