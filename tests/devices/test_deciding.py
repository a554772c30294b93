"""A ring and a watch: every minute is decided by the heart rate alone, or says why it is not."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec

from diastole.edge.agent.clocks import Trust
from diastole.edge.agent.run import Run
from diastole.edge.pipeline.rules import Rules
from diastole.edge.records import Decision, NormalStatus, Reason
from diastole.edge.schema import FEATURE_NAMES
from tests.agent.test_run import told
from tests.fakes.bluez import FakeBluez
from tests.fakes.colmi import Ring
from tests.fakes.devices import Watch, resting
from tests.radio.listening import play, until
from tests.radio.test_record import agent

STORY = ((400, 1.0), (110, 1.18), (130, 0.92))
"""Seconds, and how fast the heart beats: what is usual is learned, then a stir, then calm."""


class Heart(Iterator[int]):
    """Somebody at rest, and stirred on demand."""

    def __init__(self) -> None:
        self.rest, self.share = resting(), 1.0

    def __next__(self) -> int:
        return round(next(self.rest) * self.share)


def test_a_ring_and_a_watch_decide_by_the_heart_rate_alone(tmp_path: Path) -> None:
    heart = Heart()
    ring, watch = Ring(), Watch(intervals=heart)
    settings = msgspec.structs.replace(agent(tmp_path, ring, watch), detector=Rules(normal_need=5))

    async def story(bluez: FakeBluez) -> None:
        stop = asyncio.Event()
        run = Run(
            settings,
            settings.sources(),
            clock=bluez.clock,
            trust=lambda: Trust(True, "told"),
            folder=settings.folder,
        )
        running = asyncio.create_task(run.until(stop))
        for length_s, faster in STORY:
            ring.bpm, heart.share = round(66 * faster), 1 / faster
            enough = len(ring.values) + length_s
            await until(lambda enough=enough: len(ring.values) >= enough or running.done())  # type: ignore[misc]
        stop.set()
        assert await running == 0

    play(story, ring, watch, speed=60)
    readings, _ = told(tmp_path)
    for device in ("device-0", "device-1"):
        mine = [reading for reading in readings if reading.device == device]
        assert {(reading.grade, reading.beats) for reading in mine} == {("heart_rate", 0)}
        known = {name for one in mine for name in FEATURE_NAMES if one.features[name] is not None}
        assert known == {"hr_mean_bpm"}
        assert all(one.inputs["rmssd_above_normal"] is None for one in mine)
        assert {one.reason for one in mine if one.normal_status is NormalStatus.CALIBRATING} <= {
            Reason.CALIBRATING,
            Reason.TOO_FEW_BEATS,
        }
        assert {one.decision for one in mine} == set(Decision)
        assert all((one.reason is None) == (one.decision != "undecided") for one in mine)
        assert mine[-1].decision is Decision.CALM
