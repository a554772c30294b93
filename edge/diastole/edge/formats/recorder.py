"""Sessions of our own format, written: at once, or as records come."""

import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

import msgspec

from diastole.edge.chunks import Chunk
from diastole.edge.errors import OutputError
from diastole.edge.formats.objects import records_of
from diastole.edge.formats.session import Header, read_header
from diastole.edge.outputs import whole_file
from diastole.edge.wire import Noun, encode


def write(path: Path, header: Header, chunks: Iterable[Chunk], *, force: bool = False) -> None:
    """Write a whole session; a name that ends in ``.gz`` is gzipped.

    Nothing is left half-written; raises OutputError where ``path`` exists, unless ``force``.
    """
    with whole_file(path, force=force) as stream:
        out = _packed(path, stream)
        out.write(_first_line(header))
        for chunk in chunks:
            out.write(_lines(chunk))
        if out is not stream:
            out.close()


class SessionWriter:
    """A session that grows while it is recorded, readable at any time after ``flush``.

    A plain file of the same header is continued, also behind a line that was cut off; any other
    file that exists is refused with OutputError. Use it as a context, or ``close`` it.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self._path = path
        with _told(path):
            start = _start(path, header)
            self._stream: BinaryIO = path.open("ab")
            self._out = _packed(path, self._stream)
            self._out.write(start)
        self.flush()

    def append(self, chunk: Chunk) -> None:
        """Write the records of a chunk behind those before."""
        with _told(self._path):
            self._out.write(_lines(chunk))

    def flush(self) -> None:
        """Hand what was appended to the system: a crash of the program then loses none of it."""
        with _told(self._path):
            self._out.flush()
            self._stream.flush()

    def close(self) -> None:
        """End the file."""
        with _told(self._path):
            self._out.close()
            self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def _start(path: Path, header: Header) -> bytes:
    """Return what comes first: a header in a new file, an end of line behind a cut one."""
    if not path.exists() or path.stat().st_size == 0:
        return _first_line(header)
    if path.suffix == ".gz" or read_header(path) != header:
        raise OutputError(path, "exists already", "record into a new file")
    with path.open("rb") as stream:
        stream.seek(-1, 2)
        return b"" if stream.read() == b"\n" else b"\n"


def _first_line(header: Header) -> bytes:
    return msgspec.json.encode(header) + b"\n"


def _lines(chunk: Chunk) -> bytes:
    return b"".join(encode(cast("Noun", record)) + b"\n" for record in records_of(chunk))


def _packed(path: Path, stream: BinaryIO) -> BinaryIO:
    """Return what writes into ``stream``, gzipped where the name says so."""
    if path.suffix != ".gz":
        return stream
    # no name and no time inside: equal sessions are equal files
    return cast("BinaryIO", gzip.GzipFile("", "wb", fileobj=stream, mtime=0))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        what = f"cannot be written ({(error.strerror or str(error)).lower()})"
        raise OutputError(path, what, "free some space, or record to another place") from error
