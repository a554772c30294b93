"""How long ``diastole --help`` takes, and what importing the pipeline loads.

``python -m tests.figures.startup``
"""

import subprocess
import sys
import time

from tests.house.test_imports import HEAVY, loaded_heavy

RUNS = 11


def help_s() -> float:
    """Median seconds of ``diastole --help``, the whole process."""
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        command = [sys.executable, "-m", "diastole", "--help"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - start)
    return sorted(taken)[RUNS // 2]


def main() -> None:
    """Print both figures."""
    print(f"diastole --help: {help_s():.2f} s (median of {RUNS})")
    heavy = loaded_heavy("pipeline")
    print(
        f"import diastole.edge.pipeline, with all its modules: loads "
        f"{', '.join(heavy) or 'none'} of {', '.join(HEAVY)}"
    )


if __name__ == "__main__":
    main()
