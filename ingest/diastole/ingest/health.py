"""What ``diastole doctor`` asks of ingest: its store, its spool, its dead letters."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from diastole.edge.errors import DiastoleError, InputError, shown
from diastole.ingest.service import is_running
from diastole.ingest.settings import Ingest, read_ingest
from diastole.ingest.spool import opened
from diastole.ingest.stores import StoreAway

LONG_S: Final = 60.0
"""A store that has all within a minute is not behind."""

Row = tuple[str, str, str, str]
"""Name, state (ok, warn or fail), what was found, what to do."""


def checks(path: Path) -> Iterator[Row]:
    """Yield what is well and what is not, of the ingest with these settings; raises no errors."""
    try:
        settings = read_ingest(path)
    except DiastoleError as error:
        yield "settings", "fail", str(error), "correct the file"
        return
    yield _store(settings)
    yield from _spool(settings)


def _store(settings: Ingest) -> Row:
    try:
        store = settings.store()
        try:
            counts = store.count()
        finally:
            store.close()
    except StoreAway as away:
        return "store", "fail", str(away), away.remedy
    except DiastoleError as error:
        return "store", "fail", str(error), "correct the settings"
    told = ", ".join(f"{rows:,} {name}" for name, rows in counts.items()) or "empty"
    return "store", "ok", f"it answers: {told}", ""


def _spool(settings: Ingest) -> Iterator[Row]:
    path = settings.spool_file
    runs = is_running(path)
    start = "diastole ingest run"
    yield ("ingest", "ok", "it runs", "") if runs else ("ingest", "warn", "it does not run", start)
    if not path.exists():
        yield "spool", "warn", f"{shown(path)} is not there: ingest has not run yet", start
        return
    try:
        spool = opened(path)
    except InputError as error:
        yield "spool", "fail", error.what, error.remedy
        return
    try:
        waiting, oldest_ms = spool.depth()
        dead = spool.dead_by_reason()
        free = spool.free_bytes()
    except sqlite3.Error as error:
        yield "spool", "fail", f"{shown(path)} cannot be read ({error})", f"stop and start {start}"
        return
    finally:
        spool.close()
    behind_s = 0.0 if oldest_ms is None else time.time() - oldest_ms / 1000
    told = f"{waiting:,} messages wait, the oldest for {behind_s:.0f} s"
    late = behind_s > LONG_S
    yield "spool", "warn" if late else "ok", told, "see ingest's lines on the store" * late
    yield _room(free, settings.limits.free_bytes)
    letters = ", ".join(f"{n} {why.value}" for why, n in dead.items())
    remedy = "diastole ingest dead-letters list"
    yield "dead letters", "warn" if dead else "ok", letters or "none", remedy * bool(dead)


def _room(free: int, least: int) -> Row:
    told = f"{free / 1e9:.1f} GB are free for the spool, {least / 1e9:.1f} GB stay free"
    if free < least:
        return "spool's disk", "fail", told, "free some space: nothing is acknowledged until then"
    return "spool's disk", "ok", told, ""
