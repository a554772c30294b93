"""``diastole record``: an agent's sources into sessions of our format, and nothing else."""

import asyncio
import logging
import secrets
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TextIO

from diastole.edge.agent.clocks import system_trust, until_trusted
from diastole.edge.agent.inbox import Inbox
from diastole.edge.agent.inlets import Inlet, take
from diastole.edge.agent.settings import Agent, Subject
from diastole.edge.agent.tape import FOLDER, Tape
from diastole.edge.agent.topics import handed_over, subscriptions
from diastole.edge.clock import Clock, SystemClock
from diastole.edge.errors import OutputError
from diastole.edge.formats.session import Header
from diastole.edge.locks import Lock, is_held
from diastole.edge.mqtt import Connection, Received
from diastole.edge.outputs import make_folder
from diastole.edge.records import MINUTE_NS, SECOND_NS, Mark
from diastole.edge.sources.live import Source
from diastole.edge.sources.mqtt import HandedOver
from diastole.edge.stopping import when_asked
from diastole.edge.wire.topics import NOBODY

LOOK_S: Final = 0.5
FLUSH_S: Final = 5.0
HELD: Final = "record.held"
"""Locked in the agent's folder while its devices are recorded, for who asks what has them."""
OK: Final = 0
FAILED: Final = 1

log = logging.getLogger(__name__)


class _Recorded:
    """A wearer who is recorded."""

    def __init__(self, subject: Subject, sources: Sequence[Source], folder: Path, wall_ns: int):
        self.subject = subject
        self.inlets = [Inlet(f"{subject.name}.{source.name}", source) for source in sources]
        zone = subject.zone or next((source.zone for source in sources if source.zone), "UTC")
        simulated = any(source.simulated for source in sources)
        header = Header(subject=subject.name, zone=zone, simulated=simulated)
        self.tape = Tape.begin(folder, header, wall_ns)
        self._back = False

    def step(self) -> bool:
        """Keep what has come; return whether more waits."""
        taken = take(self.inlets, round(self.subject.patience_min * MINUTE_NS))
        if taken.pieces and taken.until_ns is not None:
            back_ns = self.tape.until_ns - taken.until_ns
            self.tape.take(taken.pieces, taken.until_ns)
            self._say_clock(back_ns)
        for inlet in self.inlets:
            if isinstance(inlet.source, HandedOver) and inlet.key in taken.cursors:
                inlet.source.kept(taken.cursors[inlet.key])  # acknowledged as they came
        return taken.more

    def _say_clock(self, back_ns: int) -> None:
        """Say that time has run back, and that it has caught up: what comes between is late."""
        if self._back == (back_ns > 0):
            return
        self._back = back_ns > 0
        name = self.subject.name
        if self._back:
            what = "nothing is recorded until it has caught up"
            log.warning("subject=%s clock=back by_s=%.1f, %s", name, back_ns / SECOND_NS, what)
        else:
            log.warning("subject=%s clock=caught_up late=%d", name, self.tape.late)


class Recorder:
    """Records each wearer until it is stopped, or all sources have told all."""

    def __init__(
        self, agent: Agent, sources: Sequence[tuple[str, Source]], folder: Path, clock: Clock
    ) -> None:
        self._clock, self._held = clock, agent.folder / HELD
        names = {subject.name for subject in agent.subjects}
        self._inbox = Inbox(names, handed_over(agent, sources), clock)
        self._arrived = asyncio.Event()
        self.worn = {
            subject.name: _Recorded(
                subject,
                [source for name, source in sources if name == subject.name],
                folder,
                clock.wall_ns(),
            )
            for subject in agent.subjects
        }

    def typed(self, line: str) -> str:
        """Take a typed line as a mark, ``SUBJECT: TEXT`` where there are several; answer it."""
        named, _, rest = line.partition(":")
        who, text = next(iter(self.worn)), line.strip()
        if len(self.worn) > 1:
            who, text = named.strip(), rest.strip()
        if who not in self.worn or not text:
            return f"not marked: type SUBJECT: TEXT, of {', '.join(self.worn)}"
        now_ns = self._clock.wall_ns()
        self.worn[who].tape.mark(Mark(device=NOBODY, time_ns=now_ns, text=text, by="observer"))
        return f"marked for {who}: {text}"

    def received(self, received: Received) -> None:
        """Take in what another program hands over: a mark, or a phone's records."""
        self._inbox.add(received)
        for arrived in self._inbox.take():
            if arrived.item is not None and isinstance(arrived.item.record, Mark):
                self.worn[arrived.item.subject].tape.mark(arrived.item.record)

    async def until(self, stop: asyncio.Event) -> None:
        """Record; the sessions are whole in the end, whatever ends it."""
        with _held(self._held):
            await self._record(stop)

    async def _record(self, stop: asyncio.Event) -> None:
        inlets = [inlet for one in self.worn.values() for inlet in one.inlets]
        feeds = [
            asyncio.create_task(inlet.run(self._clock, None, self._arrived.set)) for inlet in inlets
        ]
        flushed_s = self._clock.monotonic()
        try:
            while not stop.is_set() and any(inlet.going for inlet in inlets):
                self._arrived.clear()
                more = [one.step() for one in self.worn.values()]
                if self._clock.monotonic() - flushed_s >= FLUSH_S:
                    for one in self.worn.values():
                        one.tape.flush()
                    flushed_s = self._clock.monotonic()
                if not any(more):
                    await self._idle(stop)
        finally:
            for feed in feeds:
                feed.cancel()
            await asyncio.gather(*feeds, return_exceptions=True)
            for one in self.worn.values():
                while one.step():
                    pass
                one.tape.close()

    @property
    def trouble(self) -> list[str]:
        """Why sources ended before they should."""
        inlets = [inlet for one in self.worn.values() for inlet in one.inlets]
        return [inlet.trouble for inlet in inlets if inlet.trouble]

    async def _idle(self, stop: asyncio.Event) -> None:
        await _first(stop.wait(), self._arrived.wait(), timeout_s=LOOK_S)


