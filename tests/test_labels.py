"""A session is found by its path, and a window takes the label that holds 50 s of it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diastole.edge.errors import BadFile, InputError
from diastole.edge.labels import Segment, label_windows, read_labels

HEADER = "session,t_start_s,t_end_s,label,raw_label\n"
ROWS = HEADER + "stress/S01,100,200,stress,stroop\nstress/S01,0,100,rest,baseline\nS01,0,9,sleep,\n"


def taken(segments: list[Segment], t_s: list[float]) -> list[str]:
    ends = np.array(t_s)
    taken: list[str] = label_windows(segments, ends, np.full(len(ends), 60.0)).tolist()
    return taken


def written(folder: Path, text: str, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_window_takes_a_label_from_50_s_on() -> None:
    segments = [Segment(100, 200, "rest", "baseline")]
    assert taken(segments, [149.999, 150, 160, 200, 210, 210.001]) == ["", *["rest"] * 4, ""]


def test_stretches_of_one_label_count_together_and_overlaps_once() -> None:
    apart = [Segment(0, 26, "rest", "a"), Segment(30, 60, "rest", "b")]
    over = [Segment(0, 30, "rest", "a"), Segment(10, 45, "rest", "b")]
    assert taken(apart, [60]) == ["rest"]
    assert taken(over, [60]) == [""]


def test_where_labels_overlap_the_larger_part_wins_then_the_first() -> None:
    segments = [Segment(0, 55, "eating", ""), Segment(0, 60, "rest", "")]
    assert taken(segments, [60]) == ["rest"]
    assert taken([*segments, Segment(0, 60, "screen", "")], [60]) == ["rest"]


def test_no_segments_and_no_windows_give_no_labels() -> None:
    assert taken([], [60, 65]) == ["", ""]
    assert taken([Segment(0, 60, "rest", "")], []) == []


@given(
    edges=st.lists(st.integers(-500, 2000), min_size=2, max_size=8, unique=True).map(sorted),
    names=st.lists(st.sampled_from(["rest", "stress"]), min_size=8, max_size=8),
    start=st.integers(-600, 100),
)
def test_a_label_is_taken_exactly_where_50_whole_seconds_lie_in_it(
    edges: list[int], names: list[str], start: int
) -> None:
    segments = [
        Segment(low, high, name, "")
        for low, high, name in zip(edges[::2], edges[1::2], names, strict=False)
    ]
    ends = list(range(start, start + 2400, 35))
    for end, label in zip(ends, taken(segments, [float(end) for end in ends]), strict=True):
        seconds = [
            {s.label for s in segments if s.t_start_s <= t < s.t_end_s}
            for t in range(end - 60, end)
        ]
        holds = {name for name in names if sum(name in at for at in seconds) >= 50}
        assert {label} == (holds or {""})


def test_the_longest_end_of_the_path_is_the_session(tmp_path: Path) -> None:
    labels = read_labels(written(tmp_path, ROWS))
    assert labels.session_of(tmp_path / "hongn" / "stress" / "S01.zip") == "stress/S01"
    assert labels.session_of(tmp_path / "other" / "S01.jsonl.gz") == "S01"
    assert labels.session_of(tmp_path / "stress-S01.zip") is None
    assert labels.of(tmp_path / "stress" / "S02.zip") == ()


def test_segments_come_in_order_of_time(tmp_path: Path) -> None:
    segments = read_labels(written(tmp_path, ROWS)).of(tmp_path / "stress" / "S01.zip")
    assert [segment.raw_label for segment in segments] == ["baseline", "stroop"]
    assert read_labels(tmp_path / "labels.csv").of(Path("S01"))[0].raw_label == "sleep"


def test_a_folder_with_a_dot_is_a_session_by_its_whole_name(tmp_path: Path) -> None:
    (tmp_path / "S01.v2").mkdir()
    labels = read_labels(written(tmp_path, HEADER + "S01.v2,0,9,rest,\nS01,0,9,stress,\n"))
    assert labels.of(tmp_path / "S01.v2")[0].label == "rest"


def test_a_session_in_two_files_is_refused_only_when_asked_for(tmp_path: Path) -> None:
    written(tmp_path, ROWS, "a.csv")
    written(tmp_path, HEADER + "S01,0,5,rest,\n", "b.csv")
    labels = read_labels(tmp_path)
    assert len(labels.of(tmp_path / "stress" / "S01.zip")) == 2
    with pytest.raises(InputError, match=r"S01 is labelled in a\.csv and b\.csv: give --labels"):
        labels.of(tmp_path / "S01.zip")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("S01,zero,9,rest,", "line 3: t_start_s is 'zero': write it as seconds"),
        ("S01,0,nan,rest,", "line 3: t_end_s is 'nan'"),
        ("S01,0,,rest,", "line 3: t_end_s is ''"),
        ("S01,9,0,rest,", "line 3: rest ends before it begins"),
        ("S01,0,9,,", "line 3: a label without session or name"),
        ("S01", "line 3: a label without session or name"),
    ],
)
def test_a_malformed_row_is_refused_with_its_line(tmp_path: Path, row: str, told: str) -> None:
    path = written(tmp_path, f"{HEADER}S01,0,9,rest,\n{row}\n")
    with pytest.raises(BadFile, match=told):
        read_labels(path)


def test_what_is_no_label_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no such label file"):
        read_labels(tmp_path / "none.csv")
    with pytest.raises(BadFile, match="no label file in this folder"):
        read_labels(tmp_path)
    with pytest.raises(BadFile, match="line 1: labels without the column t_start_s"):
        read_labels(written(tmp_path, "session,start,end,label\n"))
    (tmp_path / "labels.csv").write_bytes(b"session\xff\xfe\n")
    with pytest.raises(BadFile, match="save it as UTF-8"):
        read_labels(tmp_path / "labels.csv")


def test_rows_without_times_and_further_columns_are_ignored(tmp_path: Path) -> None:
    text = "session,t_start_s,t_end_s,label,note\nS01,,,rest,reversed\nS01,0,9,rest,\n"
    assert read_labels(written(tmp_path, text)).of(Path("S01")) == (Segment(0, 9, "rest", "rest"),)


def test_every_session_at_hand_finds_its_own_labels(shared: Path) -> None:
    labels = read_labels(shared / "labels")
    for recording in sorted((shared / "hongn").rglob("*.zip")):
        own = f"{recording.parent.name}/{recording.stem}"
        assert labels.session_of(recording) == own
        assert labels.of(recording)
    for recording in sorted((shared / "stress-predict").glob("*.zip")):
        assert labels.session_of(recording) == recording.stem
