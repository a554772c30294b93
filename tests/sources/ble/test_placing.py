"""From packets to chunks: what is told, what waits, and where the wearing is in doubt."""

from collections.abc import Sequence

import numpy as np

from diastole.edge.chunks import BREAK_REASONS, Chunk, join
from diastole.edge.records import SECOND_NS, BeatKind, BreakReason
from diastole.edge.sources.ble.placing import BATCH_NS, Placing
from diastole.edge.sources.ble.protocol import Acceleration, Gives, Heard, Interval
from tests.sources.ble.arrivals import TICKS, arrivals

BEGUN_NS = 1_800_000_000 * SECOND_NS


def rr(*ticks: int, contact: bool | None = None) -> tuple[Interval, ...]:
    return tuple(Interval(ticks=n, per_s=TICKS, kind=BeatKind.RR, contact=contact) for n in ticks)


def reasons(chunk: Chunk) -> list[str]:
    return [BREAK_REASONS[code] for code in chunk.breaks["reason"]]


class Played:
    """A device whose packets come each second."""

    def __init__(self) -> None:
        self.placing = Placing("strap", BEGUN_NS)
        self.placing.begin(BEGUN_NS)
        self.chunks: list[Chunk] = []
        self.now_ns = BEGUN_NS

    def packets(self, packets: Sequence[Heard], gives: Gives = Gives.BEATS) -> None:
        for heard in packets:
            self.now_ns += SECOND_NS
            self.placing.heard(heard, self.now_ns, gives)
            self.cut()

    def cut(self) -> None:
        before_ns = self.chunks[-1].until_ns if self.chunks else 0
        chunk = self.placing.cut()
        first_ns, last_ns = chunk.first_ns(), chunk.last_ns()
        assert first_ns is None or first_ns >= before_ns
        assert last_ns is None or last_ns < chunk.until_ns
        self.chunks.append(chunk)

    @property
    def all(self) -> Chunk:
        return join(self.chunks)


def test_every_beat_comes_once_in_order_and_before_until() -> None:
    played = Played()
    sent = []
    for packet in arrivals(300, 5, stalls=0.02):
        played.now_ns = packet.at_ns - SECOND_NS
        sent += packet.ticks
        played.packets([Heard(hr_bpm=70, intervals=rr(*packet.ticks))])
    got = [round(ms * 1.024) for ms in played.all.beats["rr_ms"]]
    assert got == [0, *sent[1:]]
    assert len(played.all.heart_rates) >= 299
    assert not len(played.all.breaks)


def test_a_lost_link_breaks_at_the_last_record_and_the_first_interval_after_it_is_none() -> None:
    played = Played()
    played.packets([Heard(hr_bpm=60, intervals=rr(1024))] * 20)
    last_ns = played.now_ns
    played.placing.broke(BreakReason.LINK_LOST)
    played.cut()
    assert played.chunks[-1].until_ns - last_ns <= 2
    played.placing.away(last_ns + 60 * SECOND_NS)
    played.cut()
    assert played.chunks[-1].until_ns == last_ns + 60 * SECOND_NS - BATCH_NS
    played.now_ns = last_ns + 61 * SECOND_NS
    played.placing.begin(played.now_ns)
    played.packets([Heard(hr_bpm=60, intervals=rr(1024))] * 3)
    assert reasons(played.all) == [BreakReason.LINK_LOST]
    assert list(played.all.beats["rr_ms"]) == [0.0, *[1000.0] * 19, 0.0, 1000.0, 1000.0]


def test_a_heart_rate_alone_waits_for_no_beats_once_that_is_known() -> None:
    played = Played()
    played.packets([Heard(hr_bpm=60)] * 31, Gives.UNKNOWN)
    assert played.chunks[-1].until_ns == played.now_ns - BATCH_NS
    played.packets([Heard(hr_bpm=60)], Gives.HEART_RATE)
    assert played.chunks[-1].until_ns == played.now_ns + 1
    assert len(played.all.heart_rates) == 32


def test_lost_beats_are_a_break() -> None:
    played = Played()
    played.packets([Heard(hr_bpm=60, intervals=rr(1024))] * 100)
    played.packets([Heard(hr_bpm=60)] * 5)
    played.packets([Heard(hr_bpm=60, intervals=rr(1024))] * 10)
    assert reasons(played.all) == [BreakReason.LINK_LOST]
    assert list(np.flatnonzero(played.all.beats["rr_ms"] == 0)) == [0, 100]
    assert len(played.all.beats) == 110


def test_a_device_taken_off_breaks_once() -> None:
    played = Played()
    played.packets([Heard(hr_bpm=60, contact=True, intervals=rr(1024, contact=True))] * 20)
    played.packets([Heard(contact=False)] * 40)
    played.packets([Heard(hr_bpm=60, contact=True, intervals=rr(1024, contact=True))] * 5)
    assert reasons(played.all) == [BreakReason.OFF_WRIST]


