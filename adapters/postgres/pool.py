"""Connections to PostgreSQL, as every part of the store and the tables takes them."""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg.rows import tuple_row
from psycopg_pool import ConnectionPool

from adapters.postgres.arrays import Array, ArrayDumper
from adapters.postgres.liveness import WORK_GONE, client_side, watch_client
from domain.errors import StoreUnavailable

Conn = Connection[tuple[Any, ...]]
PATIENCE: Final = 15.0


def open_pool(
    url: str, *, size: int = 8, lock_timeout_ms: int = 10_000, patience: float = PATIENCE
) -> ConnectionPool[Conn]:
    """Open a pool of autocommit connections in UTC and READ COMMITTED, whatever the server's defaults are.

    A lock waited for longer than `lock_timeout_ms` is StoreBusy, a connection for longer than `patience` seconds
    StoreUnavailable.
    """

    def configure(connection: Conn) -> None:
        connection.autocommit = True
        connection.adapters.register_dumper(Array, ArrayDumper)
        connection.execute("SELECT set_config('lock_timeout', %s, false)", [f"{lock_timeout_ms}ms"])
        # Plans are cached while tables are small and used when they are large: never settle for reading a table whole.
        connection.execute(
            "SET TimeZone = 'UTC'; SET default_transaction_isolation = 'read committed'; SET synchronous_commit = on;"
            " SET enable_seqscan = off; SET jit = off"
        )
        watch_client(connection, WORK_GONE)

    pool: ConnectionPool[Conn] = ConnectionPool(
        url,
        min_size=1,
        max_size=size,
        timeout=patience,
        open=False,
        configure=configure,
        kwargs={"row_factory": tuple_row, "application_name": "dossier", **client_side(WORK_GONE)},
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
