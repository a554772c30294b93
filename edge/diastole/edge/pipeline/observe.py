"""Observe: records to observations, a stage after the other. It never sees a model."""

from datetime import UTC, datetime
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from diastole.edge.chunks import Chunk, Ints, Rows
from diastole.edge.features import Engine
from diastole.edge.pipeline import movement, recent, strain, verdicts, windows
from diastole.edge.pipeline.inputs import inputs
from diastole.edge.pipeline.measure import Measured, measure
from diastole.edge.pipeline.observations import (
    OBSERVATION,
    STATUSES,
    Observations,
    join_observations,
    no_observations,
    well_covered,
)
from diastole.edge.pipeline.rules import Rules
from diastole.edge.pipeline.verdicts import Judged
from diastole.edge.records import SECOND_NS, NormalStatus
from diastole.edge.schema import FEATURE_NAMES
from diastole.edge.signal import stage as signal

RMSSD: Final = FEATURE_NAMES.index("rmssd_ms")
QUARTER_NS: Final = 15 * 60 * SECOND_NS


class State(msgspec.Struct, kw_only=True):
    """All that observe carries from one chunk to the next, for one subject."""

    devices: list[str] = []
    """Every device seen; observations name them by their place here."""
    heard: signal.State = msgspec.field(default_factory=signal.State)
    ruled: verdicts.State = msgspec.field(default_factory=verdicts.State)
    framed: windows.State = msgspec.field(default_factory=windows.State)
    moved: movement.State = msgspec.field(default_factory=movement.State)
    recents: dict[str, recent.State] = {}
    strains: dict[str, strain.State] = {}


def step(
    state: State, chunk: Chunk, engine: Engine, rules: Rules, zone: str = "UTC"
) -> tuple[State, Observations, Judged]:
    """Take in a chunk; give the observations of the windows that close, in order of time.

    The beats come with them as they were judged, for whoever lists or draws them.
    """
    heard, chunk = signal.step(state.heard, chunk)
    ruled, judged = verdicts.step(state.ruled, chunk)
    framed, closed = windows.step(state.framed, chunk, judged)
    ends = np.unique(np.concatenate([np.empty(0, np.int64), *(w.ends_ns for w in closed)]))
    moved, moves = movement.step(
        state.moved, chunk, ends, min(chunk.until_ns, judged.until_ns), rules
    )
    devices = [*state.devices, *(w.device for w in closed if w.device not in state.devices)]
    recents, strains = dict(state.recents), dict(state.strains)
    parts = []
    for batch in closed:
        name = batch.device
        measured = measure(batch, engine, rules)
        here = moves.at(batch.ends_ns)
        rmssd_ms = measured.features[:, RMSSD]
        good = well_covered(measured.source, measured.coverage, rules)
        good &= measured.coverage <= rules.max_coverage
        ln_hr = strain.ln(np.where(good, measured.hr_bpm, np.nan))
        recents[name], own = recent.step(
            recents.get(name) or recent.start(), batch.ends_ns, ln_hr, rules
        )
        hops = strain.hops_of(measured, own, here, rmssd_ms, rules)
        strains[name], told = strain.step(strains.get(name) or strain.State(), hops, rules)
        rows = _rows(devices.index(name), measured, here, told, rules)
        rows["utc_offset_min"] = utc_offset_min(batch.ends_ns, zone)
        parts.append(
            Observations(tuple(devices), rows, measured.features, inputs(own, told, rmssd_ms))
        )
    after = State(
        devices=devices,
        heard=heard,
        ruled=ruled,
        framed=framed,
        moved=moved,
        recents=recents,
        strains=strains,
    )
    observed = join_observations(parts) if parts else no_observations(tuple(devices))
    # closed windows come by name; a table reads them by time
    in_order = np.argsort(observed.rows["time_ns"], kind="stable")
    return after, observed.take(in_order), judged


def _rows(
    device: int, measured: Measured, moves: movement.Movement, told: Rows, rules: Rules
) -> Rows:
    rows = np.zeros(len(measured.ends_ns), OBSERVATION)
    rows["time_ns"], rows["device"] = measured.ends_ns, device
    rows["source"], rows["grade"] = measured.source, measured.grade
    rows["beats"], rows["coverage"] = measured.beats, measured.coverage
    rows["activity_mg"], rows["still_min"] = moves.activity_mg, moves.still_min
    rows["exertion"], rows["asleep"] = told["exertion"], moves.asleep
    known = told["have"] >= rules.normal_need
    rows["normal_status"] = np.where(
        known, STATUSES.index(NormalStatus.PROVISIONAL), STATUSES.index(NormalStatus.CALIBRATING)
    )
    rows["normal_have"], rows["normal_need"] = told["have"], rules.normal_need
    for name, unit in (("hr", "bpm"), ("rmssd", "ms")):
        centre, spread = told[f"{name}_centre"], told[f"{name}_spread"]
        rows[f"normal_{name}_low_{unit}"] = np.exp(centre - spread)
        rows[f"normal_{name}_high_{unit}"] = np.exp(centre + spread)
    return rows


def utc_offset_min(times_ns: Ints, zone: str) -> Ints:
    """Return the zone's offset from UTC at each time, in minutes."""
    quarters, back = np.unique(times_ns // QUARTER_NS, return_inverse=True)
    offsets = np.array([_offset(int(quarter), zone) for quarter in quarters], np.int64)
    result: Ints = offsets[back]
    return result


@cache
def _offset(quarter: int, zone: str) -> int:
    if zone == "UTC":
        return 0
    moment = datetime.fromtimestamp(quarter * QUARTER_NS // SECOND_NS, UTC)
    offset = moment.astimezone(ZoneInfo(zone)).utcoffset()
    return 0 if offset is None else int(offset.total_seconds()) // 60
