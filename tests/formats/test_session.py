"""Our own recordings: what was written comes back, whole or up to where it was cut."""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diastole.edge.chunks import Chunk, join
from diastole.edge.errors import BadFile, OutputError
from diastole.edge.formats.check import check_format, equal
from diastole.edge.formats.objects import chunk_of, records_of
from diastole.edge.formats.recorder import SessionWriter, write
from diastole.edge.formats.session import FORMAT, Header, read_header
from diastole.edge.records import (
    MINUTE_NS,
    SECOND_NS,
    Beat,
    BeatKind,
    Break,
    BreakReason,
    Mark,
    Record,
)
from tests.formats.strategies import in_order, sessions

HEADER = Header(subject="p-7", zone="Europe/Berlin", start_ns=5, simulated=True)


def beat(second: float, device: str = "strap") -> Beat:
    return Beat(device=device, time_ns=round(second * SECOND_NS), rr_ms=800.0, kind=BeatKind.RR)


def beats(seconds: range) -> Chunk:
    return chunk_of([beat(second) for second in seconds], seconds.stop * SECOND_NS)


def ended(second: float, device: str = "strap") -> Record:
    return Break(device=device, time_ns=round(second * SECOND_NS), reason=BreakReason.ENDED)


def read(path: Path) -> Chunk:
    return join(list(FORMAT.open(path).chunks()))


@settings(max_examples=60)
@given(sessions(), st.sampled_from([".jsonl", ".jsonl.gz"]))
def test_what_is_written_comes_back(chunks: list[Chunk], suffix: str) -> None:
    whole = join(chunks)
    last_ns = whole.last_ns()
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"s{suffix}"
        write(path, HEADER, chunks)
        recording = FORMAT.open(path)
        if last_ns is None:
            with pytest.raises(BadFile, match="no records"):
                list(recording.chunks())
            return
        back = list(recording.chunks())
        # odd values are named, and nothing is lost
        assert all(what.startswith(("beat", "heart rate", "raw")) for what in recording.notes)
        check_format(FORMAT, path)
    ends = [row for row in in_order(join(back)) if row not in in_order(whole)]
    assert [row for row in in_order(join(back)) if row not in ends] == in_order(whole)
    assert all(row[:2] == ("breaks", last_ns) for row in ends)
    assert len(ends) <= len(whole.devices)


def test_header_says_who_and_when(tmp_path: Path) -> None:
    write(tmp_path / "s.jsonl", HEADER, [beats(range(9))])
    recording = FORMAT.open(tmp_path / "s.jsonl")
    assert (recording.subject, recording.zone, recording.start_ns) == ("p-7", "Europe/Berlin", 5)
    assert (recording.clock, recording.simulated) == ("utc", True)
    assert read_header(tmp_path / "s.jsonl") == HEADER


@given(st.data())
def test_records_survive_columns(data: st.DataObject) -> None:
    for chunk in data.draw(sessions()):
        assert in_order(chunk_of(records_of(chunk), chunk.until_ns)) == in_order(chunk)


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_cut_off_anywhere_is_read_to_the_damage(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"s{suffix}"
    write(path, HEADER, [beats(range(300))])
    whole = path.read_bytes()
    for share in (0.5, 0.8, 0.99):
        cut = int(len(whole) * share)
        path.write_bytes(whole[: cut if suffix.endswith("gz") else whole.rindex(b"\n", 0, cut) - 7])
        recording = FORMAT.open(path)
        (chunk,) = recording.chunks()
        assert 100 * share < len(chunk.beats) < 300
        assert sum(recording.notes.values()) == 1
        times = chunk.beats["time_ns"]
        assert times.tolist() == [second * SECOND_NS for second in range(len(times))]
        check_format(FORMAT, path)


def test_damage_within_is_passed_over_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    write(path, HEADER, [beats(range(5))])
    lines = path.read_bytes().split(b"\n")
    lines[3] = lines[3][:-9]
    lines.insert(5, b'{"record":"status","device":"-","time_ns":0,"values":{}}')
    path.write_bytes(b"\n".join(lines))
    recording = FORMAT.open(path)
    assert sum(len(chunk.beats) for chunk in recording.chunks()) == 4
    assert recording.notes == {
        "line that is no record, passed over": 1,
        "record that no wearable hands in, passed over": 1,
    }


def test_a_session_is_read_while_it_grows_and_continued_after_a_cut(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    with SessionWriter(path, HEADER) as writer:
        writer.append(beats(range(3)))
        writer.flush()
        assert len(read(path).beats) == 3
    path.write_bytes(path.read_bytes()[:-5])
    with SessionWriter(path, HEADER) as writer:
        writer.append(beats(range(3, 6)))
    assert read(path).beats["time_ns"].tolist() == [k * SECOND_NS for k in (0, 1, 3, 4, 5)]
    with pytest.raises(OutputError, match="exists already"):
        SessionWriter(path, Header(subject="p-8"))
    with pytest.raises(OutputError, match="exists already"):
        write(path, HEADER, [])


def test_a_gzip_is_readable_after_a_flush(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl.gz"
    with SessionWriter(path, HEADER) as writer:
        writer.append(beats(range(3)))
        writer.flush()
        copy = tmp_path / "copy.jsonl.gz"
        copy.write_bytes(path.read_bytes())
    assert len(read(copy).beats) == 3
    assert gzip.decompress(path.read_bytes()).count(b"\n") == 4


def test_order_is_restored_within_15_minutes_and_later_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    minutes = [0, 20, 6, 40, 24, 60]
    made = [chunk_of([beat(minute * 60)], minute * MINUTE_NS) for minute in minutes]
    write(path, HEADER, made)
    recording = FORMAT.open(path)
    given_out = join(list(recording.chunks())).beats["time_ns"]
    assert (given_out // MINUTE_NS).tolist() == [0, 6, 20, 40, 60]
    assert recording.notes == {"record over 15 min late, left out": 1}


def test_each_device_ends_once(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    rows = [beat(1, "a"), ended(2, "a"), beat(1, "b"), beat(3, "c"), ended(3, "c")]
    rows.append(Mark(device="-", time_ns=4 * SECOND_NS, text="tea", by="me"))
    write(path, HEADER, [chunk_of(rows, 0)])
    chunk = read(path)
    ends = [(chunk.devices[row["device"]], row["time_ns"] // SECOND_NS) for row in chunk.breaks]
    assert ends == [("a", 2), ("c", 3), ("b", 4)]
    assert chunk.until_ns == 4 * SECOND_NS + 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"diastole_session": 2}, "version 2"),
        ({"wire": 9}, "wire 9"),
        ({"subject": "Ann Smith"}, "no pseudonym"),
        ({"zone": "Mars/Olympus"}, "time zone 'Mars/Olympus' is unknown"),
        ({"zone": "../../etc/passwd"}, "is unknown"),
        ({"clock": "sundial"}, "no header"),
        ({"start_ns": 10**19}, "is no time"),
    ],
)
def test_law_12_a_header_that_is_not_ours(
    tmp_path: Path, change: dict[str, object], sentence: str
) -> None:
    path = tmp_path / "s.jsonl"
    path.write_bytes(msgspec.json.encode({**msgspec.to_builtins(HEADER), **change}) + b"\n")
    assert FORMAT.recognises(path)
    with pytest.raises(BadFile, match=sentence) as error:
        FORMAT.open(path)
    assert error.value.line == 1


def test_equal_sessions_are_equal_files(tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        write(tmp_path / name, HEADER, [beats(range(9))])
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
    assert equal(read(tmp_path / "a.jsonl.gz"), read(tmp_path / "b.jsonl.gz"))
