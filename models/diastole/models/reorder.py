"""A recording's pieces in another order: who reads the clock instead of the heart is found out.

Laboratory sets run rest first. Here the session's first task comes first, or the recording begins
when it is over; the records themselves are untouched but for their times.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import msgspec
import numpy as np

from diastole.edge.chunks import BREAK, BREAK_REASONS, COLUMNS, Chunk, SampleRun, join, rows_of
from diastole.edge.formats import Recording
from diastole.edge.labels import Segment
from diastole.edge.records import SECOND_NS, BreakReason

PAUSED: Final = BREAK_REASONS.index(BreakReason.PAUSED)
END_S: Final = float("inf")


class Piece(NamedTuple):
    """A stretch of a recording, in seconds from its start, and when it begins instead."""

    t_start_s: float
    t_end_s: float
    at_s: float


def first_task(segments: Sequence[Segment]) -> Segment | None:
    """Return the first stretch labelled stress."""
    return min((s for s in segments if s.label == "stress"), default=None)


def task_first(task: Segment) -> tuple[Piece, ...]:
    """Return the session's pieces with the task moved to its front."""
    length_s = task.t_end_s - task.t_start_s
    pieces = (
        Piece(task.t_start_s, task.t_end_s, 0.0),
        Piece(0.0, task.t_start_s, length_s),
        Piece(task.t_end_s, END_S, task.t_end_s),
    )
    return tuple(piece for piece in pieces if piece.t_end_s > piece.t_start_s)


def late_start(task: Segment) -> tuple[Piece, ...]:
    """Return what is left of a session that begins at the end of the task."""
    return (Piece(task.t_end_s, END_S, 0.0),)


def moved(recording: Recording, pieces: Sequence[Piece]) -> Recording:
    """Return the recording made of these pieces, one after the other, with a Break at each seam."""

    def chunks() -> Iterator[Chunk]:
        whole = join(list(recording.chunks()))
        for number, piece in enumerate(pieces):
            yield _cut(whole, piece, recording.start_ns, seam=number > 0)

    return replace(recording, chunks=chunks)


def moved_labels(segments: Iterable[Segment], pieces: Sequence[Piece]) -> tuple[Segment, ...]:
    """Return the labels of the recording made of these pieces."""
    return tuple(
        sorted(
            segment._replace(
                t_start_s=max(segment.t_start_s, piece.t_start_s) - piece.t_start_s + piece.at_s,
                t_end_s=min(segment.t_end_s, piece.t_end_s) - piece.t_start_s + piece.at_s,
            )
            for segment in segments
            for piece in pieces
            if min(segment.t_end_s, piece.t_end_s) > max(segment.t_start_s, piece.t_start_s)
        )
    )


def _cut(whole: Chunk, piece: Piece, start_ns: int, *, seam: bool) -> Chunk:
    begin_ns = start_ns + round(piece.t_start_s * SECOND_NS)
    if piece.t_end_s < END_S:
        whole, _ = whole.split(start_ns + round(piece.t_end_s * SECOND_NS))
    _, cut = whole.split(begin_ns)
    at_ns = start_ns + round(piece.at_s * SECOND_NS)
    later = _shifted(cut, at_ns - begin_ns)
    return _after_break(later, at_ns) if seam else later


def _after_break(chunk: Chunk, time_ns: int) -> Chunk:
    first = rows_of(BREAK, len(chunk.devices), time_ns=time_ns, reason=PAUSED)
    first["device"] = np.arange(len(first))
    return replace(chunk, breaks=np.concatenate([first, chunk.breaks]))


def _shifted(chunk: Chunk, by_ns: int) -> Chunk:
    """Return the chunk at another time, its raw runs beginning anew."""
    columns = {name: getattr(chunk, name).copy() for name in COLUMNS}
    for rows in columns.values():
        rows["time_ns"] += by_ns
    runs = tuple(_begun_anew(run, by_ns) for run in chunk.samples)
    marks = tuple(
        msgspec.structs.replace(mark, time_ns=mark.time_ns + by_ns) for mark in chunk.marks
    )
    return Chunk(chunk.until_ns + by_ns, chunk.devices, **columns, samples=runs, marks=marks)


def _begun_anew(run: SampleRun, by_ns: int) -> SampleRun:
    return replace(run, start_ns=run.time_of(run.index) + by_ns, index=0)
