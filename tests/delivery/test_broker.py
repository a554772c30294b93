"""Over a real Mosquitto: everything arrives, unchanged, whatever becomes of the broker."""

import queue
import time
from collections.abc import Callable
from pathlib import Path

from diastole.edge.delivery import Item, Tick
from diastole.edge.delivery.outbox import Outbox
from diastole.edge.delivery.publisher import Publisher
from diastole.edge.mqtt import Broker, Connection, Received
from diastole.edge.wire import topics
from diastole.edge.wire.messages import Message, parse
from diastole.edge.wire.topics import NOBODY, Stream
from tests.delivery.doubles import AGENT, SITE, Ingest
from tests.delivery.makers import held, opened, record, tick
from tests.servers import Running, mosquitto, until


class Listener:
    """An ingest behind a real connection: holds what arrives and acknowledges it."""

    def __init__(self, port: int) -> None:
        self.ingest = Ingest()
        self.retained: list[Message] = []
        self.arrived: queue.SimpleQueue[Received] = queue.SimpleQueue()
        self.connection = Connection(
            Broker(port=port),
            "ingest",
            subscriptions=(topics.EVERYTHING,),
            on_message=self.arrived.put,
            session_expiry_s=3600,
            receive_maximum=2000,
        )
        self.connection.start()

    def step(self) -> None:
        """Take in what has arrived."""
        while not self.arrived.empty():
            received = self.arrived.get()
            levels = topics.parse(received.topic)
            said = None if levels.stream is Stream.HELLO else parse(received.payload, Message)
            if said is not None and said.sid is None:
                self.retained.append(said)
            else:
                self.ingest.take(received.topic, received.payload)
            self.connection.acknowledge(received)
        if self.ingest.asked:
            self.connection.publish(topics.ack(SITE, AGENT), self.ingest.held())


class Agent:
    """An outbox and its publisher on a real connection."""

    def __init__(self, outbox: Outbox, port: int) -> None:
        self.outbox = outbox
        self.publisher = Publisher(outbox, SITE, AGENT, time.monotonic)
        self.connection = Connection(
            Broker(port=port),
            AGENT,
            subscriptions=self.publisher.subscriptions,
            on_message=self.publisher.on_message,
            on_up=self.publisher.on_up,
            on_down=self.publisher.on_down,
            on_published=self.publisher.on_published,
            will=self.publisher.will,
            session_expiry_s=86_400,
        )
        self.connection.start()

    def step(self) -> None:
        self.publisher.pump(self.connection)


def emptied(agent: Agent, *parties: Agent | Listener) -> Callable[[], bool]:
    def done() -> bool:
        for party in (agent, *parties):
            party.step()
        return not agent.outbox.streams()

    return done


def test_a_backlog_and_what_is_new_arrive_and_the_broker_may_be_killed(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    for n in range(0, 3000, 500):
        outbox.commit(tick(Stream.READING, *range(n, n + 500), size=1800))
    with mosquitto(tmp_path) as broker:
        listener = Listener(broker.port)
        until(lambda: listener.connection.connected, "ingest to be there")
        agent = Agent(outbox, broker.port)

        def some() -> bool:
            agent.step()
            listener.step()
            return len(listener.ingest.records) > 500

        until(some, "some records")
        broker.kill()
        outbox.commit(tick(Stream.MARK, *range(20)))
        expected = held(outbox)
        broker.start()
        until(emptied(agent, listener), "all to be acknowledged", 60)
        assert expected.items() <= listener.ingest.records.items()
        assert len(listener.ingest.records) == 3020
        assert not listener.ingest.changed
        agent.connection.stop()
        listener.connection.stop()
    outbox.close()


def test_law_9_without_a_listener_it_holds_and_says_so(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    outbox.commit(tick(Stream.READING, 1))
    with mosquitto(tmp_path) as broker:
        agent = Agent(outbox, broker.port)

        def told() -> bool:
            agent.step()
            return "start diastole ingest" in (agent.publisher.trouble or "")

        until(told, "the publisher to say that nobody listens")
        listener = Listener(broker.port)
        until(emptied(agent, listener), "the record to be acknowledged", 60)
        agent.connection.stop()
        listener.connection.stop()
    outbox.close()


def test_its_status_is_retained_and_its_going_is_told(tmp_path: Path) -> None:
    outbox = opened(tmp_path)
    with mosquitto(tmp_path) as broker:
        listener = Listener(broker.port)
        until(lambda: listener.connection.connected, "ingest to be there")
        agent = Agent(outbox, broker.port)
        outbox.commit(Tick([Item(NOBODY, Stream.STATUS, record(Stream.STATUS, 1))]))
        until(emptied(agent, listener), "the status to be acknowledged")
        (seen,) = _retained(broker)
        assert seen.sid in outbox.lines
        agent.connection.stop([(*agent.publisher.will, True)])
        (seen,) = _retained(broker)
        assert seen.sid is None
        listener.connection.stop()
    outbox.close()


def _retained(broker: Running) -> list[Message]:
    """Return what the broker gives to who comes now."""
    import subprocess

    from tests.servers import needed

    said = subprocess.run(
        [
            needed("mosquitto_sub"),
            *("-p", str(broker.port), "-t", topics.EVERYTHING, "--retained-only", "-C", "1"),
            *("-W", "5"),
        ],
        capture_output=True,
        check=False,
    )
    return [parse(line, Message) for line in said.stdout.splitlines()]
