"""One client of the broker, in a thread of its own that nothing ends but ``stop``.

Each connection is a generation with a paho client of its own: what belonged to an older one (a
message to acknowledge, a place in its queue) cannot be mistaken for the next one's, and renewed
certificates and passwords count from the next connection on.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from diastole.edge.errors import InputError
from diastole.edge.mqtt import trouble
from diastole.edge.mqtt.broker import Broker
from diastole.edge.mqtt.session import CONNECT_S, MODERN, MOST_IN_FLIGHT, OLD, Session

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

log = logging.getLogger(__name__)

FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 30.0
FAREWELL_S: Final = 2.0
HEADER_BYTES: Final = 64
"""Of a packet, beside topic and payload, at the most."""
BRIEF_S: Final = 10.0
MANY: Final = 3
"""So many brief connections in a row are no accident: a rival of the same name, as a rule."""


class Received(NamedTuple):
    """A message, as it is acknowledged later."""

    topic: str
    payload: bytes
    retained: bool
    mid: int
    """0 where nothing is to be acknowledged."""
    generation: int


class TooLarge(InputError):
    """A message that this broker will never take."""


class _Link(NamedTuple):
    """What is up: a client, and which generation it is."""

    client: "Client"
    generation: int
    max_packet: int | None


class Connection:
    """A connection that is opened again whenever it is lost.

    All callbacks run in the connection's thread and must be short; what one raises is logged and
    counted in ``callback_failures``, and the thread goes on. A message whose ``on_message`` raised
    stays unacknowledged: the broker sends it again at the next connection.
    """

    def __init__(
        self,
        broker: Broker,
        client_id: str,
        *,
        subscriptions: Sequence[str],
        on_message: Callable[[Received], None],
        on_up: Callable[[int], None] = lambda _: None,
        on_down: Callable[[str], None] = lambda _: None,
        on_published: Callable[[int, int, str | None], None] = lambda *_: None,
        will: tuple[str, bytes] | None = None,
        session_expiry_s: int = 0,
        receive_maximum: int = 100,
        clean: bool = False,
    ) -> None:
        self.callback_failures = 0
        self._broker = broker
        self._client_id = client_id
        self._session = Session(
            client_id, tuple(subscriptions), will, session_expiry_s, receive_maximum, clean
        )
        self._message, self._answered = on_message, on_published
        self._up, self._down = on_up, on_down
        self._version = MODERN
        self._in_flight = MOST_IN_FLIGHT
        self._trouble: str | None = None
        self._generation = 0
        self._link: _Link | None = None
        self._up_s = 0.0
        self._brief = 0
        self._ended: int | None = None
        self._said = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{client_id}", daemon=True)

    # ---- for any thread

    def start(self) -> None:
        """Begin to connect, and to connect again, until ``stop``."""
        self._thread.start()

    def stop(self, farewell: Sequence[tuple[str, bytes, bool]] = ()) -> None:
        """Send these last messages (topic, payload, retain), wait for them shortly, and leave."""
        if link := self._link:
            sent = [link.client.publish(topic, said, 1, keep) for topic, said, keep in farewell]
            end = time.monotonic() + FAREWELL_S
            for one in sent:
                with suppress(RuntimeError, ValueError):  # paho's way to say that it was not sent
                    one.wait_for_publish(max(0.0, end - time.monotonic()))
        self._stopping.set()
        if link:
            link.client.disconnect()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(CONNECT_S + FAREWELL_S)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int | None:
        """Send a message; return its number in this generation, None where it was not taken.

        Whether the broker took it is told to ``on_published``. It is not sent again after the
        connection was lost. Raise TooLarge where the broker has said that it takes no such packet.
        """
        link = self._link
        if link is None:
            return None
        size = len(topic.encode()) + len(payload) + HEADER_BYTES
        if link.max_packet is not None and size > link.max_packet:
            what = f"a message of {len(payload)} bytes for a broker that takes {link.max_packet}"
            raise TooLarge(what, f"raise max_packet_size of the broker at {self._broker}")
        sent = link.client.publish(topic, payload, qos=1, retain=retain)
        return sent.mid if sent.rc == 0 else None

    def acknowledge(self, received: Received) -> None:
        """Tell the broker that a message is safe; one of an older generation is not spoken of."""
        link = self._link
        if link is not None and received.mid and received.generation == link.generation:
            link.client.ack(received.mid, 1)

    @property
    def connected(self) -> bool:
        """Whether the broker has let us in, and has not been lost since."""
        return self._link is not None

    @property
    def generation(self) -> int:
        """How many connections there have been."""
        return self._generation

    @property
    def version(self) -> str:
        """The version of MQTT that is spoken: 5, or 3.1.1 where the broker refuses 5 by name."""
        return self._version

    @property
    def trouble(self) -> str | None:
        """What keeps the connection away, as one sentence with what to do."""
        steady = self.connected and time.monotonic() - self._up_s > BRIEF_S
        return None if steady and self._brief >= MANY else self._trouble

    @property
    def max_packet(self) -> int | None:
        """The largest packet that the broker takes, in bytes; None where it has set no limit."""
        link = self._link
        return link.max_packet if link else None

    @property
    def alive(self) -> bool:
        """Whether the thread is there."""
        return self._thread.is_alive()

    # ---- the thread

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._stopping.is_set():
            before, version = self._generation, self._version
            try:
                self._connect_and_stay()
            except InputError as error:
                self._fail(str(error))
            except Exception as error:
                if not isinstance(error, OSError | UnicodeError):
                    log.exception("connection broke")
                self._fail(trouble.of_error(error, self._broker))
            if self._version != version:
                continue
            if self._generation > before and self._brief < MANY:
                wait_s = FIRST_WAIT_S
            self._stopping.wait(wait_s * random.uniform(0.8, 1.2))
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _connect_and_stay(self) -> None:
        """Open a connection and serve it until it is lost or is to end."""
        self._ended, self._said = None, ""
        client = self._client()
        try:
            self._session.open(client, self._broker, self._version)
            while client.loop(1.0) == 0:
                if self._stopping.is_set():
                    client.disconnect()
                    client.loop(1.0)
                    break
        finally:
            link, self._link = self._link, None
            if stream := client.socket():
                stream.close()
            if link is not None and not self._stopping.is_set():
                self._lost()
        if link is None and self._ended is None and not self._stopping.is_set():
            self._fail(trouble.unanswered(self._broker, self._said))

    def _client(self) -> "Client":
        client = self._session.client(self._broker, self._version)
        client.max_inflight_messages_set(self._in_flight)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_log = self._on_log
        return client

    def _fail(self, sentence: str) -> None:
        if sentence != self._trouble:
            log.warning("%s", sentence)
        self._trouble = sentence

    def _lost(self) -> None:
        """Tell that a connection that was up is so no more."""
        brief = time.monotonic() - self._up_s < BRIEF_S
        self._brief = self._brief + 1 if brief else 0
        if self._ended == trouble.TAKEN_OVER:
            self._brief = MANY
        why = trouble.of_loss(self._ended or 0, self._broker, self._client_id)
        if why is None and self._brief >= MANY:
            why = trouble.brief(self._broker, self._client_id)
        if why is not None:
            self._fail(why)
        self._tell(self._down, why or f"the connection to {self._broker} is lost")

    def _tell(self, callback: Callable[..., None], *words: object) -> None:
        try:
            callback(*words)
        except Exception:
            self.callback_failures += 1
            log.exception("a callback failed")

    # ---- what paho calls

    def _on_connect(
        self, client: "Client", _: Any, flags: Any, reason: "ReasonCode", said: "Properties | None"
    ) -> None:
        if reason.is_failure:
            self._refused(reason.value)
            return
        client.on_log = None
        self._in_flight = min(MOST_IN_FLIGHT, getattr(said, "ReceiveMaximum", MOST_IN_FLIGHT))
        self._session.subscribe(client, self._version)
        self._generation += 1
        self._up_s = time.monotonic()
        if self._brief < MANY:
            self._trouble = None
        self._link = _Link(client, self._generation, getattr(said, "MaximumPacketSize", None))
        self._tell(self._up, self._generation)

    def _refused(self, code: int) -> None:
        self._ended = code
        if code == trouble.UNSUPPORTED and self._version == MODERN:
            self._version = OLD
        else:
            self._fail(trouble.of_login(code, self._broker, self._client_id))

    def _on_subscribe(
        self, _client: "Client", _: Any, mid: int, reasons: "list[ReasonCode]", said: Any
    ) -> None:
        for topic, reason in zip(self._session.subscriptions, reasons, strict=False):
            if reason.is_failure:
                self._fail(trouble.of_subscription(topic, self._broker))

    def _on_message(self, _client: "Client", _: Any, message: "MQTTMessage") -> None:
        self._tell(self._receive, message)

    def _receive(self, message: "MQTTMessage") -> None:
        mid = message.mid if message.qos else 0
        self._message(
            Received(message.topic, bytes(message.payload), message.retain, mid, self._generation)
        )

    def _on_publish(
        self, _client: "Client", _: Any, mid: int, reason: "ReasonCode", said: Any
    ) -> None:
        unheard = reason.is_failure or reason.value == trouble.NOBODY_LISTENS
        refusal = str(reason).lower() if unheard else None
        self._tell(self._answered, self._generation, mid, refusal)

    def _on_disconnect(
        self, _client: "Client", _: Any, flags: Any, reason: "ReasonCode", said: Any
    ) -> None:
        if self._ended is not None:
            return  # paho tells it twice, the second time without the broker's reason
        if self._link is not None:
            self._ended = reason.value
        elif reason.value == trouble.KEEP_ALIVE:
            self._ended = reason.value
            self._fail(trouble.silent(self._broker))

    def _on_log(self, _client: "Client", _: Any, level: int, text: str) -> None:
        if "ALERT" in text:  # why TLS was ended is told nowhere else
            self._said = text
