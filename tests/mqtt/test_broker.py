"""The table [broker]: what it takes, what it refuses before anything is connected."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from diastole.edge.errors import Mistakes
from diastole.edge.mqtt import Broker
from diastole.edge.settings import read


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    broker: Broker = Broker()


def settings(tmp_path: Path, text: str) -> Broker:
    path = tmp_path / "agent.toml"
    path.write_text(f"[broker]\n{text}\n", encoding="utf-8")
    return read(path, Settings).broker


@pytest.mark.parametrize(
    ("text", "port"),
    [("", 1883), ('ca_file = "ca.crt"', 8883), ('ca_file = "ca.crt"\nport = 443', 443)],
)
def test_the_port_is_the_usual_one_unless_given(tmp_path: Path, text: str, port: int) -> None:
    assert settings(tmp_path, text).port == port


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2", "::1"])
def test_law_11_plaintext_stays_on_this_machine(tmp_path: Path, host: str) -> None:
    assert settings(tmp_path, f'host = "{host}"').tls() is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('host = "10.0.0.9"', "plaintext for 10.0.0.9: give ca_file, or say insecure = true"),
        ('host = "broker.example"', "in plaintext for broker.example: give ca_file"),
        ('host = "localhost.example"', "in plaintext for localhost.example"),
        ('ca_file = "a"\ncert_file = "b"', "cert_file stands alone: give key_file as well"),
        ('ca_file = "a"\nkey_file = "b"', "key_file stands alone: give cert_file as well"),
        ('cert_file = "a"\nkey_file = "b"', "of no use in plaintext: give ca_file"),
        ('password_file = "a"', "a password without a name: give user"),
        ('password = "hush"', "unknown setting 'password': did you mean 'password_file'?"),
        ("port = 0", "port is 0: give a whole number from 1 up to 65535"),
        ('host = ""', "host is ''"),
    ],
)
def test_what_does_not_go_together_is_told(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(Mistakes) as raised:
        settings(tmp_path, text)
    assert told in str(raised.value)
    assert "hush" not in str(raised.value)
    assert "agent.toml, line " in str(raised.value)


def test_plaintext_off_this_machine_is_taken_when_said(tmp_path: Path) -> None:
    assert settings(tmp_path, 'host = "10.0.0.9"\ninsecure = true').port == 1883


def test_an_address_is_shown_as_one() -> None:
    assert str(Broker(host="::1")) == "[::1]:1883"
    assert str(Broker(host="broker.example", ca_file="ca.crt")) == "broker.example:8883"


def test_paho_is_not_loaded_before_there_is_a_connection() -> None:
    code = "import sys, diastole.edge.mqtt; sys.exit('paho' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
