"""The composition root: from settings to a running application. Nothing else opens connections or reads the clock."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import psycopg
import structlog
from psycopg import Connection
from psycopg_pool import ConnectionPool

from adapters.errors import translated
from adapters.garbage import rare_collections
from adapters.master_key import master_keys
from adapters.postgres.audit_log import PostgresAuditLog
from adapters.postgres.case_queries import CaseQueries
from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.embedded_host import choose_home
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.mapper import decode_or_mark
from adapters.postgres.people_queries import PeopleQueries
from adapters.postgres.pool import PATIENCE, open_pool
from adapters.postgres.read_store import PostgresReadStore
from adapters.postgres.readers import Readers, provision
from adapters.postgres.shadow import PostgresShadows
from adapters.sealing import MasterKeys
from adapters.settings import Settings
from domain.access import Actor
from domain.command import Command
from domain.service import ATTEMPTS, Dossier
from projections.all import READ_MODELS
from projections.follow import catch_up
from projections.read_model import Key, ReadModel, Row
from projections.rebuild import Rebuilt, Watch, rebuild

_log = structlog.get_logger()

SHORTEST_PAUSE: Final = 0.004
LONGEST_PAUSE: Final = 0.25


@dataclass(frozen=True)
class Application:
    """Everything a command line, a server or a test needs: the command API, the event store and the tables."""

    pool: ConnectionPool[Connection[tuple[Any, ...]]]
    dossier: Dossier
    events: PostgresEventStore
    reads: PostgresReadStore

    @cached_property
    def audit(self) -> PostgresAuditLog:
        """The Merkle tree over the event store."""
        return PostgresAuditLog(self.events, self.reads.schema("audit"))

    @cached_property
    def log(self) -> PostgresEventStore:
        """The events as the read models follow them: one that cannot be read stands still, the rest goes on."""
        return PostgresEventStore(self.pool, self.events.schema, self.events.master, decode_or_mark)

    @cached_property
    def readers(self) -> Readers:
        """What lets connections read as an actor."""
        return Readers(self.pool)

    def people(self, actor: Actor) -> PeopleQueries:
        """Return the queries over the tables of people, as the actor may ask them."""
        return PeopleQueries(self.reads, self.readers, self.dossier.permissions(actor))

    def cases(self, actor: Actor) -> CaseQueries:
        """Return the queries over the tables of cases, as the actor may ask them."""
        return CaseQueries(self.reads, self.readers, self.dossier.permissions(actor))

    def find(self, model: ReadModel, key: Key, actor: Actor) -> Row | None:
        """Return the row with this key, None where there is none that the actor may read."""
        with self.readers.reading(self.dossier.permissions(actor)) as connection:
            rows = self.reads.fetch_in(connection, model, **dict(zip(model.key, key, strict=True)))
        return rows[0] if rows else None

    def initialise(self) -> None:
        """Create whatever is not there yet: the store, its guards, the tree over it, the tables of the read models."""
        self.events.create()
        self.audit.create()
        self.reads.create(READ_MODELS)
        if not self.reads.prefix:  # what is made to be thrown away has no readers
            self.open_to_readers()

    def open_to_readers(self) -> None:
        """Let the reader's role read the tables there are, under row-level security."""
        provision(self.reads, READ_MODELS)

    def migrate(self) -> None:
        """Bring the store and what is noted of the read models up to this release; tables are left to `upgrade`."""
        self.events.create()
        self.audit.create()
        self.reads.create(())

    def outdated(self) -> list[ReadModel]:
        """Return the read models whose table is of another version, or not there."""
        there = self.reads.progressed()
        return [model for model in READ_MODELS if model.name not in there or there[model.name].version != model.version]

    def log_work(self) -> None:
        """Log how much this process has executed and appended so far, and how much of it was at hand or done twice."""
        counts = self.dossier.tally.counts()
        if not counts:
            return
        hits, misses = counts.pop("hits", 0), counts.pop("misses", 0)
        groups, reads = self.events.group_counters, self.events.read_counters
        _log.info(
            "commands_executed",
            **counts,
            hit_ratio=round(hits / max(1, hits + misses), 3),
            appends=groups.requests,
            groups=groups.groups,
            largest_group=groups.largest,
            reads=reads.requests,
            read_groups=reads.groups,
        )

    def catch_up(self) -> int:
        """Bring the read models up to the log, so that reads see every earlier write; returns their position."""
        with rare_collections():
            return catch_up(self.log, self.reads, READ_MODELS)

    def shadows(self, workers: int | None = None) -> PostgresShadows:
        """Return what makes shadow tables; `workers` processes may fill them, by default one a core, at most four."""
        return PostgresShadows(self.reads, self.events, workers)

    def rebuild(
        self, models: Sequence[ReadModel] = READ_MODELS, *, dry_run: bool = False, watch: Watch = lambda *_: None
    ) -> Rebuilt:
        """Rebuild read models beside the live tables and swap them in."""
        with self.shadows().begin(models) as shadow:
            return rebuild(self.log, shadow, dry_run=dry_run, watch=watch)

    def namespace(self, prefix: str) -> Application:
        """Return the same application over schemas of its own, whose names begin with the prefix."""
        events = PostgresEventStore(self.pool, f"{prefix}{self.events.schema}", self.events.master)
        dossier = Dossier(events, self.dossier.clock, self.dossier.new_id, self.dossier.conflicted)
        return Application(self.pool, dossier, events, PostgresReadStore(self.pool, prefix))


