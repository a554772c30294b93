"""From said to readable, and how fast a backlog leaves: ``python -m tests.figures.delay``.

A real outbox and publisher in this process, as an agent pumps them; Mosquitto, ``diastole ingest``
and InfluxDB beside it. A reading counts from the call that commits it to the moment when a query
gives it. First an agent alone; then one that was away for a day, whose live readings go on while
the backlog drains. Goals: p99 under 1 s alone, under 2 s beside a backlog of at least 2,000/s.
"""

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Final
from urllib.parse import urlencode
from urllib.request import urlopen

import msgspec
import numpy as np

from diastole.edge.agent.nouns import readings_of
from diastole.edge.delivery import Item, Tick
from diastole.edge.delivery.limits import Limits
from diastole.edge.delivery.outbox import Outbox
from diastole.edge.delivery.publisher import Publisher
from diastole.edge.mqtt import Broker, Connection
from diastole.edge.pipeline.judge import judge
from diastole.edge.pipeline.rules import Rules
from diastole.edge.records import SECOND_NS, Reading
from diastole.edge.replay.session import choose_model
from diastole.edge.replay.walk import observe
from diastole.edge.wire.topics import Stream
from tests.faults.parts import diastole
from tests.figures.observed import DATA
from tests.servers import influxd, mosquitto, until

HOP_NS: Final = 5 * SECOND_NS
DAY: Final = 17_280
LIVE: Final = 240
"""Readings of the agent alone, ..."""
LIVE_S: Final = 0.1
"""... one so often: fifty wearers'."""
BESIDE_S: Final = 0.1
PUMP_S: Final = 0.05


def main() -> None:
    """Print both delays and the rate of the backlog."""
    some = sample()
    now_ns = time.time_ns() // HOP_NS * HOP_NS
    with tempfile.TemporaryDirectory(prefix="diastole-delay-") as name, ExitStack() as stack:
        folder = Path(name)
        for part in ("broker", "store"):
            (folder / part).mkdir()
        folder.chmod(0o755)
        broker = stack.enter_context(mosquitto(folder / "broker", "max_queued_messages 0"))
        store = stack.enter_context(influxd(folder / "store"))
        settings = folder / "ingest.toml"
        settings.write_text(
            f'[broker]\nport = {broker.port}\n[spool]\npath = "{folder}/spool.db"\n'
            f'[influx]\nurl = "http://127.0.0.1:{store.port}"\n',
            encoding="utf-8",
        )
        init = diastole("init", folder, "ingest", "--config", settings, "init")
        init.start()
        until(lambda: init.code is not None, "the database")
        ingest = diastole("ingest", folder, "ingest", "--config", settings)
        ingest.start()
        stack.callback(ingest.stop)
        until(lambda: ingest.log.exists() and "connected" in ingest.log.read_text(), "ingest")

        outbox = Outbox.open(folder / "alone.db", Limits(), time.time_ns)
        with seen(store.port, "alone") as times, sending(outbox, broker.port, "alone") as pump:
            alone = live(outbox, some, now_ns, LIVE, LIVE_S, pump, times)
        outbox.close()
        print(f"alone: {LIVE} readings, {told(alone)} (goal: p99 under 1 s)", flush=True)

        outbox = Outbox.open(folder / "away.db", Limits(), time.time_ns)
        for n in range(0, DAY, 60):
            outbox.commit(
                Tick([item(some, now_ns - (DAY - k) * HOP_NS, k) for k in range(n, n + 60)])
            )
        with (
            seen(store.port, "away", now_ns) as times,
            sending(outbox, broker.port, "away") as pump,
        ):
            begun, drained = time.monotonic(), 0.0

            def gone() -> bool:
                nonlocal drained
                if not drained and outbox.depth().rows <= 1:  # all but the last one said
                    drained = time.monotonic() - begun
                return bool(drained)

            beside = live(outbox, some, now_ns, DAY, BESIDE_S, pump, times, gone)
        outbox.close()
    print(
        f"a day's backlog: {DAY} readings drained in {drained:.1f} s, {DAY / drained:,.0f}/s "
        f"(goal: 2,000/s); beside it {len(beside)} live readings, "
        f"{told(beside)} (goal: p99 under 2 s)"
    )


