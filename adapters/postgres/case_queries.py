"""What the reading side asks of the tables of cases, each question by somebody: row-level security stands behind it.

The statements are files (`queries/<name>.sql`); all that varies in them is passed as parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache, partial
from importlib.resources import files
from typing import Any, Final, LiteralString, NamedTuple, cast
from uuid import UUID

from psycopg import sql

from adapters.postgres.pool import Conn
from adapters.postgres.read_store import PostgresReadStore, json_cursor
from adapters.postgres.readers import Readers
from domain.access import Permissions
from projections import cases, collectives, companies, company_members, migration_runs, status_history
from projections.read_model import ReadModel, Row

QUERY_FILES: Final = files("adapters.postgres") / "queries"
LARGEST_PAGE: Final = 1000
SYSTEM: Final = "cases"
CASE_TABLE: Final = "individualProcesses"
"""The legacy table that becomes cases."""

_MODELS: Final = (
    cases.MODEL,
    collectives.MODEL,
    companies.MODEL,
    company_members.MODEL,
    migration_runs.MODEL,
    status_history.MODEL,
)


@dataclass(frozen=True)
class CaseFilters:
    """What a listing of cases is narrowed to; None leaves that open.

    `due_before` is about current cases only; `since` is when the status took effect, or later.
    """

    status: str | None = None
    undetermined: bool = False
    collective: UUID | None = None
    due_before: date | None = None
    since: datetime | None = None
    is_current: bool | None = None
    after: UUID | None = None


class Within(NamedTuple):
    """The cases of these companies, and of this person."""

    companies: Sequence[UUID]
    person: UUID | None = None


class StatusTotal(NamedTuple):
    """How many cases have a status now, how often it was entered, and the seconds spent in it; None: undetermined."""

    status: str | None
    cases_now: int
    entries_ever: int
    total_s: float | None


class CaseQueries:
    """The queries of one actor. What the actor may not read is not there for them."""

    def __init__(self, reads: PostgresReadStore, readers: Readers, permissions: Permissions) -> None:
        self._reads, self._readers, self._permissions = reads, readers, permissions

    def page(self, filters: CaseFilters, limit: int, within: Within | None = None) -> list[Row]:
        """Return the first cases in the order of their ids; with `within` only those it names."""
        given = {**vars(filters), "limit": limit}
        if within is None:
            return self._rows(cases.MODEL, "cases_all", given)
        return self._rows(
            cases.MODEL, "cases_within", {**given, "companies": list(within.companies), "person": within.person}
        )

    def companies_of(self, account: UUID) -> frozenset[UUID]:
        """Return the companies an account is a current member of."""
        return frozenset(company for (company,) in self._values("companies_of", {"account": account}))

    def timeline(
        self, owner: UUID, limit: int = LARGEST_PAGE, after: tuple[datetime, int, int] | None = None
    ) -> list[Row]:
        """Return a page of the status history of a case or profile, in order, superseded entries included.

        `after` is `active_from`, `place` and `entry` of the last one of the page before.
        """
        active_from, place, entry = after or (None, None, None)
        given = {"owner": owner, "limit": limit, "active_from": active_from, "place": place, "entry": entry}
        return self._rows(status_history.MODEL, "timeline", given)

    def status_as_of(self, owner: UUID, at: datetime) -> Row | None:
        """Return the entry that was in force at a time, as it is known now; None where there was none yet."""
        rows = self._rows(status_history.MODEL, "status_as_of", {"owner": owner, "at": at})
        return rows[0] if rows else None

    def statuses_in(self, collective: UUID) -> dict[str | None, int]:
        """Return how many cases of a collective process have which status."""
        return dict(self._values("collective_statuses", {"collective": collective}))

    def totals(self, today: date) -> dict[str, int]:
        """Return how many cases there are, and how many of them were migrated, wait, or are overdue."""
        ((total, migrated, undetermined, closed, overdue),) = self._values("case_totals", {"today": today})
        in_source = self._values("rows_in_source", {"system": SYSTEM, "table": CASE_TABLE})
        return {
            "total": total,
            "migrated": migrated,
            "pending": max(in_source[0][0] - migrated, 0) if in_source else 0,
            "undetermined": undetermined,
            "closed": closed,
            "overdue": overdue,
        }

    def status_totals(self, now: datetime) -> list[StatusTotal]:
        """Return the numbers of each status that any case has or had."""
        return [StatusTotal(*values) for values in self._values("status_totals", {"now": now})]

    def statement(self, connection: Conn, name: str, model: ReadModel | None = None) -> bytes:
        """Return a query with the names of the tables, and the columns of the model that its rows are of."""
        return self._reads.statement(connection, name, partial(self._composed, connection, name, model))

    def _composed(self, connection: Conn, name: str, model: ReadModel | None) -> sql.Composed:
        parts: dict[str, sql.Composable] = {
            known.name: sql.Identifier(self._reads.schema(known.name), known.name) for known in _MODELS
        }
        parts["filters"] = sql.SQL(query_sql("case_filters"))
        if model is not None:
            alias = "h" if model is status_history.MODEL else "c"
            names = self._reads.table(connection, model).columns
            parts["columns"] = sql.SQL(", ").join(sql.Identifier(alias, column) for column in names)
        return sql.SQL(query_sql(name)).format(**parts)

    def _rows(self, model: ReadModel, name: str, given: Mapping[str, Any]) -> list[Row]:
        with self._readers.reading(self._permissions) as connection:
            found = self._found(connection, self.statement(connection, name, model), given)
            table = self._reads.table(connection, model)
            return [table.row(values) for values in found]

    def _values(self, name: str, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        with self._readers.reading(self._permissions) as connection:
            return self._found(connection, self.statement(connection, name), given)

    @staticmethod
    def _found(connection: Conn, statement: bytes, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        # Planned anew each time: a filter that is not asked for must not be in the plan.
        return json_cursor(connection).execute(statement, given, prepare=False).fetchall()


@cache
def query_sql(name: str) -> LiteralString:
    """Return the text of a query file."""
    text: Any = (QUERY_FILES / f"{name}.sql").read_text(encoding="utf-8")  # trusted: it ships with the package
    return cast("LiteralString", text)
