"""Empatica E4: every spelling of its files, and the defects of real sessions."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from diastole.edge.chunks import BEAT_KINDS, HEART_RATE_KINDS, Chunk, join
from diastole.edge.errors import BadFile
from diastole.edge.formats import e4
from diastole.edge.formats.check import check_format, equal
from diastole.edge.formats.e4_raw import moment_ns
from diastole.edge.formats.finding import find
from diastole.edge.records import MINUTE_NS, SECOND_NS, BeatKind, HeartRateKind, SampleKind
from tests.formats import made


def read(path: Path) -> tuple[Chunk, dict[str, int]]:
    recording = e4.FORMAT.open(path)
    return join(list(recording.chunks())), dict(recording.notes)


def seconds(chunk: Chunk, column: str) -> list[float]:
    times = getattr(chunk, column)["time_ns"] - made.START_NS
    return [float(time) / 1e9 for time in times]


def test_an_export_becomes_samples_beats_and_heart_rates(tmp_path: Path) -> None:
    folder = made.e4(tmp_path / "S1", tags="1644226065\r\n1644226066.5\r\n")
    assert find(folder) is e4.FORMAT
    assert e4.FORMAT.open(folder).start_ns == made.START_NS
    chunk, notes = read(folder)
    assert notes == {}
    assert chunk.devices == ("e4",)
    ppg, acc = chunk.samples
    assert (ppg.kind, ppg.unit, ppg.rate_hz, ppg.values.shape) == (SampleKind.PPG, "1", 64, (1280,))
    assert (acc.kind, acc.unit, acc.rate_hz, acc.values.shape) == (
        SampleKind.ACC,
        "mg",
        32,
        (640, 3),
    )
    assert acc.values[0].tolist() == [31.25, -125.0, 1000.0]
    assert ppg.values[1] == round(np.sin(0.1) * 50, 2)
    assert seconds(chunk, "beats") == [1.5, 2.25, 4.0]
    assert chunk.beats["rr_ms"].tolist() == [812.5, 750.0, 796.875]
    assert set(chunk.beats["kind"]) == {BEAT_KINDS.index(BeatKind.PPI)}
    assert seconds(chunk, "heart_rates")[:2] == [10.0, 11.0]
    assert set(chunk.heart_rates["kind"]) == {HEART_RATE_KINDS.index(HeartRateKind.DEVICE)}
    assert [mark.time_ns - made.START_NS for mark in chunk.marks] == [4 * SECOND_NS, 5_500_000_000]
    assert chunk.until_ns == chunk.last_ns() + 1  # type: ignore[operator]


@pytest.mark.parametrize("top", ["", "S1/", "deep/er/"])
def test_a_zip_reads_as_its_folder(tmp_path: Path, top: str) -> None:
    folder = made.e4(tmp_path / "S1")
    path = made.zipped(folder, top)
    check_format(e4.FORMAT, path)
    assert equal(read(path)[0], read(folder)[0])


def test_line_ends_marks_and_blank_ends_change_nothing(tmp_path: Path) -> None:
    plain, _ = read(made.e4(tmp_path / "a"))
    crlf = made.e4(tmp_path / "b", end="\r\n")
    for file in crlf.iterdir():
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes() + b"\r\n\r\n")
    again, notes = read(crlf)
    assert equal(plain, again)
    assert notes == {}


@pytest.mark.parametrize(
    ("spelling", "time_ns"),
    [
        ("1644226061", made.START_NS),
        ("1644227574.00", 1_644_227_574 * SECOND_NS),
        ("1644227574.015625", 1_644_227_574_015_625_000),
        ("2013-02-24 12:23:49", 1_361_708_629 * SECOND_NS),
        ("2013-02-24T14:23:49+02:00", 1_361_708_629 * SECOND_NS),
        ("1959-10-05 21:01:14.828125", -323_146_725_171_875_000),
        ("-322887526", -322_887_526 * SECOND_NS),
        ("nan", None),
        ("1e300", None),
        ("0001-01-01 00:00:00", None),
        ("soon", None),
        ("", None),
    ],
)
def test_moments(spelling: str, time_ns: int | None) -> None:
    assert moment_ns(spelling) == time_ns


def test_dates_before_1970_are_read(tmp_path: Path) -> None:
    folder = made.e4(tmp_path / "old", start="1959-10-05 21:01:14.828125")
    check_format(e4.FORMAT, folder)
    assert e4.FORMAT.open(folder).start_ns == -323_146_725_171_875_000
    assert len(read(folder)[0].beats) == 3


@pytest.mark.parametrize(
    "head", ["1644220000.0, IBI", "1644220000.0,1644220000.0", "1959-10-05 21:01:14,1959", "5, IBI"]
)
def test_ibi_counts_from_the_first_pulse_sample_whatever_its_header_says(
    tmp_path: Path, head: str
) -> None:
    ibi = f"{head}\n1.5,0.8125\n2.25,0.75\n"
    chunk, notes = read(made.e4(tmp_path / "S1", IBI=ibi))
    assert seconds(chunk, "beats") == [1.5, 2.25]
    assert notes == {}


def test_a_second_header_within_ibi_is_survived(tmp_path: Path) -> None:
    ibi = f"{made.START}, IBI\n2,0.8\n3,0.9\n{made.START}, IBI\n1,0.7\n2,0.8\n3,0.7\n"
    chunk, notes = read(made.e4(tmp_path / "S1", IBI=ibi))
    assert seconds(chunk, "beats") == [1, 2, 3, 3]
    assert chunk.beats["rr_ms"].tolist() == [700, 800, 700, 900]
    assert notes == {
        "second header within IBI.csv": 1,
        "row earlier than the row before it, sorted": 1,
        "repeated beat, left out": 1,
        "beat at the same time as the one before it": 1,
    }


@pytest.mark.parametrize("ibi", ["", None, f"{made.START}, IBI\n"])
def test_without_intervals_the_rest_is_read(tmp_path: Path, ibi: str | None) -> None:
    folder = made.e4(tmp_path / "S1", IBI=ibi)
    check_format(e4.FORMAT, folder)
    chunk, notes = read(folder)
    assert (len(chunk.beats), len(chunk.samples)) == (0, 2)
    assert notes == ({"IBI.csv is empty": 1} if ibi == "" else {})


def test_heart_rate_starts_where_it_says_if_that_can_be_true(tmp_path: Path) -> None:
    late = made.e4(tmp_path / "a", HR="1644226091\n1.0\n70\n0\nnan\n")
    chunk, notes = read(late)
    assert seconds(chunk, "heart_rates") == [30, 31, 32]
    assert np.isnan(chunk.heart_rates["hr_bpm"]).tolist() == [False, True, True]
    assert notes == {"heart rate that is no number, zero or negative": 2}
    chunk, notes = read(made.e4(tmp_path / "b", HR="1644219000\n1.0\n70\n71\n"))
    assert seconds(chunk, "heart_rates") == [10, 11]
    assert list(notes.values()) == [1]


def test_stray_tags_are_counted_and_left_out(tmp_path: Path) -> None:
    tags = "1644183540\n1644226060\n1644226065\n1644226099\n"
    chunk, notes = read(made.e4(tmp_path / "S1", tags=tags))
    assert [mark.time_ns - made.START_NS for mark in chunk.marks] == [4 * SECOND_NS]
    assert notes == {"tag outside the recording, left out": 3}


def test_start_without_pulse_samples(tmp_path: Path) -> None:
    folder = made.e4(tmp_path / "a", BVP=None, ACC="1644226060,1644226060\n32,32,32\n1,2,3\n")
    assert e4.FORMAT.open(folder).start_ns == made.START_NS - SECOND_NS
    folder = made.e4(tmp_path / "b", BVP="", ACC=None)
    assert e4.FORMAT.open(folder).start_ns == made.START_NS
    assert read(folder)[1] == {"bvp.csv is empty": 1}


def test_odd_intervals_are_survived_and_counted(tmp_path: Path) -> None:
    ibi = f"{made.START}, IBI\n1,0\n2,-0.5\n3,nan\n4,3\nnan,0.8\n5,0.8\n"
    chunk, notes = read(made.e4(tmp_path / "S1", IBI=ibi))
    assert chunk.beats["rr_ms"].tolist() == [0, -500, 0, 3000, 800]
    assert notes == {
        "beat interval that is no number, zero or negative": 3,
        "beat interval over 2 s": 1,
        "row without a time, left out": 1,
    }


def test_raw_samples_come_in_step_a_stretch_at_once(tmp_path: Path) -> None:
    folder = made.e4(tmp_path / "S1", seconds=901)
    recording = e4.FORMAT.open(folder)
    chunks = list(recording.chunks())
    assert [(c.until_ns - made.START_NS) // MINUTE_NS for c in chunks] == [5, 10, 15, 15]
    assert [[len(run.values) for run in c.samples] for c in chunks] == [
        *[[19_200, 9_600]] * 3,
        [64, 32],
    ]
    first = join(chunks).samples[0]
    assert (first.index, len(first.values)) == (0, 901 * 64)


@pytest.mark.parametrize(
    ("files", "where", "line"),
    [
        ({"BVP": f"{made.START}\n64\n1\nabc\n2\n"}, "BVP.csv", 4),
        ({"BVP": f"{made.START}\n64\n1\n\n2\n"}, "BVP.csv", 4),
        ({"BVP": f"{made.START}\n64\n1\nnan\n2\n"}, "BVP.csv", 4),
        ({"BVP": "yesterday\n64\n1\n"}, "BVP.csv", 1),
        ({"BVP": f"{made.START}\nfast\n1\n"}, "BVP.csv", 2),
        ({"ACC": f"{made.START}\n32\n1,2,3\n1,2\n3,4,5,6\n"}, "ACC.csv", 4),
        ({"IBI": f"{made.START}, IBI\n1,0.8\n2,abc\n"}, "IBI.csv", 3),
        ({"IBI": f"{made.START}, IBI\n1,0.8\n2\n"}, "IBI.csv", 3),
        ({"HR": f"{made.START}\n1\n70\nx\n"}, "HR.csv", 4),
        ({"tags": "1644226065\nlunch\n"}, "tags.csv", 2),
    ],
)
def test_law_12_text_in_place_of_a_number_names_file_and_line(
    tmp_path: Path, files: dict[str, str | None], where: str, line: int
) -> None:
    folder = made.e4(tmp_path / "S1", files)
    with pytest.raises(BadFile) as error:
        read(folder)
    assert error.value.line == line
    assert f"{where}, line {line}: " in str(error.value)


def test_law_12_an_export_that_holds_nothing(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="are empty"):
        e4.FORMAT.open(made.e4(tmp_path / "a", BVP="", IBI="", HR=""))
    heads: dict[str, str | None] = {"BVP": f"{made.START}\n64\n", "ACC": None, "IBI": "", "HR": ""}
    with pytest.raises(BadFile, match="no samples and no beats"):
        read(made.e4(tmp_path / "b", heads))


def test_law_12_a_zip_of_two_sessions(tmp_path: Path) -> None:
    folder = made.e4(tmp_path / "S1")
    path = made.zipped(folder, "one/")
    with zipfile.ZipFile(path, "a") as archive:
        for file in folder.iterdir():
            archive.write(file, f"two/{file.name}")
    with pytest.raises(BadFile, match="holds 2 sessions"):
        e4.FORMAT.open(path)


class Session(NamedTuple):
    """A real session: its beats and what is odd about it."""

    name: str
    beats: int
    notes: dict[str, int]


REAL = [
    Session("formats/e4-folder/stress-predict_S10", 1140, {}),
    Session("formats/e4-folder/hongn_anaerobic_S16_a", 390, {}),
    Session("formats/e4-folder/hongn_aerobic_S11_b", 150, {}),
    Session("hongn/aerobic/f07.zip", 1140, {}),
    Session("hongn/aerobic/f04.zip", 1, {}),
    Session("hongn/anaerobic/S01.zip", 0, {"IBI.csv is empty": 1}),
    Session("hongn/stress/f07.zip", 60, {}),
    Session(
        "hongn/stress/S02.zip",
        1560,
        {
            "second header within IBI.csv": 1,
            "row earlier than the row before it, sorted": 40,
            "repeated beat, left out": 1499,
        },
    ),
    Session("stress-predict/S01.zip", 1260, {}),
    Session("stress-predict/S06.zip", 3128, {}),
    Session("stress-predict/S17.zip", 420, {"tag outside the recording, left out": 2}),
]


@pytest.mark.parametrize("session", REAL, ids=[session.name for session in REAL])
def test_real_sessions(shared: Path, session: Session) -> None:
    path = shared / session.name
    assert find(path) is e4.FORMAT
    chunk, notes = read(path)
    assert notes == session.notes
    assert len(chunk.beats) == session.beats
    assert [run.kind for run in chunk.samples] == [SampleKind.PPG, SampleKind.ACC]
    assert chunk.samples[0].start_ns == e4.FORMAT.open(path).start_ns


def test_contract_on_a_real_session(shared: Path) -> None:
    check_format(e4.FORMAT, shared / "formats/e4-folder/hongn_anaerobic_S16_a")
