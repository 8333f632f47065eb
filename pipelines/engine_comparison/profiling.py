"""One more sample of a run, which the engine profiles in a separate process.

It is taken on request (`profile`) when all measured samples are, so it is in no figure: an engine
that has to be set up for a profile before it starts is so in this process alone. One sample is
taken before it there, so that the profiled one is not the cold one. Its output is checked as that
of every sample. What goes wrong is told in the place of the profile, and fails no run.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any

from .errors import UserError, one_line
from .fork import Fork
from .profile import with_bottleneck


def take_profile(
    fork: Callable[..., Fork],
    place: str,
    check: Callable[[str], None],
    measured: Mapping[str, Any],
) -> dict[str, Any]:
    """Take the sample; see the module.

    Args:
        fork: Makes a driver process with what its spec has more.
        place: `<bucket>/<prefix>` for what it leaves.
        check: Looks at an output, and raises where it is not right.
        measured: The measured fields of the run's result.

    Returns:
        The field `profile` of a result: see result.schema.json.
    """
    output = f"{place}/output"
    try:
        with fork(timers=f"{place}/timers") as process:
            process.start()
            found = process.profile(output)
        check(output)
    except Exception as error:
        traceback.print_exception(error)
        reason = f"{error.what} {error.why}" if isinstance(error, UserError) else str(error)
        return {"failed": one_line(reason or type(error).__name__)}
    return with_bottleneck(
        found, measured["startUpSeconds"], measured["samples"][0]["totalSeconds"]
    )
