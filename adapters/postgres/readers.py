"""Reading as somebody: connections that row-level security shows only what an actor may see.

The policies stand with the tables (`schema/<read model>.sql`), what they ask is `schema/reader.sql`.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import lru_cache
from typing import Final

import psycopg
from psycopg import sql
from psycopg_pool import ConnectionPool

from adapters.errors import translated
from adapters.postgres.embedded import ACTIVITY_HIDDEN, HIDE_ACTIVITY, READER
from adapters.postgres.pool import Conn
from adapters.postgres.read_store import READERS_ALONE, PostgresReadStore, policies_of
from domain.access import Actor, Permissions
from domain.errors import ConfigurationInvalid
from projections.read_model import ReadModel

LASTS: Final = timedelta(hours=1)
_SCHEMA: Final = "reader"
_BECOME: Final = "SELECT set_config('role', %s, true), set_config('dossier.session', %s, true)"
_CLOSED: Final = """
    SELECT name FROM unnest(%(schemas)s::text[]) AS name
    WHERE to_regnamespace(quote_ident(name)) IS NOT NULL AND NOT has_schema_privilege(%(reader)s, name, 'USAGE')
"""

_UNGUARDED: Final = """
    SELECT wanted.name
    FROM unnest(%(schemas)s::text[], %(names)s::text[], %(policies)s::text[]) AS wanted (schema, name, policies)
    WHERE to_regclass(format('%%I.%%I', wanted.schema, wanted.name)) IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid
        WHERE polrelid = to_regclass(format('%%I.%%I', wanted.schema, wanted.name)) AND relrowsecurity
            AND obj_description(pg_policy.oid, 'pg_policy') = wanted.policies
    )
"""


def provision(reads: PostgresReadStore, models: Sequence[ReadModel]) -> None:
    """Make the reader's role if it is not there, and let it read the tables; raises ConfigurationInvalid."""
    role = sql.Identifier(READER)
    with translated(), reads.pool.connection() as connection:
        _make_role(connection)
        _hide_activity(connection)
        guard(reads, connection, models)
        schemas = {reads.schema(model.name): model.name for model in models}
        closed = connection.execute(_CLOSED, {"schemas": [*schemas, _SCHEMA], "reader": READER}).fetchall()
        for (name,) in closed:
            schema = sql.Identifier(name)
            if name in schemas:
                table = sql.Identifier(name, schemas[name])
                connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(table, role))
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role))


def guard(reads: PostgresReadStore, connection: Conn, models: Sequence[ReadModel]) -> None:
    """Give tables the policies of this release: one whose rows are as they were may be of a release with others."""
    wanted = {
        "schemas": [reads.schema(model.name) for model in models],
        "names": [model.name for model in models],
        "policies": [policies_of(model) for model in models],
    }
    unguarded = {name for (name,) in connection.execute(_UNGUARDED, wanted)}
    for model in models:
        if model.name in unguarded:
            with connection.transaction():  # one each: several locked tables could wait for a reader in a circle
                connection.execute(READERS_ALONE)
                reads.say_who_reads(connection, model)


def _make_role(connection: Conn) -> None:
    row = connection.execute("SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = %s", [READER]).fetchone()
    if row == (True,):
        return
    role = sql.Identifier(READER)
    try:
        if row is None:
            connection.execute(sql.SQL("CREATE ROLE {}").format(role))
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
    except psycopg.errors.InsufficientPrivilege:
        raise ConfigurationInvalid(
            f"the role {READER} is missing, or may not be assumed, and this role may not change that",
            hint=f"a superuser runs: CREATE ROLE {READER}; GRANT {READER} TO <the role of DOSSIER_DATABASE_URL>;"
            f" {HIDE_ACTIVITY.as_string()};",
        ) from None


def _hide_activity(connection: Conn) -> None:
    """Keep what is read by hand from others who do so, where this role may; `db reader-url` says if it is not."""
    if connection.execute(ACTIVITY_HIDDEN).fetchone() != (True,):
        with suppress(psycopg.errors.InsufficientPrivilege):
            connection.execute(HIDE_ACTIVITY)


class Readers:
    """Gives out what lets a connection read as an actor."""

    def __init__(self, pool: ConnectionPool[Conn]) -> None:
        self._pool = pool
        self._secret = lru_cache(maxsize=1024)(self._new_secret)

    def admit(self, actor: Actor, lasts: timedelta = LASTS) -> str:
        """Return a secret that lets a connection of the reader's role read as the actor for a while."""
        secret = secrets.token_urlsafe(32)
        with translated(), self._pool.connection() as connection, connection.transaction():
            connection.execute("DELETE FROM reader.sessions WHERE expires_at < now()")
            connection.execute(
                "INSERT INTO reader.sessions (secret_hash, account_id, expires_at) VALUES (%s, %s, now() + %s)",
                [hashlib.sha256(secret.encode()).digest(), actor.account, lasts],
            )
        return secret

    def hides_activity(self) -> bool:
        """Whether people who read by hand are kept from seeing the statements of each other."""
        with translated(), self._pool.connection() as connection:
            return connection.execute(ACTIVITY_HIDDEN).fetchone() == (True,)

    @contextmanager
    def reading(self, permissions: Permissions) -> Iterator[Conn]:
        """Open a transaction that reads as the actor: all of it for an admin, under row-level security for others.

        An admin's is not under it, because what is not leakproof (searching, looking into JSON) finds no index there.
        """
        # Before a connection is taken: a new secret takes one too, and many who hold one and want another wait in vain.
        secret = None if permissions.is_admin else self._secret_of(permissions.actor)
        with translated(), self._pool.connection() as connection, connection.transaction():
            if secret is None:
                connection.execute("SET TRANSACTION READ ONLY")
            else:
                connection.execute(_BECOME, [READER, secret])
            yield connection

    def _secret_of(self, actor: Actor) -> str:
        return self._secret(actor, int(time.monotonic() // (LASTS.total_seconds() / 2)))

    def _new_secret(self, actor: Actor, _period: int) -> str:
        """One secret an actor and period, each of which ends well before the secrets of it do."""
        return self.admit(actor)
