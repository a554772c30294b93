"""What is recorded of a radio: read again, it gives what was said live."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from diastole.edge.agent.clocks import Trust
from diastole.edge.agent.devices import Bluetooth
from diastole.edge.agent.record import Recorder
from diastole.edge.agent.run import Run
from diastole.edge.agent.settings import Agent, Subject
from diastole.edge.agent.wearer import Wearer
from diastole.edge.chunks import Chunk, join
from diastole.edge.formats.finding import open_recording
from diastole.edge.mqtt import Broker, Received
from diastole.edge.records import Mark, Reading
from diastole.edge.sources.ble.radio import Radio
from diastole.edge.wire import encode
from tests.agent.test_run import told
from tests.agent.worn import ANNA, assert_alike, means, readings, shipped_model
from tests.fakes.bluez import FakeBluez
from tests.fakes.devices import Strap, Watch
from tests.fakes.peripheral import Peripheral
from tests.radio.listening import assert_same, play, until

SPEED = 40


def agent(folder: Path, *devices: Peripheral, record: bool = False) -> Agent:
    return Agent(
        engine="vectorised",
        clock="trusted",
        state=str(folder / "state"),
        broker=Broker(port=1),
        subjects=[Subject(name="anna", record=record)],
        bluetooth=[
            Bluetooth(subject="anna", device=f"device-{k}", address=device.address)
            for k, device in enumerate(devices)
        ],
    )


def replayed(path: Path) -> tuple[list[Reading], Chunk]:
    """Give what a session says, read again by the agent's own walk."""
    chunks = list(open_recording(path).chunks())
    wearer = Wearer(ANNA, "UTC", means(model=shipped_model()), None, simulated=False)
    items = [item for chunk in chunks for item in wearer.step([chunk], chunk.until_ns)]
    return readings(items), join(chunks)


def session(folder: Path) -> Path:
    (path,) = folder.rglob("*.jsonl")
    return path


def test_law_1_a_recorded_session_replays_to_what_the_agent_said_live(tmp_path: Path) -> None:
    strap, watch = Strap(), Watch()
    settings = agent(tmp_path, strap, watch, record=True)

    async def story(bluez: FakeBluez) -> None:
        sources = [(item.subject, item.source(Radio())) for item in settings.bluetooth]
        stop = asyncio.Event()
        run = Run(
            settings,
            sources,
            clock=bluez.clock,
            trust=lambda: Trust(True, "told"),
            folder=settings.folder,
        )
        running = asyncio.create_task(run.until(stop))
        await until(lambda: len(strap.heard) > 120 or running.done())
        strap.drop_link(away=5)
        await until(lambda: len(strap.heard) > 260 or running.done())
        stop.set()
        assert await running == 0

    play(story, strap, watch, speed=SPEED)
    live, _ = told(tmp_path)
    again, came = replayed(session(settings.folder / "recordings"))
    assert {reading.device for reading in live} == {"device-0", "device-1"}
    assert {reading.grade for reading in live} == {"beats", "heart_rate"}
    assert len(live) > 40
    last_ns = live[-1].time_ns
    assert_alike(by_device(live), by_device([one for one in again if one.time_ns <= last_ns]))
    assert set(came.devices) == {"device-0", "device-1"}
    assert len(came.breaks) >= 1


def by_device(told: Sequence[Reading]) -> list[Reading]:
    return sorted(told, key=lambda reading: (reading.device, reading.time_ns))


def test_record_alone_keeps_every_beat_and_marks_typed_and_handed_in(tmp_path: Path) -> None:
    strap = Strap()
    settings = agent(tmp_path, strap)
    answers: list[str] = []

    async def story(bluez: FakeBluez) -> None:
        sources = [(item.subject, item.source(Radio())) for item in settings.bluetooth]
        recorder = Recorder(settings, sources, tmp_path / "out", bluez.clock)
        stop = asyncio.Event()
        running = asyncio.create_task(recorder.until(stop))
        await until(lambda: len(strap.heard) > 20 or running.done())
        answers.extend(recorder.typed(line) for line in ("stroop begins\n", "  \n"))
        handed = Mark(device="-", time_ns=bluez.clock.wall_ns(), text="coffee", by="wearer")
        recorder.received(inbound("anna", encode(handed)))
        recorder.received(inbound("bert", encode(handed)))
        strap.mute = True
        await bluez.clock.sleep(4)
        stop.set()
        await running

    play(story, strap)
    _, came = replayed(session(tmp_path / "out"))
    assert_same([round(ms * 1.024) for ms in came.beats["rr_ms"]], strap.heard)
    assert [(mark.text, mark.by) for mark in came.marks] == [
        ("stroop begins", "observer"),
        ("coffee", "wearer"),
    ]
    assert answers == [
        "marked for anna: stroop begins",
        "not marked: type SUBJECT: TEXT, of anna",
    ]


def inbound(subject: str, payload: bytes) -> Received:
    topic = f"diastole/in/v1/home/agent/{subject}/-"
    return Received(topic=topic, payload=payload, retained=False, mid=0, generation=1)
