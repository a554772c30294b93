"""What the Android program Polar Sensor Logger sends by MQTT on ``TOPIC/hr``.

A JSON object with ``timeStamp`` (milliseconds of the phone's clock), ``hr`` and ``rr`` (whole
milliseconds, oldest first); the rest of it is left alone. It gives no time of a beat: the beat
clock places them.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from diastole.edge.records import Beat, BeatKind, HeartRate, HeartRateKind, Record
from diastole.edge.sources.ble.beatclock import BeatClock
from diastole.edge.sources.mqtt import IN_FLIGHT, Said
from diastole.edge.sources.sender import OFF_NS
from diastole.edge.wire import LATEST_NS, BadRecord

MS_NS: Final = 1_000_000
QUIET_NS: Final = 12_000_000_000
"""Without an interval for so long, the heart rate is all there is."""
LONGEST_MS: Final = 10_000


class _Payload(msgspec.Struct, frozen=True):
    timeStamp: Annotated[int, Meta(gt=0, lt=LATEST_NS // MS_NS)]  # noqa: N815
    hr: float | None = None
    rr: list[float] = []


class PolarLogger:
    """Reads the payload of ``TOPIC/hr``."""

    suffix: Final = "/hr"

    def __init__(self, device: str) -> None:
        self._device = device
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
        stamp_ns, refused = came.timeStamp * MS_NS, Counter[str]()
        records: list[Record] = []
        if stamp_ns in self._seen:
            refused["doubled"] += 1
        elif self._clock and self._last_ns and 0 <= self._last_ns - stamp_ns <= OFF_NS:
            refused["late"] += 1
        else:
            records = self._said(stamp_ns, came, refused)
        self._open = self._open + 1 if self._clock is not None and self._clock.waits else 0
        return Said(records, refused, stamp_ns, self._open)

    def take_up(self, stamps_ns: Sequence[int]) -> None:
        """Know the messages of these stamps: what they say has been taken."""
        for stamp_ns in stamps_ns:
            self._know(stamp_ns)

    def _know(self, stamp_ns: int) -> None:
        self._last_ns = stamp_ns
        self._seen[stamp_ns] = None
        if len(self._seen) > IN_FLIGHT:
            del self._seen[next(iter(self._seen))]

    def _said(self, stamp_ns: int, came: _Payload, refused: Counter[str]) -> list[Record]:
        was_set = self._last_ns is not None and stamp_ns < self._last_ns - OFF_NS
        if self._clock is None or was_set:
            if self._clock is not None:  # by a clock that is no more
                refused["late"] += sum(len(packet.what) for packet in self._clock.waited())
            self._clock, self._beat_ns = BeatClock(1000, stamp_ns), stamp_ns
        self._know(stamp_ns)
        ticks = [round(rr) for rr in came.rr if 0.5 < rr <= LONGEST_MS]
        if len(ticks) < len(came.rr):
            refused["value"] += len(came.rr) - len(ticks)
        records: list[Record] = self._beats(stamp_ns, ticks)
        if came.hr is not None and not 0 < came.hr <= 300:
            refused["value"] += 1
        elif came.hr is not None and stamp_ns - self._beat_ns >= QUIET_NS:
            kind = HeartRateKind.DEVICE
            records.append(
                HeartRate(device=self._device, time_ns=stamp_ns, hr_bpm=came.hr, kind=kind)
            )
        return records

    def _beats(self, stamp_ns: int, ticks: list[int]) -> list[Record]:
        if not ticks or self._clock is None:
            return []
        self._beat_ns = stamp_ns
        beats: list[Record] = []
        for packet in self._clock.packet(stamp_ns, ticks, tuple(ticks)):
            for k, (ms, time_ns) in enumerate(zip(packet.what, packet.times_ns, strict=True)):
                whole = k > 0 or not packet.anchored
                rr_ms = float(ms) if whole else 0.0
                beats.append(
                    Beat(device=self._device, time_ns=time_ns, rr_ms=rr_ms, kind=BeatKind.RR)
                )
        return beats
