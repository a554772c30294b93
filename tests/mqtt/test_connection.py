"""The connection against a real broker: what comes, what is lost, and that it always comes back."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from diastole.edge.mqtt import Broker, Received, TooLarge
from tests.mqtt.talk import Talk
from tests.servers import free_port, mosquitto, until


def test_what_is_published_arrives_and_is_answered(tmp_path: Path) -> None:
    with (
        mosquitto(tmp_path) as broker,
        Talk(broker.port, "reader", "a/+") as reader,
        Talk(broker.port, "writer") as writer,
    ):
        reader.up()
        writer.up()
        assert reader.connection.version == "5"
        assert reader.connection.trouble is None
        assert writer.send("a/b", b"one") is None
        until(lambda: reader.received, "the message")
        assert reader.received[0][:3] == ("a/b", b"one", False)
        assert reader.received[0].generation == 1
    assert reader.downs == []
    assert not reader.connection.alive
    assert not reader.connection.connected


def test_nothing_is_taken_without_a_connection() -> None:
    with Talk(free_port(), "early") as early:
        assert early.connection.publish("a/b", b"one") is None
        early.connection.acknowledge(Received("a/b", b"", False, 1, 1))
        assert "no broker listens at 127.0.0.1:" in early.told()
        assert early.connection.alive
    assert not early.connection.alive


def test_a_broker_that_comes_late_is_found(tmp_path: Path) -> None:
    port = free_port()
    with Talk(port, "early") as early:
        assert early.told().endswith("start it, or check host and port")
        with mosquitto(tmp_path, port=port):
            early.up()
            assert early.connection.trouble is None


def test_messages_of_an_absence_are_kept_for_a_session(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker, Talk(broker.port, "writer") as writer:
        writer.up()
        with Talk(broker.port, "reader", "a/#", session_expiry_s=60) as reader:
            reader.up()
        for n in range(5):
            writer.send("a/b", b"%d" % n)
        with Talk(broker.port, "reader", "a/#", session_expiry_s=60) as reader:
            until(lambda: len(reader.received) == 5, "what came while it was away")
            assert reader.payloads == [b"0", b"1", b"2", b"3", b"4"]


def test_what_was_not_acknowledged_comes_again_and_the_window_is_as_wide_as_asked(
    tmp_path: Path,
) -> None:
    with (
        mosquitto(tmp_path, "max_inflight_messages 2000") as broker,
        Talk(broker.port, "writer") as writer,
    ):
        writer.up()
        asked: dict[str, Any] = {"session_expiry_s": 60, "receive_maximum": 50}
        with Talk(broker.port, "reader", "a", ack=False, **asked) as reader:
            reader.up()
            for n in range(60):
                writer.connection.publish("a", b"%d" % n)
            until(lambda: len(writer.answers) == 60, "all answers")
            until(lambda: len(reader.received) == 50, "a full window")
            for one in reader.received[:10]:
                reader.connection.acknowledge(one)
            until(lambda: len(reader.received) == 60, "the rest")
        with Talk(broker.port, "reader", "a", **asked) as again:
            until(lambda: len(again.received) == 50, "what was not acknowledged")
            assert again.payloads == [b"%d" % n for n in range(10, 60)]


def test_a_callback_that_raises_kills_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[bytes] = []

    def fragile(received: Received) -> None:
        heard.append(received.payload)
        if received.payload == b"bad":
            raise ZeroDivisionError

    caplog.set_level(logging.CRITICAL, "diastole")
    with (
        mosquitto(tmp_path) as broker,
        Talk(broker.port, "reader", "a", on_message=fragile) as reader,
        Talk(broker.port, "writer") as writer,
    ):
        reader.up()
        writer.up()
        for said in (b"good", b"bad", b"good"):
            writer.send("a", said)
        until(lambda: len(heard) == 3, "all three")
        assert reader.connection.callback_failures == 1
        assert reader.connection.alive
        assert reader.connection.connected


def test_a_broker_that_is_killed_is_found_again_and_knows_the_subscriptions(tmp_path: Path) -> None:
    with (
        mosquitto(tmp_path) as broker,
        Talk(broker.port, "reader", "a") as reader,
        Talk(broker.port, "writer") as writer,
    ):
        reader.up()
        writer.up()
        broker.kill()
        until(lambda: reader.downs and writer.downs, "the loss")
        assert "is lost" in reader.downs[0]
        assert writer.connection.publish("a", b"away") is None
        broker.start()
        reader.up(2)
        writer.up(2)
        writer.send("a", b"back")
        until(lambda: reader.received, "the message")
        assert reader.payloads == [b"back"]
        assert reader.received[0].generation == 2


def test_an_acknowledgement_of_an_older_connection_is_not_taken_for_a_new_one(
    tmp_path: Path,
) -> None:
    asked: dict[str, Any] = {"session_expiry_s": 60, "ack": False}
    with (
        mosquitto(tmp_path) as broker,  # it keeps nothing: numbers begin anew after a kill
        Talk(broker.port, "writer") as writer,
    ):
        with Talk(broker.port, "reader", "a", **asked) as reader:
            reader.up()
            writer.up()
            for n in range(3):
                writer.send("a", b"old %d" % n)
            until(lambda: len(reader.received) == 3, "the old ones")
            broker.kill()
            broker.start()
            reader.up(2)
            writer.up(2)
            for n in range(3):
                writer.send("a", b"new %d" % n)
            until(lambda: len(reader.received) == 6, "the new ones")
            assert [one.mid for one in reader.received[:3]] == [
                one.mid for one in reader.received[3:]
            ]
            for one in reader.received[:3]:
                reader.connection.acknowledge(one)
        with Talk(broker.port, "reader", "a", **asked) as again:
            until(lambda: len(again.received) == 3, "what nobody acknowledged")
            assert again.payloads == [b"new 0", b"new 1", b"new 2"]


def test_a_frozen_broker_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diastole.edge.mqtt.session.KEEPALIVE_S", 1)
    with mosquitto(tmp_path) as broker, Talk(broker.port, "reader") as reader:
        reader.up()
        broker.freeze()
        until(lambda: reader.downs, "the loss")
        assert not reader.connection.connected
        assert "does not answer" in reader.told()
        broker.thaw()
        reader.up(2)


def test_a_frozen_broker_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker, Talk(broker.port, "agent") as agent:
        agent.up()
        broker.freeze()
        agent.connection.stop([("a", b"bye", False)])
        assert not agent.connection.alive


def test_the_farewell_is_sent_and_the_will_is_not(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker, Talk(broker.port, "reader", "status") as reader:
        reader.up()
        with Talk(broker.port, "agent", will=("status", b"gone")) as agent:
            agent.up()
            agent.connection.stop([("status", b"bye", True)])
        until(lambda: reader.received, "the farewell")
        assert reader.payloads == [b"bye"]
        with Talk(broker.port, "late", "status") as late:
            late.up()
            late.send("status", b"after")
            until(lambda: late.received, "a message")
            assert late.payloads == [b"after"]  # what is retained is not sent again


def test_who_only_looks_in_is_shown_what_was_retained(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker, Talk(broker.port, "agent") as agent:
        agent.up()
        agent.send("status", b"here", retain=True)
        with Talk(broker.port, "viewer", "status", clean=True) as viewer:
            until(lambda: viewer.received, "the status")
            assert viewer.received[0].retained


def test_the_will_is_told_for_an_agent_that_was_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diastole.edge.mqtt.session.WILL_DELAY_S", 1)
    monkeypatch.setattr("diastole.edge.mqtt.session.KEEPALIVE_S", 1)
    with mosquitto(tmp_path) as broker, Talk(broker.port, "reader", "status") as reader:
        reader.up()
        with Talk(broker.port, "agent", will=("status", b"gone"), session_expiry_s=60) as agent:
            agent.up()
            with held(agent):
                until(lambda: reader.received, "the will")
            assert reader.received[0][1:3] == (b"gone", False)
            agent.up(2)


@contextmanager
def held(talk: Talk) -> Iterator[None]:
    """Keep the thread of a connection in a callback, so that it answers nobody."""
    release = threading.Event()
    talk.connection._answered = lambda *_: (release.wait(), None)[1]
    talk.connection.publish("held", b"")
    try:
        yield
    finally:
        release.set()


def test_two_of_one_name_are_told_so(tmp_path: Path) -> None:
    with (
        mosquitto(tmp_path) as broker,
        Talk(broker.port, "kitchen") as one,
        Talk(broker.port, "kitchen") as two,
    ):
        for talk in (one, two):
            assert "is another client of that name running?" in talk.told()
            assert len(talk.ups) >= 2
        waits = [len(one.ups), len(two.ups)]
        assert max(waits) <= 5  # they do not throw each other off many times a second


def test_a_message_that_the_broker_never_takes_is_refused_here(tmp_path: Path) -> None:
    with (
        mosquitto(tmp_path, "max_packet_size 1000") as broker,
        Talk(broker.port, "agent", "a") as agent,
    ):
        agent.up()
        assert agent.connection.max_packet == 1000
        with pytest.raises(TooLarge, match="raise max_packet_size"):
            agent.connection.publish("a", b"x" * 1000)
        assert agent.send("a", b"x" * 900) is None
        assert len(agent.ups) == 1


def test_a_name_that_nobody_knows_is_told() -> None:
    with Talk(Broker(host="no-such-host.invalid", insecure=True), "agent") as agent:
        assert "no address is known for the broker's host no-such-host.invalid" in agent.told()
    with Talk(Broker(host="no..host", insecure=True), "agent") as agent:
        assert "no address is known" in agent.told()
        assert agent.connection.alive


def test_a_callback_may_end_the_connection(tmp_path: Path) -> None:
    ending: list[Talk] = []
    with mosquitto(tmp_path) as broker:
        talk = Talk(broker.port, "agent", "a", on_message=lambda _: ending[0].connection.stop())
        ending.append(talk)
        with talk as agent:
            agent.up()
            agent.connection.publish("a", b"stop")
            until(lambda: not agent.connection.alive, "the end")
