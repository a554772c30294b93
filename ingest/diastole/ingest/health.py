"""What ``diastole doctor`` asks of ingest: its settings, store, spool, and what it said last.

A check is a row: name, ``ok``, ``warn`` or ``fail``, what is found, and the remedy. Nothing is
changed, and ingest may be running.
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from diastole.edge.errors import InputError, shown
from diastole.edge.wire.topics import NOBODY, Stream
from diastole.ingest.own import EVERY_S
from diastole.ingest.settings import Ingest, read_ingest
from diastole.ingest.spool import opened
from diastole.ingest.stores import Row, Store, StoreAway

Found = tuple[str, str, str, str]
LATE_S: Final = 300
"""What is kept reaches a store that takes it within seconds."""
SILENT_MS: Final = round(2.5 * EVERY_S * 1000)
_MB: Final = 1_000_000
_LITTLE: Final = 5
"""Times what must stay free."""


def checks(path: Path) -> Iterator[Found]:
    """Yield what is found of the ingest that this file describes."""
    try:
        settings = read_ingest(path)
    except InputError as error:
        yield "settings", "fail", error.what, error.remedy
        return
    yield "settings", "ok", f"{shown(path)} is right", ""
    yield _room(settings)
    yield from _spool(settings)
    yield from _store(settings)


def _room(settings: Ingest) -> Found:
    place = settings.spool_file.absolute()
    there = next(folder for folder in place.parents if folder.exists())
    free_mb = shutil.disk_usage(there).free / _MB
    what = f"{free_mb / 1000:.1f} GB free at {shown(there)}"
    if free_mb < settings.spool.free_mb:
        remedy = "free some space, or name another [spool] path: ingest takes nothing in until then"
        return "disk", "fail", what, remedy
    if free_mb < _LITTLE * settings.spool.free_mb:
        return "disk", "warn", what, "free some space, or name another [spool] path"
    return "disk", "ok", what, ""


def _spool(settings: Ingest) -> Iterator[Found]:
    if not settings.spool_file.exists():
        what = f"{shown(settings.spool_file)} is not there: ingest has not run yet"
        yield "spool", "warn", what, "start it by diastole ingest run"
        return
    try:
        spool = opened(settings.spool_file)
    except InputError as error:
        yield "spool", "fail", error.what, error.remedy
        return
    try:
        waiting, oldest_ms = spool.depth()
        dead = spool.dead_by_reason()
    finally:
        spool.close()
    late_s = 0.0 if oldest_ms is None else time.time() - oldest_ms / 1000
    what = f"{waiting} messages wait for the store"
    if late_s > LATE_S:
        remedy = "nothing is lost; is ingest running, and does the store answer?"
        yield "spool", "warn", f"{what}, the oldest for {late_s / 60:.0f} min", remedy
    else:
        yield "spool", "ok", what, ""
    if dead:
        whys = ", ".join(f"{why.value} {n}" for why, n in dead.items())
        what = f"{sum(dead.values())} messages could not be stored ({whys})"
        yield "dead letters", "warn", what, "see them by diastole ingest dead-letters list"


def _store(settings: Ingest) -> Iterator[Found]:
    kept = settings.sqlite and Path(settings.sqlite.path).expanduser()
    if kept and not kept.exists():
        yield "store", "warn", f"{shown(kept)} is not there yet", "make it by diastole ingest init"
        return
    try:
        store = settings.store()
        try:
            counts = store.count()
            last = _last_status(settings, store)
        finally:
            store.close()
    except StoreAway as away:
        yield "store", "fail", str(away), "start the store, or correct its settings"
        return
    except InputError as error:
        yield "store", "fail", error.what, error.remedy
        return
    what = ", ".join(f"{kind} {rows:,}" for kind, rows in counts.items()) or "nothing yet"
    yield "store", "ok", f"it answers, and has {what}", ""
    yield from _said(last)


def _last_status(settings: Ingest, store: Store) -> Row | None:
    now_ms = round(time.time() * 1000)
    tags = {"site": NOBODY, "agent": settings.name}
    rows = store.read(Stream.STATUS.value, tags, (), now_ms - SILENT_MS, now_ms + SILENT_MS)
    return max(rows, key=lambda row: row.time_ms, default=None)


def _said(last: Row | None) -> Iterator[Found]:
    """Yield what ingest has said of itself in the last minutes."""
    if last is None:
        remedy = "start it by diastole ingest run; it speaks a minute after its start"
        yield "running", "warn", "ingest has said nothing for minutes", remedy
        return
    said = {name: value for name, value in last.fields.items() if isinstance(value, float)}
    what = f"{said.get('received_per_s', 0):.1f} messages/s, {said.get('lag_s', 0):.1f} s behind"
    yield "running", "ok", what, ""
    if said.get("spool_full"):
        yield "spool full", "fail", "nothing is taken in", "free some space, or raise most_mb"
    if said.get("two_agents"):
        what = f"{said['two_agents']:.0f} times an agent came back as another of the same name"
        yield "names", "warn", what, "give each agent a name of its own"
    if said.get("future"):
        what = f"{said['future']:.0f} records are of the future"
        yield "clocks", "warn", what, "set the clock of the agent or of this machine"
