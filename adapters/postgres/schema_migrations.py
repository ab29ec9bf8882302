"""Numbered changes of the schemas that hold what cannot be rebuilt: forward only, each carried out once, in order.

The files are `schema/migrations/<area>/<number>_<name>.sql`; one that was released never changes. A schema remembers
which it went through, and refuses to be touched by a release that knows fewer. So a release that changes functions,
which are made anew and not altered, adds a numbered change too, if only of a comment: older ones then leave them alone.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final, LiteralString, NamedTuple, cast

from psycopg import Connection, sql

from domain.errors import SchemaMismatch

SCHEMA_FILES: Final = files("adapters.postgres") / "schema"
_TABLE: Final = """
CREATE TABLE IF NOT EXISTS migrations (
    number      int         PRIMARY KEY,
    name        text        NOT NULL,
    migrated_at timestamptz NOT NULL DEFAULT now()
)
"""


def schema_sql(name: str) -> LiteralString:
    """Return the text of a schema file."""
    text: Any = (SCHEMA_FILES / f"{name}.sql").read_text(encoding="utf-8")  # trusted: it ships with the package
    return cast("LiteralString", text)


class SchemaChange(NamedTuple):
    """A numbered change of a schema."""

    number: int
    name: str
    statements: LiteralString


def changes(area: str) -> list[SchemaChange]:
    """Return the changes of an area, oldest first; they are numbered without gaps."""
    found = []
    for file in (SCHEMA_FILES / "migrations" / area).iterdir():
        number, _, name = file.name.removesuffix(".sql").partition("_")
        text: Any = file.read_text(encoding="utf-8")  # trusted: it ships with the package
        found.append(SchemaChange(int(number), name, cast("LiteralString", text)))
    return sorted(found)


def migrate(connection: Connection[tuple[Any, ...]], schema: str, area: str) -> list[SchemaChange]:
    """Carry out in a transaction what a schema has not gone through yet, and return it.

    Raises SchemaMismatch for a schema that a later release changed.
    """
    known = changes(area)
    connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(sql.Identifier(schema)))
    connection.execute(_TABLE)
    reached = int((connection.execute("SELECT coalesce(max(number), 0) FROM migrations").fetchone() or (0,))[0])
    if reached > len(known):
        raise SchemaMismatch(
            f"schema {schema} went through change {reached}, this release knows {len(known)}",
            hint="it belongs to a later release of Dossier: use that one",
        )
    due = known[reached:]
    for change in due:
        connection.execute(change.statements)
        connection.execute("INSERT INTO migrations (number, name) VALUES (%s, %s)", change[:2])
    return due
