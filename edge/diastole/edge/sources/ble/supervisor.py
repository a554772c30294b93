"""One device for the life of the agent: found, linked, listened to, let go, and found again."""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

import msgspec

from diastole.edge.clock import Clock
from diastole.edge.sources.ble import info
from diastole.edge.sources.ble.adapter import Adapter, Exact, Seen
from diastole.edge.sources.ble.copies import Copies
from diastole.edge.sources.ble.link import BleakLink
from diastole.edge.sources.ble.protocol import (
    Driver,
    Given,
    Gives,
    Heard,
    Kind,
    LinkError,
    Undecodable,
    kind_of,
)

PAUSES_S: Final = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Before a device is sought again, by how many links in a row brought no data."""
SPREAD: Final = 0.2
EAGER_S: Final = 600.0
"""So long an outage is scanned through; after that ..."""
LOOK_S: Final = 10.0
REST_S: Final = 30.0
"""... it is looked for so long, and rested so long."""
UNSEEN_S: Final = 30.0
"""A device not heard for so long is said to be missing."""
TICK_S: Final = 1.0
AGAIN_S: Final = 1.0
STOP_S: Final = 2.0
UNSEEN: Final = "not seen: is it worn, is a phone's app linked with it, is its broadcast on?"
OVERFULL: Final = "more beats came than there was time for"
OVERFULL_AGAIN_S: Final = 3600.0
COPIED: Final = "another program on this host listens to it, too: each packet comes twice"

log = logging.getLogger(__name__)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which device it is."""

    device: str
    """Our pseudonym."""
    address: str | None = None
    name: str | None = None
    kind: str | None = None


class Sink(Protocol):
    """What takes in a device's packets."""

    def linked(self) -> None:
        """Take in that packets come from here on."""
        ...

    def heard(self, heard: Heard, arrived_s: float, gives: Gives) -> bool:
        """Take in a packet; return False where there is more than a heart can have sent."""
        ...

    def lost(self) -> None:
        """Take in that the link has ended."""
        ...


class State:
    """How a device is, for whoever tells it."""

    def __init__(self) -> None:
        self.link = "seeking"
        """``seeking``, ``linking`` or ``linked``."""
        self.kind: str | None = None
        self.gives = Gives.UNKNOWN
        self.battery_pct: int | None = None
        self.rssi_dbm: int | None = None
        self.beat_s: float | None = None
        """When a packet with an interval came last, by the monotonic clock."""
        self.heard_s: float | None = None
        """When any packet came last."""
        self.links = 0
        self.trouble: str | None = None
        self.refused: Counter[str] = Counter()


