"""Runs the block of ``configs/raspberry-pi.md`` here: ``python -m tests.figures.pi_install``.

Less what needs root: its lines of ``sudo`` are left out (the doctor's runs without it), and what
systemd would start is started here, beside a fake radio. Ends with 1 unless the doctor is green.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from diastole.edge.agent.clocks import system_trust
from tests.conftest import ROOT
from tests.fakes.bus import VARIABLE
from tests.fakes.devices import Strap
from tests.fakes.radio import radio
from tests.servers import Absent, alone_on, find, mosquitto_as_it_stands

GUIDE: Final = ROOT / "configs" / "raspberry-pi.md"
AS_SERVICE: Final = "sudo -u diastole "
PORT: Final = 1883


def block() -> tuple[list[str], list[str]]:
    """Return the lines that install, and those that ask the doctor."""
    found = re.search(r"^```sh\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
    assert found is not None
    lines = found[1].splitlines()
    doctor = [line.removeprefix(AS_SERVICE) for line in lines if " doctor " in line]
    return [line for line in lines if not line.startswith("sudo ")], doctor


@contextmanager
def service(folder: Path, *command: str) -> Iterator[None]:
    """Run what systemd would."""
    with (folder / f"{command[1]}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


async def ends_green(folder: Path) -> bool:
    """Install, start, ask the doctor."""
    places = {"PREFIX": folder / "opt", "ETC": folder / "etc", "STATE": folder / "state"}
    for place in places.values():
        place.mkdir()
    env = {**os.environ, **{name: str(place) for name, place in places.items()}}
    env.pop("PYTHONPATH", None)
    os.environ.pop("PYTHONPATH", None)
    install, doctor = block()
    preset = install[: next(k for k, line in enumerate(install) if "=${" not in line)]
    await asyncio.to_thread(
        subprocess.run, ["bash", "-euc", "\n".join(install)], cwd=ROOT, env=env, check=True
    )
    agent_toml = places["ETC"] / "agent.toml"
    if not system_trust().trusted:
        text = agent_toml.read_text(encoding="utf-8")
        agent_toml.write_text(f'clock = "trusted"\n{text}', encoding="utf-8")
    conf = folder / "mosquitto.conf"  # as Debian's own includes ours
    ours = (ROOT / "configs" / "mosquitto.conf").read_text(encoding="utf-8").splitlines()
    (folder / "ours.conf").write_text(
        "\n".join(line for line in ours if not line.startswith("persistence")) + "\n"
    )
    conf.write_text((folder / "ours.conf").read_text())
    diastole = str(places["PREFIX"] / "venv" / "bin" / "diastole")
    strap = Strap()
    with (
        alone_on(PORT),
        mosquitto_as_it_stands(conf, PORT),
    ):
        async with radio(strap):
            with (
                service(
                    folder, diastole, "ingest", "run", "--config", f"{places['ETC']}/ingest.toml"
                ),
                service(folder, diastole, "run", str(agent_toml)),
            ):
                async with asyncio.timeout(60):
                    while len(strap.heard) < 3:  # noqa: ASYNC110 - the fake has no event for it
                        await asyncio.sleep(0.1)
                bus = os.environ[VARIABLE]
                asked = "\n".join([*preset, *doctor])
                process = await asyncio.create_subprocess_exec(
                    "bash",
                    "-euc",
                    asked,
                    cwd=folder,
                    env={**os.environ, **env, VARIABLE: bus},
                    stdout=subprocess.PIPE,
                )
                out, _ = await process.communicate()
    lines = out.decode().splitlines()
    print("\n".join(lines))
    odd = [line for line in lines if not line.startswith("ok ")]
    return process.returncode == 0 and bool(lines) and all(" clock: " in line for line in odd)


def main() -> int:
    """Run it in a folder that is gone afterwards."""
    try:
        for program in ("mosquitto", "dbus-daemon", "bluetoothctl", "bash"):
            find(program)
    except Absent as absent:
        print(absent, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="pi-") as folder:
        green = asyncio.run(ends_green(Path(folder)))
    print("the block ends with a green doctor" if green else "the doctor is not green")
    return int(not green)


if __name__ == "__main__":
    sys.exit(main())
