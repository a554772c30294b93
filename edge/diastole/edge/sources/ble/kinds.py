"""The kinds of devices that this version knows, the more telling ones first."""

from typing import Final

from diastole.edge.sources.ble import colmi, hrs, polar
from diastole.edge.sources.ble.protocol import Kind

KINDS: Final[tuple[Kind, ...]] = (polar.KIND, colmi.KIND, hrs.KIND)
