"""A wearer's records as the pipeline takes them, kept in a session of our own format."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from diastole.edge.agent.late import count, in_time
from diastole.edge.chunks import Chunk
from diastole.edge.errors import OutputError
from diastole.edge.formats.recorder import SessionWriter
from diastole.edge.formats.session import PATIENCE_NS, Header
from diastole.edge.outputs import make_folder
from diastole.edge.records import SECOND_NS, Mark
from diastole.edge.wire import LATEST_NS

FOLDER: Final = "recordings"
FREE_MB: Final = 300
"""So much of a disk is left to others."""


class Tape:
    """One session that grows; raises OutputError where it cannot be written."""

    def __init__(self, path: Path, header: Header, until_ns: int = -LATEST_NS) -> None:
        self.path = path
        self.beats = self.marks = self.late = 0
        """How many it holds; and how many records came too late, and are not in it."""
        self.until_ns = until_ns
        """How far it has been told; what is older is late."""
        make_folder(path.parent, 0o700)
        self._writer = SessionWriter(path, header)
        path.chmod(0o600)

    @classmethod
    def begin(cls, folder: Path, header: Header, wall_ns: int, until_ns: int = -LATEST_NS) -> Self:
        """Begin one named after its wearer and this moment."""
        when = datetime.fromtimestamp(wall_ns / SECOND_NS, UTC)
        return cls(folder / f"{header.subject}-{when:%Y%m%dT%H%M%SZ}.jsonl", header, until_ns)

    def take(self, pieces: Sequence[Chunk], until_ns: int) -> None:
        """Keep what came; what is older than was told before is late for the pipeline, too."""
        late, chunk = in_time(pieces, until_ns, self.until_ns)
        self.late += count(late)
        self.until_ns = chunk.until_ns
        self.beats += len(chunk.beats)
        self._writer.append(replace(chunk, marks=()))
        for mark in chunk.marks:
            self.mark(mark)

    def mark(self, mark: Mark) -> None:
        """Keep a mark, unless it is older than a session holds."""
        if mark.time_ns < self.until_ns - PATIENCE_NS:
            self.late += 1
            return
        self.marks += 1
        self._writer.append(Chunk(mark.time_ns, marks=(mark,)))

    def flush(self) -> None:
        """Hand it to the system, while there is room."""
        self._writer.flush()
        if shutil.disk_usage(self.path.parent).free < FREE_MB * 1_000_000:
            what = f"under {FREE_MB} MB are left on its disk"
            raise OutputError(self.path, what, "free some space, or record to another place")

    def close(self) -> None:
        """End it."""
        self._writer.close()
