"""A hundred forced reconnects on the real bleak and the fake radio: ``python -m …``.

Then how long each cause of an outage leaves its mark: from the cause's end to the first packet, at
the radio's own speed.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Sequence

from tests.fakes.bluez import FakeBluez
from tests.fakes.clock import FastClock
from tests.fakes.devices import Strap
from tests.fakes.radio import radio
from tests.radio.causes import CAUSES, back_s
from tests.radio.listening import Listener, in_order, listening, until, wanted

RECONNECTS = 100
SPEED = 20
SETTLE_S = 3.0
TIMES = 3
WAYS = ("link", "silence", "adapter", "bluetoothd")
"""What ends a link; the strap's own loss of it as often as the others together."""


async def reconnected(bluez: FakeBluez, strap: Strap, listener: Listener) -> Counter[str]:
    """End so many links, each after some beats; return how often in which way."""
    chance, ended = random.Random(0), Counter[str]()
    for n in range(RECONNECTS):
        await until(lambda n=n: strap.links == n + 1)  # type: ignore[misc]
        await listener.beats(chance.randrange(2, 9))
        way = WAYS[(n // 2) % len(WAYS)] if n % 2 else "link"
        ended[way] += 1
        if way == "link":
            strap.drop_link(away=chance.uniform(0, 4))
        elif way == "silence":
            strap.mute = True
            await until(lambda: not strap.connected)
            strap.mute = False
        else:
            await back_s(bluez, strap, way)
    await until(lambda: strap.links == RECONNECTS + 1)
    await listener.beats(5)
    return ended


def compared(got: Sequence[int], sent: Sequence[int]) -> tuple[int, int]:
    """Return how many beats came doubled and how many were lost; 0 stands for any, after a gap."""
    doubled = lost = at = 0
    for mine in got:
        if at < len(sent) and mine in (0, sent[at]):
            at += 1
        elif mine in sent[at : at + 20]:
            skipped = sent.index(mine, at) - at
            lost, at = lost + skipped, at + skipped + 1
        else:
            doubled += 1
    return doubled, lost + len(sent) - at


async def hundred() -> None:
    """Force the reconnects, and compare."""
    strap = Strap()
    async with (
        radio(strap, clock=FastClock(SPEED)) as bluez,
        listening(bluez, wanted(strap)) as (listener,),
    ):
        ended = await reconnected(bluez, strap, listener)
        strap.mute = True
        await bluez.clock.sleep(SETTLE_S)
        got, sent = listener.intervals, strap.heard
        ordered = in_order(listener.all)
        links, broken = listener.status.values["links"], len(listener.breaks)
    doubled, lost = compared(got, sent)
    ways = ", ".join(f"{way} {n}" for way, n in ended.items())
    print(f"{RECONNECTS} forced reconnects ({ways}), one strap, bleak's BlueZ backend")
    print(
        f"links {links:.0f}, breaks {broken}, beats sent while linked {len(sent)}, got {len(got)}"
    )
    print(
        f"beats doubled {doubled}, lost while linked {lost}, {'in' if ordered else 'OUT OF'} order"
    )


async def outages() -> None:
    """Time the causes, each some times over."""
    for cause in CAUSES:
        took_s = []
        for _ in range(TIMES):
            strap = Strap()
            async with radio(strap) as bluez, listening(bluez, wanted(strap)) as (listener,):
                await listener.beats(3)
                took_s.append(await back_s(bluez, strap, cause))
        told = ", ".join(f"{each:.1f}" for each in took_s)
        print(f"data again after {cause}: {told} s")


def main() -> None:
    logging.getLogger().setLevel(logging.CRITICAL)  # each of a hundred outages is a warning
    asyncio.run(hundred())
    asyncio.run(outages())


if __name__ == "__main__":
    main()
