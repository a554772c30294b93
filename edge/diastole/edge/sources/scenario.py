"""A simulated wearer's story, as a TOML file says it.

The story is told in chapters, one after the other; what goes wrong with heart or device stands in
the chapter in which it does, its time counted from that chapter's beginning.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from diastole.edge import settings
from diastole.edge.records import BeatKind
from diastole.edge.settings import Mistake, Zone
from diastole.edge.wire import PSEUDONYM

LONGEST_MIN: Final = 2880
"""Two days: a story is laid out whole."""

Minutes = Annotated[float, Meta(ge=0.1, le=LONGEST_MIN)]
Pseudonym = Annotated[
    str, Meta(pattern=f"^{PSEUDONYM}$", description="a pseudonym of a-z, 0-9 and -")
]


class Activity(StrEnum):
    """What the wearer does."""

    REST = "rest"
    DESK = "desk"
    STRESS = "mental_stress"
    MEAL = "meal"
    WALK = "walk"
    STAIRS = "stairs"
    SLEEP = "sleep"


class FaultKind(StrEnum):
    """What goes wrong."""

    ECTOPIC = "ectopic"
    """The heart beats early and then makes up for it."""
    MISSED = "missed"
    """The device overlooks a beat."""
    EXTRA = "extra"
    """The device sees a beat where none is."""
    DOUBLED = "doubled"
    """The device sends everything twice."""
    CONTACT_LOST = "contact_lost"
    """The device feels no skin, says so, and sends what it takes for beats."""
    OFF_WRIST = "off_wrist"
    """The device is taken off, and says so."""
    LINK_LOST = "link_lost"
    """Nothing of the device arrives."""


SINGLE: Final = (FaultKind.ECTOPIC, FaultKind.MISSED, FaultKind.EXTRA)
"""Faults of single beats, so many a minute; the others last."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that goes wrong in a chapter."""

    kind: FaultKind
    at_min: Annotated[float, Meta(ge=0, le=LONGEST_MIN)] = 0.0
    """After the chapter's beginning."""
    minutes: Minutes | None = None
    """Without it: to the chapter's end."""
    per_min: Annotated[float, Meta(gt=0, le=20)] | None = None
    """Of single beats; without it 4."""
    device: str | None = None
    """Without it: all devices."""

    def mistakes(self) -> Iterator[Mistake]:
        """Yield settings that mean nothing beside this kind of fault."""
        if self.per_min is not None and self.kind not in SINGLE:
            what = f"per_min says nothing of {self.kind}, which lasts"
            yield Mistake(("per_min",), what, "leave it out")
        if self.device is not None and self.kind is FaultKind.ECTOPIC:
            what = "an ectopic beat is the heart's, not a device's"
            yield Mistake(("device",), what, "leave device out")


class Chapter(msgspec.Struct, frozen=True, kw_only=True):
    """Some minutes of the story."""

    activity: Activity
    minutes: Minutes
    title: str = ""
    """What happens, for whoever is told the story."""
    faults: list[Fault] = []

    def mistakes(self) -> Iterator[Mistake]:
        """Yield faults that reach beyond the chapter."""
        for k, fault in enumerate(self.faults):
            end_min = fault.at_min + (fault.minutes or 0)
            if fault.at_min >= self.minutes or end_min > self.minutes:
                what = f"{fault.kind} reaches beyond its chapter of {self.minutes:g} min"
                yield Mistake(("faults", k), what, "begin it earlier, shorten it, or divide it")


class Wearer(msgspec.Struct, frozen=True, kw_only=True):
    """Whose heart it is."""

    hr_rest_bpm: Annotated[float, Meta(ge=35, le=110)] = 62.0
    hr_max_bpm: Annotated[float, Meta(ge=130, le=220)] = 190.0
    rmssd_rest_ms: Annotated[float, Meta(ge=5, le=120)] = 42.0


class DeviceKind(StrEnum):
    """What a simulated device is like."""

    RR = BeatKind.RR.value
    """A chest strap: RR intervals in n/1024 s."""
    PPI = BeatKind.PPI.value
    """A wristband: pulse intervals in ms with an error estimate and a flag for movement."""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A simulated device."""

    name: Pseudonym
    kind: DeviceKind
    motion: bool = True


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file."""

    chapters: Annotated[list[Chapter], Meta(min_length=1, description="at least one [[chapters]]")]
    subject: Pseudonym = "simulated"
    start: Annotated[datetime, Meta(tz=True)] | None = None
    """Without it the session has no date, and counts from 0."""
    zone: Zone = Zone("UTC")
    wearer: Wearer = Wearer()
    devices: Annotated[list[Device], Meta(min_length=1, description="at least one [[devices]]")] = (
        msgspec.field(default_factory=lambda: [Device(name="sim-strap", kind=DeviceKind.RR)])
    )

    @property
    def start_ns(self) -> int:
        """Time at which the story begins."""
        if self.start is None:
            return 0
        since = self.start - datetime(1970, 1, 1, tzinfo=UTC)
        return since // timedelta(microseconds=1) * 1000

    @property
    def edges_s(self) -> list[float]:
        """Seconds at which chapters begin, and at which the last one ends."""
        return [
            60 * minutes for minutes in accumulate((c.minutes for c in self.chapters), initial=0.0)
        ]

    def spans(self, *kinds: FaultKind, device: str | None = None) -> list["Span"]:
        """Return when these faults happen (to this device), in order of their beginning."""
        found = [
            _span(fault, begin_s, end_s)
            for chapter, begin_s, end_s in zip(
                self.chapters, self.edges_s, self.edges_s[1:], strict=False
            )
            for fault in chapter.faults
            if fault.kind in kinds and fault.device in (None, device)
        ]
        return sorted(found, key=lambda span: (span.begin_s, span.end_s))

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what cannot be meant of the story as a whole."""
        if self.edges_s[-1] > LONGEST_MIN * 60:
            what = f"the chapters last {self.edges_s[-1] / 60:g} min together"
            yield Mistake(("chapters",), what, f"tell at most {LONGEST_MIN} min")
        names = [device.name for device in self.devices]
        for k, name in enumerate(names):
            if name in names[:k]:
                what = f"two devices are called {name!r}"
                yield Mistake(("devices", k, "name"), what, "give each its own name")
        for c, chapter in enumerate(self.chapters):
            for f, fault in enumerate(chapter.faults):
                if fault.device is not None and fault.device not in names:
                    place = ("chapters", c, "faults", f, "device")
                    what = f"no device is called {fault.device!r}"
                    yield Mistake(place, what, f"name one of {', '.join(names)}")


class Span(msgspec.Struct, frozen=True):
    """When a fault happens, in seconds from the story's beginning."""

    kind: FaultKind
    begin_s: float
    end_s: float
    per_min: float


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file; raise BadFile, or Mistakes with all that is wrong in it."""
    return settings.read(path, Scenario)


def _span(fault: Fault, begin_s: float, end_s: float) -> Span:
    at_s = begin_s + 60 * fault.at_min
    until_s = end_s if fault.minutes is None else at_s + 60 * fault.minutes
    return Span(fault.kind, at_s, until_s, fault.per_min or 4.0)
