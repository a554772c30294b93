"""``agent.toml``: who is worn by what, where readings go, and how they are made."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from diastole.edge import settings
from diastole.edge.delivery.limits import Limits
from diastole.edge.errors import DiastoleError, InputError
from diastole.edge.formats.finding import open_recording
from diastole.edge.mqtt import Broker
from diastole.edge.pipeline.rules import Notices, Rules
from diastole.edge.records import MINUTE_NS
from diastole.edge.settings import Mistake, Zone
from diastole.edge.sources.ble.kinds import kinds
from diastole.edge.sources.ble.radio import Radio
from diastole.edge.sources.ble.source import BleSource
from diastole.edge.sources.ble.supervisor import Wanted
from diastole.edge.sources.live import Source
from diastole.edge.sources.mqtt import HandedOver, OwnRecords
from diastole.edge.sources.polar_logger import PolarLogger
from diastole.edge.sources.replayed import At, replayed
from diastole.edge.sources.scenario import read_scenario
from diastole.edge.sources.simulated import simulated
from diastole.edge.wire.topics import NAME, NOBODY, ROOT, Inbound

Name = Annotated[
    str,
    Meta(
        pattern=rf"^(?=.*[a-z0-9])(?:{NAME})\Z",
        description="a pseudonym of a-z, 0-9 and -, up to 64 of them",
    ),
]
Minute = Annotated[
    str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d\Z", description="a time of day, as in 22:30")
]
QuietHours = Annotated[
    list[Minute],
    Meta(min_length=2, max_length=2, description='two times, as in ["22:00", "07:00"]'),
]
Speed = Annotated[
    Annotated[float, Meta(ge=0, le=1e6)] | Literal["max"],
    Meta(description='a number of times as fast from 0 up to 1e6, or "max"'),
]
Address = Annotated[
    str,
    Meta(
        pattern=r"^([0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})\Z",
        description="an address as diastole scan shows it",
    ),
]
SHARES: Final = frozenset(
    {"min_coverage", "rhythm_share", "normal_share", "uncertain_low", "uncertain_high"}
)
"""Rules that are shares of one."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A wearer."""

    name: Name
    zone: Zone | None = None
    """Without it: what the source says, else UTC."""
    seated: bool = False
    """The wearer sits: an episode may be told though nothing is known of movement."""
    quiet_hours: QuietHours | None = None
    beats: bool = False
    """Beats are sent, too."""
    record: bool = False
    """What comes is kept as a session, too, below ``recordings`` of the state folder."""
    patience_min: Annotated[float, Meta(ge=0, le=24 * 60)] = 15.0
    """How long one of the wearer's sources waits for another that lags."""

    @property
    def notices(self) -> Notices:
        """Return when the wearer may be told of an episode."""
        if self.quiet_hours is None:
            return Notices(seated=self.seated)
        begin, end = map(_minute_of_day, self.quiet_hours)
        return Notices(seated=self.seated, quiet_hours=(begin, end))


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """A recording that is played as if it were worn."""

    subject: Name
    path: str
    speed: Speed = 1.0
    at: At = "now"

    def source(self) -> Source:
        """Open the recording; raise an error of ours where it cannot be played."""
        return replayed(open_recording(Path(self.path)), speed=_speed(self.speed), at=self.at)


