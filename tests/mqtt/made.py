"""A broker that answers a CONNECT with given bytes: what no real one here can be made to say."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def answering(*answers: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Give a port, and what is received on it; each client is answered, then left open."""
    heard: list[bytes] = []
    clients: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                for answer in answers:
                    client, _ = server.accept()
                    clients.append(client)
                    heard.append(client.recv(4096))
                    client.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)
        for client in clients:
            client.close()
        thread.join(5)
