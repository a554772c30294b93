"""Where the files of a recording lie: a folder or a zip, opened by name as lines of text."""

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path, PurePosixPath

from diastole.edge.errors import BadFile, DiastoleError

_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    struct.error,
    ValueError,
)


@contextmanager
def reading(where: Path | str) -> Iterator[None]:
    """Tell what goes wrong while a file is read as BadFile."""
    try:
        yield
    except DiastoleError:
        raise
    except FileNotFoundError:
        raise BadFile(where, "no such file", "check the path") from None
    except PermissionError:
        raise BadFile(where, "no permission to read it", "change its permissions") from None
    except RuntimeError as error:  # zipfile's for an encrypted member, an unknown compression
        what = f"cannot be unzipped here ({error})"
        raise BadFile(where, what, "unzip it, and give the folder") from None
    except UnicodeDecodeError:
        raise BadFile(where, "is no text in UTF-8", "save it as UTF-8") from None
    except _DAMAGE as error:
        what = f"cut off or damaged ({error or type(error).__name__})"
        raise BadFile(where, what, "copy it again from its source") from None
    except OSError as error:
        what = f"cannot be read ({error.strerror or error})"
        raise BadFile(where, what, "copy it again from its source") from None


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one folder, on disk or in a zip; names are lower-case, without the folder."""

    path: Path
    members: dict[str, str]

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def where(self, name: str) -> str:
        """Name of a file as an error shows it."""
        return f"{self.path}/{self.members.get(name, name)}"

    def lines(self, name: str) -> Iterator[str]:
        """Lines of a file, whatever their ends and without a byte-order mark."""
        with reading(self.where(name)):
            if self.path.is_dir():
                yield from text_lines(self.path / self.members[name])
                return
            with (
                zipfile.ZipFile(self.path) as archive,
                archive.open(self.members[name]) as raw,
                TextIOWrapper(raw, "utf-8-sig", errors="replace") as text,
            ):
                yield from text

    def first_line(self, name: str) -> str:
        """First line of a file, empty where the file is empty or missing."""
        return next(self.lines(name), "").strip() if name in self else ""


def text_lines(path: Path) -> Iterator[str]:
    """Lines of a file on disk, whatever their ends and without a byte-order mark."""
    with reading(path), path.open(encoding="utf-8-sig", errors="replace") as text:
        yield from text


def places(path: Path) -> list[Place]:
    """Return the folder itself, or each folder of a zip that holds files; else nothing."""
    with reading(path):
        if path.is_dir():
            names = {
                child.name.lower(): child.name
                for child in sorted(path.iterdir())
                if not child.name.startswith(".") and child.is_file()
            }
            return [Place(path, names)] if names else []
        if not zipfile.is_zipfile(path):
            return []
        folders: dict[str, dict[str, str]] = {}
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                parts = PurePosixPath(member).parts
                if member.endswith("/") or not parts or _hidden(parts):
                    continue
                folders.setdefault("/".join(parts[:-1]), {})[parts[-1].lower()] = member
        return [Place(path, names) for names in folders.values()]


def _hidden(parts: tuple[str, ...]) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def fits(path: Path, suits: Callable[[Place], bool]) -> bool:
    """Whether a folder or a zip holds what ``suits``; raises nothing."""
    try:
        return any(suits(place) for place in places(path))
    except BadFile:
        return False


def the_place(path: Path, suits: Callable[[Place], bool], kind: str) -> Place:
    """Return the one folder at ``path`` that ``suits``; BadFile where there is none, or several."""
    found = [place for place in places(path) if suits(place)]
    if not found:
        raise BadFile(path, f"holds no {kind}", "give its folder, or the zip as it was exported")
    if len(found) > 1:
        what = f"holds {len(found)} sessions of {kind}"
        raise BadFile(path, what, "unzip it and give the folder above them")
    return found[0]


def quoted(text: str) -> str:
    """Quote a piece of a file, short enough for a sentence."""
    text = text.strip()
    return repr(text if len(text) <= 30 else text[:29] + "…")
