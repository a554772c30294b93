"""The connection as the publisher needs it, and when ingest is greeted over it."""

from typing import Final, Protocol

from diastole.edge.delivery.flow import FIRST_AGAIN_S, wait_s
from diastole.edge.mqtt import Received

PROBE_S: Final = 2.0
"""Where nobody listens, a greeting asks after this, twice this, … whether somebody does."""


class Sender(Protocol):
    """What the publisher needs of a connection."""

    @property
    def connected(self) -> bool:
        """Whether the broker is there."""

    @property
    def generation(self) -> int:
        """How many connections there have been."""

    @property
    def max_packet(self) -> int | None:
        """The largest packet that the broker takes."""

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int | None:
        """Send; None: not now; an InputError: never."""

    def acknowledge(self, received: Received) -> None:
        """Tell the broker that a message is safe."""


class Greeting:
    """When ingest is asked what it holds: at each connection, and again while it is silent."""

    def __init__(self) -> None:
        self.unheard = False
        """Whether nobody listens: nothing but greetings is sent then."""
        self._said = 0
        self._again = 0.0
        self._mid: int | None = None

    def begin(self, now: float) -> None:
        """Be due, as there is a new connection."""
        self.unheard, self._said, self._again, self._mid = False, 0, now, None

    def is_due(self, now: float, *, under_way: bool) -> bool:
        """Return whether to greet; a second time only while an answer is wanting."""
        return now >= self._again and (under_way or self.unheard or not self._said)

    def said(self, mid: int | None, now: float) -> None:
        """Know that a greeting is under way."""
        self._mid = mid
        self._said += 1
        sooner = PROBE_S / FIRST_AGAIN_S if self.unheard else 1.0
        self._again = now + sooner * wait_s(self._said)

    def answered(self, now: float) -> None:
        """Know that ingest speaks."""
        self._said, self._again = 1, now + FIRST_AGAIN_S

    def nobody(self, now: float) -> None:
        """Know that what was sent reached nobody."""
        if not self.unheard:
            self.unheard, self._said, self._again = True, 1, now + PROBE_S

    def taken(self, mid: int) -> bool:
        """Hear what the broker has passed on; return whether somebody listens again by that."""
        if not self.unheard or mid != self._mid:
            return False
        self.unheard = False
        return True
