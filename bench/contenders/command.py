"""A program as a contender: one process a sample."""

from __future__ import annotations

import os
import subprocess
from typing import Any

from engine_comparison.errors import UserError
from engine_comparison.store import delete_prefix, list_files, open_store

from . import Contender, timed


class Command(Contender):
    """Runs a command.

    The spec is `{"argv": [...], "environment": {...}}`; what it uploads is named by
    `{"spec": <that of a job>, "uploads": {"prefix": ..., "files": n, "bytes": n}}`.
    """

    def __init__(self, spec: dict[str, Any]) -> None:
        """Keep the command; its environment may hold secrets and is never printed."""
        self._argv: list[str] = spec["argv"]
        self._environment: dict[str, str] = spec.get("environment", {})
        self._uploads: dict[str, Any] | None = spec.get("uploads")
        self._store = open_store(spec["spec"]["store"]) if self._uploads else None

    def start(self) -> None:
        """There is nothing to start."""

    def prepare(self) -> None:
        """Take away what was uploaded."""
        if self._store and self._uploads:
            delete_prefix(self._store, self._uploads["prefix"])

    def execute(self) -> float:
        """Run the command to its end, and count what arrived.

        Raises:
            UserError: It fails, or what arrived is not what was to be uploaded.
        """
        environment = {**os.environ, **self._environment}
        codes: list[int] = []
        seconds = timed(
            lambda: codes.append(
                subprocess.run(
                    self._argv, env=environment, stdin=subprocess.DEVNULL, stdout=2, check=False
                ).returncode
            )
        )
        if codes != [0]:
            raise UserError(
                f"`{' '.join(self._argv)}` ended with {codes[0]}.",
                "A command that fails has no time.",
                "The log has what it said.",
            )
        self._found = self._count()
        return seconds

    def verify(self) -> dict[str, Any]:
        """What arrived."""
        return self._found

    def _count(self) -> dict[str, Any]:
        if not self._store or not self._uploads:
            return {}
        there = list_files(self._store, self._uploads["prefix"])
        found = {"files": len(there), "bytes": sum(info.size for info in there)}
        wanted = {name: self._uploads[name] for name in found}
        if found != wanted:
            raise UserError(
                f"{found} arrived in s3://{self._uploads['prefix']}, and {wanted} were sent.",
                "Who does less is no faster.",
                "The log has what the command said.",
            )
        return found
