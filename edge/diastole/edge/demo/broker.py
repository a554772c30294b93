"""The demo's embedded broker, a process of its own: for the demo only, never for a wearer's data.

amqtt keeps everything in memory, speaks MQTT 3.1.1 and asks for no password; a real broker is
Mosquitto. It ends when its standard input does: whoever started it has gone.
"""

import asyncio
import logging
import sys
from typing import Any, Final

from amqtt.adapters import StreamWriterAdapter
from amqtt.broker import Broker

HOST: Final = "127.0.0.1"
LISTENER: Final = "default"
LEVEL: Final = 4
"""Of the protocol, as CONNECT gives it: MQTT 3.1.1."""
REFUSED: Final = b"\x20\x03\x00\x84\x00"
"""CONNACK of MQTT 5 (3.2.2.2): unsupported protocol version. amqtt itself waits for ever."""
SETTINGS: Final[dict[str, Any]] = {
    "listeners": {LISTENER: {"type": "external"}},
    "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
}


class _Rest:
    """What a client sends, from its beginning although that has been read: amqtt's reader."""

    def __init__(self, begun: bytes, reader: asyncio.StreamReader) -> None:
        self._begun, self._reader = begun, reader
        self.feed_eof = reader.feed_eof

    async def read(self, n: int = -1) -> bytes:
        """Return the next n bytes (-1: all); raise IncompleteReadError where they end before."""
        if n == -1:
            return self._begun + await self._reader.read(-1)
        taken, self._begun = self._begun[:n], self._begun[n:]
        return taken + await self._reader.readexactly(n - len(taken))


async def serve(port: int) -> None:
    """Carry messages on a port of the loopback until standard input ends."""
    broker = Broker(SETTINGS)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            begun, level = await _opening(reader)
            if level == LEVEL:
                adapters = _Rest(begun, reader), StreamWriterAdapter(writer)
                await broker.external_connected(*adapters, LISTENER)
            else:
                writer.write(REFUSED)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    await broker.start()
    server = await asyncio.start_server(connected, HOST, port)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    server.close()
    await broker.shutdown()


async def _opening(reader: asyncio.StreamReader) -> tuple[bytes, int]:
    """Return the first bytes of a CONNECT, and the level of the protocol that they end with."""
    begun = await reader.readexactly(2)
    while begun[-1] & 0x80:  # the length goes on
        begun += await reader.readexactly(1)
    begun += await reader.readexactly(2)
    begun += await reader.readexactly(int.from_bytes(begun[-2:]) + 1)
    return begun, begun[-1]


if __name__ == "__main__":
    logging.disable()
    asyncio.run(serve(int(sys.argv[1])))
