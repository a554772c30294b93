"""``agent.toml``: who is worn by what, where readings go, and how they are made."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from diastole.edge import settings
from diastole.edge.agent import devices
from diastole.edge.agent.devices import Bluetooth, Phone
from diastole.edge.delivery.limits import Limits
from diastole.edge.errors import DiastoleError, InputError
from diastole.edge.formats.finding import open_recording
from diastole.edge.mqtt import Broker
from diastole.edge.pipeline.rules import Notices, Rules
from diastole.edge.records import MINUTE_NS
from diastole.edge.settings import Mistake, Zone
from diastole.edge.sources.ble.radio import Radio
from diastole.edge.sources.live import Source
from diastole.edge.sources.replayed import At, replayed
from diastole.edge.sources.scenario import read_scenario
from diastole.edge.sources.simulated import simulated
from diastole.edge.wire.topics import Name

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
SHARES: Final = frozenset(
    {"min_coverage", "pulse_coverage", "track_coverage", "rhythm_share", "normal_share"}
    | {"uncertain_low", "uncertain_high"}
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
        return replayed(
            open_recording(Path(self.path).expanduser()), speed=_speed(self.speed), at=self.at
        )


class Simulate(msgspec.Struct, frozen=True, kw_only=True):
    """A simulated wearer."""

    subject: Name
    scenario: str
    seed: Annotated[int, Meta(ge=0)] = 0
    speed: Speed = 1.0

    def source(self) -> Source:
        """Read the scenario; raise an error of ours where it cannot be told."""
        return simulated(
            read_scenario(Path(self.scenario).expanduser()), self.seed, speed=_speed(self.speed)
        )


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
            return Path(self.state).expanduser()
        return settings.state_folder() / self.agent

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what cannot be meant of the file as a whole."""
        yield from self._names()
        yield from self._sources()
        names = [subject.name for subject in self.subjects]
        yield from devices.mistakes(names, self, self.bluetooth, self.phone)
        yield from _rules(self.detector)
        if self.model not in ("shipped", "none") and not Path(self.model).expanduser().is_file():
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
