"""A wearer's sources side by side: what each has given, and what may be taken of it."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from diastole.edge.chunks import Chunk
from diastole.edge.clock import Clock
from diastole.edge.errors import DiastoleError
from diastole.edge.sources.live import Source, unstepped

WAITING: Final = 4
"""Pieces that a source may be ahead of the pipeline."""

log = logging.getLogger(__name__)


class Taken(NamedTuple):
    """What a tick takes of a wearer's sources."""

    pieces: list[Chunk]
    cursors: dict[str, bytes]
    until_ns: int | None
    """Nothing older will come of any of them; None: nobody knows yet."""
    more: bool
    """Whether something that could be taken is left."""


class Inlet:
    """One source: its pieces wait here until they are taken."""

    def __init__(self, key: str, source: Source) -> None:
        self.key, self.source = key, source
        self.until_ns: int | None = None
        """By what has been taken."""
        self.trouble: str | None = None
        self.waiting: deque[tuple[Chunk, bytes]] = deque()
        self._exhausted = False
        self._room = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether all that it had has been taken."""
        return self._exhausted and not self.waiting

    @property
    def going(self) -> bool:
        """Whether something of it is still to come, or waits."""
        return not self.ended

    @property
    def silent(self) -> bool:
        """Whether it goes on, and has given nothing yet."""
        return self.until_ns is None and not self.waiting and not self._exhausted

    async def run(self, clock: Clock, cursor: bytes | None, arrived: Callable[[], None]) -> None:
        """Keep a few pieces waiting until the source has no more."""
        source = self.source
        follow = unstepped(source, clock, cursor) if source.live else source.chunks(clock, cursor)
        try:
            async for piece in follow:
                self.waiting.append(piece)
                arrived()
                while len(self.waiting) >= WAITING:
                    self._room.clear()
                    await self._room.wait()
        except DiastoleError as error:
            self.trouble = str(error)
            log.error('source=%s stopped why="%s"', self.key, error)
        except Exception as error:  # a defect of one source leaves the others running
            self.trouble = f"source {self.key} failed: {error!r}"
            log.exception("source=%s failed", self.key)
        else:
            earlier = cursor is not None and self.until_ns is None and not self.waiting
            hint = " by an earlier run; another state folder tells it anew" if earlier else ""
            log.info("source=%s read to its end%s", self.key, hint)
        finally:
            self._exhausted = True
            arrived()

    def take(self) -> tuple[Chunk, bytes]:
        """Take the piece that waits longest."""
        chunk, cursor = self.waiting.popleft()
        self.until_ns = chunk.until_ns
        self._room.set()
        return chunk, cursor


def take(inlets: Sequence[Inlet], patience_ns: int, *, full: bool = False) -> Taken:
    """Take a piece of each source that is not too far ahead of the others.

    Nothing is taken before each has given something, or has ended; where the outbox is ``full``,
    nothing of a source that can wait.
    """
    pieces: list[Chunk] = []
    cursors: dict[str, bytes] = {}
    if not any(inlet.silent for inlet in inlets):
        least = _least(inlets)
        for inlet in inlets:
            ahead_ns = 0 if inlet.until_ns is None or least is None else inlet.until_ns - least
            held = full and not inlet.source.paced
            if inlet.waiting and not held and ahead_ns <= patience_ns:
                chunk, cursors[inlet.key] = inlet.take()
                pieces.append(chunk)
    more = bool(pieces) and any(inlet.waiting for inlet in inlets)
    return Taken(pieces, cursors, _least(inlets), more)


def _least(inlets: Sequence[Inlet]) -> int | None:
    """Return how far all sources that go on have come; where none does, the furthest."""
    going = [t for inlet in inlets if not inlet.ended and (t := inlet.until_ns) is not None]
    ended = [t for inlet in inlets if inlet.ended and (t := inlet.until_ns) is not None]
    return min(going) if going else max(ended, default=None)
