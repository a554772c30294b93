"""The agent's verbs: each declares its options and returns what does the work."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path

Run = Callable[[Namespace], int]


def replay(parser: ArgumentParser) -> Run:
    """Declare ``diastole replay``: recordings in, tables and pictures out."""
    add = parser.add_argument
    add("path", type=Path, metavar="FILE|DIR", help="a recording, or a folder of them")
    add("--out", type=Path, help="table (.parquet, .csv, .jsonl), episodes beside; or a folder")
    add("--plot", type=Path, metavar="PNG|SVG", help="draw the session")
    add("--beats", action="store_true", help="write every beat with its verdict beside the table")
    add("--labels", type=Path, help="label file, or a folder of them: adds a column label")
    add("--model", default="shipped", metavar="FILE|none", help="default: the shipped one")
    add("--engine", choices=("vectorised", "neurokit"), default="vectorised", help="of features")
    add("--format", help="name of the format, where its content does not tell")
    add("--subject", help="pseudonym of the wearer, [a-z0-9-] (default: from the name)")
    add("--subjects", type=Path, metavar="CSV", help="session,subject of each session")
    add("--state", type=Path, metavar="DIR", help="hand a wearer's normal on from file to file")
    add(
        "--jobs",
        type=_at_least_one,
        metavar="N",
        help="sessions of a folder at a time (default: one a processor)",
    )
    add("--force", action="store_true", help="replace what exists")
    return _replay


def simulate(parser: ArgumentParser) -> Run:
    """Declare ``diastole simulate``: a story in, a session of a simulated wearer out."""
    add = parser.add_argument
    add("scenario", type=Path, metavar="SCENARIO", help="the story, a TOML file")
    add("--out", type=Path, required=True, metavar="FILE", help="session (.jsonl, .jsonl.gz)")
    add("--seed", type=int, default=0, metavar="N", help="another number, another day (default: 0)")
    add("--truth", type=Path, metavar="FILE", help="what was so (default: truth.csv beside it)")
    add("--force", action="store_true", help="replace what exists")
    return _simulate


def demo(parser: ArgumentParser) -> Run:
    """Declare ``diastole demo``: a simulated wearer's story, then a real session's."""
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for what it writes")
    return _demo


def watch(parser: ArgumentParser) -> Run:
    """Declare ``diastole watch``: what a broker carries, live."""
    add = parser.add_argument
    add("--broker", metavar="HOST:PORT", help="default: 127.0.0.1:1883")
    add(
        "--config",
        type=Path,
        metavar="FILE",
        help="take its [broker]: of an agent.toml, or a viewer's own",
    )
    add("--site", help="of this site alone")
    add("--once", action="store_true", help="listen for a few seconds, show, and end")
    add("--json", action="store_true", help="a line of JSON for each record")
    return _watch


def scan(parser: ArgumentParser) -> Run:
    """Declare ``diastole scan``: which Bluetooth devices are in reach."""
    add = parser.add_argument
    add("--seconds", type=_seconds, default=15.0, metavar="N", help="so long (default: 15)")
    add("--adapter", metavar="hciN", help="default: the system's first")
    add("--json", action="store_true", help="a line of JSON for each device, in the end")
    return _scan


def doctor(parser: ArgumentParser) -> Run:
    """Declare ``diastole doctor``: what is wrong from wearer to store, and the remedy."""
    add = parser.add_argument
    add("--agent", type=Path, metavar="FILE", help="default: agent.toml, where it is here")
    add("--state", type=Path, metavar="DIR", help="the agent's, where it was given to run")
    add("--ingest", type=Path, metavar="FILE", help="default: ingest.toml, where it is here")
    add("--json", action="store_true", help="a line of JSON for each finding")
    return _doctor


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        wrong = f"{text!r} is no whole number from 1 on"
        raise ArgumentTypeError(wrong)
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= 3600:
        wrong = f"{text!r} is no number of seconds up to 3600"
        raise ArgumentTypeError(wrong)
    return seconds


def _replay(given: Namespace) -> int:
    from diastole.edge.replay.run import replay_path

    return replay_path(given)


def _simulate(given: Namespace) -> int:
    import sys

    from diastole.edge.sources.scenario import read_scenario
    from diastole.edge.sources.simulate import write_session

    truth = given.truth or given.out.with_name("truth.csv")
    scenario = read_scenario(given.scenario)
    write_session(scenario, given.seed, given.out, truth, force=given.force)
    minutes = scenario.edges_s[-1] / 60
    print(f"a simulated wearer, {minutes:g} min: diastole replay {given.out} --labels {truth}")
    for path in (given.out, truth):
        print(f"written: {path}", file=sys.stderr)
    return 0


def _demo(given: Namespace) -> int:
    from rich.console import Console

    from diastole.edge.demo import run

    _shows()
    return run(given.out, Console())


def _watch(given: Namespace) -> int:
    from rich.console import Console

    from diastole.edge.watch import watch

    _shows()
    return watch(given, Console())


def _scan(given: Namespace) -> int:
    from rich.console import Console

    from diastole.edge.sources.ble.scan import scan

    _shows()
    return scan(given, Console())


def _doctor(given: Namespace) -> int:
    from rich.console import Console

    from diastole.edge.doctor import doctor

    _shows()
    return doctor(given, Console())


def _shows() -> None:
    """Let a verb that shows what happens end tidily by any signal, and show no log beside it."""
    import io
    import logging
    import sys

    from diastole.edge.stopping import interrupts

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a mark may hold what a terminal cannot show
    logging.getLogger("diastole").addHandler(logging.NullHandler())
    interrupts()
