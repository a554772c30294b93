"""A simulated session: the same for a seed, true to its story, and seen so by the pipeline."""

import gzip
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diastole.edge.chunks import BREAK_REASONS, COLUMNS, Chunk, join
from diastole.edge.cli import MISTAKE, OK, main
from diastole.edge.formats.session import FORMAT, read_header
from diastole.edge.labels import read_labels
from diastole.edge.pipeline.observations import GRADES
from diastole.edge.records import MINUTE_NS, SECOND_NS, BreakReason, Grade
from diastole.edge.replay.columns import session_name
from diastole.edge.sources.scenario import (
    Activity,
    Chapter,
    Device,
    DeviceKind,
    Fault,
    FaultKind,
    Scenario,
)
from diastole.edge.sources.simulate import heart, simulate, truth
from diastole.edge.tables import read_columns
from tests.conftest import ROOT
from tests.sources.stories import STRAP, WRIST, chapter, observed, resting, story

DAY = ROOT / "configs" / "demo" / "day.toml"


def whole(scenario: Scenario, seed: int = 0) -> Chunk:
    return join(list(simulate(scenario, seed)))


def simulated(tmp_path: Path, *words: str) -> int:
    return main(["simulate", str(DAY), "--out", str(tmp_path / "day.jsonl.gz"), *words])


# ---- one seed, one session


def test_a_seed_reproduces_every_byte_and_another_does_not(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("a", "b", "c")]
    for place, seed in zip(places, ("7", "7", "8"), strict=True):
        assert simulated(place, "--seed", seed) == OK
    one, again, other = ((place / "day.jsonl.gz").read_bytes() for place in places)
    assert one == again != other
    truths = {(place / "truth.csv").read_bytes() for place in places}
    assert len(truths) == 1


def test_another_device_beside_changes_nothing_about_the_first() -> None:
    chapters = (chapter(Activity.REST, 2), chapter(Activity.WALK, 2))
    alone = whole(story(*chapters))
    both = whole(story(*chapters, devices=(STRAP, WRIST)))
    assert both.devices == ("strap", "wrist")
    for name in COLUMNS:
        rows = getattr(both, name)
        assert rows[rows["device"] == 0].tobytes() == getattr(alone, name).tobytes()


chapters = st.builds(
    Chapter,
    activity=st.sampled_from(Activity),
    minutes=st.floats(0.5, 3),
    faults=st.lists(
        st.builds(Fault, kind=st.sampled_from(FaultKind), at_min=st.floats(0, 0.3)), max_size=2
    ),
)
devices = st.sampled_from([(STRAP,), (WRIST,), (WRIST, STRAP)])


@settings(max_examples=40)
@given(st.lists(chapters, min_size=1, max_size=4), devices, st.integers(0, 99))
def test_whatever_the_story_its_records_keep_the_contract(
    told: list[Chapter], worn: tuple[Device, ...], seed: int
) -> None:
    scenario = story(*told, devices=worn)
    pieces = list(simulate(scenario, seed))
    end_ns = round(scenario.edges_s[-1] * SECOND_NS)
    for before, after in pairwise(pieces):
        assert after.until_ns > before.until_ns
        assert after.until_ns - before.until_ns <= MINUTE_NS + 1
        for name in COLUMNS:
            assert (getattr(after, name)["time_ns"] >= before.until_ns).all()
    chunk = join(pieces)
    assert chunk.until_ns == end_ns + 1
    assert chunk.last_ns() == end_ns
    assert (chunk.breaks["reason"][-len(worn) :] == BREAK_REASONS.index(BreakReason.ENDED)).all()
    assert (chunk.beats["rr_ms"] > 0).all()
    assert (chunk.motions["activity_mg"] >= 0).all()
    assert (chunk.beats["time_ns"] > 0).all()
    strap = chunk.beats[chunk.beats["kind"] == 0]
    ticks = strap["rr_ms"] * 1024 / 1000
    assert np.array_equal(ticks, np.rint(ticks))


# ---- what is written


def test_the_session_says_that_it_is_simulated_and_holds_no_truth(tmp_path: Path) -> None:
    assert simulated(tmp_path) == OK
    path = tmp_path / "day.jsonl.gz"
    header = read_header(path)
    assert header.simulated
    assert header.subject == "simulated"
    text = gzip.decompress(path.read_bytes()).decode()
    assert '"mark"' not in text
    breaks = [FaultKind.OFF_WRIST, FaultKind.LINK_LOST]  # these a device tells
    assert [word for word in (*Activity, *FaultKind) if f'"{word}"' in text] == breaks


