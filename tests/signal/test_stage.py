from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diastole.edge.chunks import BEAT_KINDS, HEART_RATE_KINDS, Chunk, Rows, join, rr_ns
from diastole.edge.records import SECOND_NS, BeatKind, HeartRateKind, SampleKind
from diastole.edge.signal import stage
from tests.signal.waves import (
    START_NS,
    beat_times_s,
    cut,
    cuts,
    early,
    invented,
    pulse_wave,
    real,
    recording,
    run_of,
    swinging,
    walk,
)

SOME = invented()
SLOW = invented(40, rate_hz=25.6, seed=2)


def assert_same(one: tuple[Rows, ...], other: tuple[Rows, ...]) -> None:
    for rows, others in zip(one, other, strict=True):
        assert rows.tobytes() == others.tobytes()


@settings(max_examples=30)
@given(data=st.data(), chunk=st.sampled_from([SOME, SLOW]))
def test_law_1_cut_anywhere(data: st.DataObject, chunk: Chunk) -> None:
    times_ns = data.draw(cuts(chunk))
    whole = walk([chunk])
    assert len(whole[0]) > 20
    assert len(whole[1]) > 20
    assert np.isfinite(whole[2]["hr_bpm"]).sum() > 10
    assert_same(walk(cut(chunk, times_ns)), whole)


@settings(max_examples=15)
@given(data=st.data())
def test_law_1_early_rows(data: st.DataObject) -> None:
    times_ns = data.draw(cuts(SOME))
    assert_same(walk(early(cut(SOME, times_ns))), walk([SOME]))


@pytest.mark.parametrize("session", ["stress-predict/S03", "hongn/aerobic/S01"])
def test_law_1_real_signals(shared: Path, session: str) -> None:
    chunk = real(shared / f"{session}.zip", 240)
    begin_ns = chunk.samples[0].start_ns
    whole = walk([chunk])
    assert len(whole[0]) > 200
    assert len(whole[1]) > 200
    assert np.isfinite(whole[2]["hr_bpm"]).sum() > 50
    for step_ns in (SECOND_NS, 7_654_321_987, 60 * SECOND_NS):
        assert_same(walk(cut(chunk, range(begin_ns, chunk.until_ns, step_ns))), whole)


def test_the_state_is_not_changed_by_a_step() -> None:
    first, second = cut(SOME, [START_NS + 20 * SECOND_NS])
    state, _ = stage.step(stage.State(), first)
    once, twice = (stage.step(state, second)[1] for _ in range(2))
    assert once.beats.tobytes() == twice.beats.tobytes()
    assert once.motions.tobytes() == twice.motions.tobytes()
    assert once.heart_rates.tobytes() == twice.heart_rates.tobytes()


@pytest.mark.parametrize("at_s", [15.3, 31.0, 44.44])
def test_law_2_the_future_changes_nothing_before_it(at_s: float) -> None:
    chunk = replace(SOME, breaks=SOME.breaks[1:])
    at_ns = START_NS + round(at_s * 1e9)
    before, _ = chunk.split(at_ns)
    ended = recording(*before.samples)
    for rows, others in zip(walk([ended]), walk([chunk]), strict=True):
        final = others[others["time_ns"] <= at_ns - 10 * SECOND_NS]
        assert len(final)
        assert rows[: len(final)].tobytes() == final.tobytes()


def test_beats_wait_ten_seconds_at_most() -> None:
    state, given = stage.State(), []
    for piece in cut(SOME, range(START_NS, SOME.until_ns, SECOND_NS)):
        state, after = stage.step(state, piece)
        if piece.until_ns < SOME.until_ns and piece.samples:
            assert piece.until_ns - after.until_ns <= 10 * SECOND_NS
        given.append(after)
    assert given[-1].until_ns == SOME.until_ns


def test_beats_touch_and_say_what_they_are() -> None:
    true_s = beat_times_s(60)
    beats, _, _ = walk([recording(run_of(pulse_wave(true_s, 60, 64), 64))])
    true_s = true_s[(true_s > 2) & (true_s < 58)]
    ends_s = (beats["time_ns"] - START_NS) / 1e9
    beats = beats[(ends_s > 2) & (ends_s < 58)]
    assert len(beats) == len(true_s)
    assert set(beats["kind"]) == {BEAT_KINDS.index(BeatKind.PPG)}
    assert (np.diff(beats["time_ns"]) == rr_ns(beats["rr_ms"])[1:]).all()
    assert beats["rr_ms"][1:] == pytest.approx(1000 * np.diff(true_s), abs=3)
    assert (beats["quality"] > 0.8).all()


def test_nothing_is_bridged_by_an_interval() -> None:
    true_s = beat_times_s(60)
    wave = pulse_wave(true_s, 60, 64)
    wave[64 * 20 : 64 * 40] = wave[64 * 20]
    beats, _, _ = walk([recording(run_of(wave, 64))])
    begins_ns = beats["time_ns"] - rr_ns(beats["rr_ms"])
    middle_ns = START_NS + 30 * SECOND_NS
    assert beats["rr_ms"].max() <= 3000
    assert not ((begins_ns < middle_ns) & (beats["time_ns"] > middle_ns)).any()


def test_law_5_a_break_or_another_run_has_no_interval_across_it() -> None:
    wave = pulse_wave(beat_times_s(60), 60, 64)
    at_ns = START_NS + 30 * SECOND_NS
    run = run_of(wave, 64)
    first, second = run.cut(at_ns)
    new = replace(second, start_ns=second.time_of(second.index), index=0)
    for chunk in (recording(run, breaks_ns=[at_ns]), recording(first, new)):
        beats, _, _ = walk([chunk])
        begins_ns = beats["time_ns"] - rr_ns(beats["rr_ms"])
        assert len(beats) > 60
        assert not ((begins_ns < at_ns) & (beats["time_ns"] >= at_ns)).any()


