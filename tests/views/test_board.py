"""The board of a broker: what is new of each record as a line, and all that is known, drawn."""

import io

import msgspec
import pytest
from rich.console import Console

from diastole.edge.records import (
    SECOND_NS,
    Decision,
    Driver,
    Event,
    EventPhase,
    Mark,
    Reason,
    Status,
)
from diastole.edge.views.board import Board
from diastole.edge.wire import Noun
from diastole.edge.wire.topics import NOBODY, Stream, Topic
from tests.views.heard import NOON_NS, reading

TOPIC = Topic("lab", "pi-1", "p-1", Stream.READING)
OWN = Topic("lab", "pi-1", NOBODY, Stream.STATUS)


def episode(rev: int = 1, end_ns: int | None = None, driver: str = "hr_above_normal") -> Event:
    return Event(
        id="strap-1",
        rev=rev,
        phase=EventPhase.END if end_ns else EventPhase.BEGIN,
        device="strap",
        start_ns=NOON_NS,
        end_ns=end_ns,
        end_reason="calm" if end_ns else None,
        peak_p=0.93,
        mean_p=0.8,
        drivers=[Driver(input=driver, value=80, normal=66)],
        recovery_s=None,
        notify=True,
        notify_reason=None,
    )


def status(time_ns: int = NOON_NS, **values: float) -> Status:
    return Status(device=NOBODY, time_ns=time_ns, values=values)


def told(board: Board, record: Noun, topic: Topic = TOPIC, at_s: float = 0.0) -> list[str]:
    news = board.take(topic, record, NOON_NS, at_s)
    return [board.line(one, NOON_NS) for one in news]


def drawn(board: Board, *, at_s: float = 0.0, width: int = 120, trouble: str = "") -> str:
    text = io.StringIO()
    console = Console(file=text, width=width, color_system=None)
    console.print(board.draw(console, NOON_NS, at_s, title="here", trouble=trouble))
    return text.getvalue()


def test_a_reading_is_a_line_in_the_wearers_time() -> None:
    (line,) = told(Board(), reading(utc_offset_min=120, simulated=True))
    assert line == (
        "14:00:00  lab/pi-1/p-1/strap  SIMULATED, calm: heart rate 66 bpm (normal 58-70), "
        "RMSSD 41 ms (normal 30-50), p 0.31"
    )


def test_another_day_has_its_date() -> None:
    (line,) = told(Board(), reading(NOON_NS - 86_400 * SECOND_NS))
    assert line.startswith("2027-01-14 12:00:00  ")


def test_why_nothing_is_decided_is_told() -> None:
    undecided = reading(decision=Decision.UNDECIDED, reason=Reason.CALIBRATING, p_stress=None)
    (line,) = told(Board(), undecided)
    assert "undecided: learning the normal, 5 of 12: heart rate" in line
    known = msgspec.structs.replace(undecided, normal_have=13)
    (line,) = told(Board(), known)
    assert "undecided: learning the last minutes: heart rate" in line


def test_readings_that_catch_up_are_counted_not_shown() -> None:
    board = Board()
    told(board, reading(NOON_NS))
    for k in range(1, 4):
        assert told(board, reading(NOON_NS - k * 5 * SECOND_NS)) == []
    caught_up, newest = told(board, reading(NOON_NS + 5 * SECOND_NS))
    assert caught_up.endswith("3 earlier readings have caught up")
    assert "calm" in newest


def test_an_episode_is_told_once_whatever_comes_again() -> None:
    board = Board()
    end_ns = NOON_NS + 240 * SECOND_NS
    (begun,) = told(board, episode(1))
    assert "an episode of strain: heart rate 14 bpm above your normal while still" in begun
    assert "peak p 0.93 (told)" in begun
    assert told(board, episode(1)) == told(board, episode(2)) == []
    assert "since 12:00:00  p-1  an episode of strain" in drawn(board)
    (ended,) = told(board, episode(3, end_ns))
    assert ended == "12:04:00  lab/pi-1/p-1/strap  the episode ended, after 4 min"
    assert told(board, episode(4, end_ns)) == told(board, episode(2)) == []
    assert "an episode of strain" not in drawn(board)


def test_what_a_newer_agent_says_is_told_by_its_name() -> None:
    (line,) = told(Board(), episode(driver="temperature_rise"))
    assert "temperature_rise" in line


