"""A connection with everything that it was told."""

from typing import Any, Self

from diastole.edge.mqtt import Broker, Connection, Received
from tests.servers import until


class Talk:
    """Starts a connection for a block, and keeps what its callbacks were called with."""

    def __init__(
        self,
        broker: Broker | int,
        client_id: str,
        *subscriptions: str,
        ack: bool = True,
        **more: Any,
    ) -> None:
        self.received: list[Received] = []
        self.ups: list[int] = []
        self.downs: list[str] = []
        self.answers: list[tuple[int, int, str | None]] = []
        self._ack = ack
        self.connection = Connection(
            Broker(port=broker) if isinstance(broker, int) else broker,
            client_id,
            subscriptions=subscriptions,
            on_message=more.pop("on_message", self._on_message),
            on_up=self.ups.append,
            on_down=self.downs.append,
            on_published=lambda *answer: self.answers.append(answer),
            **more,
        )

    def _on_message(self, received: Received) -> None:
        self.received.append(received)
        if self._ack:
            self.connection.acknowledge(received)

    @property
    def payloads(self) -> list[bytes]:
        """What came, in order."""
        return [one.payload for one in self.received]

    def up(self, generation: int = 1) -> Self:
        """Wait for a connection."""
        until(lambda: len(self.ups) >= generation, f"connection {generation}", 40)
        return self

    def told(self) -> str:
        """Wait for what is wrong, and return it."""
        return until(lambda: self.connection.trouble, "a sentence of what is wrong", 40) or ""

    def send(self, topic: str, payload: bytes, *, retain: bool = False) -> str | None:
        """Publish, wait for the broker's answer, and return its refusal."""
        mid = self.connection.publish(topic, payload, retain=retain)
        assert mid is not None
        generation = self.connection.generation
        return until(
            lambda: [a for a in self.answers if a[:2] == (generation, mid)], f"answer to {topic}"
        )[0][2]

    def __enter__(self) -> Self:
        self.connection.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.stop()
