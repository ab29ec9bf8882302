"""What the reading side asks of the tables of people, each question by somebody: row-level security stands behind it.

The statements are files (`queries/<name>.sql`); all that varies in them is passed as parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import sql
from psycopg.types.json import Jsonb

from adapters.postgres.case_queries import LARGEST_PAGE, query_sql
from adapters.postgres.pool import Conn
from adapters.postgres.read_store import PostgresReadStore, json_cursor
from adapters.postgres.readers import Readers
from domain.access import Permissions
from projections import accounts, intents, profiles
from projections.read_model import ReadModel, Row
from projections.search import search_form

_ALIASES: Final = {"accounts": "a", "profiles": "p", "intents": "i"}


@dataclass(frozen=True)
class ProfileFilters:
    """What a listing of profiles is narrowed to; None leaves that open.

    `fields` are values the profile's fields hold: of a list, items that are in it. `at_least` is a completeness in
    percent; `after` is the last id of the page before.
    """

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    verification: str | None = None
    at_least: int | None = None
    archived: bool | None = False
    after: UUID | None = None


class Found(NamedTuple):
    """A row that a search found, and how well it fits (greater is better)."""

    rank: float
    row: Row


class PeopleQueries:
    """The queries of one actor. What the actor may not read is not there for them."""

    def __init__(self, reads: PostgresReadStore, readers: Readers, permissions: Permissions) -> None:
        self._reads, self._readers, self._permissions = reads, readers, permissions
        # Said in the statement too, so that it finds an index; row-level security does not rely on it.
        self._own = None if permissions.is_admin else permissions.actor.account

    def account(self, account: UUID) -> tuple[Row, Row | None] | None:
        """Return an account with its active profile, None where it has none; None for no such account."""
        models = (accounts.MODEL, profiles.MODEL)
        with self._readers.reading(self._permissions) as connection:
            statement = self.statement(connection, "account_with_profile", *models)
            values = json_cursor(connection).execute(statement, {"account": account, "own": self._own}).fetchone()
            mine, active = (self._reads.table(connection, model) for model in models)
        if values is None:
            return None
        width = len(mine.columns)
        profile = active.row(values[width:])
        return mine.row(values[:width]), profile if profile["profile_id"] else None

    def profiles_of(
        self, account: UUID, limit: int = LARGEST_PAGE, after: tuple[datetime, UUID] | None = None
    ) -> list[Row]:
        """Return a page of the profiles of an account, the oldest first.

        `after` is `created_at` and id of the last one of the page before.
        """
        created_at, last = after or (None, None)
        given = {"account": account, "limit": limit, "created_at": created_at, "after": last}
        return [row for row, _ in self._rows(profiles.MODEL, "profiles_of", given)]

    def profiles(self, filters: ProfileFilters, limit: int) -> list[Row]:
        """Return a page of the profiles of a kind, in the order of their ids."""
        given = vars(filters) | {"fields": _contained(filters.fields), "limit": limit}
        return [row for row, _ in self._rows(profiles.MODEL, "profiles_by_kind", given)]

    def search(self, kind: str, text: str, limit: int, after: tuple[float, UUID] | None = None) -> list[Found]:
        """Return a page of the profiles of a kind that hold the words, the best first.

        A phrase in quotes stands together, `or` is a choice, a minus leaves out; case and accents do not matter.
        `after` is rank and id of the last one of the page before.
        """
        rank, last = after or (None, None)
        given = {"kind": kind, "text": search_form(text), "limit": limit, "rank": rank, "after": last}
        return [Found(extra[0], row) for row, extra in self._rows(profiles.MODEL, "profiles_found", given)]

    def intents(
        self,
        context: str,
        limit: int,
        *,
        status: str = "declared",
        fields: Mapping[str, Any] | None = None,
        after: UUID | None = None,
    ) -> list[Row]:
        """Return a page of the intents in a context, in the order of their ids."""
        given = {"context": context, "status": status, "fields": _contained(fields or {}), "after": after}
        return [row for row, _ in self._rows(intents.MODEL, "intents_in", {**given, "limit": limit})]

    def statement(self, connection: Conn, name: str, *models: ReadModel) -> bytes:
        """Return a query with the names of the tables, and the columns of the models that its rows are of."""
        return self._reads.statement(connection, name, partial(self._composed, connection, name, models))

    def _composed(self, connection: Conn, name: str, models: Sequence[ReadModel]) -> sql.Composed:
        parts: dict[str, sql.Composable] = {
            known.name: sql.Identifier(self._reads.schema(known.name), known.name)
            for known in (accounts.MODEL, profiles.MODEL, intents.MODEL)
        }
        for model, part in zip(models, ("columns", "profile_columns"), strict=False):
            columns = self._reads.table(connection, model).columns
            parts[part] = sql.SQL(", ").join(sql.Identifier(_ALIASES[model.name], column) for column in columns)
        return sql.SQL(query_sql(name)).format(**parts)

    def _rows(self, model: ReadModel, name: str, given: Mapping[str, Any]) -> list[tuple[Row, tuple[Any, ...]]]:
        with self._readers.reading(self._permissions) as connection:
            # Planned anew each time: a filter that is not asked for must not be in the plan.
            statement = self.statement(connection, name, model)
            found = json_cursor(connection).execute(statement, {**given, "own": self._own}, prepare=False)
            table = self._reads.table(connection, model)
            width = len(table.columns)
            return [(table.row(values[:width]), values[width:]) for values in found]


def _contained(fields: Mapping[str, Any]) -> Jsonb | None:
    return Jsonb(dict(fields)) if fields else None
