"""What an agent needs, by its ``agent.toml``: nothing is changed, an outbox is only read."""

import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from diastole.edge.agent.clocks import system_trust
from diastole.edge.agent.settings import Agent
from diastole.edge.delivery.file import depth_at
from diastole.edge.delivery.produced import Produced, newest_at, produced_at
from diastole.edge.doctor import broker, machine, outbox
from diastole.edge.doctor.finding import Finding, State
from diastole.edge.mqtt import Connection, Received
from diastole.edge.pipeline.scoring import load_model, shipped
from diastole.edge.records import SECOND_NS, Status
from diastole.edge.schema import FEATURE_SCHEMA, INPUT_SCHEMA
from diastole.edge.wire import WIRE_SCHEMA, decode
from diastole.edge.wire.messages import Ack, Hello, Message, parse, to_bytes
from diastole.edge.wire.topics import NOBODY, Stream, Topic, ack

OUTBOX: Final = "outbox.db"
ANSWER_S: Final = 5.0
"""Ingest acknowledges at most 200 ms late."""
SOON_S: Final = 10.0
"""By then what was said is acknowledged, where all is well."""
RETAINED_S: Final = 0.5
"""What a broker has kept comes at once behind the subscription."""


def of_machine(agent: Agent) -> Iterator[Finding]:
    """Yield what the machine gives the agent: clock, disk, libraries."""
    yield _clock(agent)
    yield from machine.room(agent.folder)
    if agent.engine == "neurokit" and find_spec("neurokit2") is None:
        remedy = "pip install 'diastole[neurokit]', or write engine = \"vectorised\""
        yield Finding("engine", "fail", "neurokit2 is not installed", remedy)
    else:
        yield Finding("engine", "ok", f"{agent.engine}, features of {FEATURE_SCHEMA}")


def _clock(agent: Agent) -> Finding:
    trust = system_trust()
    if trust.trusted:
        return Finding("clock", "ok", trust.why)
    remedy = "switch on NTP (timedatectl set-ntp true)"
    if agent.clock == "trusted":
        return Finding("clock", "warn", f"{trust.why}, and agent.toml trusts it", remedy)
    if not any(source.live for _, source in agent.sources()):
        what = f"{trust.why}; nothing that is replayed or simulated waits for it"
        return Finding("clock", "warn", what, remedy)
    what = f"{trust.why}, and the agent says nothing before it is"
    return Finding("clock", "fail", what, f'{remedy}, wait, or write clock = "trusted"')


def of_model(agent: Agent) -> Iterator[Finding]:
    """Yield whether the model's file fits this version."""
    if agent.model == "none":
        remedy = 'write model = "shipped", or name a file'
        yield Finding("model", "warn", "none: every reading will be undecided", remedy)
        return
    path = shipped() if agent.model == "shipped" else Path(agent.model)
    model = load_model(path)  # raises a sentence where it does not fit
    what = f"{agent.model} {model.hash[:12]}, takes {INPUT_SCHEMA}"
    yield Finding("model", "ok", what)


def of_outbox(agent: Agent) -> Iterator[Finding]:
    """Yield what waits in the outbox."""
    yield from outbox.depth(agent.folder / OUTBOX)


def of_broker(agent: Agent) -> Iterator[Finding]:
    """Yield whether the broker lets the agent in, ingest answers, and nobody else is called so.

    The greeting that ingest is asked with is the agent's own, so its answer does the agent good.
    """
    found = broker.reached(agent.broker)
    yield found
    if found.state == "fail":
        return
    yield from broker.certificates(agent.broker)
    path = agent.folder / OUTBOX
    named = agent.broker.user is not None
    if named and outbox.owned(path):
        yield from _left_alone(path)
        return
    streams = produced_at(path) if path.exists() else []
    queue = SimpleQueue[Received]()
    topics = [ack(agent.site, agent.agent)]
    if not named:  # a user's rights end here, and the session is the agent's own
        topics.append(str(Topic(agent.site, agent.agent, NOBODY, Stream.STATUS)))
    name = agent.agent if named else None
    with broker.conversation(agent.broker, name, topics, queue.put) as connection:
        yield from broker.login(connection, agent.broker)
        if connection.connected:
            yield from _namesake(queue, streams, agent)
            yield _acknowledged(connection, queue, streams, agent)


