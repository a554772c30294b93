"""A device over Bluetooth LE as a source of the agent: a chunk each second, and its health."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from diastole.edge.chunks import BREAK, BREAK_REASONS, Chunk, rows_of
from diastole.edge.clock import Clock
from diastole.edge.records import SECOND_NS, BreakReason, Status
from diastole.edge.sources.ble.hearing import State
from diastole.edge.sources.ble.placing import Placing
from diastole.edge.sources.ble.protocol import Gives, Heard, Kind
from diastole.edge.sources.ble.radio import Radio
from diastole.edge.sources.ble.supervisor import Supervisor, Wanted
from diastole.edge.sources.live import STEP_NS

CHUNK_S: Final = 1.0
PAIRED_S: Final = 3600.0
"""How the wall clock lies to the monotonic one is looked at anew so often."""
CURSOR_BYTES: Final = 8
ENDED: Final = BREAK_REASONS.index(BreakReason.ENDED)


class BleSource:
    """One device of a subject."""

    live = True
    paced = True
    zone: str | None = None
    simulated = False

    def __init__(self, wanted: Wanted, adapter: str | None, radio: Radio, kinds: Sequence[Kind]):
        self.name = f"ble-{wanted.device}"
        self._wanted, self._adapter = wanted, adapter
        self._radio, self._kinds = radio, kinds
        self._state: State | None = None

    async def chunks(
        self, clock: Clock, cursor: bytes | None
    ) -> AsyncIterator[tuple[Chunk, bytes]]:
        """Yield what the device sends, until closed; the cursor is how far that has come.

        What came after the last chunk, up to a second of it, is not told when the agent stops; the
        next one to take the device up begins with the Break that says so.
        """
        records = Records(self._wanted.device, clock)
        if (before := records.take_up(cursor)) is not None:
            yield before, _cursor(before)
        adapter = self._radio.adapter(self._adapter, clock)
        supervisor = Supervisor(self._wanted, adapter, self._kinds, clock, records)
        self._state = supervisor.state
        async with self._radio.watched(clock, supervisor.cut):
            running = asyncio.create_task(supervisor.run())
            try:
                while not running.done():
                    await clock.sleep(CHUNK_S)
                    if (chunk := records.cut()) is not None:
                        yield chunk, _cursor(chunk)
                running.result()  # it ends by a defect only
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    def status(self, clock: Clock) -> Status | None:
        """Return the device's health; None before it was looked for."""
        if self._state is None:
            return None
        return status(self._wanted.device, self._state, clock)


def status(device: str, state: State, clock: Clock) -> Status:
    """Return what is told of a device's health."""
    now_s = clock.monotonic()
    known = {
        "linked": float(state.link == "linked"),
        "links": float(state.links),
        "battery_pct": state.battery_pct,
        "rssi_dbm": state.rssi_dbm,
        "beat_age_s": None if state.beat_s is None else round(now_s - state.beat_s, 1),
        "packet_age_s": None if state.heard_s is None else round(now_s - state.heard_s, 1),
        **{f"dropped_{reason}": n for reason, n in state.refused.items()},
    }
    text = {
        "link": state.link,
        "kind": state.kind or "unknown",
        "gives": str(state.gives),
        "trouble": state.trouble or "",
        **state.described,
    }
    if state.gives is Gives.HEART_RATE:
        text["rr"] = "none"
    values = {name: float(value) for name, value in known.items() if value is not None}
    return Status(device=device, time_ns=clock.wall_ns(), values=values, text=text)


class Records:
    """What a supervisor hears, by the wall clock."""

    def __init__(self, device: str, clock: Clock) -> None:
        self._devices, self._clock = (device,), clock
        self._placing = Placing(device, clock.wall_ns())
        self._told_ns: int | None = None
        self._pair()

    def take_up(self, cursor: bytes | None) -> Chunk | None:
        """Go on behind what an earlier process told: its wearing is in doubt from there on."""
        if cursor is None or len(cursor) != CURSOR_BYTES:
            return None
        time_ns = int.from_bytes(cursor, "big", signed=True)
        if time_ns >= self._clock.wall_ns():
            return None
        self._placing.until_ns = max(self._placing.until_ns, time_ns + 1)
        breaks = rows_of(BREAK, 1, time_ns=time_ns, reason=ENDED)
        return Chunk(time_ns + 1, self._devices, breaks=breaks)

    def linked(self) -> None:
        """Take in that packets come from here on."""
        if not self._stepped:  # else the next cut tells it first
            self._pair()
        self._placing.begin(self._wall_ns(self._clock.monotonic()))

    def heard(self, heard: Heard, arrived_s: float, gives: Gives) -> bool:
        """Place what a packet says."""
        return self._placing.heard(heard, self._wall_ns(arrived_s), gives)

    def lost(self) -> None:
        """Take in that the link has ended."""
        self._placing.broke(BreakReason.LINK_LOST)

    def cut(self) -> Chunk | None:
        """Return what has come; None where nothing has, and nothing is known."""
        now_s = self._clock.monotonic()
        if self._stepped:
            self._pair()
            return self._placing.stepped(self._clock.wall_ns())
        if now_s - self._paired_s > PAIRED_S:
            self._pair()
        self._placing.away(self._wall_ns(now_s))
        chunk = self._placing.cut()
        if chunk.until_ns == self._told_ns:
            return None
        self._told_ns = chunk.until_ns
        return chunk

    def _pair(self) -> None:
        self._paired_s, self._ahead_ns = self._clock.monotonic(), self._ahead()

    @property
    def _stepped(self) -> bool:
        """Whether the wall clock has been set since the pairing."""
        return abs(self._ahead() - self._ahead_ns) > STEP_NS

    def _ahead(self) -> int:
        return self._clock.wall_ns() - round(self._clock.monotonic() * SECOND_NS)

    def _wall_ns(self, monotonic_s: float) -> int:
        return round(monotonic_s * SECOND_NS) + self._ahead_ns


def _cursor(chunk: Chunk) -> bytes:
    return chunk.until_ns.to_bytes(CURSOR_BYTES, "big", signed=True)
