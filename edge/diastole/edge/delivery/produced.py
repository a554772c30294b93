"""What an outbox has numbered so far, asked by a process that does not own it."""

import sqlite3
from pathlib import Path
from typing import NamedTuple

from diastole.edge.errors import BadFile


class Produced(NamedTuple):
    """A stream of an agent: how many records it has had."""

    sid: str
    subject: str
    stream: str
    last: int
    """Seq of its newest record, 0 before the first."""
    upto: int
    """All up to here have been let go."""


def produced_at(path: Path) -> list[Produced]:
    """Return every stream of an outbox, the newest first; raise BadFile where it is none."""
    try:
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            rows = database.execute(
                "SELECT sid, subject, stream, next - 1, upto FROM line ORDER BY id DESC"
            ).fetchall()
        finally:
            database.close()
    except sqlite3.Error as error:
        raise BadFile(path, f"is no outbox ({error})", "start the agent once") from None
    return [Produced(*row) for row in rows]
