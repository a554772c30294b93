"""Who is hit, how and when: drawn from a seed, so that a run that fails can be run again."""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Fault(NamedTuple):
    """After ``wait_s``, ``victim`` is killed (or frozen) for ``down_s``."""

    wait_s: float
    victim: str
    frozen: bool
    down_s: float

    def __str__(self) -> str:
        """Say it in words."""
        return f"{self.victim} {'frozen' if self.frozen else 'killed'} for {self.down_s:.1f} s"


def schedule(seed: int, victims: Sequence[str], faults: int) -> Iterator[Fault]:
    """Yield the faults of a run: rounds of all victims in a new order, a third of them freezes.

    So that a short run, too, hits every part; the first round kills, as a freeze may cost nobody.
    """
    chance = random.Random(seed)
    turns: list[str] = []
    for n in range(faults):
        turns = turns or chance.sample(victims, len(victims))
        yield Fault(
            wait_s=chance.uniform(0.3, 2.5),
            victim=turns.pop(),
            frozen=chance.random() < 1 / 3 and n >= len(victims),
            down_s=chance.uniform(0.2, 3.0),
        )
