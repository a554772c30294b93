"""A simulated wearer: a story to the records of devices that were never worn, and its truth.

One seed gives one heart, one body and one pair of hands for each device, each of its own chance:
another device beside changes nothing about the first.
"""

import csv
import io
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from diastole.edge.chunks import Chunk, Rows, by_time, join
from diastole.edge.errors import InputError
from diastole.edge.formats.recorder import write
from diastole.edge.formats.session import Header
from diastole.edge.labels import Segment
from diastole.edge.outputs import refuse_existing, whole_file
from diastole.edge.records import MINUTE_NS
from diastole.edge.sources.heart import Beats, beats
from diastole.edge.sources.scenario import Device, FaultKind, Scenario
from diastole.edge.sources.states import STATES
from diastole.edge.sources.worn import beats_of, breaks_of, end_ns, motions_of, movement

HEART: Final = 0
BODY: Final = 1
DEVICES: Final = 2
"""Each draws its chance from its own place behind the seed; devices from here on."""
SUFFIXES: Final = (".jsonl", ".jsonl.gz")


def simulate(scenario: Scenario, seed: int) -> Iterator[Chunk]:
    """Yield the records of the story, a chunk a minute; the last holds the devices' end.

    The same scenario and seed (0 or more) give the same records.
    """
    whole = join([_device(scenario, seed, place) for place in range(len(scenario.devices))])
    minute_ns = scenario.start_ns
    while (minute_ns := minute_ns + MINUTE_NS) < end_ns(scenario):
        chunk, whole = whole.split(minute_ns)
        yield chunk
    yield whole


def heart(scenario: Scenario, seed: int) -> Beats:
    """Return the true beats behind :func:`simulate`, and which of them are ectopic."""
    return beats(scenario, np.random.default_rng([seed, HEART]))


def truth(scenario: Scenario) -> list[Segment]:
    """Return what the wearer does, cut where something begins or ends to go wrong.

    ``label`` is the activity's, ``raw_label`` the activity and what is wrong with it.
    """
    spans = scenario.spans(*FaultKind)
    cuts = sorted({*scenario.edges_s, *(s.begin_s for s in spans), *(s.end_s for s in spans)})
    segments = []
    for begin_s, end_s in pairwise(cuts):
        chapter = np.searchsorted(scenario.edges_s, begin_s, "right") - 1
        activity = scenario.chapters[chapter].activity
        wrong = {s.kind: None for s in spans if s.begin_s <= begin_s and s.end_s >= end_s}
        raw_label = "+".join([activity, *wrong])
        segments.append(Segment(begin_s, end_s, STATES[activity].label, raw_label))
    return segments


def write_session(
    scenario: Scenario, seed: int, out: Path, truth_path: Path, *, force: bool = False
) -> None:
    """Write the session and its truth; raise InputError before any work where they cannot be."""
    if not out.name.endswith(SUFFIXES):
        what = f"{out}: a session is called .jsonl or .jsonl.gz"
        raise InputError(what, "name it so after --out")
    if seed < 0:
        what = f"--seed is {seed}"
        raise InputError(what, "give a whole number from 0 on")
    if out.resolve() == truth_path.resolve():
        what = f"{out}: --out and --truth name one file"
        raise InputError(what, "give each its own")
    for path in (out, truth_path):
        refuse_existing(path, force=force)
    header = Header(
        subject=scenario.subject,
        zone=str(scenario.zone),
        clock="utc" if scenario.start else "relative",
        start_ns=scenario.start_ns,
        simulated=True,
    )
    write(out, header, simulate(scenario, seed), force=force)
    with whole_file(truth_path, force=force) as stream:
        stream.write(_table(out, truth(scenario)))


def _device(scenario: Scenario, seed: int, place: int) -> Chunk:
    """Return all that one device hands in."""
    device: Device = scenario.devices[place]
    moved = movement(scenario, np.random.default_rng([seed, BODY]))
    rng = np.random.default_rng([seed, DEVICES + place])
    rows: Rows = beats_of(device, scenario, heart(scenario, seed).times_s, moved, rng)
    return Chunk(
        end_ns(scenario) + 1,
        (device.name,),
        beats=by_time(rows),
        motions=motions_of(device, scenario, moved),
        breaks=breaks_of(device, scenario),
    )


def _table(out: Path, segments: list[Segment]) -> bytes:
    """Return the truth in the layout of labels."""
    session = Path(out.name.removesuffix(".gz")).stem
    text = io.StringIO(newline="")
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("session", "t_start_s", "t_end_s", "label", "raw_label"))
    for segment in segments:
        begin_s, end_s = (round(seconds, 3) for seconds in segment[:2])
        rows.writerow((session, begin_s, end_s, segment.label, segment.raw_label))
    return text.getvalue().encode()
