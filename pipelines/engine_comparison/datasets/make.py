"""Make a dataset.

    echo '{"source": "sample", "kind": "taxi", "out": "DIR", "settings": {...}}' |
        python -m engine_comparison.datasets.make

The result event has `files`, `bytes`, `manifestSha256`, and `distinctSources`: how many different
photographs the pictures were made from (0 for tables). Of the source `sample`, same settings are
same bytes; `nyc` downloads, and its manifest tells what was found.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ..describe import dataset_facts, names
from ..errors import UserError
from ..protocol import Channel, Spec, run_module
from .files import whole_folder, write_manifest


def make(channel: Channel, spec: Spec) -> dict[str, Any]:
    """Make the dataset of a spec; returns the fields of the result event.

    Args:
        channel: For the phases.
        spec: `kind`, the name of a dataset; `source`, one of those it can be had from; `out`, the
            folder; `settings`, strings, described in the module of source and kind; and for a
            source that downloads, `downloads`, the folder where those files stay.

    Raises:
        UserError: An unknown source or kind, a wrong setting, or a download that fails.
    """
    kind = _one_of(names(str(__package__)), "kind", spec.get("kind"))
    source = _one_of(dataset_facts(kind).sources, "source", spec.get("source"))
    settings = spec["settings"]
    generator = importlib.import_module(f"{__package__}.{source}.{kind}")
    downloaded: list[list[Path]] = []
    if source == "nyc":
        from .nyc.downloads import Downloads  # what it imports is needed only here

        channel.phase(f"download {kind}")
        downloads = Downloads(Path(spec["downloads"]), channel.phase)
        downloaded.append(downloads.fetch(generator.remotes(settings)))
    channel.phase(f"make {kind}")
    with whole_folder(Path(spec["out"])) as folder:
        sources = generator.generate(folder, settings, *downloaded)
        channel.phase("manifest")
        manifest = write_manifest(folder)
    return {
        "files": manifest.files,
        "bytes": manifest.size,
        "manifestSha256": manifest.sha256,
        "distinctSources": sources,
    }


def _one_of(known: Collection[str], what: str, given: object) -> str:
    if given not in known:
        raise UserError(
            f"There is no dataset of the {what} {given!r}.",
            "Source and kind name the module in engine_comparison/datasets/ that makes it.",
            f"Use one of: {', '.join(known)}.",
        )
    return str(given)


if __name__ == "__main__":
    sys.exit(run_module(make))
