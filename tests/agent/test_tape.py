"""What is recorded beside a wearer who is told: the same, whatever comes when."""

from dataclasses import replace
from pathlib import Path

import msgspec

from diastole.edge.agent.tape import Tape
from diastole.edge.chunks import Chunk
from diastole.edge.formats.finding import open_recording
from diastole.edge.formats.session import Header
from diastole.edge.records import MINUTE_NS, SECOND_NS, Mark
from tests.agent.worn import assert_alike, readings, records, stepped, wearer
from tests.strategies import REST, START_NS, STRESS, cut, recording

WHOLE = recording(REST, STRESS)
SECONDS = range(START_NS, WHOLE.until_ns, SECOND_NS)
MARK = Mark(device="-", time_ns=START_NS + 18 * SECOND_NS, text="tea", by="wearer")


def taped(folder: Path, pieces: list[Chunk]) -> tuple[Tape, list[Chunk]]:
    tape = Tape.begin(folder, Header(subject="anna"), START_NS)
    for piece in pieces:
        tape.take([piece], piece.until_ns)
    tape.close()
    return tape, list(open_recording(tape.path).chunks())


def test_law_1_a_mark_older_than_what_is_told_is_recorded_as_it_is_sent(tmp_path: Path) -> None:
    pieces = cut(WHOLE, SECONDS)
    pieces[20] = replace(pieces[20], marks=(MARK,))
    tape, came = taped(tmp_path, pieces)
    assert (records(stepped(wearer(), pieces), Mark), tape.marks) == ([MARK], 1)
    assert records(stepped(wearer(), came), Mark) == [MARK]


def test_a_mark_older_than_a_session_holds_is_counted_and_not_in_it(tmp_path: Path) -> None:
    tape = Tape.begin(tmp_path, Header(subject="anna"), START_NS)
    tape.take([WHOLE], MARK.time_ns + 16 * MINUTE_NS)
    tape.mark(MARK)
    tape.take([Chunk(tape.until_ns, marks=(MARK,))], tape.until_ns)
    newer = msgspec.structs.replace(MARK, time_ns=tape.until_ns - 14 * MINUTE_NS)
    tape.mark(newer)
    tape.close()
    came = [mark for chunk in open_recording(tape.path).chunks() for mark in chunk.marks]
    assert (came, tape.marks, tape.late) == ([newer], 1, 2)


def test_law_7_what_is_late_is_left_out_as_the_wearer_leaves_it_out(tmp_path: Path) -> None:
    told = cut(WHOLE, SECONDS)
    pieces = [*told[:300], *told[100:300], *told[300:]]
    tape, came = taped(tmp_path, pieces)
    one = wearer()
    live = readings(stepped(one, pieces))
    assert tape.late == one.counts["late"] >= 200
    last_ns = live[-1].time_ns
    again = readings(stepped(wearer(), came))
    assert_alike(live, [reading for reading in again if reading.time_ns <= last_ns])
