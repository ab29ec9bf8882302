"""Rows of the decks system, and what the rows of one person imply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from domain.streams import billing_id, merged_profile_id
from migrations_replay.bundle import Bundle, Selection
from migrations_replay.facts import Facts
from migrations_replay.leaves import count_leaves, leaves
from migrations_replay.reconcile import Proof, Reconcile
from migrations_replay.systems.decks import SYSTEM
from projections.all import READ_MODELS
from tests.support.legacy import Line, MemorySource, MemoryTables, index, rows_of

USER: Final = "11111111-1111-4111-8111-111111111111"
OTHER: Final = "22222222-2222-4222-8222-222222222222"
ROW: Final = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
DEMO: Final = "00000000-0000-0000-0000-000000000001"
CREATED: Final = "2024-03-01T09:00:00+00:00"
UPDATED: Final = "2024-04-01T09:00:00+00:00"


def account_of(user: str) -> UUID:
    return SYSTEM.stream_of(user)


def row(key: Any = ROW, user: Any = USER, **columns: Any) -> dict[str, Any]:
    """A row of the final table, keyed by `user_id`; `user=None` leaves the column out."""
    keys = {"id": key} | ({"user_id": user} if user is not None else {})
    return keys | {"created_at": CREATED, "updated_at": UPDATED} | columns


class Person:
    """What the rows of one person imply, proven against the tables, with short ways to ask for it."""

    def __init__(self, *rows: Line, user: str = USER, **tables: Sequence[Line]) -> None:
        self.source = MemorySource(profiles=rows, **tables)
        self.account_id = account_of(user)
        found = [bundle for bundle in self.bundles if SYSTEM.derive(bundle).subject == self.account_id]
        (self.bundle,) = [bundle for bundle in found if bundle.root.table == "profiles"]
        self.facts: Facts = SYSTEM.derive(self.bundle)
        for record in self.facts.records.values():
            assert set(record.classes) == {pointer for pointer, _ in leaves(record.record.document)}
            assert len(record.classes) == count_leaves(record.record.document)
        proof = self.proof()
        assert proof.differences == []
        self.rows = rows_of(self.facts)

    @property
    def bundles(self) -> list[Bundle]:
        return list(index(self.source, SYSTEM))

    def proof(self) -> Proof:
        selection = Selection(index(self.source, SYSTEM))
        tables = MemoryTables(SYSTEM.derive(bundle) for bundle in selection)
        return Reconcile(SYSTEM, tables, READ_MODELS).run(selection, lambda _: None)

    @property
    def account(self) -> dict[str, Any]:
        return self.rows["accounts", (self.account_id,)]

    @property
    def details(self) -> dict[str, Any]:
        details: dict[str, Any] = self.account["details"]
        return details

    @property
    def profile(self) -> dict[str, Any]:
        fields: dict[str, Any] = self.rows["profiles", (merged_profile_id(self.account_id, "deck"),)]["fields"]
        return fields

    @property
    def billing(self) -> dict[str, Any] | None:
        found = self.rows.get(("billing_accounts", (billing_id(self.account_id),)))
        return None if found is None else found["fields"] | {"status": found["status"]}

    def classes(self, key: str = ROW) -> dict[str, str]:
        return self.facts.records["profiles", key].classes

    @property
    def findings(self) -> list[tuple[str, str]]:
        return [(found["field"], found["code"]) for found in self.facts.findings]

    @property
    def conflicts(self) -> dict[str, tuple[list[Any], Any, str]]:
        return {entry["field"]: (entry["values"], entry["chosen"], entry["rule"]) for entry in self.facts.conflicts}

    @property
    def unmapped(self) -> dict[str, Any]:
        return {pointer: value for entry in self.facts.unmapped for pointer, value in entry["fields"].items()}
