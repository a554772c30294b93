"""What no store takes: refused before it is asked, in the same words for all."""

import re
from functools import lru_cache
from math import isfinite
from typing import Final

from diastole.ingest.stores import Row, RowsRefused

TAGS: Final = ("site", "agent", "subject", "device")
KEY: Final = frozenset({*TAGS, "time", "time_ms"})
"""No field is called so."""
is_name: Final = re.compile(r"[a-z][a-z0-9_]{0,63}").fullmatch
"""Whether this can be the name of a measurement, a tag or a field."""
_is_tag: Final = re.compile(r"[a-z0-9-]{1,64}").fullmatch
RANGE_MS: Final = 9_000_000_000_000
"""A store that counts nanoseconds in 64 bits ends soon after, to either side."""


@lru_cache(4096)  # the same names come with every row
def name_checked(name: str) -> str:
    """Return the name of a measurement, tag or field; raise RowsRefused where it is none."""
    if not is_name(name):
        what = f"{name[:40]!r} is no name of a measurement, tag or field"
        raise RowsRefused(what)
    return name


def check(row: Row) -> None:
    """Raise RowsRefused for a row that no store can keep as it is."""
    name_checked(row.measurement)
    if set(row.tags) != set(TAGS) or not all(map(_is_tag, row.tags.values())):
        what = f"tags {dict(row.tags)} are not {', '.join(TAGS)}, each of a-z, 0-9 and -"
        raise RowsRefused(what)
    if not row.fields:
        what = f"a row of {row.measurement} without a field"
        raise RowsRefused(what)
    if not -RANGE_MS < row.time_ms < RANGE_MS:
        what = f"time {row.time_ms} ms"
        raise RowsRefused(what)
    for name, value in row.fields.items():
        if name_checked(name) in KEY:
            what = f"{name!r} is the name of a tag or of the time, not of a field"
            raise RowsRefused(what)
        if not isinstance(value, str) and not isfinite(value):
            what = f"field {name} of {row.measurement} is {value}"
            raise RowsRefused(what)
