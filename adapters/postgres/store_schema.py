"""The schema of an event store: the library's table, what guards it and what appends to it, made once a release."""

from __future__ import annotations

import hashlib
import logging
from typing import Final

from eventsourcing.postgres import ConnectionPool as LibraryPool
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg import sql
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from adapters.errors import translated
from adapters.postgres.pool import Conn
from adapters.postgres.schema_migrations import changes, migrate, schema_sql

for _name in ("psycopg", "psycopg.pool"):  # importing the library silences psycopg's warnings; let them be heard again
    logging.getLogger(_name).setLevel(logging.NOTSET)

_FILES: Final = ("store", "subject_keys")
_DEFINITION: Final = "".join([*(change.statements for change in changes("store")), *map(schema_sql, _FILES)])
_FINGERPRINT: Final = f"dossier store {hashlib.sha256(_DEFINITION.encode()).hexdigest()[:16]}"


class GatedRecorder(PostgresApplicationRecorder):
    """The library's recorder, appending through the same gate as everybody else."""

    def __init__(self, datastore: PostgresDatastore) -> None:
        super().__init__(datastore)
        self.lock_table_statements = [
            sql.SQL("SELECT {}.gate()").format(sql.Identifier(datastore.schema)),
        ]


def recorder(pool: ConnectionPool[Conn], schema: str) -> GatedRecorder:
    """Return the library's recorder over the table of a store; the caller closes its datastore."""
    datastore = PostgresDatastore("", "", "", "", "", schema=schema)
    datastore.pool = LibraryPool(
        pool.conninfo,
        min_size=1,
        max_size=2,
        open=False,
        configure=datastore.after_connect_func(),
        kwargs={"row_factory": dict_row, "options": "-c lock_timeout=10s"},
    )
    return GatedRecorder(datastore)


def create_store(pool: ConnectionPool[Conn], schema: str) -> None:
    """Create the schema, the table, its guards and functions, unless this release made them before."""
    with translated(), pool.connection() as connection:
        if _made_by(connection, schema) == _FINGERPRINT:
            return
        # One process at a time; a session lock, because the library makes its table on a connection of its own.
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"{schema} create"])
        try:
            if _made_by(connection, schema) != _FINGERPRINT:  # nobody else did, while we waited
                _create(connection, schema, recorder(pool, schema))
        finally:
            if not connection.closed:
                connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [f"{schema} create"])


def _create(connection: Conn, schema: str, table: GatedRecorder) -> None:
    name = sql.Identifier(schema)
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
    with table.datastore:
        table.create_table()
    with connection.transaction():
        migrate(connection, schema, "store")
        for file in _FILES:
            connection.execute(schema_sql(file))
        connection.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(name, sql.Literal(_FINGERPRINT)))


def _made_by(connection: Conn, schema: str) -> str | None:
    """Return the fingerprint of the definition the schema was made with, None if it is not there."""
    query = "SELECT obj_description(to_regnamespace(quote_ident(%s)), 'pg_namespace')"
    row = connection.execute(query, [schema]).fetchone()
    return row[0] if row else None