def test_marks_are_kept_and_nothing_of_theirs_reaches_the_terminal() -> None:
    board = Board()
    mark = Mark(device=NOBODY, time_ns=NOON_NS, text="[red]tea\x1b[2J\nx", by="[/]")
    (line,) = told(board, mark, TOPIC._replace(stream=Stream.MARK))
    assert line == "12:00:00  lab/pi-1/p-1  mark by [/]: [red]tea�[2J�x"
    assert told(board, mark, TOPIC._replace(stream=Stream.MARK)) == []
    assert "12:00:00  p-1  mark by [/]: [red]tea" in drawn(board)


def test_an_agent_comes_goes_and_comes_back() -> None:
    board = Board()
    assert told(board, status(online=1, outbox_rows=3), OWN) == [
        "12:00:00  lab/pi-1  the agent is online, outbox 3 rows"
    ]
    assert told(board, status(online=1, outbox_rows=4), OWN) == []
    assert told(board, status(0, online=0), OWN) == ["12:00:00  lab/pi-1  the agent is gone"]
    assert "agent lab/pi-1 is gone" in drawn(board)
    back = status(NOON_NS + SECOND_NS, online=1, outbox_rows=9)
    assert told(board, back, OWN) == ["12:00:01  lab/pi-1  the agent is online, outbox 9 rows"]
    assert told(board, status(NOON_NS, online=1, outbox_rows=5), OWN) == []
    assert "outbox 9 rows" in drawn(board)


def test_what_an_agent_has_trouble_with_is_drawn() -> None:
    board = Board()
    record = Status(
        device=NOBODY, time_ns=NOON_NS, values={"online": 1}, text={"trouble": "no\x1bmodel"}
    )
    assert "12:00:00  lab/pi-1  the agent says: no�model" in told(board, record, OWN)
    assert not any("says" in line for line in told(board, record, OWN))
    assert "no�model" in drawn(board)


def test_the_board_shows_each_wearing_with_its_age() -> None:
    board = Board()
    told(board, reading(), at_s=100)
    told(board, reading(decision=Decision.STRESS, p_stress=0.9), TOPIC._replace(subject="p-2"), 100)
    told(board, status(online=1, outbox_rows=0), OWN)
    fresh = drawn(board, at_s=103)
    assert "last reading 3 s ago" in fresh
    assert "silent" not in fresh
    for words in ("p-1", "p-2", "66 bpm", "(normal 58-70)", "41 ms", "0.31", "0.90"):
        assert words in fresh
    assert fresh.index("p-1") < fresh.index("calm") < fresh.index("p-2")
    assert "stress-like" in fresh
    assert "not a diagnosis" in fresh
    assert "silent for 5 min" in drawn(board, at_s=400)


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_it_fits_any_terminal(width: int) -> None:
    board = Board()
    told(board, reading())
    told(board, episode())
    lines = drawn(board, width=width, trouble="the broker is away").splitlines()
    assert max(map(len, lines)) <= width
    assert "the broker is away" in "\n".join(lines)


def test_an_empty_board_says_so() -> None:
    board = Board()
    assert not board.known
    assert "nothing heard yet" in drawn(board)


def worn(k: int = 0, **text: str) -> Status:
    return Status(
        device="strap",
        time_ns=NOON_NS + k * SECOND_NS,
        values={"battery_pct": 87, "rssi_dbm": -58, "beat_age_s": 1.2, "dropped_odd_byte": 3},
        text={"link": "linked", "kind": "polar", "trouble": ""} | text,
    )


def test_a_device_is_told_with_its_battery_its_signal_and_its_last_beat() -> None:
    board, topic = Board(), TOPIC._replace(stream=Stream.STATUS)
    told(board, status(online=1), OWN)
    (line,) = told(board, worn(), topic)
    assert line.endswith(
        "p-1/strap  the device is linked, battery 87 %, -58 dBm, last beat 1 s ago, 3 dropped"
    )
    assert told(board, worn(1), topic) == []
    assert "  p-1/strap linked, battery 87 %, -58 dBm, last beat 41 s ago" in drawn(board, at_s=40)
    (line,) = told(board, worn(2, link="seeking", trouble="not seen\x1b[2J"), topic)
    assert "the device is seeking" in line
    assert line.endswith(": not seen\N{REPLACEMENT CHARACTER}[2J")
    assert told(board, worn(1), topic) == []
    assert "strap seeking" in drawn(board)


def test_a_device_of_heart_rates_says_what_it_never_gives() -> None:
    board = Board()
    told(board, status(online=1), OWN)
    told(board, worn(rr="none"), TOPIC._replace(stream=Stream.STATUS))
    assert "heart rate only: no variability, ever" in drawn(board)
