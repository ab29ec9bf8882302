"""The whole application over a test's database, and its tables in a form that compares."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import uuid4

from adapters.bootstrap import Application, utc_now
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.mapper import canonical_json
from adapters.postgres.pool import open_pool
from adapters.postgres.read_store import PostgresReadStore
from domain.service import Dossier
from projections.all import READ_MODELS
from tests.support.sealing import master

PASSING: Final = {"position", "recorded_at", "run_id", "origin"}
"""Columns that differ from run to run."""


def watch(stage: str, done: int, total: int) -> None:
    """Look away."""


@contextmanager
def application_at(url: str) -> Iterator[Application]:
    """Open the application over a database and initialise it."""
    pool = open_pool(url)
    try:
        events = PostgresEventStore(pool, master=master())
        opened = Application(pool, Dossier(events, utc_now, uuid4), events, PostgresReadStore(pool))
        opened.initialise()
        yield opened
    finally:
        pool.close()


def tables(app: Application) -> dict[str, list[bytes]]:
    """Return the rows of every read model but the runs, without what differs from run to run."""
    return {
        model.name: [
            canonical_json({name: value for name, value in row.items() if name not in PASSING})
            for row in app.reads.fetch(model)
        ]
        for model in READ_MODELS
        if model.name != "migration_runs"
    }


def stored(app: Application) -> list[tuple[Any, ...]]:
    """Return the events of all streams but those of runs, without what differs from run to run."""
    return sorted(
        (str(event.stream), event.version, event.topic, canonical_json(event.event), event.occurred_at)
        for event in app.events.scan(app.events.head())
        if not event.topic.startswith("migration.")
    )


def schemas_of(app: Application) -> set[str]:
    with app.pool.connection() as connection:
        return {name for (name,) in connection.execute("SELECT nspname FROM pg_namespace").fetchall()}
