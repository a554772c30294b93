"""What a live agent with one strap costs, by engine: ``python -m tests.figures.live_agent``.

``diastole run`` as it is, in real time, a process an engine; radio, broker and ingest are not in
it. Past five minutes the features over 300 s are computed, too: it is measured after that.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from diastole.edge.wire.topics import Stream
from tests.agent.ingesting import Ingest
from tests.fakes.devices import Strap
from tests.fakes.radio import radio
from tests.servers import Running, mosquitto

ENGINES: Final = ("neurokit", "vectorised")
SETTLE_S: Final = 330.0
MEASURE_S: Final = 180.0
START_S: Final = 60.0
MOST_MB: Final = 100.0
"""Of the vectorised engine."""
SETTINGS: Final = """agent = "{engine}"
engine = "{engine}"
clock = "trusted"
state = "{folder}"
[broker]
port = {port}
[[subjects]]
name = "{engine}"
[[bluetooth]]
subject = "{engine}"
device = "strap"
address = "{address}"
"""


@dataclass
class Measured:
    """One agent."""

    engine: str
    process: asyncio.subprocess.Process
    start_s: float
    """From its call to the first packet that it is sent."""
    cpu_s: float = 0.0
    rss_mb: float = 0.0
    most_mb: float = 0.0


async def started(engine: str, strap: Strap, port: int, folder: Path) -> Measured:
    """Start an agent, and wait until its strap sends to it."""
    lines = SETTINGS.format(engine=engine, folder=folder, port=port, address=strap.address)
    path = folder / f"{engine}.toml"
    _write(path, lines)
    begun_s = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "diastole", "run", path, stderr=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(START_S):
        while not strap.measurement.subscribed:  # noqa: ASYNC110 - the fake has no event for it
            await asyncio.sleep(0.01)
    return Measured(engine, process, time.monotonic() - begun_s)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def cpu_s(pid: int) -> float:
    """Return the seconds of one core that a process has used, all of its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb(pid: int, what: str) -> float:
    """Return its ``VmRSS`` or ``VmHWM``."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    (line,) = [line for line in status.splitlines() if line.startswith(f"{what}:")]
    return int(line.split()[1]) * 1024 / 1e6


async def measure(folder: Path, port: int, settle_s: float, measure_s: float) -> list[Measured]:
    """Run all engines, each started alone, and measure them over the same time."""
    straps = [Strap(f"F0:13:C3:00:00:0{n}", f"Strap {n}") for n in range(len(ENGINES))]
    agents: list[Measured] = []
    async with radio(*straps):
        try:
            for engine, strap in zip(ENGINES, straps, strict=True):
                agents.append(await started(engine, strap, port, folder / engine))
            await asyncio.sleep(settle_s)
            before = {agent.engine: cpu_s(agent.process.pid) for agent in agents}
            await asyncio.sleep(measure_s)
            for agent in agents:
                pid = agent.process.pid
                agent.cpu_s = cpu_s(pid) - before[agent.engine]
                agent.rss_mb, agent.most_mb = rss_mb(pid, "VmRSS"), rss_mb(pid, "VmHWM")
        finally:
            for agent in agents:
                agent.process.terminate()
                await agent.process.wait()
    return agents


@contextmanager
def broker() -> Iterator[tuple[Path, Running]]:
    """Run a broker in a folder that goes away with it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        running = mosquitto(folder)
        try:
            yield folder, running
        finally:
            running.stop()


def main() -> None:
    """Measure, and print the engines side by side."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--settle", type=float, default=SETTLE_S, metavar="SECONDS")
    parser.add_argument("--measure", type=float, default=MEASURE_S, metavar="SECONDS")
    given = parser.parse_args()
    with broker() as (folder, running), Ingest(running.port) as ingest:
        agents = asyncio.run(measure(folder, running.port, given.settle, given.measure))
        readings = ingest.of(Stream.READING)
    print(f"live agent, one strap, {given.measure:g} s after {given.settle:g} s")
    print(f"{'':24}" + "".join(f"{agent.engine:>14}" for agent in agents))
    rows = {
        "CPU, % of one core": [f"{100 * agent.cpu_s / given.measure:.2f}" for agent in agents],
        "RSS, MB": [f"{agent.rss_mb:.1f}" for agent in agents],
        "RSS at most, MB": [f"{agent.most_mb:.1f}" for agent in agents],
        "start to first packet, s": [f"{agent.start_s:.2f}" for agent in agents],
    }
    for name, values in rows.items():
        print(f"{name:24}" + "".join(f"{value:>14}" for value in values))
    print(f"readings of both: {len(readings)}; vectorised at most {MOST_MB:g} MB")


if __name__ == "__main__":
    main()
