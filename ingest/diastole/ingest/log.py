"""What ingest says while it runs: a line each, ``key=value``; what repeats, once a minute."""

import logging
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TextIO

import msgspec

EVERY_S: Final = 60.0


class Log:
    """Writes lines; any thread may."""

    def __init__(
        self,
        wall_ns: Callable[[], int],
        monotonic: Callable[[], float],
        stream: TextIO | None = None,
    ) -> None:
        self._wall_ns = wall_ns
        self._monotonic = monotonic
        self._stream = stream or sys.stderr
        self._lock = threading.Lock()
        self._spoken: dict[tuple[str, str], float] = {}
        self._withheld: dict[tuple[str, str], int] = {}

    def say(self, what: str, **values: object) -> None:
        """Write a line now."""
        time = datetime.fromtimestamp(self._wall_ns() / 1e9, UTC).isoformat(timespec="seconds")
        told = {"time": time.removesuffix("+00:00") + "Z", "said": what, **values}
        with self._lock:
            print(*(f"{key}={_shown(value)}" for key, value in told.items()), file=self._stream)
            self._stream.flush()

    def again(self, what: str, about: str, **values: object) -> None:
        """Write a line unless the same was said of the same within a minute; count it then."""
        key, now = (what, about), self._monotonic()
        with self._lock:
            if now - self._spoken.get(key, -EVERY_S) < EVERY_S:
                self._withheld[key] = self._withheld.get(key, 0) + 1
                return
            self._spoken = {k: t for k, t in self._spoken.items() if now - t < EVERY_S}
            self._spoken[key] = now
            withheld = self._withheld.pop(key, 0)
        self.say(what, about=about, **values, **({"since": withheld} if withheld else {}))


class Forwarded(logging.Handler):
    """Hands on what libraries and other rooms say."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write it as a line."""
        self._log.say(record.levelname.lower(), by=record.name, why=self.format(record))


def _shown(value: object) -> str:
    rough = isinstance(value, float) and not value.is_integer()  # counts are told to the last one
    text = f"{value:.3g}" if rough else f"{value:.0f}" if isinstance(value, float) else str(value)
    plain = text and text.isprintable() and not any(c in ' "=\\' for c in text)
    return text if plain else msgspec.json.encode(text.encode("utf-8", "replace").decode()).decode()