class Simulate(msgspec.Struct, frozen=True, kw_only=True):
    """A simulated wearer."""

    subject: Name
    scenario: str
    seed: Annotated[int, Meta(ge=0)] = 0
    speed: Speed = 1.0

    def source(self) -> Source:
        """Read the scenario; raise an error of ours where it cannot be told."""
        return simulated(read_scenario(Path(self.scenario)), self.seed, speed=_speed(self.speed))


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

    def listens_on(self, agent: "Agent") -> str:
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


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file. Paths count from where the agent is started."""

    site: Name = "home"
    agent: Name = "agent"
    engine: Literal["neurokit", "vectorised"] = "neurokit"
    model: str = "shipped"
    """A model file, ``shipped`` or ``none``."""
    clock: Literal["checked", "trusted"] = "checked"
    state: str | None = None
    """Folder of outbox and learned normals; without it below the XDG state folder."""
    broker: Broker = Broker()
    sender: Broker | None = None
    """How a mark is handed in, where the agent has a user at the broker."""
    outbox: Limits = Limits()
    subjects: Annotated[list[Subject], Meta(min_length=1, description="at least one [[subjects]]")]
    replay: list[Replay] = []
    simulate: list[Simulate] = []
    bluetooth: list[Bluetooth] = []
    phone: list[Phone] = []
    detector: Rules = Rules()

    @property
    def folder(self) -> Path:
        """Return where the agent keeps its state."""
        if self.state is not None:
            return Path(self.state)
        home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return Path(home) / "diastole" / self.agent

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what cannot be meant of the file as a whole."""
        yield from self._names()
        yield from self._sources()
        yield from self._devices()
        yield from self._phones()
        yield from _rules(self.detector)
        if self.model not in ("shipped", "none") and not Path(self.model).is_file():
            what = f"no model file {self.model}"
            yield Mistake(("model",), what, 'check the path, or write "shipped" or "none"')

    def sources(self) -> list[tuple[str, Source]]:
        """Open all sources, each with its subject."""
        radio = Radio()
        return [
            *((item.subject, item.source()) for item in self.replay),
            *((item.subject, item.source()) for item in self.simulate),
            *((item.subject, item.source(radio)) for item in self.bluetooth),
            *((item.subject, item.source(self._patience_ns(item.subject))) for item in self.phone),
        ]

    def _patience_ns(self, subject: str) -> int:
        minutes = {item.name: item.patience_min for item in self.subjects}
        return round(minutes[subject] * MINUTE_NS)

    def _names(self) -> Iterator[Mistake]:
        names = [subject.name for subject in self.subjects]
        for k, name in enumerate(names):
            if name in names[:k]:
                what = f"two subjects are called {name!r}"
                yield Mistake(("subjects", k, "name"), what, "give each its own name")
        sources: list[Replay | Simulate | Bluetooth | Phone] = [
            *self.replay,
            *self.simulate,
            *self.bluetooth,
            *self.phone,
        ]
        fed = {item.subject for item in sources}
        for k, name in enumerate(names):
            if name not in fed:
                what = f"subject {name!r} has no source"
                tables = "[[bluetooth]], [[phone]], [[replay]] or [[simulate]]"
                remedy = f'add {tables} with subject = "{name}"'
                yield Mistake(("subjects", k, "name"), what, remedy)

    def _sources(self) -> Iterator[Mistake]:
        known = [subject.name for subject in self.subjects]
        seen: dict[tuple[str, str], str] = {}
        kinds: tuple[tuple[str, str, Sequence[Replay | Simulate]], ...] = (
            ("replay", "path", self.replay),
            ("simulate", "scenario", self.simulate),
        )
        for table, file, items in kinds:
            for k, item in enumerate(items):
                if item.subject not in known:
                    what = f"no subject is called {item.subject!r}"
                    remedy = f"name one of {', '.join(known)}, or add it"
                    yield Mistake((table, k, "subject"), what, remedy)
                try:
                    key = (item.subject, item.source().name)
                except DiastoleError as error:
                    yield _unusable((table, k, file), error)
                    continue
                if key in seen:
                    what = f"{seen[key]} plays the same already"
                    yield Mistake((table, k, file), what, "leave one of them out")
                seen.setdefault(key, f"[[{table}]] {k + 1}")

    def _devices(self) -> Iterator[Mistake]:
        """Yield what cannot be meant of the devices side by side."""
        known = [subject.name for subject in self.subjects]
        called: set[tuple[str, str]] = set()
        taken: dict[str, int] = {}
        for k, item in enumerate(self.bluetooth):
            if item.subject not in known:
                what = f"no subject is called {item.subject!r}"
                remedy = f"name one of {', '.join(known)}, or add it"
                yield Mistake(("bluetooth", k, "subject"), what, remedy)
            if (item.subject, item.device) in called:
                what = f"{item.subject} has another device called {item.device!r}"
                yield Mistake(("bluetooth", k, "device"), what, "give each its own")
            called.add((item.subject, item.device))
            which = (item.address or item.name or "").lower()
            if which and taken.setdefault(which, k) != k:
                what = f"[[bluetooth]] {taken[which] + 1} is the same device"
                field = "address" if item.address else "name"
                yield Mistake(("bluetooth", k, field), what, "leave one of them out")

    def _phones(self) -> Iterator[Mistake]:
        """Yield what cannot be meant of what is handed over, beside the other devices."""
        known = [subject.name for subject in self.subjects]
        called = {(item.subject, item.device) for item in self.bluetooth}
        topics: dict[str, int] = {}
        for k, item in enumerate(self.phone):
            if item.subject not in known:
                what = f"no subject is called {item.subject!r}"
                remedy = f"name one of {', '.join(known)}, or add it"
                yield Mistake(("phone", k, "subject"), what, remedy)
            if (item.subject, item.device) in called:
                what = f"{item.subject} has another device called {item.device!r}"
                yield Mistake(("phone", k, "device"), what, "give each its own")
            elif topics.setdefault(item.listens_on(self), k) != k:
                what = f"[[phone]] {topics[item.listens_on(self)] + 1} has the same topic"
                yield Mistake(("phone", k, "topic"), what, "give each its own")
            called.add((item.subject, item.device))


