"""What exports get wrong: survived and counted, or refused with what is to be done."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from diastole.edge.chunks import Chunk, join
from diastole.edge.errors import BadFile
from diastole.edge.formats import e4, mmash
from diastole.edge.formats.finding import open_recording
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
