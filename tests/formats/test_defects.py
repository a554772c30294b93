"""What exports get wrong: survived and counted, or refused with what is to be done."""

import gzip
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from diastole.edge.chunks import Chunk, join
from diastole.edge.errors import BadFile
from diastole.edge.formats import e4, mmash
from diastole.edge.formats.finding import open_recording, sessions
from tests.formats import made

Edit = Callable[[str], str]


def read(path: Path) -> tuple[Chunk, dict[str, int]]:
    recording = open_recording(path)
    chunk = join(list(recording.chunks()))
    return chunk, dict(recording.notes)


def edited(path: Path, edit: Edit) -> None:
    path.write_text(edit(path.read_text()))


def line(number: int, text: str) -> Edit:
    """Put a line in place of another."""

    def edit(content: str) -> str:
        lines = content.split("\n")
        lines[number - 1] = text
        return "\n".join(lines)

    return edit


@pytest.mark.parametrize("far_s", ["1e300", "-1e300", "1e9", "nan"])
def test_an_interval_without_a_possible_time_is_left_out(tmp_path: Path, far_s: str) -> None:
    folder = made.e4(tmp_path / "s", IBI=f"{made.START}, IBI\n1.5,0.8125\n{far_s},0.75\n")
    chunk, notes = read(folder)
    assert chunk.beats["rr_ms"].tolist() == [812.5]
    assert notes.keys() & {"row without a time, left out", "second header within IBI.csv"}


@pytest.mark.parametrize("end_s", ["-100", "500"])
def test_an_interval_outside_the_recording_is_named(tmp_path: Path, end_s: str) -> None:
    folder = made.e4(tmp_path / "s", IBI=f"{made.START}, IBI\n1.5,0.8125\n{end_s},0.75\n")
    assert read(folder)[1]["beat interval outside the time of the raw signals"] == 1


@pytest.mark.parametrize("content", ["", f"{made.START}\n", f"{made.START}\n64.0\n"])
def test_pulse_samples_that_are_not_there_are_named(tmp_path: Path, content: str) -> None:
    chunk, notes = read(made.e4(tmp_path / "s", BVP=content))
    assert [run.kind for run in chunk.samples] == ["acc"]
    (named,) = notes
    assert named.startswith("bvp.csv")


def test_an_empty_heart_rate_is_named(tmp_path: Path) -> None:
    assert read(made.e4(tmp_path / "s", HR=""))[1] == {"HR.csv is empty": 1}


@pytest.mark.parametrize("rate", ["", "0", "-64", "nan", "10000"])
def test_law_12_samples_without_a_rate(tmp_path: Path, rate: str) -> None:
    folder = made.e4(tmp_path / "s")
    edited(folder / "BVP.csv", line(2, rate))
    with pytest.raises(BadFile, match=r"BVP\.csv, line 2: .* is no sampling rate"):
        read(folder)


def test_a_start_that_is_off_is_named(tmp_path: Path) -> None:
    folder = made.e4(tmp_path / "s")
    start = str(int(made.START) + 86_400)
    edited(folder / "ACC.csv", line(1, f"{start},{start},{start}"))
    assert read(folder)[1] == {"start of acc.csv is over a minute off the recording's": 1}


def test_pulse_and_tags_are_an_export(tmp_path: Path) -> None:
    folder = made.e4(tmp_path / "s", ACC=None, IBI=None, HR=None, EDA=None)
    assert open_recording(folder).format == "e4"


def test_no_time_is_spelt_in_a_million_letters() -> None:
    from diastole.edge.formats.e4_raw import moment_ns

    assert moment_ns("0" * 1_000_000) is None
    assert moment_ns("0" * 10) == 0


