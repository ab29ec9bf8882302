"""The baselines made of bare COPY: what moving the same rows takes at least, with psycopg and from Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from psycopg import Connection, Cursor
from psycopg.types.json import set_json_dumps, set_json_loads

from benchmarks.harness import Server
from benchmarks.library import plain_application
from benchmarks.workload import EventRow

EVENT_TYPES: Final = ("uuid", "int8", "text", "bytea")


@contextmanager
def bare_events_table(server: Server) -> Iterator[Connection[Any]]:
    """Make the library's own table of events with its indexes, without gate and guards, and connect to it."""
    with plain_application(server) as app:
        name = str(app.env["POSTGRES_DBNAME"])
        with psycopg.connect(server.url(name), autocommit=True) as connection:
            yield connection


def copy_in_events(connection: Connection[Any], batches: Iterable[Sequence[EventRow]]) -> int:
    """Copy event rows into the bare table, a transaction a batch; return how many."""
    count = 0
    statement = "COPY stored_events (originator_id, originator_version, topic, state) FROM STDIN (FORMAT BINARY)"
    for batch in batches:
        with connection.transaction(), connection.cursor().copy(statement) as copy:
            copy.set_types(EVENT_TYPES)
            for row in batch:
                copy.write_row(row)
        count += len(batch)
    return count


def raw_json(connection: Connection[Any]) -> Cursor[tuple[Any, ...]]:
    """Return a cursor that leaves JSON as the bytes it is, both ways."""
    cursor: Cursor[tuple[Any, ...]] = connection.cursor(binary=True)
    set_json_loads(_as_is, cursor)
    set_json_dumps(_as_is, cursor)
    return cursor


def _as_is(value: Any) -> Any:
    return value
