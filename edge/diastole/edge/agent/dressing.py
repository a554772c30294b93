"""Each wearer of a run is taken up where an earlier one left them, and what feeds them starts."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from diastole.edge.agent.inlets import Inlet
from diastole.edge.agent.line import Line
from diastole.edge.agent.means import Means
from diastole.edge.agent.settings import Subject
from diastole.edge.agent.tick import Worn
from diastole.edge.agent.wearer import Wearer
from diastole.edge.clock import Clock
from diastole.edge.formats.session import Header
from diastole.edge.records import MINUTE_NS
from diastole.edge.sources.live import Source

log = logging.getLogger(__name__)


async def dress(
    subject: Subject,
    sources: Sequence[Source],
    line: Line,
    means: Means,
    tapes: Path,
    clock: Clock,
) -> Worn:
    """Take a wearer up where they were."""
    inlets = [Inlet(f"{subject.name}.{source.name}", source) for source in sources]
    zone = subject.zone or next((source.zone for source in sources if source.zone), "UTC")
    simulated = any(source.simulated for source in sources)
    kept = await line.kept(subject.name)
    wearer = Wearer(subject, zone, means, kept, simulated=simulated)
    worn = Worn(wearer, inlets, round(subject.patience_min * MINUTE_NS))
    if subject.record:
        header = Header(subject=subject.name, zone=zone, simulated=simulated)
        worn.begin(tapes, header, clock.wall_ns())
    return worn


async def feed(
    inlets: Sequence[Inlet], line: Line, clock: Clock, arrived: Callable[[], None]
) -> "list[asyncio.Task[None]]":
    """Start each source where its cursor is."""
    cursors = [await line.cursor(inlet.key) for inlet in inlets]
    for inlet, cursor in zip(inlets, cursors, strict=True):
        log.info("source=%s from=%s", inlet.key, "cursor" if cursor else "beginning")
    return [
        asyncio.create_task(inlet.run(clock, cursor, arrived))
        for inlet, cursor in zip(inlets, cursors, strict=True)
    ]
