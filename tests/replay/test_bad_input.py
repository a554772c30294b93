"""Law 12 at the command: places and names that no one thought of, a full disk, an interruption."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from diastole.edge.replay import folder as folders
from diastole.edge.tables import read_columns, read_provenance
from tests.replay.recordings import replayed, rr_text, session
from tests.replay.test_mistakes import contents

Prepare = Callable[[Path], None]


def nothing(_: Path) -> None:
    pass


def a_file(here: Path) -> None:
    (here / "st").write_text("mine")


def a_loop(here: Path) -> None:
    (here / "st").symlink_to(here / "st")


def a_folder_for_the_file(here: Path) -> None:
    (here / "st/p1.state").mkdir(parents=True)


def a_table(here: Path) -> None:
    (here / "t.csv").write_text("mine")


def people(here: Path) -> None:
    (here / "people.csv").write_text("session,subject\ns,p1\ns,p2\n")


def no_text(here: Path) -> None:
    (here / "people.csv").write_bytes("session,subject\ns,p1\n".encode("utf-16"))


def label_of_forever(here: Path) -> None:
    (here / "l.csv").write_text("session,t_start_s,t_end_s,label\ns,0,1e300,rest\n")


LONG = "a" * 300
MISTAKES: list[tuple[Prepare, list[str], str]] = [
    (a_file, ["s.jsonl", "--state", "st"], "st: cannot be written"),
    (a_file, ["s.jsonl", "--state", "st/deep"], "st/deep: cannot be written"),
    (a_loop, ["s.jsonl", "--state", "st"], "st: cannot be written"),
    (a_folder_for_the_file, ["s.jsonl", "--state", "st"], "st/p1.state: cannot be read"),
    (nothing, ["s.jsonl", "--state", "st", "--subject", LONG], ".state: cannot be read"),
    (nothing, [f"{LONG}.txt"], ".txt: cannot be read"),
    (nothing, ["s.jsonl", "--out", f"{LONG}.csv"], ".csv: cannot be written"),
    (a_table, ["nowhere.txt", "--out", "t.csv", "--force"], "nowhere.txt: no such file"),
    (nothing, ["s\n.jsonl"], "s\N{REPLACEMENT CHARACTER}.jsonl: no such file"),
    (people, ["s.jsonl", "--subjects", "people.csv"], "people.csv, line 3: s is p1 above"),
    (nothing, ["s.jsonl", "--subjects", "nowhere.csv"], "nowhere.csv: no such file"),
    (no_text, ["s.jsonl", "--subjects", "people.csv"], "people.csv: is no text in UTF-8"),
    (nothing, ["s.jsonl", "--out", "", "--beats"], "end the name in .parquet"),
    (label_of_forever, ["s.jsonl", "--labels", "l.csv"], "l.csv, line 2: t_end_s is '1e300'"),
]


@pytest.mark.parametrize(("prepare", "words", "what"), MISTAKES)
def test_law_12_a_mistake_is_one_sentence_and_leaves_nothing(
    prepare: Prepare,
    words: list[str],
    what: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    session(tmp_path / "s.jsonl", "p1")
    prepare(tmp_path)
    before = contents(tmp_path)
    if "--out" not in words:
        words = [*words, "--out", "out.csv"]
    assert replayed(*words) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert what in err
    assert contents(tmp_path) == before


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_name_in_another_encoding_is_replayed(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / os.fsdecode(b"M\xfcller.txt")
    rr_text(source)
    table = tmp_path / f"t.{suffix}"
    assert replayed(source, "--out", table) == 0
    assert set(read_columns(table)["session"]) == {"M\N{REPLACEMENT CHARACTER}ller"}
    assert read_provenance(table)["input"] == "M\N{REPLACEMENT CHARACTER}ller.txt"


@pytest.mark.parametrize("out", ["file/out", "loop"])
def test_law_12_a_folder_that_cannot_be_made_is_told_before_the_work(
    tmp_path: Path, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rr_text(tmp_path / "in/a.txt")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert replayed(tmp_path / "in", "--out", tmp_path / out) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert f"{out}: cannot be written" in err


@pytest.mark.parametrize("jobs", ["0", "-1", "x", "1.5"])
def test_a_number_of_jobs_is_one_or_more(jobs: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        replayed("in", "--out", "out", "--jobs", jobs)
    assert ended.value.code == 2
    assert f"{jobs!r} is no whole number from 1 on" in capsys.readouterr().err


def test_law_12_a_summary_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    rr_text(tmp_path / "in/a.txt")
    (tmp_path / "out/summary.csv").mkdir(parents=True)
    assert replayed(tmp_path / "in", "--out", tmp_path / "out", "--force") == 2
    assert [path.name for path in tmp_path.rglob("*.parquet")] == []


def test_law_12_tables_never_go_among_the_recordings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rr_text(tmp_path / "a.csv")
    before = contents(tmp_path)
    assert replayed(tmp_path, "--out", tmp_path, "--force") == 2
    assert "holds the recordings" in capsys.readouterr().err
    assert contents(tmp_path) == before


def test_each_failed_file_of_a_folder_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "in"
    rr_text(given / "a.txt")
    (given / "b\nb.txt").write_text("no beats\n")
    (given / os.fsdecode(b"\xff.txt")).write_text("no beats\n")
    os.mkfifo(given / "pipe.txt")
    assert replayed(given, "--out", tmp_path / "out", "--jobs", "1") == 0
    err = capsys.readouterr().err
    assert err.count("\n") == 3
    assert "pipe.txt: is neither a file nor a folder" in err
    rows = read_columns(tmp_path / "out/summary.csv")
    assert sum(error != "" for error in rows["error"]) == 3


class Broken:
    """Processes that all die."""

    def __init__(self, *_: object) -> None:
        pass

    def submit(self, *_: object) -> "Future[Any]":
        future: Future[Any] = Future()
        future.set_exception(BrokenProcessPool())
        return future

    def shutdown(self, **_: object) -> None:
        pass


def test_a_process_that_dies_costs_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rr_text(tmp_path / "in/a.txt")
    monkeypatch.setattr(folders, "ProcessPoolExecutor", Broken)
    assert replayed(tmp_path / "in", "--out", tmp_path / "out") == 1
    assert "a.txt: a process was ended" in capsys.readouterr().err


HEARING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have ignored it
from diastole.edge.cli import main
sys.exit(main())
"""


