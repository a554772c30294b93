"""A recording as a source: at the pace of its own clock, faster, or as fast as it is taken.

What was said of a stretch does not depend on how it is cut, so a replay that was stopped goes on
from its cursor as if nothing had happened.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

import msgspec

from diastole.edge.chunks import COLUMNS, Chunk, join
from diastole.edge.clock import Clock
from diastole.edge.errors import InputError
from diastole.edge.formats import Recording
from diastole.edge.formats.finding import digest
from diastole.edge.records import MINUTE_NS, SECOND_NS

At = Literal["now", "recorded"]
PACE_NS: Final = SECOND_NS // 4
"""A piece comes so often, but is no shorter than a second of the recording, ..."""
UNPACED_NS: Final = 5 * MINUTE_NS
"""... and so long where nothing paces it."""
NAMED: Final = 12
"""Digits of a file's hash in a source's name."""


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far a recording has been given out."""

    shift_ns: int
    """Added to every time, in whole minutes: chosen once."""
    upto_ns: int | None = None
    """By the recording's clock: all before it has been given."""
    done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Played:
    """Chunks in order of time, given out in pieces by a clock."""

    name: str
    start_ns: int
    read: Callable[[], Iterator[Chunk]]
    """Reads from the beginning at each call."""
    speed: float
    """Seconds of the recording a second; 0: as fast as they are taken."""
    at: At
    zone: str | None = None
    simulated: bool = False
    live: bool = False

    @property
    def paced(self) -> bool:
        """Whether a clock paces it."""
        return self.speed > 0

    async def chunks(
        self, clock: Clock, cursor: bytes | None
    ) -> AsyncIterator[tuple[Chunk, bytes]]:
        """Yield the pieces that follow the cursor, each when it is due."""
        now = _cursor(cursor) or Cursor(shift_ns=self._shift_ns(clock))
        if now.done:
            return
        due = _Due(clock, self.speed)
        pieces = self._pieces(now.upto_ns)
        piece = await asyncio.to_thread(next, pieces, None)
        while piece is not None:
            following = await asyncio.to_thread(next, pieces, None)
            await due.wait(piece)
            now = Cursor(shift_ns=now.shift_ns, upto_ns=piece.until_ns, done=following is None)
            yield moved(piece, now.shift_ns), msgspec.json.encode(now)
            piece = following

    def _shift_ns(self, clock: Clock) -> int:
        if self.at == "recorded":
            return 0
        return (clock.wall_ns() - self.start_ns) // MINUTE_NS * MINUTE_NS

    def _pieces(self, upto_ns: int | None) -> Iterator[Chunk]:
        """Yield what comes after ``upto_ns``, each record in the piece that ends behind it."""
        span_ns = max(round(self.speed * PACE_NS), SECOND_NS) if self.speed else UNPACED_NS
        rest: Chunk | None = None
        for read in self.read():
            chunk, until_ns = read, read.until_ns
            if upto_ns is not None:
                if until_ns <= upto_ns and (read.last_ns() or upto_ns) < upto_ns:
                    continue
                chunk = replace(chunk.split(upto_ns)[1], until_ns=until_ns)
            rest = chunk if rest is None else join([rest, chunk])
            edge_ns = rest.first_ns() if upto_ns is None else upto_ns
            while edge_ns is not None and edge_ns < until_ns:
                if not self.speed:  # nobody waits through a hole
                    edge_ns = min(max(edge_ns, _first_ns(rest, until_ns)), until_ns - 1)
                edge_ns = min((edge_ns // span_ns + 1) * span_ns, until_ns)
                piece, rest = rest.split(edge_ns)
                rest = replace(rest, until_ns=until_ns)
                upto_ns = edge_ns
                yield replace(piece, until_ns=edge_ns)


class _Due:
    """When a piece is due, counted from the first one."""

    def __init__(self, clock: Clock, speed: float) -> None:
        self._clock, self._speed = clock, speed
        self._begun: tuple[float, int] | None = None

    async def wait(self, piece: Chunk) -> None:
        if not self._speed:
            return
        if self._begun is None:
            self._begun = self._clock.monotonic(), _first_ns(piece, piece.until_ns)
        begun_s, first_ns = self._begun
        due_s = begun_s + (piece.until_ns - first_ns) / SECOND_NS / self._speed
        if (wait_s := due_s - self._clock.monotonic()) > 0:
            await self._clock.sleep(wait_s)


def replayed(recording: Recording, *, speed: float, at: At) -> Played:
    """Return a recording as a source; raise InputError where its times cannot be kept."""
    if recording.clock == "relative" and at == "recorded":
        what = f"{recording.path}: has no date, so there is no time at which it was recorded"
        raise InputError(what, 'give at = "now"')
    return Played(
        name=f"replay-{digest(recording.path)[:NAMED]}",
        start_ns=recording.start_ns,
        read=recording.chunks,
        speed=speed,
        at=at,
        zone=recording.zone,
        simulated=recording.simulated,
    )


def moved(chunk: Chunk, by_ns: int) -> Chunk:
    """Return the chunk with everything in it later by so much."""
    if not by_ns:
        return chunk
    columns = {}
    for name in COLUMNS:
        rows = columns[name] = getattr(chunk, name).copy()
        rows["time_ns"] += by_ns
    return replace(
        chunk,
        until_ns=chunk.until_ns + by_ns,
        samples=tuple(replace(run, start_ns=run.start_ns + by_ns) for run in chunk.samples),
        marks=tuple(
            msgspec.structs.replace(mark, time_ns=mark.time_ns + by_ns) for mark in chunk.marks
        ),
        **columns,
    )


def _first_ns(chunk: Chunk, otherwise_ns: int) -> int:
    first_ns = chunk.first_ns()
    return otherwise_ns if first_ns is None else first_ns


def _cursor(packed: bytes | None) -> Cursor | None:
    """Return a cursor; None where there is none, or it is another version's."""
    if packed is None:
        return None
    try:
        return msgspec.json.decode(packed, type=Cursor)
    except msgspec.MsgspecError:
        return None
