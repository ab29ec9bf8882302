"""Shadow tables for a rebuild: filled beside the live ones in schemas `next_<model>`, then renamed in.

Filling is one transaction, so a rebuild killed in it leaves nothing; what one killed later leaves
is dropped by the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from psycopg import Connection, errors, sql

from adapters.errors import translated
from adapters.garbage import rare_collections
from adapters.postgres.read_store import POSITIONS, PostgresReadStore
from domain.errors import DossierError, RunConflict, StoreBusy
from projections.read_model import ReadModel, Row
from projections.rebuild import CopyRows

NEXT: Final = "next_"
PREVIOUS: Final = "prev_"
# The server takes a moment to notice that the client of an earlier rebuild was killed.
PATIENCE: Final = "2s"

_GRANTS: Final = """
WITH granted AS (
    SELECT format('SCHEMA %%I', %(next)s::text) AS what, acl.*
    FROM pg_namespace, aclexplode(nspacl) AS acl
    WHERE nspname = %(live)s AND acl.grantee <> nspowner
    UNION ALL
    SELECT format('%%I.%%I', %(next)s::text, relname), acl.*
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace, aclexplode(relacl) AS acl
    WHERE nspname = %(live)s AND relname = %(table)s AND acl.grantee <> relowner
)
SELECT format('GRANT %%s ON %%s TO ', privilege_type, what)
    || CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END
    || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
FROM granted
"""


class PostgresShadows:
    """Makes shadows of the tables of a read store."""

    def __init__(self, live: PostgresReadStore) -> None:
        self._live = live

    @contextmanager
    def begin(self, models: Sequence[ReadModel]) -> Iterator[PostgresShadow]:
        """Clear what a killed rebuild left and give a shadow; raises RunConflict if another is under way."""
        with self._alone():
            shadow = PostgresShadow(self._live, models)
            shadow.store.drop()
            shadow.drop_previous()
            try:
                yield shadow
            except BaseException:
                with suppress(DossierError):
                    shadow.store.drop()
                raise
            with suppress(StoreBusy):  # somebody still reads them: the next rebuild drops them
                shadow.drop_previous()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        name = f"{self._live.schema(POSITIONS)} rebuild"
        with translated(), self._live.pool.connection() as connection:
            try:
                with connection.transaction():
                    connection.execute("SELECT set_config('lock_timeout', %s, true)", [PATIENCE])
                    connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
            except errors.LockNotAvailable:
                raise RunConflict("another rebuild is under way", hint="wait until it is done") from None
            try:
                yield
            finally:
                if not connection.broken:
                    connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


class PostgresShadow:
    """Shadow tables beside the live ones; `store` gives them to followers."""

    def __init__(self, live: PostgresReadStore, models: Sequence[ReadModel]) -> None:
        self.store = PostgresReadStore(live.pool, NEXT + live.prefix)
        self._live = live
        self._models = models

    @contextmanager
    def fill(self, position: int) -> Iterator[CopyRows]:
        """Make the tables and give a function that copies rows in; indexes and position come at the end."""
        with rare_collections(), self.store.locked() as connection:
            self.store.make_tables(connection, self._models)

            def copy_rows(model: ReadModel, rows: Sequence[Row]) -> None:
                self.store.table(connection, model).insert(connection, rows, frozen=True)

            yield copy_rows
            self.store.make_indexes(connection, self._models)
            for model in self._models:
                connection.execute(sql.SQL("ANALYZE {}").format(self.store.table(connection, model).name))
            self.store.place(connection, self._models, position)

    @contextmanager
    def swap(self) -> Iterator[Mapping[str, int]]:
        """Hold the live followers and give their positions; at the end the shadows take the live place."""
        with self._live.locked() as connection:
            live = self._live.progress(connection)
            yield {model.name: live[model.name].position for model in self._models if model.name in live}
            for model in self._models:
                if model.name in live:
                    self._grant(connection, model)
                    _rename(connection, self._live.schema(model.name), self._previous(model))
                _rename(connection, self.store.schema(model.name), self._live.schema(model.name))
            self._move_positions(connection)

    def drop_previous(self) -> None:
        """Drop the tables that an earlier swap put aside."""
        with translated(), self._live.pool.connection() as connection:
            for model in self._models:
                previous = sql.Identifier(self._previous(model))
                connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(previous))

    def _previous(self, model: ReadModel) -> str:
        return PREVIOUS + self._live.schema(model.name)

    def _grant(self, connection: Connection[tuple[Any, ...]], model: ReadModel) -> None:
        """Let everybody read the shadow who may read the live table."""
        names = {
            "live": self._live.schema(model.name),
            "next": self.store.schema(model.name),
            "table": model.name,
        }
        for (statement,) in connection.execute(_GRANTS, names).fetchall():
            connection.execute(str(statement).encode())

    def _move_positions(self, connection: Connection[tuple[Any, ...]]) -> None:
        moved = sql.SQL(
            "INSERT INTO {} SELECT * FROM {} ON CONFLICT (read_model) DO UPDATE"
            " SET version = excluded.version, position = excluded.position, updated_at = excluded.updated_at"
        )
        here, there = self.store.schema(POSITIONS), self._live.schema(POSITIONS)
        connection.execute(moved.format(sql.Identifier(there, "positions"), sql.Identifier(here, "positions")))
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(here)))


def _rename(connection: Connection[tuple[Any, ...]], name: str, new: str) -> None:
    connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(new)))
