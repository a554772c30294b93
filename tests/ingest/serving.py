"""Ingest as a process of its own, and agents' messages sent to it through a real broker."""

import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from diastole.edge.mqtt import Broker, Connection, Received
from diastole.edge.wire.messages import Ack, parse
from diastole.edge.wire.topics import Topic
from diastole.ingest.ranges import Ranges
from tests.ingest.sent import TOPIC, payload
from tests.servers import until

VERB = "from diastole.ingest.commands import ingest as verb"
MAIN = (
    "import argparse, sys; from diastole.edge.cli import told;"
    "from diastole.edge.errors import DiastoleError;"
    + VERB
    + """
parser = argparse.ArgumentParser()
run = verb(parser)
try:
    sys.exit(run(parser.parse_args()))
except DiastoleError as error:
    sys.exit(told(str(error)))
"""
)


def write_settings(folder: Path, port: int, *more: str, store: str | None = None) -> Path:
    """Write an ``ingest.toml`` with a store in a file, unless another is given."""
    folder.mkdir(exist_ok=True)
    path = folder / "ingest.toml"
    store = store or f'[sqlite]\npath = "{folder}/store.db"'
    spool = f'[spool]\npath = "{folder}/spool.db"\nfree_mb = 1'
    path.write_text("\n".join([f"[broker]\nport = {port}", spool, *more, store, ""]))
    return path


def called(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run ``diastole ingest WORDS`` to its end."""
    command = [sys.executable, "-c", MAIN, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


class Serving:
    """``diastole ingest`` on these settings, its lines in a file; a context that ends it."""

    def __init__(self, settings: Path, said: Path | None = None, until: str = "connected") -> None:
        self.settings = settings
        self._said = said or settings.with_name("said.log")
        self._until = f"said={until}"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it (again)."""
        with self._said.open("ab") as said:
            command = [sys.executable, "-c", MAIN, "--config", str(self.settings)]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=said)
        before = self.said.count(self._until)
        until(lambda: self.said.count(self._until) > before, self._until)

    @property
    def said(self) -> str:
        """What it has said."""
        return self._said.read_text(encoding="utf-8")

    def kill(self) -> None:
        """Take it away without a word."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it as a supervisor does; return its code."""
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()


class Agent:
    """Sends messages, and notes what ingest says that it holds; a context."""

    def __init__(self, port: int, topic: Topic = TOPIC) -> None:
        self.topic = topic
        self.held: dict[str, Ranges] = {}
        self.connection = Connection(
            Broker(port=port),
            topic.agent,
            subscriptions=[f"diastole/ack/v1/{topic.site}/{topic.agent}"],
            on_message=self._note,
        )

    def _note(self, received: Received) -> None:
        for held in parse(received.payload, Ack).held:
            ranges = self.held.setdefault(held.sid, Ranges())
            for first, last in [(1, held.upto)] * bool(held.upto) + held.also:
                ranges.add(first, last)
        self.connection.acknowledge(received)

    def send(self, said: bytes, topic: Topic | str | None = None) -> None:
        """Send, as soon as the broker is there."""
        place = str(topic or self.topic)
        until(lambda: self.connection.publish(place, said) is not None, "the broker")

    def send_each(self, seqs: Iterable[int]) -> None:
        """Send a message a reading."""
        for seq in seqs:
            self.send(payload([seq], topic=self.topic))

    def upto(self, sid: str) -> int:
        """Return up to which place ingest holds all of a stream."""
        return self.held[sid].upto if sid in self.held else 0

    def holds(self, sid: str, upto: int) -> bool:
        """Return whether ingest holds all up to this place."""
        return self.upto(sid) >= upto

    def __enter__(self) -> Self:
        self.connection.start()
        until(lambda: self.connection.connected, "the agent to connect")
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.stop()
