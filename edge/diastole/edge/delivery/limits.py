"""How much the outbox may hold, what goes first when it is full, and what it says of itself."""

from enum import StrEnum
from typing import Annotated, Final, NamedTuple

import msgspec

from diastole.edge.wire.topics import Stream

DAY_NS: Final = 86_400 * 1_000_000_000
RECORD_COST: Final = 64
"""Bytes that the outbox counts for a record beside its own."""
WAITING_BYTES: Final = 8_000_000
"""What cannot be written is kept in memory up to here."""
PLAUSIBLE_NS: Final = 1_704_067_200_000_000_000
"""2024. A clock that says less has not been set: such a record has no age."""


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much is held for ingest; a wearer leaves about 35 MB a day."""

    max_mb: Annotated[float, msgspec.Meta(gt=0, le=1_000_000)] = 2_000.0
    """Of records; the file may be half as large again."""
    max_days: Annotated[float, msgspec.Meta(gt=0, le=3_650)] = 60.0


class Dropped(StrEnum):
    """Why a record was let go unsent."""

    FULL = "full"
    """The outbox or its disk was full."""
    TOO_OLD = "too_old"
    DAMAGED = "damaged"
    """Its file was."""
    UNWRITTEN = "unwritten"
    """It waited in memory for a disk that took nothing, until there was no more room."""


class Depth(NamedTuple):
    """What the outbox holds, and what it has let go since its file was begun."""

    rows: int
    bytes: int
    oldest_ns: int | None
    """When the oldest of them was committed."""
    dropped: dict[str, int]
    """How many by reason."""
    waiting: int = 0
    """Records in memory that the disk has not taken."""
    low: bool = False
    """Whether the disk is nearly full: what comes may take the place of what is dropped."""


ORDER: Final = (
    frozenset({Stream.BEAT}),
    frozenset({Stream.READING}),
    frozenset({Stream.STATUS}),
    frozenset({Stream.EVENT, Stream.MARK}),
)
"""What goes first when there is no room."""


def rank(stream: Stream) -> int:
    """Return how long a stream's records are kept: 0 goes first."""
    return next((i for i, streams in enumerate(ORDER) if stream in streams), 0)
