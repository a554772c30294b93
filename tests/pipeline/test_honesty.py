"""What is said is honest: laws 5 to 8 and 10."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diastole.edge.chunks import VERDICTS, Chunk, Rows, join, rr_ns
from diastole.edge.features import engine
from diastole.edge.pipeline import verdicts, windows
from diastole.edge.pipeline.judge import judge
from diastole.edge.pipeline.measure import measure
from diastole.edge.pipeline.observations import (
    DECISIONS,
    NO_REASON,
    REASONS,
    SOURCES,
)
from diastole.edge.pipeline.verdicts import ACCEPTED, JUDGED
from diastole.edge.records import MINUTE_NS, SECOND_NS, Decision, Reason
from diastole.edge.schema import FEATURE_NAMES, FEATURES
from tests.pipeline.walking import RULES, by_device, told, walk, windows_of
from tests.strategies import (
    CYCLE,
    REST,
    START_NS,
    WALK,
    Stretch,
    beats_at,
    ended,
    recording,
    wearers,
)

# ---- 5: mask, don't mend


@given(st.data(), st.integers(0, 99))
def test_law_5_the_value_of_a_refused_beat_changes_no_feature(
    data: st.DataObject, seed: int
) -> None:
    chunk = recording(Stretch(3, 70, 40, 4), seed=seed)
    _, judged = verdicts.step(verdicts.State(), chunk)
    doubtful = np.array(
        data.draw(st.lists(st.integers(0, len(judged.rows) - 1), min_size=1, max_size=9))
    )
    seen = []
    for _ in range(2):
        rows = judged.rows.copy()
        rows["verdict"][doubtful] = verdicts.NO_CONTACT
        rows["strict"][doubtful] = rows["lenient"][doubtful] = False
        values = st.floats(0, 1e6, allow_nan=False)
        rows["rr_ms"][doubtful] = data.draw(
            st.lists(values, min_size=len(doubtful), max_size=len(doubtful))
        )
        _, (batch,) = windows.step(windows.State(), chunk, replace_rows(judged, rows))
        seen.append(measure(batch, engine("vectorised"), RULES))
    one, other = seen
    assert one.features.tobytes() == other.features.tobytes()
    assert one.coverage.tobytes() == other.coverage.tobytes()
    assert (one.grade == other.grade).all()


def replace_rows(judged: verdicts.Judged, rows: Rows) -> verdicts.Judged:
    assert rows.dtype == JUDGED
    return judged._replace(rows=rows)


def test_law_5_intervals_on_either_side_of_a_hole_are_never_subtracted() -> None:
    parts, at = [], START_NS
    for k in range(30):  # eight beats of 800 ms, a hole, eight of 700 ms, a hole
        parts.append(beats_at(np.full(8, 800.0 - 100 * (k % 2)), at))
        at = int(parts[-1]["time_ns"][-1]) + 2 * SECOND_NS
    chunk = Chunk(at, ("strap",), beats=np.concatenate(parts))
    said, judged, _ = walk(chunk)
    assert (judged["verdict"] == ACCEPTED).all()
    full = said.rows["time_ns"] >= START_NS + MINUTE_NS
    assert (said.feature("rmssd_ms")[full] == 0).any()
    assert set(said.feature("rmssd_ms")[full]) <= {0.0}
    assert (said.feature("sdnn_ms")[full] > 40).all()


def test_law_5_beats_are_told_apart_by_identity() -> None:
    """Of seventy-five equal intervals one is refused: the others stay, and two pairs are gone."""
    beats = beats_at(np.full(300, 800.0), START_NS)
    beats["contact"][140] = 0
    said, judged, _ = walk(ended(Chunk(0, ("strap",), beats=beats), int(beats["time_ns"][-1])))
    assert np.flatnonzero(judged["verdict"] != ACCEPTED).tolist() == [140]
    holds = (said.rows["time_ns"] >= beats["time_ns"][140]) & (
        said.rows["time_ns"] < beats["time_ns"][140] + MINUTE_NS
    )
    full = said.rows["time_ns"] >= START_NS + MINUTE_NS
    assert (said.rows["beats"][holds] == 74).all()
    assert (said.rows["beats"][full & ~holds] == 75).all()
    assert (said.rows["coverage"][holds] <= 74 * 0.8 / 60).all()
    assert (said.rows["coverage"][holds] > 73 * 0.8 / 60).all()


# ---- 6: beat time is wall time


def test_law_6_doubled_beats_show() -> None:
    once = recording(REST)
    twice = join([once, Chunk(0, ("strap",), beats=beats_at(once.beats["rr_ms"], START_NS + 1))])
    readings = told(walk(twice)[0])
    full = readings.observations.rows["time_ns"] >= START_NS + MINUTE_NS
    assert (readings.observations.rows["coverage"][full] > 1.02).all()
    assert {REASONS[k] for k in readings.reason[full]} == {Reason.POOR_SIGNAL}
    plain = told(walk(once)[0])
    assert REASONS.index(Reason.POOR_SIGNAL) not in plain.reason


@pytest.mark.parametrize("lost", [0.2, 0.5, 0.8])
def test_law_6_lost_beats_show(lost: float) -> None:
    whole = recording(REST)
    kept = np.random.default_rng(4).random(len(whole.beats)) >= lost
    said, judged, _ = walk(replace(whole, beats=whole.beats[kept]))
    for row in said.take(said.rows["time_ns"] >= START_NS + MINUTE_NS).rows:
        inside = judged["time_ns"] > row["time_ns"] - MINUTE_NS
        inside &= (judged["time_ns"] <= row["time_ns"]) & (judged["verdict"] == ACCEPTED)
        told_ns = rr_ns(judged["rr_ms"][inside]).sum()
        assert row["coverage"] <= told_ns / MINUTE_NS <= row["coverage"] + 2 / 60
        assert row["coverage"] < 1 - lost + 0.2


# ---- 7: say so


@settings(max_examples=60)
@given(wearers())
def test_law_7_whatever_decides_nothing_names_why(chunk: Chunk) -> None:
    said, judged, _ = walk(chunk)
    for readings in (told(said), judge(said, None, RULES)):
        undecided = readings.decision == DECISIONS.index(Decision.UNDECIDED)
        np.testing.assert_array_equal(undecided, readings.reason != NO_REASON)
        assert (readings.reason[undecided] < len(REASONS)).all()
        assert not (readings.able & undecided).any()
        # a probability stands beside no reason that comes before the model
        early = readings.reason < REASONS.index(Reason.UNLIKE_TRAINING)
        assert np.isnan(readings.p_stress[early]).all()
    assert_all_judged(chunk.beats, judged)


def assert_all_judged(beats: Rows, judged: Rows) -> None:
    """No beat is dropped unsaid: each has a verdict, and refused ones a reason among those."""
    assert sorted(judged["time_ns"].tolist()) == sorted(beats["time_ns"].tolist())
    assert (judged["verdict"] < len(VERDICTS)).all()
    outside = (judged["rr_ms"] < 300) | (judged["rr_ms"] > 2000)
    assert not (judged["verdict"][outside] == ACCEPTED).any()


# ---- 8: their own normal


@settings(max_examples=60)
@given(wearers())
def test_law_8_the_normal_learns_from_quiet_hops_alone(chunk: Chunk) -> None:
    said = by_device(walk(chunk)[0])
    for place in range(len(said.devices)):
        seen = said.take(said.rows["device"] == place)
        rows = seen.rows
        quiet = ~rows["exertion"] & ~rows["asleep"]
        quiet &= (rows["coverage"] >= RULES.min_coverage) & (rows["coverage"] <= RULES.max_coverage)
        quiet &= ~(rows["activity_mg"] >= RULES.moving_mg)
        quiet &= rows["source"] != SOURCES.index("none")
        minute = -(-rows["time_ns"] // MINUTE_NS)
        learned = [int(quiet[minute < now].sum()) for now in minute]
        assert rows["normal_have"].tolist() == learned
        changed = np.flatnonzero(
            np.diff(rows["normal_hr_low_bpm"]) != 0  # NaN at first, and then once
        )
        known = np.isfinite(rows["normal_hr_low_bpm"][changed])
        assert (np.diff(rows["normal_have"])[changed[known]] > 0).all()


@pytest.mark.parametrize("work", [WALK, CYCLE, Stretch(5, 120, 8)])
def test_law_8_exertion_and_its_recovery_do_not_feed_it(work: Stretch) -> None:
    rest = REST if work.activity_mg is not None else Stretch(5, 62, 40)
    said = walk(recording(rest, work, rest._replace(bpm=74, minutes=2), seed=1))[0]
    rows = said.rows
    exertion = np.flatnonzero(rows["exertion"])
    assert len(exertion) > 60
    first, last = exertion[0], exertion[-1]
    assert rows["exertion"][first : last + 1].all()
    minutes = -(-rows["time_ns"] // MINUTE_NS)
    during = (minutes > minutes[first]) & (minutes <= minutes[last])
    assert during.sum() > 48
    for name in ("normal_have", "normal_hr_low_bpm", "normal_hr_high_bpm", "normal_rmssd_low_ms"):
        assert len(set(rows[name][during])) == 1, name
    assert 55 < rows["normal_hr_low_bpm"][last] < rows["normal_hr_high_bpm"][last] < 69


# ---- 10: one definition


@pytest.mark.parametrize("name", ["vectorised", "neurokit"])
def test_law_10_an_engine_takes_what_a_feature_needs_from_the_schema(name: str) -> None:
    (batch,) = windows_of(recording(Stretch(7, 62, 40)))
    rows = batch.beats["rr"]
    columns = (
        rows["rr_ms"].copy(),
        rows["time_ns"].copy(),
        np.array([0]),
        np.array([len(rows)]),
        np.array([rr_ns(rows["rr_ms"]).sum()]),
    )
    compute = engine(name).compute
    given = compute(FEATURES, *columns)
    assert np.isfinite(given).all()
    for limit in ("covered_s", "beats", "pairs"):
        beyond: dict[str, Any] = {limit: 10**6}
        stricter = [feature._replace(**beyond) for feature in FEATURES]
        assert np.isnan(compute(stricter, *columns)).all(), limit


def test_law_10_a_column_has_the_name_and_unit_of_the_schema() -> None:
    from diastole.edge.tables import READING_UNITS

    assert len(set(FEATURE_NAMES)) == len(FEATURES)
    for feature in FEATURES:
        assert READING_UNITS[feature.name] == feature.unit
        if feature.unit in ("ms", "bpm"):
            assert f"_{feature.unit}" in feature.name
