"""One Bluetooth adapter: whoever scans or connects has it alone, and one scan serves all.

Scanning goes in slices, for a scanner hears nothing for ever once bluetoothd was restarted under
it, and says nothing of that.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from diastole.edge.clock import Clock

if TYPE_CHECKING:
    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData

SLICE_S: Final = 10.0
START_S: Final = 5.0
STOP_S: Final = 3.0
"""Limits of bleak's calls, in the machine's own seconds."""
RETRY_S: Final = 1.0
"""An adapter that is off or away is asked for again so soon."""
ALIKE_S: Final = 2.0
"""A device known by its name alone is waited for so long whether another has the same."""

log = logging.getLogger(__name__)


class Seen(NamedTuple):
    """A device that was heard, or is linked with this host already."""

    device: "BLEDevice"
    """What bleak connects to."""
    address: str
    name: str | None
    services: frozenset[str]
    """As far as they are advertised."""
    rssi_dbm: int | None

    @property
    def steady(self) -> bool:
        """Whether it keeps its address: all do but the private ones that BlueZ calls random.

        Core Specification 6.B.1.3: of random ones, those that begin with two bits set are static.
        """
        details = self.device.details
        known = details.get("props", {}) if isinstance(details, dict) else {}
        return known.get("AddressType") != "random" or int(self.address[:2], 16) >= 0xC0


Exact = bool | None
"""Whether a device is the one that is sought: True, by its name alone (False), or not (None)."""


class Seeker:
    """Somebody who waits for a device; while it is not ``active``, only others' scans help it."""

    def __init__(
        self, fits: Callable[[Seen], Exact], services: Collection[str], clock: Clock
    ) -> None:
        self.services = services
        self.active = True
        self.alike: list[str] = []
        """Addresses of several devices that fit equally."""
        self.found: asyncio.Future[Seen] = asyncio.get_running_loop().create_future()
        self._fits, self._clock = fits, clock
        self._candidates: dict[str, Seen] = {}
        self._settling: asyncio.Task[None] | None = None

    def offer(self, seen: Seen) -> None:
        """Take a device in that was heard."""
        exact = self._fits(seen)
        if exact is None or self.found.done():
            return
        if exact:
            self.found.set_result(seen)
            return
        if not self._candidates:
            self._settling = asyncio.create_task(self._settle())
        self._candidates[seen.address] = seen

    def leave(self) -> None:
        """Wait no more."""
        if self._settling is not None:
            self._settling.cancel()

    async def _settle(self) -> None:
        await self._clock.sleep(ALIKE_S)
        candidates, self._candidates = list(self._candidates.values()), {}
        self.alike = sorted(seen.address for seen in candidates) if len(candidates) > 1 else []
        if len(candidates) == 1 and not self.found.done():
            self.found.set_result(candidates[0])


class Adapter:
    """One adapter, named as BlueZ names it (``hci1``); None: the system's own choice."""

    def __init__(self, name: str | None, clock: Clock) -> None:
        self.name = name
        self.lock = asyncio.Lock()
        """Held while scanning, and by whoever connects."""
        self.trouble: str | None = None
        """Why it cannot scan."""
        self.linked: set[str] = set()
        """Addresses of the devices that are ours already."""
        self._clock = clock
        self._seekers: list[Seeker] = []
        self._changed = asyncio.Event()
        self._scanning: asyncio.Task[None] | None = None

    @contextmanager
    def seeking(self, fits: Callable[[Seen], Exact], services: Collection[str]) -> Iterator[Seeker]:
        """Scan while this is open and the seeker is active."""
        seeker = Seeker(fits, services, self._clock)
        seeker.found.add_done_callback(lambda _: self._changed.set())
        self._seekers.append(seeker)
        self.poke()
        try:
            yield seeker
        finally:
            seeker.leave()
            self._seekers.remove(seeker)
            self.poke()

    def poke(self) -> None:
        """Look at once whether there is something to scan for, and whether one can."""
        self._changed.set()
        if self._scanning is None or self._scanning.done():
            self._scanning = asyncio.create_task(self._scan())

    async def settled(self) -> None:
        """Wait until nothing scans, when nobody seeks any more."""
        if self._scanning is not None:
            await asyncio.gather(self._scanning, return_exceptions=True)

    @property
    def _sought(self) -> list[Seeker]:
        return [seeker for seeker in self._seekers if seeker.active and not seeker.found.done()]

    async def _scan(self) -> None:
        while self._sought:
            try:
                async with self.lock:
                    self._changed.clear()
                    if self._sought:
                        await self._slice()
                self._tell(None)
            except Exception as error:  # off, away, bluetoothd or D-Bus gone: many classes
                self._tell(words(error))
                self._changed.clear()
                await _either(self._changed.wait(), self._clock.sleep(RETRY_S))
            await asyncio.sleep(0)

    async def _slice(self) -> None:
        from bleak import BleakScanner

        scanner = BleakScanner(self._heard, **self._chosen)
        async with asyncio.timeout(START_S):
            await scanner.start()
        try:
            await self._offer_linked()
            end_s = asyncio.get_running_loop().time() + SLICE_S
            with suppress(TimeoutError):
                async with asyncio.timeout_at(end_s):
                    while self._sought and not any(s.found.done() for s in self._seekers):
                        self._changed.clear()
                        await self._changed.wait()
        finally:
            with suppress(Exception):  # a scan that bluetoothd forgot cannot be stopped
                async with asyncio.timeout(STOP_S):
                    await scanner.stop()

    def _heard(self, device: "BLEDevice", told: "AdvertisementData") -> None:
        services = frozenset(uuid.lower() for uuid in told.service_uuids)
        self._offer(Seen(device, device.address, device.name, services, told.rssi))

    def _offer(self, seen: Seen) -> None:
        if seen.address in self.linked:
            return
        for seeker in list(self._seekers):
            seeker.offer(seen)

    async def _offer_linked(self) -> None:
        """Offer what is linked with this host, left so by a process that was killed."""
        from bleak import BleakAdapter

        services = {uuid for seeker in self._sought for uuid in seeker.services}
        with suppress(NotImplementedError):
            async with asyncio.timeout(START_S):
                here = await BleakAdapter.get(**self._chosen)
                for device in await here.get_connected_devices(sorted(services)):
                    self._offer(Seen(device, device.address, device.name, frozenset(), None))

    @property
    def _chosen(self) -> dict[str, Any]:
        return {"bluez": {"adapter": self.name}} if self.name else {}

    def _tell(self, trouble: str | None) -> None:
        if trouble and not self.trouble:
            log.warning('bluetooth=down adapter=%s why="%s"', self.name or "default", trouble)
        elif self.trouble and not trouble:
            log.info("bluetooth=up adapter=%s", self.name or "default")
        self.trouble = trouble


def words(error: BaseException) -> str:
    """Return an error of bleak's or D-Bus's on one line."""
    reason = getattr(error, "reason", None)
    told = str(error.args[0] if reason is not None and error.args else error).strip()
    return " ".join(told.split()).replace('"', "'")[:160] or type(error).__name__


async def _either(*waits: Any) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
