"""``diastole ingest``: from the broker to the store, and what one asks of it."""

from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diastole.ingest.settings import Ingest
    from diastole.ingest.spool import Spool

Run = Callable[[Namespace], int]


def ingest(parser: ArgumentParser) -> Run:
    """Declare ``diastole ingest [run|init|count|dead-letters]``."""
    _settings(parser, Path("ingest.toml"))
    parser.set_defaults(act=_run)
    acts = parser.add_subparsers(title="what to do (default: run)", metavar="ACT", required=False)

    def act(name: str, line: str, act: Run) -> ArgumentParser:
        entry = acts.add_parser(name, help=line, description=f"{line[:1].upper()}{line[1:]}.")
        _settings(entry, SUPPRESS)
        entry.set_defaults(act=act)
        return entry

    act("run", "take what the broker has, until told to stop", _run)
    act("init", "create the store's database or file", _init)
    counting = act("count", "how many rows the store has, by kind", _count)
    counting.add_argument("--json", action="store_true", help="for a program")
    letters = act("dead-letters", "what could not be stored", _dead_letters)
    letters.add_argument("what", choices=("list", "retry", "drop"), nargs="?", default="list")
    letters.add_argument("numbers", type=int, nargs="*", metavar="NUMBER", help="as list shows")
    letters.add_argument("--all", action="store_true", help="all of them, for retry and drop")
    letters.add_argument("--json", action="store_true", help="list with payloads, a line each")
    return lambda given: int(given.act(given))


def _settings(parser: ArgumentParser, default: Path | str) -> None:
    words = "settings, as configs/ingest.toml (default: ingest.toml)"
    parser.add_argument("--config", type=Path, default=default, metavar="INGEST_TOML", help=words)


def _read(given: Namespace) -> "Ingest":
    from diastole.ingest.settings import read_ingest

    return read_ingest(given.config)


def _run(given: Namespace) -> int:
    from diastole.ingest.service import serve

    return serve(_read(given))


def _init(given: Namespace) -> int:
    store = _read(given).store()
    try:
        store.init()
    finally:
        store.close()
    print("the store is ready")
    return 0


def _count(given: Namespace) -> int:
    import json

    from diastole.edge.errors import InputError
    from diastole.ingest.stores import StoreAway

    store = _read(given).store()
    try:
        counts = store.count()
    except StoreAway as away:
        what = f"the store cannot be asked ({away})"
        raise InputError(what, away.remedy) from None
    finally:
        store.close()
    if given.json:
        print(json.dumps(counts))
    else:
        for measurement, rows in counts.items():
            print(f"{measurement:10} {rows:>12,}")
    return 0


def _dead_letters(given: Namespace) -> int:
    import sqlite3

    from diastole.edge.errors import BadFile, InputError
    from diastole.ingest.spool import NoRoom, opened

    if given.what != "list" and given.all == bool(given.numbers):
        what = f"dead-letters {given.what} does not know which"
        raise InputError(what, "give their numbers, or --all")
    spool = opened(_read(given).spool_file)
    try:
        if given.what == "list":
            return _list(spool, as_json=given.json)
        numbers = None if given.all else given.numbers
        done = spool.retry(numbers) if given.what == "retry" else spool.drop(numbers)
    except NoRoom as error:
        raise InputError(str(error), "free some space") from None
    except sqlite3.Error as error:
        remedy = "stop and start ingest: it puts a ruined one aside"
        raise BadFile(spool.path, f"cannot be read ({error})", remedy) from None
    finally:
        spool.close()
    told = "go to the store once more" if given.what == "retry" else "are gone"
    print(f"{done} dead letters {told}")
    return 0 if given.all or done == len(set(given.numbers)) else 1


def _list(spool: "Spool", *, as_json: bool) -> int:
    import json
    from datetime import UTC, datetime

    from diastole.edge.errors import shown

    for number, (letter, why, detail) in spool.dead_letters():
        time = datetime.fromtimestamp(letter.received_ms / 1000, UTC).isoformat(timespec="seconds")
        topic = shown(letter.topic)
        if as_json:
            payload = letter.payload.decode("utf-8", "backslashreplace")
            fields = {"number": number, "received": time, "topic": letter.topic, "reason": why}
            print(
                json.dumps({**fields, "detail": detail, "tries": letter.tries, "payload": payload})
            )
        else:
            print(f"{number}  {time}  {topic}  {why}, tries {letter.tries}: {shown(detail)}")
    return 0
