"""The kinds of devices that are known: ours, and those that other packages bring."""

from importlib.metadata import entry_points
from typing import Final

from diastole.edge.errors import InputError
from diastole.edge.sources.ble import colmi, hrs, polar
from diastole.edge.sources.ble.protocol import Kind

GROUP: Final = "diastole.devices"
"""Entry points of device protocols by third parties: each an object that is a Kind."""

SPECIAL: Final[tuple[Kind, ...]] = (polar.KIND, colmi.KIND)
COMMON: Final[tuple[Kind, ...]] = (hrs.KIND,)
"""Asked after those of third parties: many a device that can do more has this, too."""
KINDS: Final[tuple[Kind, ...]] = (*SPECIAL, *COMMON)
"""Ours, the more telling ones first."""


def kinds() -> tuple[Kind, ...]:
    """Return all kinds in the order in which they are asked; raise InputError."""
    known = (*SPECIAL, *_third_party(), *COMMON)
    names = [kind.name for kind in known]
    for name in names:
        if names.count(name) > 1:
            what = f"two kinds of device are called {name!r}"
            raise InputError(what, f"uninstall one of the packages that bring {GROUP}")
    return known


def _third_party() -> list[Kind]:
    found: list[Kind] = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            kind = point.load()
            if not isinstance(kind, Kind):
                what = f"it is no Kind, but {type(kind).__name__}"
                raise TypeError(what)
        except Exception as error:
            what = f"device {point.name} of {point.value} cannot be loaded ({error})"
            raise InputError(what, "repair or uninstall its package") from error
        found.append(kind)
    return found