def read_agent(path: Path) -> Agent:
    """Read ``agent.toml``; raise BadFile, or Mistakes with all that is wrong in it."""
    return settings.read(path, Agent)


def _unusable(place: settings.Place, error: DiastoleError) -> Mistake:
    """Return why a file that was named cannot be used, on one line."""
    if isinstance(error, InputError):
        return Mistake(place, error.what.replace("\n", "; "), error.remedy)
    return Mistake(place, str(error), "install what it needs")


def _rules(rules: Rules) -> Iterator[Mistake]:
    """Yield what cannot be meant of the detector."""
    for field in msgspec.structs.fields(Rules):
        value: Any = getattr(rules, field.name)
        if value < 0 or (isinstance(value, int) and value < 1):
            yield Mistake(
                ("detector", field.name), f"{field.name} is {value}", "give a number over 0"
            )
        elif field.name in SHARES and value > 1:
            what = f"{field.name} is {value}, and a share of one"
            yield Mistake(("detector", field.name), what, "give a number up to 1")
    for low, high in (
        ("min_coverage", "max_coverage"),
        ("asleep_mg", "awake_mg"),
        ("uncertain_low", "uncertain_high"),
        ("episode_stress", "episode_of"),
    ):
        if getattr(rules, low) > getattr(rules, high):
            what = f"{low} is over {high}"
            yield Mistake(("detector", low), what, f"give one up to {getattr(rules, high)}")


def _minute_of_day(text: str) -> int:
    hour, minute = text.split(":")
    return 60 * int(hour) + int(minute)


def _speed(speed: float | Literal["max"]) -> float:
    return 0.0 if speed == "max" else speed


def inbound(agent: Agent, subject: str) -> str:
    """Return where a mark for one of the agent's subjects is handed in (``+``: for any)."""
    return str(Inbound(agent.site, agent.agent, subject, NOBODY))


def subscriptions(agent: Agent) -> list[str]:
    """Return the topics on which an agent is handed something."""
    own = str(Inbound(agent.site, agent.agent, "+", "+"))
    return [own, *(item.listens_on(agent) for item in agent.phone if item.topic is not None)]


def handed_over(agent: Agent, sources: Sequence[tuple[str, Source]]) -> dict[str, HandedOver]:
    """Return the sources whose records come by MQTT, by their topics."""
    topics = {
        (item.subject, f"phone-{item.device}"): item.listens_on(agent) for item in agent.phone
    }
    return {
        topics[subject, source.name]: source
        for subject, source in sources
        if isinstance(source, HandedOver)
    }
