"""Which processes work below a folder: so that a test sees what was left behind."""

from contextlib import suppress
from pathlib import Path

import pytest


def working_in(folder: Path) -> list[str]:
    """Return the command of each process whose working folder lies below this one."""
    if not Path("/proc/self/cwd").exists():
        pytest.skip("this system does not tell where a process works")
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink().is_relative_to(folder):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found.append(command)
    return [command for command in found if command]
