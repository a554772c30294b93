"""What one tick of the agent works on: its wearers, and what the next commit holds."""

from dataclasses import dataclass, field

from diastole.edge.agent.inbox import Arrived
from diastole.edge.agent.inlets import Inlet
from diastole.edge.agent.wearer import Wearer
from diastole.edge.delivery import Item, Tick


@dataclass(slots=True, eq=False)
class Worn:
    """A wearer with their sources."""

    wearer: Wearer
    inlets: list[Inlet]
    patience_ns: int
    trouble: str | None = None
    """A defect of ours met in this wearer's data: the others go on."""

    @property
    def done(self) -> bool:
        """Whether nothing more will be said of them."""
        finished = self.wearer.finished and not any(inlet.going for inlet in self.inlets)
        return self.trouble is not None or finished


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
