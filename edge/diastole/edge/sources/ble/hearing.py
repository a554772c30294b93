"""What one link brings: decoded, copies left out, counted, handed on."""

import logging
from collections import Counter
from collections.abc import Callable
from typing import Final, Protocol

from diastole.edge.records import SECOND_NS
from diastole.edge.sources.ble import info
from diastole.edge.sources.ble.copies import Copies
from diastole.edge.sources.ble.protocol import Driver, Given, Gives, Heard, Refused, Undecodable

COPIED: Final = "another program on this host listens to it, too: each packet comes twice"
FAILED: Final = "driver_failed"

log = logging.getLogger(__name__)


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
        self.described: dict[str, str] = {}
        """What it says of itself: maker, model, versions."""
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


class Hearing:
    """Takes in the packets of one link; ``came`` is told of each that holds data."""

    def __init__(
        self, device: str, driver: Driver, state: State, sink: Sink, came: Callable[[float], None]
    ) -> None:
        self.driver = driver
        self.overfull = False
        """Whether more came than a heart can have sent."""
        self._device, self._state, self._sink, self._came = device, state, sink, came
        self._given = Given(driver)
        self._copies: dict[str, Copies[tuple[float, Heard]]] = {}
        self._copied_before = state.refused["copy"]
        self._warned = False

    def packet(self, char: str, data: bytes, arrived_s: float) -> None:
        """Take in what the device sent; never fails."""
        self.overfull = False
        heard = self._decoded(char, data, arrived_s)
        if heard is None:
            return
        if not heard.intervals and heard.acceleration is None:  # mere rates are often equal
            self._hear(heard, arrived_s)
            return
        copies = self._copies.setdefault(char, Copies())
        known = copies.doubled
        arrived_ns = round(arrived_s * SECOND_NS)
        for at_s, sent in copies.take(data, arrived_ns, (arrived_s, heard)):
            self._hear(sent, at_s)
        if copies.doubled or known:
            self._tell_copies(copies.doubled)

    def end(self) -> None:
        """Take in what still waits, for nothing will follow it."""
        for copies in self._copies.values():
            for at_s, sent in copies.end():
                self._hear(sent, at_s)

    def _tell_copies(self, doubled: bool) -> None:
        dropped = sum(each.dropped for each in self._copies.values())
        self._state.refused["copy"] = self._copied_before + dropped
        if doubled and not self._warned:
            log.warning('device=%s doubled why="%s"', self._device, COPIED)
            self._warned = True
        if doubled or self._state.trouble == COPIED:
            self._state.trouble = COPIED if doubled else None

    def _decoded(self, char: str, data: bytes, arrived_s: float) -> Heard | None:
        refused = self._state.refused
        level = char == info.BATTERY_LEVEL and char not in self.driver.watched
        try:
            return info.packet(data) if level else self.driver.packet(char, data, arrived_s)
        except Undecodable as error:
            refused[error.reason] += 1
        except Exception:  # a defect of one driver, met by what a device sent
            if not refused[FAILED]:
                log.exception("device=%s driver failed on %s", self._device, data.hex())
            refused[FAILED] += 1
        return None

    def _hear(self, heard: Heard, arrived_s: float) -> None:
        state = self._state
        state.refused.update(heard.refused)
        if heard.battery_pct is not None:
            state.battery_pct = heard.battery_pct
        if heard.intervals:
            state.beat_s = arrived_s
        if (gives := self._given.add(heard, arrived_s)) is not Gives.UNKNOWN:
            state.gives = gives
        if heard.hr_bpm or heard.intervals or heard.acceleration:
            self._came(arrived_s)
        if not self._sink.heard(heard, arrived_s, state.gives):
            self.overfull = True
            state.refused[Refused.OVERFULL] += 1
