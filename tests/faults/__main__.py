"""Kill and freeze every part of the path, then compare what was made with what is stored.

``python -m tests.faults [--seed N] [--faults N] [--forgets]`` (``make faults``). Simulated wearers
are replayed through the real agent, Mosquitto, ingest and InfluxDB, while a seed decides who is
killed or frozen and for how long. What must be stored is the same sessions replayed without any
delivery. Beside it a naive bridge, hit by the same faults, shows that the faults bite. The last
line is the verdict; exit 1 where anything was lost, doubled or changed, 2 where a server is absent.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import urlencode
from urllib.request import urlopen

from diastole.edge.sources.scenario import read_scenario
from diastole.ingest.stores import Row
from diastole.ingest.stores.influx import InfluxStore
from diastole.ingest.stores.influx_settings import Influx
from tests.conftest import ROOT
from tests.faults import expected, naive
from tests.faults.parts import Child, diastole
from tests.faults.schedule import schedule
from tests.servers import Absent, Running, find, influxd, mosquitto, until

SUBJECTS: Final = ["w-1", "w-2", "w-3"]
STORY: Final = ROOT / "configs" / "demo" / "day.toml"
KEEPS: Final = ("persistence true", "persistence_location ./", "autosave_interval 1")
PAST_THE_LAST_S: Final = 20.0
"""The recordings last so much longer than the faults."""
SECONDS_A_FAULT: Final = 3.0
POINTS: Final = 3000
"""Of the control."""
TOLERANCE: Final = 1e-6
DAY_MS: Final = 24 * 3600 * 1000
WHEN_MS: Final = tuple(expected.START_MS + n * DAY_MS for n in (-1, 2))


class Hit(Protocol):
    """What can be killed, frozen and started again."""

    def start(self) -> None: ...
    def kill(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...


def main(given: Sequence[str] | None = None) -> int:
    """Run one seeded schedule; return 0 where nothing was lost, doubled or changed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=30)
    parser.add_argument("--forgets", action="store_true", help="a broker that keeps nothing")
    asked = parser.parse_args(given)
    try:
        for name in ("mosquitto", "influxd"):
            find(name)
    except Absent as absent:
        print(f"faults: {absent}", file=sys.stderr)
        return 2
    kinds = [True] if asked.forgets else [False, True]
    return max(run(asked.seed, asked.faults, forgets=forgets) for forgets in kinds)


