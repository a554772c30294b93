"""agent.toml: read as it stands, and every mistake told at once with its line."""

from pathlib import Path

import msgspec
import pytest

from diastole.edge.agent.settings import Agent, read_agent
from diastole.edge.errors import Mistakes
from diastole.edge.formats.recorder import write
from diastole.edge.formats.session import Header
from diastole.edge.pipeline.rules import Notices
from diastole.edge.sources.replayed import moved
from tests.conftest import ROOT
from tests.strategies import REST, START_NS, recording

STORY = ROOT / "configs" / "demo" / "day.toml"
GOOD = f"""
[[subjects]]
name = "anna"
[[simulate]]
subject = "anna"
scenario = "{STORY}"
"""


def read(folder: Path, text: str) -> Agent:
    path = folder / "agent.toml"
    path.write_text(text, encoding="utf-8")
    return read_agent(path)


def told(folder: Path, text: str) -> list[str]:
    """Give what is wrong with a file, a sentence each, without its path."""
    with pytest.raises(Mistakes) as raised:
        read(folder, text)
    return [str(one).replace(f"{folder / 'agent.toml'}, ", "") for one in raised.value.found]


def test_the_shipped_file_is_read_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    agent = read_agent(Path("configs/agent.toml"))
    assert (agent.site, agent.agent, agent.engine) == ("home", "agent", "neurokit")
    assert str(agent.broker) == "127.0.0.1:1883"
    ((subject, source),) = agent.sources()
    assert (subject, source.simulated) == ("wearer-1", True)


def test_every_line_of_the_shipped_file_that_is_commented_out_can_be_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shared: Path
) -> None:
    monkeypatch.chdir(ROOT)
    lines = (ROOT / "configs" / "agent.toml").read_text(encoding="utf-8").splitlines()
    used = [
        line.removeprefix("# ") if line.startswith("# ") and " = " in line else line
        for line in lines
    ]
    used = [line.removeprefix("# ") if line.startswith("# [") else line for line in used]
    text = "\n".join(line for line in used if line != 'host = "127.0.0.1"')
    text = text.replace("recording.zip", str(shared / "hongn" / "stress" / "S06.zip"))
    agent = read(tmp_path, text)
    assert len(agent.sources()) == 4
    assert (agent.bluetooth[0].device, agent.bluetooth[0].adapter) == ("chest", "hci0")
    assert agent.subjects[0].quiet_hours == ["22:00", "07:00"]
    assert agent.detector.still_min == 5
    assert agent.broker.port == 8883


def test_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/xdg")
    agent = read(tmp_path, GOOD)
    assert agent.folder == Path("/xdg/diastole/agent")
    assert (agent.engine, agent.model, agent.clock) == ("neurokit", "shipped", "checked")
    assert agent.subjects[0].notices == Notices()
    monkeypatch.delenv("XDG_STATE_HOME")
    assert agent.folder == Path.home() / ".local/state/diastole/agent"


def test_the_wearer_says_when_to_be_told(tmp_path: Path) -> None:
    text = GOOD.replace('"anna"\n[[', '"anna"\nseated = true\nquiet_hours = ["22:30","07:00"]\n[[')
    notices = read(tmp_path, text).subjects[0].notices
    assert notices == Notices(seated=True, quiet_hours=(22 * 60 + 30, 7 * 60))


def test_every_mistake_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    assert told(
        tmp_path,
        """
site = "My Home"
engine = "neurokitt"
clok = "trusted"
[[subjects]]
name = "-"
quiet_hours = ["22:00"]
[[subjects]]
name = "bert"
zone = "Europe/Berlinn"
[[replay]]
subject = "bert"
path = "x"
speed = -1
at = "then"
[broker]
host = 3
[outbox]
max_mb = 0
[detector]
still_minutes = 4
""",
    ) == [
        "line 2: site is 'My Home': give a pseudonym of a-z, 0-9 and -, up to 64 of them",
        "line 3: engine is 'neurokitt': did you mean 'neurokit'?",
        "line 4: unknown setting 'clok': did you mean 'clock'?",
        "line 6: name is '-': give a pseudonym of a-z, 0-9 and -, up to 64 of them",
        """line 7: quiet_hours is a list of 1: give two times, as in ["22:00", "07:00"]""",
        "line 10: zone is 'Europe/Berlinn': give a time zone, as in Europe/Berlin",
        """line 14: speed is -1: give a number of times as fast from 0 up to 1e6, or "max\"""",
        "line 15: at is 'then': give one of now, recorded",
        "line 17: host is 3: give text in quotes of at least 1",
        "line 19: max_mb is 0: give a number over 0 up to 1e+06",
        "line 21: unknown setting 'still_minutes': did you mean 'still_min'?",
    ]


