"""What cannot be meant of what is handed over is said, each with its remedy."""

from pathlib import Path

import pytest

from diastole.edge.agent.settings import read_agent
from diastole.edge.agent.topics import handed_over, subscriptions
from diastole.edge.errors import Mistakes
from tests.agent.test_run import settings

STRAP = '[[phone]]\nsubject = "anna"\ndevice = "strap"\n'
LOGGER = '[[phone]]\nsubject = "anna"\ndevice = "h10"\nkind = "polar-sensor-logger"\n'


def test_each_kind_listens_on_its_topic(tmp_path: Path) -> None:
    agent = read_agent(settings(tmp_path, STRAP + LOGGER + 'topic = "psl"'))
    assert subscriptions(agent) == ["diastole/in/v1/home/agent/+/+", "psl/hr"]
    topics = handed_over(agent, agent.sources())
    assert list(topics) == ["diastole/in/v1/home/agent/anna/strap", "psl/hr"]


@pytest.mark.parametrize(
    ("table", "what"),
    [
        (LOGGER, "the topic is missing"),
        (LOGGER + 'topic = "diastole/v1"', "topics below diastole have a meaning of their own"),
        (LOGGER + 'topic = "psl/#"', "topic"),
        (STRAP + 'topic = "psl"', "our own records come on a topic that the names give"),
        (STRAP + STRAP, "another device called 'strap'"),
        (STRAP.replace("anna", "bert"), "no subject is called 'bert'"),
    ],
)
def test_a_mistake_is_said(tmp_path: Path, table: str, what: str) -> None:
    with pytest.raises(Mistakes) as caught:
        read_agent(settings(tmp_path, table))
    assert what in str(caught.value)
