"""A legacy database on PostgreSQL: its tables as JSON lines, copied out in one read-only snapshot.

The server itself writes each row as JSON (`row_to_json`), so that every number keeps its digits. NaN and the infinities
come as texts, times in UTC in ISO form, a `TIMESTAMP` without a zone, an array as a list.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import Connection, IsolationLevel, errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import set_json_loads

from adapters.legacy.json_lines import LineFiles
from domain.errors import InputUnreadable

SCHEMES: Final = ("postgresql://", "postgres://")
PAGE: Final = 200
_CONNECT_TIMEOUT: Final = "10"
_LINE_BREAKS: Final = bytes.maketrans(b"\r\n", b"  ")

_SESSION: Final = (
    "SELECT set_config('timezone', 'UTC', false), set_config('extra_float_digits', '1', false),"
    # An error rather than rows that a policy hides.
    " set_config('row_security', 'off', false), set_config('statement_timeout', '0', false)"
)
_TABLES: Final = (
    "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = ANY (pg_catalog.current_schemas(false)) AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
    " AND left(c.relname, 1) NOT IN ('_', '.') ORDER BY c.relname, n.nspname"
)


def is_database(source: str) -> bool:
    """Tell whether a source is the URL of a PostgreSQL database."""
    return source.startswith(SCHEMES)


@contextmanager
def open_database(url: str) -> Iterator[LineFiles]:
    """Copy the tables of the schemas in the search path into private files, and open those.

    Raises InputUnreadable, which never holds the URL; names that begin with `_` are not the application's own.
    """
    with tempfile.TemporaryDirectory(prefix="dossier-") as private:
        with _translated(), _snapshot(url) as connection:
            files: dict[str, Path] = {}
            for schema, table in connection.execute(_TABLES).fetchall():
                if table in files:
                    hint = "name one schema: ?options=-csearch_path%3DSCHEMA"
                    raise InputUnreadable(f"two schemas have a table {table}", field="source", hint=hint)
                files[table] = Path(private) / f"{len(files)}.jsonl"
                _copy_out(connection, sql.Identifier(schema, table), files[table])
        if not files:
            hint = "its schema is not in the search path? add ?options=-csearch_path%3DSCHEMA"
            raise InputUnreadable("the source database shows no tables", field="source", hint=hint)
        source = LineFiles("postgresql", files)
        try:
            yield source
        finally:
            source.close()


@contextmanager
def _snapshot(url: str) -> Iterator[Connection[Any]]:
    """Give a connection inside one transaction that can write nothing and sees the tables at one time."""
    try:
        timeout = conninfo_to_dict(url).get("connect_timeout", _CONNECT_TIMEOUT)
    except psycopg.Error:  # whose message quotes the URL
        hint = "postgresql://USER@HOST/DATABASE with settings of libpq alone (no ?schema=…)"
        raise InputUnreadable("the source is not a PostgreSQL URL", field="source", hint=hint) from None
    with psycopg.connect(make_conninfo(url, connect_timeout=timeout, client_encoding="utf8")) as connection:
        connection.read_only = True
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        connection.execute(_SESSION)
        yield connection


def _copy_out(connection: Connection[Any], table: sql.Identifier, target: Path) -> None:
    """Write the rows of a table as lines; a page of rows is in memory at a time."""
    query = sql.SQL("SELECT row_to_json(found) FROM {} AS found").format(table)
    with target.open("wb") as lines, connection.cursor(name="rows", binary=True) as cursor:
        set_json_loads(_as_it_is, cursor)
        cursor.itersize = PAGE
        for (row,) in cursor.execute(query):
            # Inside JSON line breaks stand between tokens only; a column of type json keeps its own.
            lines.write(row.translate(_LINE_BREAKS) + b"\n")


def _as_it_is(value: str | bytes) -> str | bytes:
    return value


@contextmanager
def _translated() -> Iterator[None]:
    """Raise what the driver raises as InputUnreadable; its messages may quote the URL or values, and are left out."""
    try:
        yield
    except errors.InsufficientPrivilege as error:
        hint = "the role needs SELECT on every table, and rights that no row-level policy narrows (BYPASSRLS)"
        raise _unreadable(f"it may not be read whole ({error.sqlstate})", hint) from None
    except psycopg.Error as error:
        code = f" ({error.sqlstate})" if error.sqlstate else ""
        hint = "check host, port, database, role and password; the password can come from PGPASSWORD or ~/.pgpass"
        raise _unreadable(f"{type(error).__name__}{code}", hint) from None


def _unreadable(why: str, hint: str) -> InputUnreadable:
    return InputUnreadable(f"the source database cannot be read: {why}", field="source", hint=hint)