def test_what_does_not_go_together_is_told_at_once(tmp_path: Path) -> None:
    write(tmp_path / "undated.jsonl", Header(clock="relative", start_ns=0), [
        moved(recording(REST), -START_NS)
    ])  # fmt: skip
    (tmp_path / "odd.toml").write_text("chapters = 3", encoding="utf-8")
    found = told(
        tmp_path,
        f"""
model = "{tmp_path}/none.onnx"
[[subjects]]
name = "anna"
[[subjects]]
name = "anna"
[[subjects]]
name = "carl"
[[simulate]]
subject = "anna"
scenario = "{STORY}"
[[simulate]]
subject = "anna"
scenario = "{STORY}"
[[simulate]]
subject = "dora"
scenario = "{tmp_path}/odd.toml"
[[replay]]
subject = "anna"
path = "{tmp_path}/undated.jsonl"
at = "recorded"
[[replay]]
subject = "anna"
path = "{tmp_path}/nowhere.zip"
[detector]
uncertain_low = 1.5
pulse_coverage = 40
track_coverage = 50
still_min = -1
""",
    )
    lines = [int(one.split(":")[0].removeprefix("line ")) for one in found]
    assert lines == sorted(lines)
    wanted = {
        2: "no model file",
        6: "two subjects are called 'anna'",
        8: "subject 'carl' has no source",
        14: "plays the same already",
        16: "no subject is called 'dora'",
        17: "chapters is 3",
        20: "has no date",
        24: "no such file",
    }
    for line, words in wanted.items():
        assert any(one.startswith(f"line {line}: ") and words in one for one in found), words
    assert any("uncertain_low is 1.5" in one for one in found)
    assert any("pulse_coverage is 40.0, and a share" in one for one in found)
    assert any("track_coverage is 50.0, and a share" in one for one in found)
    assert any("still_min is -1.0" in one for one in found)


def test_one_recording_may_be_worn_by_two(tmp_path: Path) -> None:
    other = GOOD.replace("anna", "bert")
    assert len(read(tmp_path, GOOD + other).sources()) == 2


STRAP = """
[[subjects]]
name = "anna"
[[bluetooth]]
subject = "anna"
device = "strap"
address = "F0:13:C3:00:00:10"
"""


def test_a_device_over_bluetooth_is_a_source_that_needs_no_radio_to_be_read(tmp_path: Path) -> None:
    ((subject, source),) = read(tmp_path, STRAP).sources()
    assert (subject, source.name, source.live) == ("anna", "ble-strap", True)


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ('address = "F0:13:C3:00:00:10"', "", "run diastole scan"),
        ("F0:13:C3:00:00:10", "H10", "an address as diastole scan shows it"),
        ('device = "strap"', 'device = "Anna\'s strap"', "a pseudonym"),
        ('device = "strap"', 'device = "strap"\nkind = "sundial"', "no kind is called 'sundial'"),
        ('device = "strap"', 'device = "strap"\nadapter = "usb"', "as in hci0"),
        ('subject = "anna"', 'subject = "bert"', "no subject is called 'bert'"),
    ],
)
def test_a_device_that_cannot_be_meant_is_told(
    tmp_path: Path, was: str, becomes: str, said: str
) -> None:
    sentences = told(tmp_path, STRAP.replace(was, becomes))
    assert said in " ".join(sentences)


def test_one_device_is_not_worn_twice(tmp_path: Path) -> None:
    table = STRAP[STRAP.index("[[bluetooth]]") :]
    sentences = told(tmp_path, STRAP + table.replace("F0:13", "f0:13"))
    assert "line 10: anna has another device called 'strap': give each its own" in sentences
    assert "line 11: [[bluetooth]] 1 is the same device: leave one of them out" in sentences


def test_a_home_in_a_path_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    agent = msgspec.convert({"subjects": [{"name": "anna"}], "state": "~/kept"}, Agent)
    assert agent.folder == tmp_path / "kept"