def test_the_truth_is_labels_of_the_session_without_holes(tmp_path: Path) -> None:
    assert simulated(tmp_path, "--truth", str(tmp_path / "so.csv")) == OK
    segments = read_labels(tmp_path / "so.csv").of(tmp_path / "day.jsonl.gz")
    assert segments[0].t_start_s == 0
    assert all(before.t_end_s == after.t_start_s for before, after in pairwise(segments))
    recording = FORMAT.open(tmp_path / "day.jsonl.gz")
    end_ns = max(chunk.last_ns() or 0 for chunk in recording.chunks())
    assert segments[-1].t_end_s == (end_ns - recording.start_ns) / SECOND_NS
    said = {segment.raw_label: segment.label for segment in segments}
    assert said["mental_stress"] == "stress"
    assert said["stairs"] == "exercise"
    assert said["desk+off_wrist"] == "screen"


def test_truth_names_what_is_wrong_only_while_it_is() -> None:
    fault = Fault(kind=FaultKind.DOUBLED, at_min=1, minutes=0.5)
    told = truth(story(chapter(Activity.REST, 2), chapter(Activity.MEAL, 3, fault)))
    assert [(s.t_start_s, s.t_end_s, s.label, s.raw_label) for s in told] == [
        (0, 120, "rest", "rest"),
        (120, 180, "eating", "meal"),
        (180, 210, "eating", "meal+doubled"),
        (210, 300, "eating", "meal"),
    ]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--seed", "-1"), "--seed is -1: give a whole number from 0 on"),
        (("--truth", "{}/day.jsonl.gz"), "name one file: give each its own"),
        (("--out", "{}/day.csv"), "is called .jsonl or .jsonl.gz: name it so after --out"),
        (("--truth", "{}/there.csv"), "exists already"),
    ],
)
def test_law_12_what_cannot_be_written_is_told_before_the_work(
    words: tuple[str, str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there.csv").write_text("mine")
    assert simulated(tmp_path, *(word.format(tmp_path) for word in words)) == MISTAKE
    assert sentence in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["there.csv"]
    assert (tmp_path / "there.csv").read_text() == "mine"


# ---- what the pipeline sees of it


def test_a_simulated_day_is_replayed_with_its_truth(tmp_path: Path) -> None:
    assert simulated(tmp_path) == OK
    path, table = tmp_path / "day.jsonl.gz", tmp_path / "day.csv"
    labels = str(tmp_path / "truth.csv")
    words = ["replay", str(path), "--labels", labels, "--model", "none", "--out", str(table)]
    assert main(words) == OK
    columns = read_columns(table)
    assert session_name(path) == "day"
    assert set(columns["simulated"]) == {True}
    assert set(columns["device"]) == {"sim-strap"}
    assert set(columns["label"]) == {"", "rest", "stress", "exercise", "eating", "screen"}
    exercise = columns["reason"][columns["label"] == "exercise"]
    assert set(exercise) == {"exertion"}
    assert (columns["reason"][columns["label"] == "stress"] == "no_model").all()
    level = {
        label: np.median(columns["hr_mean_bpm"][columns["label"] == label])
        for label in ("rest", "stress", "exercise")
    }
    assert level["rest"] + 10 < level["stress"] < level["exercise"] - 20


def test_law_6_doubled_beats_show_as_more_than_wall_time(tmp_path: Path) -> None:
    seen = observed(resting(FaultKind.DOUBLED, at_min=4, minutes=2), tmp_path)
    coverage = seen.observations.rows["coverage"]
    inside = (seen.t_s >= 305) & (seen.t_s <= 360)
    outside = (seen.t_s >= 65) & (seen.t_s <= 240)
    assert (coverage[inside] > 1.9).all()
    assert (coverage[outside] <= 1.02).all()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (FaultKind.OFF_WRIST, BreakReason.OFF_WRIST),
        (FaultKind.LINK_LOST, BreakReason.LINK_LOST),
    ],
)
def test_a_device_that_is_away_gives_nothing_and_comes_back(
    kind: FaultKind, reason: BreakReason, tmp_path: Path
) -> None:
    scenario = resting(kind, at_min=3, minutes=3)
    chunk = whole(scenario)
    for name in ("beats", "motions"):
        at_s = getattr(chunk, name)["time_ns"] / SECOND_NS
        assert not ((at_s > 180) & (at_s <= 360)).any()
        assert ((at_s > 360) & (at_s < 363)).any()
    assert chunk.breaks["time_ns"].tolist() == [180 * SECOND_NS, 600 * SECOND_NS]
    assert BREAK_REASONS[chunk.breaks["reason"][0]] is reason
    seen = observed(scenario, tmp_path)
    within = seen.observations.rows[(seen.t_s > 225) & (seen.t_s <= 360)]
    assert (within["coverage"] < 0.30).all()
    assert not ((seen.t_s > 245) & (seen.t_s <= 360)).any()
    assert (seen.observations.rows["coverage"][seen.t_s >= 425] > 0.95).all()