def test_a_run_that_stops_without_a_break_is_told_when_time_has_passed() -> None:
    chunk = recording(run_of(pulse_wave(beat_times_s(30), 30, 64), 64))
    open_ended = replace(chunk, breaks=chunk.breaks[:0])
    state, after = stage.step(stage.State(), open_ended)
    assert after.until_ns < open_ended.until_ns
    later = Chunk(open_ended.until_ns + 60 * SECOND_NS)
    state, rest = stage.step(state, later)
    assert rest.until_ns == later.until_ns
    assert not state.runs
    assert rest.devices == ("wrist",)
    assert join([after, rest]).beats.tobytes() == walk([chunk])[0].tobytes()
    assert join([after, rest]).heart_rates.tobytes() == walk([chunk])[2].tobytes()


def test_device_codes_may_differ_between_chunks() -> None:
    first, second = cut(SOME, [START_NS + 30 * SECOND_NS])
    moved = replace(
        second,
        devices=("strap", "wrist"),
        breaks=_device(second.breaks, 1),
        samples=tuple(replace(run, device=1) for run in second.samples),
    )
    state, before = stage.step(stage.State(), first)
    _, after = stage.step(state, moved)
    both = join([before, after])
    whole, _, _ = walk([SOME])
    assert both.beats["time_ns"].tobytes() == whole["time_ns"].tobytes()
    assert {both.devices[code] for code in both.beats["device"]} == {"wrist"}


def _device(rows: Rows, code: int) -> Rows:
    rows = rows.copy()
    rows["device"] = code
    return rows


def test_what_was_there_stays_in_its_place() -> None:
    own, motions, rates = walk([SOME])
    _, after = stage.step(stage.State(), replace(SOME, beats=own, motions=motions))
    assert len(after.beats) == 2 * len(own)
    assert len(after.motions) == 2 * len(motions)
    assert len(after.heart_rates) == len(rates)
    assert after.samples == SOME.samples
    assert after.breaks is SOME.breaks


def test_other_signals_pass_and_hold_nothing_back() -> None:
    run = replace(run_of(pulse_wave(beat_times_s(30), 30, 64), 64), kind=SampleKind.ECG)
    chunk = replace(recording(run), breaks=SOME.breaks[:0])
    state, after = stage.step(stage.State(), chunk)
    assert after.until_ns == chunk.until_ns
    assert not len(after.beats)
    assert not state.runs


@pytest.mark.parametrize("n", [1, 5, 40, 200, 640])
def test_short_runs(n: int) -> None:
    ppg = run_of(pulse_wave(beat_times_s(20), 20, 64)[:n], 64)
    acc = run_of(swinging(20, 32, 80)[:n], 32, SampleKind.ACC)
    beats, motions, _ = walk([recording(ppg, acc)])
    assert len(beats) <= n / 64 / 0.3
    assert abs(len(motions) - n / 32) <= 1


def test_real_signals_have_the_beats_that_the_device_saw(shared: Path) -> None:
    chunk = real(shared / "hongn/stress/S05.zip", 600)
    beats, motions, _ = walk([chunk])
    good = beats[beats["quality"] >= 0.4]
    assert 0.7 < good["rr_ms"].sum() / 600e3 <= 1.0
    assert 50 < 60_000 / np.median(good["rr_ms"]) < 120
    assert np.isfinite(motions["cadence_per_min"]).mean() < 0.01


def test_a_second_of_pulse_has_a_row_of_our_track() -> None:
    _, _, rates = walk([recording(run_of(pulse_wave(beat_times_s(60), 60, 64), 64))])
    assert set(rates["kind"]) == {HEART_RATE_KINDS.index(HeartRateKind.SPECTRAL)}
    assert (np.diff(rates["time_ns"]) == SECOND_NS).all()
    assert (rates["time_ns"] % SECOND_NS == 0).all()
    assert len(rates) == 60
    assert np.nanmedian(rates["hr_bpm"]) == pytest.approx(75, abs=2)


def test_law_5_a_track_does_not_go_on_over_a_break() -> None:
    wave = pulse_wave(beat_times_s(60), 60, 64)
    at_ns = START_NS + 30 * SECOND_NS
    told = []
    for other in (wave, wave[::-1]):
        first, _ = run_of(other, 64).cut(at_ns)
        _, second = run_of(wave, 64).cut(at_ns)
        joined = run_of(np.concatenate([first.values, second.values]), 64)
        _, _, rates = walk([recording(joined, breaks_ns=[at_ns])])
        told.append(rates[rates["time_ns"] >= at_ns])
    assert np.isfinite(told[0]["hr_bpm"]).any()
    assert told[0].tobytes() == told[1].tobytes()


def test_acceleration_of_another_device_explains_nothing() -> None:
    ppg = run_of(pulse_wave(beat_times_s(60), 60, 64), 64)
    acc = run_of(swinging(60, 32, 100), 32, SampleKind.ACC)
    alone = walk([recording(ppg)])[2]
    own_chunk = recording(ppg, acc)
    runs = (ppg, replace(acc, device=1))
    strap = replace(own_chunk, devices=("wrist", "strap"), samples=runs)
    own = walk([own_chunk])[2]
    assert walk([strap])[2].tobytes() == alone.tobytes()
    assert own.tobytes() != alone.tobytes()
