"""Connections to PostgreSQL, as every part of the store and the tables takes them."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg.rows import tuple_row
from psycopg_pool import ConnectionPool

from adapters.postgres.arrays import Array, ArrayDumper
from domain.errors import StoreUnavailable

Conn = Connection[tuple[Any, ...]]
PATIENCE: Final = 15.0


def open_pool(
    url: str, *, size: int = 8, lock_timeout_ms: int = 10_000, patience: float = PATIENCE
) -> ConnectionPool[Conn]:
    """Open a pool of autocommit connections in UTC.

    A lock waited for longer than `lock_timeout_ms` is StoreBusy, a connection for longer than `patience` seconds
    StoreUnavailable.
    """

    def configure(connection: Conn) -> None:
        connection.autocommit = True
        connection.adapters.register_dumper(Array, ArrayDumper)
        connection.execute("SELECT set_config('lock_timeout', %s, false)", [f"{lock_timeout_ms}ms"])
        # Plans are cached while tables are small and used when they are large: never settle for reading a table whole.
        connection.execute("SET TimeZone = 'UTC'; SET synchronous_commit = on; SET enable_seqscan = off; SET jit = off")

    pool: ConnectionPool[Conn] = ConnectionPool(
        url,
        min_size=1,
        max_size=size,
        timeout=patience,
        open=False,
        configure=configure,
        kwargs={"row_factory": tuple_row, "application_name": "dossier", "fallback_application_name": "dossier"},
    )
    pool.open()
    try:
        pool.wait(timeout=PATIENCE)
    except psycopg.Error as error:
        pool.close()
        raise StoreUnavailable(
            "the database cannot be reached", hint="check DOSSIER_DATABASE_URL, or unset it to use the embedded server"
        ) from error
    return pool
