"""A file appears whole or not at all, and nothing that exists is lost unasked."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from diastole.edge.errors import OutputError

_TOKEN: Final = 4
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raise OutputError where ``path`` exists and may not be replaced: worth asking early."""
    with _told(path):
        folder, exists = path.is_dir(), os.path.lexists(path)
    if folder:
        raise OutputError(path, "is a folder", "name a file in it")
    if exists and not force:
        raise OutputError(path, "exists already", "choose another name, or replace it with --force")


def make_folder(path: Path, mode: int = 0o777) -> None:
    """Make a folder and those above it, unless it is there; raise OutputError where that fails."""
    with _told(path):
        path.mkdir(mode=mode, parents=True, exist_ok=True)


def sweep(folder: Path) -> None:
    """Remove what a process that was stopped has left half-written below ``folder``."""
    for part in folder.rglob(f".*.{'[0-9a-f]' * 2 * _TOKEN}.part"):
        with suppress(OSError):
            part.unlink()


@contextmanager
def whole_file(path: Path, *, force: bool = False) -> Iterator[BinaryIO]:
    """Give a stream that becomes ``path`` when the block ends well; else nothing is left of it.

    Missing folders above are made. Raise OutputError where the file cannot be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(_TOKEN)}.part")
    try:
        with _told(path):
            refuse_existing(path, force=force)
            path.parent.mkdir(parents=True, exist_ok=True)
            with part.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tell what goes wrong while ``path`` is written as OutputError."""
    try:
        yield
    except OSError as error:
        raise _sentence(path, error) from error


def _sentence(path: Path, error: OSError) -> OutputError:
    if error.errno in _FULL:
        return OutputError(path, "the disk is full", "free some space, or write to another disk")
    if isinstance(error, PermissionError):
        return OutputError(path, "no permission to write here", "choose another folder")
    reason = (error.strerror or str(error)).lower()
    return OutputError(path, f"cannot be written ({reason})", "choose another place")
