"""What keeps a connection away is told as a sentence with its remedy; real certificates."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from diastole.edge.mqtt import Broker, Connection
from tests.certificates import Authority
from tests.mqtt.made import answering
from tests.mqtt.talk import Talk
from tests.servers import Running, give_to_broker, mosquitto, needed, until

TLS = ("listener {port} 127.0.0.1", "cafile ca.crt", "certfile broker.crt", "keyfile broker.key")
HOUR = timedelta(hours=1)
CONNACK_5 = b"\x20\x03\x00\x00\x00"
CONNACK_3 = b"\x20\x02\x00\x00"


@pytest.fixture
def ca(tmp_path: Path) -> Authority:
    return Authority.make(tmp_path)


@contextmanager
def over_tls(
    ca: Authority, *lines: str, hosts: tuple[str, ...] = (), **dates: Any
) -> Iterator[Running]:
    ca.issue("broker", *(hosts or ("localhost", "127.0.0.1")), **dates)
    with mosquitto(ca.folder, *TLS, *lines) as broker:
        yield broker


def why(broker: Broker) -> str:
    with Talk(broker, "agent") as talk:
        return talk.told()


def user(folder: Path, name: str, password: str) -> str:
    subprocess.run(
        [needed("mosquitto_passwd"), "-c", "-b", "users", name, password], cwd=folder, check=True
    )
    give_to_broker(folder)
    return "password_file users"


def secret(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "secret"
    path.write_text(f"{text}\n", encoding="utf-8")
    path.chmod(mode)
    return str(path)


# ---- names and passwords


def test_a_password_lets_in_and_a_wrong_one_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (user(tmp_path, "kitchen", "right"), "allow_anonymous false")
    with mosquitto(tmp_path, *lines) as broker:
        file = secret(tmp_path, "right")
        with Talk(Broker(port=broker.port, user="kitchen", password_file=file), "agent") as talk:
            talk.up()
        wrong = Broker(port=broker.port, user="kitchen", password_file=secret(tmp_path, "wrong"))
        text = f"the broker at 127.0.0.1:{broker.port} does not let user kitchen in: "
        assert why(wrong) == f"{text}check user and password"
        assert "does not let a client without a user in" in why(Broker(port=broker.port))
        monkeypatch.setenv("DIASTOLE_BROKER_PASSWORD", "right")
        with Talk(Broker(port=broker.port, user="kitchen"), "agent") as talk:
            talk.up()


def test_a_password_that_is_corrected_counts_from_the_next_attempt_on(tmp_path: Path) -> None:
    lines = (user(tmp_path, "kitchen", "right"), "allow_anonymous false")
    with mosquitto(tmp_path, *lines) as broker:
        file = secret(tmp_path, "wrong")
        with Talk(Broker(port=broker.port, user="kitchen", password_file=file), "agent") as talk:
            assert "check user and password" in talk.told()
            secret(tmp_path, "right")
            talk.up()
            assert talk.connection.trouble is None


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [("right", 0o644, "may be read by others: chmod 600"), ("", 0o600, "is empty")],
)
def test_a_password_file_that_is_unusable_is_told(
    tmp_path: Path, text: str, mode: int, told: str
) -> None:
    assert told in why(Broker(user="kitchen", password_file=secret(tmp_path, text, mode)))


def test_a_password_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    file = str(tmp_path / "none")
    assert f"{file}: cannot be read (no such file" in why(Broker(user="a", password_file=file))


def test_a_password_is_nowhere_to_be_seen(tmp_path: Path) -> None:
    broker = Broker(user="kitchen", password_file=secret(tmp_path, "hush"))
    assert broker.password() == "hush"
    assert "hush" not in f"{broker!r} {broker} {vars(Connection)}"


# ---- certificates


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_of_the_given_authority_is_trusted(ca: Authority, host: str) -> None:
    with over_tls(ca) as broker:
        given = Broker(host=host, port=broker.port, ca_file=str(ca.file))
        with Talk(given, "agent", "a") as talk:
            talk.up()
            talk.send("a", b"x" * 100_000)
            until(lambda: talk.received, "the message")


def test_another_authority_is_not_trusted(ca: Authority, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other = Authority.make(folder)
    with over_tls(ca) as broker:
        told = why(Broker(port=broker.port, ca_file=str(other.file)))
    assert f"is not signed by the authority in {other.file}: give ca_file of its own" in told


@pytest.mark.parametrize(
    ("dates", "hosts", "told"),
    [
        ({"ends": -HOUR}, (), "has expired: renew it, or set this machine's clock"),
        ({"begins": HOUR}, (), "is not good yet: set this machine's clock"),
        ({}, ("broker.example", "10.0.0.9"), "is not for 127.0.0.1: give the name that it was"),
    ],
)
def test_a_certificate_out_of_its_time_or_place_is_told(
    ca: Authority, dates: dict[str, timedelta], hosts: tuple[str, ...], told: str
) -> None:
    with over_tls(ca, hosts=hosts, **dates) as broker:
        given = Broker(port=broker.port, ca_file=str(ca.file))
        assert told in why(given)
        if hosts:
            named = Broker(host="localhost", port=broker.port, ca_file=str(ca.file))
            assert "is not for localhost" in why(named)


def test_a_certificate_of_our_own_is_asked_for_and_lets_in(ca: Authority) -> None:
    lines = ("require_certificate true", "use_identity_as_username true", "allow_anonymous false")
    own, late = ca.issue("kitchen"), ca.issue("late", ends=-HOUR)
    with over_tls(ca, *lines) as broker:
        where: dict[str, Any] = {"port": broker.port, "ca_file": str(ca.file)}
        given = Broker(**where, cert_file=str(own.cert), key_file=str(own.key))
        with Talk(given, "kitchen") as talk:
            talk.up()
        told = why(Broker(**where))
        assert "refuses our certificate (certificate required): give cert_file and" in told
        told = why(Broker(**where, cert_file=str(late.cert), key_file=str(late.key)))
        assert "refuses our certificate (certificate expired)" in told


def test_a_certificate_with_the_key_of_another_is_told(ca: Authority) -> None:
    one, two = ca.issue("one"), ca.issue("two", passphrase="hush")
    given: dict[str, Any] = {"ca_file": str(ca.file), "cert_file": str(one.cert)}
    other = Authority.make(ca.folder, "other").issue("three")
    assert "is no certificate that" in why(Broker(**given, key_file=str(other.key)))
    assert "the key has a passphrase" in why(Broker(**given, key_file=str(two.key)))
    assert "holds no certificate" in why(Broker(ca_file=str(one.key)))


def test_plaintext_to_a_port_of_tls_is_told_and_the_other_way_round(
    ca: Authority, tmp_path: Path
) -> None:
    with over_tls(ca) as broker:
        assert "give ca_file if that port is for TLS" in why(Broker(port=broker.port))
    with mosquitto(tmp_path) as broker:
        told = why(Broker(port=broker.port, ca_file=str(ca.file)))
        assert "speaks no TLS there: give its port for TLS" in told


# ---- what is said in bytes


def test_version_3_is_spoken_only_where_5_is_refused_by_name() -> None:
    for refusal in (b"\x20\x03\x00\x84\x00", b"\x20\x02\x00\x01"):
        with answering(refusal, CONNACK_3) as (port, heard), Talk(port, "agent") as talk:
            talk.up()
            assert talk.connection.version == "3.1.1"
            assert talk.connection.trouble is None
            assert [connect[8] for connect in heard] == [5, 4]
    with (
        answering(b"\x20\x03\x00\x88\x00", CONNACK_5) as (port, heard),
        Talk(port, "agent") as talk,
    ):
        talk.up()
        assert talk.connection.version == "5"
        assert [connect[8] for connect in heard] == [5, 5]


def test_a_broker_of_neither_version_is_told() -> None:
    with answering(b"\x20\x03\x00\x84\x00", b"\x20\x02\x00\x05") as (port, _):
        assert "does not let a client without a user in" in why(Broker(port=port))


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (133, "refuses the client id agent: give another name"),
        (136, "takes nobody in at present (reason 136)"),
        (138, "refuses a client without a user (reason 138): its log says why"),
    ],
)
def test_a_refusal_is_told(code: int, told: str) -> None:
    with answering(bytes((0x20, 3, 0, code, 0))) as (port, _):
        assert told in why(Broker(port=port))


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (142, "another client named agent took the connection"),
        (149, "a message is larger than the broker at"),
        (152, "threw agent off"),
    ],
)
def test_the_broker_s_reason_for_an_end_is_told(code: int, told: str) -> None:
    with answering(CONNACK_5 + bytes((0xE0, 2, code, 0))) as (port, _), Talk(port, "agent") as talk:
        talk.up()
        until(lambda: talk.downs, "the end")
        assert told in talk.downs[0]


def test_a_broker_that_takes_few_at_a_time_is_given_few_from_the_next_connection_on() -> None:
    few = b"\x20\x06\x00\x00\x03\x21\x00\x02"  # ReceiveMaximum 2
    with (
        answering(few + bytes((0xE0, 2, 147, 0)), few) as (port, _),
        Talk(port, "agent") as talk,
    ):
        talk.up(2)
        assert talk.connection._link
        assert talk.connection._link.client.max_inflight_messages == 2


def test_a_topic_that_may_not_be_read_is_told() -> None:
    suback = b"\x90\x04\x00\x01\x00\x87"
    with answering(CONNACK_5 + suback) as (port, _), Talk(port, "agent", "secret/#") as talk:
        assert "does not let us read secret/#: check its ACL" in talk.told()
