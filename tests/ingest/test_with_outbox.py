"""A real outbox and its publisher against real ingest: what is let go is in the store."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from diastole.edge.delivery.outbox import Outbox
from diastole.edge.delivery.publisher import Publisher
from diastole.edge.mqtt import Broker, Connection
from diastole.edge.wire.topics import Stream
from diastole.ingest.stores.sqlite import SqliteStore
from tests.delivery.makers import opened, tick
from tests.ingest.serving import Serving, write_settings
from tests.servers import Running, mosquitto, until

RECORDS = 2_000


@contextmanager
def sending(outbox: Outbox, port: int) -> Iterator[Callable[[], bool]]:
    """Give what sends a little more, and returns whether all is let go."""
    publisher = Publisher(outbox, "home", "pi", time.monotonic)
    line = Connection(
        Broker(port=port),
        "pi",
        subscriptions=publisher.subscriptions,
        on_message=publisher.on_message,
        on_up=publisher.on_up,
        on_down=publisher.on_down,
        on_published=publisher.on_published,
        session_expiry_s=86_400,
    )
    line.start()

    def more() -> bool:
        publisher.pump(line)
        return not outbox.streams()

    yield more
    line.stop()


def marks(path: Path) -> int:
    store = SqliteStore(path)
    try:
        return store.count().get("mark", 0)
    finally:
        store.close()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "broker").mkdir()
    with mosquitto(tmp_path / "broker", "max_queued_messages 0") as running:
        yield running


def test_law_9_what_an_outbox_lets_go_is_in_the_store(tmp_path: Path, broker: Running) -> None:
    home, outbox = tmp_path / "home", opened(tmp_path)
    outbox.commit(tick(Stream.MARK, *range(RECORDS)))
    with (
        Serving(write_settings(home, broker.port)) as serving,
        sending(outbox, broker.port) as more,
    ):
        until(lambda: more() or outbox.depth().rows < RECORDS, "some to be let go")
        serving.kill()
        outbox.commit(tick(Stream.MARK, *range(RECORDS, 2 * RECORDS)))
        broker.kill()
        broker.start()
        serving.start()
        until(more, "all to be let go", 60)
        until(lambda: marks(home / "store.db") == 2 * RECORDS, "all to be stored")
        assert serving.stop() == 0
    outbox.close()


def test_a_spool_that_was_lost_does_not_stop_an_agent(tmp_path: Path, broker: Running) -> None:
    home, outbox = tmp_path / "home", opened(tmp_path)
    with (
        Serving(write_settings(home, broker.port)) as serving,
        sending(outbox, broker.port) as more,
    ):
        outbox.commit(tick(Stream.MARK, *range(10)))
        until(more, "all to be let go")
        until(lambda: marks(home / "store.db") == 10, "all to be stored")
        serving.stop()
        for end in ("", "-wal", "-shm"):
            (home / f"spool.db{end}").unlink(missing_ok=True)
        (home / "spool.db").write_text("no database\n" * 1_000)
        outbox.commit(tick(Stream.MARK, *range(10, 20)))
        serving.start()
        until(more, "all to be let go", 30)
        until(lambda: marks(home / "store.db") == 20, "all to be stored")
        assert "the spool was ruined" in serving.said
    outbox.close()