def is_recording(agent: Agent) -> bool:
    """Return whether a recording of the agent's devices is going on."""
    return is_held(agent.folder / HELD)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold a file; where that cannot be, what is recorded is recorded all the same."""
    with ExitStack() as held:
        with suppress(OSError, OutputError):
            make_folder(path.parent, 0o700)
            held.callback(Lock(path).close)
        yield


async def _first(*waits: Coroutine[Any, Any, object], timeout_s: float | None = None) -> None:
    """Wait for the first of these; raise what it raises."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    done, _ = await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def record(agent: Agent, folder: Path | None) -> int:
    """Record until SIGTERM or SIGINT, or until all is told; say what was written."""
    return asyncio.run(_record(agent, folder or agent.folder / FOLDER))


async def _record(agent: Agent, folder: Path) -> int:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    when_asked(stop.set)
    sources = await asyncio.to_thread(agent.sources)
    clock = SystemClock()
    if agent.clock == "checked" and any(source.live for _, source in sources):
        await _first(until_trusted(system_trust, clock, lambda: None), stop.wait())
        if stop.is_set():
            return OK
    recorder = Recorder(agent, sources, folder, clock)
    for name, one in recorder.worn.items():
        print(f"recording {name} into {one.tape.path}", file=sys.stderr)
    hint = "" if len(recorder.worn) == 1 else "SUBJECT: "
    print(f"a line that you type is a mark ({hint}TEXT); Ctrl-C ends", file=sys.stderr)

    def typed(line: str) -> None:
        print(recorder.typed(line), file=sys.stderr)

    threading.Thread(target=_read, args=(sys.stdin, loop, typed), daemon=True).start()
    connection = _connection(agent, loop, recorder)
    connection.start()
    begun_s = time.monotonic()
    try:
        await recorder.until(stop)
    finally:
        await asyncio.to_thread(connection.stop)
    for one in recorder.worn.values():
        told = f"{one.tape.beats} beats, {one.tape.marks} marks"
        late = f"; {one.tape.late} records came too late and are left out" if one.tape.late else ""
        print(f"{one.tape.path}: {told} in {(time.monotonic() - begun_s) / 60:.1f} min{late}")
    for sentence in recorder.trouble:
        print(f"diastole: {sentence}", file=sys.stderr)
    return FAILED if recorder.trouble else OK


def _connection(agent: Agent, loop: asyncio.AbstractEventLoop, recorder: Recorder) -> Connection:
    """Return what hears marks, where a broker is there; without one, none come."""

    def taken(received: Received) -> None:
        recorder.received(received)
        connection.acknowledge(received)

    def heard(received: Received) -> None:
        loop.call_soon_threadsafe(taken, received)

    connection = Connection(
        agent.broker,
        f"{agent.agent[:50]}-record-{secrets.token_hex(4)}",
        subscriptions=subscriptions(agent),
        on_message=heard,
        clean=True,
    )
    return connection


def _read(
    lines: TextIO | None, loop: asyncio.AbstractEventLoop, typed: Callable[[str], None]
) -> None:
    for line in lines or ():
        if line.strip():
            try:
                loop.call_soon_threadsafe(typed, line)
            except RuntimeError:  # it has ended
                return
