"""From the broker into the spool: acknowledged when it is on the disk, never before."""

import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from diastole.edge.errors import InputError
from diastole.edge.wire import WIRE_SCHEMA
from diastole.edge.wire.messages import Ack, to_bytes
from diastole.edge.wire.topics import ack
from diastole.ingest.decoding import Unfit, is_hello, opened, opened_hello
from diastole.ingest.intake import Intake
from diastole.ingest.log import Log
from diastole.ingest.spool import Letter, NoRoom, StreamKey

if TYPE_CHECKING:
    from diastole.edge.mqtt import Received

MOST_MESSAGES: Final = 500
MOST_BYTES: Final = 8_000_000
"""One commit keeps no more of either."""
GATHER_S: Final = 0.01
"""After the first message of a group, for others to join its commit."""
ACK_EVERY_S: Final = 0.2
_STREAMS_AN_ACK: Final = 50
_IDLE_S: Final = 1.0

Agent = tuple[str, str]
"""Site and name."""


class Line(Protocol):
    """What the receiver needs of a connection to the broker."""

    def acknowledge(self, received: "Received") -> None:
        """Tell the broker that it may forget a message."""
        ...

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int | None:
        """Send; None where that cannot be done now."""
        ...


class Receiver:
    """Takes messages in groups: one commit, then the broker's and the agents' acknowledgements."""

    def __init__(
        self,
        log: Log,
        stopping: threading.Event,
        on_kept: Callable[[], None],
        *,
        wall_ns: Callable[[], int],
        monotonic: Callable[[], float],
    ) -> None:
        self.full = False
        """Whether there is no room: nothing is acknowledged then, and nothing lost."""
        self._log = log
        self._stopping = stopping
        self._on_kept = on_kept
        self._wall_ns = wall_ns
        self._monotonic = monotonic
        self._arrived: queue.SimpleQueue[tuple[int, Received] | None] = queue.SimpleQueue()
        self._due: dict[Agent, set[StreamKey]] = {}
        self._told: dict[Agent, float] = {}

    def on_message(self, received: "Received") -> None:
        """Note a message; called by the connection's thread."""
        self._arrived.put((self._wall_ns() // 1_000_000, received))

    def wake(self) -> None:
        """End a wait for messages."""
        self._arrived.put(None)

    def run(self, intake: Intake, line: Line) -> None:
        """Work until it is told to stop; what is in hand is acknowledged before."""
        while not self._stopping.is_set():
            group = self._gather()
            if group:
                self.take(group, intake, line)
            self.tell(intake, line)
        self._told.clear()
        self.tell(intake, line)

    def take(self, group: "list[tuple[int, Received]]", intake: Intake, line: Line) -> None:
        """Keep a group, however long that takes, and acknowledge it in the order of arrival."""
        letters = [
            Letter(ms, received.topic, received.payload)
            for ms, received in group
            if not _is_old_will(received) and not self._greeted(received)
        ]
        if letters:
            touched = self._kept(letters, intake)
            if touched is None:
                return
            for key in touched:
                self._due.setdefault(key[:2], set()).add(key)
            self._on_kept()
        for _, received in group:
            line.acknowledge(received)

    def tell(self, intake: Intake, line: Line) -> None:
        """Tell the agents what is held, each at most every 200 ms; who cannot be told is later."""
        now = self._monotonic()
        self._told = {agent: t for agent, t in self._told.items() if now - t < ACK_EVERY_S}
        for agent in [agent for agent in self._due if agent not in self._told]:
            keys = self._due[agent]
            while keys:
                some = sorted(keys)[:_STREAMS_AN_ACK]
                said = Ack(v=WIRE_SCHEMA, held=[intake.held(key) for key in some])
                try:
                    if line.publish(ack(*agent), to_bytes(said)) is None:
                        return
                except InputError as error:
                    self._log.again("not acknowledged", "/".join(agent), why=error)
                keys -= set(some)
            self._told[agent] = now
            del self._due[agent]

    def _gather(self) -> "list[tuple[int, Received]]":
        group: list[tuple[int, Received]] = []
        size = 0
        try:
            found = self._arrived.get(timeout=ACK_EVERY_S / 2 if self._due else _IDLE_S)
            self._stopping.wait(GATHER_S)
            while found is not None:
                group.append(found)
                size += len(found[1].payload)
                if len(group) == MOST_MESSAGES or size > MOST_BYTES:
                    break
                found = self._arrived.get_nowait()
        except queue.Empty:
            pass
        return group

    def _greeted(self, received: "Received") -> bool:
        """Note what an agent asks for; a greeting that is none is a message like others."""
        if not is_hello(received.topic):
            return False
        try:
            topic, hello = opened_hello(received.topic, received.payload)
        except Unfit:
            return False
        keys = {StreamKey(topic.site, topic.agent, sid) for sid in hello.streams}
        if keys:
            self._due.setdefault((topic.site, topic.agent), set()).update(keys)
        return True

    def _kept(self, letters: list[Letter], intake: Intake) -> set[StreamKey] | None:
        """Return what was touched as soon as there is room; None when told to stop before."""
        while not self._stopping.is_set():
            try:
                touched = intake.take(letters)
            except NoRoom as error:
                self.full = True
                remedy = "free some space; nothing is acknowledged until then, nothing is lost"
                self._log.again("no room", "spool", why=error, do=remedy)
                self._stopping.wait(1)
                continue
            if self.full:
                self._log.say("room again")
            self.full = False
            return touched
        return None


def _is_old_will(received: "Received") -> bool:
    """Return whether a broker repeats what it has retained, of a time that nobody knows."""
    if not received.retained:
        return False
    try:
        return opened(received.topic, received.payload)[1].sid is None
    except Unfit:
        return False
