"""Settings files: TOML checked whole, every mistake at once, each with its line and remedy.

What a file may hold is a msgspec Struct: bounds stand in its fields' types, and what concerns
several fields in a method ``mistakes`` (see :class:`Checked`).
"""

import ipaddress
import math
import os
import re
import tomllib
import types
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from difflib import get_close_matches
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NamedTuple,
    Protocol,
    TypeVar,
    Union,
    get_args,
    get_origin,
    runtime_checkable,
)
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from diastole.edge.errors import BadFile, Mistakes

T = TypeVar("T", bound=msgspec.Struct)
Place = tuple[str | int, ...]
"""Keys and positions from the top of the file."""


class Zone(str):
    """The name of a time zone that this machine knows."""

    __slots__ = ()


class Mistake(NamedTuple):
    """What is wrong somewhere in a file, and what to do."""

    place: Place
    what: str
    remedy: str


@runtime_checkable
class Checked(Protocol):
    """A Struct that knows what its fields must be to each other."""

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what is wrong; places count from this Struct."""
        ...


def state_folder() -> Path:
    """Return where what outlives a process is kept unless a file says otherwise (XDG)."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "diastole"


def read(path: Path, kind: type[T]) -> T:
    """Return the file as a ``kind``; raise BadFile for no TOML, Mistakes with all that is wrong."""
    text, given = _toml(path)
    return _checked(path, text, given, kind, ())


def read_table(path: Path, name: str, kind: type[T]) -> T | None:
    """Return one table of a file, whatever else stands in it; None where it is not there."""
    text, given = _toml(path)
    return _checked(path, text, given[name], kind, (name,)) if name in given else None


def _checked(path: Path, text: str, given: Any, kind: type[T], place: Place) -> T:
    found = list(_mistakes(given, kind, place))
    if found:
        lines = _lines(text)
        told = [BadFile(path, m.what, m.remedy, _line(lines, m.place)) for m in found]
        raise Mistakes(sorted(told, key=lambda error: error.line or 0))
    return msgspec.convert(given, kind, dec_hook=_zone)


def _toml(path: Path) -> tuple[str, dict[str, Any]]:
    text = _text(path)
    try:
        return text, tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _no_toml(path, error) from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise BadFile(path, "no such file", "check the path") from None
    except UnicodeDecodeError:
        raise BadFile(path, "is no text", "give a TOML file in UTF-8") from None
    except OSError as error:
        what = f"cannot be read ({(error.strerror or str(error)).lower()})"
        raise BadFile(path, what, "check the path and its permissions") from None


def _no_toml(path: Path, error: Exception) -> BadFile:
    what, _, place = str(error).partition(" (at ")
    line = re.match(r"line (\d+)", place)
    return BadFile(path, f"is no TOML ({what})", "correct the line", int(line[1]) if line else None)


# ---- what a setting names


def on_this_machine(host: str) -> bool:
    """Return whether what is said to a host stays on this machine."""
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def readable(path: Path | str) -> Path:
    """Return the path of a file that a setting names; raise BadFile where it cannot be read."""
    place = Path(path).expanduser()
    try:
        place.open("rb").close()
    except OSError as error:
        what = f"cannot be read ({(error.strerror or str(error)).lower()})"
        raise BadFile(place, what, "check the path and its permissions") from None
    return place


def secret(path: Path | str) -> str:
    """Return the secret that a file holds, less the end of its line.

    Raise BadFile where it cannot be read, holds none, or may be read by others.
    """
    file = readable(path)
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise BadFile(file, "may be read by others", f"chmod 600 {file}")
    try:
        text = file.read_text(encoding="utf-8").rstrip("\r\n")
    except ValueError:
        raise BadFile(file, "is no text", "write the secret into it") from None
    if not text:
        raise BadFile(file, "is empty", "write the secret into it")
    return text


# ---- what is wrong


def _mistakes(value: Any, kind: Any, place: Place) -> Iterator[Mistake]:
    """Yield every mistake of ``value`` against ``kind``."""
    bare = _bare(kind)
    if isinstance(bare, type) and issubclass(bare, msgspec.Struct) and isinstance(value, dict):
        yield from _table_mistakes(value, bare, place)
        return
    found: list[Mistake] = []
    if get_origin(bare) is list and isinstance(value, list):
        (item_kind,) = get_args(bare)
        for i, item in enumerate(value):
            found += _mistakes(item, item_kind, (*place, i))
    if not found and not _fits(value, kind):
        found = [Mistake(place, f"{_name(place)} is {_shown(value)}", _remedy(value, kind))]
    yield from found