class Supervisor:
    """Runs one device; everything it hears goes to the sink, in the loop's own thread."""

    def __init__(
        self, wanted: Wanted, adapter: Adapter, kinds: Sequence[Kind], clock: Clock, sink: Sink
    ) -> None:
        self.state = State()
        self._wanted, self._adapter, self._clock, self._sink = wanted, adapter, clock, sink
        self._kinds = [kind for kind in kinds if wanted.kind in (None, kind.name)]
        self._services = frozenset[str]().union(*(kind.services for kind in self._kinds))
        self._address = wanted.address and wanted.address.lower()
        self._link: BleakLink | None = None
        self._driver: Driver | None = None
        self._given: Given | None = None
        self._copies: dict[str, Copies[tuple[float, str, bytes]]] = {}
        self._warned_copies = False
        self._overfull_s: float | None = None
        self._fruitless = 0
        self._data = False
        """Whether this link has brought any."""
        self._out_s: float | None = clock.monotonic()
        """Since when there is an outage."""
        self._warned = False

    async def run(self) -> None:
        """Keep the device linked until cancelled."""
        while True:
            await self._pause()
            seen = await self._seek()
            self.state.rssi_dbm = seen.rssi_dbm
            self._data = False
            self._adapter.linked.add(seen.address)
            try:
                why = await self._linked(seen)
            finally:
                self._adapter.linked.discard(seen.address)
                self.state.link = "seeking"
            self._fruitless = 0 if self._data else self._fruitless + 1
            self._out(why)

    def cut(self, why: str) -> None:
        """Take the link for dead at once."""
        if self._link is not None:
            self._link.end(why)

    # ---- finding

    async def _pause(self) -> None:
        pause_s = PAUSES_S[min(self._fruitless, len(PAUSES_S) - 1)]
        await self._clock.sleep(pause_s * random.uniform(1 - SPREAD, 1 + SPREAD))

    async def _seek(self) -> Seen:
        with self._adapter.seeking(self._fits, self._services) as seeker:
            begun_s = self._clock.monotonic()
            while not seeker.found.done():
                await self._waited(seeker.found, LOOK_S)
                out_s = self._clock.monotonic() - begun_s
                if seeker.alike:
                    self._out(f"several devices fit ({', '.join(seeker.alike)}): give its address")
                elif out_s >= UNSEEN_S and not seeker.found.done():
                    self._out(self._adapter.trouble or UNSEEN)
                if out_s >= EAGER_S and not seeker.found.done():
                    seeker.active = False
                    await self._waited(seeker.found, REST_S)
                    seeker.active = True
                    self._adapter.poke()
            return seeker.found.result()

    def _fits(self, seen: Seen) -> Exact:
        """Return whether a device is ours; one that was linked before is known by its address."""
        if self._address == seen.address.lower():
            return True
        if self._wanted.address is None and seen.name == self._wanted.name:
            return False
        return None

    async def _waited(self, future: "asyncio.Future[Any]", most_s: float) -> None:
        """Wait for a future, by our clock."""
        sleep = asyncio.ensure_future(self._clock.sleep(most_s))
        try:
            await asyncio.wait({future, sleep}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleep.cancel()

    # ---- a link

    async def _linked(self, seen: Seen) -> str:
        """Live through one link; return why it ended."""
        self.state.link = "linking"
        link = BleakLink(seen, self._adapter.name, self._clock, self._packet)
        self._link, self._driver = link, None
        try:
            async with self._adapter.lock:
                await link.connect()
            self._address = seen.address.lower()
            self._begin(link, seen.name)
            await self._ask(link)
            await self._listen(link)
            return await self._live(link)
        except LinkError as error:
            return str(error)
        except Exception as error:  # a defect of one driver leaves its device to be tried again
            log.exception("device=%s failed", self._wanted.device)
            return f"its driver failed: {error!r}"
        finally:
            await self._let_go(link)

    def _begin(self, link: BleakLink, name: str | None) -> None:
        kind = kind_of(link.services, name, self._kinds)
        if kind is None:
            what = "it offers nothing that this version knows"
            raise LinkError(what)
        self._driver = kind.driver()
        self._given = Given(self._driver)
        self._copies, self._warned_copies = {}, False
        if self.state.kind != kind.name:
            self.state.kind, self.state.gives = kind.name, kind.gives

    async def _ask(self, link: BleakLink) -> None:
        """Ask for what is read before anything is subscribed to: later, a read would echo."""
        described = await info.ask(link)
        self.state.refused.update(described.refused)
        if described.battery_pct is not None:
            self.state.battery_pct = described.battery_pct

    async def _listen(self, link: BleakLink) -> None:
        assert self._driver is not None
        watched = [char for char in self._driver.watched if char in link.chars]
        if not watched:
            what = f"it has none of what a {self.state.kind} sends by"
            raise LinkError(what)
        self.state.link, self.state.links = "linked", self.state.links + 1
        self.state.heard_s = self._clock.monotonic()
        self._sink.linked()
        for char in watched:
            await self._subscribe(link, char)
        if link.notifies(info.BATTERY_LEVEL) and info.BATTERY_LEVEL not in watched:
            with suppress(LinkError):
                await link.subscribe(info.BATTERY_LEVEL)
        await self._driver.start(link)

    async def _subscribe(self, link: BleakLink, char: str) -> None:
        """Subscribe; a device that was asked too soon after it was linked is asked once more."""
        try:
            await link.subscribe(char)
        except LinkError:
            if not link.alive:
                raise
            await self._waited(link.dead, AGAIN_S)
            await link.subscribe(char)

    async def _live(self, link: BleakLink) -> str:
        assert self._driver is not None
        while not link.dead.done():
            await self._waited(link.dead, TICK_S)
            quiet_s = self._clock.monotonic() - (self.state.heard_s or 0.0)
            if quiet_s > self._driver.quiet_s:
                link.end(f"nothing came for {quiet_s:.0f} s")
            elif link.alive:
                await self._driver.tick(link)
        return link.dead.result()

    async def _let_go(self, link: BleakLink) -> None:
        """Stop what the device was told to send, and close the link, whatever has happened."""
        driver, self._driver, self._link = self._driver, None, None
        for copies in self._copies.values():
            for arrived_s, char, data in copies.end():
                self._decode(driver, char, data, arrived_s)
        self._sink.lost()
        if driver is not None and link.alive:
            with suppress(LinkError, TimeoutError):
                async with asyncio.timeout(STOP_S):
                    await driver.stop(link)
        await link.close()

    # ---- packets

    def _packet(self, char: str, data: bytes, arrived_s: float) -> None:
        """Take in what the device sent; called by bleak, and never fails."""
        self.state.heard_s = arrived_s
        copies = self._copies.setdefault(char, Copies())
        arrived_ns = round(arrived_s * 1e9)
        known = copies.doubled
        for packet in copies.take(data, arrived_ns, (arrived_s, char, data)):
            self._decode(self._driver, char, packet[2], packet[0])
        if copies.doubled or known:
            self._copied(copies.doubled)

    def _copied(self, doubled: bool) -> None:
        """Tell of copies, once a link."""
        self.state.refused["copy"] = sum(each.dropped for each in self._copies.values())
        if doubled and not self._warned_copies:
            log.warning('device=%s doubled why="%s"', self._wanted.device, COPIED)
            self._warned_copies = True
        if doubled or self.state.trouble == COPIED:
            self.state.trouble = COPIED if doubled else None

    def _decode(self, driver: Driver | None, char: str, data: bytes, arrived_s: float) -> None:
        if driver is None or self._given is None:
            return
        try:
            level = char == info.BATTERY_LEVEL and char not in driver.watched
            heard = info.packet(data) if level else driver.packet(char, data, arrived_s)
        except Undecodable as error:
            self.state.refused[error.reason] += 1
            return
        except Exception:  # a defect of one driver, met by what a device sent
            if not self.state.refused["driver_failed"]:
                log.exception("device=%s driver failed on %s", self._wanted.device, data.hex())
            self.state.refused["driver_failed"] += 1
            return
        self._hear(heard, arrived_s, self._given)

    def _hear(self, heard: Heard, arrived_s: float, given: Given) -> None:
        state = self.state
        state.refused.update(heard.refused)
        if heard.battery_pct is not None:
            state.battery_pct = heard.battery_pct
        if heard.intervals:
            state.beat_s = arrived_s
        if (gives := given.add(heard, arrived_s)) is not Gives.UNKNOWN:
            state.gives = gives
        if heard.hr_bpm or heard.intervals or heard.acceleration:
            self._in(arrived_s)
        if not self._sink.heard(heard, arrived_s, state.gives):
            self._overfull(arrived_s)

    def _overfull(self, now_s: float) -> None:
        """Begin anew where beats came that no heart had time for; not again and again."""
        self.state.trouble = OVERFULL
        if self._overfull_s is None or now_s - self._overfull_s > OVERFULL_AGAIN_S:
            self._overfull_s = now_s
            self.cut(OVERFULL)

    # ---- telling

    def _in(self, now_s: float) -> None:
        """Take in that data has come: an outage is over."""
        self._data = True
        if self._out_s is None:
            return
        if self._warned or self.state.links == 1:
            log.info(
                "device=%s link=up kind=%s after_s=%.1f battery_pct=%s",
                self._wanted.device,
                self.state.kind,
                now_s - self._out_s,
                self.state.battery_pct,
            )
        self._out_s, self._warned, self.state.trouble = None, False, None

    def _out(self, why: str) -> None:
        """Take in why there is no data: one warning an outage."""
        if self._out_s is None:
            self._out_s = self._clock.monotonic()
        self.state.trouble = why
        level = logging.DEBUG if self._warned else logging.WARNING
        log.log(level, 'device=%s link=down why="%s"', self._wanted.device, why)
        self._warned = True
