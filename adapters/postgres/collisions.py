"""Rows of several records that a table refuses together: which they are, told by their keys. Values are not told."""

from __future__ import annotations

from typing import Any, Final

from psycopg import Connection, sql

from adapters.postgres.read_store import Table, index_definition
from projections.read_model import Key, ReadModel

SHOWN: Final = 20

# The constraint could not be made, so no catalog knows it: it is made on an empty table of the same columns.
_COLUMNS: Final = """
SELECT pg_get_indexdef(indexrelid, number, true)
FROM pg_index, generate_series(1, indnkeyatts) AS number
WHERE indexrelid = to_regclass('pg_temp.' || quote_ident(%s))
ORDER BY number
"""
_COLLIDING: Final = """
SELECT {key} FROM {table} WHERE ({columns}) IN (SELECT {columns} FROM {table} GROUP BY {columns} HAVING count(*) > 1)
ORDER BY {columns}, {key} LIMIT {shown}
"""


def colliding_keys(connection: Connection[Any], model: ReadModel, table: Table, constraint: str) -> list[Key]:
    """Return the keys of the first rows that break a unique constraint of a read model together."""
    with connection.transaction(force_rollback=True):
        empty = sql.Identifier("pg_temp", model.name)
        connection.execute(sql.SQL("CREATE TABLE {} (LIKE {})").format(empty, table.name))
        connection.execute("SET LOCAL search_path TO pg_temp")
        connection.execute(index_definition(model))
        # Trusted: the catalog's own words for what the definition says.
        columns = [sql.SQL(text) for (text,) in connection.execute(_COLUMNS, [constraint])]
    if not columns:
        return []
    query = sql.SQL(_COLLIDING).format(
        key=sql.SQL(", ").join(map(sql.Identifier, model.key)),
        table=table.name,
        columns=sql.SQL(", ").join(columns),
        shown=sql.Literal(SHOWN),
    )
    return connection.execute(query).fetchall()
