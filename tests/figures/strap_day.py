"""Twelve hours of a strap through the whole agent, on the injected clock: ``python -m …``.

The agent is a process of its own, from bleak to the broker; radio, broker and ingest are not in it.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from diastole.edge.agent.clocks import Trust
from diastole.edge.agent.run import Run
from diastole.edge.agent.settings import read_agent
from diastole.edge.chunks import Chunk
from diastole.edge.clock import Clock
from diastole.edge.sources.ble.kinds import kinds
from diastole.edge.sources.ble.radio import Radio
from diastole.edge.sources.ble.source import BleSource
from diastole.edge.sources.ble.supervisor import Wanted
from diastole.edge.wire.topics import Stream
from tests.agent.ingesting import Ingest
from tests.fakes.clock import FastClock
from tests.fakes.devices import Strap
from tests.fakes.radio import radio
from tests.servers import mosquitto

HOURS: Final = 12.0
SPEED: Final = 100.0
LOOKS: Final = 60
"""In an hour."""
FLAT_MB: Final = 5.0
SILENT_S: Final = 8.0
"""At the end, so that what was sent has come."""


class Counted(BleSource):
    """Counts the beats that it hands to the agent."""

    beats = 0

    async def chunks(
        self, clock: Clock, cursor: bytes | None
    ) -> AsyncIterator[tuple[Chunk, bytes]]:
        async for chunk, after in super().chunks(clock, cursor):
            self.beats += len(chunk.beats)
            yield chunk, after


# ---- in the agent's process


async def agent(folder: Path, clock: FastClock, hours: float, address: str) -> None:
    """Run it for so long; print a line an hour."""
    settings = read_agent(folder / "agent.toml")
    source = Counted(Wanted(device="strap", address=address), None, Radio(), kinds())
    sources = [("anna", source)]
    run = Run(
        settings, sources, clock=clock, trust=lambda: Trust(True, "injected"), folder=folder / "s"
    )
    stop = asyncio.Event()
    running = asyncio.create_task(run.until(stop))
    begun_s = clock.monotonic()
    for hour in range(1, round(hours) + 1):
        rss_mb, tasks = [], []
        for look in range(1, LOOKS + 1):
            due_s = begun_s + 3600 * (hour - 1 + look / LOOKS)
            await clock.sleep(due_s - clock.monotonic())
            if running.done():
                running.result()
            rss_mb.append(_rss_mb())
            tasks.append(len(asyncio.all_tasks()))
        status = source.status(clock)
        told = {
            "hour": hour,
            "rss_mb": float(np.median(rss_mb)),
            "most_mb": max(rss_mb),
            "tasks": int(np.median(tasks)),
            "most_tasks": max(tasks),
            "beats": source.beats,
            "links": 0 if status is None else status.values["links"],
        }
        print(json.dumps(told), flush=True)
    await clock.sleep(SILENT_S)
    stop.set()
    await running
    await asyncio.sleep(0.1)  # what was cancelled ends
    left = [repr(task) for task in asyncio.all_tasks() - {asyncio.current_task()}]
    print(json.dumps({"left": left, "beats": source.beats}), flush=True)


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


# ---- beside it


SETTINGS: Final = """engine = "vectorised"
clock = "trusted"
[broker]
port = {port}
[[subjects]]
name = "anna"
[[bluetooth]]
subject = "anna"
device = "strap"
address = "{address}"
"""


async def day(hours: float, speed: float) -> None:
    """Run the radio, the broker and ingest round an agent, and print what it tells."""
    clock, strap = FastClock(speed), Strap()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chmod(folder, 0o755)
        broker = mosquitto(folder)
        settings = SETTINGS.format(port=broker.port, address=strap.address)
        (folder / "agent.toml").write_text(settings, encoding="utf-8")
        try:
            async with radio(strap, clock=clock):
                with Ingest(broker.port) as ingest:
                    await _child(folder, clock, hours, strap)
                    readings = len(ingest.of(Stream.READING))
            print(f"readings that ingest holds: {readings} of {hours * 720:.0f} at most")
        finally:
            broker.stop()


async def _child(folder: Path, clock: FastClock, hours: float, strap: Strap) -> None:
    command = [sys.executable, "-m", "tests.figures.strap_day", "--agent", str(folder)]
    command += ["--hours", str(hours), "--speed", str(clock.speed), "--address", strap.address]
    command += ["--epoch", *clock.epoch]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    rss_mb = []
    print("hour  RSS MB (median, most)  tasks (median, most)   beats  links")
    async for line in process.stdout:
        told = json.loads(line)
        if "left" in told:
            _tell_end(told, strap)
            continue
        rss_mb.append(told["rss_mb"])
        strap.mute = told["hour"] == round(hours)
        print(
            f"{told['hour']:4}  {told['rss_mb']:12.1f}  {told['most_mb']:7.1f}  "
            f"{told['tasks']:13}  {told['most_tasks']:4}  {told['beats']:8}  {told['links']:5.0f}",
            flush=True,
        )
    if await process.wait():
        sys.exit(1)
    grown = max(rss_mb) - rss_mb[0]
    print(f"RSS, hour 1 to {len(rss_mb)}: {grown:+.1f} MB at most (to reach: {FLAT_MB:g})")


def _tell_end(told: dict[str, Any], strap: Strap) -> None:
    bleak = [task for task in told["left"] if "/bleak/" in task]
    print(f"beats sent while linked {len(strap.heard)}, told {told['beats']}")
    ours = [task for task in told["left"] if task not in bleak]
    print(f"tasks left after the stop: {len(ours)} {ours or ''}, of bleak's {len(bleak)}")


def main() -> None:
    """Run either side."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=float, default=HOURS)
    parser.add_argument("--speed", type=float, default=SPEED)
    parser.add_argument("--agent", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--address", help=argparse.SUPPRESS)
    parser.add_argument("--epoch", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    logging.getLogger().setLevel(logging.ERROR)
    if given.agent:
        clock = FastClock(given.speed, epoch=given.epoch)
        asyncio.run(agent(given.agent, clock, given.hours, given.address))
        return
    begun_s = time.monotonic()
    print(f"{given.hours:g} h of a strap at {given.speed:g} times their speed, vectorised engine")
    asyncio.run(day(given.hours, given.speed))
    print(f"took {time.monotonic() - begun_s:.0f} s")


if __name__ == "__main__":
    main()
