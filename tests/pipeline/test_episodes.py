"""An episode: when it begins, when it ends, what drove it, and whether the wearer is told."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diastole.edge.chunks import Chunk
from diastole.edge.features import engine
from diastole.edge.pipeline import episodes, observe
from diastole.edge.pipeline.episodes import FOREVER_NS
from diastole.edge.pipeline.judge import judge
from diastole.edge.pipeline.notices import Told
from diastole.edge.pipeline.observations import (
    DECISIONS,
    NO_REASON,
    OBSERVATION,
    REASONS,
    Observations,
    Readings,
)
from diastole.edge.pipeline.rules import Notices, Rules
from diastole.edge.pipeline.state import State, pack, unpack
from diastole.edge.records import MINUTE_NS, SECOND_NS, Decision, Event, EventPhase, Reason
from diastole.edge.schema import FEATURE_NAMES, INPUT_NAMES
from tests.pipeline.walking import RULES, Slope
from tests.strategies import REST, START_NS, STRESS, Stretch, cut, cuts, ended, recording, wearers

HOP_NS = 5 * SECOND_NS
P = {"s": 0.9, "c": 0.2, "?": 0.5, "e": np.nan, "z": np.nan, "-": np.nan}
NOTICES = Notices()


def said(what: str, *, begin_ns: int = START_NS, device: str = "strap") -> Readings:
    """Give a reading a letter: stress, calm, ? uncertain, exertion, z asleep, - none at all."""
    letters = np.array(list(what))
    kept = letters != "-"
    n = int(kept.sum())
    rows = np.zeros(n, OBSERVATION)
    rows["time_ns"] = begin_ns + HOP_NS * (1 + np.flatnonzero(kept))
    rows["still_min"], rows["activity_mg"] = 6.0, 4.0
    rows["normal_hr_low_bpm"], rows["normal_hr_high_bpm"] = 60.0, 66.0
    letters = letters[kept]
    features = np.full((n, len(FEATURE_NAMES)), np.nan)
    features[:, FEATURE_NAMES.index("hr_mean_bpm")] = np.where(letters == "s", 80.0, 64.0)
    inputs = np.zeros((n, len(INPUT_NAMES)))
    inputs[:, INPUT_NAMES.index("hr_above_normal")] = np.where(letters == "s", 4.0, 0.0)
    inputs[:, INPUT_NAMES.index("hr_rise_1h")] = np.where(letters == "s", 0.04, 0.0)
    why = {"?": Reason.UNCERTAIN, "e": Reason.EXERTION, "z": Reason.ASLEEP}
    reason = [REASONS.index(why[c]) if c in why else NO_REASON for c in letters]
    choice = {"s": Decision.STRESS, "c": Decision.CALM}
    decision = [DECISIONS.index(choice.get(c, Decision.UNDECIDED)) for c in letters]
    return Readings(
        Observations((device,), rows, features, inputs),
        np.array([P[c] for c in letters]),
        np.array(decision, np.uint8),
        np.array(reason, np.uint8),
        np.isin(letters, ("s", "c")),
    )


def told(
    *parts: Readings,
    until_ns: int | None = None,
    notices: Notices = NOTICES,
    rules: Rules = RULES,
    state: episodes.State | None = None,
) -> list[Told]:
    """Tell the events of parts that follow one another, nothing after the last."""
    state, found = state or episodes.State(), list[Told]()
    for place, part in enumerate(parts):
        last = FOREVER_NS if until_ns is None else until_ns
        upto = last if place == len(parts) - 1 else int(part.observations.rows["time_ns"][-1])
        state, events = episodes.step(state, part, upto, rules, notices)
        state = unpack(pack(State(told=state), rules), rules).told
        found += events
    return found


def phases(found: Iterable[Told], phase: EventPhase) -> list[Event]:
    return [item.event for item in found if item.event.phase is phase]


def begun(what: str, notices: Notices = NOTICES) -> list[Event]:
    return phases(told(said(what), notices=notices), EventPhase.BEGIN)


# ---- begin


@pytest.mark.parametrize(
    ("what", "begins"),
    [
        ("c" * 2 + "s" * 10, True),
        ("c" * 3 + "s" * 9, False),
        ("s" * 2 + "c" * 2 + "s" * 8, True),
        ("s" * 10, False),  # ten, but not of twelve
        ("s" * 10 + "?" * 40, False),
        ("s" * 6 + "?" * 12 + "s" * 6, True),  # 115 s from the first to the last
        ("s" * 6 + "?" * 13 + "s" * 6, True),
        ("s" * 6 + "?" * 14 + "s" * 6, False),
        ("s" * 6 + "-" * 14 + "s" * 6, False),
        ("c" * 100, False),
    ],
)
def test_it_begins_by_10_of_the_last_12_decided_within_two_minutes(what: str, begins: bool) -> None:
    assert bool(begun(what)) == begins


def test_it_starts_at_the_first_of_the_stress_and_is_told_when_it_is_known() -> None:
    first, *_ = told(said("c" * 20 + "s" * 20))
    assert first.event.start_ns == START_NS + 21 * HOP_NS
    assert first.time_ns == START_NS + 30 * HOP_NS
    assert first.event.id == f"strap-{START_NS // SECOND_NS + 105}"
    assert (first.event.rev, first.event.end_ns) == (1, None)
    assert (first.event.peak_p, first.event.mean_p) == pytest.approx((0.9, 0.9))


def test_it_begins_only_where_one_may_begin() -> None:
    readings = said("s" * 60)
    readings.able[:40] = False
    (first,) = phases(told(readings), EventPhase.BEGIN)
    assert first.start_ns == START_NS + 30 * HOP_NS  # the first of the last 12


@pytest.mark.parametrize(
    ("name", "low", "enough"), [("hr_above_normal", 0.74, 0.75), ("hr_rise_1h", 0.0374, 0.0376)]
)
def test_a_heart_rate_not_above_both_begins_none_but_keeps_one_going(
    name: str, low: float, enough: float
) -> None:
    readings = said("s" * 60)
    readings.observations.input(name)[:] = low
    assert told(readings) == []
    readings.observations.input(name)[:30] = enough
    (last,) = phases(told(readings), EventPhase.END)
    assert last.end_ns == START_NS + 60 * HOP_NS


# ---- end


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        ("c" * 40, "calm"),
        ("e" * 40, "exertion"),
        ("?" * 10 + "z" * 30, "uncertain"),
        ("-" * 40 + "c" * 40, "silence"),
        ("", "silence"),
    ],
)
def test_it_ends_90_s_after_its_last_stress_and_says_what_came_instead(
    after: str, reason: str
) -> None:
    found = told(said("s" * 30 + after))
    (last,) = phases(found, EventPhase.END)[:1]
    assert last.end_ns == START_NS + 30 * HOP_NS
    assert last.end_reason == reason
    assert next(t for t in found if t.event == last).time_ns == last.end_ns + 90 * SECOND_NS


def test_90_s_without_stress_do_not_end_it_where_stress_comes_then() -> None:
    assert len(begun("s" * 30 + "c" * 17 + "s" * 30 + "c" * 40)) == 1
    assert len(begun("s" * 30 + "c" * 18 + "s" * 30 + "c" * 40)) == 2


def test_what_belonged_to_one_counts_for_no_other() -> None:
    one, other = begun("s" * 30 + "c" * 18 + "s" * 40)
    assert other.start_ns == START_NS + 49 * HOP_NS > one.start_ns
    assert begun("s" * 30 + "c" * 18 + "s" * 9 + "c" * 9) == [one]


def test_an_open_one_stays_open_until_time_has_passed() -> None:
    readings = said("s" * 30)
    last_ns = START_NS + 30 * HOP_NS
    assert not phases(told(readings, until_ns=last_ns + 90 * SECOND_NS - 1), EventPhase.END)
    assert phases(told(readings, until_ns=last_ns + 90 * SECOND_NS), EventPhase.END)


def test_revisions_count_up_and_an_update_comes_each_whole_minute() -> None:
    found = told(said("s" * 72 + "c" * 40))
    assert [item.event.rev for item in found] == list(range(1, len(found) + 1))
    updates = [item for item in found if item.event.phase is EventPhase.UPDATE]
    times = [item.time_ns for item in updates]
    assert times == [START_NS + k * MINUTE_NS for k in range(2, 8)]
    assert len({item.event.id for item in found}) == 1


def test_peak_and_mean_are_of_its_decided_readings() -> None:
    readings = said("s" * 24 + "?" * 4 + "c" * 4 + "s" * 2 + "c" * 40)
    readings.p_stress[25] = 0.99  # undecided
    readings.p_stress[32] = 0.95
    (last,) = phases(told(readings), EventPhase.END)
    assert last.peak_p == 0.95
    assert last.mean_p == pytest.approx((24 * 0.9 + 4 * 0.2 + 0.95 + 0.9) / 30)


# ---- recovery


def recovery(readings: Readings, hr_bpm: Sequence[float]) -> float | None:
    column = readings.observations.feature("hr_mean_bpm")
    column[30 : 30 + len(hr_bpm)] = hr_bpm
    return phases(told(readings), EventPhase.END)[-1].recovery_s


def test_recovery_lasts_until_the_heart_rate_is_within_its_normal() -> None:
    assert recovery(said("s" * 30 + "c" * 100), [80, 70, 66]) == 15
    assert recovery(said("s" * 30 + "c" * 100), [70.0] * 50 + [60]) == 255
    assert recovery(said("s" * 30 + "c" * 100), [70.0] * 100) is None
    assert recovery(said("s" * 30 + "c" * 5 + "e" * 9 + "c" * 90), [70.0] * 20) is None
    assert recovery(said("s" * 30 + "c" * 25 + "-" * 20 + "c" * 90), [70.0] * 25) is None
    assert recovery(said("s" * 30 + "c" * 20 + "s" * 40), [70.0] * 20) is None
    assert recovery(said("s" * 30 + "c" * 900), [70.0] * 800) is None


def test_a_later_recovery_is_a_revision_of_the_end() -> None:
    readings = said("s" * 30 + "c" * 100)
    readings.observations.feature("hr_mean_bpm")[30:80] = 70
    first, last = phases(told(readings), EventPhase.END)
    assert (first.recovery_s, last.recovery_s) == (None, 255)
    assert (last.rev, last.id, last.end_ns) == (first.rev + 1, first.id, first.end_ns)


# ---- drivers


def test_what_drove_it_is_named_with_its_value_and_the_normal() -> None:
    (first,) = begun("s" * 30)
    (driver,) = first.drivers
    assert driver.input == "hr_above_normal"
    assert (driver.value, driver.normal) == pytest.approx((80, np.sqrt(60 * 66)))


def test_only_what_the_model_reads_drives() -> None:
    readings = said("s" * 30)
    readings.observations.input("hr_rise_1h")[:] = 0.2
    names = []
    for inputs in (INPUT_NAMES, ("hr_rise_1h",), ("rmssd_above_normal",)):
        _, events = episodes.step(episodes.State(), readings, FOREVER_NS, RULES, NOTICES, inputs)
        names.append([driver.input for driver in events[0].event.drivers])
    assert names == [["hr_above_normal", "hr_rise_1h"], ["hr_rise_1h"], []]


# ---- whether the wearer is told

ONE = "s" * 30 + "c" * 30  # five minutes


def why(what: str, notices: Notices = NOTICES) -> list[str | None]:
    first = begun(what, notices)
    assert all(event.notify == (event.notify_reason is None) for event in first)
    return [event.notify_reason for event in first]


def test_after_a_notice_there_is_none_for_15_min_and_six_a_day() -> None:
    assert why(ONE * 5) == [None, *["refractory"] * 3, None]
    spaced = (ONE + "c" * 180) * 8
    assert why(spaced)[:6] == [None] * 6
    limited = [None] * 2 + ["daily_limit"] * 4 + [None] * 2  # midnight comes before the seventh
    assert why(spaced, Notices(a_day=2)) == limited


def test_a_new_local_day_has_notices_of_its_own() -> None:
    readings = said((ONE + "c" * 180) * 8)  # from 22:14 UTC on, one every 20 min
    readings.observations.rows["utc_offset_min"] = 120
    found = phases(told(readings, notices=Notices(a_day=2)), EventPhase.BEGIN)
    assert [event.notify for event in found] == [True] * 2 + [False] * 6


@pytest.mark.parametrize(
    ("hours", "quiet"),
    [
        ((22 * 60, 7 * 60), True),
        ((23 * 60, 7 * 60), False),
        ((13 * 60, 23 * 60), True),
        (None, False),
    ],
)
def test_quiet_hours_are_the_wearers(hours: tuple[int, int] | None, quiet: bool) -> None:
    assert why(ONE, Notices(quiet_hours=hours)) == ["quiet_hours" if quiet else None]


def test_without_motion_the_wearer_is_told_only_where_seated() -> None:
    readings = said(ONE)
    readings.observations.rows["activity_mg"][3] = np.nan
    for seated, reason in ((False, "no_motion"), (True, None)):
        found = told(readings, notices=Notices(seated=seated))
        assert {item.event.notify_reason for item in found} == {reason}


def test_without_motion_an_episode_may_begin() -> None:
    still = recording(REST, Stretch(12, 62, 40, 4), STRESS)
    bare = recording(Stretch(17, 62, 40), Stretch(5, 88, 12))
    for chunk, known in ((still, True), (bare, False)):
        _, seen, _ = observe.step(observe.State(), chunk, engine("vectorised"), RULES)
        readings = judge(seen, Slope(), RULES)
        assert readings.able.any()
        if not known:
            np.testing.assert_array_equal(readings.able, readings.reason == NO_REASON)


def test_notices_are_one_budget_for_all_devices() -> None:
    strap, watch = said(ONE), said("c" * 12 + ONE, device="watch")
    rows = np.concatenate([strap.observations.rows, watch.observations.rows])
    rows["device"][len(strap) :] = 1
    both = Readings(
        Observations(
            ("strap", "watch"),
            rows,
            *(
                np.concatenate([getattr(part.observations, name) for part in (strap, watch)])
                for name in ("features", "inputs")
            ),
        ),
        *(
            np.concatenate([getattr(part, name) for part in (strap, watch)])
            for name in ("p_stress", "decision", "reason", "able")
        ),
    )
    first, second = phases(told(both), EventPhase.BEGIN)
    assert (first.device, first.notify_reason) == ("strap", None)
    assert (second.device, second.notify_reason) == ("watch", "refractory")


# ---- laws

letters = st.lists(
    st.tuples(st.sampled_from("sssc?ez-"), st.integers(1, 30)), min_size=1, max_size=14
).map(lambda parts: "".join(letter * n for letter, n in parts))


def take(readings: Readings, which: slice) -> Readings:
    return Readings(
        readings.observations.take(which),
        *(getattr(readings, name)[which] for name in ("p_stress", "decision", "reason", "able")),
    )


def assert_told_alike(one: Sequence[Told], other: Sequence[Told]) -> None:
    key = ["id", "rev", "phase", "start_ns", "end_ns", "end_reason", "recovery_s"]
    key += ["notify", "notify_reason"]
    for found, again in zip(one, other, strict=True):
        assert found.time_ns == again.time_ns
        for name in key:
            assert getattr(found.event, name) == getattr(again.event, name), name
        numbers = [
            [
                *(item.event.peak_p, item.event.mean_p),
                *(number for d in item.event.drivers for number in (d.value, d.normal or np.nan)),
            ]
            for item in (found, again)
        ]
        np.testing.assert_allclose(numbers[0], numbers[1], atol=1e-6)
        names = [[driver.input for driver in item.event.drivers] for item in (found, again)]
        assert names[0] == names[1]


def by_device(found: Iterable[Told]) -> list[Told]:
    return sorted(found, key=lambda item: (item.event.device, item.event.start_ns, item.event.rev))


@given(letters, st.lists(st.integers(0, 400), max_size=8), st.floats(60, 90))
def test_law_1_readings_cut_anywhere_tell_the_same_events(
    what: str, at: list[int], hr_bpm: float
) -> None:
    whole = said(what)
    if not len(whole):
        return
    whole.observations.feature("hr_mean_bpm")[::3] = hr_bpm
    edges = sorted({0, len(whole), *(place % len(whole) for place in at)})
    pieces = [take(whole, slice(a, b)) for a, b in pairwise(edges) if b > a]
    assert_told_alike(told(whole), told(*pieces))


def walked(pieces: Iterable[Chunk]) -> list[Told]:
    """Walk chunks to events, all state saved and resumed at each cut."""
    state, found, computing = State(), list[Told](), engine("vectorised")
    rules = Rules(still_min=0, episode_of=12, episode_stress=9)
    for piece in pieces:
        observed, seen, _ = observe.step(state.observed, piece, computing, rules)
        until_ns = observed.framed.closed_ns
        after, events = episodes.step(
            state.told,
            judge(seen, Slope(), rules),
            -FOREVER_NS if until_ns is None else until_ns,
            rules,
            NOTICES,
            Slope.inputs,
        )
        state = unpack(pack(State(observed=observed, told=after), rules), rules)
        found += events
    return found


@settings(max_examples=40)
@given(st.data(), wearers())
def test_law_1_holds_through_to_events(data: st.DataObject, chunk: Chunk) -> None:
    whole = by_device(walked([chunk]))
    assert_told_alike(whole, by_device(walked(cut(chunk, data.draw(cuts(chunk))))))


def test_law_1_a_told_episode_is_the_same_live() -> None:
    chunk = recording(REST, Stretch(6, 90, 12, 6), REST)
    whole = walked([chunk])
    assert {item.event.phase for item in whole} == set(EventPhase)
    live = walked(cut(chunk, range(START_NS, chunk.until_ns, 7 * SECOND_NS)))
    assert_told_alike(whole, live)


@given(letters, st.integers(0, 400))
def test_law_2_cutting_the_future_off_changes_nothing_told_before(what: str, at: int) -> None:
    whole = said(what)
    if not len(whole):
        return
    times = whole.observations.rows["time_ns"]
    place = at % len(whole)
    before = told(take(whole, slice(0, place + 1)), until_ns=int(times[place]))
    known = [item for item in told(whole) if item.time_ns <= times[place]]
    assert_told_alike(known, before)
    for item in known:
        if item.event.phase is EventPhase.BEGIN:
            assert 0 <= item.time_ns - item.event.start_ns <= 120 * SECOND_NS


def test_law_2_holds_for_a_recording() -> None:
    chunk = recording(REST, Stretch(6, 90, 12, 6), REST)
    end_ns = START_NS + 10 * MINUTE_NS + 12_345
    whole, early = walked([chunk]), walked([ended(chunk, end_ns)])
    known = [item for item in whole if item.time_ns <= end_ns - 5 * SECOND_NS]
    assert known
    assert_told_alike(known, [item for item in early if item.time_ns <= end_ns - 5 * SECOND_NS])


def test_the_state_of_a_running_episode_stays_small() -> None:
    state, _ = episodes.step(episodes.State(), said("s" * 2000), START_NS, RULES, NOTICES)
    assert len(pack(State(told=state), RULES)) < 3000
