"""Which format a path is: sniffed by content, in a fixed order, or named."""

import os
import stat
import zipfile
from hashlib import sha256
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, NamedTuple

from diastole.edge.errors import BadFile, InputError
from diastole.edge.formats import Format, Recording, e4, mmash, rr_csv, rr_text, session
from diastole.edge.formats.place import reading

GROUP: Final = "diastole.formats"
"""Entry points of formats by third parties: each an object that is a Format."""

STRICT: Final[tuple[Format, ...]] = (session.FORMAT, e4.FORMAT, mmash.FORMAT)
LOOSE: Final[tuple[Format, ...]] = (rr_csv.FORMAT, rr_text.FORMAT)
"""Tried after those of third parties: nearly any table of numbers might be theirs."""

UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")
OURS: Final = "-metadata.json"
"""Stands beside each CSV that we write."""


class Found(NamedTuple):
    """What lies under a folder."""

    sessions: list[Path]
    unknown: list[BadFile]
    """Why each other file is no session."""


def formats() -> tuple[Format, ...]:
    """Return all formats in the order in which they are asked."""
    return (*STRICT, *_third_party(), *LOOSE)


def _third_party() -> list[Format]:
    found: list[Format] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            found.append(point.load())
        except Exception as error:
            what = f"format {point.name} of {point.value} cannot be loaded ({error})"
            raise InputError(what, "repair or uninstall its package") from error
    return found


def find(path: Path, format_name: str | None = None) -> Format:
    """Return the format called ``format_name``, else the first that recognises ``path``.

    Raises BadFile with the reason where none does, InputError where the name is unknown.
    """
    with reading(path):
        mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a pipe would wait, and give once
        what = "is neither a file nor a folder"
        raise BadFile(path, what, "write what it gives into a file, and give that")
    known = formats()
    if format_name is None:
        for candidate in known:
            if candidate.recognises(path):
                return candidate
        raise _unknown(path)
    for candidate in known:
        if candidate.name == format_name:
            return candidate
    names = ", ".join(candidate.name for candidate in known)
    what = f"no format is called {format_name!r}"
    raise InputError(what, f"give one of {names}")


def open_recording(path: Path, format_name: str | None = None) -> Recording:
    """Open the session at ``path``; raises BadFile with file, line and remedy."""
    return find(path, format_name).open(path)


def sessions(folder: Path) -> Found:
    """Return all sessions under a folder, in order; hidden files are passed over.

    A folder that a format recognises is one session. Raises BadFile where nothing is there.
    """
    found = Found([], [])
    with reading(folder):
        _gather(folder, found)
    if not found.sessions and not found.unknown:
        raise BadFile(folder, "an empty folder", "give a folder that holds recordings")
    return found


def _gather(folder: Path, found: Found) -> None:
    for child in sorted(folder.iterdir()):
        if child.name.startswith(".") or (child.is_dir() and child.is_symlink()):
            continue
        if child.name.endswith(OURS) or child.with_name(f"{child.name}{OURS}").exists():
            continue  # a table that we wrote, and what stands beside it
        try:
            with reading(child):
                if child.is_dir() and not any(f.recognises(child) for f in formats()):
                    _gather(child, found)
                    continue
            find(child)
        except BadFile as error:
            found.unknown.append(error)
        else:
            found.sessions.append(child)


def _unknown(path: Path) -> BadFile:
    """Say why no format recognises ``path``."""
    with reading(path):
        if path.is_dir():
            empty = not any(path.iterdir())
            what = "an empty folder" if empty else "a folder that is no session"
            return BadFile(path, what, "give a recording, or a folder that holds recordings")
        with path.open("rb") as raw:
            start = raw.read(4)
        if not start:
            return BadFile(path, "an empty file", "copy it again from its source")
        if start.startswith(b"PK") or zipfile.is_zipfile(path):
            return _unknown_zip(path)
        if start.startswith(session.GZIP):
            return BadFile(path, "a gzip that is no session of ours", "unzip it, and give the file")
        if start.startswith(UTF_16):
            return BadFile(path, "text in UTF-16", "save it as UTF-8")
        lines = rr_text.head(path)
    what = (rr_text.refusal(lines) if lines else None) or "no format knows it"
    return BadFile(path, what, "give a recording, or name its format with --format")


def _unknown_zip(path: Path) -> BadFile:
    with reading(path), zipfile.ZipFile(path):
        what = "a zip that is no export we know"
        return BadFile(path, what, "give an Empatica E4 or MMASH zip, or unzip it")


def digest(path: Path) -> str:
    """Return the SHA-256 of a file; of a folder, that of its visible files' names and contents."""
    total = sha256()
    with reading(path):
        if not path.is_dir():
            return _digest_of(path)
        for file in sorted(_files(path), key=lambda file: file.relative_to(path).as_posix()):
            name = file.relative_to(path).as_posix()
            total.update(f"{name}\n{_digest_of(file)}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def _files(folder: Path) -> list[Path]:
    return [
        Path(root, name)
        for root, _, names in os.walk(folder)
        for name in names
        if not any(part.startswith(".") for part in Path(root, name).relative_to(folder).parts)
    ]


def _digest_of(path: Path) -> str:
    total = sha256()
    with path.open("rb") as raw:
        while block := raw.read(1 << 20):
            total.update(block)
    return total.hexdigest()
