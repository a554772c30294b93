"""``[[bluetooth]]`` and ``[[phone]]`` of ``agent.toml``: the devices, and what none can mean."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Meta

from diastole.edge.settings import Mistake
from diastole.edge.sources.ble.kinds import kinds
from diastole.edge.sources.ble.radio import Radio
from diastole.edge.sources.ble.source import BleSource
from diastole.edge.sources.ble.supervisor import Wanted
from diastole.edge.sources.live import Source
from diastole.edge.sources.mqtt import HandedOver
from diastole.edge.sources.own_records import OwnRecords
from diastole.edge.sources.polar_logger import PolarLogger
from diastole.edge.wire.topics import ROOT, Inbound, Name

Address = Annotated[
    str,
    Meta(
        pattern=r"^([0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\Z",
        description="an address as diastole scan shows it",
    ),
]


class Named(Protocol):
    """What an agent is called on the wire."""

    @property
    def site(self) -> str:
        """Return the site."""
        ...

    @property
    def agent(self) -> str:
        """Return the agent."""
        ...


class Bluetooth(msgspec.Struct, frozen=True, kw_only=True):
    """A device over Bluetooth LE, worn by a subject."""

    subject: Name
    device: Name
    """What it is called in everything that is sent."""
    address: Address | None = None
    name: str | None = None
    """What it calls itself; where two call themselves so, only an address tells them apart."""
    kind: str | None = None
    adapter: Annotated[str, Meta(pattern=r"^hci\d+\Z", description="as in hci0")] | None = None

    def source(self, radio: Radio) -> Source:
        """Return the device as a source."""
        wanted = Wanted(device=self.device, address=self.address, name=self.name, kind=self.kind)
        return BleSource(wanted, self.adapter, radio, kinds())

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what cannot be meant of the table by itself."""
        if self.address is None and not self.name:
            what = "neither an address nor a name tells which device it is"
            yield Mistake(("device",), what, "run diastole scan, and copy its address")
        known = [kind.name for kind in kinds()]
        if self.kind is not None and self.kind not in known:
            what = f"no kind is called {self.kind!r}"
            yield Mistake(("kind",), what, f"leave it out, or name one of {', '.join(known)}")


class Phone(msgspec.Struct, frozen=True, kw_only=True):
    """A device whose records another program hands over by MQTT, as one on a phone does."""

    subject: Name
    device: Name
    kind: Literal["diastole", "polar-sensor-logger"] = "diastole"
    topic: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^+#\x00]+\Z")] | None = (
        None
    )
    """As it is set in Polar Sensor Logger."""

    def source(self, patience_ns: int) -> HandedOver:
        """Return the device as a source."""
        own = self.kind == "diastole"
        reader = OwnRecords(self.device) if own else PolarLogger(self.device)
        return HandedOver(self.device, reader, patience_ns)

    def listens_on(self, agent: Named) -> str:
        """Return the topic on which its records come."""
        if self.topic is not None:
            return self.topic + PolarLogger.suffix
        return str(Inbound(agent.site, agent.agent, self.subject, self.device))

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what cannot be meant of the table by itself."""
        if self.kind == "diastole" and self.topic is not None:
            what = "our own records come on a topic that the names give"
            yield Mistake(("topic",), what, "leave it out")
        elif self.kind != "diastole" and self.topic is None:
            what = "the topic is missing"
            yield Mistake(("kind",), what, "add it as it is set in Polar Sensor Logger")
        elif self.topic is not None and self.topic.split("/")[0] in (ROOT, "$SYS"):
            what = f"topics below {self.topic.split('/')[0]} have a meaning of their own"
            yield Mistake(("topic",), what, 'choose another, as in "psl"')


def mistakes(
    known: Sequence[str], agent: Named, bluetooth: Sequence[Bluetooth], phones: Sequence[Phone]
) -> Iterator[Mistake]:
    """Yield what cannot be meant of an agent's devices side by side; ``known``: its subjects."""
    called: set[tuple[str, str]] = set()
    yield from _bluetooth(known, called, bluetooth)
    yield from _phones(known, called, agent, phones)


def _named(
    known: Sequence[str], called: set[tuple[str, str]], table: str, k: int, item: Bluetooth | Phone
) -> Iterator[Mistake]:
    """Yield what cannot be meant of its names; ``called``: the devices so far, this one after."""
    if item.subject not in known:
        what = f"no subject is called {item.subject!r}"
        remedy = f"name one of {', '.join(known)}, or add it"
        yield Mistake((table, k, "subject"), what, remedy)
    if (item.subject, item.device) in called:
        what = f"{item.subject} has another device called {item.device!r}"
        yield Mistake((table, k, "device"), what, "give each its own")
    called.add((item.subject, item.device))


def _bluetooth(
    known: Sequence[str], called: set[tuple[str, str]], items: Sequence[Bluetooth]
) -> Iterator[Mistake]:
    """Yield what cannot be meant of the devices side by side."""
    taken: dict[str, int] = {}
    for k, item in enumerate(items):
        yield from _named(known, called, "bluetooth", k, item)
        which = (item.address or item.name or "").lower()
        if which and taken.setdefault(which, k) != k:
            what = f"[[bluetooth]] {taken[which] + 1} is the same device"
            field = "address" if item.address else "name"
            yield Mistake(("bluetooth", k, field), what, "leave one of them out")


def _phones(
    known: Sequence[str], called: set[tuple[str, str]], agent: Named, items: Sequence[Phone]
) -> Iterator[Mistake]:
    """Yield what cannot be meant of what is handed over, beside the other devices."""
    topics: dict[str, int] = {}
    for k, item in enumerate(items):
        yield from _named(known, called, "phone", k, item)
        if topics.setdefault(item.listens_on(agent), k) != k:
            what = f"[[phone]] {topics[item.listens_on(agent)] + 1} has the same topic"
            yield Mistake(("phone", k, "topic"), what, "give each its own")
