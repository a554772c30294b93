"""A device's records in time: from what its packets say and when they came, to chunks.

Pure; times are nanoseconds of the wall clock, as the caller has it.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from diastole.edge.chunks import (
    BEAT,
    BEAT_KINDS,
    BREAK,
    BREAK_REASONS,
    HEART_RATE,
    HEART_RATE_KINDS,
    MOTION,
    UNKNOWN,
    Chunk,
    join,
    rows_of,
)
from diastole.edge.records import SECOND_NS, BreakReason, HeartRateKind
from diastole.edge.sources.ble.beatclock import BeatClock, Placed
from diastole.edge.sources.ble.movement import Movement
from diastole.edge.sources.ble.protocol import Acceleration, Gives, Heard, Interval

BATCH_NS: Final = 12 * SECOND_NS
"""No beat comes later than this behind its time, unless packets wait on their way."""
OFF_NS: Final = 10 * SECOND_NS
"""A device that feels no skin for so long was taken off."""
AHEAD_NS: Final = SECOND_NS
"""An anchor may lie so far before what has been told: the wall clock moves a little, too."""
LONGEST_S: Final = 10
"""An interval over this is no time that has passed."""
DEVICE_RATE: Final = HEART_RATE_KINDS.index(HeartRateKind.DEVICE)


class Placing:
    """The records of one device, listened for since ``now_ns``."""

    def __init__(self, device: str, now_ns: int) -> None:
        self._devices = (device,)
        self._begin(now_ns)

    def _begin(self, now_ns: int) -> None:
        self.until_ns = now_ns - BATCH_NS
        self._heard_ns = now_ns - BATCH_NS
        """When the last packet came."""
        self._beats_ns: int | None = None
        """The last beat."""
        self._clock: BeatClock[tuple[Interval, ...]] | None = None
        self._movement = Movement()
        self._pieces: list[Chunk] = []
        self._going = self._anchored = self._unbroken = False
        self._quiet_ns: int | None = None
        """Since when no packet has held an interval."""
        self._off_ns: int | None = None
        """Since when no skin has been felt."""

    def begin(self, now_ns: int) -> None:
        """Take in that the device sends from here on."""
        self._heard_ns = max(now_ns, self._heard_ns)
        self._going, self._quiet_ns, self._off_ns = True, None, None
        self._apart()

    def heard(self, heard: Heard, arrived_ns: int, gives: Gives) -> bool:
        """Take in what a packet says; return False where more beats came than there was time for.

        Then the beats begin anew, and those that still come before what is told are left out.
        """
        ahead = self._ahead(arrived_ns) and bool(heard.intervals)
        if not ahead:
            self._hear_beats(heard.intervals, arrived_ns)
        self._heard_ns = max(arrived_ns, self._heard_ns + 1, self.until_ns)
        if heard.hr_bpm:
            contact = _flag(heard.contact)
            columns = {"kind": DEVICE_RATE, "hr_bpm": float(heard.hr_bpm), "contact": contact}
            rates = rows_of(HEART_RATE, 1, time_ns=self._heard_ns, **columns)
            self._add(heart_rates=rates)
        if heard.acceleration is not None:
            self._hear_movement(heard.acceleration, arrived_ns)
        self.until_ns = max(self.until_ns, self._known_ns(gives))
        self._feel(heard.contact)
        if self._clock is not None and self._clock.doubled:
            self.broke(BreakReason.LINK_LOST)
            self._going = ahead = True
        return not ahead

    def broke(self, reason: BreakReason) -> None:
        """Take in that the wearing is in doubt since the last record."""
        if self._clock is not None:
            self._place_waiting(self._clock)
        self._apart()
        self._break(max(self._heard_ns, self.until_ns, (self._beats_ns or 0) + 1), reason)
        self._going = False

    def away(self, now_ns: int) -> None:
        """Take in that it is this late, and that nothing comes."""
        if not self._going:
            self.until_ns = max(self.until_ns, now_ns - BATCH_NS)

    def stepped(self, now_ns: int) -> Chunk:
        """Begin anew by a clock that has been set; return what came by the old one."""
        going = self._going
        self.broke(BreakReason.CLOCK_STEPPED)
        told = self.cut()
        self._begin(now_ns)
        self._going = going
        return told

    def cut(self) -> Chunk:
        """Return the records before ``until_ns`` that have come since the last cut."""
        chunk = join([Chunk(self.until_ns, self._devices), *self._pieces])
        told, rest = chunk.split(self.until_ns)
        self._pieces = [rest]
        return told

    # ---- what is heard

    def _hear_beats(self, intervals: tuple[Interval, ...], arrived_ns: int) -> None:
        beats = tuple(i for i in intervals if 0 < i.ticks <= LONGEST_S * i.per_s)
        if beats:
            self._quiet_ns = None
            beats = self._by_one_clock(beats)
        elif self._quiet_ns is None:
            self._quiet_ns = arrived_ns
        if self._clock is not None:
            self._clock.newest_ns = max(self._clock.newest_ns, self.until_ns - 1)
            ticks = [beat.ticks for beat in beats]
            self._place(self._clock.packet(arrived_ns, ticks, beats))

    def _ahead(self, arrived_ns: int) -> bool:
        """Whether what has been told ends well after an anchor would be."""
        unanchored = self._clock is not None and not self._clock.anchored
        return unanchored and arrived_ns < self.until_ns - AHEAD_NS

    def _by_one_clock(self, beats: tuple[Interval, ...]) -> tuple[Interval, ...]:
        """Return the beats that the clock places: none that may have come in another way before."""
        before = self._clock
        if before is not None and before.per_s == beats[0].per_s:
            return beats
        if before is not None:
            self._place_waiting(before)
        self._clock = BeatClock(beats[0].per_s, self._heard_ns)
        return beats if before is None else ()

    def _hear_movement(self, piece: Acceleration, arrived_ns: int) -> None:
        told = self._movement.add(piece, arrived_ns)
        new = told.end_ns >= self.until_ns
        self._add(
            motions=rows_of(
                MOTION,
                int(new.sum()),
                time_ns=told.end_ns[new],
                activity_mg=told.activity_mg[new],
                cadence_per_min=told.cadence_per_min[new],
            )
        )

    def _feel(self, contact: bool | None) -> None:
        if contact is not False:
            self._off_ns = None
        elif self._off_ns is None:
            self._off_ns = self._heard_ns
        elif self._heard_ns - self._off_ns >= OFF_NS and self._unbroken:
            self.broke(BreakReason.OFF_WRIST)
            self._going = True

    # ---- what is made of it

    def _place_waiting(self, clock: BeatClock[tuple[Interval, ...]]) -> None:
        """Place what waits for a burst, not before what has been told."""
        clock.newest_ns = max(clock.newest_ns, self.until_ns - 1)
        self._place(clock.waited())

    def _place(self, packets: Iterable[Placed[tuple[Interval, ...]]]) -> None:
        for packet in packets:
            if packet.anchored and self._anchored and self._beats_ns is not None:
                self._break(max(self._beats_ns + 1, self.until_ns), BreakReason.LINK_LOST)
            self._anchored = True
            for k, (beat, time_ns) in enumerate(zip(packet.what, packet.times_ns, strict=True)):
                if beat.likely:
                    self._beats_ns = time_ns
                    self._add_beat(beat, time_ns, whole=k > 0 or not packet.anchored)

    def _add_beat(self, beat: Interval, time_ns: int, *, whole: bool) -> None:
        self._add(
            beats=rows_of(
                BEAT,
                1,
                time_ns=time_ns,
                kind=BEAT_KINDS.index(beat.kind),
                rr_ms=beat.ms if whole else 0.0,
                error_ms=np.nan if beat.error_ms is None else beat.error_ms,
                contact=_flag(beat.contact),
                moving=_flag(beat.moving),
                quality=np.nan,
            )
        )

    def _break(self, time_ns: int, reason: BreakReason) -> None:
        if self._unbroken:
            code = BREAK_REASONS.index(reason)
            self._pieces.append(
                Chunk(0, self._devices, breaks=rows_of(BREAK, 1, time_ns=time_ns, reason=code))
            )
            self._unbroken = False
            self.until_ns = max(self.until_ns, time_ns + 1)

    def _add(self, **columns: Any) -> None:
        self._pieces.append(Chunk(0, self._devices, **columns))
        self._unbroken = True

    def _apart(self) -> None:
        """Let what follows be no continuation of what came."""
        self._anchored = False
        self._movement.begin()
        if self._clock is not None:
            self._clock.begin(self._heard_ns)

    def _known_ns(self, gives: Gives) -> int:
        """Return the time before which nothing will come of any kind of record."""
        known_ns = self._heard_ns + 1
        moved_ns = self._movement.told_ns
        if moved_ns is not None and self._heard_ns - moved_ns < BATCH_NS:
            known_ns = min(known_ns, moved_ns + 1)
        quiet_ns = 0 if self._quiet_ns is None else self._heard_ns - self._quiet_ns
        if gives is not Gives.HEART_RATE:
            beats_ns = self.until_ns if self._beats_ns is None else self._beats_ns + 1
            if quiet_ns >= BATCH_NS:
                beats_ns = max(beats_ns, self._heard_ns - BATCH_NS)
            known_ns = min(known_ns, beats_ns)
        return known_ns


def _flag(known: bool | None) -> int:
    return UNKNOWN if known is None else int(known)
