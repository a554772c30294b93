"""What one wearer's agent writes to its disk in a day: ``python -m tests.figures.written``.

The outbox as it runs: a tick each hop of 5 s with a reading of 1.9 kB, 7 kB of packed state and a
cursor, a status each minute, all acknowledged within the hop; counted by the kernel
(``write_bytes`` of /proc/self/io: pages sent to the disk, without the file system's own journal).
Goal: under 1 GB a day.
"""

import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from diastole.edge.delivery import Item, Tick
from diastole.edge.delivery.outbox import Limits, Outbox
from diastole.edge.records import Status
from diastole.edge.wire.messages import Held
from diastole.edge.wire.topics import NOBODY, Stream

HOURS = 4
HOP_S = 5
READING_BYTES = 1_900
STATE_BYTES = 7_000
START_NS = 1_800_000_000_000_000_000


def written() -> int:
    """Return how many bytes this process has had written to a disk."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


def ticks(rng: random.Random) -> Iterator[Tick]:
    """Yield the hops of one wearer."""
    for hop in range(HOURS * 3600 // HOP_S):
        pad = {"pad": "x" * (READING_BYTES - 110 + rng.randint(-40, 40))}
        time_ns = START_NS + hop * HOP_S * 1_000_000_000
        said = Status(device="strap", time_ns=time_ns, values={}, text=pad)
        items = [Item("anna", Stream.READING, said)]
        if hop % 12 == 0:
            health = Status(device=NOBODY, time_ns=time_ns, values={"online": 1.0})
            items.append(Item(NOBODY, Stream.STATUS, health))
        state = os.urandom(STATE_BYTES + rng.randint(-60, 60))
        yield Tick(items, {"anna": state}, {"strap": b"%064d" % hop})


def day(*, acknowledged: bool) -> float:
    """Return gigabytes a day."""
    rng = random.Random(1)
    clock = [START_NS]
    here = Path(__file__).parent  # a disk, where /tmp may be memory
    with tempfile.TemporaryDirectory(dir=here) as folder:
        outbox = Outbox.open(Path(folder) / "outbox.db", Limits(), lambda: clock[0])
        outbox.commit(Tick())
        begun = written()
        for tick in ticks(rng):
            clock[0] += HOP_S * 1_000_000_000
            outbox.commit(tick)
            if acknowledged:
                held = [Held(sid=sid, upto=line.last) for sid, line in outbox.lines.items()]
                outbox.release(held)
        total = written() - begun
        outbox.close()
    return total * 24 / HOURS / 1e9


def main() -> None:
    """Print both."""
    for acknowledged in (True, False):
        how = "acknowledged within the hop" if acknowledged else "held, ingest away"
        print(f"one wearer, {how}: {day(acknowledged=acknowledged):.2f} GB written a day")


if __name__ == "__main__":
    main()
