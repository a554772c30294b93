"""A phone hands records over to the whole agent on a real broker."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from diastole.edge.mqtt import Broker, Connection
from diastole.edge.records import Beat, BeatKind, Mark, Status
from diastole.edge.wire import encode
from diastole.edge.wire.topics import Inbound, Stream
from tests.agent.ingesting import Ingest, Process
from tests.agent.test_run import settings
from tests.servers import Running, mosquitto, until

SECOND_NS = 10**9
PHONE = 'beats = true\n[[phone]]\nsubject = "anna"\ndevice = "strap"'
LOGGER = PHONE + '\nkind = "polar-sensor-logger"\ntopic = "psl"'
TOPIC = str(Inbound("home", "agent", "anna", "strap"))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Running]:
    folder = tmp_path / "broker"
    folder.mkdir()
    with mosquitto(folder) as running:
        yield running


@pytest.fixture
def ingest(broker: Running) -> Iterator[Ingest]:
    with Ingest(broker.port) as taking:
        until(lambda: taking.connected, "ingest to connect")
        yield taking


def hand(port: int, messages: Sequence[tuple[str, bytes]]) -> None:
    """Publish as another program does, and wait until the broker has all of it."""
    taken: list[int] = []
    outside = Connection(
        Broker(port=port),
        "phone",
        subscriptions=[],
        on_message=lambda _: None,
        on_published=lambda _, mid, __: taken.append(mid),
    )
    outside.start()
    until(lambda: outside.connected, "the phone")
    for topic, payload in messages:
        outside.publish(topic, payload)
    until(lambda: len(taken) == len(messages), "the broker to take them")
    outside.stop()


def beats(first_ns: int, n: int) -> list[Beat]:
    return [
        Beat(device="strap", time_ns=first_ns + k * SECOND_NS, rr_ms=1000.0, kind=BeatKind.RR)
        for k in range(n)
    ]


def device(ingest: Ingest) -> list[Status]:
    return [status for status in ingest.statuses() if status.device == "strap"]


def times(ingest: Ingest) -> list[int]:
    return [one.time_ns for one in ingest.of(Stream.BEAT) if isinstance(one, Beat)]


def test_ten_minutes_come_at_once_and_a_kill_loses_nothing(
    tmp_path: Path, broker: Running, ingest: Ingest
) -> None:
    path = phone(tmp_path, PHONE, broker)
    agent = Process(tmp_path, "run", str(path))
    until(lambda: device(ingest), "the device's status", 60)
    told = beats(time.time_ns() - 600 * SECOND_NS, 600)
    hand(broker.port, [(TOPIC, encode(one)) for one in told[:300]])
    until(lambda: times(ingest), "beats", 60)
    agent.kill()
    hand(broker.port, [(TOPIC, encode(one)) for one in told[300:]])
    again = Process(tmp_path, "run", str(path))
    # The verdict on a beat waits for what follows: the last few are not said yet.
    until(lambda: len(set(times(ingest))) >= 590, "the others", 60)
    assert again.terminate() == 0, again.said()
    came = times(ingest)
    assert len(set(came)) == len(came)
    assert sorted(came) == [one.time_ns for one in told[: len(came)]]
    assert len(ingest.of(Stream.READING)) >= 100


def test_a_kill_in_a_backlog_of_polar_sensor_logger_neither_doubles_nor_loses(
    tmp_path: Path, broker: Running, ingest: Ingest
) -> None:
    path = phone(tmp_path, LOGGER, broker)
    agent = Process(tmp_path, "run", str(path))
    until(lambda: device(ingest), "the device's status", 60)
    first_ms = time.time_ns() // 10**6 - 600_000
    told = [
        json.dumps(
            {"timeStamp": first_ms + 1000 * k + k * 37 % 200, "hr": 60, "rr": [1000]}
        ).encode()
        for k in range(600)
    ]
    hand(broker.port, [("psl/hr", one) for one in told[:300]])
    until(lambda: times(ingest), "beats", 60)
    agent.kill()
    hand(broker.port, [("psl/hr", one) for one in told[300:]])
    again = Process(tmp_path, "run", str(path))
    until(lambda: len(set(times(ingest))) >= 590, "the others", 60)
    assert again.terminate() == 0, again.said()
    # A beat that came twice or never moves all behind it by a second.
    off_ms = [t // 10**6 - first_ms - 1000 * k for k, t in enumerate(times(ingest))]
    assert -250 < min(off_ms) <= max(off_ms) < 250


def test_what_is_wrong_is_counted_and_named_and_the_rest_goes_on(
    tmp_path: Path, broker: Running, ingest: Ingest
) -> None:
    path = phone(tmp_path, PHONE, broker)
    agent = Process(tmp_path, "run", str(path))
    until(lambda: device(ingest), "the device's status", 60)
    told = beats(time.time_ns() - 120 * SECOND_NS, 120)
    zero = {"record": "heart_rate", "device": "strap", "time_ns": told[-1].time_ns}
    mark = Mark(device="-", time_ns=told[5].time_ns, text="tea", by="wearer")
    hand(
        broker.port,
        [
            (TOPIC, b"hello"),
            (TOPIC, json.dumps({**zero, "hr_bpm": 0, "kind": "device"}).encode()),
            (TOPIC.replace("anna", "bert"), encode(told[0])),
            (TOPIC.replace("strap", "ring"), encode(told[0])),
            (
                TOPIC,
                b"["
                + b",".join([encode(mark), encode(told[0]), *(encode(one) for one in told)])
                + b"]",
            ),
            (TOPIC, encode(told[3])),
        ],
    )
    until(lambda: len(times(ingest)) > 100, "beats", 60)

    def counted() -> bool:
        whole = {k for s in ingest.statuses() for k in s.values if k.startswith("inbound_refused")}
        single = device(ingest)[-1].values
        return whole == {f"inbound_refused_{w}" for w in ("record", "subject", "device")} and (
            (single.get("dropped_value"), single.get("dropped_doubled")) == (1.0, 2.0)
        )

    until(counted, "the counts", 90)
    assert agent.terminate() == 0, agent.said()
    assert [one for one in ingest.of(Stream.MARK) if isinstance(one, Mark)] == [mark]


def test_polar_sensor_logger_is_read_from_its_own_topic(
    tmp_path: Path, broker: Running, ingest: Ingest
) -> None:
    path = phone(tmp_path, LOGGER, broker)
    agent = Process(tmp_path, "run", str(path))
    until(lambda: device(ingest), "the device's status", 60)
    first_ms = time.time_ns() // 10**6 - 120_000
    hand(
        broker.port,
        [
            (
                "psl/hr",
                json.dumps({"timeStamp": first_ms + 1000 * k, "hr": 60, "rr": [1000]}).encode(),
            )
            for k in range(120)
        ],
    )
    until(lambda: len(times(ingest)) > 100, "beats", 60)
    assert agent.terminate() == 0, agent.said()


def phone(folder: Path, table: str, broker: Running) -> Path:
    return settings(folder, table, 'clock = "trusted"', port=broker.port)
