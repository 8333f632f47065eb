"""What the check says: a line for each thing looked at, and one JSON file of all."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

OK, FAILED, SKIPPED, TOO_LATE = "ok", "FAILED", "skipped", "too late"


@dataclass(frozen=True)
class Line:
    """What came of one thing that was looked at.

    Attributes:
        name: What was looked at.
        state: `OK`, `FAILED`, `SKIPPED`, or `TOO_LATE` where no time was left for it.
        said: What was found, or why it was skipped.
        do: What to do where it failed, or was too late.
    """

    name: str
    state: str
    said: str
    do: str = ""

    def __str__(self) -> str:
        what = f"{self.state:8} {self.name}: {self.said}"
        return f"{what}\n{'':8} do: {self.do}" if self.do else what


@dataclass
class Findings:
    """All lines, and the figures that go into the JSON file."""

    lines: list[Line] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def add(self, line: Line) -> bool:
        """Print a line; whether it is no failure."""
        self.lines.append(line)
        print(line, flush=True)
        return line.state != FAILED

    @property
    def ok(self) -> bool:
        """Whether nothing failed, and all was reached."""
        return not any(line.state in (FAILED, TOO_LATE) for line in self.lines)

    def write(self, file: Path) -> None:
        """Write all as JSON."""
        found = {"ok": self.ok, "lines": [asdict(line) for line in self.lines]}
        file.write_text(json.dumps({**found, **self.facts}, indent=1) + "\n", encoding="utf-8")
