"""What keeps a connection away, as one sentence that ends with what to do."""

import re
import socket
import ssl
from typing import Final

from diastole.edge.mqtt.broker import Broker

UNSUPPORTED: Final = 132
"""CONNACK of a broker that does not speak the version that was asked for."""
TAKEN_OVER: Final = 142
KEEP_ALIVE: Final = 141
NOT_AUTHORIZED: Final = 135
NOBODY_LISTENS: Final = 16
"""Taken, and passed on to nobody: no failure by the standard, and as good as one."""

_PASSWORD: Final = 134
_NAME: Final = 133
_BUSY: Final = frozenset({136, 137, 151, 159})
_TOO_LARGE: Final = 149
_ADMINISTRATOR: Final = 152

_EXPIRED: Final = 10
_NOT_YET: Final = 9
_OTHER_NAME: Final = frozenset({62, 64})
_OTHER_AUTHORITY: Final = frozenset({2, 18, 19, 20, 21})
"""Results of OpenSSL's check of a certificate (X509_V_ERR_…)."""

_alert: Final = re.compile(r"ALERT_([A-Z_]+)").search


def of_error(error: Exception, broker: Broker) -> str:
    """Return why a connection could not be opened."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _of_certificate(error, broker)
    if isinstance(error, ssl.SSLError) and _alert(str(error)):
        return unanswered(broker, str(error))
    match error:
        case ssl.SSLError() | ConnectionResetError() | BrokenPipeError() if broker.ca_file:
            what = f"the broker at {broker} speaks no TLS there"
            remedy = "give its port for TLS (8883 as a rule), or leave ca_file out"
        case socket.gaierror() | UnicodeError():
            what = f"no address is known for the broker's host {broker.host}"
            remedy = "check [broker] host, and that this machine has a network"
        case ConnectionRefusedError():
            what = f"no broker listens at {broker}"
            remedy = "start it, or check host and port"
        case TimeoutError():
            what = f"nothing answers at {broker}"
            remedy = "check host and port; is the machine off, or a firewall between?"
        case _:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            what = f"the broker at {broker} cannot be reached ({reason.lower()})"
            remedy = "check the network"
    return f"{what}: {remedy}"


def of_login(code: int, broker: Broker, client_id: str) -> str:
    """Return why the broker refused to let us in; ``code`` is a reason of MQTT 5."""
    who = f"user {broker.user}" if broker.user else "a client without a user"
    if code in (_PASSWORD, NOT_AUTHORIZED):
        what, remedy = f"does not let {who} in", "check user and password"
    elif code == _NAME:
        what, remedy = f"refuses the client id {client_id}", "give another name"
    elif code in _BUSY:
        what, remedy = f"takes nobody in at present (reason {code})", "see its log and its limits"
    elif code == UNSUPPORTED:
        what, remedy = "speaks neither MQTT 5 nor 3.1.1", "use one that does, as Mosquitto 2"
    else:
        what, remedy = f"refuses {who} (reason {code})", "its log says why"
    return f"the broker at {broker} {what}: {remedy}"


def of_loss(code: int, broker: Broker, client_id: str) -> str | None:
    """Return why the broker ended a connection, None where it will be back without our doing."""
    if code == TAKEN_OVER:
        what = f"another client named {client_id} took the connection to {broker}"
        return f"{what}: stop it, or give one of the two another name"
    if code == _TOO_LARGE:
        return f"a message is larger than the broker at {broker} takes: raise its max_packet_size"
    if code in (_ADMINISTRATOR, NOT_AUTHORIZED):
        return f"the broker at {broker} threw {client_id} off: ask who runs it"
    return None


def brief(broker: Broker, client_id: str) -> str:
    """Return what it means that one connection after the other ends at once without a reason."""
    what = f"the broker at {broker} ends each connection of {client_id} after a moment"
    return f"{what}: is another client of that name running? The broker's log says why"


def of_subscription(topic: str, broker: Broker) -> str:
    """Return that the broker does not let us listen."""
    what = f"the broker at {broker} does not let {broker.user or 'us'} read {topic}"
    return f"{what}: check its ACL"


def unanswered(broker: Broker, said: str = "") -> str:
    """Return what a broker means that hangs up before it answers; ``said`` may hold its alert."""
    if alert := _alert(said):
        words = alert[1].lower().replace("_", " ")
        what = f"the broker at {broker} refuses our certificate ({words})"
        return f"{what}: give cert_file and key_file of a user that its authority has signed"
    if broker.ca_file:
        what = f"the broker at {broker} hangs up before it answers"
        return f"{what}: check user, password and client certificate; its log says why"
    what = f"the broker at {broker} hangs up before it answers"
    return f"{what}: give ca_file if that port is for TLS, and check user and password"


def silent(broker: Broker) -> str:
    """Return that somebody listens and says nothing."""
    return f"the broker at {broker} does not answer: it hangs, or is no MQTT broker; look at it"


def _of_certificate(error: ssl.SSLCertVerificationError, broker: Broker) -> str:
    what = f"the certificate of the broker at {broker}"
    code = error.verify_code
    if code == _EXPIRED:
        return f"{what} has expired: renew it, or set this machine's clock"
    if code == _NOT_YET:
        return f"{what} is not good yet: set this machine's clock"
    if code in _OTHER_NAME:
        remedy = "give the name that it was made for as host, or make it for this one"
        return f"{what} is not for {broker.host}: {remedy}"
    if code in _OTHER_AUTHORITY:
        return f"{what} is not signed by the authority in {broker.ca_file}: give ca_file of its own"
    return f"{what} is refused ({error.verify_message}): make another"
