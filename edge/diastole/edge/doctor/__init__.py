"""``diastole doctor``: what is wrong between the wearer and the store, and the remedy."""

from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console
from rich.text import Text

from diastole.edge.agent.settings import Agent, read_agent
from diastole.edge.doctor import agent as of_agent
from diastole.edge.doctor import broker
from diastole.edge.doctor.finding import Finding
from diastole.edge.doctor.secrets import redacted, secrets
from diastole.edge.errors import DiastoleError, InputError, Mistakes
from diastole.edge.mqtt import Broker
from diastole.edge.settings import read_table
from diastole.edge.views.words import GREY, ORANGE, VERMILLION

OF_INGEST: Final = "diastole.ingest.health:checks"
"""Rows of a Finding, of a path of ``ingest.toml``; named only, as the agent knows no ingest."""
RUNNING: Final = "ingest"
"""The row of ingest that says whether it runs."""
AGENT_FILE: Final = Path("agent.toml")
INGEST_FILE: Final = Path("ingest.toml")
WORDS: Final = {"ok": "ok  ", "warn": "look", "fail": "FAIL"}
STYLES: Final = {"ok": GREY, "warn": ORANGE, "fail": f"bold {VERMILLION}"}

Check = Callable[[], Iterable[Finding]]


def examine(
    agent: Path | None, ingest: Path | None, state: Path | None = None
) -> Iterator[Finding]:
    """Yield what every check finds, each name behind the file that it belongs to.

    ``state`` is the agent's folder where it is not that of its settings.
    """
    if agent is None and ingest is None:
        what = f"neither {AGENT_FILE} nor {INGEST_FILE} is here"
        yield Finding("settings", "fail", what, "name one: --agent FILE, --ingest FILE")
    if agent is not None:
        yield from _named("agent", _agent_checks(agent, state))
    if ingest is not None:
        yield from _named("ingest", _ingest_checks(ingest))


def _agent_checks(path: Path, state: Path | None) -> Iterator[Finding]:
    read: list[Agent] = []
    yield from _told("settings", lambda: _read(path, lambda: read.append(read_agent(path))))
    for given in read:
        agent = given if state is None else msgspec.structs.replace(given, state=str(state))
        for name, check in (
            ("machine", of_agent.of_machine),
            ("model", of_agent.of_model),
            ("outbox", of_agent.of_outbox),
            ("broker", of_agent.of_broker),
        ):
            yield from _told(name, partial(check, agent))


def _ingest_checks(path: Path) -> Iterator[Finding]:
    module, function = OF_INGEST.split(":")
    try:
        checks = getattr(import_module(module), function)
    except ModuleNotFoundError as error:
        what = f"{error.name} is not installed"
        yield Finding("store", "fail", what, "pip install 'diastole[ingest]'")
        return
    rows: list[Finding] = []
    for row in checks(path):
        rows.append(Finding(*row))
        yield rows[-1]
    runs = any((row.name, row.state) == (RUNNING, "ok") for row in rows)
    yield from _told("broker", lambda: _ingest_broker(path, runs=runs))


def _ingest_broker(path: Path, *, runs: bool) -> Iterator[Finding]:
    chosen = read_table(path, "broker", Broker) or Broker()
    found = broker.reached(chosen)
    yield found
    if found.state == "fail":
        return
    yield from broker.certificates(chosen)
    if runs and chosen.user:  # a login of the same user may throw it off
        yield Finding("login", "ok", f"left to ingest, which is running as {chosen.user}")
        return
    with broker.conversation(chosen, chosen.user, [], lambda _: None) as connection:
        yield from broker.login(connection, chosen)


def _read(path: Path, read: Callable[[], Any]) -> Iterator[Finding]:
    read()
    yield Finding("settings", "ok", f"{path} is right")


def _told(name: str, check: Check) -> Iterator[Finding]:
    """Yield what a check finds; a mistake that it meets is a finding, too."""
    try:
        yield from check()
    except Mistakes as error:
        for one in error.found:
            yield Finding(name, "fail", one.what, one.remedy)
    except InputError as error:
        yield Finding(name, "fail", error.what, error.remedy)
    except DiastoleError as error:
        yield Finding(name, "fail", str(error), "install it")


def _named(whose: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    for finding in findings:
        yield finding._replace(name=f"{whose} {finding.name}")


def doctor(given: Namespace, console: Console) -> int:
    """Tell every finding on a line; return 0 where nothing fails, else 1."""
    agent, ingest = given.agent, given.ingest
    if agent is None and ingest is None:
        agent, ingest = (file if file.exists() else None for file in (AGENT_FILE, INGEST_FILE))
    hidden = secrets(agent, ingest)
    failed = False
    for finding in examine(agent, ingest, given.state):
        shown = redacted(finding, hidden)
        failed |= shown.state == "fail"
        if given.json:
            print(msgspec.json.encode(shown._asdict()).decode(), flush=True)
        else:
            _print(shown, console)
    return int(failed)


def _print(finding: Finding, console: Console) -> None:
    line = Text()
    line.append(WORDS[finding.state], STYLES[finding.state])
    line.append(f"  {finding.name}: {finding.what}")
    if finding.state != "ok" and finding.remedy:
        line.append(f" -> {finding.remedy}")
    console.print(line, soft_wrap=True)
