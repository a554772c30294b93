"""What is so at present on a broker: its wearers and agents as one board, and told as lines."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Final, NamedTuple

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from diastole.edge.records import (
    SECOND_NS,
    Event,
    Mark,
    Reading,
    Status,
)
from diastole.edge.views.live import MEASURES, facts, number, trend, usual
from diastole.edge.views.phrases import age, clean, episode, health, marked, row, saying
from diastole.edge.views.words import (
    DECISION_COLOURS,
    GREY,
    NOT_A_DIAGNOSIS,
    ORANGE,
    VERMILLION,
)
from diastole.edge.wire import Noun
from diastole.edge.wire.topics import NOBODY, Topic

WIDE: Final = 100
"""A narrower terminal shows no trends."""
_TREND_ROWS: Final = 120
_LAST_MARKS: Final = 4
_LATE_S: Final = 30
"""Readings come each 5 s; who has not sent one for so long is shown to be silent."""


class Wearing(NamedTuple):
    """Who wears what, and which agent says so."""

    site: str
    agent: str
    subject: str
    device: str

    def __str__(self) -> str:
        """Return it as it is read."""
        return "/".join(name for name in self if name != NOBODY)


class News(NamedTuple):
    """Something new, at its own time, about a subject."""

    time_ns: int
    who: Wearing
    text: str


@dataclass(slots=True)
class _Known:
    """What is known of one wearing."""

    readings: deque[Reading] = field(default_factory=lambda: deque(maxlen=_TREND_ROWS))
    heard_s: float = 0.0
    episode: Event | None = None
    earlier: int = 0
    """Readings that came after newer ones, not told yet."""


@dataclass(slots=True)
class _Agent:
    status: Status
    heard_s: float


class Board:
    """The latest of every wearer and agent; what is taken in and drawn knows no broker.

    ``now_ns`` is the time of day, ``at_s`` a clock that never steps: ages are counted with it.
    """

    def __init__(self) -> None:
        self._worn: dict[Wearing, _Known] = {}
        self._agents: dict[tuple[str, str], _Agent] = {}
        self._marks: deque[tuple[Wearing, Mark]] = deque(maxlen=_LAST_MARKS)
        self._offsets: dict[str, int] = {}

    @property
    def known(self) -> bool:
        """Whether anything has been heard."""
        return bool(self._worn or self._agents or self._marks)

    def take(self, topic: Topic, record: Noun, now_ns: int, at_s: float) -> Iterator[News]:
        """Take a record in; yield what is new by it, of a reading itself last."""
        who = Wearing(topic.site, topic.agent, topic.subject, getattr(record, "device", NOBODY))
        match record:
            case Reading():
                news = self._reading(who, record, at_s)
            case Event():
                news = self._event(who, record)
            case Mark():
                news = self._mark(who, record)
            case Status() if who.subject == NOBODY and record.device == NOBODY:
                news = self._status(who, record, now_ns, at_s)
            case _:
                return
        for time_ns, text in news:
            yield News(time_ns, who, text)

    def line(self, news: News, now_ns: int) -> str:
        """Return it with the time of day where its subject is."""
        return f"{self._when(news.time_ns, news.who.subject, now_ns)}  {news.who}  {news.text}"

    def _reading(self, who: Wearing, reading: Reading, at_s: float) -> Iterator[tuple[int, str]]:
        known = self._worn.setdefault(who, _Known())
        if known.readings and reading.time_ns <= known.readings[-1].time_ns:
            known.earlier += 1
            return
        self._offsets[who.subject] = reading.utc_offset_min
        known.readings.append(reading)
        known.heard_s = at_s
        if known.earlier:
            yield reading.time_ns, f"{known.earlier} earlier readings have caught up"
            known.earlier = 0
        invented = "SIMULATED, " if reading.simulated else ""
        yield reading.time_ns, f"{invented}{saying(reading)}: {facts(row(reading))}"

    def _event(self, who: Wearing, event: Event) -> Iterator[tuple[int, str]]:
        known = self._worn.setdefault(who, _Known())
        last = known.episode
        if last is not None and (event.start_ns, event.rev) <= (last.start_ns, last.rev):
            return
        known.episode = event
        if last is None or last.id != event.id:
            yield event.start_ns, episode(event)
        if event.end_ns is not None and (last is None or last.id != event.id or not last.end_ns):
            minutes = (event.end_ns - event.start_ns) / SECOND_NS / 60
            yield event.end_ns, f"the episode ended, after {minutes:.0f} min"

    def _mark(self, who: Wearing, mark: Mark) -> Iterator[tuple[int, str]]:
        if (who, mark) not in self._marks:
            self._marks.append((who, mark))
            yield mark.time_ns, marked(mark)

    def _status(
        self, who: Wearing, status: Status, now_ns: int, at_s: float
    ) -> Iterator[tuple[int, str]]:
        key = who.site, who.agent
        last = self._agents.get(key)
        if last is not None and status.time_ns and status.time_ns < last.status.time_ns:
            return
        self._agents[key] = _Agent(status, at_s)
        trouble = status.text.get("trouble", "")
        if trouble and (last is None or last.status.text.get("trouble") != trouble):
            yield status.time_ns or now_ns, f"the agent says: {clean(trouble)}"
        if last is None or _online(last.status) != _online(status):
            state = f"online, {health(status)}" if _online(status) else "gone"
            yield status.time_ns or now_ns, f"the agent is {state}"

    def draw(
        self, console: Console, now_ns: int, at_s: float, *, title: str, trouble: str = ""
    ) -> RenderableType:
        """Draw all that is known for a terminal like this one."""
        body: list[RenderableType] = []
        if trouble:
            body += [Text(clean(trouble), style=f"bold {VERMILLION}")]
        if self._worn:
            body += [self._wearers(console, now_ns, at_s), Text()]
            body += self._episodes(now_ns)
        elif not trouble:
            body += [Text("nothing heard yet: no agent has sent a reading", style=GREY), Text()]
        for who, mark in self._marks:
            when = self._when(mark.time_ns, who.subject, now_ns)
            body += [Text(f"{when}  {who.subject}  {marked(mark)}")]
        for (site, agent), seen in sorted(self._agents.items(), key=lambda pair: pair[0]):
            body += [self._agent_line(site, agent, seen, console, at_s)]
        body += [Text(NOT_A_DIAGNOSIS, style="dim")]
        return Panel(Group(*body), title=Text(title), title_align="left")

    def _wearers(self, console: Console, now_ns: int, at_s: float) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        wide = console.width >= WIDE
        trends = ["last 10 min"] if wide else []
        for heading in ("wearer", "heart rate", "RMSSD", "p", "said", *trends):
            table.add_column(heading, no_wrap=heading in trends)
        for who, known in sorted(self._worn.items(), key=lambda pair: pair[0]):
            cells = [self._who(who, known), *self._cells(known, who, now_ns, at_s)]
            if wide:
                values = [row(old)["p_stress"] for old in known.readings]
                cells.append(Text(trend(values, console, (0, 1)) if values else "", style="blue"))
            table.add_row(*cells)
        return table

    @staticmethod
    def _who(who: Wearing, known: _Known) -> Text:
        invented = bool(known.readings) and known.readings[-1].simulated
        return Text(f"{who.subject}\n{who.device}" + (", SIMULATED" if invented else ""))

    def _cells(self, known: _Known, who: Wearing, now_ns: int, at_s: float) -> list[Text]:
        """Return what was measured and said last."""
        words = Text()
        if not known.readings:
            cells = [Text("?"), Text("?"), Text("?")]
        else:
            reading = known.readings[-1]
            last = row(reading)
            cells = [
                Text(f"{number(last[name])} {unit}\n{usual(last, normal, unit)}")
                for _, name, unit, normal in MEASURES
            ]
            cells.append(Text(number(last["p_stress"], 2)))
            words.append(saying(reading), f"bold {DECISION_COLOURS[reading.decision]}")
            words.append(f"\n{self._when(reading.time_ns, who.subject, now_ns)}", "dim")
            if at_s - known.heard_s > _LATE_S:
                words.append(f", silent for {age(at_s - known.heard_s)}", VERMILLION)
        return [*cells, words]

    def _episodes(self, now_ns: int) -> Iterator[Text]:
        """Yield a line for each episode that runs."""
        for who, known in sorted(self._worn.items(), key=lambda pair: pair[0]):
            if known.episode is not None and known.episode.end_ns is None:
                since = self._when(known.episode.start_ns, who.subject, now_ns)
                line = f"since {since}  {who.subject}  {episode(known.episode)}"
                yield Text(line, style=ORANGE)

    def _agent_line(
        self, site: str, agent: str, seen: _Agent, console: Console, at_s: float
    ) -> Text:
        symbols = "○●" if (console.encoding or "").startswith("utf") else "o*"
        heard = [
            known.heard_s
            for who, known in self._worn.items()
            if (who.site, who.agent) == (site, agent) and known.readings
        ]
        last = f", last reading {age(at_s - max(heard))} ago" if heard else ", no reading yet"
        if not _online(seen.status):
            return Text(f"{symbols[0]} agent {site}/{agent} is gone{last}", style=VERMILLION)
        line = Text(f"{symbols[1]} agent {site}/{agent} online, {health(seen.status)}{last}")
        if trouble := seen.status.text.get("trouble"):
            line.append(f"\n  {clean(trouble)}", VERMILLION)
        return line

    def _when(self, time_ns: int, subject: str, now_ns: int) -> str:
        """Return a time of day where the wearer is, with its date unless that is today's."""
        minutes = self._offsets.get(subject, 0)
        zone = timezone(timedelta(minutes=minutes)) if abs(minutes) < 24 * 60 else UTC
        then, now = (datetime.fromtimestamp(ns / SECOND_NS, zone) for ns in (time_ns, now_ns))
        return f"{then:%H:%M:%S}" if then.date() == now.date() else f"{then:%Y-%m-%d %H:%M:%S}"


def _online(status: Status) -> bool:
    return bool(status.values.get("online"))
