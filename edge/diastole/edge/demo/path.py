"""The whole path in child processes: wearer and agent, broker, ingest, store; the link broken."""

import json
import shutil
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from rich.console import Console

from diastole.edge.delivery.produced import produced_at
from diastole.edge.demo.children import ChildEnded, Children
from diastole.edge.demo.telling import FRAME_S, Telling
from diastole.edge.errors import BadFile, MissingExtra
from diastole.edge.mqtt import Broker
from diastole.edge.outputs import make_folder
from diastole.edge.tables import Columns
from diastole.edge.views.live import Turn
from diastole.edge.watch import listening
from diastole.edge.wire.topics import Stream

HOST: Final = "127.0.0.1"
PORT: Final = "port = 1883"
"""How the settings that travel with the package name the broker's port."""
SETTINGS: Final = ("agent.toml", "ingest.toml", "story.toml")
SITE: Final = "demo"
AGENT: Final = "demo-agent"
STORE: Final = "store.db"
OUTBOX: Final = Path("state", "outbox.db")
BREAKS_AT_S: Final = 16 * 60
"""Of the story: sitting, after the stairs."""
BROKEN_S: Final = 1.5
READY_S: Final = 20.0
STORED_S: Final = 30.0
LONGEST_S: Final = 240.0
"""The story takes under a minute; on a slow machine it may take a few."""
KINDS: Final = {
    Stream.READING: "readings",
    Stream.EVENT: "revisions of episodes",
    Stream.STATUS: "the agent's own health",
}
_COUNTED: Final = {
    Stream.EVENT: "SELECT coalesce(sum(rev), 0) FROM event",
    Stream.STATUS: f"SELECT count(*) FROM status WHERE agent = '{AGENT}' AND online = 1",
}
"""A last word or a last will, of an agent that has gone, is none of its records."""
_READINGS: Final = "SELECT time_ms, window_s, decision, reason FROM reading ORDER BY time_ms"
_MINUTE_MS: Final = 60_000


class Count(NamedTuple):
    """How many records of a kind the agent made, and how many the store has."""

    kind: str
    produced: int
    stored: int


def walk(folder: Path, chapters: Sequence[Turn], console: Console) -> list[Count]:
    """Let the story be worn, said, carried and stored below ``folder``; tell it as it comes."""
    if find_spec("amqtt") is None:
        library = "amqtt"
        raise MissingExtra(library, "demo", "the demo's embedded broker")
    port = free_port()
    prepare(folder, port)
    with Children(folder) as children, listening(Broker(host=HOST, port=port), SITE) as listener:
        _start_broker(children, port)
        children.start("ingest", "diastole", "ingest", "run")
        _until(lambda: listener.connection.connected, "the broker lets nobody in", READY_S)
        children.start("agent", "diastole", "run", "agent.toml")
        link = _Link(children, port)
        ends_s = time.monotonic() + LONGEST_S
        with Telling(chapters, console) as telling:
            while not children.ended("agent") and time.monotonic() < ends_s:
                for heard in listener.hear(FRAME_S):
                    telling.take(heard)
                for line in link.step(telling.t_s):
                    telling.aside(line)
                telling.show(listener.trouble)
        counts = _settled(children, folder)
        for name in ("ingest", "broker"):
            children.end(name)
    return counts


def prepare(folder: Path, port: int) -> None:
    """Write the settings into a folder that holds nothing of an earlier demo."""
    if folder.exists():
        if not all((folder / name).is_file() for name in SETTINGS):
            what = "is there, and not of an earlier demo"
            raise BadFile(folder, what, "move it away, or name another folder by --out")
        shutil.rmtree(folder)
    make_folder(folder)
    for name in SETTINGS:
        with as_file(files("diastole.edge.demo") / name) as path:
            text = path.read_text(encoding="utf-8")
        (folder / name).write_text(text.replace(PORT, f"port = {port}"), encoding="utf-8")


def stored_readings(folder: Path) -> Columns:
    """Return the store's readings by the clock of the story, which began at a whole minute."""
    with closing(_opened(folder / STORE)) as store:
        rows = store.execute(_READINGS).fetchall()
    times_ms, windows_s, decisions, reasons = zip(*rows, strict=True)
    time_ms = np.array(times_ms)
    return {
        "t_s": (time_ms - time_ms[0] // _MINUTE_MS * _MINUTE_MS) / 1000,
        "window_s": np.array(windows_s, float),
        "decision": np.array(decisions),
        "reason": np.array([reason or "" for reason in reasons]),
    }


def free_port() -> int:
    """Return a port of the loopback that nobody has."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


class _Link:
    """The broker, taken away once in the story."""

    def __init__(self, children: Children, port: int) -> None:
        self._children, self._port = children, port
        self._outbox = children.folder / OUTBOX
        self._t_s = 0.0
        self._steps = self._story()

    def step(self, t_s: float) -> Iterator[str]:
        """Do what is due at this moment of the story; yield what is to be said of it."""
        self._t_s = t_s
        line = next(self._steps, None)
        if line:
            yield line

    def _story(self) -> Iterator[str | None]:
        """Yield at each step, with words where there is something to say."""
        while self._t_s < BREAKS_AT_S:
            yield None
        self._children.kill("broker")
        broken_s = time.monotonic()
        yield "THE LINK BREAKS: the broker is killed; the agent keeps what it goes on to say"
        while time.monotonic() < broken_s + BROKEN_S:
            yield None
        _start_broker(self._children, self._port)
        streams = produced_at(self._outbox)
        waiting = sum(stream.last - stream.upto for stream in streams)
        yield f"THE LINK IS BACK: a new broker, which knows nothing; {waiting} records wait"
        last = {stream.sid: stream.last for stream in streams}
        while any(s.upto < last.get(s.sid, 0) for s in produced_at(self._outbox)):
            yield None
        yield f"EVERYTHING IS BACK: ingest holds all {waiting} records that waited"


def _start_broker(children: Children, port: int) -> None:
    children.start("broker", "diastole.edge.demo.broker", str(port))
    _until(lambda: children.ended("broker") or _listens(port), "the broker does not start", READY_S)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _until(condition: Callable[[], bool], failure: str, seconds: float) -> None:
    ends_s = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends_s:
            late = f"{failure}: waited {seconds:g} s"
            raise ChildEnded(late)
        time.sleep(0.05)


def _settled(children: Children, folder: Path) -> list[Count]:
    """Return what was counted as soon as the store has everything, or has had time enough."""
    streams = produced_at(folder / OUTBOX)
    made = {kind: sum(s.last for s in streams if s.stream == kind) for kind in KINDS}
    ends_s = time.monotonic() + STORED_S
    while True:
        told = json.loads(children.run("diastole", "ingest", "count", "--json"))
        with closing(_opened(folder / STORE)) as store:
            has = {kind: store.execute(query).fetchone()[0] for kind, query in _COUNTED.items()}
        has[Stream.READING] = told["reading"]
        counts = [Count(words, made[kind], int(has[kind])) for kind, words in KINDS.items()]
        if all(n.produced == n.stored for n in counts) or time.monotonic() > ends_s:
            return counts


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
