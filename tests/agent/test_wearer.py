"""One wearer: what is sent of them, cut and resumed anywhere, and never twice."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diastole.edge.agent.means import Means
from diastole.edge.agent.settings import Subject
from diastole.edge.agent.wearer import Wearer
from diastole.edge.chunks import Chunk, join
from diastole.edge.formats.finding import open_recording
from diastole.edge.pipeline.rules import Rules
from diastole.edge.records import (
    MINUTE_NS,
    SECOND_NS,
    Beat,
    Event,
    EventPhase,
    Mark,
    Reading,
    Reason,
)
from diastole.edge.replay.session import Options, replay_session
from diastole.edge.wire import decode, encode
from diastole.edge.wire.topics import Stream
from tests.agent.worn import (
    SURE,
    assert_alike,
    events,
    means,
    readings,
    records,
    shipped_model,
    stepped,
    wearer,
)
from tests.strategies import REST, START_NS, STRESS, cut, cuts, recording, shifted, wearers

LONG = recording(REST, STRESS._replace(minutes=8), REST)


@settings(max_examples=25)
@given(st.data(), wearers(most=3))
def test_law_1_cut_anywhere_and_resumed_the_same_is_sent(data: st.DataObject, chunk: Chunk) -> None:
    using = means(model=SURE)
    whole = stepped(wearer(using=using), [chunk])
    pieces, saved = [], None
    for part in cut(chunk, data.draw(cuts(chunk))):
        one = wearer(saved, using=using)
        pieces += one.step([part], part.until_ns)
        saved = one.packed()
    assert_alike(readings(whole), readings(pieces))
    assert [e.id for e in events(whole)] == [e.id for e in events(pieces)]


def test_readings_are_those_of_replay(shared: Path) -> None:
    path = shared / "hongn" / "stress" / "S06.zip"
    told = replay_session(path, "s06", Options())
    one = wearer(using=means(model=shipped_model()))
    came: list[Reading] = []
    for chunk in open_recording(path).chunks():
        items = stepped(one, cut(chunk, range(chunk.until_ns - 10**13, chunk.until_ns, 10**11)))
        came += readings(items)
    columns = told.columns
    assert [r.decision for r in came] == columns["decision"].tolist()
    assert [r.reason or "" for r in came] == columns["reason"].tolist()
    assert [r.able for r in came] == columns["able"].tolist()
    for name in ("rmssd_ms", "hr_mean_bpm", "hf_ms2", "rmssd_ms_300s"):
        here = np.array([r.features[name] for r in came], float)
        np.testing.assert_allclose(here, columns[name], rtol=1e-9, atol=1e-9)
    p = np.array([r.p_stress for r in came], float)
    np.testing.assert_allclose(p, columns["p_stress"], rtol=0, atol=1e-6)
    assert told.episodes is not None
    ids = {e.id for e in events([*stepped(one, []), *one.finish()])}
    assert len(ids) <= len(told.episodes["t_start_s"])


@settings(max_examples=20)
@given(wearers(most=3))
def test_all_that_is_sent_can_be_carried_by_the_wire(chunk: Chunk) -> None:
    subject = Subject(name="anna", beats=True)
    items = stepped(wearer(subject=subject, using=means(model=SURE)), [chunk])
    for item in items:
        line = encode(item.record)
        assert b"NaN" not in line
        assert b"Infinity" not in line
        assert encode(decode(line)) == line


def test_beats_are_sent_only_where_they_are_asked_for() -> None:
    assert records(stepped(wearer(), [LONG]), Beat) == []
    subject = Subject(name="anna", beats=True)
    sent = records(stepped(wearer(subject=subject), cut(LONG, [START_NS + MINUTE_NS])), Beat)
    assert len(sent) == len(LONG.beats)
    assert [beat.rr_ms for beat in sent if isinstance(beat, Beat)] == LONG.beats["rr_ms"].tolist()


def test_marks_pass_through() -> None:
    mark = Mark(device="-", time_ns=START_NS + 7, text="exam", by="wearer")
    (item,) = wearer().step([replace(LONG, until_ns=START_NS, marks=(mark,))], START_NS)
    assert item == ("anna", Stream.MARK, mark)


@pytest.mark.parametrize(
    ("using", "reason"),
    [(means(), Reason.NO_MODEL), (means(refusal="too old"), Reason.MODEL_REFUSED)],
)
def test_without_a_model_readings_are_sent_and_say_why(using: Means, reason: Reason) -> None:
    last = readings(stepped(wearer(using=using), [LONG]))[-1]
    assert (last.reason, last.p_stress, last.model) == (reason, None, None)
    assert last.features["rmssd_ms"] is not None


# ---- sources side by side


@settings(max_examples=15)
@given(wearers(most=3), st.integers(0, 3))
def test_two_sources_are_one_wearer(chunk: Chunk, lead: int) -> None:
    devices = chunk.devices
    whole = readings(stepped(wearer(), [chunk]))
    one = wearer()
    ways = []
    for place in range(len(devices)):
        own = {
            name: getattr(chunk, name)[getattr(chunk, name)["device"] == place]
            for name in ("beats", "heart_rates", "motions", "breaks")
        }
        times = range(START_NS - MINUTE_NS, chunk.until_ns, (place + 1) * 20 * SECOND_NS)
        ways.append(cut(replace(chunk, **own), times))
    sent = []
    until = [ways[place][0].until_ns for place in range(len(ways))]
    while any(ways):
        place = min(
            (p for p in range(len(ways)) if ways[p]),
            key=lambda p: ways[p][0].until_ns - p * lead * 30 * SECOND_NS,
        )
        piece = ways[place].pop(0)
        until[place] = piece.until_ns
        sent += readings(one.step([piece], min(until)))
    assert_alike(
        sorted(whole, key=lambda r: (r.time_ns, r.device)),
        sorted(sent, key=lambda r: (r.time_ns, r.device)),
    )


# ---- never twice


@pytest.mark.parametrize("resumed", [False, True])
def test_a_clock_that_runs_back_tells_no_window_twice(resumed: bool) -> None:
    one = wearer()
    first = readings(stepped(one, [LONG]))
    again = wearer(one.packed()) if resumed else one
    back = shifted(LONG, -5 * MINUTE_NS)
    pieces = cut(back, range(START_NS, back.until_ns, SECOND_NS))
    assert readings(stepped(again, pieces)) == []
    told = again.counts["clock_back"]
    assert told == pytest.approx(len(first), abs=14)
    assert again.counts["late"] == len(back.beats) + len(back.motions)
    forth = shifted(LONG, 25 * MINUTE_NS)
    assert min(r.time_ns for r in readings(stepped(again, [forth]))) > first[-1].time_ns
    assert wearer(again.packed()).counts["clock_back"] == told


def test_other_settings_begin_afresh_and_tell_no_window_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    one = wearer()
    head, tail = cut(LONG, [START_NS + 7 * MINUTE_NS])
    first = readings(stepped(one, [head]))
    again = wearer(one.packed(), using=means(rules=Rules(still_min=4.0)))
    assert "state=fresh" in caplog.text
    second = readings(stepped(again, [tail]))
    assert second[0].time_ns > first[-1].time_ns
    assert second[0].reason in (Reason.TOO_FEW_BEATS, Reason.CALIBRATING)


def test_damaged_state_begins_afresh(caplog: pytest.LogCaptureFixture) -> None:
    assert readings(stepped(wearer(b"\x00nonsense"), [LONG]))
    assert "damaged" in caplog.text


# ---- the end


def test_an_episode_that_runs_at_the_end_is_ended_once() -> None:
    one = wearer(using=means(model=SURE))
    until_ns = START_NS + 12 * MINUTE_NS
    items = stepped(one, [cut(LONG, [until_ns])[0]])
    assert events(items)[-1].phase is not EventPhase.END
    again = wearer(one.packed(), using=means(model=SURE))
    ended = events(again.finish())
    assert ended[-1].phase is EventPhase.END
    assert again.finish() == []
    assert wearer(again.packed(), using=means(model=SURE)).finish() == []


def test_what_a_simulated_source_says_is_called_so() -> None:
    one = Wearer(Subject(name="anna"), "UTC", means(model=SURE), None, simulated=True)
    items = [*stepped(one, [LONG]), *one.finish()]
    said = [item.record for item in items if isinstance(item.record, Reading | Event)]
    assert {type(record) for record in said} == {Reading, Event}
    assert all(msgspec.to_builtins(record)["simulated"] for record in said)


def test_what_is_passed_over_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    strange = replace(LONG, motions=LONG.motions.copy())
    strange.motions["activity_mg"][:3] = np.inf
    one = wearer()
    stepped(one, [join([strange])])
    assert one.counts["activity that is no number"] == 3
    assert "activity that is no number" in caplog.text
