"""What every store is: rows in, rows out, and the same row twice is one row."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

Value = float | str


class Row(NamedTuple):
    """One point: known by measurement, tags and time; ``time_ms`` counts from the epoch."""

    measurement: str
    tags: Mapping[str, str]
    time_ms: int
    fields: Mapping[str, Value]


class StoreAway(Exception):
    """The store cannot take anything now; what was given is to be given again."""

    def __init__(self, what: str, *, retry_after_s: float | None = None, alarm: bool = False):
        super().__init__(what)
        self.retry_after_s = retry_after_s
        """What the store asked for."""
        self.alarm = alarm
        """It will not come back by itself: a login, a right or a database is wrong."""

    @property
    def remedy(self) -> str:
        """What brings it back."""
        if self.alarm:
            return "run diastole ingest init, or correct the store's settings"
        return "start the store, or correct its settings"


class RowsRefused(Exception):
    """Something in these rows is not acceptable, and will never be: give them in smaller parts."""

    def __init__(self, what: str, *, expired: int = 0):
        super().__init__(what)
        self.expired = expired
        """So many are older than the store keeps: no mistake, and not to be kept elsewhere."""


class Store(Protocol):
    """Where rows are kept. One thread uses it at a time."""

    def init(self) -> None:
        """Create what is not there; raise InputError where that cannot be done."""
        ...

    def write(self, rows: Sequence[Row]) -> None:
        """Keep the rows; return when they are durable. Raise StoreAway or RowsRefused.

        A field that is written again is replaced, one that is not stays. Of rows that are refused,
        some may have been kept.
        """
        ...

    def read(
        self,
        measurement: str,
        tags: Mapping[str, str],
        fields: Sequence[str],
        start_ms: int,
        end_ms: int,
    ) -> Iterator[Row]:
        """Yield the rows with these tags (others may differ) from start to before end, by time.

        Of each the ``fields`` that it has (none named: all); a row with none of them is left out.
        """
        ...

    def count(self) -> dict[str, int]:
        """Return how many rows each measurement has; raise StoreAway."""
        ...

    def close(self) -> None:
        """Let go of what is open."""
        ...