def _table_mistakes(
    value: dict[str, Any], kind: type[msgspec.Struct], place: Place
) -> Iterator[Mistake]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    found: list[Mistake] = []
    for key, item in value.items():
        if key in fields:
            found += _mistakes(item, fields[key].type, (*place, key))
        else:
            near = get_close_matches(key, fields, 1)
            remedy = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(fields)}"
            found.append(Mistake((*place, key), f"unknown setting {key!r}", remedy))
    for key, field in fields.items():
        if field.required and key not in value:
            found.append(Mistake((*place, key), f"{key} is missing", f"give {wanted(field.type)}"))
    if not found:
        whole = msgspec.convert(value, kind, dec_hook=_zone)
        if isinstance(whole, Checked):
            found += (m._replace(place=(*place, *m.place)) for m in whole.mistakes())
    yield from found


def _fits(value: Any, kind: Any) -> bool:
    if isinstance(value, float) and not math.isfinite(value):
        return False
    try:
        msgspec.convert(value, kind, dec_hook=_zone)
    except msgspec.ValidationError:
        return False
    return True


def _zone(kind: type, value: Any) -> Zone:
    """Make what msgspec cannot; UTC needs no file of time zones."""
    if kind is not Zone:
        raise NotImplementedError
    try:
        if value != "UTC":
            ZoneInfo(value)
    except (AttributeError, OSError, TypeError, ValueError, ZoneInfoNotFoundError) as error:
        raise ValueError(str(error)) from None
    return Zone(value)


def _bare(kind: Any) -> Any:
    """Return a type without its bounds, and without None beside it."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        others = [one for one in get_args(kind) if one is not type(None)]
        return _bare(others[0]) if len(others) == 1 else kind
    return kind


# ---- in words


def wanted(kind: Any) -> str:
    """Return in words what a value of this type is."""
    words = _choices(kind)
    if words:
        return f"one of {', '.join(words)}"
    bounds = _bounds(kind)
    if "description" in bounds:
        return str(bounds["description"])
    said = " ".join(f"{word} {bounds[name]:g}" for name, word in _BOUNDS if name in bounds)
    name = _NAMES.get(get_origin(_bare(kind)) or _bare(kind), "a table")
    return f"{name} {said}".rstrip()


_NAMES: Final[dict[Any, str]] = {
    float: "a number",
    int: "a whole number",
    bool: "true or false",
    str: "text in quotes",
    datetime: "a date and time with its zone, as in 2024-05-06T09:00:00Z",
    list: "a list",
    Zone: "a time zone, as in Europe/Berlin",
}
_BOUNDS: Final = (
    ("gt", "over"),
    ("ge", "from"),
    ("lt", "under"),
    ("le", "up to"),
    ("min_length", "of at least"),
)


def _bounds(kind: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if get_origin(kind) is Annotated:
        for meta in kind.__metadata__:
            found |= {
                name: getattr(meta, name)
                for name in ("description", *dict(_BOUNDS))
                if getattr(meta, name, None) is not None
            }
    elif get_origin(kind) in (Union, types.UnionType):
        for one in get_args(kind):
            found |= _bounds(one)
    return found


def _choices(kind: Any) -> list[str]:
    bare = _bare(kind)
    if isinstance(bare, type) and issubclass(bare, Enum):
        return [str(choice.value) for choice in bare]
    return [str(choice) for choice in get_args(bare)] if get_origin(bare) is Literal else []


def _remedy(value: Any, kind: Any) -> str:
    near = get_close_matches(str(value), _choices(kind), 1)
    return f"did you mean {near[0]!r}?" if near else f"give {wanted(kind)}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _name(place: Place) -> str:
    """Return a place as its last key, with the position behind it where it is an item's."""
    *before, last = place or ("the file",)
    return f"{_name(tuple(before))}[{last}]" if isinstance(last, int) else last


# ---- where

_KEY: Final = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_PATH: Final = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER: Final = re.compile(rf"\s*(\[\[?)\s*({_PATH})\s*\]")
_SETTING: Final = re.compile(rf"\s*({_PATH})\s*=")


def _lines(text: str) -> dict[Place, int]:
    """Return the line of each header and key; what stands in a list on one line has that line."""
    lines: dict[Place, int] = {}
    counts: dict[Place, int] = {}
    table: Place = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _table(header[2], counts, repeated=header[1] == "[[")
            if header[1] == "[[":
                lines.setdefault(table[:-1], number)  # the list itself, where its first item is
            lines.setdefault(table, number)
        elif setting := _SETTING.match(line):
            lines.setdefault((*table, *_keys(setting[1])), number)
    return lines


def _table(header: str, counts: dict[Place, int], *, repeated: bool) -> Place:
    """Return the table that a header opens; ``counts`` knows the last item of each list."""
    keys = _keys(header)
    place: Place = ()
    for key, following in pairwise([*keys, None]):
        place = (*place, str(key))
        if following is None and repeated:
            counts[place] = counts.get(place, -1) + 1
        if place in counts:
            place = (*place, counts[place])
    return place


def _keys(path: str) -> list[str]:
    return [key.strip("\"'") for key in re.findall(_KEY, path)]


def _line(lines: dict[Place, int], place: Place) -> int | None:
    """Return the line of a place, or of the nearest that it lies in."""
    return next((lines[place[:k]] for k in range(len(place), 0, -1) if place[:k] in lines), None)
