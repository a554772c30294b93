"""A file appears whole or not at all."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from diastole.edge.errors import OutputError, shown
from diastole.edge.outputs import make_folder, refuse_existing, whole_file

FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from diastole.edge.errors import OutputError
from diastole.edge.tables import write
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    write({"t_s": np.arange(9000.0)}, Path(sys.argv[1]), {}, force=True)
except OutputError as error:
    print(error)
"""


def test_the_content_appears_at_the_end_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.bin"
    with whole_file(path) as stream:
        stream.write(b"all of it")
        assert not path.exists()
    assert path.read_bytes() == b"all of it"
    assert os.listdir(path.parent) == ["out.bin"]


def test_a_failure_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"older")
    with pytest.raises(TypeError), whole_file(path, force=True) as stream:
        stream.writelines([b"half", None])  # type: ignore[list-item]
    assert path.read_bytes() == b"older"
    assert os.listdir(tmp_path) == ["out.bin"]


def test_what_exists_is_kept_unless_forced(tmp_path: Path) -> None:
    path = tmp_path / "out.bin"
    path.write_bytes(b"older")
    with pytest.raises(OutputError, match=r"out\.bin: exists already: .*--force"):
        refuse_existing(path, force=False)
    with pytest.raises(OutputError, match="exists already"), whole_file(path):
        pass
    with whole_file(path, force=True) as stream:
        stream.write(b"newer")
    assert path.read_bytes() == b"newer"


def test_a_link_to_nowhere_exists_too(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OutputError, match="exists already"):
        refuse_existing(link, force=False)


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder: name a file in it"):
        refuse_existing(tmp_path, force=True)


def test_a_file_in_place_of_a_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"), whole_file(tmp_path / "file" / "a"):
        pass


def test_no_permission_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refuse)  # root, as whom tests may run, may write everywhere
    with pytest.raises(OutputError, match="no permission"), whole_file(tmp_path / "out.bin"):
        pass


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_full_disk_is_a_sentence_and_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    path.write_bytes(b"older")
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, check=True
    )
    assert "the disk is full: free some space" in run.stdout
    assert path.read_bytes() == b"older"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("name", ["file/out.csv", "loop/out.csv", f"{'a' * 300}.csv"])
def test_law_12_a_place_that_cannot_be_is_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    path = tmp_path / name
    with pytest.raises(OutputError, match="cannot be written"), whole_file(path):
        pass
    with pytest.raises(OutputError, match="cannot be written"):
        make_folder(path / "folder")
    assert sorted(os.listdir(tmp_path)) == ["file", "loop"]


def test_a_path_is_shown_on_one_line_whatever_its_bytes() -> None:
    assert shown(Path("a/Müller.txt")) == "a/Müller.txt"
    assert shown(os.fsdecode(b"a\xff b\n\x1b[1m")) == "a? b??[1m".replace("?", "\ufffd")
    assert str(OutputError(Path("a\nb"), "is odd", "rename it")).count("\n") == 0