def _left_alone(path: Path) -> Iterator[Finding]:
    """Yield what can be known of a running agent whose login would throw it off."""
    held = depth_at(path)
    age_s = 0 if held.oldest_ns is None else time.time() - held.oldest_ns / SECOND_NS
    if age_s < SOON_S:
        what = "the agent is running, and what it says is acknowledged"
        yield Finding("acknowledgement", "ok", what)
        return
    what = f"the agent is running, and nothing that it says is acknowledged for {age_s:.0f} s"
    remedy = "see its log; or stop it and ask again, as its user has one connection"
    state: State = "warn" if age_s < outbox.PATIENCE_S else "fail"
    yield Finding("acknowledgement", state, what, remedy)
    if (body := newest_at(path, NOBODY, Stream.STATUS)) is not None:
        yield from _trouble(body)


def _acknowledged(
    connection: Connection, queue: SimpleQueue[Received], streams: list[Produced], agent: Agent
) -> Finding:
    """Greet ingest as the agent does; return whether it answers."""
    asked = Hello(v=WIRE_SCHEMA, agent=agent.agent, streams=outbox.greeting(streams))
    topic = Topic(agent.site, agent.agent, NOBODY, Stream.HELLO)
    begun_s = time.monotonic()
    connection.publish(str(topic), to_bytes(asked))
    for payload in _payloads(queue, ack(agent.site, agent.agent), ANSWER_S):
        parse(payload, Ack)
        what = f"ingest answers in {time.monotonic() - begun_s:.1f} s"
        return Finding("acknowledgement", "ok", what)
    what = f"no ingest answers for site {agent.site} within {ANSWER_S:g} s"
    remedy = "start diastole ingest run; may it read this site, and write the topic of answers?"
    return Finding("acknowledgement", "fail", what, remedy)


def _namesake(
    queue: SimpleQueue[Received], streams: list[Produced], agent: Agent
) -> Iterator[Finding]:
    """Yield whether the agent that the broker has heard last is the one of this outbox."""
    topic = str(Topic(agent.site, agent.agent, NOBODY, Stream.STATUS))
    for payload in _payloads(queue, topic, RETAINED_S):
        message = parse(payload, Message)
        own = outbox.status_sid(streams)
        if message.sid is None:
            yield Finding("agent", "warn", "it is not running", "start it by diastole run")
        elif message.sid != own:
            what = f"another outbox speaks as agent {agent.agent} of site {agent.site}"
            remedy = "give each agent a name of its own: two of one name throw each other off"
            yield Finding("agent", "fail", what, remedy)
        else:
            yield Finding("agent", "ok", f"{agent.agent} is running, and nobody else is called so")
            for record in message.records:
                yield from _trouble(bytes(record))
        return


def _trouble(body: bytes) -> Iterator[Finding]:
    """Yield what the agent itself has trouble with, by its status."""
    record = decode(body)
    if isinstance(record, Status) and (said := record.text.get("trouble")):
        yield Finding("trouble", "warn", f"the agent says: {said}", "see its log")


def _payloads(queue: SimpleQueue[Received], topic: str, seconds: float) -> Iterator[bytes]:
    """Yield what comes on a topic in that time; what is none of ours is passed over."""
    ends_s = time.monotonic() + seconds
    while (left_s := ends_s - time.monotonic()) > 0:
        try:
            received = queue.get(timeout=left_s)
        except Empty:
            return
        if received.topic == topic:
            yield received.payload
