"""What other programs hand to the agent over the broker: marks, and records of devices."""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from diastole.edge.clock import Clock
from diastole.edge.delivery import Item
from diastole.edge.errors import InputError
from diastole.edge.mqtt import Received
from diastole.edge.records import Mark
from diastole.edge.sources import mqtt
from diastole.edge.sources.live import Source
from diastole.edge.sources.mqtt import HandedOver
from diastole.edge.wire import decode
from diastole.edge.wire.topics import NOBODY, Stream, parse_inbound

LONGEST_BYTES: Final = 4096

log = logging.getLogger(__name__)


class Arrived(NamedTuple):
    """A message that waits for the next commit, then to be acknowledged."""

    received: Received
    item: Item | None
    """None where it was refused."""


class Refusal(StrEnum):
    """Why a message is not taken."""

    TOPIC = "topic"
    SUBJECT = "subject"
    """Nobody here is called so."""
    RETAINED = "retained"
    """It would come again at each connection."""
    SIZE = "size"
    RECORD = "record"
    """Its bytes are none."""
    KIND = "kind"
    """It is no mark, or of a device."""
    UNREAD = "unread"
    """Its wearer is no longer read."""
    DEVICE = "device"
    """No device of the wearer is handed over under that name."""


class _Refused(Exception):
    def __init__(self, reason: Refusal, sentence: str) -> None:
        self.reason = reason
        super().__init__(sentence)


class Inbox:
    """Messages since the last commit, and how many were refused."""

    def __init__(
        self, subjects: Collection[str], handed: Mapping[str, HandedOver], clock: Clock
    ) -> None:
        self._subjects, self._handed, self._clock = subjects, handed, clock
        self._left: list[Source] = []
        self.arrived: list[Arrived] = []
        self.refused: Counter[str] = Counter()

    def add(self, received: Received) -> None:
        """Take a message in, or count why not; either way it is acknowledged in the end.

        What a device's source has taken, it gives back itself once it is in a commit.
        """
        try:
            if (source := self._handed.get(received.topic)) is not None:
                self._hand(source, received)
                return
            item = self._item(received)
        except _Refused as refused:
            level = logging.DEBUG if self.refused[refused.reason] else logging.WARNING
            log.log(level, 'inbound=refused reason=%s why="%s"', refused.reason, refused)
            self.refused[refused.reason] += 1
            item = None
        self.arrived.append(Arrived(received, item))

    def leave(self, sources: Sequence[Source]) -> None:
        """Take nothing more for these sources: unacknowledged, it would hold up all the others."""
        self._left += sources

    def take(self) -> list[Arrived]:
        """Return what has arrived since."""
        arrived, self.arrived = self.arrived, []
        return arrived

    def _hand(self, source: HandedOver, received: Received) -> None:
        if source in self._left:
            raise _Refused(Refusal.UNREAD, f"the wearer of {source.name} is no longer read")
        if received.retained:
            raise _Refused(Refusal.RETAINED, "it was retained, and would come at each connection")
        if len(received.payload) > mqtt.LONGEST_BYTES:
            what = f"{len(received.payload)} bytes, over {mqtt.LONGEST_BYTES}"
            raise _Refused(Refusal.SIZE, what)
        try:
            source.hand(received.payload, received, self._clock.wall_ns())
        except InputError as error:
            raise _Refused(Refusal.RECORD, f"{source.name}: {error}") from None

    def _item(self, received: Received) -> Item:
        try:
            topic = parse_inbound(received.topic)
        except InputError as error:
            raise _Refused(Refusal.TOPIC, str(error)) from None
        if topic.subject not in self._subjects:
            raise _Refused(Refusal.SUBJECT, f"nobody here is called {topic.subject}")
        if topic.device != NOBODY:
            what = f"no [[phone]] of {topic.subject} has the device {topic.device}"
            raise _Refused(Refusal.DEVICE, what)
        if received.retained:
            raise _Refused(Refusal.RETAINED, "it was retained, and would come at each connection")
        if len(received.payload) > LONGEST_BYTES:
            raise _Refused(Refusal.SIZE, f"{len(received.payload)} bytes, over {LONGEST_BYTES}")
        try:
            record = decode(received.payload)
        except InputError as error:
            raise _Refused(Refusal.RECORD, str(error)) from None
        if not isinstance(record, Mark) or record.device != NOBODY:
            raise _Refused(Refusal.KIND, "only marks, of the device -, are taken")
        return Item(topic.subject, Stream.MARK, record)


class Gate:
    """Lets messages wait, of no time and unacknowledged, until somebody can take them."""

    def __init__(self, take: Callable[[Received], None]) -> None:
        self._take = take
        self._waiting: dict[Received, Received] | None = {}
        """By what stays the same when the broker sends a message again; None: it is open."""

    def add(self, received: Received) -> None:
        """Hand a message on, now or when the gate is opened."""
        if self._waiting is None:
            self._take(received)
        else:
            self._waiting[received._replace(generation=0)] = received

    def open(self) -> None:
        """Hand on what waits, in the order in which it came, and what comes from here on."""
        waiting, self._waiting = self._waiting or {}, None
        for received in waiting.values():
            self._take(received)
