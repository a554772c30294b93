"""MQTT 3.1.1, as a broker of that version alone speaks it: the demo's amqtt."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.mqtt.talk import Talk
from tests.servers import free_port, until


@pytest.fixture
def port() -> Iterator[int]:
    pytest.importorskip("amqtt")
    port = free_port()
    command = [sys.executable, "-m", "diastole.edge.demo.broker", str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        yield port
        process.communicate(timeout=20)


def test_messages_go_both_ways_after_version_5_was_refused(port: int) -> None:
    with Talk(port, "reader", "a/+") as reader, Talk(port, "writer") as writer:
        reader.up()
        writer.up()
        assert (reader.connection.version, writer.connection.version) == ("3.1.1", "3.1.1")
        assert reader.connection.max_packet is None
        assert reader.connection.trouble is None
        for n in range(50):
            assert writer.send("a/b", b"%d" % n) is None
        until(lambda: len(reader.received) == 50, "all messages")
        assert reader.payloads == [b"%d" % n for n in range(50)]


def test_what_is_retained_is_marked_as_such(port: int) -> None:
    with Talk(port, "writer") as writer:
        writer.up()
        writer.send("status", b"here", retain=True)
        with Talk(port, "reader", "status") as reader:
            until(lambda: reader.received, "the status")
            assert reader.received[0].retained
