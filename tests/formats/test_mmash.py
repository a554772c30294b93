"""MMASH days: where its beats lie between whole seconds, and counts as movement."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diastole.edge.chunks import Chunk, join
from diastole.edge.errors import BadFile
from diastole.edge.formats import mmash
from diastole.edge.formats.check import check_format
from diastole.edge.formats.finding import find
from diastole.edge.records import SECOND_NS
from tests.formats import made

TURNED = "row of a day before the first, taken as the second"
MAPPED = "activity mapped from counts, not measured in mg"


def read(path: Path) -> tuple[Chunk, dict[str, int]]:
    recording = mmash.FORMAT.open(path)
    return join(list(recording.chunks())), dict(recording.notes)


def touching(chunk: Chunk) -> float:
    """Share of intervals that begin where the one before ended."""
    gap_ms = np.diff(chunk.beats["time_ns"]) / 1e6 - chunk.beats["rr_ms"][1:]
    return float((np.abs(gap_ms) <= 10).mean())


@pytest.mark.parametrize("top", ["", "user_1/"])
def test_a_day_reads_from_folder_and_zip(tmp_path: Path, top: str) -> None:
    folder = made.mmash(tmp_path / "day")
    for path in (folder, made.zipped(folder, top)):
        assert find(path) is mmash.FORMAT
        check_format(mmash.FORMAT, path)
        recording = mmash.FORMAT.open(path)
        assert (recording.clock, recording.start_ns) == ("relative", 36_618 * SECOND_NS)
    chunk, notes = read(folder)
    assert chunk.devices == ("h7", "actigraph")
    assert notes == {MAPPED: 1}
    assert touching(chunk) == 1
    assert len(chunk.motions) == 180
    assert chunk.motions["time_ns"][0] == 36_623 * SECOND_NS
    assert set(chunk.motions["activity_mg"]) == {55.0}
    cadence = chunk.motions["cadence_per_min"]
    assert np.isnan(cadence[:29]).all()
    assert cadence[29:].min() >= 29
    assert cadence[100] == 30


@given(
    st.lists(st.integers(300, 1900), min_size=1, max_size=60),
    st.integers(0, 999),
    st.lists(st.integers(0, 8), max_size=3),
)
def test_ends_agree_with_every_stamp(rr_ms: list[int], phase_ms: int, holes: list[int]) -> None:
    rr = np.array(rr_ms, float)
    pauses = np.zeros(len(rr))
    for k, hole in enumerate(holes):
        pauses[k * 17 % len(rr)] += hole * 1000
    true = 40_000_000 + phase_ms + np.cumsum(rr + pauses)
    stamps = (true // 1000).astype(np.int64)
    ends = mmash.run_ends_ns(stamps, rr)
    assert (np.abs(ends / 1e6 - true) <= 1000).all()
    if not pauses.any():
        assert (ends // SECOND_NS == stamps).all()
        assert (np.diff(ends) == np.rint(rr[1:] * 1e6)).all()


def test_law_5_a_row_without_a_length_parts_its_neighbours() -> None:
    rr = np.array([800.0, 800.0, np.nan, 800.0, 800.0])
    ends = mmash.run_ends_ns(np.array([10, 11, 12, 13, 14]), rr)
    starts = ends - 800_000_000
    assert starts[1] == ends[0]
    assert starts[4] == ends[3]
    assert abs(starts[3] - ends[1]) > 10_000_000


def test_counts_become_mg_by_the_map_and_go_on() -> None:
    counts = np.array([0, 1, 2, 16, 30, 45, 60, 90, 120.0])
    expected = [0, 4, 8, 21.5, 35, 45, 55, 75, 95]
    assert mmash.activity_mg(counts) == pytest.approx(expected)


def test_cadence_is_of_the_seconds_that_are_there() -> None:
    stamps = np.concatenate([np.arange(40), np.arange(100, 160)])
    cadence = mmash.cadence_per_min(stamps, np.full(100, 2.0))
    assert np.isnan(cadence[[28, 40, 68]]).all()
    assert (cadence[[29, 39, 69, 99]] == 120).all()


def test_a_day_of_a_turned_month_is_the_second(tmp_path: Path) -> None:
    folder = made.mmash(tmp_path / "day", day="-29")
    chunk, notes = read(folder)
    assert mmash.FORMAT.open(folder).start_ns == (86_400 + 36_618) * SECOND_NS
    assert notes[TURNED] == len(chunk.beats) + len(chunk.motions)


def test_without_an_actigraph_motion_is_unknown(tmp_path: Path) -> None:
    folder = made.mmash(tmp_path / "day", actigraph=False)
    check_format(mmash.FORMAT, folder)
    chunk, notes = read(folder)
    assert chunk.devices == ("h7",)
    assert notes == {"no actigraph: motion is unknown": 1}


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("9,abc,1,10:10:20", "'abc' in place of a number"),
        ("9,0.8,1,10h20", "'10h20' in place of a time"),
        ("9,0.8,999,10:10:20", "'999' in place of a day"),
        ("9,0.8,1", "3 fields where the header has 4"),
    ],
)
def test_law_12_a_bad_row_names_its_line(tmp_path: Path, row: str, what: str) -> None:
    folder = made.mmash(tmp_path / "day")
    with (folder / "RR.csv").open("a") as stream:
        stream.write(row + "\n")
    with pytest.raises(BadFile, match=what) as error:
        read(folder)
    assert error.value.line == 227


@pytest.mark.parametrize("user", ["01", "04", "08", "09", "15"])
def test_real_days(shared: Path, user: str) -> None:
    path = shared / f"mmash/mmash-{user}.zip"
    assert find(path) is mmash.FORMAT
    chunk, notes = read(path)
    assert (TURNED in notes) == (user in {"08", "09"})
    assert MAPPED in notes
    hours = (chunk.until_ns - mmash.FORMAT.open(path).start_ns) / 3.6e12
    assert 23 < hours < 25.7
    assert touching(chunk) > 0.95
    assert 60_000 < len(chunk.beats) < 103_000
    assert np.isfinite(chunk.motions["cadence_per_min"]).mean() > 0.97


def test_contract_on_a_real_day(shared: Path) -> None:
    check_format(mmash.FORMAT, shared / "mmash/mmash-08.zip")
