"""Lines of ingest: one each, readable by a program, and not the same one over and over."""

import logging

from diastole.ingest.log import Forwarded
from tests.ingest.sent import Moment, a_log


def test_a_line_is_keys_and_values() -> None:
    log, page = a_log()
    log.say("dead letter", topic="a/b", n=3, share=0.12345, detail='say "x"\n= \ud800')
    assert page.getvalue() == (
        'time=2023-11-14T22:13:20Z said="dead letter" topic=a/b n=3 share=0.123'
        ' detail="say \\"x\\"\\n= ?"\n'
    )


def test_a_count_is_told_to_the_last_one() -> None:
    log, page = a_log()
    log.say("status", kept=5030.0, per_s=1.4666, rows=12_345_678.0, none=0.0)
    assert page.getvalue().endswith(" kept=5030 per_s=1.47 rows=12345678 none=0\n")


def test_the_same_is_said_once_a_minute_and_counted() -> None:
    clock = Moment()
    log, page = a_log(clock)
    for _ in range(5):
        log.again("no room", "spool")
        log.again("no room", "release")
    assert page.getvalue().count("no room") == 2
    clock.now_s = 61
    log.again("no room", "spool")
    assert page.getvalue().splitlines()[-1].endswith("about=spool since=4")


def test_what_others_say_is_a_line_too() -> None:
    log, page = a_log()
    other = logging.getLogger("tests.other")
    other.addHandler(Forwarded(log))
    try:
        other.warning("the broker %s", "is gone")
    finally:
        other.handlers.clear()
    assert page.getvalue().endswith('said=warning by=tests.other why="the broker is gone"\n')
