"""The story as it arrives over the broker: its turns as lines, in a terminal above a board."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from diastole.edge.records import MINUTE_NS, SECOND_NS, Reading
from diastole.edge.views.board import Board
from diastole.edge.views.live import Story, Turn
from diastole.edge.views.phrases import row
from diastole.edge.views.words import clock
from diastole.edge.watch import Heard

FRAME_S: Final = 0.25


class Telling:
    """Tells what is heard; a context, as a terminal is to be given back."""

    def __init__(self, chapters: Sequence[Turn], console: Console) -> None:
        self.t_s = 0.0
        """How far the story is."""
        self._console = console
        self._board = Board()
        self._story = Story(chapters=chapters)
        self._began_ns: int | None = None
        self._live: Live | None = None
        self._ends = ExitStack()

    def take(self, heard: Heard) -> None:
        """Tell what a record adds to the story."""
        news = self._board.take(heard.topic, heard.record, time.time_ns(), time.monotonic())
        texts = [one.text for one in news]
        if not isinstance(heard.record, Reading):
            for text in texts:
                self.say(text)
        elif texts:  # else it catches up
            for text in texts[:-1]:
                self.say(text)
            self._read(heard.record)

    def _read(self, reading: Reading) -> None:
        if self._began_ns is None:  # the story is shifted by whole minutes
            self._began_ns = reading.time_ns // MINUTE_NS * MINUTE_NS
        self.t_s = (reading.time_ns - self._began_ns) / SECOND_NS
        for line in self._story.turns({**row(reading), "t_s": self.t_s}):
            self._print(line)

    def say(self, text: str) -> None:
        """Tell something that happens at this moment of the story."""
        self._print(f"{clock(self.t_s)}  {text}")

    def aside(self, text: str) -> None:
        """Tell something that happens outside the story, whatever its clock."""
        self._print(f"         {text}")

    def show(self, trouble: str) -> None:
        """Draw the board anew, where there is a terminal."""
        if self._live is not None:
            now = time.time_ns(), time.monotonic()
            title = "diastole watch: SIMULATED"
            board = self._board.draw(self._console, *now, title=title, trouble=trouble)
            chapter = Text(self._story.chapter, style="bold")
            self._live.update(Group(chapter, board), refresh=True)

    def _print(self, line: str) -> None:
        self._console.print(Text(line, style="dim" if self._live else ""), soft_wrap=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = self._ends.enter_context(Live(console=self._console, auto_refresh=False))
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()
