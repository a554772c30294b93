"""Heart-rate-variability features, twice: NeuroKit2 defines them, ``vectorised`` equals it."""

from collections.abc import Sequence
from typing import Final, Protocol

from diastole.edge.chunks import Floats, Ints
from diastole.edge.errors import InputError
from diastole.edge.schema import Feature


class Engine(Protocol):
    """Features of many windows at once."""

    name: str
    version: str
    """What computed the numbers, for the provenance (``neurokit2 0.2.13``)."""

    def compute(
        self,
        spec: Sequence[Feature],
        rr_ms: Floats,
        end_ns: Ints,
        low: Ints,
        high: Ints,
        covered_ns: Ints,
    ) -> Floats:
        """Return (N, len(spec)): NaN where the schema says that a value does not exist.

        ``rr_ms`` (300 to 2000) and ``end_ns`` are the accepted intervals and their ends, in time
        order; window ``w`` holds those from ``low[w]`` to before ``high[w]`` and is covered for
        ``covered_ns[w]``. Two intervals are successive where the later begins, to 10 ms, where the
        earlier ended.
        """
        ...


ENGINES: Final = ("vectorised", "neurokit")


def engine(name: str) -> Engine:
    """Return the engine of that name; raise InputError, or MissingExtra without NeuroKit2."""
    if name == "vectorised":
        from diastole.edge.features.vectorised import Vectorised

        return Vectorised()
    if name == "neurokit":
        from diastole.edge.features.neurokit import NeuroKit

        return NeuroKit()
    what = f"no engine is called {name!r}"
    raise InputError(what, f"use one of {', '.join(ENGINES)}")


def described(computing: Engine) -> str:
    """Return what computed the numbers, for the provenance."""
    return f"{computing.name} ({computing.version})"
