"""The machine's Bluetooth: its adapters, and whether there is a bluetoothd."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from diastole.edge.clock import Clock
from diastole.edge.sources.ble import owner
from diastole.edge.sources.ble.adapter import Adapter

log = logging.getLogger(__name__)


class Radio:
    """What all devices of an agent share."""

    def __init__(self) -> None:
        self._adapters: dict[str | None, Adapter] = {}
        self._cuts: list[Callable[[str], None]] = []
        """Whose links end with bluetoothd."""
        self._watch: asyncio.Task[None] | None = None

    def adapter(self, name: str | None, clock: Clock) -> Adapter:
        """Return an adapter, the same for all that name it alike."""
        return self._adapters.setdefault(name, Adapter(name, clock))

    @asynccontextmanager
    async def watched(self, clock: Clock, cut: Callable[[str], None]) -> AsyncIterator[None]:
        """Call ``cut`` whenever bluetoothd ends, while this is open."""
        self._cuts.append(cut)
        if self._watch is None:
            self._begin(clock)
        try:
            yield
        finally:
            self._cuts.remove(cut)
            if not self._cuts:
                await self._end()

    def _begin(self, clock: Clock) -> None:
        if sys.platform == "linux":
            self._watch = asyncio.create_task(owner.watch(clock, self._changed))
            return
        log.warning("bluetooth=untried on %s: nobody has run this there yet", sys.platform)
        self._watch = asyncio.create_task(asyncio.sleep(0))

    async def _end(self) -> None:
        watch, self._watch = self._watch, None
        tasks = [] if watch is None else [watch]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for adapter in self._adapters.values():
            await adapter.settled()

    def _changed(self, there: bool) -> None:
        if not there:
            for cut in list(self._cuts):
                cut("bluetoothd has ended")
        for adapter in self._adapters.values():
            adapter.poke()
