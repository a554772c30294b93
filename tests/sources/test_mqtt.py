"""Records that are handed over: placed by their stamps, or by their arrival; nothing unsaid."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diastole.edge.chunks import BREAK_REASONS, Chunk
from diastole.edge.mqtt import Received
from diastole.edge.records import MINUTE_NS, SECOND_NS, Beat, BeatKind, BreakReason, Mark
from diastole.edge.sources.live import closed
from diastole.edge.sources.mqtt import HandedOver
from diastole.edge.sources.own_records import OwnRecords
from diastole.edge.sources.polar_logger import PolarLogger
from diastole.edge.wire import BadRecord, encode
from tests.sources.played import FakeClock

NOW = 1_800_000_000 * SECOND_NS
PATIENCE = 15 * MINUTE_NS


def source() -> HandedOver:
    return HandedOver("strap", OwnRecords("strap"), PATIENCE)


def beat(time_ns: int) -> Beat:
    return Beat(device="strap", time_ns=time_ns, rr_ms=1000.0, kind=BeatKind.RR)


def mark(time_ns: int, text: str = "tea") -> Mark:
    return Mark(device="-", time_ns=time_ns, text=text, by="wearer")


def message(records: Iterable[Beat | Mark]) -> bytes:
    return b"[" + b",".join(encode(record) for record in records) + b"]"


def ticket(mid: int = 1) -> Received:
    return Received("topic", b"", False, mid, 1)


def fed(one: HandedOver, stamped: Sequence[tuple[int, int]]) -> list[Chunk]:
    """Hand a beat over for each (stamp, arrival), in whole seconds after NOW, and cut each."""
    chunks = []
    for stamp_s, arrival_s in stamped:
        arrived_ns = NOW + arrival_s * SECOND_NS
        one.hand(encode(beat(NOW + stamp_s * SECOND_NS)), ticket(), arrived_ns)
        chunks.append(one.cut(arrived_ns))
    return chunks


def seconds(chunks: Iterable[Chunk]) -> list[int]:
    return [int(t - NOW) // SECOND_NS for c in chunks for t in c.beats["time_ns"]]


def test_until_is_the_newest_record_and_at_most_patience_behind() -> None:
    one = source()
    (chunk,) = fed(one, [(0, 0)])
    assert chunk.until_ns == NOW + 1
    assert one.cut(NOW + PATIENCE).until_ns == NOW + 1
    gone = one.cut(NOW + PATIENCE + SECOND_NS)
    assert gone.until_ns == NOW + SECOND_NS
    assert BREAK_REASONS[gone.breaks["reason"][0]] is BreakReason.LINK_LOST


def test_a_phone_out_of_reach_for_ten_minutes_loses_nothing() -> None:
    one = source()
    live = fed(one, [(s, s) for s in range(30)])
    backlog = fed(one, [(s, 630) for s in range(30, 631)])
    assert seconds([*live, *backlog]) == list(range(631))
    assert not one.dropped
    assert one.trouble is None


@pytest.mark.parametrize("off_s", [3600, -3600, 3, -3])
def test_a_clock_that_is_off_is_said_and_its_records_are_as_of_their_arrival(off_s: int) -> None:
    one = source()
    chunks = fed(one, [(s + off_s, s) for s in range(60)])
    assert seconds(chunks) == list(range(60))
    assert not one.dropped
    assert one.trouble is not None
    assert f"{abs(off_s)} s {'ahead' if off_s > 0 else 'behind'}" in one.trouble


def test_a_clock_that_is_set_right_begins_a_new_time() -> None:
    one = source()
    fed(one, [(s - 3600, s) for s in range(30)])
    chunks = fed(one, [(s, s) for s in range(30, 60)])
    assert one.trouble is None
    assert seconds(chunks) == list(range(30, 60))
    reasons = [BREAK_REASONS[r] for c in chunks for r in c.breaks["reason"]]
    assert reasons == [BreakReason.CLOCK_STEPPED]


def test_doubled_late_and_future_records_are_counted_and_the_rest_goes_on() -> None:
    one = source()
    chunks = fed(one, [(0, 0), (3, 3), (3, 3), (2, 3), (4, 4)])
    one.hand(message([beat(NOW + 5 * SECOND_NS), beat(NOW + 6 * SECOND_NS)]), ticket(), NOW)
    assert seconds(chunks) == [0, 3, 4]
    assert one.dropped == {"doubled": 1, "late": 1}


def test_reordered_beats_of_a_second_are_put_in_order() -> None:
    one = source()
    one.hand(message([beat(NOW + 2), beat(NOW), beat(NOW + 1)]), ticket(), NOW)
    assert one.cut(NOW).beats["time_ns"].tolist() == [NOW, NOW + 1, NOW + 2]


def test_a_far_future_stamp_does_not_carry_time_away() -> None:
    one = source()
    chunks = fed(one, [(0, 0), (10**8, 1), (2, 2), (3, 3)])
    assert seconds(chunks) == [0, 2, 3]
    assert one.dropped == {"future": 1}


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ({"record": "heart_rate", "hr_bpm": 0, "kind": "device"}, "value"),
        ({"record": "heart_rate", "hr_bpm": None, "kind": "device"}, "value"),
        ({"record": "beat", "rr_ms": -1, "kind": "rr"}, "value"),
        ({"record": "beat", "rr_ms": 800, "kind": "ppg"}, "kind"),
        ({"record": "break", "reason": "paused"}, "kind"),
        ({"record": "motion", "activity_mg": -1}, "value"),
        ({"record": "beat", "rr_ms": 800, "kind": "rr", "device": "other"}, "device"),
    ],
)
def test_what_cannot_be_is_counted_by_its_reason(record: dict[str, object], why: str) -> None:
    one = source()
    full = {"device": "strap", "time_ns": NOW, **record}
    one.hand(json.dumps([full, json.loads(encode(beat(NOW)))]).encode(), ticket(), NOW)
    assert len(one.cut(NOW).beats) == 1
    assert one.dropped == {why: 1}


def test_a_mark_in_a_list_is_placed_by_the_sender_s_clock_as_the_records_beside_it() -> None:
    one, chunks = source(), []
    for s in range(60):
        at_ns = NOW + (s - 3600) * SECOND_NS
        marks = [mark(at_ns)] if s == 40 else []
        one.hand(message([beat(at_ns), *marks]), ticket(), NOW + s * SECOND_NS)
        chunks.append(one.cut(NOW + s * SECOND_NS))
    assert seconds(chunks) == list(range(60))
    assert [m for chunk in chunks for m in chunk.marks] == [mark(NOW + 40 * SECOND_NS)]


def test_a_mark_alone_waits_with_the_records_before_it() -> None:
    one, chunks = source(), []
    for s in range(20):
        at_ns = NOW + (s - 3600) * SECOND_NS
        one.hand(message([beat(at_ns)]), ticket(), NOW + s * SECOND_NS)
        if s == 5:
            one.hand(encode(mark(at_ns + 1)), ticket(), NOW + s * SECOND_NS)
        chunks.append(one.cut(NOW + s * SECOND_NS))
    assert [m for chunk in chunks for m in chunk.marks] == [mark(NOW + 5 * SECOND_NS + 1)]
    assert not one.dropped


def test_a_mark_of_any_moment_is_taken_once_and_makes_no_beat_late() -> None:
    one, chunks = source(), []
    noted = [mark(NOW + 10 * SECOND_NS), mark(NOW + 10 * SECOND_NS, "cake"), mark(NOW - 10**12)]
    for s in range(20):  # beats reach the phone two seconds after they were
        marks = [*noted, *noted] if s == 10 else []
        sent = message([beat(NOW + (s - 2) * SECOND_NS), *marks])
        one.hand(sent, ticket(), NOW + s * SECOND_NS)
        chunks.append(one.cut(NOW + s * SECOND_NS))
    assert seconds(chunks) == list(range(-2, 18))
    came = [(m.time_ns, m.text) for chunk in chunks for m in chunk.marks]
    assert sorted(came) == sorted((m.time_ns, m.text) for m in noted)
    assert one.dropped == {"doubled": 3}


def test_a_ticket_comes_back_once_its_records_are_in_a_commit() -> None:
    one = source()
    one.hand(encode(beat(NOW)), ticket(1), NOW)
    one.cut(NOW)
    first = one.cursor()
    one.hand(encode(beat(NOW + 1)), ticket(2), NOW)
    one.cut(NOW)
    second = one.cursor()
    assert one.kept(first) == [ticket(1)]
    assert one.kept(first) == []
    assert one.kept(second) == [ticket(2)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "record",
                    "device",
                    "time_ns",
                    "rr_ms",
                    "kind",
                    "text",
                    "by",
                    "timeStamp",
                    "hr",
                    "rr",
                    "deviceId",
                ]
            ),
            inner | st.sampled_from(["beat", "strap", "rr", "heart_rate", "mark", "-"]),
            max_size=8,
        )
    ),
    max_leaves=10,
)
PAYLOADS = st.lists(st.binary(max_size=40) | JSON.map(lambda v: json.dumps(v).encode()), max_size=8)
MARK_STAMPS = st.none() | st.integers(-4000, 4000)
STAMPS = st.lists(
    st.tuples(st.integers(-4000, 4000), st.integers(0, 40), MARK_STAMPS, st.sampled_from([1, 2])),
    max_size=30,
)


def records(chunks: Iterable[Chunk]) -> list[tuple[str, int, str]]:
    """Give what each record is, when it is, and of a mark its text."""
    rows = [
        (name, int(time_ns), "")
        for chunk in chunks
        for name in ("beats", "heart_rates", "motions")
        for time_ns in getattr(chunk, name)["time_ns"]
    ]
    return [*rows, *(("mark", m.time_ns, m.text) for chunk in chunks for m in chunk.marks)]


@settings(deadline=None, max_examples=150)
@given(PAYLOADS, STAMPS)
def test_any_payload_and_any_stamp_are_counted_and_time_never_runs_back(
    payloads: list[bytes], stamps: list[tuple[int, int, int | None, int]]
) -> None:
    """Each stamp: of a beat, how long after the last, of a mark beside it, how often it comes."""
    for reader in (OwnRecords("strap"), PolarLogger("strap")):
        one = HandedOver("strap", reader, PATIENCE)
        now_ns, told, handed = NOW, [], 0
        own = isinstance(reader, OwnRecords)
        for payload in payloads:
            try:
                one.hand(payload, ticket(), now_ns)
            except BadRecord:
                continue
            if own:
                handed += len(reader.read(payload).records)
            told.append(one.cut(now_ns))
        for stamp_s, wait_s, mark_s, times in stamps:
            now_ns += wait_s * SECOND_NS
            time_ns = NOW + stamp_s * SECOND_NS
            both: list[Beat | Mark] = [beat(time_ns)]
            if mark_s is not None:
                both.append(mark(NOW + mark_s * SECOND_NS))
            polar = json.dumps({"timeStamp": time_ns // 10**6, "rr": [800]}).encode()
            for _ in range(times):
                one.hand(message(both) if own else polar, ticket(), now_ns)
                handed += len(both)
            told.append(one.cut(now_ns))
        told.append(one.cut(now_ns + MINUTE_NS))
        untils = [chunk.until_ns for chunk in told]
        assert untils == sorted(untils)
        for before, chunk in zip([0, *untils], told, strict=False):
            timed = replace(chunk, marks=())
            first, last = timed.first_ns(), timed.last_ns()
            assert first is None or first >= before
            assert last is None or last < chunk.until_ns
        came = records(told)
        assert len(set(came)) == len(came)
        if own:
            assert len(came) + sum(one.dropped[w] for w in ("late", "doubled", "future")) == handed


def logged(time_ms: int, *rr: float, hr: float = 64, sensor: str = "1") -> bytes:
    return json.dumps({"deviceId": sensor, "timeStamp": time_ms, "hr": hr, "rr": rr}).encode()


def after(one: HandedOver, reader: OwnRecords | PolarLogger) -> HandedOver:
    """Return what a new process takes up where this one was."""
    again = HandedOver("strap", reader, PATIENCE)
    assert again.take_up(one.cursor())
    return again


def test_what_waits_in_the_beat_clock_is_not_acknowledged_and_comes_again_after_a_kill() -> None:
    one = HandedOver("strap", PolarLogger("strap"), PATIENCE)
    arrivals_s = [*range(20), 30, 31]  # ten seconds are lost; until a third packet both wait
    chunks = []
    for mid, s in enumerate(arrivals_s):
        one.hand(logged(NOW // 10**6 + 1000 * s, 1000), ticket(mid), NOW + s * SECOND_NS)
        chunks.append(one.cut(NOW + s * SECOND_NS))
    assert seconds(chunks) == list(range(20))
    assert one.kept(one.cursor()) == [ticket(mid) for mid in range(20)]

    again = after(one, PolarLogger("strap"))
    for mid, s in enumerate([*range(15, 20), 30, 31, 32]):
        again.hand(logged(NOW // 10**6 + 1000 * s, 1000), ticket(mid), NOW + 33 * SECOND_NS)
    chunks.append(again.cut(NOW + 33 * SECOND_NS))
    assert seconds(chunks) == [*range(20), 30, 31, 32]
    assert again.dropped == {"doubled": 5}
    assert len(again.kept(again.cursor())) == 8

    one.hand(logged(NOW // 10**6 + 32_000, 1000), ticket(22), NOW + 32 * SECOND_NS)
    assert seconds([one.cut(NOW + 32 * SECOND_NS)]) == [30, 31, 32]
    assert one.kept(one.cursor()) == [ticket(mid) for mid in (20, 21, 22)]


def test_a_doubled_message_does_not_settle_the_one_that_waits() -> None:
    one = HandedOver("strap", PolarLogger("strap"), PATIENCE)
    for mid, s in enumerate([0, 1, 2, 20, 20]):
        one.hand(logged(NOW // 10**6 + 1000 * s, 1000), ticket(mid), NOW + s * SECOND_NS)
        one.cut(NOW + s * SECOND_NS)
    assert one.dropped == {"doubled": 1}
    assert one.kept(one.cursor()) == [ticket(mid) for mid in (0, 1, 2)]


@pytest.mark.parametrize("polar", [False, True])
@pytest.mark.parametrize("off_s", [0, -3600])
def test_a_kill_before_the_acknowledgement_neither_doubles_nor_loses(
    polar: bool, off_s: int
) -> None:
    def reader() -> OwnRecords | PolarLogger:
        return PolarLogger("strap") if polar else OwnRecords("strap")

    def hand(one: HandedOver, s: int, now_s: int) -> None:
        jitter_ns = (s * 37) % 200 * 10**6
        stamp_ns = NOW + (s + off_s) * SECOND_NS + jitter_ns
        payload = logged(stamp_ns // 10**6, 1000) if polar else encode(beat(stamp_ns))
        one.hand(payload, ticket(s), NOW + now_s * SECOND_NS + jitter_ns)

    one, chunks = HandedOver("strap", reader(), PATIENCE), []
    for s in range(60):
        hand(one, s, s)
        chunks.append(one.cut(NOW + s * SECOND_NS))
    again = after(one, reader())
    for s in range(30, 660):  # the last 30 were never acknowledged; the rest came meanwhile
        hand(again, s, 660)
    chunks.append(again.cut(NOW + 660 * SECOND_NS))
    times = [int(t) for chunk in chunks for t in chunk.beats["time_ns"]]
    assert len(times) == 660
    assert min(b - a for a, b in pairwise(times)) > SECOND_NS // 2
    assert again.dropped.total() == 30


def test_a_backlog_of_a_clock_an_hour_off_is_anchored_where_it_ends() -> None:
    one = source()
    backlog = fed(one, [(s - 3600, 600) for s in range(600)])
    assert seconds(backlog) == []
    live = fed(one, [(s - 3600, s) for s in range(600, 620)])
    assert seconds(live) == list(range(620))
    assert not one.dropped
    assert one.trouble is not None
    assert "3600 s behind" in one.trouble


def test_time_does_not_run_out_while_it_is_not_known_when_a_backlog_was() -> None:
    one = source()
    backlog = fed(one, [(s - 3600, 895) for s in range(895)])
    live = fed(one, [(s - 3600, s) for s in range(895, 915)])
    assert seconds([*backlog, *live]) == list(range(915))
    assert not one.dropped


def test_a_backlog_older_than_patience_that_ends_there_is_counted_as_late() -> None:
    one = source()
    fed(one, [(s - 3600, 600) for s in range(600)])
    assert len(one.cut(NOW + 631 * SECOND_NS).beats) == 0
    assert one.dropped == {"late": 600}
    assert one.kept(one.cursor()) == [ticket()] * 600


def test_a_backlog_is_taken_as_soon_as_it_comes() -> None:
    clock, one, n = FakeClock(NOW), source(), 0

    async def drained() -> None:
        nonlocal n
        async with closed(one.chunks(clock, None)) as chunks:
            for first in range(0, 600, 20):  # what a broker sends before it waits
                for s in range(first, first + 20):
                    one.hand(encode(beat(NOW - (600 - s) * SECOND_NS)), ticket(s), clock.wall_ns())
                n += len((await anext(chunks))[0].beats)

    asyncio.run(drained())
    assert n == 600
    assert clock.passed_s < 3
