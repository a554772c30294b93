"""What reads the messages of a program that hands records over, and what one of them says."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from diastole.edge.records import Mark, Record


class Said(NamedTuple):
    """What a message says."""

    records: Sequence[Record]
    refused: Counter[str]
    """Records that were not taken, by reason."""
    stamp_ns: int | None = None
    """The message's own time by the sender's clock, where that tells it from all others."""
    open: int = 0
    """So many messages, this the last of them, may have records that are still to come."""
    anew: bool = False
    """Nothing of it continues what came before."""

    @property
    def newest_ns(self) -> int | None:
        """The message's time by the sender's clock; a mark may be of an earlier moment."""
        if self.stamp_ns is not None:
            return self.stamp_ns
        return max((r.time_ns for r in self.records if not isinstance(r, Mark)), default=None)


class Reader(Protocol):
    """Reads the messages of one sender, in the order in which they come."""

    sensor: str | None
    """The one sensor whose messages are taken, by the sender's name for it; None: not known."""

    @property
    def trouble(self) -> str | None:
        """What is wrong with what the sender sends."""
        ...

    def read(self, payload: bytes) -> Said:
        """Return what a message says; raise BadRecord where it is none."""
        ...

    def take_up(self, stamps_ns: Sequence[int]) -> None:
        """Know the last messages of an earlier run by their stamps, oldest first."""
        ...
