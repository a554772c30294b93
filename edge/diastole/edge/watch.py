"""``diastole watch``: what a broker carries, as a board in a terminal or as lines without one."""

import re
import sys
import time
import tomllib
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from secrets import token_hex
from typing import Final, NamedTuple

import msgspec
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from diastole.edge.errors import BadFile, InputError
from diastole.edge.mqtt import Broker, Connection, Received
from diastole.edge.settings import read_table
from diastole.edge.views.board import Board
from diastole.edge.views.phrases import clean
from diastole.edge.wire import Noun, decode
from diastole.edge.wire.messages import Message, parse
from diastole.edge.wire.topics import NAME, ROOT, VERSION, Stream, Topic
from diastole.edge.wire.topics import parse as parse_topic

SHOWN: Final = (Stream.READING, Stream.EVENT, Stream.STATUS, Stream.MARK)
ONCE_S: Final = 6.0
"""A hop of the agents and a second: so long is listened before the one picture of ``--once``."""
FRAME_S: Final = 0.5
"""A terminal is not redrawn more often."""
REST_S: Final = 1.0
"""Where nothing comes for so long, ages are brought up to date."""


class Heard(NamedTuple):
    """A record as it came; one that was sent again comes again, under the same sid and seq."""

    topic: Topic
    sid: str | None
    seq: int | None
    record: Noun


class Listener:
    """Hears a broker as a viewer: nothing is kept for it while it is away."""

    def __init__(self, broker: Broker, site: str = "+") -> None:
        self.broker = broker
        self.misheard = 0
        """Messages that are none of ours, or of another schema."""
        self.last_misheard = ""
        self._queue: SimpleQueue[Received] = SimpleQueue()
        self.connection = Connection(
            broker,
            f"watch-{token_hex(4)}",
            subscriptions=[f"{ROOT}/{VERSION}/{site}/+/+/{stream}" for stream in SHOWN],
            on_message=self._receive,
            clean=True,
        )

    def _receive(self, received: Received) -> None:
        self.connection.acknowledge(received)
        self._queue.put(received)

    def hear(self, seconds: float) -> Iterator[Heard]:
        """Wait so long for a message; yield its records, and those of all that wait behind it."""
        try:
            received = self._queue.get(timeout=seconds)
            while True:
                yield from self._records(received)
                received = self._queue.get_nowait()
        except Empty:
            return

    def _records(self, received: Received) -> Iterator[Heard]:
        try:
            topic = parse_topic(received.topic)
            message = parse(received.payload, Message)
            seqs: Sequence[int | None] = message.seqs or [None] * len(message.records)
            heard = [
                Heard(topic, message.sid, seq, decode(bytes(raw)))
                for seq, raw in zip(seqs, message.records, strict=True)
            ]
        except InputError as error:
            self.misheard += 1
            self.last_misheard = f"{clean(received.topic)}: {error}"
            return
        yield from heard

    @property
    def trouble(self) -> str:
        """Why nothing can be heard, or not all, in one sentence; empty where all is well."""
        if self.connection.trouble:
            return self.connection.trouble
        if not self.connection.connected:
            return f"the broker at {self.broker} has not answered yet"
        if self.misheard:
            return f"{self.misheard} messages were not understood, last {self.last_misheard}"
        return ""

    @property
    def place(self) -> str:
        """Where the broker is, and what it speaks where that is known."""
        version = self.connection.version if self.connection.connected else ""
        spoken = f", MQTT {version}" if version else ""
        return f"{self.broker}{spoken}"


@contextmanager
def listening(broker: Broker, site: str = "+") -> Iterator[Listener]:
    """Give a listener that is connected, or tries to be, until the block ends."""
    listener = Listener(broker, site)
    listener.connection.start()
    try:
        yield listener
    finally:
        listener.connection.stop()


def watch(given: Namespace, console: Console) -> int:
    """Show what the broker carries until interrupted, or once; return 1 where nothing came."""
    broker = chosen_broker(given.broker, given.config)
    site = given.site or "+"
    if given.site and not re.fullmatch(NAME, given.site):
        wrong = f"--site {given.site!r} is no name of a site"
        raise InputError(wrong, "use a-z, 0-9 and -")
    with listening(broker, site) as listener:
        if given.once:
            return _once(listener, console, as_json=given.json)
        if given.json:
            _as_json(listener)
        elif console.is_terminal and not console.is_dumb_terminal:
            _as_board(listener, console)
        else:
            _as_lines(listener, console)
    return 0


