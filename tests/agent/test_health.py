"""When the health of a device is told."""

from diastole.edge.agent.devices import Bluetooth
from diastole.edge.agent.health import EVERY_S, Devices
from diastole.edge.clock import Clock
from diastole.edge.records import Status
from diastole.edge.sources.ble.radio import Radio
from diastole.edge.sources.ble.source import BleSource
from diastole.edge.sources.ble.supervisor import Wanted
from diastole.edge.wire.topics import Stream
from tests.sources.played import FakeClock


class Strap(BleSource):
    def __init__(self) -> None:
        super().__init__(Wanted(device="strap"), None, Radio(), ())
        self.link = "seeking"

    def status(self, clock: Clock) -> Status | None:
        return Status(device="strap", time_ns=clock.wall_ns(), values={}, text={"link": self.link})


def test_a_device_is_told_of_once_a_minute_and_soon_after_a_change() -> None:
    clock, strap = FakeClock(), Strap()
    devices = Devices(clock)
    told = []
    for second in range(2 * round(EVERY_S) + 1):
        strap.link = "linked" if second >= 10 else "seeking"
        if second == 12:
            strap.link = "seeking"
        for item in devices.due("anna", "anna.ble-strap", strap):
            assert (item.subject, item.stream) == ("anna", Stream.STATUS)
            told.append(second)
        clock.passed_s += 1
    assert told == [0, 10, 10 + round(EVERY_S)]  # what has gone again within 5 s was none


def test_a_device_that_was_not_looked_for_yet_tells_nothing() -> None:
    source = Bluetooth(subject="anna", device="strap", address="F0:13:C3:00:00:10").source(Radio())
    assert not list(Devices(FakeClock()).due("anna", "anna.ble-strap", source))
