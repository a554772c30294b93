"""How a client of paho is set up, opened and subscribed: what the two versions of MQTT ask for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from diastole.edge.mqtt.broker import Broker

if TYPE_CHECKING:
    from paho.mqtt.client import Client
    from paho.mqtt.properties import Properties

MODERN: Final = "5"
OLD: Final = "3.1.1"

KEEPALIVE_S: Final = 15
WILL_DELAY_S: Final = 15
"""A connection that is back by then has not been away."""
CONNECT_S: Final = 5.0
MOST_IN_FLIGHT: Final = 20
"""Messages without their PUBACK: as many as Mosquitto takes unless told otherwise. paho learns of a
smaller limit in a CONNACK when it is too late for that connection; the next one keeps it."""
MOST_QUEUED: Final = 8_192


@dataclass(frozen=True, slots=True)
class Session:
    """What the broker is to keep of a client, and what the client asks of it."""

    client_id: str
    subscriptions: Sequence[str]
    will: tuple[str, bytes] | None
    expiry_s: int
    receive_maximum: int
    clean: bool

    def client(self, broker: Broker, version: str) -> "Client":
        """Return a client of paho that has not been used; raise BadFile where a secret is unusable.

        paho sends nothing again by itself, and acknowledges nothing.
        """
        from paho.mqtt.client import Client, MQTTv5, MQTTv311
        from paho.mqtt.enums import CallbackAPIVersion

        modern = version == MODERN
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self.client_id,
            clean_session=None if modern else self.clean or not self.expiry_s,
            protocol=MQTTv5 if modern else MQTTv311,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = CONNECT_S
        client.max_queued_messages_set(MOST_QUEUED)
        # Without paho's own thread it would write from the thread that publishes; so it waits.
        client.on_socket_register_write = lambda *_: None
        if broker.user is not None:
            client.username_pw_set(broker.user, broker.password())
        if (context := broker.tls()) is not None:
            client.tls_set_context(context)
        if self.will is not None:
            delay = _properties("WILLMESSAGE", WillDelayInterval=WILL_DELAY_S) if modern else None
            client.will_set(*self.will, qos=1, retain=True, properties=delay)
        return client

    def open(self, client: "Client", broker: Broker, version: str) -> None:
        """Connect; raise OSError where that fails."""
        if version != MODERN:
            client.connect(broker.host, broker.port, KEEPALIVE_S)
            return
        wishes = _properties(
            "CONNECT",
            ReceiveMaximum=self.receive_maximum,
            SessionExpiryInterval=self.expiry_s,
        )
        client.connect(
            broker.host, broker.port, KEEPALIVE_S, clean_start=self.clean, properties=wishes
        )

    def subscribe(self, client: "Client", version: str) -> None:
        """Ask for the topics, at each connection: the broker may have forgotten them."""
        from paho.mqtt.subscribeoptions import SubscribeOptions

        if not self.subscriptions:
            return
        if version == MODERN:
            # Who keeps a session has what was retained behind it; who looks in wants to see it.
            kept = (
                SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
                if self.clean
                else SubscribeOptions.RETAIN_DO_NOT_SEND
            )
            how = SubscribeOptions(qos=1, retainHandling=kept)
            client.subscribe([(topic, how) for topic in self.subscriptions])
        else:
            client.subscribe([(topic, 1) for topic in self.subscriptions])


def _properties(kind: str, **values: int) -> "Properties":
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(getattr(PacketTypes, kind))  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(properties, name, value)
    return properties
