"""What must never be shown: passwords and tokens, wherever they were given."""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from diastole.edge.doctor.finding import Finding

LONGEST: Final = 4096
IN_ENVIRONMENT: Final = ("PASSWORD", "TOKEN")
IN_FILES: Final = ("password_file", "token_file")


def secrets(*settings: Path | None) -> frozenset[str]:
    """Return those of the environment, and of the files that these settings name."""
    found = {
        value
        for name, value in os.environ.items()
        if name.startswith("DIASTOLE_") and name.endswith(IN_ENVIRONMENT)
    }
    for path in settings:
        if path is not None:
            found |= {_content(file) for file in _files(_table(path))}
    return frozenset(found - {""})


def redacted(finding: Finding, hidden: frozenset[str]) -> Finding:
    """Return the finding without any secret in it."""
    what, remedy = finding.what, finding.remedy
    for secret in sorted(hidden, key=len, reverse=True):
        what, remedy = what.replace(secret, "***"), remedy.replace(secret, "***")
    return finding._replace(what=what, remedy=remedy)


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return {}  # what is wrong with it is another check's


def _files(table: dict[str, Any]) -> Iterator[Path]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _files(value)
        elif isinstance(value, str) and key in IN_FILES:
            yield Path(value)


def _content(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(LONGEST).strip()
    except OSError:
        return ""
