"""``diastole run``: sources through the pipeline into the outbox, until stopped or all is told."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from diastole.edge.agent.clocks import Trust, system_trust, until_trusted
from diastole.edge.agent.dressing import dress, feed
from diastole.edge.agent.health import Devices, Health, Seen
from diastole.edge.agent.inbox import Gate, Inbox
from diastole.edge.agent.inlets import Inlet, take
from diastole.edge.agent.line import Line
from diastole.edge.agent.means import means_of
from diastole.edge.agent.settings import Agent
from diastole.edge.agent.tape import FOLDER, Tape
from diastole.edge.agent.tick import Pending, Worn
from diastole.edge.agent.topics import handed_over
from diastole.edge.clock import Clock, SystemClock
from diastole.edge.delivery import Item
from diastole.edge.features import described
from diastole.edge.mqtt import Received
from diastole.edge.notify import READY, STOPPING, Watchdog, notify
from diastole.edge.records import Mark
from diastole.edge.sources.live import Source
from diastole.edge.sources.mqtt import HandedOver
from diastole.edge.stopping import when_asked
from diastole.edge.wire.topics import NOBODY, Stream

OK: Final = 0
FAILED: Final = 1
IDLE_S: Final = 1.0
"""What came is looked for at least so often, ..."""
FULL_S: Final = 0.05
"""... and so often where a source waits for the outbox."""
COMMIT_S: Final = 5.0
"""Where nothing is to be sent, what was learned is committed this often: a hop."""
AHEAD_ROWS: Final = 8_000
"""A source that nothing paces waits while so many rows wait to be sent."""

log = logging.getLogger(__name__)


class Run:
    """One run of an agent."""

    def __init__(
        self,
        agent: Agent,
        sources: Sequence[tuple[str, Source]],
        *,
        clock: Clock,
        trust: Callable[[], Trust],
        folder: Path,
    ) -> None:
        self._agent, self._sources = agent, sources
        self._clock, self._trust, self._folder = clock, trust, folder
        self._worn: list[Worn] = []
        self._inbox = Inbox(
            {subject.name for subject in agent.subjects}, handed_over(agent, sources), clock
        )
        self._gate = Gate(self._inbox.add)
        self._arrived = asyncio.Event()
        self._pending = Pending()
        self._committed_s = clock.monotonic()
        self._health, self._devices = Health(clock), Devices(clock)
        self._watchdog = Watchdog()
        self._working = self._stopping = False
        self._durable = True
        """Whether the disk has taken all that was committed."""
        self._unsaid: list[Received] = []
        """What came in and is acknowledged once it is durable."""

    async def until(self, stop: asyncio.Event) -> int:
        """Run until ``stop`` is set, or recorded and simulated sources have told all."""
        self._means = await asyncio.to_thread(means_of, self._agent)
        self._line = Line(self._agent, self._clock, self._folder)
        await self._line.open(self._take_in)
        notify(READY)
        pump = asyncio.create_task(self._line.pump())
        work = asyncio.create_task(self._work())
        stopped = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({pump, work, stopped}, return_when=asyncio.FIRST_COMPLETED)
            for task in (pump, work):
                if task.done():
                    task.result()  # raises what went wrong
            notify(STOPPING)
            log.info("stopping why=%s", "asked" if stop.is_set() else "told")
            await self._last_tick(work)
        except BaseException:
            self._pending = Pending()  # of a tick that may have been cut off: it is read again
            raise
        finally:
            await _cancelled(work, pump, stopped)
            await self._end()
        failed = any(worn.trouble for worn in self._worn) or any(
            inlet.trouble for worn in self._worn for inlet in worn.inlets
        )
        return FAILED if failed else OK

    async def _last_tick(self, work: "asyncio.Task[None]") -> None:
        """Let a tick that has begun end: what it took is committed with where it was taken."""
        self._stopping = True
        self._arrived.set()
        if self._working:
            await asyncio.wait({work})

    # ---- parts

    async def _work(self) -> None:
        if self._agent.clock == "checked" and any(source.live for _, source in self._sources):
            await until_trusted(self._trust, self._clock, self._watchdog.alive)
        try:
            for subject in self._agent.subjects:
                sources = [source for name, source in self._sources if name == subject.name]
                worn = await dress(
                    subject, sources, self._line, self._means, self._folder / FOLDER, self._clock
                )
                self._worn.append(worn)
            for worn in self._worn:
                worn.feeding = await feed(worn.inlets, self._line, self._clock, self._arrived.set)
            self._working = True
            while not self._stopping and not self._told():
                self._watchdog.alive()
                more = await self._tick()
                if not more:
                    await self._idle()
        finally:
            await _cancelled(*(task for worn in self._worn for task in worn.feeding))

    def _take_in(self, received: Received) -> None:
        self._gate.add(received)
        self._arrived.set()

    # ---- a tick

    async def _tick(self) -> bool:
        """Step each wearer by what has come, and commit; return whether more waits."""
        more = False
        for worn in self._worn:
            if not worn.done:
                more |= await self._step(worn)
        if not any(inlet.silent for inlet, _ in self._handed_over):
            self._gate.open()  # the clock is trusted, and each has taken up its cursor
        self._take_arrived()
        self._tell_health()
        due = self._clock.monotonic() - self._committed_s >= COMMIT_S
        if self._pending.items or self._pending.arrived or (due and self._owes):
            await self._commit()
        return more

    @property
    def _handed_over(self) -> Iterator[tuple[Inlet, HandedOver]]:
        for inlet in (inlet for worn in self._worn for inlet in worn.inlets):
            if isinstance(inlet.source, HandedOver):
                yield inlet, inlet.source

    @property
    def _owes(self) -> bool:
        """Whether something is not durable yet."""
        return bool(self._pending) or not self._durable

    async def _step(self, worn: Worn) -> bool:
        taken = take(worn.inlets, worn.patience_ns, full=self._full)
        wearer, items = worn.wearer, []
        try:
            if taken.pieces and taken.until_ns is not None:
                pieces, until_ns = taken.pieces, taken.until_ns
                worn.record(lambda tape: tape.take(pieces, until_ns))
                items = await asyncio.to_thread(wearer.step, pieces, until_ns)
            if not wearer.finished and not any(inlet.going for inlet in worn.inlets):
                items += wearer.finish()
                log.info("subject=%s ended, all of its sources are told", wearer.name)
        except Exception as error:  # a defect met by one wearer leaves the others worn
            log.exception("subject=%s failed", wearer.name)
            worn.leave(f"{wearer.name} is no longer read: {error!r}")
            self._inbox.leave([inlet.source for inlet in worn.inlets])
            return False
        if any(item.stream is Stream.READING for item in items):
            self._health.read_s = self._clock.monotonic()
        if taken.pieces or items or wearer.finished:
            self._pending.items += items
            self._pending.cursors |= taken.cursors
            self._pending.changed[wearer.name] = wearer
        return taken.more

    def _take_arrived(self) -> None:
        arrived = self._inbox.take()
        self._pending.arrived += arrived
        items = [one.item for one in arrived if one.item is not None]
        self._pending.items += items
        for worn in self._worn:
            for item in items:
                if item.subject == worn.wearer.name and isinstance(mark := item.record, Mark):
                    worn.record(partial(Tape.mark, mark=mark))

    async def _commit(self) -> None:
        """Hand what is pending to the outbox; what came in is acknowledged once it is durable."""
        pending, self._pending = self._pending, Pending()
        self._unsaid += [one.received for one in pending.arrived]
        for inlet, source in self._handed_over:
            if inlet.key in pending.cursors:
                self._unsaid += source.kept(pending.cursors[inlet.key])
        self._durable = await self._line.commit(pending.tick())
        self._committed_s = self._clock.monotonic()
        for worn in self._worn:
            worn.record(Tape.flush)
        if self._durable:
            for received in self._unsaid:
                self._line.connection.acknowledge(received)
            self._unsaid = []

    @property
    def _full(self) -> bool:
        """Whether a source that can wait should: what it gave might be dropped for want of room."""
        depth = self._line.depth
        return depth.rows >= (1 if depth.low else AHEAD_ROWS) or not self._durable

    async def _idle(self) -> None:
        """Wait until something comes, at most a second."""
        waiting = asyncio.create_task(self._arrived.wait())
        await asyncio.wait({waiting}, timeout=FULL_S if self._full else IDLE_S)
        await _cancelled(waiting)
        self._arrived.clear()

    def _told(self) -> bool:
        """Whether every source has ended, and ingest holds all that was said."""
        if any(source.live for _, source in self._sources):
            return False
        return all(w.done for w in self._worn) and not self._owes and not self._line.depth.rows

    async def _end(self) -> None:
        """Commit what is in hand, and say farewell."""
        self._take_arrived()
        if self._owes:
            await self._commit()
        for worn in self._worn:
            worn.record(Tape.close)
        await self._line.close()

    # ---- health

    def _tell_health(self) -> None:
        status = self._health.due(self._seen())
        if status is not None:
            self._pending.items.append(Item(NOBODY, Stream.STATUS, status))
            self._line.notes.clear()
            said = " ".join(f"{name}={value:g}" for name, value in status.values.items())
            log.info("%s trouble=%r", said, status.text["trouble"])
        for worn in self._worn:
            for inlet in worn.inlets:
                told = self._devices.due(worn.wearer.name, inlet.key, inlet.source)
                self._pending.items += told

    def _seen(self) -> Seen:
        counts: Counter[str] = Counter()
        for worn in self._worn:
            for what, n in worn.wearer.counts.items():
                counts[what if what in ("clock_back", "late") else "passed_over"] += n
        counts.update({f"inbound_refused_{why}": n for why, n in self._inbox.refused.items()})
        connection, model = self._line.connection, self._means.model
        trouble = (
            connection.trouble,
            self._line.stuck,
            self._means.refusal,
            *self._line.notes[-3:],
            *(worn.trouble for worn in self._worn),
            *(worn.untaped for worn in self._worn),
            *(inlet.trouble for worn in self._worn for inlet in worn.inlets),
        )
        return Seen(
            depth=self._line.depth,
            connected=connection.connected,
            mqtt=connection.version if connection.connected else "",
            trouble=[sentence for sentence in trouble if sentence],
            counts=counts,
            model=model.hash[:12] if model else "refused" if self._means.refusal else "none",
            engine=described(self._means.engine),
        )


async def _cancelled(*tasks: "asyncio.Task[Any]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def run_agent(agent: Agent, folder: Path) -> int:
    """Run the agent until SIGTERM or SIGINT, or until all is told; return the exit code."""
    log.info(
        "site=%s agent=%s subjects=%s engine=%s folder=%s broker=%s",
        agent.site,
        agent.agent,
        ",".join(subject.name for subject in agent.subjects),
        agent.engine,
        folder,
        agent.broker,
    )
    return asyncio.run(_until_told(agent, folder))


async def _until_told(agent: Agent, folder: Path) -> int:
    stop = asyncio.Event()
    when_asked(stop.set)
    sources = await asyncio.to_thread(agent.sources)
    run = Run(agent, sources, clock=SystemClock(), trust=system_trust, folder=folder)
    return await run.until(stop)
