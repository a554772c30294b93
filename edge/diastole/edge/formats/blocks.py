"""Small recordings as chunks: closed with a Break, and cut into blocks of time."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from diastole.edge.chunks import BREAK, BREAK_REASONS, COLUMNS, MOTION, Chunk, Rows, rows_of
from diastole.edge.records import MINUTE_NS, BreakReason

HOUR_NS: Final = 60 * MINUTE_NS
NO_MOTIONS: Final = rows_of(MOTION, 0)


def ended(time_ns: int, devices: int) -> Rows:
    """Return the Breaks of ``devices`` devices that ended at ``time_ns``."""
    reason = BREAK_REASONS.index(BreakReason.ENDED)
    return rows_of(BREAK, devices, time_ns=time_ns, device=range(devices), reason=reason)


def first_ns(rows: Chunk) -> int | None:
    """Time of the oldest row, None where there is none; raw samples and marks are not looked at."""
    times = (getattr(rows, name)["time_ns"][:1] for name in COLUMNS)
    return min((int(time[0]) for time in times if len(time)), default=None)


def in_blocks(devices: tuple[str, ...], beats: Rows, motions: Rows = NO_MOTIONS) -> Iterator[Chunk]:
    """Cut a recording read whole into chunks of an hour; the last one holds its end."""
    rest = Chunk(0, devices, beats=beats, motions=motions)
    last_ns = rest.last_ns()
    if last_ns is None:
        return
    rest = replace(rest, until_ns=last_ns + 1, breaks=ended(last_ns, len(devices)))
    while (first := first_ns(rest)) is not None:
        chunk, rest = rest.split((first // HOUR_NS + 1) * HOUR_NS)
        yield chunk
