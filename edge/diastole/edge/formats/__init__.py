"""Recordings on disk to chunks, one module a format."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from diastole.edge.chunks import Chunk


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One recorded session of one wearer, ready to be read."""

    path: Path
    format: str
    start_ns: int
    """``t_s`` of a table counts from here."""
    chunks: Callable[[], Iterator[Chunk]]
    """Reads from the beginning at each call; chunks in order of time."""
    clock: Literal["utc", "relative"] = "utc"
    zone: str = "UTC"
    subject: str | None = None
    simulated: bool = False
    notes: Counter[str] = field(default_factory=Counter)
    """Defects survived, by sentence, counted while chunks are read."""


class Format(Protocol):
    """What a new format is: one module-like object with these."""

    name: str

    def recognises(self, path: Path) -> bool:
        """Whether the content of this file or folder looks like the format; raises nothing."""
        ...

    def open(self, path: Path) -> Recording:
        """Read the header; raise BadFile with file, line and remedy where it cannot be used."""
        ...
