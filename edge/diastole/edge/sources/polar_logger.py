"""What the Android program Polar Sensor Logger sends by MQTT on ``TOPIC/hr``.

A JSON object with ``deviceId``, ``timeStamp`` (milliseconds of the phone's clock), ``hr`` and
``rr`` (whole milliseconds, oldest first); the rest of it is left alone. It gives no time of a beat:
the beat clock places them. They are of one sensor: the first that is heard, until it has gone.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from diastole.edge.records import Beat, BeatKind, HeartRate, HeartRateKind, Record
from diastole.edge.sources.ble.beatclock import BeatClock
from diastole.edge.sources.mqtt import IN_FLIGHT
from diastole.edge.sources.reader import Said
from diastole.edge.sources.sender import OFF_NS
from diastole.edge.wire import LATEST_NS, BadRecord

MS_NS: Final = 1_000_000
QUIET_NS: Final = 12_000_000_000
"""Without an interval for so long, the heart rate is all there is."""
LONGEST_MS: Final = 10_000
EARLY_NS: Final = 1_000_000_000
"""A beat is not so long after the message that tells it, unless some before it came twice."""
WAITS: Final = 10
"""Messages without an interval after which no burst follows a late one any more."""
LONGEST_NAME: Final = 64
MANY: Final = 300
"""Messages, as of five minutes: after so many of others in a row a sensor has gone; what was wrong
is told for as long. Counted, as a stamp may be anything."""
OTHER: Final = (
    "another sensor sends on the same topic and is not taken: choose one sensor in the logger, or "
    "give each a topic and a [[phone]] of its own"
)
OVERFULL: Final = (
    "more beats came than there was time for: let one program send on the topic, of one sensor"
)


class _Payload(msgspec.Struct, frozen=True):
    timeStamp: Annotated[int, Meta(gt=0, lt=LATEST_NS // MS_NS)]  # noqa: N815
    hr: float | None = None
    rr: list[float] = []
    deviceId: Any = None  # noqa: N815


class PolarLogger:
    """Reads the payload of ``TOPIC/hr``."""

    suffix: Final = "/hr"

    def __init__(self, device: str) -> None:
        self._device = device
        self.sensor: str | None = None
        self._others = 0
        """Messages of others since the last one of the sensor."""
        self._n = 0
        """Messages, and below which of them were the last of another sensor, of too many beats."""
        self._other_n = self._overfull_n = -MANY
        self._anew = False
        """Whether what comes next continues nothing."""
        self._clock: BeatClock[tuple[int, ...]] | None = None
        self._last_ns: int | None = None
        self._beat_ns = 0
        """When the last interval was handed over."""
        self._seen: dict[int, None] = {}
        self._open = 0
        """Messages since the oldest whose beats wait in the beat clock."""

    def read(self, payload: bytes) -> Said:
        """Return beats, or the heart rate of a device that gives none."""
        try:
            came = msgspec.json.decode(payload, type=_Payload)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise BadRecord(str(error)) from None
        sensor = str(came.deviceId)[:LONGEST_NAME]
        stamp_ns, refused = came.timeStamp * MS_NS, Counter[str]()
        records: list[Record] = []
        self._n += 1
        other, anew = self._is_other(sensor), False
        if other:
            refused["sensor"] += 1
        elif stamp_ns in self._seen:
            refused["doubled"] += 1
        elif self._clock and self._last_ns and 0 <= self._last_ns - stamp_ns <= OFF_NS:
            refused["late"] += 1
        else:
            self._listen_to(sensor, refused)
            anew, self._anew = self._anew, False
            records = self._said(stamp_ns, came, refused)
        self._open = self._open + 1 if self._clock is not None and self._clock.waits else 0
        return Said(records, refused, None if other else stamp_ns, self._open, anew)

    def take_up(self, stamps_ns: Sequence[int]) -> None:
        """Know the messages of these stamps: what they say has been taken."""
        for stamp_ns in stamps_ns:
            self._know(stamp_ns)

    @property
    def trouble(self) -> str | None:
        """What was wrong lately with what came."""
        lately = self._n - MANY
        said = {OTHER: self._other_n, OVERFULL: self._overfull_n}
        return "; ".join(what for what, n in said.items() if n > lately) or None

    def _is_other(self, sensor: str) -> bool:
        if self.sensor in (None, sensor):
            self._others = 0
            return False
        self._others, self._other_n = self._others + 1, self._n
        return self._others < MANY

    def _listen_to(self, sensor: str, refused: Counter[str]) -> None:
        if self.sensor not in (None, sensor):
            self._end_clock(refused)
            self._anew = True
        self.sensor = sensor

    def _end_clock(self, refused: Counter[str]) -> None:
        """Let the next interval be an anchor; what waits is of a clock that is no more."""
        if self._clock is not None and self._clock.waits:
            refused["late"] += sum(len(packet.what) for packet in self._clock.waited())
        self._clock = None

    def _know(self, stamp_ns: int) -> None:
        self._last_ns = stamp_ns
        self._seen[stamp_ns] = None
        if len(self._seen) > IN_FLIGHT:
            del self._seen[next(iter(self._seen))]

    def _said(self, stamp_ns: int, came: _Payload, refused: Counter[str]) -> list[Record]:
        if self._last_ns is not None and stamp_ns < self._last_ns - OFF_NS:  # it was set
            self._end_clock(refused)
        if self._clock is None:
            self._clock, self._beat_ns = BeatClock(1000, stamp_ns), stamp_ns
        self._know(stamp_ns)
        ticks = [round(rr) for rr in came.rr if 0.5 < rr <= LONGEST_MS]
        if len(ticks) < len(came.rr):
            refused["value"] += len(came.rr) - len(ticks)
        beats = self._beats(stamp_ns, ticks)
        records: list[Record] = [*beats]
        if self._clock.doubled or (beats and beats[-1].time_ns > stamp_ns + EARLY_NS):
            self._end_clock(refused)
            self._overfull_n, self._anew = self._n, True
        if came.hr is not None and not 0 < came.hr <= 300:
            refused["value"] += 1
        elif came.hr is not None and stamp_ns - self._beat_ns >= QUIET_NS:
            kind = HeartRateKind.DEVICE
            records.append(
                HeartRate(device=self._device, time_ns=stamp_ns, hr_bpm=came.hr, kind=kind)
            )
        return records

    def _beats(self, stamp_ns: int, ticks: list[int]) -> list[Beat]:
        if self._clock is None:
            return []
        if ticks:
            self._beat_ns = stamp_ns
            packets = self._clock.packet(stamp_ns, ticks, tuple(ticks))
        else:  # what waits is not acknowledged, and must not wait for ever
            packets = self._clock.waited() if self._open >= WAITS else []
        beats: list[Beat] = []
        for packet in packets:
            for k, (ms, time_ns) in enumerate(zip(packet.what, packet.times_ns, strict=True)):
                whole = k > 0 or not packet.anchored
                rr_ms = float(ms) if whole else 0.0
                beats.append(
                    Beat(device=self._device, time_ns=time_ns, rr_ms=rr_ms, kind=BeatKind.RR)
                )
        return beats
