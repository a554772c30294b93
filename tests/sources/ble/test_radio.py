"""The machine's Bluetooth where there is no BlueZ, and what devices share."""

import asyncio
import logging

import pytest

from diastole.edge.sources.ble import owner
from diastole.edge.sources.ble.radio import Radio
from tests.sources.played import FakeClock


def test_elsewhere_it_runs_without_the_watch_and_says_that_nobody_has_tried_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_watch(*_: object) -> None:
        pytest.fail("there is no BlueZ to watch")

    monkeypatch.setattr("diastole.edge.sources.ble.radio.sys.platform", "darwin")
    monkeypatch.setattr(owner, "watch", no_watch)

    async def two_devices() -> None:
        radio, clock = Radio(), FakeClock()
        async with radio.watched(clock, pytest.fail), radio.watched(clock, pytest.fail):
            await asyncio.sleep(0)

    with caplog.at_level(logging.WARNING, "diastole"):
        asyncio.run(two_devices())
    assert caplog.text.count("nobody has run this there yet") == 1


def test_devices_on_one_adapter_take_turns() -> None:
    radio, clock = Radio(), FakeClock()
    assert radio.adapter("hci1", clock) is radio.adapter("hci1", clock)
    assert radio.adapter("hci1", clock) is not radio.adapter(None, clock)
