"""Whether the wearer is told of an episode: what a person can live with. One budget a subject."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from diastole.edge.pipeline.rules import Notices
from diastole.edge.records import MINUTE_NS, Event, EventPhase, Unnotified

LONG_AGO: Final = -(2**62)
DAY_MIN: Final = 24 * 60


class Told(NamedTuple):
    """An event, and the time from which it can be known."""

    time_ns: int
    event: Event
    motion: bool = True
    """Of one that begins: whether motion was known."""
    utc_offset_min: int = 0


class State(msgspec.Struct, frozen=True, kw_only=True):
    """The notices so far."""

    last_ns: int = LONG_AGO
    day: int = 0
    """The local day, since the epoch, of the last one, ..."""
    count: int = 0
    """... and how many it has had."""


def settle(state: State, told: Sequence[Told], settings: Notices) -> tuple[State, list[Told]]:
    """Give each episode that begins its notice, or why there is none; its later events keep it."""
    begun: dict[str, Unnotified | None] = {}
    for item in told:
        if item.event.phase is EventPhase.BEGIN:
            why = begun[item.event.id] = _why_not(state, item, settings)
            if why is None:
                day = _local_min(item) // DAY_MIN
                count = state.count + 1 if day == state.day else 1
                state = State(last_ns=item.time_ns, day=day, count=count)
    return state, [
        item._replace(
            event=msgspec.structs.replace(
                item.event,
                notify=begun[item.event.id] is None,
                notify_reason=begun[item.event.id],
            )
        )
        if item.event.id in begun
        else item
        for item in told
    ]


def _why_not(state: State, item: Told, settings: Notices) -> Unnotified | None:
    minute = _local_min(item)
    if not (item.motion or settings.seated):
        return Unnotified.NO_MOTION
    if settings.quiet_hours is not None:
        begin, end = settings.quiet_hours
        if (minute - begin) % DAY_MIN < (end - begin) % DAY_MIN:
            return Unnotified.QUIET_HOURS
    if item.time_ns - state.last_ns < settings.refractory_min * MINUTE_NS:
        return Unnotified.REFRACTORY
    if minute // DAY_MIN == state.day and state.count >= settings.a_day:
        return Unnotified.DAILY_LIMIT
    return None


def _local_min(item: Told) -> int:
    """Return the minutes since the epoch by the wearer's own clock."""
    return item.time_ns // MINUTE_NS + item.utc_offset_min
