"""An ingest that keeps all in memory, and agents as processes."""

import signal
import subprocess
import sys
import threading
from collections import defaultdict
from pathlib import Path
from typing import ClassVar, Self

from diastole.edge.mqtt import Broker, Connection, Received
from diastole.edge.records import Status
from diastole.edge.wire import WIRE_SCHEMA, Noun, decode
from diastole.edge.wire.messages import Ack, Held, Message, parse, to_bytes
from diastole.edge.wire.topics import EVERYTHING, Stream, ack
from diastole.edge.wire.topics import parse as parse_topic

VERB = """
import sys
from argparse import ArgumentParser
from diastole.edge.agent import commands
from diastole.edge.errors import DiastoleError
parser = ArgumentParser()
go = getattr(commands, sys.argv.pop(1))(parser)
try:
    sys.exit(go(parser.parse_args()))
except DiastoleError as error:
    print(f"diastole: {error}", file=sys.stderr)
    sys.exit(2)
"""


class Ingest:
    """Takes all that agents send, and acknowledges it."""

    def __init__(self, port: int, name: str = "test-ingest") -> None:
        self.records: dict[tuple[str, int], tuple[str, Stream, Noun]] = {}
        self.times: dict[tuple[str, int], int] = defaultdict(int)
        """How often each place has come."""
        self.farewells = 0
        self._lock = threading.Lock()
        self._connection = Connection(
            Broker(port=port), name, subscriptions=[EVERYTHING], on_message=self._on_message
        )

    def __enter__(self) -> Self:
        self._connection.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.stop()

    @property
    def connected(self) -> bool:
        return self._connection.connected

    def of(self, stream: Stream) -> list[Noun]:
        """Give the stream's records, in the order of their time."""
        with self._lock:
            found = [record for _, kind, record in self.records.values() if kind is stream]
        return sorted(found, key=lambda r: getattr(r, "time_ns", 0) or getattr(r, "start_ns", 0))

    def statuses(self) -> list[Status]:
        return [record for record in self.of(Stream.STATUS) if isinstance(record, Status)]

    def _on_message(self, received: Received) -> None:
        topic = parse_topic(received.topic)
        self._connection.acknowledge(received)
        if topic.stream is Stream.HELLO:
            return
        said = parse(received.payload, Message)
        if said.sid is None:
            self.farewells += 1
            return
        assert (said.agent, said.subject, said.stream) == topic[1:]
        with self._lock:
            for seq, record in zip(said.seqs, said.records, strict=True):
                self.records[said.sid, seq] = (said.subject, said.stream, decode(bytes(record)))
                self.times[said.sid, seq] += 1
        held = Held(sid=said.sid, upto=0, also=[(seq, seq) for seq in said.seqs])
        answer = to_bytes(Ack(v=WIRE_SCHEMA, held=[held]))
        self._connection.publish(ack(topic.site, topic.agent), answer)


class Process:
    """A verb of the agent as a process; none outlives its test."""

    started: ClassVar[list["Process"]] = []

    def __init__(self, folder: Path, *words: str) -> None:
        self.log = folder / "agent.log"
        self.log.touch()
        self._before = self.said().count(" from=")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", VERB, *words], stdout=log, stderr=log, cwd=folder
            )
        self.started.append(self)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def works(self) -> bool:
        """Whether it has opened its sources."""
        return self.said().count(" from=") > self._before

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def wait(self, seconds: float = 120) -> int:
        return self._process.wait(seconds)

    def terminate(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self.wait(30)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
