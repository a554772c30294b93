"""``ingest.toml``: which broker is listened to, which store is filled, what waits between them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from diastole.edge import settings
from diastole.edge.mqtt import Broker
from diastole.edge.settings import Mistake
from diastole.edge.wire.topics import ROOT, VERSION, Name
from diastole.ingest.spool import Limits
from diastole.ingest.stores import Store
from diastole.ingest.stores.influx_settings import Influx

_MB: Final = 1_000_000


class Sqlite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The embedded store."""

    path: Annotated[str, Meta(min_length=1, description="the path of a file")]


class SpoolSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of the disk while the store is away; beyond, the broker and the agents keep."""

    path: str | None = None
    """Without it below the XDG state folder."""
    most_mb: Annotated[float, Meta(gt=0, le=10_000_000)] = 4_000.0
    free_mb: Annotated[float, Meta(ge=1, le=10_000_000)] = 200.0
    """So much of the disk stays free."""


class Ingest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file. Its name is the client's at the broker, and the agent of its own status."""

    name: Name = "ingest"
    sites: Annotated[list[Name], Meta(min_length=1, description="at least one site")] | None = None
    """Without it all. No two processes may have one site."""
    broker: Broker = Broker()
    spool: SpoolSettings = SpoolSettings()
    sqlite: Sqlite | None = None
    influx: Influx | None = None

    def mistakes(self) -> Iterator[Mistake]:
        """Yield what cannot be meant of the file as a whole."""
        if self.sqlite is None and self.influx is None:
            remedy = "add [sqlite] with a path, or [influx] with an url"
            yield Mistake((), "no store is named", remedy)
        if self.sqlite is not None and self.influx is not None:
            yield Mistake(("influx",), "two stores are named", "leave out [sqlite] or [influx]")
        doubled = {site for site in self.sites or () if (self.sites or []).count(site) > 1}
        for site in sorted(doubled):
            yield Mistake(("sites",), f"site {site!r} stands there twice", "name it once")

    @property
    def subscriptions(self) -> list[str]:
        """Return the topics that are listened to."""
        sites: list[str] = list(self.sites or ["+"])
        return [f"{ROOT}/{VERSION}/{site}/+/+/+" for site in sites]

    @property
    def spool_file(self) -> Path:
        """Return where the spool is."""
        if self.spool.path is not None:
            return Path(self.spool.path).expanduser()
        return settings.state_folder() / f"{self.name}.spool"

    @property
    def limits(self) -> Limits:
        """Return how much the spool may take."""
        most, free = self.spool.most_mb * _MB, self.spool.free_mb * _MB
        return Limits(most_bytes=int(most), free_bytes=int(free))

    def store(self) -> Store:
        """Return the store, which is not spoken to yet."""
        if self.influx is not None:
            from diastole.ingest.stores.influx import InfluxStore

            return InfluxStore(self.influx)
        if self.sqlite is None:
            raise AssertionError(self)
        from diastole.ingest.stores.sqlite import SqliteStore

        return SqliteStore(Path(self.sqlite.path).expanduser())


def read_ingest(path: Path) -> Ingest:
    """Return the file; raise BadFile or Mistakes."""
    return settings.read(path, Ingest)
