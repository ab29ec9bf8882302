"""Who follows what: one active follower for each table and for the Merkle tree, told by a lock, and what it says.

The locks choose who works; that nothing is applied twice is held by the positions, which move with the rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Generic, NamedTuple, Protocol, Self, TypeVar

import structlog
from psycopg import sql

from adapters.errors import translated
from adapters.postgres.locks import Locks, Owner, holding, owners
from adapters.postgres.read_store import POSITIONS, PostgresReadStore, Progressed
from domain.errors import DossierError, StoreError

TRY_EVERY: Final = 1.0
SAY_EVERY: Final = 1.0
_log = structlog.get_logger(__name__)


class Followable(Protocol):
    """What is kept up to date with the log: a read model, or the Merkle tree."""

    @property
    def name(self) -> str:
        """What it is called, and its lock after it."""
        ...

    @property
    def version(self) -> int:
        """Which form of it this release keeps."""
        ...


Kept = TypeVar("Kept", bound=Followable)


class Followed(NamedTuple):
    """Who follows something, and what they last said of themselves: events a second, failures in a row."""

    owner: Owner
    seen_at: datetime | None
    rate: float
    failures: int
    failure: str | None


class Follower(Generic[Kept]):
    """This process as a follower: it takes what nobody follows, and takes over from whoever dies.

    `progressed` tells how far what it may follow has come; by default that is the read models.
    """

    def __init__(
        self,
        reads: PostgresReadStore,
        models: Sequence[Kept],
        progressed: Callable[[], Mapping[str, Progressed]] | None = None,
    ) -> None:
        self._reads, self._models = reads, models
        self._progressed = progressed or reads.progressed
        self._stack = ExitStack()
        self._locks: Locks | None = None
        self._held: dict[str, Kept] = {}
        self._tried = self._said = float("-inf")
        self._events, self._since = 0, time.monotonic()
        self._failures = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(DossierError):
            self._tell("DELETE FROM {} WHERE backend = %(backend)s")
        self._stack.close()

    def mine(self) -> Sequence[Kept]:
        """Return what is this process's to follow; tries for the others now and then.

        One whose table another release made is left to that release, or to the upgrade.
        """
        if self._locks is None or self._locks.lost:
            self._stack.close()
            self._held.clear()
            self._locks = self._stack.enter_context(holding(str(self._reads.pool.conninfo), "follow"))
            self._tried = float("-inf")
        if time.monotonic() - self._tried >= TRY_EVERY:
            self._tried = time.monotonic()
            self._try(self._locks)
        return tuple(self._held.values())

    def worked(self, events: int) -> None:
        """Count events taken in, and say now and then how it goes."""
        self._events += events
        if self._failures or time.monotonic() - self._said >= SAY_EVERY:
            self._say(0, None)
            self._failures = 0

    def failed(self, error: StoreError, pause: float) -> None:
        """Say that a round failed."""
        self._failures += 1
        _log.warning("follow_failed", code=error.code, failures=self._failures, pause_s=pause)
        with suppress(DossierError):
            self._reads.pool.check()
            self._say(self._failures, error.code)

    def _try(self, locks: Locks) -> None:
        there = self._progressed()
        for model in self._models:
            fits = model.name in there and there[model.name].version == model.version
            name = lock_of(self._reads, model.name)
            if model.name in self._held and not fits:
                locks.leave(name)
                del self._held[model.name]
                _log.warning("follow_handed_over", read_model=model.name, version=model.version)
            elif model.name not in self._held and fits and locks.take(name):
                self._held[model.name] = model
                _log.info("follow_taken", read_model=model.name, position=there[model.name].position)

    def _say(self, failures: int, failure: str | None) -> None:
        now = time.monotonic()
        rate = self._events / max(now - self._since, 1e-3)
        self._events, self._since, self._said = 0, now, now
        self._tell(
            "INSERT INTO {} (backend, rate, failures, failure, failed_at)"
            " VALUES (%(backend)s, %(rate)s, %(failures)s, %(failure)s, CASE WHEN %(failures)s > 0 THEN now() END)"
            " ON CONFLICT (backend) DO UPDATE SET seen_at = now(), rate = excluded.rate, failures = excluded.failures,"
            " failure = excluded.failure, failed_at = coalesce(excluded.failed_at, followers.failed_at)",
            rate=rate,
            failures=failures,
            failure=failure,
        )
        self._tell("DELETE FROM {} WHERE backend <> ALL (SELECT pid FROM pg_stat_activity)")

    def _tell(self, statement: str, **values: Any) -> None:
        if self._locks is not None and not self._locks.lost:
            table = sql.Identifier(self._reads.schema(POSITIONS), "followers")
            with translated():
                self._locks.connection.execute(
                    sql.SQL(statement).format(table),
                    {"backend": self._locks.backend, **values},
                )


def lock_of(reads: PostgresReadStore, name: str) -> str:
    """Return the name of the lock that the follower of a read model, or of the tree, holds."""
    return f"{reads.schema(POSITIONS)} follow {name}"


def followed(reads: PostgresReadStore, models: Sequence[Followable]) -> Mapping[str, Followed]:
    """Return who follows these, of those that are followed."""
    names = {lock_of(reads, model.name): model.name for model in models}
    query = sql.SQL("SELECT backend, seen_at, rate, failures, failure FROM {}").format(
        sql.Identifier(reads.schema(POSITIONS), "followers")
    )
    with translated(), reads.pool.connection() as connection:
        said = {backend: rest for backend, *rest in connection.execute(query)}
        return {
            names[name]: Followed(owner, *said.get(owner.backend, (None, 0.0, 0, None)))
            for name, owner in owners(connection, names).items()
        }


def resting(stop: Callable[[], bool], seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
    """Pause, and no longer than until told to stop."""
    until = time.monotonic() + seconds
    while not stop() and (left := until - time.monotonic()) > 0:
        sleep(min(left, 0.2))
