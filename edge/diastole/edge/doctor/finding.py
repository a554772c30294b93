"""What a check found, and what to do about it."""

from typing import Literal, NamedTuple

State = Literal["ok", "warn", "fail"]


class Finding(NamedTuple):
    """One line of the doctor: a remedy stands where it is not ok."""

    name: str
    state: State
    what: str
    remedy: str = ""
