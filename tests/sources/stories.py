"""Short stories of a simulated wearer, and what the pipeline sees of them."""

from pathlib import Path

from diastole.edge.formats.recorder import write
from diastole.edge.formats.session import Header
from diastole.edge.replay import Session, observe
from diastole.edge.sources.scenario import (
    Activity,
    Chapter,
    Device,
    DeviceKind,
    Fault,
    FaultKind,
    Scenario,
    Wearer,
)
from diastole.edge.sources.simulate import simulate

STRAP = Device(name="strap", kind=DeviceKind.RR)
WRIST = Device(name="wrist", kind=DeviceKind.PPI)


def chapter(activity: Activity, minutes: float, *faults: Fault) -> Chapter:
    return Chapter(activity=activity, minutes=minutes, faults=list(faults))


def story(
    *chapters: Chapter, devices: tuple[Device, ...] = (STRAP,), wearer: Wearer | None = None
) -> Scenario:
    return Scenario(chapters=list(chapters), devices=list(devices), wearer=wearer or Wearer())


def resting(
    kind: FaultKind, *, at_min: float, minutes: float, per_min: float | None = None
) -> Scenario:
    """Ten minutes of rest with one fault."""
    fault = Fault(kind=kind, at_min=at_min, minutes=minutes, per_min=per_min)
    return story(chapter(Activity.REST, 10, fault))


def observed(scenario: Scenario, folder: Path, seed: int = 0) -> Session:
    """Write the story as a session and walk it through observe."""
    path = folder / "story.jsonl"
    header = Header(clock="relative", start_ns=scenario.start_ns, simulated=True)
    write(path, header, simulate(scenario, seed), force=True)
    return observe(path)