def run(seed: int, faults: int, *, forgets: bool) -> int:
    """Break the path as the seed says, and compare."""
    title = "a broker that forgets" if forgets else "a broker that keeps"
    print(f"\n== {faults} kills and freezes, {title}, seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="diastole-faults-") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        sessions = expected.write_sessions(folder, read_scenario(STORY), SUBJECTS)
        made, strains = expected.readings(sessions), expected.episodes(sessions)
        broker_folder, store_folder = folder / "broker", folder / "store"
        broker_folder.mkdir()
        store_folder.mkdir()
        broker = stack.enter_context(mosquitto(broker_folder, *(() if forgets else KEEPS)))
        store = stack.enter_context(influxd(store_folder))
        agent, ingest = ours(folder, sessions, broker.port, store.port, faults)
        bridge, points = control(folder, broker.port, store.port, faults)
        _done(diastole("init", folder, "ingest", "--config", folder / "ingest.toml", "init"))
        asked(store, f"CREATE DATABASE {naive.DATABASE}")
        parts: dict[str, tuple[Hit, ...]] = {
            "broker": (broker,),
            "store": (store,),
            "ingest": (ingest, bridge),
            "agent": (agent, points),
        }
        for child in (ingest, bridge, agent, points):
            stack.callback(child.stop)
            child.start()
        hits = break_them(parts, seed, faults)
        until(lambda: agent.code is not None, f"the agent to end ({agent.log})", 240)
        return verdict(
            InfluxStore(Influx(url=f"http://127.0.0.1:{store.port}", database="diastole")),
            made,
            strains,
            hits=hits,
            ended=agent.code or 0,
            lost_by_control=lost_by_control(store),
        )


def ours(
    folder: Path, sessions: Mapping[str, Path], broker: int, store: int, faults: int
) -> tuple[Child, Child]:
    """Write the settings, and return the agent and ingest."""
    scenario = read_scenario(STORY)
    lasts_s = faults * SECONDS_A_FAULT + PAST_THE_LAST_S
    speed = scenario.edges_s[-1] / lasts_s
    subjects = "".join(f'[[subjects]]\nname = "{subject}"\n' for subject in sessions)
    replays = "".join(
        f'[[replay]]\nsubject = "{subject}"\npath = "{path}"\nspeed = {speed:.1f}\n'
        'at = "recorded"\n'
        for subject, path in sessions.items()
    )
    agent = folder / "agent.toml"
    agent.write_text(
        f'site = "lab"\nagent = "a-1"\nengine = "vectorised"\nstate = "{folder}/agent"\n'
        f"[broker]\nport = {broker}\n{subjects}{replays}",
        encoding="utf-8",
    )
    ingest = folder / "ingest.toml"
    ingest.write_text(
        f'name = "ingest-1"\n[spool]\npath = "{folder}/spool.sqlite"\n[broker]\nport = {broker}\n'
        f'[influx]\nurl = "http://127.0.0.1:{store}"\ndatabase = "diastole"\n',
        encoding="utf-8",
    )
    return (
        diastole("agent", folder, "run", agent),
        diastole("ingest", folder, "ingest", "--config", ingest),
    )


def control(folder: Path, broker: int, store: int, faults: int) -> tuple[Child, Child]:
    """Return the naive bridge and its naive agent."""
    rate = POINTS / (faults * SECONDS_A_FAULT)
    place = folder / "points"
    module = naive.__name__
    return (
        Child("bridge", folder, module, "bridge", str(broker), str(store)),
        Child("points", folder, module, "agent", str(broker), str(place), f"{rate}", str(POINTS)),
    )


def break_them(parts: Mapping[str, Sequence[Hit]], seed: int, faults: int) -> dict[str, int]:
    """Kill and freeze as the seed says; return how often each was hit."""
    hits = dict.fromkeys(parts, 0)
    for fault in schedule(seed, list(parts), faults):
        time.sleep(fault.wait_s)
        print(f"   {fault}", flush=True)
        hits[fault.victim] += 1
        for part in parts[fault.victim]:
            (part.freeze if fault.frozen else part.kill)()
        time.sleep(fault.down_s)
        for part in parts[fault.victim]:
            (part.thaw if fault.frozen else part.start)()
    return hits


def verdict(
    store: InfluxStore,
    made: Mapping[tuple[str, int], Mapping[str, float]],
    strains: Mapping[tuple[str, int], Mapping[str, float]],
    *,
    hits: Mapping[str, int],
    ended: int,
    lost_by_control: int,
) -> int:
    """Compare what was made with what is stored, once the store has taken what ingest holds."""
    counted = {"reading": len(made), "event": len(strains)}

    def enough() -> bool:
        return all(store.count().get(name, 0) >= number for name, number in counted.items())

    try:
        until(enough, "all of it to be stored", 90)
    except BaseException as error:  # it is told below, by sets
        print(f"   {error}")
    bad = ended != 0 or not lost_by_control
    print(f"   hits: {', '.join(f'{part} {n}' for part, n in hits.items())}; agent ended {ended}")
    sums = [0, 0, 0]
    for measurement, wanted in (("reading", made), ("event", strains)):
        fields = sorted({name for row in wanted.values() for name in row})
        read = store.read(measurement, {}, fields, WHEN_MS[0], WHEN_MS[1])
        stored = {(row.tags["subject"], row.time_ms): row for row in read}
        found = compare(wanted, stored)
        doubled = store.count().get(measurement, 0) - len(stored) + len(stored.keys() - wanted)
        print(
            f"   {measurement}: {len(wanted)} made, {len(stored)} stored: {found[0]} lost, "
            f"{doubled} doubled, {found[1]} changed"
        )
        sums = [sums[0] + found[0], sums[1] + doubled, sums[2] + found[1]]
    share = lost_by_control / POINTS
    print(f"   control, a naive bridge: {lost_by_control} of {POINTS} lost ({share:.1%})")
    bad |= any(sums)
    print(
        f"{'FAILED' if bad else 'ok'}: {sums[0]} lost, {sums[1]} doubled, {sums[2]} changed of "
        f"{sum(counted.values())} in {sum(hits.values())} faults; naive bridge lost {share:.1%}",
        flush=True,
    )
    return int(bad)


def compare(
    wanted: Mapping[tuple[str, int], Mapping[str, float]], stored: Mapping[tuple[str, int], Row]
) -> tuple[int, int]:
    """Return how many rows are missing, and how many have another value in a field of both."""
    missing = wanted.keys() - stored.keys()
    changed = 0
    for key in wanted.keys() & stored.keys():
        fields = stored[key].fields
        changed += any(
            abs(float(fields[name]) - value) > TOLERANCE * max(1.0, abs(value))
            for name, value in wanted[key].items()
            if name in fields
        )
    return len(missing), changed


def lost_by_control(store: Running) -> int:
    """Return how many of the naive agent's points are not in the store."""
    series = asked(store, f"SELECT count(n) FROM {naive.DATABASE}.autogen.point").get("series", [])
    return POINTS - (int(series[0]["values"][0][1]) if series else 0)


def asked(store: Running, query: str) -> dict[str, Any]:
    """Return what the store answers to one statement of InfluxQL."""
    data = urlencode({"q": query}).encode()
    with urlopen(f"http://127.0.0.1:{store.port}/query", data, timeout=10) as answer:
        result: dict[str, Any] = json.load(answer)["results"][0]
        return result


def _done(child: Child) -> None:
    child.start()
    until(lambda: child.code is not None, f"{child.log} to end")
    if child.code:
        raise SystemExit(child.log.read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
