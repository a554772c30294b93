"""Every store that there is, fresh: the file, InfluxDB 1.8 open and with users, a double of 2."""

import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from diastole.ingest.stores import Store
from diastole.ingest.stores.influx import InfluxStore
from diastole.ingest.stores.influx_settings import Influx
from diastole.ingest.stores.sqlite import SqliteStore
from tests.fakes.influx2 import ORG, Influx2
from tests.servers import influxd

KINDS: Final = ("sqlite", "influx-1.8", "influx-1.8-users", "influx-2-double")
ADMIN: Final = ("admin", "correct horse:battery")


@contextmanager
def settings_of(kind: str, folder: Path) -> Iterator[Influx]:
    """Give the settings of a server that runs as long as the block, nothing created yet."""
    with ExitStack() as stack:
        server = stack.enter_context(influxd(folder, auth=kind.endswith("users")))
        url = f"http://127.0.0.1:{server.port}"
        match kind:
            case "influx-1.8-users":
                user, password = ADMIN
                ask(url, f"CREATE USER {user} WITH PASSWORD '{password}' WITH ALL PRIVILEGES")
                yield Influx(url=url, user=user, password_file=secret(folder, f"{password}\n"))
            case "influx-2-double":
                double = stack.enter_context(Influx2(url))
                yield Influx(url=double.url, org=ORG, token_file=secret(folder, double.admin))
            case _:
                yield Influx(url=url)


@contextmanager
def a_store(kind: str, folder: Path) -> Iterator[Store]:
    """Give a store, ready to be written."""
    with ExitStack() as stack:
        store: Store
        if kind == "sqlite":
            store = SqliteStore(folder / "store.db")
        else:
            store = InfluxStore(stack.enter_context(settings_of(kind, folder)))
        store.init()
        stack.callback(store.close)
        yield store


def ask(url: str, query: str, **params: str) -> bytes:
    """Send an InfluxQL statement as anybody would."""
    body = urlencode({"q": query}).encode()
    place = f"{url}/query?{urlencode(params)}"
    with urllib.request.urlopen(place, body, timeout=20) as answer:
        said: bytes = answer.read()
    return said


def secret(folder: Path, text: str) -> str:
    """Write a secret where only its owner reads it; give the file."""
    file = folder / "secret"
    file.touch(mode=0o600)
    file.write_text(text, encoding="utf-8")
    return str(file)
