"""Polar sensors: the Heart Rate Service, and beside it pulse intervals and acceleration.

Straps give their intervals by the Heart Rate Service, optical sensors by Polar's own, whose first
batch comes some 25 s after it was asked for and the next about every 5 s.
"""

import asyncio
import logging
import math
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from diastole.edge.records import BeatKind
from diastole.edge.sources.ble import hrs, pmd
from diastole.edge.sources.ble.protocol import (
    Acceleration,
    Heard,
    Interval,
    Kind,
    Link,
    LinkError,
    Refused,
    Undecodable,
    counted,
)

TICKS_PER_S: Final = 1000
FIRST_BATCH_S: Final = 60.0
BATCH_S: Final = 20.0
"""Silences that are usual of pulse intervals, before the first batch and after."""
ACC_S: Final = 20.0
PATIENT_S: Final = 600.0
"""What never comes is asked for ever more rarely, down to this."""
BEATS_WITHIN_S: Final = 90.0
"""Of an optical sensor: its first batch may be slow, and a restart be needed."""
REPLY_S: Final = 5.0
GOODBYE_S: Final = 0.5
MOST_REPLIES: Final = 16
WANTED: Final = {"sample_rate": (25, 26, 50, 52), "resolution": (16,), "range": (8, 16, 4)}
"""Of acceleration: enough for the rhythm of steps, no more on air than that."""
USUAL_HZ: Final = 50.0
"""Where the sensor did not tell its rates."""
FACTOR_BELOW: Final = 100.0
"""What would make more of a sample is none."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Stream:
    """One measurement that is to run."""

    measurement: int
    settings: dict[str, float]
    first_s: float
    """Silence allowed until the first frame, ..."""
    later_s: float
    """... and between frames."""
    since_s: float = 0.0
    came: bool = False
    mute: bool = False
    """It has come on this link, was asked for again, and nothing answered."""
    factor: float = 1.0

    def silent(self, now_s: float) -> bool:
        """Whether it should have said something."""
        return now_s - self.since_s >= (self.later_s if self.came else self.first_s)


class PolarDriver:
    """Starts what the sensor has, and starts it again where it ends by itself."""

    watched = (hrs.MEASUREMENT, pmd.CONTROL, pmd.DATA)

    def __init__(self) -> None:
        self._heart = hrs.HeartRateDriver()
        self._streams: dict[int, _Stream] = {}
        self._replies: asyncio.Queue[pmd.Reply] = asyncio.Queue(MOST_REPLIES)
        self._rates_come = False

    @property
    def quiet_s(self) -> float:
        """Return what is usual of the slowest that it gives."""
        ppi = self._streams.get(pmd.PPI)
        if ppi is None:
            return self._heart.quiet_s
        return BATCH_S if ppi.came or ppi.mute else FIRST_BATCH_S

    @property
    def beats_within_s(self) -> float:
        """Return the strap's or the optical sensor's."""
        return BEATS_WITHIN_S if pmd.PPI in self._streams else self._heart.beats_within_s

    async def start(self, link: Link) -> None:
        """Ask for pulse intervals and acceleration where the sensor has them."""
        await self._heart.start(link)
        if pmd.CONTROL not in link.chars:
            return
        try:
            found = pmd.control(await link.read(pmd.CONTROL))
        except Undecodable as error:
            log.warning('polar=heart_rate_service_only why="its features: %s"', error)
            return
        except LinkError as error:
            if error.att is None:
                raise
            log.warning('polar=heart_rate_service_only why="%s"', error)
            return
        has = found.measurements if isinstance(found, pmd.Features) else frozenset()
        if pmd.PPI in has:
            await self._run(link, _Stream(pmd.PPI, {}, FIRST_BATCH_S, BATCH_S))
        if pmd.ACC in has:
            offered = await self._offered(link)
            settings = pmd.chosen(offered, WANTED)
            await self._run(link, _Stream(pmd.ACC, settings, ACC_S, ACC_S))

    async def tick(self, link: Link) -> None:
        """Start again what the sensor has ended, or what has fallen silent."""
        for stream in self._streams.values():
            if stream.silent(link.clock.monotonic()):
                if stream.came:
                    log.info("polar=again measurement=%d", stream.measurement)
                else:
                    stream.first_s = min(2 * stream.first_s, PATIENT_S)
                await self._ask(link, pmd.command(pmd.STOP, stream.measurement), REPLY_S)
                await self._run(link, stream)

    def packet(self, char: str, data: bytes, arrived_s: float) -> Heard:
        """Decode what came of any of the three."""
        if char == hrs.MEASUREMENT:
            return self._heart_rate(data, arrived_s)
        if char == pmd.CONTROL:
            return self._told(pmd.control(data))
        if char != pmd.DATA:
            raise Undecodable(Refused.UNKNOWN, data)
        frame = pmd.decode(data)
        if isinstance(frame, pmd.Ppi):
            self._came(pmd.PPI, arrived_s)
            return self._pulses(frame)
        if isinstance(frame, pmd.Acc):
            stream = self._came(pmd.ACC, arrived_s)
            return Heard(acceleration=_acceleration(frame, stream)) if stream else Heard()
        return Heard()

    async def stop(self, link: Link) -> None:
        """End what was started: a sensor left measuring empties its battery."""
        for stream in self._streams.values():
            await self._ask(link, pmd.command(pmd.STOP, stream.measurement), GOODBYE_S)

    async def _run(self, link: Link, stream: _Stream) -> None:
        self._streams[stream.measurement] = stream
        stream.since_s = link.clock.monotonic()
        came, stream.came = stream.came or stream.mute, False
        command = pmd.command(pmd.START, stream.measurement, stream.settings)
        reply = await self._ask(link, command, REPLY_S)
        stream.mute = came and reply is None
        if reply is not None and reply.status == pmd.OK:
            stream.factor = _factor(reply.parameters)

    async def _offered(self, link: Link) -> pmd.Settings:
        reply = await self._ask(link, pmd.command(pmd.GET, pmd.ACC), REPLY_S)
        return _settings(reply.parameters) if reply is not None else {}

    async def _ask(self, link: Link, command: bytes, limit_s: float) -> pmd.Reply | None:
        """Send a command; return the whole reply to it, None where none came in time."""
        self._replies = asyncio.Queue(MOST_REPLIES)
        replied = asyncio.ensure_future(self._reply_to(command))
        limit = asyncio.ensure_future(link.clock.sleep(limit_s))
        either: set[asyncio.Future[Any]] = {replied, limit}
        try:
            await link.write(pmd.CONTROL, command, response=True)
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except LinkError as error:
            if error.att is None:
                raise
            log.debug('polar=declined command=%s why="%s"', command.hex(), error)
        finally:
            limit.cancel()
            replied.cancel()
        return replied.result() if replied.done() else None

    async def _reply_to(self, command: bytes) -> pmd.Reply:
        parameters, before = b"", None
        while True:
            reply = await self._replies.get()
            if (reply.op, reply.measurement) != tuple(command[:2]):
                continue  # to an earlier command, late
            if reply == before:
                continue  # a copy, where another program listens
            before, parameters = reply, parameters + reply.parameters
            if not reply.more:
                return msgspec.structs.replace(reply, parameters=parameters)

    def _told(self, said: pmd.Reply | pmd.Features | pmd.Ended) -> Heard:
        if isinstance(said, pmd.Ended):
            for measurement in said.measurements & self._streams.keys():
                self._streams[measurement].since_s = -math.inf  # due at the next tick
        if not isinstance(said, pmd.Reply):
            return Heard()
        with suppress(asyncio.QueueFull):
            self._replies.put_nowait(said)
        declined = said.status not in {pmd.OK, pmd.ALREADY}
        return Heard(refused=(Refused.DECLINED,) if declined else ())

    def _came(self, measurement: int, arrived_s: float) -> _Stream | None:
        stream = self._streams.get(measurement)
        if stream is not None:
            stream.since_s, stream.came = arrived_s, True
        return stream

    def _heart_rate(self, data: bytes, arrived_s: float) -> Heard:
        heard = self._heart.packet(hrs.MEASUREMENT, data, arrived_s)
        self._rates_come = True
        pulses = self._streams.get(pmd.PPI)
        if pulses is None or not pulses.came or not heard.intervals:
            return heard
        second = (Refused.SECOND,) * len(heard.intervals)
        return msgspec.structs.replace(heard, intervals=(), refused=second)

    def _pulses(self, frame: pmd.Ppi) -> Heard:
        intervals = tuple(
            Interval(
                ticks=sample.pp_ms,
                per_s=TICKS_PER_S,
                kind=BeatKind.PPI,
                error_ms=float(sample.error_ms),
                contact=sample.contact,
                moving=sample.blocker,
            )
            for sample in frame.samples
        )
        last = frame.samples[-1] if frame.samples else None
        return Heard(
            hr_bpm=None if last is None or self._rates_come else last.hr_bpm or None,
            contact=last.contact if last is not None else None,
            intervals=intervals,
            refused=(*counted(intervals), *(Refused.ODD_BYTE,) * frame.odd_bytes),
        )


def _acceleration(frame: pmd.Acc, stream: _Stream) -> Acceleration:
    return Acceleration(
        rate_hz=stream.settings.get("sample_rate") or USUAL_HZ,
        xyz_mg=frame.in_mg(stream.factor),
    )


def _settings(parameters: bytes) -> pmd.Settings:
    try:
        return pmd.settings(parameters)
    except Undecodable as error:
        log.warning('polar=settings why="%s"', error)
        return {}


def _factor(parameters: bytes) -> float:
    """Return what compressed samples are multiplied by."""
    factor = (_settings(parameters).get("factor") or (1.0,))[0]
    return factor if 0 < factor < FACTOR_BELOW else 1.0


KIND: Final = Kind(
    name="polar",
    services=frozenset({pmd.SERVICE}),
    names=re.compile("Polar "),
    driver=PolarDriver,
)
