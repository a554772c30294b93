"""Readings to episodes: strain that lasts, with its beginning, its end and what drove it.

An episode begins where most of the last decided readings say stress, after some still minutes; it
starts at the first of those. It ends when no reading has said stress for a while, and is never
reopened: what belonged to one counts for no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from diastole.edge.chunks import Bools, Ints, Rows
from diastole.edge.pipeline import notices
from diastole.edge.pipeline.drivers import drivers_of
from diastole.edge.pipeline.notices import LONG_AGO, Told
from diastole.edge.pipeline.observations import DECISIONS, NO_REASON, REASONS, Readings
from diastole.edge.pipeline.rules import Notices, Rules
from diastole.edge.records import MINUTE_NS, SECOND_NS, Decision, Event, EventPhase, Reason
from diastole.edge.schema import HOP_S, INPUT_NAMES

SILENCE: Final = "silence"
FOREVER_NS: Final = 2**62
"""As ``until_ns``: no reading will come any more."""
STRESS: Final = DECISIONS.index(Decision.STRESS)
UNDECIDED: Final = DECISIONS.index(Decision.UNDECIDED)
RULED_OUT: Final = [REASONS.index(reason) for reason in (Reason.ASLEEP, Reason.EXERTION)]
"""A heart rate on its way back is no longer strain's alone."""
READ: Final = np.dtype(
    [
        ("time_ns", "i8"),
        ("p_stress", "f8"),
        ("decision", "u1"),
        ("reason", "u1"),
        ("sure", "?"),  # says stress, and counts for a beginning
        ("able", "?"),
        ("motion", "?"),  # whether it is known
        ("utc_offset_min", "i2"),
        ("hr_bpm", "f8"),
        ("hr_normal_bpm", "f8"),
        ("hr_high_bpm", "f8"),
        ("rmssd_ms", "f8"),
        ("rmssd_normal_ms", "f8"),
        ("inputs", "f8", (len(INPUT_NAMES),)),
    ]
)


class Device(msgspec.Struct, kw_only=True):
    """One device's last readings, and its episode that runs or whose recovery is awaited."""

    rows: Rows
    """The last two minutes, of READ."""
    event: Event | None = None
    stress_ns: int = LONG_AGO
    """The episode's last reading of stress; what is up to it counts for no other."""
    decided: int = 0
    p_sum: float = 0.0
    """Of the episode's decided readings up to there."""

    @property
    def running(self) -> bool:
        """Whether an episode runs."""
        return self.event is not None and self.event.phase is not EventPhase.END


class State(msgspec.Struct, kw_only=True):
    """What one subject's episodes carry from one chunk to the next."""

    devices: dict[str, Device] = {}
    noticed: notices.State = msgspec.field(default_factory=notices.State)


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """Readings of one device: those kept, then the new ones, and the rules."""

    rows: Rows
    device: str
    until_ns: int
    inputs: Sequence[str]
    rules: Rules

    @property
    def end_ns(self) -> int:
        return self.rules.episode_end_s * SECOND_NS


def step(
    state: State,
    readings: Readings,
    until_ns: int,
    rules: Rules,
    settings: Notices,
    inputs: Sequence[str] = INPUT_NAMES,
) -> tuple[State, list[Told]]:
    """Take in readings; give the events that they tell, in order of the time when they are known.

    No reading that ends at or before ``until_ns`` will come any more. ``inputs`` are those that the
    model reads: only they are named as drivers.
    """
    rows, names = _read(readings, rules), readings.observations.devices
    places = readings.observations.rows["device"]
    devices, told = {}, []
    for name in sorted({*state.devices, *(names[place] for place in np.unique(places))}):
        device = state.devices.get(name) or Device(rows=np.empty(0, READ))
        new = rows[places == names.index(name)] if name in names else rows[:0]
        seen = _Read(np.concatenate([device.rows, new]), name, until_ns, inputs, rules)
        devices[name], events = _walk(device, seen)
        told += events
    told.sort(key=lambda item: (item.time_ns, item.event.device, item.event.rev))
    noticed, told = notices.settle(state.noticed, told, settings)
    settled = {item.event.id: item.event for item in told}
    for device in devices.values():
        if device.event is not None and device.event.id in settled:
            known = settled[device.event.id]
            device.event = msgspec.structs.replace(
                device.event, notify=known.notify, notify_reason=known.notify_reason
            )
    return State(devices=devices, noticed=noticed), told


