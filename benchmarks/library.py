"""The plain eventsourcing library as its documentation shows it, on a database of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.postgres import PostgresApplicationRecorder
from psycopg.conninfo import conninfo_to_dict

from benchmarks.harness import Server


class Contact(Aggregate):
    """An aggregate with one field to change."""

    @event("Registered")
    def __init__(self, email: str) -> None:
        self.email = email

    @event("EmailChanged")
    def change_email(self, email: str) -> None:
        self.email = email


class Stored(Application[UUID]):
    """An application whose table is `stored_events`, as ours is: the library derives the name from this one."""

    name = "stored"


def environment(server: Server, database: str, schema: str = "") -> dict[str, str]:
    """Return the library's settings: its defaults (a pool of five) and where the database is."""
    where = conninfo_to_dict(server.url(database))
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": database,
        "POSTGRES_HOST": str(where["host"]),
        "POSTGRES_PORT": str(where["port"]),
        "POSTGRES_USER": str(where["user"]),
        "POSTGRES_PASSWORD": str(where["password"]),
        "POSTGRES_SCHEMA": schema,
    }


@contextmanager
def plain_application(server: Server, connections: int = 5) -> Iterator[Application[UUID]]:
    """Open an application of the library on a database of its own; five connections are its default."""
    with server.database() as name:
        app = Stored(environment(server, name) | {"POSTGRES_POOL_SIZE": str(connections)})
        try:
            yield app
        finally:
            app.close()


def recorder_of(app: Application[UUID]) -> PostgresApplicationRecorder:
    """Return the recorder of an application of the library."""
    return cast("PostgresApplicationRecorder", app.recorder)
