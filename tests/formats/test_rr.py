"""Bare beat intervals: unit, clock, columns, and what is told apart from a waveform."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diastole.edge.chunks import Chunk, join
from diastole.edge.errors import BadFile
from diastole.edge.formats import rr_csv, rr_text
from diastole.edge.formats.check import check_format
from diastole.edge.formats.finding import find, open_recording
from diastole.edge.formats.intervals import ends_ns, like_heartbeats
from tests.formats.made import RR_MS, text

GOOD = {
    "rr-text/cumulative_time_and_rr.txt": 979,
    "rr-text/real_rri.txt": 772,
    "rr-text/rest_rri.txt": 910,
    "rr-text/rri_header.csv": 4,
    "rr-text/rri_multiple_columns_datetime.csv": 4,
    "rr-text/rri_semicolon.csv": 4,
    "rr-text/systole_rr.txt": 245,
    "rr-text/test_nn_intervals.txt": 1000,
    "elite-hrv/elite_rr_export.txt": 4201,
    "kubios/kubios_input_rr_seconds.txt": 713,
    "kubios/opensignals_nni_export.txt": 423,
    "welltory-ppg/subject_01_RR.txt": 100,
    "welltory-ppg/subject_02_RR.txt": 101,
}
REFUSED = {
    "elite-hrv/elite_summary.csv": "holds measures",
    "hrv4training/myMeasurements.csv": "holds measures",
    "ecg-csv/ecg_sample_data.csv": "looks like a waveform",
    "ecg-csv/ppg_sample_data_long.csv": "looks like a waveform",
    "ecg-csv/opensignals_ecg.txt": "looks like a waveform",
    "welltory-ppg/subject_01_PPG.csv": "names no beat intervals",
    "polar-hrm/exercise_rri.hrm": "no list of numbers",
}


def read(path: Path, format_name: str | None = None) -> tuple[Chunk, dict[str, int]]:
    recording = open_recording(path, format_name)
    chunk = join(list(recording.chunks()))
    assert (recording.clock, chunk.devices) == ("relative", ("rr",))
    return chunk, dict(recording.notes)


@pytest.mark.parametrize(("name", "count"), GOOD.items())
def test_samples_read(shared: Path, name: str, count: int) -> None:
    path = shared / "formats" / name
    check_format(find(path), path)
    chunk, _ = read(path)
    assert len(chunk.beats) == count
    assert 400 < np.median(chunk.beats["rr_ms"]) < 1300


@pytest.mark.parametrize(("name", "reason"), REFUSED.items())
def test_law_12_what_holds_no_beats_is_refused_with_the_reason(
    shared: Path, name: str, reason: str
) -> None:
    with pytest.raises(BadFile, match=reason):
        open_recording(shared / "formats" / name)


def test_law_12_text_in_place_of_a_number_names_its_line(shared: Path) -> None:
    with pytest.raises(BadFile, match=r"mistake.txt, line 3: 's' in place of a number: ") as error:
        open_recording(shared / "formats/rr-text/mistake.txt")
    assert error.value.line == 3


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("\n".join(map(str, RR_MS)), "rr-text"),
        (" ".join(map(str, RR_MS)), "rr-text"),
        (",".join(map(str, RR_MS)), "rr-text"),
        ("; ".join(map(str, RR_MS)) + "\r\n", "rr-text"),
        ("\ufeff" + "\r\n".join(map(str, RR_MS)), "rr-text"),
        ("# made\nintervals\n" + "\n".join(str(rr / 1000) for rr in RR_MS), "rr-text"),
        ("rr_ms\n" + "\n".join(map(str, RR_MS)), "rr-csv"),
        ("RR_s\n" + "\n".join(str(rr / 1000) for rr in RR_MS), "rr-csv"),
        ("n;RR-interval [ms];note\n" + "\n".join(f"1;{rr};a b" for rr in RR_MS), "rr-csv"),
        ("n;rr\n" + "\n".join(f"1;{rr / 1000}".replace(".", ",") for rr in RR_MS), "rr-csv"),
        ('"n","ibi"\n' + "\n".join(f'"a, b",{rr}' for rr in RR_MS) + "\n\n", "rr-csv"),
    ],
)
def test_spellings_give_the_same_beats(tmp_path: Path, content: str, name: str) -> None:
    path = text(tmp_path / "rr.txt", content)
    assert find(path).name == name
    chunk, notes = read(path)
    assert chunk.beats["rr_ms"].tolist() == list(RR_MS)
    assert chunk.beats["time_ns"].tolist() == (np.cumsum(RR_MS) * 1_000_000).tolist()
    assert notes == {}


def test_times_of_the_file_are_the_ends(tmp_path: Path) -> None:
    ends = np.cumsum(RR_MS) / 1000 + 100
    rows = list(zip(ends, RR_MS, strict=True))
    csv = text(tmp_path / "a.csv", "t_s,rr_ms\n" + "\n".join(f"{t},{rr}" for t, rr in rows))
    pairs = text(tmp_path / "b.txt", "\n".join(f"{t} {rr / 1000}" for t, rr in rows))
    in_ms = text(tmp_path / "c.csv", "time,rri\n" + "\n".join(f"{t * 1000},{rr}" for t, rr in rows))
    first = round((ends[0] - RR_MS[0] / 1000) * 1e9)
    for path, start_ns in ((csv, 0), (pairs, first), (in_ms, first)):
        assert open_recording(path).start_ns == pytest.approx(start_ns, abs=2)
        chunk, _ = read(path)
        assert chunk.beats["time_ns"] == pytest.approx(ends * 1e9, abs=2)
        assert chunk.beats["rr_ms"].tolist() == list(RR_MS)


def test_a_column_that_does_not_step_by_the_intervals_is_no_time(tmp_path: Path) -> None:
    rows = "\n".join(f"{k},{rr}" for k, rr in enumerate(RR_MS))
    for head in ("time,rr_ms\n", ""):
        chunk, _ = read(text(tmp_path / "rr.csv", head + rows))
        assert chunk.beats["rr_ms"].tolist() == list(RR_MS)
        assert chunk.beats["time_ns"][0] == RR_MS[0] * 1_000_000


def test_time_running_backwards_is_sorted_and_doubled_rows_stay(tmp_path: Path) -> None:
    rows = ["t_s,rr_ms", "1,800", "3,810", "2,790", "2,790", "nan,700", "4,805"]
    chunk, notes = read(text(tmp_path / "rr.csv", "\n".join(rows)))
    assert (chunk.beats["time_ns"] // 10**9).tolist() == [1, 2, 2, 3, 4]
    assert chunk.beats["rr_ms"].tolist() == [800, 790, 790, 810, 805]
    assert notes == {
        "row earlier than the row before it, sorted": 1,
        "row without a time, left out": 1,
        "beat at the same time as the one before it": 1,
    }


@pytest.mark.parametrize("head", ["rr_ms\n", ""])
def test_odd_intervals_are_survived_and_counted(tmp_path: Path, head: str) -> None:
    odd = [800, 810, 0, 790, -5, 805, "nan", 812, 3000, 790]
    path = text(tmp_path / "rr.txt", head + "\n".join(map(str, odd)))
    chunk, notes = read(path)
    assert chunk.beats["rr_ms"].tolist() == [800, 810, 0, 790, -5, 805, 0, 812, 3000, 790]
    assert notes == {
        "beat interval that is no number, zero or negative": 3,
        "beat interval over 2 s": 1,
    }


def test_law_5_intervals_beside_a_row_of_unknown_length_do_not_touch() -> None:
    for bad in (0.0, -5.0, float("nan"), float("inf")):
        ends = ends_ns(np.array([800.0, bad, 900.0]))
        assert ends[2] - 900_000_000 - ends[0] == 1_000_000_000


def test_three_beats_are_a_recording(tmp_path: Path) -> None:
    chunk, notes = read(text(tmp_path / "rr.txt", "800\n790\n805\n"))
    assert len(chunk.beats) == 3
    assert notes == {}


@pytest.mark.parametrize(
    ("content", "reason", "line"),
    [
        ("", "an empty file", None),
        ("rr_ms\n", "a header and no beats", None),
        ("t_s,rr_ms\n1,800\n2,abc\n", "'abc' in place of a number", 3),
        ("# made\n\nt_s,rr_ms\n1,800\n2,790\nx,790\n", "'x' in place of a number", 6),
        ("t_s,rr_ms\n1,800\n2\n", "1 fields where the header has 2", 3),
        ("hello world, this is a diary\n", "names no beat|no list|no beats", None),
        ("\n".join(map(str, range(60, 100))), "looks like a waveform", None),
    ],
)
def test_law_12_bad_text_is_one_sentence(
    tmp_path: Path, content: str, reason: str, line: int | None
) -> None:
    with pytest.raises(BadFile, match=reason) as error:
        open_recording(text(tmp_path / "rr.csv", content))
    assert error.value.line == line
    assert "\n" not in str(error.value)


def test_a_waveform_is_read_only_when_its_format_is_named(tmp_path: Path) -> None:
    wave = 900 + 300 * np.sin(np.arange(2000) / 20)
    path = text(tmp_path / "wave.txt", "\n".join(f"{value:.1f}" for value in wave))
    with pytest.raises(BadFile, match="looks like a waveform"):
        open_recording(path)
    chunk, _ = read(path, "rr-text")
    assert len(chunk.beats) == 2000


@given(st.integers(0, 2**32 - 1), st.floats(500, 1200), st.floats(0, 120))
def test_breathing_hearts_look_like_heartbeats(seed: int, mean: float, swing: float) -> None:
    rng = np.random.default_rng(seed)
    rr = mean + swing * np.sin(np.cumsum(np.full(300, mean / 1000)) * 1.5) + rng.normal(0, 8, 300)
    assert like_heartbeats(rr)
    assert not like_heartbeats(np.interp(np.arange(0, 299, 0.1), np.arange(300), rr))


def test_the_two_formats_tell_each_other_apart(tmp_path: Path) -> None:
    bare = text(tmp_path / "a.txt", "\n".join(map(str, RR_MS)))
    table = text(tmp_path / "b.csv", "rr_ms\n" + "\n".join(map(str, RR_MS)))
    assert not rr_csv.FORMAT.recognises(bare)
    assert not rr_text.FORMAT.recognises(tmp_path)
    assert find(table) is rr_csv.FORMAT
    assert find(bare) is rr_text.FORMAT
