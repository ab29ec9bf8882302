"""Tables put aside: renamed out of the way, and dropped later, since only dropping waits for readers.

The live tables of before a swap stay as `prev_<model>`. What is older than the last swap, and the tables of a rebuild
that is over, are `prev_<number>_<model>`, and dropped as soon as nobody reads them.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final, NamedTuple

import structlog
from psycopg import errors, sql

from adapters.errors import translated
from adapters.postgres.locks import wait_at_most
from adapters.postgres.pool import Conn
from adapters.postgres.read_store import POSITIONS, PostgresReadStore
from domain.errors import SchemaMismatch, StoreBusy, StoreError
from projections.all import READ_MODELS

_log = structlog.get_logger(__name__)

PREVIOUS: Final = "prev_"
PATIENCE: Final = "2s"
# On the way of a rebuild: whoever reads them keeps them until the next one.
PATIENCE_ON_THE_WAY: Final = "200ms"

_NAME: Final = re.compile(rf"{PREVIOUS}(\d+_)?(.+)")
_OURS: Final = """
SELECT relname FROM pg_class
WHERE relnamespace = to_regnamespace(quote_ident(%(schema)s)) AND relkind = 'r'
    AND (relname = %(name)s OR %(name)s = %(notes)s)
"""
# Read under the followers' lock: views alone, which are what people make; dropping finds out about everything.
_VIEWS: Final = """
SELECT DISTINCT ev_class::regclass::text
FROM pg_rewrite JOIN pg_depend ON classid = 'pg_rewrite'::regclass AND objid = pg_rewrite.oid
WHERE refclassid = 'pg_class'::regclass AND refobjid = to_regclass(format('%%I.%%I', %s::text, %s::text))
ORDER BY 1
"""


class Kept(NamedTuple):
    """A schema that was put aside, and of which read model, or the notes of a rebuild."""

    schema: str
    name: str
    older: bool


class PutAside:
    """What was put aside of the tables of a read store."""

    def __init__(self, live: PostgresReadStore) -> None:
        self._live = live

    def keep(self, connection: Conn, name: str) -> None:
        """Put the live table of a read model aside, to be kept until the next swap."""
        schema = self._live.schema(name)
        if views := [view for (view,) in connection.execute(_VIEWS, [schema, name])]:
            _log.warning("views_show_previous_tables", read_model=name, views=views)
        self.discard(connection, PREVIOUS + schema, name)
        rename(connection, schema, PREVIOUS + schema)

    def discard(self, connection: Conn, schema: str, name: str) -> None:
        """Put a schema aside, if it is there, to be dropped as soon as nobody reads it."""
        found = connection.execute("SELECT oid::int8 FROM pg_namespace WHERE nspname = %s", [schema]).fetchone()
        if found:
            rename(connection, schema, f"{PREVIOUS}{found[0]}_{self._live.schema(name)}")

    def names(self) -> list[str]:
        """Return the read models of which tables are kept."""
        return list(dict.fromkeys(kept.name for kept in self._kept() if kept.name != POSITIONS))

    def drop(self, names: Collection[str]) -> list[str]:
        """Drop what is kept of these read models and return the names of those there were.

        Raises StoreBusy where somebody still reads some, SchemaMismatch where something that is not ours depends on
        some; all others are dropped.
        """
        wanted = [kept for kept in self._kept() if kept.name in names or kept.name == POSITIONS]
        if left := self._drop(wanted, PATIENCE):
            raise left[0]
        return list(dict.fromkeys(kept.name for kept in wanted if kept.name != POSITIONS))

    def drop_older(self) -> None:
        """Drop what is older than the last swap, but for what is still needed."""
        for error in self._drop([kept for kept in self._kept() if kept.older], PATIENCE_ON_THE_WAY):
            _log.warning("previous_tables_kept", error=error.message)

    def _kept(self) -> list[Kept]:
        ours = {self._live.schema(name): name for name in (*(model.name for model in READ_MODELS), POSITIONS)}
        with translated(), self._live.pool.connection() as connection:
            schemas = [name for (name,) in connection.execute("SELECT nspname FROM pg_namespace ORDER BY nspname")]
        named = [(schema, match) for schema in schemas if (match := _NAME.fullmatch(schema))]
        return [Kept(schema, ours[match[2]], match[1] is not None) for schema, match in named if match[2] in ours]

    def _drop(self, wanted: Collection[Kept], patience: str) -> list[StoreError]:
        """Drop these, each by itself, and return why some stay."""
        left: list[StoreError] = []
        with translated(), self._live.pool.connection() as connection:
            for schema, name, _ in wanted:
                try:
                    with connection.transaction():
                        wait_at_most(connection, patience)
                        _drop_ours(connection, schema, name)
                except (errors.LockNotAvailable, errors.DeadlockDetected):
                    error = f"a reader's transaction is still open on tables of before a swap, in schema {schema}"
                    left.append(StoreBusy(error, hint="end it or wait; then `dossier projections drop-previous`"))
                except errors.DependentObjectsStillExist as refused:
                    what = str(refused.diag.message_detail).replace("\n", "; ")
                    error = f"something of yours depends on tables of before a swap, in schema {schema}: {what}"
                    hint = "make it anew on the live tables, or drop it; then `dossier projections drop-previous`"
                    left.append(SchemaMismatch(error, hint=hint))
        return left


def _drop_ours(connection: Conn, schema: str, name: str) -> None:
    """Drop the tables that Dossier made in a schema, and the schema; refused where that would take others along."""
    ours = connection.execute(_OURS, {"schema": schema, "name": name, "notes": POSITIONS}).fetchall()
    if ours:
        tables = sql.SQL(", ").join(sql.Identifier(schema, table) for (table,) in ours)
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {} RESTRICT").format(tables))
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} RESTRICT").format(sql.Identifier(schema)))


def rename(connection: Conn, name: str, new: str) -> None:
    """Rename a schema, which waits for nobody who reads it."""
    connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(new)))
