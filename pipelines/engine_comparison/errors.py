"""Errors that a user can cause and change, and those that another process reports."""

from __future__ import annotations

import errno


class UserError(Exception):
    """An error that is no bug: something the user gave is wrong and can be changed.

    Attributes:
        what: What is wrong, with the offending value.
        why: Why it matters.
        do: What to do about it.
        outcome: What a run comes to by it: `failed`, `wrong`, `out of memory`, `timed out` or
            `not supported`.
    """

    def __init__(self, what: str, why: str, do: str, outcome: str = "failed") -> None:
        super().__init__(what, why, do)
        self.what = what
        self.why = why
        self.do = do
        self.outcome = outcome

    def __str__(self) -> str:
        return f"{self.what}\n{self.why}\n{self.do}"


class ProcessError(Exception):
    """An error of another process, in the words of that process."""


def is_full_disk(error: BaseException) -> bool:
    """Whether an error, or an engine's words in it, says that disk or object store are full."""
    said = ("No space left on device", "XMinioStorageFull", "minimum free drive threshold")
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return full or any(words in str(error) for words in said)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error, or an engine's words in it, says that there was no memory left."""
    said = ("OutOfMemory", "MemoryError", "std::bad_alloc", "Out of Memory", "Resources exhausted")
    return isinstance(error, MemoryError) or any(
        words in f"{type(error).__name__}: {error}" for words in said
    )


def one_line(text: object, limit: int = 500) -> str:
    """Fold a text into one line of at most `limit` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
