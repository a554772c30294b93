"""A mark handed to a running agent over its broker, and whether it was taken."""

import queue
import secrets
import sys
import time
from typing import Final

from diastole.edge.agent.settings import Agent
from diastole.edge.agent.topics import inbound
from diastole.edge.delivery.publisher import NOBODY_LISTENS
from diastole.edge.errors import InputError
from diastole.edge.mqtt import Broker, Connection
from diastole.edge.records import Mark
from diastole.edge.wire import encode
from diastole.edge.wire.topics import NOBODY

WAIT_S: Final = 15.0
LONGEST: Final = 1000
OK: Final = 0
FAILED: Final = 1


def send(agent: Agent, text: str, subject: str | None) -> int:
    """Publish a mark of this moment; say whether the broker had an agent for it."""
    name = _subject(agent, subject)
    if not text.strip() or len(text) > LONGEST:
        what = f"the text has {len(text)} characters"
        raise InputError(what, f"give some, up to {LONGEST}")
    now = Mark(device=NOBODY, time_ns=time.time_ns(), text=text, by="wearer")
    client_id = f"{agent.agent[:50]}-mark-{secrets.token_hex(4)}"
    refusal = _published(_sender(agent), client_id, inbound(agent, name), encode(now))
    if refusal is not None:
        if NOBODY_LISTENS in refusal:
            nobody = f"no agent {agent.agent} of site {agent.site} is at the broker"
            refusal = f"{nobody}: start diastole run, or see its log"
        print(f"diastole: the mark was not taken: {refusal}", file=sys.stderr)
        return FAILED
    print(f"marked for {name}: {text}")
    return OK


def _subject(agent: Agent, subject: str | None) -> str:
    known = [item.name for item in agent.subjects]
    if subject is None and len(known) == 1:
        return known[0]
    if subject not in known:
        what = "no --subject is given" if subject is None else f"no subject is called {subject!r}"
        raise InputError(what, f"name one of {', '.join(known)}")
    return subject


def _sender(agent: Agent) -> Broker:
    """Return how to log in: a broker may throw the agent off for another client of its user."""
    if agent.sender is None and agent.broker.user is not None:
        what = f"a mark as user {agent.broker.user} may throw the agent off the broker"
        raise InputError(what, "add [sender] to the agent's settings: as [broker], its own user")
    return agent.sender or agent.broker


def _published(broker: Broker, client_id: str, topic: str, payload: bytes) -> str | None:
    """Publish, and return None where the broker passed it on, else why it did not."""
    answers: queue.Queue[str | None] = queue.Queue()
    sent: list[int | None] = []

    def published(_generation: int, mid: int, refusal: str | None) -> None:
        if mid in sent:
            answers.put(refusal)

    ups: queue.Queue[int] = queue.Queue()
    connection = Connection(
        broker,
        client_id,
        subscriptions=(),
        on_message=lambda _: None,
        on_up=ups.put,
        on_published=published,
        clean=True,
    )
    connection.start()
    try:
        ups.get(timeout=WAIT_S)
        sent.append(connection.publish(topic, payload))
        return answers.get(timeout=WAIT_S)
    except queue.Empty:
        return connection.trouble or f"no answer from {broker} within {WAIT_S:g} s"
    finally:
        connection.stop()
