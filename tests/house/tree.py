"""The files of this repository as a clone would have them."""

import shutil
import subprocess

from tests.conftest import ROOT

ROOMS = ("edge", "models", "ingest")


def files(*under: str) -> list[str]:
    """Paths from the root, with ``/``: what git tracks and what it would, less what is deleted."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        found = [path for top in under or (".",) for path in (ROOT / top).rglob("*")]
        kept = [p for p in found if p.is_file() and "__pycache__" not in p.parts]
        return sorted(path.relative_to(ROOT).as_posix() for path in kept)
    command = [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *under]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted({path for path in done.stdout.split("\0") if path and (ROOT / path).is_file()})
