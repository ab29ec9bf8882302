"""A rebuild of every read model against the least it could be: events copied out, rows copied in, indexes built."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from psycopg import Connection, sql

from adapters.bootstrap import Application
from adapters.postgres.read_store import PostgresReadStore, Table
from benchmarks.copying import raw_json
from benchmarks.harness import Benchmark, Result, Server, Side, Work, result
from benchmarks.workload import history, in_application
from projections.all import READ_MODELS
from projections.read_model import ReadModel

EVENTS: Final = 400_000
BARE: Final = "bare_"

TableRows = list[tuple[ReadModel, list[tuple[Any, ...]]]]


def run(server: Server, runs: int, size: int = EVENTS) -> list[Result]:
    """Measure the group, on about so many events."""
    with history(server, size, projected=True) as (template, events):
        benchmark = Benchmark(
            "rebuild.read_models",
            "events/s",
            f"COPY of the {events} stored events out, COPY of the resulting rows in, the same indexes",
            0.5,
            ours(server, template),
            partial(_copy, server, template, events),
        )
        return [result(server, benchmark, runs)]


def ours(server: Server, template: str) -> Side:
    """Rebuild the read models of a copy of the database."""
    return in_application(server, template, _rebuild)


def _rebuild(app: Application) -> int:
    return app.rebuild().events


@contextmanager
def _copy(server: Server, template: str, events: int) -> Iterator[Work]:
    with server.database(template) as name, server.application(name) as app:
        rows = _read_rows(app)
        bare = PostgresReadStore(app.pool, BARE)

        def work() -> int:
            with app.pool.connection() as connection:
                copied = _copy_out(connection, app.events.schema)
            with app.pool.connection() as connection, connection.transaction():
                _copy_in(connection, bare, rows)
            if copied != events:
                raise RuntimeError(f"{copied} of {events} events were copied")
            return copied

        yield work


def _read_rows(app: Application) -> TableRows:
    """Read the rows of every read model; JSON stays text, so that the baseline does not parse and write it."""
    with app.pool.connection() as connection:
        return [
            (model, raw_json(connection).execute(app.reads.table(connection, model).select).fetchall())
            for model in READ_MODELS
        ]


def _copy_out(connection: Connection[Any], schema: str) -> int:
    statement = sql.SQL(
        "COPY {}.stored_events (originator_id, originator_version, notification_id, topic, state)"
        " TO STDOUT (FORMAT BINARY)"
    ).format(sql.Identifier(schema))
    with connection.cursor().copy(statement) as copy:
        copy.set_types(["uuid", "int8", "int8", "text", "bytea"])
        return sum(1 for _ in copy.rows())


def _copy_in(connection: Connection[Any], bare: PostgresReadStore, rows: TableRows) -> None:
    bare.make_tables(connection, READ_MODELS)
    for model, values in rows:
        table: Table = bare.table(connection, model)
        with raw_json(connection).copy(table.copy_frozen) as copy:
            copy.set_types(table.types)
            for row in values:
                copy.write_row(row)
    bare.make_indexes(connection, READ_MODELS)