@pytest.mark.parametrize("activity", [Activity.STAIRS, Activity.WALK])
@pytest.mark.parametrize("device", [STRAP, WRIST], ids=lambda device: device.name)
def test_stairs_are_exertion_and_stress_is_not(
    activity: Activity, device: Device, tmp_path: Path
) -> None:
    told = (chapter(Activity.REST, 6), chapter(Activity.STRESS, 4), chapter(activity, 4))
    for seed in range(3):
        seen = observed(story(*told, devices=(device,)), tmp_path, seed)
        exertion = seen.observations.rows["exertion"]
        assert exertion[(seen.t_s > 660) & (seen.t_s <= 840)].all()
        assert not exertion[seen.t_s <= 600].any()


def test_who_sleeps_is_asleep_after_half_an_hour_and_who_rests_is_not(tmp_path: Path) -> None:
    told = (chapter(Activity.REST, 45), chapter(Activity.SLEEP, 60))
    for seed in range(2):
        seen = observed(story(*told), tmp_path, seed)
        asleep = seen.observations.rows["asleep"]
        assert not asleep[seen.t_s <= 45 * 60].any()
        assert asleep[seen.t_s >= (45 + 32) * 60].all()


@pytest.mark.parametrize("device", [STRAP, WRIST], ids=lambda device: device.name)
def test_law_5_ectopic_beats_are_refused_and_what_stands_around_is_not(
    device: Device, tmp_path: Path
) -> None:
    fault = Fault(kind=FaultKind.ECTOPIC, at_min=2, minutes=20, per_min=3)
    scenario = story(chapter(Activity.REST, 25, fault), devices=(device,))
    beats = heart(scenario, 0)
    seen = observed(scenario, tmp_path)
    late = 0.22 if device is WRIST else 0.0
    early_s = beats.times_s[beats.ectopic] + late
    off = np.abs(seen.beats["t_s"][:, None] - early_s[None, :]).min(1)
    of_ectopic = off < 0.1
    assert of_ectopic.sum() == beats.ectopic.sum() == 60
    assert not seen.beats["accepted"][of_ectopic].any()
    far = off > 3
    assert seen.beats["accepted"][far].mean() > 0.99
    ill = seen.observations.feature("rmssd_ms")[(seen.t_s > 180) & (seen.t_s <= 1320)]
    assert np.nanmax(ill) < 80


@pytest.mark.parametrize(("kind", "factor"), [(FaultKind.MISSED, 2.0), (FaultKind.EXTRA, 0.5)])
def test_law_5_missed_and_extra_beats_are_refused(
    kind: FaultKind, factor: float, tmp_path: Path
) -> None:
    seen = observed(resting(kind, at_min=2, minutes=6, per_min=3), tmp_path)
    usual = np.median(seen.beats["rr_ms"])
    rr_ms, accepted = seen.beats["rr_ms"], seen.beats["accepted"]
    off = rr_ms > 1.6 * usual if factor > 1 else rr_ms < 0.7 * usual
    assert off.sum() == 18 * (1 if factor > 1 else 2)
    assert not accepted[off].any()
    assert accepted[~off].mean() > 0.99


def test_a_device_without_contact_says_so(tmp_path: Path) -> None:
    seen = observed(resting(FaultKind.CONTACT_LOST, at_min=4, minutes=2), tmp_path)
    t_s = seen.beats["t_s"]
    inside = (t_s > 240) & (t_s < 360)
    assert set(seen.beats["reason"][inside]) == {"no_contact"}
    assert "no_contact" not in seen.beats["reason"][~inside]
    covered = seen.observations.rows["coverage"][(seen.t_s > 305) & (seen.t_s < 360)]
    assert (covered < 0.30).all()


def test_a_wristband_gives_pulse_intervals_with_their_error(tmp_path: Path) -> None:
    told = (chapter(Activity.REST, 6), chapter(Activity.STAIRS, 3))
    chunk = whole(story(*told, devices=(WRIST,)))
    at_s = chunk.beats["time_ns"] / SECOND_NS
    rest, stairs = at_s < 360, at_s > 365
    assert np.array_equal(chunk.beats["rr_ms"], np.rint(chunk.beats["rr_ms"]))
    assert np.median(chunk.beats["error_ms"][rest]) < 10
    assert (chunk.beats["moving"][stairs] == 1).mean() > 0.95
    assert (chunk.beats["moving"][rest] == 0).mean() > 0.95
    seen = observed(story(*told, devices=(WRIST,)), tmp_path)
    still = (seen.t_s > 60) & (seen.t_s <= 360)
    assert (seen.observations.rows["grade"][still] == GRADES.index(Grade.BEATS)).mean() > 0.95
    rmssd = np.nanmedian(seen.observations.feature("rmssd_ms")[still])
    assert 35 < rmssd < 60


def test_a_device_without_motion_gives_none() -> None:
    quiet = Device(name="strap", kind=DeviceKind.RR, motion=False)
    chunk = whole(story(chapter(Activity.WALK, 2), devices=(quiet,)))
    assert len(chunk.motions) == 0
    assert len(chunk.beats) > 100
