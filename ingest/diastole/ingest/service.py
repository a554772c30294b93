"""``diastole ingest``: connection, receiver and worker joined, watched, and ended in order."""

import logging
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import format_exception
from typing import Final

from diastole.edge.errors import DiastoleError, InputError
from diastole.edge.locks import Lock, is_held
from diastole.edge.mqtt import Connection
from diastole.edge.notify import READY, STOPPING, Watchdog, notify
from diastole.edge.outputs import make_folder
from diastole.ingest.intake import Intake
from diastole.ingest.log import Forwarded, Log
from diastole.ingest.own import Own
from diastole.ingest.receiver import Receiver
from diastole.ingest.settings import Ingest
from diastole.ingest.spool import Spool, prepared
from diastole.ingest.worker import Stopped, Worker

SESSION_S: Final = 7 * 86_400
"""So long the broker keeps what comes while ingest is away."""
IN_FLIGHT: Final = 2_000
"""Messages that the broker gives before the first is acknowledged: what a commit can gather."""
_LOOK_S: Final = 0.5


class Service:
    """An ingest process; its threads end together."""

    def __init__(self, settings: Ingest, log: Log) -> None:
        self._settings = settings
        self._log = log
        self._stopping = threading.Event()
        self._waiting = threading.Event()
        self._broken: list[BaseException] = []
        self._intake: Intake | None = None
        self._worker: Worker | None = None
        self._receiver = Receiver(
            log,
            self._stopping,
            self._waiting.set,
            wall_ns=time.time_ns,
            monotonic=time.monotonic,
        )
        self.connection = Connection(
            settings.broker,
            settings.name,
            subscriptions=settings.subscriptions,
            on_message=self._receiver.on_message,
            on_up=lambda generation: log.say("connected", broker=settings.broker, n=generation),
            on_down=lambda why: log.say("connection lost", why=why),
            session_expiry_s=SESSION_S,
            receive_maximum=IN_FLIGHT,
        )

    def stop(self, *_: object) -> None:
        """Ask it to end; what is in hand is finished. Any thread may, and a signal."""
        self._stopping.set()

    def counts(self) -> Counter[str]:
        """Return what has happened since it began, by the names of ``own.COUNTS``."""
        parts = [part.counts for part in (self._intake, self._worker) if part is not None]
        return sum(parts, Counter())

    def run(self) -> int:
        """Work until it is asked to stop (0) or a part has failed (1)."""
        path = self._settings.spool_file
        with _alone(path):
            for note in prepared(path, time.time_ns()):
                self._log.say("spool", note=note)
            threads = [self._thread("receiver", self._receive), self._thread("worker", self._work)]
            self.connection.start()
            self._log.say("started", name=self._settings.name, spool=path)
            notify(READY)
            try:
                self._watch()
            finally:
                self._end(threads)
        for error in self._broken:
            ours = isinstance(error, DiastoleError)
            why = str(error) if ours else "".join(format_exception(error))
            self._log.say("failed", why=why, do="start it again")
        self._log.say("stopped")
        return 1 if self._broken else 0

    def _watch(self) -> None:
        watchdog = Watchdog()
        while not self._stopping.wait(_LOOK_S):
            watchdog.alive()
            if not self.connection.alive:
                self._broken.append(RuntimeError("the connection's thread has ended"))
                self._stopping.set()

    def _end(self, threads: list[threading.Thread]) -> None:
        notify(STOPPING)
        self._stopping.set()
        self._receiver.wake()
        self._waiting.set()
        threads[0].join()  # what it has kept is acknowledged while the connection is there
        self.connection.stop()
        threads[1].join()

    def _thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True)
        thread.start()
        return thread

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Stopped:
            pass
        except BaseException as error:
            self._broken.append(error)
            self._stopping.set()

    def _receive(self) -> None:
        spool = Spool(self._settings.spool_file, self._settings.limits)
        try:
            self._intake = Intake(spool, self._log)
            self._receiver.run(self._intake, self.connection)
        finally:
            spool.close()

    def _work(self) -> None:
        spool, store = Spool(self._settings.spool_file), self._settings.store()
        try:
            self._worker = worker = Worker(
                spool, store, self._log, self._stopping, seed=time.time_ns()
            )
            own = Own(self._settings.name, time.monotonic())
            while not self._stopping.is_set():
                self._waiting.clear()
                if own.is_due(time.monotonic()):
                    self._tell(own, spool, worker)
                if not worker.step():
                    self._waiting.wait(_LOOK_S)
        finally:
            store.close()
            spool.close()

    def _tell(self, own: Own, spool: Spool, worker: Worker) -> None:
        full = self._receiver.full
        row = own.row(time.monotonic(), time.time_ns(), self.counts(), spool, full=full)
        self._log.say("status", **row.fields)
        worker.write_own(row)


def serve(settings: Ingest) -> int:
    """Run ingest until SIGTERM or SIGINT."""
    settings.broker.password()
    settings.broker.tls()
    log = Log(time.time_ns, time.monotonic)
    logging.getLogger().addHandler(Forwarded(log))
    service = Service(settings, log)
    for which in (signal.SIGTERM, signal.SIGINT):
        signal.signal(which, service.stop)
    return service.run()


def is_running(spool: Path) -> bool:
    """Return whether a process works with this spool."""
    return is_held(_lock_of(spool))


@contextmanager
def _alone(spool: Path) -> Iterator[None]:
    """Hold the spool; raise InputError where another process has it."""
    make_folder(spool.parent, 0o700)
    try:
        lock = Lock(_lock_of(spool))
    except BlockingIOError:
        what = f"another process works with the spool {spool}"
        raise InputError(what, "stop it, or name another [spool] path") from None
    try:
        yield
    finally:
        lock.close()


def _lock_of(spool: Path) -> Path:
    return spool.with_name(spool.name + ".lock")