def utc_now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def after_conflict(command: Command, attempts: int) -> None:
    """Log a command that met a conflicting write, and wait a moment before it is decided anew, longer each time.

    How long is left to chance, so that those who met do not meet again.
    """
    name = type(command).__name__
    if attempts == ATTEMPTS:
        _log.warning("command_given_up", command=name, attempts=attempts)
        return
    _log.info("command_decided_anew", command=name, attempts=attempts)
    time.sleep(random.uniform(0, min(LONGEST_PAUSE, SHORTEST_PAUSE * 2**attempts)))  # noqa: S311 – no secret


def embedded(settings: Settings) -> tuple[EmbeddedPostgres, str | None]:
    """Return the embedded server, and a sentence for people if its data cannot stand where they asked."""
    home, notice = choose_home(Path(settings.home).resolve())
    return EmbeddedPostgres(home), notice


def database_url(settings: Settings) -> str:
    """Return the URL of the database to use; starts the embedded server if none is configured."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    return embedded(settings)[0].ensure_running()


def sealing_keys(settings: Settings) -> MasterKeys | None:
    """Return the master keys, None where nothing is sealed: on a server of one's own without a configured key."""
    home = embedded(settings)[0].home if settings.database_url is None else None
    return master_keys(settings, home)


def server_version(url: str) -> int:
    """Return the version of a PostgreSQL server as it counts them (180001); raises StoreUnavailable."""
    with translated(), psycopg.connect(url, connect_timeout=10) as connection:
        return connection.info.server_version


@contextmanager
def application(settings: Settings, patience: float = PATIENCE) -> Iterator[Application]:
    """Open the application; an embedded database is initialised on the way, another only by `dossier db init`.

    Once it is open, a connection is waited for as long as `patience`, in seconds.
    """
    url, master = database_url(settings), sealing_keys(settings)
    pool = open_pool(url, size=settings.pool_size, lock_timeout_ms=settings.lock_timeout_ms, patience=patience)
    try:
        events = PostgresEventStore(pool, master=master)
        opened = Application(pool, Dossier(events, utc_now, uuid4, after_conflict), events, PostgresReadStore(pool))
        if settings.database_url is None:
            opened.initialise()
        try:
            yield opened
        finally:
            opened.log_work()
    finally:
        pool.close()