def _read(readings: Readings, rules: Rules) -> Rows:
    observed = readings.observations
    given, rows = observed.rows, np.zeros(len(observed), READ)
    for name in ("time_ns", "utc_offset_min"):
        rows[name] = given[name]
    rows["p_stress"], rows["able"] = readings.p_stress, readings.able
    rows["decision"], rows["reason"] = readings.decision, readings.reason
    rows["sure"] = readings.decision == STRESS
    rows["sure"] &= observed.input("hr_above_normal") >= rules.episode_above
    rows["sure"] &= observed.input("hr_rise_1h") >= rules.episode_above * rules.hr_spread_floor
    rows["motion"] = np.isfinite(given["activity_mg"])
    rows["hr_bpm"], rows["rmssd_ms"] = observed.feature("hr_mean_bpm"), observed.feature("rmssd_ms")
    rows["hr_high_bpm"] = given["normal_hr_high_bpm"]
    for name, unit in (("hr", "bpm"), ("rmssd", "ms")):
        low, high = (given[f"normal_{name}_{end}_{unit}"] for end in ("low", "high"))
        rows[f"{name}_normal_{unit}"] = np.sqrt(low * high)
    rows["inputs"] = observed.inputs
    return rows


def _walk(device: Device, seen: _Read) -> tuple[Device, list[Told]]:
    """Follow the device's episodes through the new readings; the loop turns once an episode."""
    told: list[Told] = []
    begins = _begins(seen.rows, seen.rules)
    at = len(device.rows)
    device = msgspec.structs.replace(device)
    while True:
        if device.running:
            at = _run(device, seen, at, told)
            if device.running:
                break
        begin = _next(begins, seen.rows["time_ns"], at, device.stress_ns)
        upto = len(seen.rows) if begin is None else begin[1]
        _recover(device, seen, slice(at, upto), told)
        if begin is None:
            break
        _begin(device, seen, begin, told)
        at = begin[1] + 1
    times = seen.rows["time_ns"]
    if len(times):
        kept = times > times[-1] - seen.rules.episode_span_s * SECOND_NS
        device.rows = seen.rows[kept].copy()
    return device, told


def _begins(rows: Rows, rules: Rules) -> Ints:
    """Return (n, 2): the first of the last 12 decided readings, and the reading that makes it."""
    decided = np.flatnonzero(rows["decision"] != UNDECIDED)
    first, last = decided[: 1 - rules.episode_of or None], decided[rules.episode_of - 1 :]
    first = first[: len(last)]
    count = np.concatenate(([0], np.cumsum(rows["sure"][decided])))
    enough = count[rules.episode_of :] - count[: len(last)] >= rules.episode_stress
    span = rows["time_ns"][last] - rows["time_ns"][first]
    enough &= span <= rules.episode_span_s * SECOND_NS
    enough &= rows["able"][last] & rows["sure"][last]
    return np.stack([first, last], 1)[enough]


def _next(begins: Ints, times: Ints, at: int, after_ns: int) -> tuple[int, int] | None:
    """Return the next that begins at ``at`` or later by readings after ``after_ns`` alone."""
    free = begins[(begins[:, 1] >= at) & (times[begins[:, 0]] > after_ns)]
    return (int(free[0, 0]), int(free[0, 1])) if len(free) else None


def _begin(device: Device, seen: _Read, begin: tuple[int, int], told: list[Told]) -> None:
    rows = seen.rows[begin[0] : begin[1] + 1]
    rows, stress = rows[int(rows["sure"].argmax()) :], rows[rows["sure"]]
    p = rows["p_stress"][rows["decision"] != UNDECIDED]
    start_ns, last = int(rows["time_ns"][0]), rows[-1]
    device.stress_ns, device.decided, device.p_sum = int(last["time_ns"]), len(p), float(p.sum())
    device.event = Event(
        id=f"{seen.device}-{start_ns // SECOND_NS}",
        rev=1,
        phase=EventPhase.BEGIN,
        device=seen.device,
        start_ns=start_ns,
        end_ns=None,
        end_reason=None,
        peak_p=float(p.max()),
        mean_p=float(p.mean()),
        drivers=drivers_of(stress, seen.inputs, seen.rules),
        recovery_s=None,
        notify=False,
        notify_reason=None,
    )
    known = bool(stress["motion"].all())
    told.append(Told(device.stress_ns, device.event, known, int(last["utc_offset_min"])))


