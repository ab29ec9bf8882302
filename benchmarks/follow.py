"""Following the log against the library's ProjectionRunner: the very same stored events, into empty tables.

The library reads our table with our decoder. Its projection does what its documentation shows, and the least that keeps
a current state: one row upserted for each event, in one transaction with the position. Ours folds all read models.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar, Final, cast
from uuid import UUID

from eventsourcing.persistence import Mapper, StoredEvent, Tracking
from eventsourcing.persistence import Notification as LibraryNotification
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL, Identifier

from adapters.bootstrap import Application
from adapters.postgres.mapper import decode
from benchmarks.harness import Benchmark, Result, Server, Side, Work, result
from benchmarks.library import Stored, environment
from benchmarks.workload import history, in_application
from domain.event import Recorded

EVENTS: Final = 400_000
LIBRARY_EVENTS: Final = 5_000
"""The first so many of them are enough to tell the rate of the library, which does not depend on how many there are."""

SCHEMA: Final = "store"


def run(server: Server, runs: int, size: int = EVENTS) -> list[Result]:
    """Measure the group, on about so many events."""
    with history(server, size, projected=False) as (template, events):
        benchmark = Benchmark(
            "follow.catch_up",
            "events/s",
            f"eventsourcing: ProjectionRunner over the first {LIBRARY_EVENTS} of {events}, one row upserted an event",
            20.0,
            ours(server, template),
            partial(_library, server, template, min(events, LIBRARY_EVENTS)),
        )
        return [result(server, benchmark, runs)]


def ours(server: Server, template: str) -> Side:
    """Catch up with the log of a copy of the database."""
    return in_application(server, template, _catch_up)


def _catch_up(app: Application) -> int:
    app.catch_up()
    return app.events.head()


# --- the library -----------------------------------------------------------------------------------------------------


class OurMapper(Mapper[UUID]):
    """Reads our stored events for the library."""

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        position = cast("LibraryNotification", stored_event).id
        stream, version = cast("UUID", stored_event.originator_id), stored_event.originator_version
        return decode(stream, version, position, stored_event.topic, stored_event.state)


class OverOurs(Stored):
    """An application of the library over our table."""

    name = "stored"

    def construct_mapper(self) -> Mapper[UUID]:
        return OurMapper(self.construct_transcoder())


class LatestView(PostgresTrackingRecorder):
    """A table with the latest event of each stream, kept together with the position."""

    def __init__(self, datastore: PostgresDatastore, **kwargs: Any) -> None:
        super().__init__(datastore, **kwargs)
        table = Identifier(datastore.schema, "latest")
        self.sql_create_statements.append(
            SQL(
                "CREATE TABLE IF NOT EXISTS {} (stream uuid PRIMARY KEY, version bigint NOT NULL, topic text NOT NULL,"
                " actor text NOT NULL, occurred_at timestamptz NOT NULL)"
            ).format(table)
        )
        self._upsert = SQL(
            "INSERT INTO {} VALUES (%s, %s, %s, %s, %s) ON CONFLICT (stream) DO UPDATE SET version = excluded.version,"
            " topic = excluded.topic, actor = excluded.actor, occurred_at = excluded.occurred_at"
        ).format(table)

    def put(self, event: Recorded, tracking: Tracking) -> None:
        """Upsert the row of an event and its position, in one transaction."""
        values = (event.stream, event.version, event.topic, event.metadata.actor, event.occurred_at)
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(self._upsert, values, prepare=True)


class Latest(Projection[LatestView]):
    """Passes each event to the view, and tells when the last one of the run has come."""

    last: ClassVar[int]
    done: ClassVar[threading.Event]

    def process_event(self, domain_event: Recorded, tracking: Tracking) -> None:
        self.view.put(domain_event, tracking)
        if tracking.notification_id >= self.last:
            self.done.set()


@contextmanager
def _library(server: Server, template: str, events: int) -> Iterator[Work]:
    with server.database(template) as name:
        with server.application(name) as app:
            Latest.last, Latest.done = app.events.read(0, events)[-1].position, threading.Event()
        yield partial(_run_projection, environment(server, name, SCHEMA), events)


def _run_projection(env: dict[str, str], events: int) -> int:
    with ProjectionRunner(
        application_class=OverOurs, projection_class=Latest, view_class=LatestView, env=env
    ) as runner:
        while not Latest.done.wait(0.5):
            if runner.is_interrupted.is_set():
                break  # leaving the block raises what went wrong
    return events
