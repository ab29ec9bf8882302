"""What all rows of the cases system share: the ids of what they become, their keys and times, and what has no home.

The rules are those of `docs/legacy/cases.md`; K-numbers refer to it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from domain.streams import imported_id
from migrations_replay import convert
from migrations_replay.facts import (
    NO_TIME,
    Candidate,
    Facts,
    Place,
    RecordFacts,
    pointer_to,
)

NAME: Final = "cases"


def id_of(noun: str, table: str, key: str) -> UUID:
    """Return the id of what a record becomes."""
    return imported_id(noun, NAME, table, key)


def person_id_of(key: str) -> UUID:
    """Return the person a row of `people` is about."""
    return id_of("person", "people", key)


def account_id_of(user: str) -> UUID:
    """Return the account a user becomes."""
    return id_of("account", "users", user)


def company_id_of(key: str) -> UUID:
    """Return the company a row of `companies` becomes."""
    return id_of("company", "companies", key)


def own_key(facts: Facts, row: RecordFacts, became: UUID) -> None:
    """Say what a row became, and that its key must be found beside its snapshot."""
    row.became = became
    facts.key(row, row.record.id_field, Place("legacy_ids", row.snapshot, "key"))


def rest(facts: Facts, row: RecordFacts, known: set[str]) -> None:
    """Everything else has no home (K19)."""
    known = known | {row.record.id_field, "_creationTime", "createdAt", "updatedAt"}
    facts.no_target(row, {pointer_to(name): value for name, value in row.record.document.items() if name not in known})


def read_text(facts: Facts, row: RecordFacts, name: str) -> Candidate | None:
    """Read a text; None if it is unset or unreadable."""
    document = row.record.document
    return facts.text(row, pointer_to(name), name, document[name]) if name in document else None


def created_at(row: RecordFacts, facts: Facts, place: Place) -> datetime:
    """Say where the creation time must be found; returns it, or what stands in for it."""
    created = facts.occurred(row)
    if row.created:
        row.expect("/createdAt", place, row.created)
    elif row.platform:
        row.expect("/_creationTime", place, row.platform)
    return created


def read_key(facts: Facts, row: RecordFacts, name: str) -> Candidate | None:
    """Read a foreign key; None if it is unset or unreadable."""
    raw = row.record.document.get(name)
    key = convert.key(raw)
    if key is None:
        facts.key(row, name)
        return None
    return Candidate(row, pointer_to(name), raw, key)


def latest_first(rows: list[RecordFacts]) -> list[RecordFacts]:
    """Order several rows for one thing, the one that is chosen first."""

    def when(row: RecordFacts) -> tuple[Any, ...]:
        return row.updated or NO_TIME, row.created or NO_TIME, row.platform or NO_TIME, row.record.key

    return sorted(rows, key=when, reverse=True)
