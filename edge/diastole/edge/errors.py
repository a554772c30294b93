"""The errors that a user sees: what is wrong, where, and what to do, in one sentence.

DiastoleError
├── InputError       a file, an argument or a setting is not usable: exit 2
│   ├── BadFile      a recording, label or model file, with its line where there is one
│   ├── Mistakes     all that is wrong in one settings file, a sentence a line
│   ├── OutputError  what was to be written cannot be
│   └── ModelRefused a model file that does not fit
└── MissingExtra     an optional library is needed: exit 2
"""

import os
from collections.abc import Sequence
from pathlib import Path


def shown(path: Path | str) -> str:
    """Return a path as it can be printed and kept: on one line, in UTF-8, whatever its bytes."""
    text = os.fsencode(path).decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


class DiastoleError(Exception):
    """Base of every error that is told as a sentence rather than as a traceback."""


class InputError(DiastoleError, ValueError):
    """Something that the user gave cannot be used."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what = what
        self.remedy = remedy
        super().__init__(f"{what}: {remedy}")


class BadFile(InputError):
    """A file that cannot be read as what it should be."""

    def __init__(self, path: Path | str, what: str, remedy: str, line: int | None = None) -> None:
        self.path = path
        self.line = line
        place = f"{shown(path)}, line {line}" if line is not None else shown(path)
        super().__init__(f"{place}: {what}", remedy)


class Mistakes(InputError):
    """All that is wrong in one file, a sentence a line."""

    def __init__(self, found: Sequence[BadFile]) -> None:
        self.found = tuple(found)
        super().__init__("\n".join([*map(str, found[:-1]), found[-1].what]), found[-1].remedy)


class OutputError(InputError):
    """A file that cannot be written."""

    def __init__(self, path: Path | str, what: str, remedy: str) -> None:
        self.path = path
        super().__init__(f"{shown(path)}: {what}", remedy)


class ModelRefused(BadFile):
    """A model file that is no model, or does not fit this version."""


class MissingExtra(DiastoleError, ImportError):
    """A library that only some verbs need is not installed."""

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        self.library = library
        self.extra = extra
        super().__init__(f"{purpose} needs {library}: pip install 'diastole[{extra}]'")
