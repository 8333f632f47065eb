"""How a module talks to whoever started it: JSON lines on descriptor 1, and nothing else there.

A module gets one JSON object, its spec, as the first line of standard input. It answers with any
number of phase events and questions and exactly one last event. Each question is answered by one
JSON object on a line of standard input:

    {"event": "phase", "phase": "warm-up"}
    {"event": "measure", "question": "..."}
    {"event": "result", ...}                                                  exit code 0
    {"event": "failure", "reason": "...", "advice": "...", "phase": "...",
     "kind": "user", "outcome": "failed"}                                     exit code 1

Engines print on standard output when they please. So the module keeps the original descriptor 1
for itself and points descriptor 1 at standard error before any engine is imported.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any, TextIO

from .errors import ProcessError, UserError, is_full_disk, is_out_of_memory, one_line

Spec = dict[str, Any]


class Channel:
    """The events of one process. At most one of `result` and `failure` may be sent, once.

    Attributes:
        current: The phase announced last; a failure is reported as having happened in it.
    """

    def __init__(self, stream: TextIO) -> None:
        """Send to `stream`; answers to questions come on standard input."""
        self._stream = stream
        self._ended = False
        self.current = "start"

    @classmethod
    def claim(cls) -> Channel:
        """Take descriptor 1 for events; from now on prints go to standard error."""
        sys.stdout.flush()
        kept = os.dup(1)
        os.set_inheritable(kept, False)
        os.dup2(2, 1)
        return cls(os.fdopen(kept, "w", encoding="utf-8", closefd=True))

    def phase(self, name: str) -> None:
        """Announce what is being done now, such as `start-up` or `sample 1/3`."""
        self.current = name
        self.tell({"event": "phase", "phase": name})

    def ask(self, event: str, **more: str) -> dict[str, Any]:
        """Ask whoever started this process, and wait for the answer.

        Raises:
            RuntimeError: There is none.
        """
        self.tell({"event": event, **more})
        line = sys.stdin.readline()
        if not line:
            raise RuntimeError(f"nobody is left to answer {event!r}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def result(self, fields: dict[str, Any]) -> None:
        """Send the last event of a success."""
        self._end({"event": "result", **fields})

    def failure(
        self, reason: str, advice: str = "", kind: str = "user", outcome: str = "failed"
    ) -> None:
        """Send the last event of a failure.

        Args:
            reason: Why; folded into one line, as `advice` is.
            advice: What to do.
            kind: `user` for what the user can change, `bug` for all else.
            outcome: See `UserError`.
        """
        self._end(
            {
                "event": "failure",
                "reason": one_line(reason),
                "advice": one_line(advice),
                "phase": self.current,
                "kind": kind,
                "outcome": outcome,
            }
        )

    def _end(self, event: dict[str, Any]) -> None:
        if self._ended:
            raise RuntimeError("the last event has already been sent")
        self.tell(event)
        self._ended = True

    def tell(self, event: dict[str, Any]) -> None:
        """Send any event as a line; the named ones have methods of their own."""
        # allow_nan=False: NaN is not JSON, and the reader on the other side is not Python.
        line = json.dumps(event, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        self._stream.write(line + "\n")
        self._stream.flush()


def run_module(body: Callable[[Channel, Spec], dict[str, Any]]) -> int:
    """Run a module's body between the spec on standard input and one last event.

    Args:
        body: Gets the channel and the spec, returns the fields of the result event.

    Returns:
        The exit code: 0 after a result, 1 after a failure. Use as `sys.exit(run_module(body))`.
    """
    channel = Channel.claim()
    try:
        spec = read_spec(sys.stdin)
        channel.result(body(channel, spec))
    except UserError as error:
        print(error, file=sys.stderr)
        channel.failure(f"{error.what} {error.why}", error.do, outcome=error.outcome)
        return 1
    except Exception as error:
        traceback.print_exc()
        if is_full_disk(error):
            channel.failure(
                f"No space is left on the disk of the store or of the stack folder: {error}",
                "Make room, then deploy again; what was published before is unchanged.",
            )
            return 1
        reason = (
            str(error) if isinstance(error, ProcessError) else f"{type(error).__name__}: {error}"
        )
        outcome = "out of memory" if is_out_of_memory(error) else "failed"
        channel.failure(reason, "The log has the whole traceback.", kind="bug", outcome=outcome)
        return 1
    return 0


def read_spec(stream: TextIO) -> Spec:
    """Read the spec: the first line of `stream`, a JSON object.

    Raises:
        UserError: The line is no JSON object.
    """
    line = stream.readline()
    try:
        spec = json.loads(line)
    except ValueError:
        spec = None
    if not isinstance(spec, dict):
        raise UserError(
            f"The first line of standard input is no JSON object: {one_line(line, 80)!r}.",
            "The module takes its settings from that line.",
            'Pipe a spec into it, such as echo \'{"kind": "taxi", ...}\'.',
        )
    return spec
