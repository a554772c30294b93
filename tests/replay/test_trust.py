"""What a researcher must be able to trust: whose session it is, what made it, nothing lost."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diastole.edge.chunks import HEART_RATE, SampleRun, rows_of
from diastole.edge.errors import ModelRefused
from diastole.edge.formats.recorder import write
from diastole.edge.formats.session import Header
from diastole.edge.pipeline.scoring import shipped
from diastole.edge.records import SECOND_NS, SampleKind
from diastole.edge.replay.session import Options, choose_model, read_subjects, replay_session
from diastole.edge.tables import read_columns, read_provenance
from tests.replay.recordings import CALM, replayed, rr_text, session
from tests.strategies import START_NS, recording


def test_a_subject_is_looked_up_by_the_longest_end_of_the_path(tmp_path: Path) -> None:
    listed = tmp_path / "who.csv"
    listed.write_text("session,subject\nS03,other-set\nstress/S03,this-set\n")
    options = Options(model="none", subjects=read_subjects(listed))
    for folder, subject in (("stress", "this-set"), ("elsewhere", "other-set")):
        rr_text(tmp_path / folder / "S03.txt")
        assert replay_session(tmp_path / folder / "S03.txt", "S03", options).subject == subject
    rr_text(tmp_path / "S04.txt")
    told = replay_session(tmp_path / "S04.txt", "S04", options)
    assert told.subject == "s04"
    assert any("nobody is listed" in note for note in told.notes)


def test_sessions_of_one_stem_keep_both_their_tables(tmp_path: Path) -> None:
    rr_text(tmp_path / "in/a.txt")
    session(tmp_path / "in/a.jsonl")
    assert replayed(tmp_path / "in", "--out", tmp_path / "out", "--force", "--jobs", "1") == 0
    names = read_columns(tmp_path / "out/summary.csv")["session"].tolist()
    assert names == ["a.jsonl", "a.txt"]
    for name in names:
        assert set(read_columns(tmp_path / f"out/{name}.parquet")["session"]) == {name}


def test_a_named_format_reads_what_no_sniffing_takes(tmp_path: Path) -> None:
    values = 1000 + 300 * np.sin(np.arange(600) / 20)
    (tmp_path / "in").mkdir()
    (tmp_path / "in/wave.txt").write_text("\n".join(f"{value:.0f}" for value in values))
    assert replayed(tmp_path / "in", "--out", tmp_path / "o1", "--jobs", "1") == 1
    assert replayed(tmp_path / "in", "--out", tmp_path / "o2", "--format", "rr-text") == 0
    assert read_columns(tmp_path / "o2/summary.csv")["worn_min"][0] > 5


def test_nothing_is_replaced_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rr_text(tmp_path / "in.csv")
    before = (tmp_path / "in.csv").read_bytes()
    assert replayed(tmp_path / "in.csv", "--out", tmp_path / "in.csv", "--force") == 2
    assert "is the recording itself" in capsys.readouterr().err
    assert (tmp_path / "in.csv").read_bytes() == before
    beside = tmp_path / "out.csv-metadata.json"
    beside.write_text("mine")
    assert replayed(tmp_path / "in.csv", "--out", tmp_path / "out.csv") == 2
    assert beside.read_text() == "mine"
    assert not (tmp_path / "out.csv").exists()


def test_our_own_tables_are_no_sessions(tmp_path: Path) -> None:
    rr_text(tmp_path / "in/a.txt")
    assert replayed(tmp_path / "in/a.txt", "--out", tmp_path / "in/a.csv", "--beats") == 0
    assert replayed(tmp_path / "in", "--out", tmp_path / "out", "--jobs", "1") == 0
    assert read_columns(tmp_path / "out/summary.csv")["session"].tolist() == ["a"]


def test_every_table_says_what_it_was_made_of(tmp_path: Path) -> None:
    """State taken up and labels change the numbers: their hashes stand in the provenance."""
    session(tmp_path / "in/a.jsonl", "p1")
    session(tmp_path / "in/b.jsonl", "p1", begin_min=30)
    labels = tmp_path / "labels.csv"
    labels.write_text("session,t_start_s,t_end_s,label\na,0,100,rest\n")
    words = ("--state", tmp_path / "state", "--labels", labels, "--jobs", "1")
    assert replayed(tmp_path / "in", "--out", tmp_path / "out", *words) == 0
    first, second = (read_provenance(tmp_path / f"out/{name}.parquet") for name in "ab")
    assert not first["state_sha256"]
    assert len(second["state_sha256"]) == len(first["labels_sha256"]) == 64
    whole = read_provenance(tmp_path / "out/summary.csv")
    for name in ("diastole", "engine", "rules", "verdict_rule", "feature_schema", "labels_sha256"):
        assert whole[name] == first[name]
    assert json.loads(whole["rules"])["min_coverage"] == 0.3


def test_a_model_that_changed_on_disk_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(shipped().read_bytes())
    assert choose_model(str(path)) is choose_model(str(path))
    path.write_bytes(b"not a model any more")
    with pytest.raises(ModelRefused):
        choose_model(str(path))


def test_law_7_what_cannot_be_used_is_counted_and_named(tmp_path: Path) -> None:
    chunk = recording(*CALM)
    slow, ecg = (
        SampleRun(0, kind, "1", rate, START_NS, 0, np.zeros(int(rate * 60)))
        for kind, rate in ((SampleKind.PPG, 10.0), (SampleKind.ECG, 130.0))
    )
    seconds = START_NS + SECOND_NS * np.arange(1, 61)
    rates = rows_of(HEART_RATE, 60, time_ns=seconds, hr_bpm=300.0, kind=1)
    whole = replace(chunk, samples=(slow, ecg), heart_rates=rates)
    write(tmp_path / "a.jsonl", Header(start_ns=START_NS), [whole])
    notes = " ".join(replay_session(tmp_path / "a.jsonl", "a", Options(model="none")).notes)
    assert "raw ECG, in which no beats are looked for yet (7800)" in notes
    assert "under 24 Hz, too slow for beats (600)" in notes
    assert "heart rate outside 25-250 bpm (60)" in notes


def test_records_before_the_stated_start_have_their_readings(tmp_path: Path) -> None:
    rows = "\n".join(f"{-120 + 0.8 * k:.1f},800" for k in range(1, 301))
    (tmp_path / "a.csv").write_text(f"t_s,rr_ms\n{rows}\n")
    told = replay_session(tmp_path / "a.csv", "a", Options(model="none"))
    assert told.columns["t_s"].min() == -115
