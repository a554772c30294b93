"""What it costs to make messages of a backlog: ``python -m tests.figures.drained``.

A day of one wearer's readings (1.9 kB each) in the outbox, sent through the publisher to an ingest
in the same process that acknowledges each round; processor time of outbox and publisher alone.
Goal: 2,000 readings/s.
"""

import tempfile
import time
from pathlib import Path

from diastole.edge.delivery.limits import Limits
from diastole.edge.delivery.outbox import Outbox
from diastole.edge.delivery.publisher import Publisher
from diastole.edge.wire.topics import Stream
from tests.delivery.doubles import AGENT, SITE, Ingest, Wire, received
from tests.delivery.makers import NOW_NS, tick

READINGS = 17_280


def main() -> None:
    """Print the rate."""
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory(dir=here) as folder:
        outbox = Outbox.open(Path(folder) / "outbox.db", Limits(), lambda: NOW_NS)
        for n in range(0, READINGS, 60):
            outbox.commit(tick(Stream.READING, *range(n, n + 60), size=1_790))
        now, wire, ingest = [0.0], Wire(), Ingest()
        publisher = Publisher(outbox, SITE, AGENT, lambda: now[0])
        publisher.on_up(wire.generation)
        wall = cpu = 0.0
        rounds = messages = 0
        while outbox.streams() or not rounds:
            now[0] += 0.2
            rounds += 1
            begun = time.perf_counter(), time.process_time()
            publisher.pump(wire)
            wall += time.perf_counter() - begun[0]
            cpu += time.process_time() - begun[1]
            messages += len(wire.sent)
            wire.deliver(ingest)
            for mid in wire.mids:
                publisher.on_published(wire.generation, mid, None)
            wire.mids[:-1] = []
            publisher.on_message(received(ingest.held()))
        outbox.close()
    assert len(ingest.records) == READINGS
    print(
        f"{READINGS} readings in {messages} messages and {rounds} rounds of 200 ms: "
        f"{READINGS / wall:,.0f} readings/s of wall time, {cpu / READINGS * 1e6:.0f} us of "
        f"processor time each; at an acknowledgement each 200 ms {READINGS / rounds / 0.2:,.0f}/s"
    )


if __name__ == "__main__":
    main()
