"""Readings by the thousand, at a few microseconds each: ``python -m tests.faults.load --port P``.

Packets of MQTT 3.1.1 are made in bulk and acknowledgements counted as bytes, so that the broker and
the ingest under test have the machine. Each client is an agent with a stream of its own.
"""

import argparse
import select
import socket
import struct
import time
from collections.abc import Iterator

from diastole.edge.records import SECOND_NS
from diastole.edge.wire import WIRE_SCHEMA, encode
from diastole.edge.wire.topics import Stream, Topic
from tests.ingest.made import reading

HOP_NS = 5 * SECOND_NS
PUBACK_BYTES = 4
MOST_AT_ONCE = 200
LONGEST_S = 300


class Agent:
    """A client that sends what it has, as fast as its window lets it."""

    def __init__(self, port: int, number: int, messages: int, readings: int, window: int) -> None:
        self.topic = Topic("home", f"load-{number}", "s1", Stream.READING)
        self.left = messages
        self.unacknowledged = 0
        self._readings = readings
        self._window = window
        self._seq = 0
        self._mid = 0
        self._started_ns = time.time_ns() - messages * readings * HOP_NS
        self._out = memoryview(b"")
        self._before, self._after = _halves()
        self._head = _envelope(self.topic)
        self.socket = _connected(port, self.topic.agent)

    @property
    def done(self) -> bool:
        """Whether the broker has all."""
        return not self.left and not self.unacknowledged and not self._out

    @property
    def wants(self) -> bool:
        """Whether there is something to write."""
        if not self._out:
            n = min(self.left, self._window - self.unacknowledged, MOST_AT_ONCE)
            self._out = memoryview(b"".join(self._packets(n)))
            self.left -= n
            self.unacknowledged += n
        return bool(self._out)

    def write(self) -> None:
        """Write what the connection takes."""
        self._out = self._out[self.socket.send(self._out) :]

    def read(self) -> None:
        """Count acknowledgements; nothing else comes."""
        got = self.socket.recv(PUBACK_BYTES * 10_000)
        if not got:
            raise SystemExit("the broker closed the connection")
        got += b"".join(iter(lambda: self.socket.recv(-len(got) % PUBACK_BYTES), b""))
        self.unacknowledged -= len(got) // PUBACK_BYTES

    def _packets(self, n: int) -> Iterator[bytes]:
        name = _text(str(self.topic))
        for _ in range(n):
            self._mid = self._mid % 65_535 + 1
            body = name + struct.pack("!H", self._mid) + self._payload()
            yield b"\x32" + _length(len(body)) + body

    def _payload(self) -> bytes:
        seqs = range(self._seq + 1, self._seq + 1 + self._readings)
        self._seq += self._readings
        records = b",".join(
            b"%b%d%b" % (self._before, self._started_ns + seq * HOP_NS, self._after) for seq in seqs
        )
        return self._head % (b",".join(b"%d" % seq for seq in seqs), records)


def _halves() -> tuple[bytes, bytes]:
    """Return a reading before and after its time."""
    before, _, after = encode(reading(0)).partition(b'"time_ns":0')
    return before + b'"time_ns":', after


def _envelope(topic: Topic) -> bytes:
    sid = f"{abs(hash((topic, time.time_ns()))):016x}"[-16:]
    said = f'"v":{WIRE_SCHEMA},"agent":"{topic.agent}","subject":"{topic.subject}"'
    return f'{{{said},"stream":"{topic.stream}","sid":"{sid}","seqs":[%b],"records":[%b]}}'.encode()


def _connected(port: int, name: str) -> socket.socket:
    found = socket.create_connection(("127.0.0.1", port), 10)
    body = _text("MQTT") + bytes([4, 2]) + struct.pack("!H", 60) + _text(name)
    found.sendall(b"\x10" + _length(len(body)) + body)
    answer = found.recv(4)
    if len(answer) < 4 or answer[3]:
        raise SystemExit(f"the broker refuses {name}: {answer!r}")
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def _length(n: int) -> bytes:
    out = bytearray()
    while n > 127:
        out.append(n % 128 | 128)
        n //= 128
    return bytes([*out, n])


def _text(text: str) -> bytes:
    return struct.pack("!H", len(text)) + text.encode()


def send(port: int, messages: int, readings: int, agents: int, window: int) -> float:
    """Send so many messages from each of the agents; return the seconds that the broker took."""
    all_of_them = [Agent(port, i, messages, readings, window) for i in range(agents)]
    begun = time.monotonic()
    while not all(agent.done for agent in all_of_them):
        if time.monotonic() - begun > LONGEST_S:
            raise SystemExit(f"not sent within {LONGEST_S} s")
        by_socket = {agent.socket: agent for agent in all_of_them}
        writers = [agent.socket for agent in all_of_them if agent.wants]
        readable, writable, _ = select.select(list(by_socket), writers, [], 1)
        for ready in readable:
            by_socket[ready].read()
        for ready in writable:
            by_socket[ready].write()
    return time.monotonic() - begun


def main() -> None:
    """Send, and say how fast."""
    parser = argparse.ArgumentParser(description="Readings by the thousand, to a local broker.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--messages", type=int, default=10_000, help="of each agent")
    parser.add_argument("--readings", type=int, default=1, help="in each message")
    parser.add_argument("--agents", type=int, default=4)
    parser.add_argument("--window", type=int, default=500, help="messages without their PUBACK")
    given = parser.parse_args()
    took_s = send(given.port, given.messages, given.readings, given.agents, given.window)
    sent = given.messages * given.agents
    print(f"{sent} messages of {given.readings} readings in {took_s:.2f} s: {sent / took_s:,.0f}/s")


if __name__ == "__main__":
    main()