def encrypted(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(mark)
        while at >= 0:
            content[at + place] |= 1
            at = content.find(mark, at + 4)
    path.write_bytes(content)


def damaged(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    path.write_bytes(path.read_bytes().replace(b"2,-8,64\n", b"2,-8,65\n", 1))


@pytest.mark.parametrize(
    ("damage", "what"),
    [(encrypted, "unzip it, and give the folder"), (damaged, "copy it again from its source")],
)
def test_law_12_a_zip_that_cannot_be_read(
    tmp_path: Path, damage: Callable[[Path], None], what: str
) -> None:
    path = made.zipped(made.e4(tmp_path / "s"))
    damage(path)
    with pytest.raises(BadFile, match=rf"s\.zip/\w+\.csv: .*{what}"):
        list(e4.FORMAT.open(path).chunks())


@pytest.mark.parametrize("name", ["RR.csv", "Actigraph.csv"])
def test_rows_that_stand_twice_in_a_day_are_one(tmp_path: Path, name: str) -> None:
    whole = read(made.mmash(tmp_path / "day"))
    header, *rows = (tmp_path / "day" / name).read_text().splitlines()
    twice = [row for row in rows for _ in range(2)]
    (tmp_path / "day" / name).write_text("\n".join([header, *twice]) + "\n")
    chunk, notes = read(tmp_path / "day")
    assert chunk.beats.tobytes() == whole[0].beats.tobytes()
    assert chunk.motions.tobytes() == whole[0].motions.tobytes()
    assert notes == whole[1] | {f"repeated row of {name.lower()}, left out": len(rows)}


@pytest.mark.parametrize("name", ["RR.csv", "Actigraph.csv"])
def test_a_second_header_within_a_day_is_survived(tmp_path: Path, name: str) -> None:
    whole = read(made.mmash(tmp_path / "day"))
    header, *rows = (tmp_path / "day" / name).read_text().splitlines()
    (tmp_path / "day" / name).write_text("\n".join([header, *rows[:50], header, *rows[50:]]))
    chunk, notes = read(tmp_path / "day")
    assert chunk.beats.tobytes() == whole[0].beats.tobytes()
    assert notes == whole[1] | {f"second header within {name.lower()}": 1}


def test_an_empty_actigraph_is_none(tmp_path: Path) -> None:
    folder = made.mmash(tmp_path / "day")
    (folder / "Actigraph.csv").write_text("")
    chunk, notes = read(folder)
    assert not len(chunk.motions)
    assert notes == {"no actigraph: motion is unknown": 1}


def test_counts_below_zero_are_left_out(tmp_path: Path) -> None:
    folder = made.mmash(tmp_path / "day")
    edited(folder / "Actigraph.csv", line(2, "0,0,-60.0,1,10:10:22"))
    recording = mmash.FORMAT.open(folder)
    list(recording.chunks())
    assert recording.notes["second of the actigraph without a number, left out"] == 1


def beat(number: int, rr_ms: float, device: str = "strap") -> str:
    return (
        f'{{"record":"beat","device":"{device}","time_ns":{number * 10**9},'
        f'"rr_ms":{rr_ms},"kind":"rr"}}'
    )


def written(path: Path, *lines: str) -> Path:
    return made.text(path, "\n".join(['{"diastole_session":1,"wire":1}', *lines]))


def test_odd_beats_of_a_session_are_kept_and_counted(tmp_path: Path) -> None:
    odd = [800, 0, -5, 3000, 810]
    lines = [beat(k, rr_ms) for k, rr_ms in enumerate(odd)]
    chunk, notes = read(written(tmp_path / "s.jsonl", *lines, beat(4, 810), beat(4, 810, "other")))
    assert chunk.beats["rr_ms"].tolist() == [*odd, 810, 810]
    assert notes == {
        "beat interval that is no number, zero or negative": 1,  # 0 is a beat after a gap
        "beat interval over 2 s": 1,
        "beat at the same time as the one before it": 1,
    }


def test_heart_rates_of_a_session_below_zero_are_counted(tmp_path: Path) -> None:
    rates = [
        f'{{"record":"heart_rate","device":"w","time_ns":{k},"hr_bpm":{hr},"kind":"device"}}'
        for k, hr in enumerate((70, 0, -3, "null"))
    ]
    notes = read(written(tmp_path / "s.jsonl", *rates))[1]
    assert notes == {"heart rate that is zero or negative": 2}


def test_law_12_a_session_of_more_devices_than_a_column_counts(tmp_path: Path) -> None:
    lines = [beat(k, 800, f"d{k}") for k in range(1001)]
    with pytest.raises(BadFile, match=r"s\.jsonl: names over 1000 devices"):
        read(written(tmp_path / "s.jsonl", *lines))


def wave(second: float, *, rate_hz: float = 10, device: str = "w") -> str:
    """Ten seconds of a raw signal, as a record."""
    return (
        f'{{"record":"samples","device":"{device}","time_ns":{round(second * 10**9)},'
        f'"kind":"ppg","unit":"1","rate_hz":{rate_hz},"values":{[0.5] * 100},"index":0}}'
    )


def test_a_rate_that_no_wave_has_is_no_record(tmp_path: Path) -> None:
    notes = read(written(tmp_path / "s.jsonl", beat(1, 800), wave(0, rate_hz=100_000)))[1]
    assert notes == {"line that is no record, passed over": 1}


@pytest.mark.parametrize(("second", "doubled"), [(0, 1), (5, 1), (9.5, 0), (10, 0), (20, 0)])
def test_raw_samples_that_came_twice_are_counted(
    tmp_path: Path, second: float, doubled: int
) -> None:
    lines = (wave(0), wave(second), wave(0, device="other"))
    notes = read(written(tmp_path / "s.jsonl", *lines))[1]
    assert notes.get("raw samples at the same time as others before them", 0) == doubled


INTERVALS = [800 + 20 * (k % 3) - 7 * (k % 5) for k in range(60)]


@pytest.mark.parametrize(("name", "header"), [("a.csv", "rr_ms"), ("a.txt", "beats of A")])
def test_a_second_header_within_intervals_is_survived(
    tmp_path: Path, name: str, header: str
) -> None:
    lines = [header, *INTERVALS[:30], header, *INTERVALS[30:]]
    path = made.text(tmp_path / name, "\n".join(map(str, lines)))
    format_name = "rr-csv" if name == "a.csv" else "rr-text"
    recording = open_recording(path, format_name)
    chunk = join(list(recording.chunks()))
    assert chunk.beats["rr_ms"].tolist() == INTERVALS
    assert recording.notes == {"second header within the file": 1}


@pytest.mark.parametrize(
    ("header", "scale", "what"),
    [("rr_ms", 0.001, "rr_ms are not in ms"), ("rr_s", 1, "rr_s are not in s")],
)
def test_law_12_intervals_in_another_unit_than_their_name_says(
    tmp_path: Path, header: str, scale: float, what: str
) -> None:
    lines = [header, *(f"{rr * scale}" for rr in INTERVALS)]
    with pytest.raises(BadFile, match=what):
        open_recording(made.text(tmp_path / "a.csv", "\n".join(lines)))


def test_law_12_times_in_another_unit_than_their_name_says(tmp_path: Path) -> None:
    end, lines = 0, []
    for rr in INTERVALS:
        end += rr
        lines.append(f"{end},{rr}")
    path = made.text(tmp_path / "a.csv", "\n".join(["t_s,rr_ms", *lines]))
    with pytest.raises(BadFile, match="t_s are not in s: call the column t_ms"):
        open_recording(path)
    chunk, _ = read(made.text(path, "\n".join(["t_ms,rr_ms", *lines])))
    assert chunk.beats["time_ns"][-1] == end * 1_000_000


def test_law_12_rows_without_any_time(tmp_path: Path) -> None:
    path = made.text(tmp_path / "a.csv", "t_s,rr_ms\nnan,800\n1e12,810\n")
    with pytest.raises(BadFile, match=r"a\.csv: no row has a time in seconds"):
        read(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("800\n810\n".encode("utf-16"), "text in UTF-16: save it as UTF-8"),
        (gzip.compress(b"800\n810\n"), "a gzip that is no session of ours: unzip it"),
        (b"\x1f\x8b\x08\x00", "a gzip that is no session of ours: unzip it"),
    ],
    ids=["utf-16", "gzip", "cut gzip"],
)
def test_law_12_a_file_in_a_wrapping_is_told_which(
    tmp_path: Path, content: bytes, what: str
) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(BadFile, match=what):
        open_recording(tmp_path / "a.txt")


def test_law_12_a_pipe_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    made.text(tmp_path / "a.txt", "\n".join(map(str, INTERVALS)))
    with pytest.raises(BadFile, match="neither a file nor a folder"):
        open_recording(tmp_path / "pipe.txt")
    found = sessions(tmp_path)
    assert [path.name for path in found.sessions] == ["a.txt"]
    assert ["pipe.txt" in str(error) for error in found.unknown] == [True]
