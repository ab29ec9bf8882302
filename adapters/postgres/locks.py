"""Locks that a process holds for as long as it lives: advisory, named, and seen by everybody with their owner.

Each `Locks` is a connection of its own, so a lock ends with its process however that ends.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import Connection, errors

from adapters.errors import translated
from adapters.postgres.liveness import client_side, watch_client
from domain.errors import RunConflict

_OWNERS: Final = """
SELECT wanted.name, activity.pid, activity.application_name, activity.client_addr::text, activity.backend_start
FROM unnest(%s::text[]) AS wanted (name)
JOIN pg_locks AS locks ON locks.locktype = 'advisory' AND locks.granted AND locks.objsubid = 1
    AND locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND ((locks.classid::bigint << 32) | locks.objid::bigint) = hashtextextended(wanted.name, 0)
JOIN pg_stat_activity AS activity ON activity.pid = locks.pid
"""


class Owner(NamedTuple):
    """Who holds a lock: the server process of its connection, and the process at the other end."""

    backend: int
    process: str
    address: str | None
    since: Any

    def __str__(self) -> str:
        return self.process.rpartition(" ")[2]


class Locks:
    """A connection that holds locks; its application name tells host and process."""

    def __init__(self, connection: Connection[tuple[Any, ...]]) -> None:
        self.connection = connection

    @property
    def lost(self) -> bool:
        """Whether the connection is gone, and the locks with it."""
        return self.connection.closed

    @property
    def backend(self) -> int:
        """The server process that holds the locks."""
        return self.connection.info.backend_pid

    def take(self, name: str) -> bool:
        """Take a lock if it is free."""
        with translated():
            row = self.connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name]).fetchone()
        return row == (True,)

    def leave(self, name: str) -> None:
        """Give a lock back."""
        with translated():
            self.connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])

    def wait_for(self, name: str, patience: str, conflict: RunConflict) -> None:
        """Take a lock, waiting for it as long as that; raises the conflict after that."""
        try:
            with translated(), self.connection.transaction():
                wait_at_most(self.connection, patience)
                self.connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
        except Exception as error:
            if isinstance(error.__cause__, errors.LockNotAvailable):
                raise conflict from None
            raise


@contextmanager
def holding(conninfo: str, purpose: str) -> Iterator[Locks]:
    """Open a connection for locks; they are free again at the end."""
    name = f"dossier {purpose} {socket.gethostname()[:30]}:{os.getpid()}"
    with translated():
        connection = psycopg.connect(conninfo, autocommit=True, application_name=name, **client_side())
    with closing(connection):
        with translated():
            watch_client(connection)
        yield Locks(connection)


def wait_at_most(connection: Connection[Any], patience: str) -> None:
    """Let the transaction under way wait no longer than this for any lock."""
    connection.execute("SELECT set_config('lock_timeout', %s, true)", [patience])


def owners(connection: Connection[tuple[Any, ...]], names: Iterable[str]) -> dict[str, Owner]:
    """Return who holds these locks, of those that are held."""
    return {name: Owner(*owner) for name, *owner in connection.execute(_OWNERS, [list(names)])}
