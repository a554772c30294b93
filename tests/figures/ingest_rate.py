"""How much one ingest takes: ``python -m tests.figures.ingest_rate``.

A real Mosquitto and a load generator run beside it. Readings of 52 fields arrive singly or 16 in a
message; a reading counts when the spool has it on the disk. The processor time is this process's,
connection, receiver and (in the rows that say so) worker included. Goals: 5,000 messages of one
reading and 20,000 readings in messages of 16 a second.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from diastole.edge.mqtt import Broker, Connection
from diastole.ingest.intake import Intake
from diastole.ingest.log import Log
from diastole.ingest.receiver import Receiver
from diastole.ingest.service import IN_FLIGHT, SESSION_S, Service
from diastole.ingest.settings import Ingest, SpoolSettings, Sqlite
from diastole.ingest.spool import Limits, Spool, prepared
from tests.conftest import ROOT
from tests.servers import Absent, find, mosquitto, until

AGENTS = 4
READINGS = 40_000
LONGEST_S = 120
LIMITS = Limits(most_bytes=10**12, free_bytes=1)


class Running(NamedTuple):
    """What is measured: how many readings are durable, and (with a worker) how many are stored."""

    kept: Callable[[], int]
    stored: Callable[[], int]


@contextmanager
def receiving(port: int, folder: Path, log: Log) -> Iterator[Running]:
    """Give connection, receiver and spool, without a worker."""
    stopping = threading.Event()
    receiver = Receiver(log, stopping, lambda: None, wall_ns=time.time_ns, monotonic=time.monotonic)
    prepared(folder / "spool.db", time.time_ns())
    intake = Intake(Spool(folder / "spool.db", LIMITS), log)
    line = Connection(
        Broker(port=port),
        "ingest",
        subscriptions=["diastole/v1/+/+/+/+"],
        on_message=receiver.on_message,
        session_expiry_s=SESSION_S,
        receive_maximum=IN_FLIGHT,
    )
    thread = threading.Thread(target=receiver.run, args=[intake, line])
    thread.start()
    line.start()
    until(lambda: line.connected, "a connection")
    yield Running(lambda: intake.counts["kept"], lambda: 0)
    stopping.set()
    receiver.wake()
    thread.join()
    line.stop()


@contextmanager
def serving(port: int, folder: Path, log: Log) -> Iterator[Running]:
    """Give the whole of ingest, with the store in a file."""
    spool = SpoolSettings(path=str(folder / "spool.db"))
    store = Sqlite(path=str(folder / "store.db"))
    service = Service(Ingest(broker=Broker(port=port), spool=spool, sqlite=store), log)
    thread = threading.Thread(target=service.run)
    thread.start()
    until(lambda: service.connection.connected, "a connection")
    yield Running(lambda: service.counts()["kept"], lambda: service.counts()["stored"])
    service.stop()
    thread.join()


def measured(name: str, part: Callable[[int, Path, Log], object], batch: int) -> None:
    """Print a row of the table."""
    with tempfile.TemporaryDirectory() as home, open(os.devnull, "w", encoding="utf-8") as nowhere:
        folder, log = Path(home), Log(time.time_ns, time.monotonic, nowhere)
        (folder / "broker").mkdir()
        folder.chmod(0o755)
        lines = ("max_queued_messages 0", "max_inflight_messages 2000")
        with mosquitto(folder / "broker", *lines) as broker, part(broker.port, folder, log) as it:  # type: ignore[attr-defined]
            kept_s, stored_s, cpu_s = _timed(broker.port, it, batch, part is serving)
    rate = READINGS / kept_s
    stored = f", in the store {READINGS / stored_s:7,.0f}/s" if stored_s else ""
    print(
        f"{name}, {batch:2} a message: {rate / batch:7,.0f} messages/s, {rate:7,.0f} readings/s"
        f"{stored}, {cpu_s / READINGS * 1e6:5.0f} us of processor a reading"
    )


def _timed(port: int, it: Running, batch: int, stores: bool) -> tuple[float, float, float]:
    """Return how long it took until all were kept, and stored, and the processor's time."""
    each = READINGS // batch // AGENTS
    command = [sys.executable, "-m", "tests.faults.load", f"--port={port}", f"--messages={each}"]
    command += [f"--readings={batch}", f"--agents={AGENTS}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL):
        until(it.kept, "the first reading", LONGEST_S)
        begun, cpu = time.monotonic(), time.process_time()
        until(lambda: it.kept() >= READINGS, "all readings", LONGEST_S)
        kept_s, stored_s = time.monotonic() - begun, 0.0
        if stores:
            until(lambda: it.stored() >= READINGS, "all rows", LONGEST_S)
            stored_s = time.monotonic() - begun
        return kept_s, stored_s, time.process_time() - cpu


def main() -> None:
    """Print the table, or what is missing for it."""
    try:
        find("mosquitto")
    except Absent as absent:
        print(absent)
        return
    for name, part in (("receiver and spool", receiving), ("with worker, SQLite", serving)):
        for batch in (1, 16):
            measured(name, part, batch)


if __name__ == "__main__":
    main()
