"""Verdicts: every reason, what the rule keeps and catches, and that no cut of a chunk shows."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diastole.edge.chunks import (
    BEAT,
    BEAT_KINDS,
    BREAK,
    VERDICTS,
    Bools,
    Chunk,
    Floats,
    Ints,
    Rows,
    by_time,
    join,
    rows_of,
    rr_ns,
)
from diastole.edge.pipeline import observe
from diastole.edge.pipeline.rule import AHEAD_NS
from diastole.edge.pipeline.rules import Rules
from diastole.edge.pipeline.state import State as Whole
from diastole.edge.pipeline.state import pack, unpack
from diastole.edge.pipeline.verdicts import JUDGED, State, judge, step
from diastole.edge.records import MINUTE_NS, SECOND_NS, BeatKind, Verdict
from tests.figures.annotated import annotated

STEADY = [800.0, 810, 795, 805, 800, 790, 805, 800, 810, 800]
MS = 1_000_000


def beats(rr_ms: Sequence[float] | Floats, start_ns: int = 0, **columns: object) -> Rows:
    """Intervals one after the other."""
    rr = np.asarray(rr_ms, float)
    ends = start_ns + np.cumsum(rr_ns(rr))
    return rows_of(
        BEAT, len(rr), **{"time_ns": ends, "rr_ms": rr, "kind": 0, "device": 0} | columns
    )


def breaks(*times_ns: int) -> Ints:
    """Give times of Breaks as a column."""
    return np.array(times_ns, np.int64)


def names(rows: Rows) -> list[Verdict]:
    """Verdicts by name."""
    return [VERDICTS[code] for code in rows["verdict"]]


def verdicts(rows: Rows, *breaks_ns: int) -> list[Verdict]:
    """Judge one stream."""
    return names(judge(rows, breaks(*breaks_ns)))


def test_a_steady_heart_is_accepted() -> None:
    """Nothing to refuse, at any setting."""
    judged = judge(beats(STEADY * 3), breaks())
    assert set(names(judged)) == {Verdict.ACCEPTED}
    assert judged["strict"].all()
    assert judged["lenient"].all()


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("contact", 0, Verdict.NO_CONTACT),
        ("moving", 1, Verdict.MOVING),
        ("error_ms", 30.5, Verdict.IMPRECISE),
        ("quality", 0.39, Verdict.LOW_QUALITY),
        ("rr_ms", 299.0, Verdict.OUT_OF_RANGE),
        ("rr_ms", 2001.0, Verdict.OUT_OF_RANGE),
        ("rr_ms", 0.0, Verdict.OUT_OF_RANGE),
        ("rr_ms", -800.0, Verdict.OUT_OF_RANGE),
        ("rr_ms", 500.0, Verdict.ARTEFACT),
        ("rr_ms", 1600.0, Verdict.ARTEFACT),
    ],
)
def test_each_reason_is_given(column: str, value: float, reason: Verdict) -> None:
    """One spoilt beat among steady ones, with the reason that it deserves, at every setting."""
    rows = beats(STEADY * 3)
    rows[column][15] = value
    judged = judge(rows, breaks())
    assert names(judged)[15] == reason
    assert not judged["strict"][15]
    assert not judged["lenient"][15]
    assert names(judged).count(Verdict.ACCEPTED) == len(rows) - 1


@pytest.mark.parametrize(
    ("column", "value"), [("contact", 1), ("moving", 0), ("error_ms", 30.0), ("quality", 0.4)]
)
def test_a_limit_itself_is_accepted(column: str, value: float) -> None:
    """A flag that says that all is well, and numbers on the limit, refuse nothing."""
    rows = beats(STEADY * 3)
    rows[column] = value
    assert set(verdicts(rows)) == {Verdict.ACCEPTED}


def test_the_first_reason_that_holds_is_given() -> None:
    """Clear the reasons one by one: the next shows."""
    rows = beats([*STEADY, *STEADY, 250, *STEADY])
    place = 20
    spoilt: list[tuple[str, float, float]] = [
        ("contact", 0, 1),
        ("moving", 1, 0),
        ("error_ms", 99, 0),
        ("quality", 0, 1),
    ]
    for column, bad, _ in spoilt:
        rows[column][place] = bad
    seen = [verdicts(rows)[place]]
    for column, _, good in spoilt:
        rows[column][place] = good
        seen.append(verdicts(rows)[place])
    assert seen == [
        Verdict.NO_CONTACT,
        Verdict.MOVING,
        Verdict.IMPRECISE,
        Verdict.LOW_QUALITY,
        Verdict.OUT_OF_RANGE,
    ]


def test_an_ectopic_beat_takes_its_pause_with_it() -> None:
    """A premature beat, and the long interval beside it, which alone would pass."""
    found = verdicts(beats([*STEADY, 560, 1050, *STEADY]))
    assert found[10:12] == [Verdict.ARTEFACT, Verdict.BESIDE_ARTEFACT]
    assert Counter(found)[Verdict.ACCEPTED] == 20
    assert verdicts(beats([*STEADY, 1050, *STEADY]))[10] == Verdict.ACCEPTED


def test_a_displaced_beat_is_caught_on_both_sides() -> None:
    """160 ms early: short, then long."""
    found = verdicts(beats([*STEADY, 640, 960, *STEADY]))
    assert found[10:12] == [Verdict.ARTEFACT, Verdict.BESIDE_ARTEFACT]


def test_an_extra_beat_is_caught() -> None:
    """One interval split in two."""
    found = verdicts(beats([*STEADY, 380, 420, *STEADY]))
    assert found[10:12] == [Verdict.ARTEFACT, Verdict.ARTEFACT]
    assert Counter(found)[Verdict.ACCEPTED] == 20


def test_sinus_arrhythmia_is_kept() -> None:
    """Breath swings a young heart by a third, 15 times a minute: no interval is refused."""
    times, rr = 0.0, []
    while times < 120_000:
        rr.append(850 + 150 * np.sin(2 * np.pi * times / 4000 + 0.5 * np.sin(times / 9000)))
        times += rr[-1]
    assert max(rr) > 1.3 * min(rr)
    assert set(verdicts(beats(rr))) == {Verdict.ACCEPTED}


@pytest.mark.parametrize("fault", [0, 1])
def test_the_first_intervals_after_a_break_are_judged_by_what_follows(fault: int) -> None:
    """A missed beat right at the start, where no level has been seen, is the one refused."""
    rr = list(STEADY)
    rr[fault] = 1600
    before = beats([500, 505, 500])
    end = int(before["time_ns"][-1])
    found = verdicts(np.concatenate([before, beats(rr, end + SECOND_NS)]), end)
    assert found[3 + fault] == Verdict.ARTEFACT
    assert Counter(found)[Verdict.ACCEPTED] == 12


def test_nothing_is_read_across_a_break() -> None:
    """Twice as slow after it, and nothing is wrong with that; without it, all of them are."""
    before = beats([500.0] * 10)
    end = int(before["time_ns"][-1])
    rows = np.concatenate([before, beats([1000.0] * 4, end + SECOND_NS)])
    assert set(verdicts(rows, end)) == {Verdict.ACCEPTED}
    assert verdicts(rows)[10:] == [Verdict.ARTEFACT] * 4


def test_an_interval_that_began_before_a_break_is_refused() -> None:
    """Law 5: what lies on either side of a Break never becomes a pair, also in a later step."""
    rows = beats(STEADY)
    for at in (int(rows["time_ns"][4]), int(rows["time_ns"][4]) + 300_000_000):
        found = verdicts(rows, at)
        assert found[5] == Verdict.ACROSS_BREAK
        assert found[:5] + found[6:] == [Verdict.ACCEPTED] * (len(rows) - 1)
    first = Chunk(at + 1, ("h7",), beats=rows[:5], breaks=rows_of(BREAK, 1, time_ns=at))
    state, _ = step(State(), first)
    _, judged = step(state, Chunk(int(rows["time_ns"][-1]) + 1, ("h7",), beats=rows[5:]))
    assert names(judged.rows)[0] == Verdict.ACROSS_BREAK


def test_the_level_is_read_across_a_hole_for_a_minute() -> None:
    """A lone doubled interval after 40 s of nothing is caught, after a minute unknown."""
    before = beats(STEADY)
    for hole_s, verdict in ((40, Verdict.ARTEFACT), (61, Verdict.ACCEPTED)):
        lone = beats([1600], int(before["time_ns"][-1]) + hole_s * SECOND_NS)
        assert verdicts(np.concatenate([before, lone]))[-1] == verdict


def test_a_hole_has_no_neighbours() -> None:
    """What stands beside an artefact is refused where it touches it, and kept across a hole."""
    short = beats([*STEADY, 560])
    beside = {0: Verdict.BESIDE_ARTEFACT, 9: Verdict.BESIDE_ARTEFACT}
    apart = {11: Verdict.ACCEPTED, 3000: Verdict.ACCEPTED}
    for hole_ms, verdict in (beside | apart).items():
        after = beats([900, *STEADY], int(short["time_ns"][-1]) + hole_ms * MS)
        assert verdicts(np.concatenate([short, after]))[11] == verdict, hole_ms


def test_flagged_intervals_still_show_the_level() -> None:
    """Raw intervals are read whatever their flags: a verdict never rests on another."""
    rows = beats([*STEADY, 560, *STEADY])
    rows["contact"][:10] = 0
    assert verdicts(rows)[10] == Verdict.ARTEFACT


def test_streams_do_not_see_each_other() -> None:
    """Two devices and two kinds at once, each as alone; devices count into the list given."""
    slow, fast = beats([1000.0] * 20), beats([500.0] * 40)
    parts = [
        rows_of(BEAT, len(rows), **{n: rows[n] for n in ("time_ns", "rr_ms")}, device=d, kind=k)
        for rows, d, k in ((slow, 0, 0), (fast, 1, 0), (fast, 1, 2))
    ]
    chunk = Chunk(MINUTE_NS, ("strap", "watch"), by_time(np.concatenate(parts)))
    _, judged = step(State(), chunk)
    assert len(judged.rows) == 100
    assert set(names(judged.rows)) == {Verdict.ACCEPTED}
    assert judged.devices == ("strap", "watch")
    assert (np.diff(judged.rows["time_ns"]) >= 0).all()
    assert Counter(judged.rows["device"].tolist()) == {0: 20, 1: 80}


def test_a_beat_waits_for_two_more_a_break_or_five_seconds() -> None:
    """Each of the three makes it final, and ``until_ns`` stands at the oldest that waits."""
    rows = beats(STEADY)
    last = int(rows["time_ns"][-1])
    for until_ns, breaks_ns, done in (
        (last + 1, [], 8),
        (last + AHEAD_NS, [], 9),
        (last + AHEAD_NS + 1, [], 10),
        (last + 1, [last], 10),
        (last, [last], 10),
        (last, [], 7),
        (last + 1, [int(rows["time_ns"][8])], 9),
    ):
        ends = rows_of(BREAK, len(breaks_ns), time_ns=breaks_ns)
        _, judged = step(State(), Chunk(until_ns, ("strap",), rows, breaks=ends))
        assert len(judged.rows) == done
        waiting = [*rows["time_ns"][done:].tolist(), until_ns]
        assert judged.until_ns == min(waiting)


def test_a_device_that_fell_silent_is_still_listed() -> None:
    """Its last beats become final in a chunk that does not name it."""
    rows = beats(STEADY)
    state, _ = step(State(), Chunk(int(rows["time_ns"][-1]) + 1, ("strap",), rows))
    _, judged = step(state, Chunk(MINUTE_NS, ("watch",)))
    assert judged.devices == ("watch", "strap")
    assert judged.rows["device"].tolist() == [1, 1]
    assert judged.rows["time_ns"].tolist() == rows["time_ns"][8:].tolist()


def test_little_is_kept() -> None:
    """A day leaves ten intervals and the two that wait, and a Break none."""
    rows = beats(STEADY * 1000)
    last = int(rows["time_ns"][-1])
    state, _ = step(State(), Chunk(last + 1, ("strap",), rows))
    assert len(state.devices["strap"].streams["rr"].rows) == 12
    state, _ = step(state, Chunk(last + 2, ("strap",), breaks=rows_of(BREAK, 1, time_ns=last + 1)))
    assert len(state.devices["strap"].streams["rr"].rows) == 0


FACTORS = st.sampled_from([1.0, 1.0, 1.0, 1.02, 1.1, 1.15, 0.93, 0.85, 0.8, 0.65, 1.7, 0.0])
HOLES = st.sampled_from([0] * 12 + [9, 11, -700, 1500, 4000, 7000, 61_000])


@st.composite
def days(draw: st.DrawFn) -> Chunk:
    """Beats of two devices with holes, doubled beats, flags and Breaks, closed at a whole time.

    Slow hearts are among them: of those the second beat ahead may end after the five seconds.
    """
    parts, ends = [], []
    for device in range(2):
        tempo_ms = draw(st.sampled_from([500, 800, 1400, 1700, 1900]))
        n = draw(st.integers(0, 25))
        rr = tempo_ms * np.array(draw(st.lists(FACTORS, min_size=n, max_size=n)), float)
        holes = np.array(draw(st.lists(HOLES, min_size=n, max_size=n)), float)
        times = np.cumsum(rr_ns(rr) + rr_ns(holes)) + device * 321 * MS
        columns = {
            "kind": [0] * n if draw(st.booleans()) else draw(column(n, 0, 1)),
            "contact": draw(column(n, -1, 1)),
        }
        rows = rows_of(BEAT, n, time_ns=times, rr_ms=rr, device=device, **columns)
        parts.append(by_time(rows))
        at = draw(st.lists(st.sampled_from(times.tolist() or [0]), max_size=2))
        ends.append(rows_of(BREAK, len(at), time_ns=at, device=device))
    rows, breaks_ = (by_time(np.concatenate(columns)) for columns in (parts, ends))
    until_ns = int(max([0, *rows["time_ns"].tolist()])) + draw(st.sampled_from([1, 6 * SECOND_NS]))
    return Chunk(until_ns, ("strap", "watch"), rows, breaks=breaks_)


def column(n: int, low: int, high: int) -> st.SearchStrategy[list[int]]:
    """Draw ``n`` whole numbers."""
    return st.lists(st.integers(low, high), min_size=n, max_size=n)


def walk(chunks: Sequence[Chunk], *, resumed: bool = False) -> Rows:
    """Judge chunk after chunk, each held to what the one before promised; or resumed at each."""
    state, found, promised = State(), [np.empty(0, JUDGED)], -(2**62)
    for chunk in chunks:
        state, judged = step(state, chunk)
        assert (judged.rows["time_ns"] >= promised).all()
        promised = judged.until_ns
        if resumed:
            whole = Whole(observed=observe.State(ruled=state))
            state = unpack(pack(whole, Rules()), Rules()).observed.ruled
        rows = judged.rows.copy()
        rows["device"] = [judged.devices[i] == "watch" for i in rows["device"]]
        found.append(rows)
    return np.sort(np.concatenate(found), order=["time_ns", "device", "kind", "rr_ms"])


@given(days(), st.lists(st.tuples(st.integers(0, 90_000), st.integers(0, 8000)), max_size=9))
def test_law_1_no_cut_shows(day: Chunk, cuts: list[tuple[int, int]]) -> None:
    """Cut anywhere, stopped and resumed there, with records before their time: the same rows."""
    pieces, rest, least = [], day, -(2**62)
    for at_ms, behind_ms in sorted(cuts):
        piece, rest = rest.split(at_ms * MS)
        least = max(least, piece.until_ns - behind_ms * MS)
        pieces.append(Chunk(least, piece.devices, piece.beats, breaks=piece.breaks))
    assert walk([*pieces, rest], resumed=True).tobytes() == walk([day]).tobytes()


@given(days(), st.integers(0, 90_000))
def test_law_1_each_kind_of_waiting_ends_the_same(day: Chunk, at_ms: int) -> None:
    """Second by second, and all at once long after: final sooner or later, never otherwise."""
    seconds, rest = [], day
    for second in range(at_ms // 1000):
        piece, rest = rest.split(second * SECOND_NS)
        seconds.append(piece)
    long_after = Chunk(day.until_ns + MINUTE_NS)
    assert walk([*seconds, rest, long_after]).tobytes() == walk([join([day, long_after])]).tobytes()


@given(days(), st.integers(0, 90_000))
def test_law_2_a_verdict_peeks_five_seconds_ahead(day: Chunk, at_ms: int) -> None:
    """With everything cut off that comes later, what is said up to there stays."""
    now_ns = at_ms * MS
    whole = walk([day, Chunk(day.until_ns + MINUTE_NS)])
    past, _ = day.split(now_ns + AHEAD_NS + 1)
    known = walk([Chunk(now_ns + AHEAD_NS + 1, past.devices, past.beats, breaks=past.breaks)])
    said = [rows[rows["time_ns"] <= now_ns].tobytes() for rows in (whole, known)]
    assert said[0] == said[1]


@given(days())
def test_law_5_a_doubtful_beat_is_masked_and_nothing_mended(day: Chunk) -> None:
    """Every beat comes out once, as it went in; strict accepts no flagged or impossible beat."""
    rows = walk([day, Chunk(day.until_ns + MINUTE_NS)])
    before = np.sort(day.beats, order=["time_ns", "device", "kind", "rr_ms"])
    for name in BEAT.names or ():
        np.testing.assert_array_equal(rows[name], before[name])
    flagged = (rows["contact"] == 0) | (rows["rr_ms"] < 300) | (rows["rr_ms"] > 2000)
    for mask in (rows["verdict"] == 0, rows["strict"], rows["lenient"]):
        assert not (mask & flagged).any()


def test_a_verdict_reads_ten_before_and_two_after_that_end_in_time() -> None:
    """6,000 short runs apart from one another: with only what may be read, all stays the same."""
    random = np.random.default_rng(22)
    runs, length = 6_000, 15
    factors = [1.0] * 6 + [1.02, 1.08, 0.95, 0.92, 0.87, 0.82, 0.7, 1.12, 1.3, 1.65, 1.9]
    tempo_ms = random.choice([500, 800, 1100, 1700, 1900], (runs, 1))
    rr = np.rint(tempo_ms * random.choice(factors, (runs, length)) + random.normal(0, 9))
    long = random.random(rr.shape) < 0.03
    rr[long] = random.choice([3150, 5200], long.sum())
    ends = (np.arange(runs)[:, None] * 100_000 + np.cumsum(rr, axis=1)).astype(np.int64) * MS
    later = breaks(*ends[:, -1].tolist())

    def found(stays: Bools) -> Rows:
        judged = judge(beats(rr[stays], time_ns=ends[stays]), later)
        return judged[["verdict", "strict", "lenient"]]

    whole = found(np.ones_like(rr, np.bool_)).reshape(runs, length)
    for place in range(length):
        in_time = ends <= ends[:, [place]] + AHEAD_NS
        two = np.arange(length) <= np.full_like(ends, place + 2)
        ten = np.arange(length) >= np.full_like(ends, place - 10)
        for stays in (in_time, two, ten):
            rank = np.cumsum(stays).reshape(runs, length) - 1
            assert (found(stays)[rank[:, place]] == whole[:, place]).all()


def test_law_1_a_troubled_day_in_a_thousand_pieces() -> None:
    """Every fifth beat off, cut at random: what a stage keeps is enough, byte for byte."""
    random = np.random.default_rng(1)
    factors = random.choice([1.0] * 8 + [0.93, 0.85, 1.1, 0.6], 20_000)
    rows = beats(np.rint(800 * factors + random.normal(0, 15, 20_000)))
    day = Chunk(int(rows["time_ns"][-1]) + MINUTE_NS, ("strap",), rows)
    pieces, rest = [], day
    for at in np.sort(random.integers(0, day.until_ns, 1000)):
        piece, rest = rest.split(int(at))
        pieces.append(piece)
    assert walk([*pieces, rest]).tobytes() == walk([day]).tobytes()


def test_a_real_record_is_judged_as_measured(shared: Path) -> None:
    """A quarter of its beats are ventricular: sinus intervals stay, the others go."""
    [(_, record)] = annotated(shared / "beats" / "mitdb.zip", frozenset({"233"}))
    judged = judge(record.rows(), breaks())
    assert Counter(names(judged)) == {
        Verdict.ACCEPTED: 1577,
        Verdict.ARTEFACT: 759,
        Verdict.BESIDE_ARTEFACT: 739,
        Verdict.OUT_OF_RANGE: 3,
    }
    sinus = record.sinus[1:]
    assert (judged["verdict"] == 0)[sinus].mean() > 0.97
    assert (judged["verdict"] == 0)[~sinus].mean() < 0.2


def test_kinds_have_a_stream_each() -> None:
    """The state is keyed by the kind's own word."""
    chunk = Chunk(MINUTE_NS, ("watch",), beats(STEADY, kind=BEAT_KINDS.index(BeatKind.PPG)))
    state, _ = step(State(), chunk)
    assert list(state.devices["watch"].streams) == ["ppg"]
