"""One device for the life of the agent: found, linked, listened to, let go, and found again."""

import asyncio
import logging
import math
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec

from diastole.edge.clock import Clock
from diastole.edge.sources.ble import info
from diastole.edge.sources.ble.adapter import Adapter, Exact, Seen
from diastole.edge.sources.ble.hearing import Hearing, Sink, State
from diastole.edge.sources.ble.link import BleakLink
from diastole.edge.sources.ble.protocol import Driver, Kind, LinkError, kind_of

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
OFTEN_S: Final = 600.0
"""Of outages that end sooner than that, one in so long is warned of; ``links`` counts them all."""
TICK_S: Final = 1.0
AWAKE_S: Final = 2 * TICK_S
"""A look that is later than that was no wait, but a standstill."""
AGAIN_S: Final = 1.0
STOP_S: Final = 2.0
UNSEEN: Final = "not seen: is it worn, is a phone's app linked with it, is its broadcast on?"
OVERFULL: Final = "more beats came than there was time for"
OVERFULL_TOLD_S: Final = 60.0
OVERFULL_AGAIN_S: Final = 3600.0

log = logging.getLogger(__name__)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which device it is."""

    device: str
    """Our pseudonym."""
    address: str | None = None
    name: str | None = None
    kind: str | None = None


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
        self._name = wanted.name if wanted.address is None else None
        """What it is known by until it gave data; longer where its address changes."""
        self._seen: Seen | None = None
        self._namesake: str | None = None
        """The address of another device of its name."""
        self._link: BleakLink | None = None
        self._hearing: Hearing | None = None
        self._overfull_s = self._overfull_cut_s = -math.inf
        """When there were more beats than time last, and when that has ended a link."""
        self._fruitless = 0
        self._data = False
        """Whether this link has brought any."""
        self._out_s: float | None = clock.monotonic()
        """Since when there is an outage."""
        self._warned = False
        """Whether this outage has been warned of, ..."""
        self._warned_s: float | None = None
        """... and when the last one was."""

    async def run(self) -> None:
        """Keep the device linked until cancelled."""
        while True:
            await self._pause()
            seen = await self._seek()
            self.state.rssi_dbm = seen.rssi_dbm
            self._data = False
            self._seen = seen
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
                    self._out(self._adapter.trouble or self._unseen)
                if out_s >= EAGER_S and not seeker.found.done():
                    seeker.active = False
                    await self._waited(seeker.found, REST_S)
                    seeker.active = True
                    self._adapter.poke()
            return seeker.found.result()

    @property
    def _unseen(self) -> str:
        other = f"; {self._namesake} has its name: if that is it, restart the agent"
        return UNSEEN + (other if self._namesake else "")

    def _fits(self, seen: Seen) -> Exact:
        """Return whether a device is ours; a namesake of one that was linked before is not."""
        if self._address == seen.address.lower():
            return True
        if self._name is not None and seen.name == self._name:
            return False
        if self._wanted.address is None and seen.name == self._wanted.name:
            self._namesake = seen.address
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
        link = BleakLink(seen, self._adapter.name, self._clock, self._took)
        self._link = link
        try:
            async with self._adapter.lock:
                await link.connect()
            driver = self._driver(link, seen.name)
            await self._ask(link)
            await self._listen(link, driver)
            return await self._live(link, driver)
        except LinkError as error:
            return str(error)
        except Exception as error:  # a defect of one driver leaves its device to be tried again
            log.exception("device=%s failed", self._wanted.device)
            return f"its driver failed: {error!r}"
        finally:
            await self._let_go(link)

    def _driver(self, link: BleakLink, name: str | None) -> Driver:
        """Return what drives the device, by all that it has."""
        kind = kind_of(link.services, name, self._kinds)
        if kind is None:
            what = "it offers nothing that this version knows"
            raise LinkError(what)
        if self.state.kind != kind.name:
            self.state.kind, self.state.gives = kind.name, kind.gives
        return kind.driver()

    async def _ask(self, link: BleakLink) -> None:
        """Ask for what is read before anything is subscribed to: later, a read would echo."""
        level = await info.level(link)
        self.state.refused.update(level.refused)
        if level.battery_pct is not None:
            self.state.battery_pct = level.battery_pct
        if not self.state.described:
            self.state.described = await info.described(link)

    async def _listen(self, link: BleakLink, driver: Driver) -> None:
        watched = [char for char in driver.watched if char in link.chars]
        if not watched:
            what = f"it has none of what a {self.state.kind} sends by"
            raise LinkError(what)
        self.state.link, self.state.links = "linked", self.state.links + 1
        self.state.heard_s = self._clock.monotonic()
        self._hearing = Hearing(self._wanted.device, driver, self.state, self._sink, self._in)
        self._sink.linked()
        for char in watched:
            await self._subscribe(link, char)
        if link.notifies(info.BATTERY_LEVEL) and info.BATTERY_LEVEL not in watched:
            with suppress(LinkError):
                await link.subscribe(info.BATTERY_LEVEL)
        await driver.start(link)

    async def _subscribe(self, link: BleakLink, char: str) -> None:
        """Subscribe; a device that was asked too soon after it was linked is asked once more."""
        try:
            await link.subscribe(char)
        except LinkError:
            if not link.alive:
                raise
            await self._waited(link.dead, AGAIN_S)
            await link.subscribe(char)

    async def _live(self, link: BleakLink, driver: Driver) -> str:
        silent_s, heard_s = 0.0, self.state.heard_s
        looked_s = self._clock.monotonic()
        while not link.dead.done():
            begun_s = self._clock.monotonic()
            await self._waited(link.dead, TICK_S)
            now_s = self._clock.monotonic()
            # Where this machine stood still, the device did not: what it sent waits to be read.
            stood_s = max(0.0, now_s - begun_s - AWAKE_S)
            silent_s += now_s - looked_s - stood_s
            if self.state.heard_s != heard_s:
                silent_s, heard_s = 0.0, self.state.heard_s
            looked_s = now_s
            if silent_s > driver.quiet_s:
                link.end(f"nothing came for {silent_s:.0f} s")
            elif link.alive:
                await driver.tick(link)
        return link.dead.result()

    async def _let_go(self, link: BleakLink) -> None:
        """Stop what the device was told to send, and close the link, whatever has happened."""
        if self._hearing is not None and link.alive:
            with suppress(Exception):  # it is let go of in any case
                async with asyncio.timeout(STOP_S):
                    await self._hearing.driver.stop(link)
        await link.close()  # until then what comes was sent on this link
        hearing, self._hearing, self._link = self._hearing, None, None
        if hearing is not None:
            hearing.end()
            self._sink.lost()

    def _took(self, char: str, data: bytes, arrived_s: float) -> None:
        """Take in a packet; called by bleak."""
        self.state.heard_s = arrived_s
        if self._hearing is None:
            return
        self._hearing.packet(char, data, arrived_s)
        if self._hearing.overfull:
            self._overfull(arrived_s)
        elif self.state.trouble == OVERFULL and arrived_s - self._overfull_s > OVERFULL_TOLD_S:
            self.state.trouble = None

    def _overfull(self, now_s: float) -> None:
        """Link anew where beats came that no heart had time for; not again and again."""
        self.state.trouble, self._overfull_s = OVERFULL, now_s
        if now_s - self._overfull_cut_s > OVERFULL_AGAIN_S:
            self._overfull_cut_s = now_s
            self.cut(OVERFULL)

    # ---- telling

    def _in(self, now_s: float) -> None:
        """Take in that data has come: an outage is over."""
        if not self._data and self._seen is not None:
            self._address = self._seen.address.lower()
            self._name = None if self._seen.steady else self._name
        self._data = True
        if self._out_s is None:
            return
        if self._warned or self.state.links == 1:
            log.info(
                'device=%s link=up kind=%s model="%s" after_s=%.1f battery_pct=%s',
                self._wanted.device,
                self.state.kind,
                self.state.described.get("model", ""),
                now_s - self._out_s,
                self.state.battery_pct,
            )
        self._out_s, self._warned, self.state.trouble = None, False, None

    def _out(self, why: str) -> None:
        """Take in why there is no data: one warning an outage, fewer of a link that flaps."""
        now_s = self._clock.monotonic()
        if self._out_s is None:
            self._out_s = now_s
        self.state.trouble = why
        lasts = now_s - self._out_s >= UNSEEN_S
        warn = not self._warned and (
            lasts or self._warned_s is None or now_s - self._warned_s >= OFTEN_S
        )
        log.log(
            logging.WARNING if warn else logging.DEBUG,
            'device=%s link=down why="%s" links=%d',
            self._wanted.device,
            why,
            self.state.links,
        )
        if warn:
            self._warned, self._warned_s = True, now_s