def test_law_12_an_interrupted_folder_leaves_nothing_half_written(tmp_path: Path) -> None:
    given, out = tmp_path / "in", tmp_path / "out"
    for k in range(60):  # enough that none is done before it hears
        rr_text(given / f"{k}.txt", seed=k)
    words = ["replay", str(given), "--out", str(out), "--model", "none", "--jobs", "2"]
    with subprocess.Popen(
        [sys.executable, "-B", "-c", HEARING, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        while child.poll() is None and not out.exists():
            pass
        os.killpg(child.pid, signal.SIGINT)
        said, complaint = child.communicate()
    assert child.returncode == 130
    assert (said, complaint) == (b"", b"")
    assert not list(out.rglob("*.part"))
    assert not (out / "summary.csv").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_law_12_a_full_disk_behind_the_summary_is_a_sentence(tmp_path: Path) -> None:
    rr_text(tmp_path / "a.txt")
    command = [sys.executable, "-B", "-m", "diastole", "replay", str(tmp_path / "a.txt")]
    with Path("/dev/full").open("wb") as full:
        told = subprocess.run(
            [*command, "--model", "none"], stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert told.returncode == 2
    assert told.stderr.count(b"\n") == 1
    assert b"the disk is full" in told.stderr


def test_a_closed_output_is_no_mistake(tmp_path: Path) -> None:
    rr_text(tmp_path / "a.txt")
    command = f'exec "{sys.executable}" -B -m diastole replay a.txt --model none --out t.csv >&-'
    told = subprocess.run(
        ["/bin/sh", "-c", command], cwd=tmp_path, stderr=subprocess.PIPE, check=False
    )
    assert (told.returncode, told.stderr.count(b"Traceback")) == (0, 0)
    assert len(read_columns(tmp_path / "t.csv")["t_s"])