def test_intervals_that_can_be_no_beat_make_none() -> None:
    played = Played()
    played.packets([Heard(hr_bpm=60, intervals=rr(1024))] * 5)
    played.packets([Heard(hr_bpm=60, intervals=rr(0, 65535, 1024))])
    played.packets([Heard(hr_bpm=60, intervals=rr(100, 924))])
    played.packets([Heard(hr_bpm=60, intervals=rr(1024))] * 5)
    assert len(played.all.beats) == 12
    assert not len(played.all.breaks)
    assert (played.all.beats["rr_ms"][1:] > 200).all()
    assert np.diff(played.all.beats["time_ns"]).max() < 1.5e9


def test_movement_comes_as_whole_seconds() -> None:
    played = Played()
    chance = np.random.default_rng(1)
    for _ in range(40):
        xyz = chance.normal((0, 0, 1000), 30, (50, 3))
        heard = Heard(acceleration=Acceleration(rate_hz=50.0, xyz_mg=xyz))
        both = Heard(hr_bpm=60, intervals=rr(1024))
        played.now_ns += 300_000_000
        played.placing.heard(heard, played.now_ns, Gives.BEATS)
        played.now_ns -= 300_000_000
        played.packets([both])
    motions = played.all.motions
    assert len(motions) >= 36
    assert (np.diff(motions["time_ns"]) == SECOND_NS).all()
    assert abs(np.median(motions["activity_mg"]) - 30 * 3**0.5) < 5


def test_a_clock_that_is_set_ends_the_old_time_and_begins_anew() -> None:
    played = Played()
    played.packets([Heard(hr_bpm=60, intervals=rr(1024))] * 10)
    last_ns, played.now_ns = played.now_ns, played.now_ns - 3600 * SECOND_NS
    told = played.placing.stepped(played.now_ns)
    assert reasons(told) == [BreakReason.CLOCK_STEPPED]
    assert told.breaks["time_ns"][0] - last_ns < 2
    assert len(join([*played.chunks, told]).heart_rates) == 10
    played.chunks.clear()
    played.packets([Heard(hr_bpm=60, intervals=rr(1024))] * 10)
    assert list(played.all.beats["rr_ms"]) == [0.0, *[1000.0] * 9]
    assert played.chunks[-1].until_ns == played.now_ns + 1


def test_a_device_that_goes_on_in_other_ticks_begins_anew_once() -> None:
    played = Played()
    pulses = tuple(Interval(ticks=1000, per_s=1000, kind=BeatKind.PPI) for _ in range(5))
    played.packets([Heard(hr_bpm=60, intervals=rr(1024)) for _ in range(25)])
    for _ in range(100):
        played.now_ns += 4 * SECOND_NS
        played.packets([Heard(intervals=pulses)])
    assert reasons(played.all) == [BreakReason.LINK_LOST]
    assert len(played.all.beats) == 25 + 5 * 99
    assert set(np.diff(played.all.beats["time_ns"])[30:]) == {SECOND_NS}


def test_what_comes_with_the_packet_that_ends_the_wearing_is_no_older_than_the_break() -> None:
    played = Played()
    played.packets([Heard(hr_bpm=60)], Gives.HEART_RATE)
    played.packets([Heard(hr_bpm=60, contact=False)] * 11, Gives.HEART_RATE)
    assert reasons(played.all) == [BreakReason.OFF_WRIST]
    played.now_ns -= SECOND_NS  # a copy of it comes at once
    played.packets([Heard(hr_bpm=60, contact=False)], Gives.HEART_RATE)
    assert len(played.all.heart_rates) == 13


def test_beats_that_waited_for_a_burst_are_placed_where_the_link_is_lost() -> None:
    played = Played()
    played.packets([Heard(hr_bpm=60, intervals=rr(1024))] * 20)
    played.now_ns += 5 * SECOND_NS
    played.packets([Heard(hr_bpm=60, intervals=rr(1024))])
    played.packets([Heard(hr_bpm=60)] * 16)
    assert len(played.all.beats) == 20
    played.placing.broke(BreakReason.LINK_LOST)
    played.cut()
    assert len(played.all.beats) == 21


def test_beats_lost_for_longer_than_is_waited_break_behind_what_was_told() -> None:
    played = Played()
    played.packets([Heard(hr_bpm=60, intervals=rr(1024))] * 20)
    played.packets([Heard(hr_bpm=60)] * 16)
    played.packets([Heard(hr_bpm=60, intervals=rr(1024))] * 5)
    assert reasons(played.all) == [BreakReason.LINK_LOST]
    assert len(played.all.beats) == 25


def test_a_spell_of_too_many_beats_displaces_none_that_follow_it() -> None:
    played, beat = Played(), Heard(hr_bpm=60, intervals=rr(TICKS))
    for _ in range(3):
        played.packets([beat] * 60)
        for _ in range(30):
            played.packets([beat])
            played.now_ns -= SECOND_NS // 2
            played.packets([beat])
            played.now_ns -= SECOND_NS // 2
        fine = [
            played.placing.heard(beat, played.now_ns + k * SECOND_NS, Gives.BEATS)
            for k in range(1, 6)
        ]
        assert fine[-1]
        played.now_ns += 5 * SECOND_NS
        played.packets([beat] * 10)
        times_ns = played.all.beats["time_ns"][-10:]
        assert times_ns[-1] == played.now_ns
        assert (np.diff(times_ns) == SECOND_NS).all()
    assert set(reasons(played.all)) == {BreakReason.LINK_LOST}
