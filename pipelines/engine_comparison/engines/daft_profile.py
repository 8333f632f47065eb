"""What Daft says of a query: the times, rows and bytes of its operators.

Of a source and of downloads the time is that of waiting, too, and no thread of Daft's waits. On Ray
a projection has no name of its own, so that downloads and decoding count as computing there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..profile import Kind, Stage, waits

_KINDS: tuple[tuple[str, Kind], ...] = (
    ("^Read |Scan|url_download", "read"),
    ("image_decode|^UDF decode$", "decode"),
    ("Repartition|Shuffle|Exchange", "shuffle"),
    ("Write", "write"),
)
"""What operators are for that have one of these in their names; all others compute."""


def stages_of(operators: Iterable[Mapping[str, Any]], threads: int, wall: float) -> list[Stage]:
    """The operators of a query, in the order of its plan.

    Args:
        operators: The rows of `DataFrame.metrics`.
        threads: Of Daft.
        wall: Seconds of the query.
    """
    busy, waiting = [], []
    for operator in operators:
        stats = {name: one["value"] for name, one in operator["stats"]}
        stage = _stage(operator["name"], operator["type"], stats)
        if stage.kind == "read":
            waiting.append(stage)
        else:
            busy.append(replace(stage, seconds=stage.seconds / threads))
    return waits(busy, waiting, wall)


def _stage(name: str, sort: str, stats: Mapping[str, float]) -> Stage:
    kind: Kind = next((kind for words, kind in _KINDS if re.search(words, name)), "compute")

    def first(*names: str) -> int | None:
        return next((int(stats[one]) for one in names if one in stats), None)

    return Stage(
        _shown(name, sort),
        kind,
        stats.get("duration", 0.0) / 1e6,
        first("rows.out", "rows.written"),
        first("bytes.read", "bytes.written", "bytes.out"),
    )


def _shown(name: str, sort: str) -> str:
    """A name for people. That of a projection is its expression, with the store's address in it."""
    if name[:1].isupper():
        return name
    functions = dict.fromkeys(re.findall(r"\b([a-z_]+)\(", name))
    return f"{sort}: {', '.join(functions) or 'operators'}"
