"""What comes too late: the pipeline and a recording leave out the same of a wearer, and count it.

A mark is never late for the pipeline, which tells it on: who notes what happened an hour ago is
heard. A recording holds none of over 15 minutes before its newest record, as its format says.
"""

from collections.abc import Sequence
from dataclasses import replace

from diastole.edge.chunks import Chunk, join


def in_time(pieces: Sequence[Chunk], until_ns: int, since_ns: int) -> tuple[Chunk, Chunk]:
    """Return what of the pieces is older than ``since_ns``, and the chunk of all that is not.

    ``until_ns`` is how far time has come by the pieces; the chunk's own never falls behind
    ``since_ns``.
    """
    came = join([Chunk(until_ns), *pieces])
    late, chunk = came.split(since_ns)
    return (
        replace(late, marks=()),
        replace(chunk, until_ns=max(until_ns, since_ns), marks=came.marks),
    )


def count(late: Chunk) -> int:
    """Return how many records these are; a Break that comes too late takes nothing away."""
    n = len(late.beats) + len(late.heart_rates) + len(late.motions)
    return n + sum(len(run.values) for run in late.samples)