def sample() -> list[Reading]:
    """Return a real session's readings."""
    session, model = observe(DATA / "hongn" / "stress" / "S06.zip"), choose_model("shipped")
    assert model is not None
    readings = judge(session.observations, model, Rules())
    return readings_of(readings, model=model.hash, simulated=False)


def item(some: list[Reading], time_ns: int, n: int) -> Item:
    """Return one of them at another time."""
    moved = msgspec.structs.replace(some[n % len(some)], time_ns=time_ns)
    return Item("w-1", Stream.READING, moved)


def live(
    outbox: Outbox,
    some: list[Reading],
    first_ns: int,
    n: int,
    every_s: float,
    pump: "Pump",
    times: dict[int, float],
    enough: Callable[[], bool] = bool,
) -> list[float]:
    """Commit readings one by one; return how long each took until a query gave it."""
    said: dict[int, float] = {}
    for k in range(n):
        time_ns = first_ns + k * HOP_NS
        said[time_ns // 1_000_000] = time.monotonic()
        outbox.commit(Tick([item(some, time_ns, k)]))
        pump(said[time_ns // 1_000_000] + every_s)
        if enough():
            break

    def all_there() -> bool:
        pump(0.0)
        return said.keys() <= times.keys()

    until(all_there, "the readings to be readable", 60)
    return [times[at] - begun for at, begun in said.items()]


class Pump:
    """Pumps as the agent does, until a moment."""

    def __init__(self, publisher: Publisher, line: Connection) -> None:
        self._publisher, self._line = publisher, line

    def __call__(self, until_s: float) -> None:
        """Pump once, and on until then."""
        while True:
            self._publisher.pump(self._line)
            rest = until_s - time.monotonic()
            if rest <= 0:
                return
            time.sleep(min(PUMP_S, rest))


@contextmanager
def sending(outbox: Outbox, port: int, agent: str) -> Iterator[Pump]:
    """Give the agent's line out."""
    publisher = Publisher(outbox, "lab", agent, time.monotonic)
    line = Connection(
        Broker(port=port),
        agent,
        subscriptions=publisher.subscriptions,
        on_message=publisher.on_message,
        on_up=publisher.on_up,
        on_down=publisher.on_down,
        on_published=publisher.on_published,
    )
    line.start()
    until(lambda: line.connected, "a connection")
    yield Pump(publisher, line)
    line.stop()


@contextmanager
def seen(port: int, agent: str, since_ns: int = 0) -> Iterator[dict[int, float]]:
    """Give when a query first gave each reading from ``since_ns`` on, by its millisecond."""
    times: dict[int, float] = {}
    stop = Event()

    def look() -> None:
        newest_ns = since_ns - 1
        while not stop.wait(0.01):
            query = (
                "SELECT decision_code FROM raw.reading "
                f"WHERE agent = '{agent}' AND time > {newest_ns - 60 * SECOND_NS} AND "
                f"time >= {since_ns}"
            )
            asked = urlencode({"db": "diastole", "epoch": "ms", "q": query}).encode()
            with urlopen(f"http://127.0.0.1:{port}/query", asked, timeout=10) as answer:
                result = json.load(answer)["results"][0]
            now = time.monotonic()
            for row in (result.get("series") or [{"values": []}])[0]["values"]:
                times.setdefault(int(row[0]), now)
                newest_ns = max(newest_ns, int(row[0]) * 1_000_000)

    thread = Thread(target=look)
    thread.start()
    try:
        yield times
    finally:
        stop.set()
        thread.join()


def told(delays: list[float]) -> str:
    """Say the median and the 99th centile."""
    median, worst = np.percentile(delays, [50, 99])
    return f"median {median:.2f} s, p99 {worst:.2f} s"


if __name__ == "__main__":
    main()
