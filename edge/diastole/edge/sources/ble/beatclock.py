"""The beat clock: when beats happened, by a device that gives exact intervals and no time.

The running sum of the intervals is the device's own clock; a packet's arrival less that sum is an
estimate of how the two clocks lie, never too early. The least of the last 300 is taken. From an
anchor it is followed freely for a minute, then approached at 200 ppm at most, so that the device's
own intervals stand between its beats. All in whole nanoseconds of the caller's clock.
"""

from collections import deque
from collections.abc import Sequence
from statistics import median
from typing import Final, Generic, NamedTuple, TypeVar

from diastole.edge.records import SECOND_NS

WINDOW: Final = 300
"""Packets of which the earliest counts."""
FREE_NS: Final = 60 * SECOND_NS
SLEW: Final = 5_000
"""One part in so many: 200 ppm."""
STEP_NS: Final = 900_000
"""What a packet may move the offset by, however long the last one is ago."""
LOST_NS: Final = 3 * SECOND_NS // 2
"""Later than that, or than two intervals, ..."""
LOST_PACKETS: Final = 3
"""... so many packets in a row that are no burst: beats between them have been lost."""
TOO_MUCH_NS: Final = 3 * SECOND_NS
"""What a device may have kept back; where beats take that much more than time did, some came twice.
"""
USUAL: Final = 31
"""Intervals whose median is the usual one."""

T = TypeVar("T")


class Placed(NamedTuple, Generic[T]):
    """Beats of one packet, and when they were."""

    what: T
    times_ns: list[int]
    anchored: bool
    """The first of them spans a gap: it is a beat, and no interval."""


class _Packet(NamedTuple, Generic[T]):
    arrived_ns: int
    ticks: tuple[int, ...]
    what: T


class BeatClock(Generic[T]):
    """Places the beats of one device; ``ticks_per_s`` is what its intervals are counted in."""

    def __init__(self, ticks_per_s: int, began_ns: int) -> None:
        self.per_s = ticks_per_s
        self.newest_ns = -(2**62)
        """No beat is placed at this time or before; the caller may raise it."""
        self._usual: deque[int] = deque(maxlen=USUAL)
        self.begin(began_ns)

    def begin(self, heard_ns: int) -> None:
        """Forget how the clocks lie: the next packet is an anchor; nothing older than this was."""
        self._heard_ns = heard_ns
        self._anchor_ns: int | None = None
        self._waiting: list[_Packet[T]] = []

    @property
    def anchored(self) -> bool:
        """Whether it is known how the clocks lie."""
        return self._anchor_ns is not None

    @property
    def waits(self) -> bool:
        """Whether packets wait to be placed: all of them are by one that follows."""
        return bool(self._waiting)

    @property
    def doubled(self) -> bool:
        """Whether the beats since the anchor take more time than has passed."""
        return self._anchor_ns is not None and self._least.value < self._low_ns

    def packet(self, arrived_ns: int, ticks: Sequence[int], what: T) -> list[Placed[T]]:
        """Take in a packet's intervals, oldest first, in ticks; place what can be placed."""
        one = _Packet(arrived_ns, tuple(ticks), what)
        if not ticks:
            placed = []
        elif self._anchor_ns is None:
            placed = [self._anchored(one)]
        elif self._late(one):
            self._waiting.append(one)
            placed = self._anew() if self._lost() else []
        else:
            placed = [*self.waited(), self._placed(one)]
        self._heard_ns = arrived_ns
        return placed

    def waited(self) -> list[Placed[T]]:
        """Place the packets that wait for a burst to follow them, where they would be in it."""
        waiting, self._waiting = self._waiting, []
        return [self._placed(one) for one in waiting]

    # ---- lost beats

    def _late(self, one: _Packet[T]) -> bool:
        ahead = self._ns(sum(sum(waiting.ticks) for waiting in (*self._waiting, one)))
        late_ns = one.arrived_ns - self._sum_ns - ahead - self._offset_ns
        return late_ns > max(LOST_NS, 2 * self._ns(round(median(self._usual))))

    def _lost(self) -> bool:
        """Whether beats have been lost before those that wait: no burst brings them back."""
        first, last = self._waiting[0], self._waiting[-1]
        long_ns = last.arrived_ns - first.arrived_ns
        return len(self._waiting) >= LOST_PACKETS and long_ns >= LOST_NS

    def _anew(self) -> list[Placed[T]]:
        waiting, self._waiting = self._waiting, []
        self._anchor_ns = None
        return [
            self._anchored(one) if self._anchor_ns is None else self._placed(one) for one in waiting
        ]

    # ---- placing

    def _anchored(self, one: _Packet[T]) -> Placed[T]:
        """Take the arrival of the packet's last beat for its time."""
        self._anchor_ns = self._before_ns = one.arrived_ns
        self._ticks = 0
        first_ns = one.arrived_ns - self._ns(sum(one.ticks))
        self._low_ns = min(self._heard_ns, one.arrived_ns) - (one.arrived_ns - first_ns)
        self._low_ns -= TOO_MUCH_NS
        self._offset_ns = first_ns
        self._least = _Least()
        placed = self._placed(one)
        return placed._replace(anchored=True)

    def _placed(self, one: _Packet[T]) -> Placed[T]:
        begun_ticks = self._ticks
        self._ticks += sum(one.ticks)
        self._usual.extend(one.ticks)
        self._least.add(one.arrived_ns - self._sum_ns)
        self._follow(one.arrived_ns)
        times_ns = []
        for ticks in one.ticks:
            begun_ticks += ticks
            self.newest_ns = max(self._offset_ns + self._ns(begun_ticks), self.newest_ns + 1)
            times_ns.append(self.newest_ns)
        return Placed(one.what, times_ns, anchored=False)

    def _follow(self, arrived_ns: int) -> None:
        assert self._anchor_ns is not None
        step_ns = self._least.value - self._offset_ns
        if arrived_ns - self._anchor_ns > FREE_NS:
            most_ns = min(max(arrived_ns - self._before_ns, 0) // SLEW, STEP_NS)
            step_ns = max(-most_ns, min(step_ns, most_ns))
            self._low_ns = self._offset_ns - TOO_MUCH_NS
        self._offset_ns += step_ns
        self._before_ns = arrived_ns

    @property
    def _sum_ns(self) -> int:
        return self._ns(self._ticks)

    def _ns(self, ticks: int) -> int:
        return ticks * SECOND_NS // self.per_s


class _Least:
    """The least of the last values, each added once."""

    def __init__(self) -> None:
        self._candidates: deque[tuple[int, int]] = deque()
        self._n = 0

    @property
    def value(self) -> int:
        return self._candidates[0][1]

    def add(self, value: int) -> None:
        while self._candidates and self._candidates[-1][1] >= value:
            self._candidates.pop()
        self._candidates.append((self._n, value))
        if self._candidates[0][0] <= self._n - WINDOW:
            self._candidates.popleft()
        self._n += 1
