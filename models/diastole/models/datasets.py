"""The labelled data sets that a model is trained and judged on: sessions, people, sources.

A data set is a folder of recordings and a label file beside it. People are read from the label
file, never from a range: some of each set are kept elsewhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from diastole.edge.errors import BadFile
from diastole.edge.labels import read_labels

HELD_OUT_FOR_DEMO: Final = "hongn-s06"
"""The person whom the demo shows: in no training, of no model, so that the demo is honest."""


@dataclass(frozen=True, slots=True)
class LabelledSession:
    """One recording of one person; ``name`` is how the label file calls it."""

    data_set: str
    name: str
    person: str
    """A pseudonym, one over all sets."""
    path: Path
    labels: Path


class DataSet(Protocol):
    """What a new data set is."""

    @property
    def name(self) -> str:
        """A folder's and a label file's name."""

    @property
    def title(self) -> str:
        """What its authors call it."""

    @property
    def cite(self) -> str:
        """Who made it, and where it is found."""

    @property
    def licence(self) -> str:
        """What allows its use."""

    def sessions(self, data: Path) -> list[LabelledSession]:
        """List the sessions under the data folder, in a fixed order; raise BadFile without."""
        ...


@dataclass(frozen=True, slots=True)
class ZippedSessions:
    """A zip a session under ``data/NAME``, labels in ``data/labels/NAME.csv``."""

    name: str
    title: str
    cite: str
    licence: str
    person: Callable[[str], str]
    """From a session's name to the person's within the set."""

    def sessions(self, data: Path) -> list[LabelledSession]:
        """List the sessions that the label file names."""
        labels = data / "labels" / f"{self.name}.csv"
        found = [
            LabelledSession(
                self.name,
                name,
                f"{self.name}-{self.person(name)}",
                data / self.name / f"{name}.zip",
                labels,
            )
            for name in _names(labels)
        ]
        for session in found:
            if not session.path.is_file():
                what = f"is missing, though {labels.name} labels it"
                raise BadFile(session.path, what, "complete the data folder that --data names")
        return found


def _names(labels: Path) -> list[str]:
    if not labels.is_file():
        raise BadFile(labels, "no such label file", "give the folder of recordings with --data")
    return sorted(read_labels(labels).files[labels])


def _person_of_parts(name: str) -> str:
    """``stress/S11_a`` is a part of a session of s11, who also comes as ``aerobic/S11``."""
    return name.rsplit("/", maxsplit=1)[-1].split("_", maxsplit=1)[0].lower()


STRESS_PREDICT: Final = ZippedSessions(
    "stress-predict",
    "Stress-Predict",
    "Iqbal T. et al. 2022, Sensors 22(21):8135, doi:10.3390/s22218135",
    "MIT",
    str.lower,
)
HONGN: Final = ZippedSessions(
    "hongn",
    "Hongn (Wearable Device Dataset from Induced Stress and Structured Exercise Sessions 1.0.1)",
    "Hongn A., Bosch F., Prado L., Bonomini P. 2025, PhysioNet, doi:10.13026/he0v-tf17",
    "ODC-By 1.0",
    _person_of_parts,
)
MMASH: Final = ZippedSessions(
    "mmash",
    "MMASH (Multilevel Monitoring of Activity and Sleep in Healthy people)",
    "Rossi A. et al. 2020, Data 5(4):91, doi:10.3390/data5040091; doi:10.13026/cerq-fc86",
    "PhysioNet open access",
    lambda name: name.removeprefix("mmash-"),
)
DATA_SETS: Final[tuple[DataSet, ...]] = (STRESS_PREDICT, HONGN)
"""Laboratory sets, whose labels tell rest from stress: to learn from and to be judged on."""
FREE_LIVING: Final[tuple[DataSet, ...]] = (MMASH,)
"""Days of ordinary life, whose labels are a diary: nobody knows where the stress was."""


def sessions_of(data: Path, sets: Sequence[DataSet] = DATA_SETS) -> list[LabelledSession]:
    """List the sessions of every set under the data folder."""
    return [session for data_set in sets for session in data_set.sessions(data)]


def sets_at(data: Path) -> tuple[DataSet, ...]:
    """Return the laboratory sets whose labels lie under the data folder; all, where none do."""
    there = tuple(s for s in DATA_SETS if (data / "labels" / f"{s.name}.csv").is_file())
    return there or DATA_SETS


def people_csv(sessions: Sequence[LabelledSession]) -> str:
    """Return ``session,subject`` lines, sessions as their label files call them."""
    lines = (f"{session.name},{session.person}\n" for session in sessions)
    return "".join(["session,subject\n", *lines])
