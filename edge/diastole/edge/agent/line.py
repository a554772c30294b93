"""The agent's line out: outbox, publisher and connection; one thread owns the first two."""

import asyncio
import logging
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from diastole.edge.agent.settings import Agent
from diastole.edge.agent.topics import subscriptions
from diastole.edge.clock import Clock
from diastole.edge.delivery import Tick
from diastole.edge.delivery.limits import Depth
from diastole.edge.delivery.outbox import Outbox
from diastole.edge.delivery.publisher import Publisher
from diastole.edge.mqtt import Connection, Received
from diastole.edge.sources.mqtt import IN_FLIGHT
from diastole.edge.wire import topics

PUMP_S: Final = 0.5
"""The publisher is asked at least so often; what arrives or is committed wakes it at once."""
DAY_S: Final = 86_400
AGAIN_S: Final = 60.0
"""What the outbox says over and over is in the log this often."""
FAREWELL_S: Final = 3.0
"""How long a stop waits for what is under way."""

T = TypeVar("T")
log = logging.getLogger(__name__)


class Line:
    """Commits ticks and sends them; everything that touches the outbox runs in its one thread."""

    def __init__(self, agent: Agent, clock: Clock, folder: Path) -> None:
        self._agent, self._clock, self._folder = agent, clock, folder
        self._thread = ThreadPoolExecutor(1, "delivery")
        self._wake = asyncio.Event()
        self.notes: list[str] = []
        """What the outbox has said of itself, for whoever tells it and empties this."""
        self.depth = Depth(0, 0, None, {})
        self.stuck: str | None = None
        """What keeps records here although the broker is there."""
        self._told: dict[str, float] = {}
        """When each note was last written into the log."""
        self._loop = asyncio.get_running_loop()

    async def open(self, taken: Callable[[Received], None]) -> None:
        """Open the outbox and begin to connect; ``taken`` is given what other programs hand in."""
        self._outbox = await self._do(
            lambda: Outbox.open(self._folder / "outbox.db", self._agent.outbox, self._clock.wall_ns)
        )
        self._publisher = Publisher(
            self._outbox, self._agent.site, self._agent.agent, self._clock.monotonic
        )
        await self._look()
        self._ack = topics.ack(self._agent.site, self._agent.agent)
        self._taken = taken
        self.connection = Connection(
            self._agent.broker,
            self._agent.agent,
            subscriptions=[*self._publisher.subscriptions, *subscriptions(self._agent)],
            on_message=self._on_message,
            on_up=self._on_up,
            on_down=self._on_down,
            on_published=self._publisher.on_published,
            will=self._publisher.will,
            session_expiry_s=DAY_S,
            receive_maximum=IN_FLIGHT,
        )
        self.connection.start()

    async def kept(self, subject: str) -> bytes | None:
        """Return the state of a subject as it was committed last."""
        return await self._do(lambda: self._outbox.state(subject))

    async def cursor(self, name: str) -> bytes | None:
        """Return how far a source had been read at the last commit."""
        return await self._do(lambda: self._outbox.cursor(name))

    async def commit(self, tick: Tick) -> bool:
        """Commit a tick and wake the publisher; return whether it is durable (see Outbox)."""
        durable = await self._do(lambda: self._outbox.commit(tick))
        await self._look()
        self._wake.set()
        return durable

    async def pump(self) -> None:
        """Take in acknowledgements and send what waits, until cancelled."""
        while True:
            self._wake.clear()
            await self._pump()
            waker = asyncio.create_task(self._wake.wait())
            await asyncio.wait({waker}, timeout=PUMP_S)
            waker.cancel()

    async def close(self) -> None:
        """Give what is under way a moment, say farewell, and let go of the outbox."""
        end = self._clock.monotonic() + FAREWELL_S
        while self.depth.rows and self.connection.connected and self._clock.monotonic() < end:
            await self._pump()
            await self._clock.sleep(0.02)
        topic, payload = self._publisher.will
        await asyncio.to_thread(self.connection.stop, [(topic, payload, True)])
        await self._do(self._outbox.close)
        self._thread.shutdown()

    async def _pump(self) -> None:
        await self._do(lambda: self._publisher.pump(self.connection))
        await self._look()

    async def _look(self) -> None:
        """Learn how outbox and publisher are."""

        def look() -> tuple[Depth, list[str], str | None]:
            notes, self._outbox.notes = self._outbox.notes, []
            return self._outbox.depth(), notes, self._publisher.trouble

        self.depth, notes, self.stuck = await self._do(look)
        now = self._clock.monotonic()
        for note in notes:
            if now - self._told.get(note, -math.inf) >= AGAIN_S:
                self._told[note] = now
                log.warning('outbox="%s"', note)
            if note not in self.notes:
                self.notes.append(note)

    async def _do(self, what: Callable[[], T]) -> T:
        return await self._loop.run_in_executor(self._thread, what)

    # ---- called by the connection's thread

    def _on_message(self, received: Received) -> None:
        if received.topic == self._ack:
            self._publisher.on_message(received)
            self._awake()
        else:
            self._loop.call_soon_threadsafe(self._taken, received)

    def _on_up(self, generation: int) -> None:
        log.info("broker=up mqtt=%s", self.connection.version)
        self._publisher.on_up(generation)
        self._awake()

    def _on_down(self, why: str) -> None:
        log.warning('broker=down why="%s"', why)
        self._publisher.on_down(why)

    def _awake(self) -> None:
        self._loop.call_soon_threadsafe(self._wake.set)
