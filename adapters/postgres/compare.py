"""A live table against the rebuilt one: which rows differ, by key and column. Values are not told."""

from __future__ import annotations

from typing import Any, Final

from psycopg import Connection, sql

from adapters.postgres.read_store import Table, json_cursor
from projections.read_model import ReadModel
from projections.rebuild import Comparison, Difference

SHOWN: Final = 100

_DIFFERING: Final = """
SELECT {key},
    CASE WHEN live.{first} IS NULL THEN 'missing' WHEN next.{first} IS NULL THEN 'extra' ELSE 'changed' END,
    array_remove(ARRAY[{names}]::text[], NULL),
    count(*) OVER ()
FROM {live} AS live FULL JOIN {next} AS next USING ({key})
WHERE ROW({lives}) IS DISTINCT FROM ROW({nexts})
ORDER BY {key} LIMIT {shown}
"""


def compare_tables(
    connection: Connection[tuple[Any, ...]], model: ReadModel, position: int, live: Table, following: Table
) -> Comparison:
    """Compare two tables of a read model as a transaction sees them."""
    columns = [sql.Identifier(name) for name in live.columns]
    name = sql.SQL("CASE WHEN live.{0} IS DISTINCT FROM next.{0} THEN {1} END")
    query = sql.SQL(_DIFFERING).format(
        key=sql.SQL(", ").join(map(sql.Identifier, model.key)),
        first=sql.Identifier(model.key[0]),
        names=sql.SQL(", ").join(name.format(sql.Identifier(one), sql.Literal(one)) for one in live.columns),
        live=live.name,
        next=following.name,
        lives=sql.SQL(", ").join(sql.SQL("live.{}").format(column) for column in columns),
        nexts=sql.SQL(", ").join(sql.SQL("next.{}").format(column) for column in columns),
        shown=sql.Literal(SHOWN),
    )
    rows = json_cursor(connection).execute(query).fetchall()
    width = len(model.key)
    differences = [
        Difference(
            row[width],
            dict(zip(model.key, row, strict=False)),
            tuple(row[width + 1]) if row[width] == "changed" else (),
        )
        for row in rows
    ]
    return Comparison(model.name, position, rows[0][-1] if rows else 0, differences)
