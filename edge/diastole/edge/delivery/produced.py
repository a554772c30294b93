"""What an outbox has numbered so far, asked by a process that does not own it."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from diastole.edge.delivery.file import BELOW, SEQ_BITS
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
    rows = _asked(path, "SELECT sid, subject, stream, next - 1, upto FROM line ORDER BY id DESC")
    return [Produced(*row) for row in rows]


def newest_at(path: Path, subject: str, stream: str) -> bytes | None:
    """Return a stream's newest record where ingest does not hold it; raise BadFile for no outbox.

    That of the newest incarnation: an older one's has been said before.
    """
    found = _asked(
        path,
        "SELECT body FROM record, (SELECT max(id) AS line FROM line"
        " WHERE subject = ? AND stream = ?)"
        f" WHERE id BETWEEN line << {SEQ_BITS} AND (line << {SEQ_BITS}) + {BELOW}"
        " ORDER BY id DESC LIMIT 1",
        subject,
        stream,
    )
    return bytes(found[0][0]) if found else None


def _asked(path: Path, query: str, *given: str) -> list[tuple[Any, ...]]:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return database.execute(query, given).fetchall()
    except sqlite3.Error as error:
        raise BadFile(path, f"is no outbox ({error})", "start the agent once") from None