def chosen_broker(place: str | None, config: Path | None) -> Broker:
    """Return the broker that the user named: ``host:port``, the ``[broker]`` of a file, or ours."""
    if place and config:
        wrong = "--broker and --config name a broker each"
        raise InputError(wrong, "give one of them")
    if config is not None:
        return _of_file(config)
    if place is None:
        return Broker()
    host, _, port = place.rpartition(":") if ":" in place else (place, "", "1883")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        wrong = f"--broker {place!r} is no HOST:PORT"
        raise InputError(wrong, "write it as in 127.0.0.1:1883")
    broker = Broker(host=host.strip("[]"), port=int(port))
    for mistake in broker.mistakes():
        wrong = f"--broker {place}: {mistake.what}"
        raise InputError(wrong, "give its settings by --config FILE")
    return broker


def _of_file(config: Path) -> Broker:
    """Return the ``[broker]`` of a file, unless it is the login of somebody who is at work."""
    broker = read_table(config, "broker", Broker) or Broker()
    others = tomllib.loads(config.read_text(encoding="utf-8-sig")).keys() - {"broker"}
    if broker.user is not None and others:
        what = "names a user that belongs to an agent or to ingest, whom this would throw off"
        remedy = "give a file of a [broker] alone, with a viewer's user"
        raise BadFile(config, what, remedy)
    return broker


def _once(listener: Listener, console: Console, *, as_json: bool) -> int:
    """Show what comes within a hop, the retained health of agents included."""
    board = Board()
    ends_s = time.monotonic() + ONCE_S
    while (left_s := ends_s - time.monotonic()) > 0:
        for heard in listener.hear(left_s):
            _taken(board, heard)
            if as_json:
                print(as_json_line(heard), flush=True)
    if listener.trouble and not board.known:
        wrong = "nothing was heard"
        raise InputError(wrong, listener.trouble)
    if not as_json:
        console.print(_drawn(board, listener, console))
    return 0 if board.known else 1


def _as_json(listener: Listener) -> None:
    for line in _forever(listener):
        match line:
            case Heard():
                print(as_json_line(line), flush=True)
            case str():
                print(f"diastole: {line}", file=sys.stderr)


def _as_lines(listener: Listener, console: Console) -> None:
    board = Board()
    for line in _forever(listener):
        for text in _taken(board, line) if isinstance(line, Heard) else [line]:
            console.print(Text(text), soft_wrap=True)


def _as_board(listener: Listener, console: Console) -> None:
    board = Board()
    drawn_s = 0.0
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            for heard in listener.hear(REST_S):
                _taken(board, heard)
            if (wait_s := drawn_s + FRAME_S - time.monotonic()) > 0:
                time.sleep(wait_s)
            drawn_s = time.monotonic()
            live.update(_drawn(board, listener, console), refresh=True)


def _forever(listener: Listener) -> Iterator[Heard | str]:
    """Yield what comes, and each new trouble as a sentence."""
    told: str | None = None
    while True:
        yield from listener.hear(REST_S)
        trouble = listener.trouble
        if trouble != told:
            yield trouble or f"the broker at {listener.place} is there"
            told = trouble


def as_json_line(heard: Heard) -> str:
    """Return a record with its origin as one line of JSON."""
    told = {**heard.topic._asdict(), "sid": heard.sid, "seq": heard.seq, "record": heard.record}
    return msgspec.json.encode(told).decode()


def _taken(board: Board, heard: Heard) -> list[str]:
    now_ns = time.time_ns()
    news = board.take(heard.topic, heard.record, now_ns, time.monotonic())
    return [board.line(one, now_ns) for one in news]


def _drawn(board: Board, listener: Listener, console: Console) -> RenderableType:
    return board.draw(
        console,
        time.time_ns(),
        time.monotonic(),
        title=f"diastole at {listener.place}",
        trouble=listener.trouble,
    )
