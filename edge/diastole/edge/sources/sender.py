"""A sender's clock: what its stamps are by ours, and whether they can be believed.

Pure; all times are nanoseconds. A message's lag is its arrival less its newest stamp. A lag within
two seconds is a clock that goes right. A larger one is either a backlog (lags that shrink as it
comes in) or a clock that is off (lags that stay equal while messages arrive in step). Where the
clock is not known yet, a backlog may be both: one older than ``patience`` waits to see its end.
"""

from collections import deque
from typing import Final, Generic, NamedTuple, TypeVar

from diastole.edge.records import SECOND_NS

OFF_NS: Final = 2 * SECOND_NS
IN_STEP: Final = 3
"""So many messages in a row of one lag, ..."""
IN_STEP_NS: Final = 10 * SECOND_NS
"""... over so long, are in step."""
MOST: Final = 1000
WAIT_NS: Final = 30 * SECOND_NS
"""A message of which that is unknown waits no longer."""

T = TypeVar("T")


class _Message(NamedTuple, Generic[T]):
    arrived_ns: int
    lag_ns: int
    what: T


class SenderClock(Generic[T]):
    """Lets messages wait until it is known how the sender's clock lies."""

    def __init__(self, patience_ns: int) -> None:
        self.ahead_ns = 0
        """What is added to the sender's stamps."""
        self.known = False
        """Whether that has been seen, and is no mere belief."""
        self._patience_ns = patience_ns
        self._waiting: list[_Message[T]] = []
        self._last: deque[_Message[T]] = deque(maxlen=MOST)

    def add(self, what: T, newest_ns: int, arrived_ns: int) -> list[T]:
        """Take in a message by its newest stamp; return those that need wait no longer."""
        message = _Message(arrived_ns, arrived_ns - newest_ns, what)
        self._waiting.append(message)
        self._last.append(message)
        if self._right(message):
            self.known = True
            return self._released()
        if self._is_backlog():
            return self._released()
        if (lag_ns := self._in_step()) is not None:
            self._set(lag_ns)
            return self._released()
        return self.waited(arrived_ns)

    def beside(self, what: T) -> list[T]:
        """Take in a message that tells nothing of the clock: it waits where those before it do."""
        if not self._waiting:
            return [what]
        self._waiting.append(self._waiting[-1]._replace(what=what))
        return []

    @property
    def waits(self) -> bool:
        """Whether there are messages of which it is not known when they were."""
        return bool(self._waiting)

    def waited(self, now_ns: int) -> list[T]:
        """Return the messages that have waited for too long."""
        if not self._waiting or now_ns - self._waiting[0].arrived_ns < WAIT_NS:
            return []
        least_ns = min(message.lag_ns for message in self._waiting)
        if least_ns - self.ahead_ns < -OFF_NS:  # of times that have not been yet
            self._set(least_ns)
        self.known = True
        return self._released()

    def _right(self, message: _Message[T]) -> bool:
        return abs(message.lag_ns - self.ahead_ns) <= OFF_NS

    def _is_backlog(self) -> bool:
        lags = [message.lag_ns for message in self._waiting]
        shrinking = min(lags) - self.ahead_ns > OFF_NS and max(lags) - min(lags) > OFF_NS
        return shrinking and (self.known or max(lags) <= self._patience_ns)

    def _in_step(self) -> int | None:
        """Return the lag of the last messages, where it is one."""
        last = self._last
        while len(last) > IN_STEP and last[-1].arrived_ns - last[1].arrived_ns >= IN_STEP_NS:
            last.popleft()
        lags = [message.lag_ns for message in last]
        long_ns = last[-1].arrived_ns - last[0].arrived_ns
        if len(lags) < IN_STEP or long_ns < IN_STEP_NS or max(lags) - min(lags) > OFF_NS:
            return None
        return min(lags)

    def _set(self, lag_ns: int) -> None:
        self.ahead_ns = 0 if abs(lag_ns) <= OFF_NS else lag_ns
        self.known = True

    def _released(self) -> list[T]:
        waiting, self._waiting = self._waiting, []
        return [message.what for message in waiting]