def _run(device: Device, seen: _Read, at: int, told: list[Told]) -> int:
    """Go on with the episode from row ``at``; return the first row that it does not reach."""
    times = seen.rows["time_ns"]
    says = np.flatnonzero(seen.rows["decision"] == STRESS)
    reached = np.concatenate(([device.stress_ns], times[says[says >= at]]))
    gaps = np.flatnonzero(np.diff(reached) > seen.end_ns)
    last_ns = int(reached[gaps[0]] if len(gaps) else reached[-1])
    stop = int(np.searchsorted(times, last_ns + seen.end_ns, "right"))
    for place in at + np.flatnonzero(times[at:stop] % MINUTE_NS == 0):
        _take_in(device, seen.rows, int(times[place]))
        _tell(device, told, int(times[place]), phase=EventPhase.UPDATE)
    _take_in(device, seen.rows, last_ns)
    over_ns = last_ns + seen.end_ns
    if max(seen.until_ns, int(times[-1]) if len(times) else seen.until_ns) >= over_ns:
        after = seen.rows[(times > last_ns) & (times <= over_ns)]
        recovery_s, final = _recovery(after, last_ns, last_ns, seen)
        _tell(
            device,
            told,
            over_ns,
            phase=EventPhase.END,
            end_ns=last_ns,
            end_reason=_instead(after, seen.rules),
            recovery_s=recovery_s,
        )
        device.event = None if final else device.event
    return stop


def _take_in(device: Device, rows: Rows, upto_ns: int) -> None:
    """Count the decided readings up to the last one of stress."""
    times = rows["time_ns"]
    new = rows[(times > device.stress_ns) & (times <= upto_ns)]
    says = np.flatnonzero(new["decision"] == STRESS)
    if not len(says) or device.event is None:
        return
    new = new[: says[-1] + 1]
    p = new["p_stress"][new["decision"] != UNDECIDED]
    device.stress_ns = int(new["time_ns"][-1])
    device.decided += len(p)
    device.p_sum += float(p.sum())
    device.event = msgspec.structs.replace(
        device.event,
        peak_p=max(device.event.peak_p, float(p.max())),
        mean_p=device.p_sum / device.decided,
    )


def _tell(device: Device, told: list[Told], time_ns: int, **news: object) -> None:
    assert device.event is not None
    device.event = msgspec.structs.replace(device.event, rev=device.event.rev + 1, **news)
    told.append(Told(time_ns, device.event))


def _instead(after: Rows, rules: Rules) -> str:
    """Return what was said for most of the time after an episode: calm, a reason, or nothing."""
    said, count = np.unique(after["reason"], return_counts=True)
    silent = rules.episode_end_s // HOP_S - len(after)
    if not len(said) or silent > count.max():
        return SILENCE
    code = int(said[count.argmax()])
    return str(Decision.CALM if code == NO_REASON else REASONS[code])


def _recover(device: Device, seen: _Read, part: slice, told: list[Told]) -> None:
    """Tell when the heart rate is back, or stop waiting for it."""
    event = device.event
    if event is None or event.end_ns is None:
        return
    before_ns = int(seen.rows["time_ns"][part.start - 1]) if part.start else event.end_ns
    recovery_s, final = _recovery(seen.rows[part], event.end_ns, before_ns, seen)
    if recovery_s is not None:
        _tell(device, told, event.end_ns + round(recovery_s * SECOND_NS), recovery_s=recovery_s)
    if final or part.stop < len(seen.rows) or seen.until_ns == FOREVER_NS:
        device.event = None


def _recovery(rows: Rows, end_ns: int, before_ns: int, seen: _Read) -> tuple[float | None, bool]:
    """Return the seconds until the heart rate is back, if it is, and whether that is final.

    It is given up where exertion or sleep, a silence, or too long a time come first.
    """
    times = rows["time_ns"]
    silent: Bools = np.diff(times, prepend=before_ns) > seen.end_ns
    lost = np.isin(rows["reason"], RULED_OUT) | silent
    lost |= times - end_ns > seen.rules.recovery_max_min * MINUTE_NS
    with np.errstate(invalid="ignore"):
        back = (rows["hr_bpm"] <= rows["hr_high_bpm"]) | lost
    if not back.any():
        return None, False
    first = int(back.argmax())
    return (None if lost[first] else float(times[first] - end_ns) / SECOND_NS), True
