"""The sniffing: each sample finds its format, everything else a sentence."""

import os
import zipfile
from collections.abc import Callable
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diastole.edge.chunks import Chunk
from diastole.edge.errors import BadFile, InputError
from diastole.edge.formats import Format, Recording, e4, finding, mmash, rr_text
from diastole.edge.formats.check import check_format
from diastole.edge.formats.finding import digest, find, formats, open_recording, sessions
from diastole.edge.formats.place import reading
from diastole.edge.formats.recorder import write
from diastole.edge.formats.session import Header
from tests.formats import made

Maker = Callable[[Path], Path]
MAKERS: dict[str, Maker] = {
    "e4": lambda folder: made.zipped(made.e4(folder / "S1")),
    "mmash": lambda folder: made.zipped(made.mmash(folder / "day")),
    "session": lambda folder: _session(folder / "s.jsonl"),
    "rr-csv": lambda folder: made.text(folder / "a.csv", "rr_ms\n800\n790\n810\n"),
    "rr-text": lambda folder: made.text(folder / "a.txt", "800\n790\n810\n"),
}


def _session(path: Path) -> Path:
    source = made.e4(path.parent / "source")
    write(path, Header(), open_recording(source).chunks())
    return path


def test_the_formats_and_their_order() -> None:
    assert [known.name for known in formats()] == ["session", "e4", "mmash", "rr-csv", "rr-text"]


@pytest.mark.parametrize("name", MAKERS)
def test_each_format_finds_its_sample_alone_and_keeps_its_contract(
    tmp_path: Path, name: str
) -> None:
    path = MAKERS[name](tmp_path)
    assert next(known.name for known in formats() if known.recognises(path)) == name
    check_format(find(path), path)


def test_a_name_overrides_the_sniffing(tmp_path: Path) -> None:
    path = made.text(tmp_path / "a.txt", "70\n71\n72\n")
    with pytest.raises(BadFile):
        find(path)
    assert find(path, "rr-text") is rr_text.FORMAT
    with pytest.raises(InputError, match="no format is called 'e5': give one of session, e4"):
        find(path, "e5")


def test_a_third_party_comes_by_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def points(value: str) -> Callable[..., EntryPoints]:
        return lambda group: EntryPoints([EntryPoint("other", value, group)])

    path = made.text(tmp_path / "a.txt", "800\n790\n")
    monkeypatch.setattr(finding, "entry_points", points("tests.formats.test_finding:OTHER"))
    assert find(path) is OTHER
    assert find(path, "other").open(path).format == "other"
    monkeypatch.setattr(finding, "entry_points", points("no_such_module:FORMAT"))
    with pytest.raises(InputError, match="format other of no_such_module:FORMAT cannot be loaded"):
        find(path)


class _Other:
    name = "other"

    def recognises(self, path: Path) -> bool:
        return path.suffix == ".txt"

    def open(self, path: Path) -> Recording:
        return Recording(path, self.name, 0, lambda: iter([Chunk(0)]))


OTHER: Format = _Other()


