"""What one tick of the agent works on: its wearers, and what the next commit holds."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from diastole.edge.agent.inbox import Arrived
from diastole.edge.agent.inlets import Inlet
from diastole.edge.agent.tape import Tape
from diastole.edge.agent.wearer import Wearer
from diastole.edge.delivery import Item, Tick
from diastole.edge.errors import OutputError
from diastole.edge.formats.session import Header

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Worn:
    """A wearer with their sources."""

    wearer: Wearer
    inlets: list[Inlet]
    patience_ns: int
    feeding: list[asyncio.Task[None]] = field(default_factory=list)
    """What takes in from the sources."""
    trouble: str | None = None
    """A defect of ours met in this wearer's data: the others go on."""
    tape: Tape | None = None
    untaped: str | None = None
    """Why the recording has ended: what is worn is told all the same."""

    @property
    def done(self) -> bool:
        """Whether nothing more will be said of them."""
        finished = self.wearer.finished and not any(inlet.going for inlet in self.inlets)
        return self.trouble is not None or finished

    def leave(self, why: str) -> None:
        """Read them no more: what their sources have would only pile up."""
        self.trouble = why
        for task in self.feeding:
            task.cancel()

    def begin(self, folder: Path, header: Header, wall_ns: int) -> None:
        """Begin a tape, if it can be."""
        try:
            self.tape = Tape.begin(folder, header, wall_ns, self.wearer.until_ns)
            log.info("subject=%s recording=%s", self.wearer.name, self.tape.path)
        except OutputError as error:
            self._untaped(error)

    def record(self, keep: Callable[[Tape], None]) -> None:
        """Have the tape, where one runs, keep something; one that cannot be written ends."""
        if self.tape is None:
            return
        try:
            keep(self.tape)
        except OutputError as error:
            self._untaped(error)

    def _untaped(self, error: OutputError) -> None:
        self.tape, self.untaped = None, str(error)
        log.error('subject=%s recording=ended why="%s"', self.wearer.name, error)


@dataclass(slots=True, eq=False)
class Pending:
    """What the next commit holds."""

    items: list[Item] = field(default_factory=list)
    changed: dict[str, Wearer] = field(default_factory=dict)
    cursors: dict[str, bytes] = field(default_factory=dict)
    arrived: list[Arrived] = field(default_factory=list)

    def tick(self) -> Tick:
        """Return it as it is committed."""
        states = {name: wearer.packed() for name, wearer in self.changed.items()}
        return Tick(self.items, states, self.cursors)

    def __bool__(self) -> bool:
        return bool(self.items or self.changed or self.cursors or self.arrived)
