"""Tables that are changed by SQL, behind the back of the application, and put back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from adapters.bootstrap import Application
from adapters.migration import Migration, verify
from domain.contexts import Context
from tests.support.application import watch
from tests.support.places import Leaf, Places, Spot

KEYS = {
    "accounts": "account_id",
    "profiles": "profile_id",
    "intents": "intent_id",
    "conversations": "conversation_id",
    "messages": "concat(conversation_id, '/', number)",
    "legacy_ids": "snapshot_id",
}


def sql(app: Application, *statements: str) -> None:
    with app.pool.connection() as connection:
        for statement in statements:
            connection.execute(statement.encode())


def put_back(app: Application, table: str) -> None:
    """Insert the rows that were put aside; columns the server computes it computes again."""
    with app.pool.connection() as connection:
        found = connection.execute(
            "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute WHERE attrelid = %s::regclass"
            " AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
            [table],
        ).fetchone()
        assert found
        connection.execute(f"INSERT INTO {table} ({found[0]}) SELECT {found[0]} FROM public.aside".encode())


@contextmanager
def put_aside(app: Application, table: str, where: str) -> Iterator[None]:
    """Copy the rows aside that may be changed now, or deleted, and in the end put them back."""
    sql(app, f"CREATE TABLE public.aside AS SELECT * FROM {table} WHERE {where}")
    try:
        yield
    finally:
        sql(app, f"DELETE FROM {table} WHERE {where}")
        put_back(app, table)
        sql(app, "DROP TABLE public.aside")


class Tables:
    """A migrated sample of contexts whose tables can be changed by SQL and put back."""

    def __init__(self, app: Application, source: Path) -> None:
        self.app, self.source = app, source
        self.places = Places(app, source)

    def differences(self) -> tuple[set[tuple[Leaf, str]], dict[str, Any]]:
        """Verify, and return the leaves that are named with their outcomes, and the report."""
        report = verify(self.app, Migration.of("contexts", self.source), watch)
        named = {
            ((entry["table"], entry["id"], entry["pointer"]), entry["outcome"])
            for entry in report["differences"]
            if entry["pointer"]
        }
        return named, report

    def execute(self, query: str, *values: Any) -> list[Any]:
        with self.app.pool.connection() as connection:
            cursor = connection.execute(query.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def column(self, spot: Spot) -> Any:
        """Return the text of a column, which puts it back exactly."""
        where = f"FROM {spot.model}.{spot.model} WHERE {KEYS[spot.model]} = %s"
        return self.execute(f"SELECT {spot.column}::text {where}", spot.key)[0][0]

    def put(self, spot: Spot, text: str | None) -> None:
        kinds = {
            "fields": "jsonb",
            "off_record": "boolean",
            "account_id": "uuid",
            "registered_at": "timestamptz",
        } | dict.fromkeys(("created", "updated", "created_at", "sent_at"), "timestamptz")
        self.execute(
            f"UPDATE {spot.model}.{spot.model} SET {spot.column} = %s::{kinds.get(spot.column, 'text')}"
            f" WHERE {KEYS[spot.model]} = %s",
            text,
            spot.key,
        )

    def other_value(self, spot: Spot, text: str) -> str | None:
        """Return the column with another value at the spot, None if there is none it could take."""
        match spot.column:
            case "fields":
                return _changed_json(text, spot)
            case "account_id":
                return str(uuid4())
            case "off_record":
                return "false" if text == "true" else "true"
            case "registered_at" | "created" | "updated" | "created_at" | "sent_at":
                return str(self.execute("SELECT (%s::timestamptz + interval '1 microsecond')::text", text)[0][0])
            case "context":
                query = "SELECT context FROM intents.intents WHERE account_id IN (SELECT account_id"
                taken = self.execute(f"{query} FROM intents.intents WHERE intent_id = %s)", spot.key)
                return next((str(kind) for kind in Context if (str(kind),) not in taken), None)
            case _:
                return f"{text}~{uuid4()}"


def _changed_json(text: str, spot: Spot) -> str:
    fields = json.loads(text)
    if spot.item is not None:
        (name,) = spot.steps
        fields[name][fields[name].index(spot.item)] = f"{spot.item}~"
        return json.dumps(fields)
    *parents, last = spot.steps
    node = fields
    for step in parents:
        node = node[step]
    node[last] = f"{node[last]}~"
    return json.dumps(fields)
