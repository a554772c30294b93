"""What one link brings, without the radio."""

from diastole.edge.sources.ble.hearing import COPIED, Hearing, State
from diastole.edge.sources.ble.hrs import MEASUREMENT, HeartRateDriver
from diastole.edge.sources.ble.protocol import Gives, Heard
from tests.fakes.devices import heart_rate_packet


class Kept:
    """A sink that keeps what it is told."""

    def __init__(self) -> None:
        self.heards: list[Heard] = []

    def linked(self) -> None: ...

    def heard(self, heard: Heard, arrived_s: float, gives: Gives) -> bool:
        self.heards.append(heard)
        return True

    def lost(self) -> None: ...


def hearing() -> tuple[Hearing, State, Kept]:
    state, kept = State(), Kept()
    return Hearing("strap", HeartRateDriver(), state, kept, lambda _: None), state, kept


def test_equal_heart_rates_in_pairs_are_no_copies() -> None:
    listening, state, kept = hearing()
    for k in range(120):
        arrived_s = k // 2 * 2.0 + k % 2 * 0.03
        listening.packet(MEASUREMENT, heart_rate_packet(72), arrived_s)
    listening.end()
    assert len(kept.heards) == 120
    assert (state.refused["copy"], state.trouble) == (0, None)


def test_intervals_that_all_come_twice_are_and_are_told() -> None:
    listening, state, kept = hearing()
    for k in range(40):
        arrived_s = k // 2 + k % 2 * 0.0001
        listening.packet(MEASUREMENT, heart_rate_packet(72, [850 + k // 2]), arrived_s)
    assert state.trouble == COPIED
    listening.end()
    assert [heard.intervals[0].ticks for heard in kept.heards] == list(range(850, 870))
    assert state.refused["copy"] == 20
