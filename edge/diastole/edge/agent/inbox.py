"""What other programs hand to the agent over the broker: marks, checked before they are taken."""

import logging
from collections import Counter
from collections.abc import Collection
from enum import StrEnum
from typing import Final, NamedTuple

from diastole.edge.delivery import Item
from diastole.edge.errors import InputError
from diastole.edge.mqtt import Received
from diastole.edge.records import Mark
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


class _Refused(Exception):
    def __init__(self, reason: Refusal, sentence: str) -> None:
        self.reason = reason
        super().__init__(sentence)


class Inbox:
    """Messages since the last commit, and how many were refused."""

    def __init__(self, subjects: Collection[str]) -> None:
        self._subjects = subjects
        self.arrived: list[Arrived] = []
        self.refused: Counter[str] = Counter()

    def add(self, received: Received) -> None:
        """Take a message in, or count why not; either way it is acknowledged in the end."""
        try:
            item = self._item(received)
        except _Refused as refused:
            self.refused[refused.reason] += 1
            log.warning('inbound=refused reason=%s why="%s"', refused.reason, refused)
            item = None
        self.arrived.append(Arrived(received, item))

    def take(self) -> list[Arrived]:
        """Return what has arrived since."""
        arrived, self.arrived = self.arrived, []
        return arrived

    def _item(self, received: Received) -> Item:
        try:
            topic = parse_inbound(received.topic)
        except InputError as error:
            raise _Refused(Refusal.TOPIC, str(error)) from None
        if topic.subject not in self._subjects:
            raise _Refused(Refusal.SUBJECT, f"nobody here is called {topic.subject}")
        if received.retained:
            raise _Refused(Refusal.RETAINED, "it was retained, and would come at each connection")
        if len(received.payload) > LONGEST_BYTES:
            raise _Refused(Refusal.SIZE, f"{len(received.payload)} bytes, over {LONGEST_BYTES}")
        try:
            record = decode(received.payload)
        except InputError as error:
            raise _Refused(Refusal.RECORD, str(error)) from None
        if not isinstance(record, Mark) or topic.device != NOBODY or record.device != NOBODY:
            raise _Refused(Refusal.KIND, "only marks, of the device -, are taken")
        return Item(topic.subject, Stream.MARK, record)
