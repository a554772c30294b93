"""No process outlives its test."""

from collections.abc import Iterator

import pytest

from tests.agent.ingesting import Process


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    yield
    while Process.started:
        Process.started.pop().kill()
