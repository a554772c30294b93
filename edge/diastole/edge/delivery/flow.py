"""What is under way to ingest: which records were sent, when again, and how much may be."""

from dataclasses import dataclass, field
from typing import Final

from diastole.edge.delivery.book import Line
from diastole.edge.wire.messages import Drop

WINDOW_BYTES: Final = 4_000_000
WINDOW_RECORDS: Final = 4_000
RESERVE: Final = 1.25
"""Live records may go this much beyond the window."""
FIRST_AGAIN_S: Final = 10.0
LONGEST_AGAIN_S: Final = 300.0
NEWEST: Final = 60
"""So many of a stream's newest records go before its backlog at a connection."""
LEAST_BUDGET: Final = 64_000
FIRST_BUDGET: Final = 512_000


@dataclass(slots=True, eq=False)
class Flight:
    """Records of one message that ingest has not acknowledged."""

    sid: str
    first: int
    last: int
    records: int
    size: int
    sent: float
    again: float
    tries: int = 1


@dataclass(slots=True)
class Way:
    """How far one line has been sent: ``backlog`` is still to go, and all from ``live`` on."""

    live: int = 1
    backlog: list[tuple[int, int]] = field(default_factory=list)
    told: tuple[Drop, ...] = ()
    tell_again: float = 0.0
    tellings: int = 0

    def turn(self, line: Line) -> None:
        """Count as live what comes from here on, and the newest of what has come."""
        start = max(self.live, line.next - NEWEST)
        if self.live < start:
            self.backlog.append((self.live, start - 1))
        self.live = start


def wait_s(tries: int) -> float:
    """Return after how long something is said again that was said so many times."""
    return float(min(FIRST_AGAIN_S * 2 ** min(tries - 1, 10), LONGEST_AGAIN_S))


class Flow:
    """The messages under way; ``budget`` bounds what the broker has yet to take.

    The budget follows the line: a slow one must not have a backlog queued before what is new.
    """

    def __init__(self) -> None:
        self.ways: dict[str, Way] = {}
        self.flights: list[Flight] = []
        self._bytes = self._records = 0
        self._sizes: dict[int, int] = {}
        self._budget = FIRST_BUDGET
        self._spent = False

    def afresh(self, lines: dict[str, Line], newest: set[str]) -> None:
        """Begin again on a new connection: nothing counts as sent."""
        self.flights, self._sizes = [], {}
        self._bytes = self._records = 0
        self._budget, self._spent = FIRST_BUDGET, False
        self.ways = {}
        for sid, line in lines.items():
            way = Way(live=line.upto + 1)
            if sid in newest:
                way.turn(line)
            else:
                way.backlog, way.live = [(line.upto + 1, line.last)], line.next
            self.ways[sid] = way

    def way(self, sid: str) -> Way:
        """Return how far a line has been sent; a new one not at all."""
        return self.ways.setdefault(sid, Way())

    def forget(self, lines: dict[str, Line]) -> None:
        """Strike out the flights that have arrived, and the lines that have ended."""
        for one in self.flights[:]:
            line = lines.get(one.sid)
            if line is None or line.is_held(one.first, one.last):
                self.arrived(one)
        for sid in self.ways.keys() - lines.keys():
            del self.ways[sid]

    def has_room(self, share: float = 1.0) -> bool:
        """Return whether another message may be sent within this share of the window."""
        return self._bytes < share * WINDOW_BYTES and self._records < share * WINDOW_RECORDS

    def fly(self, flight: Flight, place: int | None = None) -> None:
        """Count a message as under way."""
        self.flights.insert(len(self.flights) if place is None else place, flight)
        self._bytes += flight.size
        self._records += flight.records

    def arrived(self, flight: Flight) -> None:
        """Count a message as under way no more."""
        self.flights.remove(flight)
        self._bytes -= flight.size
        self._records -= flight.records

    def adapt(self) -> None:
        """Widen the budget where all of it was taken, narrow it where half is still there."""
        left = sum(self._sizes.values())
        if self._spent and not left:
            self._budget = min(2 * self._budget, WINDOW_BYTES)
        elif left > self._budget // 2:
            self._budget = max(self._budget // 2, LEAST_BUDGET)
        self._spent = False

    def has_budget(self) -> bool:
        """Return whether the broker has taken enough for more of a backlog."""
        self._spent = sum(self._sizes.values()) >= self._budget
        return not self._spent

    def sent(self, mid: int, size: int) -> None:
        """Count a message that was handed to the connection."""
        self._sizes[mid] = size

    def taken(self, mid: int) -> None:
        """Count a message that the broker has answered for."""
        self._sizes.pop(mid, None)
