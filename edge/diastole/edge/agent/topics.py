"""On which topics an agent is handed something: marks, and what the devices of a phone give."""

from collections.abc import Sequence

from diastole.edge.agent.settings import Agent
from diastole.edge.sources.live import Source
from diastole.edge.sources.mqtt import HandedOver
from diastole.edge.wire.topics import NOBODY, Inbound


def inbound(agent: Agent, subject: str) -> str:
    """Return where a mark for one of the agent's subjects is handed in (``+``: for any)."""
    return str(Inbound(agent.site, agent.agent, subject, NOBODY))


def subscriptions(agent: Agent) -> list[str]:
    """Return the topics on which an agent is handed something."""
    own = str(Inbound(agent.site, agent.agent, "+", "+"))
    return [own, *(item.listens_on(agent) for item in agent.phone if item.topic is not None)]


def handed_over(agent: Agent, sources: Sequence[tuple[str, Source]]) -> dict[str, HandedOver]:
    """Return the sources whose records come by MQTT, by their topics."""
    topics = {
        (item.subject, f"phone-{item.device}"): item.listens_on(agent) for item in agent.phone
    }
    return {
        topics[subject, source.name]: source
        for subject, source in sources
        if isinstance(source, HandedOver)
    }
