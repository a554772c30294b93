"""The agent's own verbs: ``diastole run`` and ``diastole mark``."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path

Run = Callable[[Namespace], int]


def run(parser: ArgumentParser) -> Run:
    """Declare ``diastole run``: what is worn, replayed or simulated, to the broker."""
    add = parser.add_argument
    add("settings", type=Path, metavar="AGENT_TOML", help="as configs/agent.toml")
    add("--state", type=Path, metavar="DIR", help="outbox and learned normals (default: XDG's)")
    return _run


def mark(parser: ArgumentParser) -> Run:
    """Declare ``diastole mark``: an annotation, handed to a running agent over its broker."""
    add = parser.add_argument
    add("text", metavar="TEXT", help="what happens")
    add("--subject", help="whom it concerns (default: the agent's only one)")
    add(
        "--agent-file",
        type=Path,
        default=Path("agent.toml"),
        metavar="AGENT_TOML",
        help="the agent's settings (default: agent.toml)",
    )
    return _mark


def _run(given: Namespace) -> int:
    import logging

    from diastole.edge.agent.run import run_agent
    from diastole.edge.agent.settings import read_agent

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    agent = read_agent(given.settings)
    return run_agent(agent, given.state or agent.folder)


def _mark(given: Namespace) -> int:
    import logging

    from diastole.edge.agent.mark import send
    from diastole.edge.agent.settings import read_agent

    logging.getLogger("diastole").addHandler(logging.NullHandler())  # what is wrong is said once
    return send(read_agent(given.agent_file), given.text, given.subject)