def test_sessions_of_a_folder(tmp_path: Path) -> None:
    made.e4(tmp_path / "lab" / "S1")
    made.text(tmp_path / "a.txt", "800\n790\n810\n")
    made.text(tmp_path / "notes.md", "a diary\n")
    made.text(tmp_path / ".hidden.txt", "800\n790\n810\n")
    (tmp_path / "lab" / "none").mkdir()
    broken = made.text(tmp_path / "lab" / "broken.zip", "PK\3\4 and then nothing")
    found = sessions(tmp_path)
    assert found.sessions == [tmp_path / "a.txt", tmp_path / "lab" / "S1"]
    assert [error.path for error in found.unknown] == [broken, tmp_path / "notes.md"]
    assert "cut off or damaged" in str(found.unknown[0])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder / "none.txt", "no such file: check the path"),
        (lambda folder: folder, "an empty folder: give a recording"),
        (lambda folder: made.text(folder / "a.txt", ""), "an empty file: copy it again"),
        (lambda folder: _cut(made.zipped(made.e4(folder / "S1"))), "cut off or damaged"),
        (lambda folder: _zip(folder / "a.zip"), "a zip that is no export we know: give an"),
        (lambda folder: made.text(folder / "a.bin", "\0\1\2"), "no format knows it: "),
    ],
)
def test_law_12_what_no_format_knows_is_one_sentence(
    tmp_path: Path, make: Maker, sentence: str
) -> None:
    path = make(tmp_path)
    with pytest.raises(BadFile, match=sentence) as error:
        open_recording(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_law_12_an_empty_folder_has_no_sessions(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="an empty folder"):
        sessions(tmp_path)


def test_law_12_no_permission_is_one_sentence() -> None:
    with pytest.raises(BadFile, match="x: no permission to read it: "), reading("x"):
        raise PermissionError(13, "Permission denied")


def _cut(path: Path) -> Path:
    os.truncate(path, path.stat().st_size // 2)
    return path


def _zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/readme.txt", "hello")
    return path


def test_digest_tells_contents_and_names_apart(tmp_path: Path) -> None:
    one, two = made.e4(tmp_path / "one"), made.e4(tmp_path / "two")
    assert digest(one) == digest(two)
    (two / ".DS_Store").write_text("x")
    assert digest(one) == digest(two)
    (two / "tags.csv").rename(two / "tag.csv")
    assert digest(one) != digest(two)
    assert digest(one / "IBI.csv") == digest(two / "IBI.csv") != digest(two / "BVP.csv")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert digest(made.text(tmp_path / "empty", "")) == empty


BYTES = st.binary(max_size=200) | st.text(
    '0123456789.,;:-+eEnafiINF \r\n"#{}[]_ms|\x00\ufeff', max_size=200
).map(str.encode)


def _survives(known: Format, path: Path) -> None:
    """Read to the end; only BadFile may come out."""
    assert known.recognises(path) in {True, False}
    try:
        for chunk in known.open(path).chunks():
            assert isinstance(chunk, Chunk)
    except BadFile as error:
        assert "\n" not in str(error)  # noqa: PT017


@pytest.mark.parametrize("known", formats(), ids=lambda known: known.name)
@settings(max_examples=60)
@given(content=BYTES)
def test_law_12_any_bytes_are_read_or_refused(known: Format, content: bytes) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        _survives(known, path)
        for head in (b"rr_ms,t_s\n", b'{"diastole_session":1,"wire":1}\n'):
            path.write_bytes(head + content)
            _survives(known, path)


@settings(max_examples=60)
@given(content=BYTES, name=st.sampled_from(["BVP", "ACC", "IBI", "HR", "tags"]), keep=st.booleans())
def test_law_12_any_bytes_within_an_export(content: bytes, name: str, keep: bool) -> None:
    with TemporaryDirectory() as parent:
        folder = made.e4(Path(parent) / "S1", seconds=12)
        file = folder / f"{name}.csv"
        file.write_bytes((file.read_bytes() if keep else b"") + content)
        _survives(e4.FORMAT, folder)


@settings(max_examples=60)
@given(content=BYTES, name=st.sampled_from(["RR", "Actigraph"]))
def test_law_12_any_bytes_within_a_day(content: bytes, name: str) -> None:
    with TemporaryDirectory() as parent:
        folder = made.mmash(Path(parent) / "day", minutes=1)
        with (folder / f"{name}.csv").open("ab") as stream:
            stream.write(content)
        _survives(mmash.FORMAT, folder)


@settings(max_examples=80)
@given(
    name=st.sampled_from(["e4", "mmash", "session"]),
    place=st.floats(0, 1),
    flip=st.integers(0, 255),
    cut=st.booleans(),
)
def test_law_12_damage_anywhere(
    tmp_path_factory: pytest.TempPathFactory, name: str, place: float, flip: int, cut: bool
) -> None:
    path = MAKERS[name](tmp_path_factory.mktemp("damage"))
    content = bytearray(path.read_bytes())
    at = min(int(place * len(content)), len(content) - 1)
    content[at] = flip
    path.write_bytes(content[:at] if cut else content)
    for known in formats():
        _survives(known, path)
