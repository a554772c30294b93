"""Notifications that came more than once, because another session on this host has them, too.

bluetoothd signals a notification once for each session that subscribed to it, and each session
hears all of them: equal packets within a fraction of a millisecond. Two honest packets of one burst
can be equal as well, so a copy is dropped only while each of the last ten packets came more than
once; what cannot be told yet waits for the packets that tell.
"""

from collections import deque
from typing import Final, Generic, TypeVar

from diastole.edge.records import SECOND_NS

CLOSE_NS: Final = SECOND_NS // 10
"""Copies follow within 0.2 ms, or as late as a busy host comes to them; packets are seconds apart.
"""
PACKETS: Final = 10
FEW: Final = 3
"""Where a link ends before it is known: so many that all came more than once are copies."""

T = TypeVar("T")


class Copies(Generic[T]):
    """Passes on what one characteristic notified, each once."""

    def __init__(self) -> None:
        self.dropped = 0
        self._times = 1
        """How often each packet comes, as far as known."""
        self._sizes: deque[int] = deque(maxlen=PACKETS)
        """How often each of the last packets came, since one came once."""
        self._data: bytes | None = None
        self._arrived_ns = 0
        self._size = 0
        self._held: list[tuple[int, T]] = []

    @property
    def doubled(self) -> bool:
        """Whether another session has this characteristic's notifications."""
        return self._times > 1

    def take(self, data: bytes, arrived_ns: int, what: T) -> list[T]:
        """Return what is known to have been sent, in order: mostly ``what`` itself."""
        passed: list[T] = []
        if data == self._data and arrived_ns - self._arrived_ns < CLOSE_NS:
            self._size += 1
        else:
            if self._data is not None:
                passed = self._closed()
            self._data, self._size = data, 1
        self._arrived_ns = arrived_ns
        if self.doubled:
            passed += self._kept([(self._size, what)])
        elif self._held or self._size > 1:
            self._held.append((self._size, what))
        else:
            passed.append(what)
        return passed

    def end(self) -> list[T]:
        """Return what still waits, at the end of a link, and begin anew."""
        sizes = [*self._sizes, *([self._size] if self._size > 1 else [])]
        if len(sizes) >= FEW and not self.doubled:
            self._times = min(sizes)
        passed = self._kept(self._held)
        dropped = self.dropped
        self.__init__()  # type: ignore[misc]
        self.dropped = dropped
        return passed

    def _closed(self) -> list[T]:
        """Take in that a packet came so often; return what is known by that."""
        if self._size == 1:
            self._sizes.clear()
            self._times = 1
        else:
            self._sizes.append(self._size)
            if len(self._sizes) < PACKETS:
                return []
            self._times = min(self._sizes)
        held, self._held = self._held, []
        return self._kept(held)

    def _kept(self, held: list[tuple[int, T]]) -> list[T]:
        """Return what was sent, of packets with how often each had come by then."""
        passed = [what for nth, what in held if (nth - 1) % self._times == 0]
        self.dropped += len(held) - len(passed)
        return passed
