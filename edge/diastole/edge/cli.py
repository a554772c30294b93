"""The ``diastole`` command: a table of verbs, each loaded when it is called.

Nothing of ours is imported at the top, and rooms that the agent must not know stand here as strings
only. A verb is ``def verb(parser) -> run``: it declares its options and returns what does the work;
what is heavy is imported inside ``run``, so that its ``--help`` needs no extra.
"""

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from errno import ENOSPC
from importlib import import_module
from typing import Final, NamedTuple, cast

from diastole.edge import __version__

OK: Final = 0
FAILED: Final = 1
MISTAKE: Final = 2
INTERRUPTED: Final = 130

Run = Callable[[Namespace], int]
Command = Callable[[ArgumentParser], Run]


class Verb(NamedTuple):
    """Where a verb is found (``module:function``), its line of help, the extra that it needs."""

    place: str
    line: str
    extra: str | None = None


VERBS: Final = {
    "demo": Verb("diastole.edge.commands:demo", "the whole path simulated, a real session told"),
    "doctor": Verb("diastole.edge.commands:doctor", "what is wrong, and what to do about it"),
    "evaluate": Verb(
        "diastole.models.commands:evaluate", "how well stress is told, on people unseen", "train"
    ),
    "ingest": Verb("diastole.ingest.commands:ingest", "take in what agents send, into a store"),
    "mark": Verb("diastole.edge.agent.commands:mark", "note a moment in a wearer's stream"),
    "replay": Verb("diastole.edge.commands:replay", "recordings in, tables and pictures out"),
    "run": Verb("diastole.edge.agent.commands:run", "the agent: sources in, readings to a broker"),
    "simulate": Verb(
        "diastole.edge.commands:simulate", "a simulated wearer's session, and its truth"
    ),
    "train": Verb("diastole.models.commands:train", "fit and export the model", "train"),
    "watch": Verb("diastole.edge.commands:watch", "what comes over a broker, live"),
}


def main(given: Sequence[str] | None = None) -> int:
    """Run one verb; return 0 fine, 1 failed work, 2 a user's mistake, 130 interrupted."""
    words = list(sys.argv[1:] if given is None else given)
    try:
        try:
            return called(words)
        finally:
            if sys.stdout is not None:  # who closed it does not read
                sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Who read us has gone (`| head`); without this the interpreter's last flush complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        if error.errno != ENOSPC:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return told("what is printed cannot be written, the disk is full: free some space")


def called(words: list[str]) -> int:
    """Find the verb in ``words`` and do its work; a mistake becomes one line on stderr."""
    verb = next((word for word in words if not word.startswith("-")), None)
    parser, entries = table()
    if verb is None:
        parser.parse_args(words)
        parser.print_help()
        return OK
    if verb not in VERBS:
        return told(f"no verb {verb!r}: {advice(verb)}")
    try:
        run = load(verb)(entries[verb])
        return run(parser.parse_args(words))
    except ModuleNotFoundError as error:
        extra = VERBS[verb].extra
        if extra is None or (error.name or "").split(".")[0] == "diastole":
            raise
        return told(f"{verb} needs {error.name}: pip install 'diastole[{extra}]'")
    except Exception as error:
        from diastole.edge.errors import DiastoleError  # late: --help loads nothing of ours

        if not isinstance(error, DiastoleError):
            raise
        return told(str(error))


def table() -> tuple[ArgumentParser, dict[str, ArgumentParser]]:
    """Return the parser and its entry for each verb, which only the called one fills."""
    parser = ArgumentParser(
        prog="diastole",
        description="Stress from heartbeats, on your own machines. Monitors and supports; "
        "diagnoses nothing.",
        epilog="diastole VERB --help tells a verb's options.",
    )
    parser.add_argument("--version", action="version", version=f"diastole {__version__}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=False)
    return parser, {
        name: verbs.add_parser(name, help=verb.line, description=sentence(verb.line))
        for name, verb in VERBS.items()
    }


def load(verb: str) -> Command:
    """Import the function that stands in the table."""
    module, function = VERBS[verb].place.split(":")
    return cast("Command", getattr(import_module(module), function))


def advice(word: str) -> str:
    """Ask whether the most similar verb was meant, or name the help where none is similar."""
    from difflib import get_close_matches

    similar = get_close_matches(word, VERBS, n=1)
    return f"did you mean {similar[0]!r}?" if similar else "see diastole --help"


def sentence(line: str) -> str:
    """Begin with a capital and end with a full stop."""
    return f"{line[:1].upper()}{line[1:]}."


def told(text: str) -> int:
    """Say on stderr what the user got wrong."""
    print(f"diastole: {text}", file=sys.stderr)
    return MISTAKE
