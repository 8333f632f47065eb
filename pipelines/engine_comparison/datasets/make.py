"""Make a dataset.

    echo '{"kind": "taxi", "out": "DIR", "settings": {...}}' |
        python -m engine_comparison.datasets.make

The result event has `files`, `bytes`, `manifestSha256`, and `distinctSources`: how many different
photographs the pictures were cut from (0 for tables). Same settings, same bytes.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..protocol import Channel, Spec, run_module
from .files import whole_folder, write_manifest

KINDS = ("taxi", "photos")


def make(channel: Channel, spec: Spec) -> dict[str, Any]:
    """Make the dataset of a spec; returns the fields of the result event.

    Args:
        channel: For the phases.
        spec: `kind`, one of `KINDS`; `out`, the folder; `settings`, strings, described in the
            kind's module.

    Raises:
        UserError: An unknown kind or a wrong setting.
    """
    kind = spec.get("kind")
    if kind not in KINDS:
        raise UserError(
            f"There is no dataset of the kind {kind!r}.",
            "It names the module in engine_comparison/datasets/ that makes it.",
            f"Use one of: {', '.join(KINDS)}.",
        )
    generator = importlib.import_module(f"{__package__}.{kind}")
    channel.phase(f"make {kind}")
    with whole_folder(Path(spec["out"])) as folder:
        sources = generator.generate(folder, spec["settings"])
        channel.phase("manifest")
        manifest = write_manifest(folder)
    return {
        "files": manifest.files,
        "bytes": manifest.size,
        "manifestSha256": manifest.sha256,
        "distinctSources": sources,
    }


if __name__ == "__main__":
    sys.exit(run_module(make))
