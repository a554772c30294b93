"""Whether a broker can be used: reached, trusted, logged into; and who answers over it."""

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Final

from diastole.edge.doctor.certificates import in_file, of_server
from diastole.edge.doctor.finding import Finding
from diastole.edge.mqtt import Broker, Connection, Received

PATIENCE_S: Final = 6.0
"""A login is answered sooner, or not at all."""
KEPT_S: Final = 86_400
_STEP_S: Final = 0.05


def reached(broker: Broker) -> Finding:
    """Return whether anybody listens where the broker should be."""
    try:
        socket.create_connection((broker.host, broker.port), PATIENCE_S).close()
    except socket.gaierror:
        what = f"no host {broker.host} is known"
        return Finding("broker", "fail", what, "correct host in [broker]")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        what = f"nobody answers at {broker} ({reason})"
        remedy = "start the broker, or correct host and port in [broker]; is a firewall between?"
        return Finding("broker", "fail", what, remedy)
    return Finding("broker", "ok", f"{broker} answers")


def certificates(broker: Broker) -> Iterator[Finding]:
    """Yield how long the certificates of an encrypted connection are good."""
    now = datetime.now(UTC)
    if broker.ca_file is None:
        return
    yield in_file("authority", Path(broker.ca_file), now)
    own = None
    if broker.cert_file is not None and broker.key_file is not None:
        own = broker.cert_file, broker.key_file
        yield in_file("own certificate", Path(broker.cert_file), now)
    yield from of_server(broker.host, broker.port, broker.ca_file, own, now)


@contextmanager
def conversation(
    broker: Broker,
    name: str | None,
    subscriptions: Sequence[str],
    on_message: Callable[[Received], None],
) -> Iterator[Connection]:
    """Give a connection once it is up, or in trouble, or given up; nothing is acknowledged by it.

    A broker may take whoever logs in under a user's name for that user's one client. So the
    connection goes on with the session of ``name``, whom nobody else may be using, and leaves in
    it what waits there; None is a client of no name, of whom nothing is kept.
    """
    connection = Connection(
        broker,
        name or f"doctor-{token_hex(4)}",
        subscriptions=subscriptions,
        on_message=on_message,
        session_expiry_s=KEPT_S if name else 0,
        clean=name is None,
    )
    connection.start()
    try:
        waited(lambda: connection.connected or connection.trouble is not None)
        yield connection
    finally:
        connection.stop()


def waited(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> bool:
    """Wait until it is so; return whether it came to be."""
    ends_s = time.monotonic() + seconds
    while not (so := condition()) and time.monotonic() < ends_s:
        time.sleep(_STEP_S)
    return so


def login(connection: Connection, broker: Broker) -> Iterator[Finding]:
    """Yield whether the broker lets us in, and what it speaks."""
    whom = f"as {broker.user}" if broker.user else "without a name"
    if not connection.connected:
        trouble = connection.trouble or "the broker does not answer to a login: see its log"
        what, _, remedy = trouble.rpartition(": ")
        yield Finding("login", "fail", what, remedy)
        return
    yield Finding("login", "ok", f"let in {whom}")
    if connection.version == "5":
        yield Finding("protocol", "ok", "MQTT 5")
    else:
        what = f"MQTT {connection.version}: it delivers, but refusals are not told"
        yield Finding("protocol", "warn", what, "use a broker of MQTT 5, as Mosquitto 2 is")
