"""Documents of the talent system, and what those of one user imply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from domain.streams import merged_profile_id
from migrations_replay.bundle import Selection
from migrations_replay.facts import Facts
from migrations_replay.leaves import leaves
from migrations_replay.reconcile import Reconcile
from migrations_replay.systems.talent import SYSTEM
from migrations_replay.systems.talent_columns import item_of
from projections.all import READ_MODELS
from tests.support.legacy import Line, MemorySource, MemoryTables, index, rows_of

BORN: Final = 1_672_531_200_000.5
LATER: Final = 1_704_067_200_000.0


def user(key: str = "u1", **fields: Any) -> dict[str, Any]:
    return {"_id": key, "_creationTime": BORN, "type": "member", "isAdmin": False} | fields


def row(key: str = "d1", of: str = "u1", **fields: Any) -> dict[str, Any]:
    """A row of `dancers` or `choreographers`."""
    return {"_id": key, "_creationTime": LATER, "userId": of, "createdAt": "2024-01-01T00:00:00.000Z"} | fields


def credit(key: str = "p1", of: str = "u1", **fields: Any) -> dict[str, Any]:
    return {"_id": key, "_creationTime": BORN, "userId": of} | fields


class Told:
    """What the documents of a user imply, accounted for leaf by leaf, proven and given back."""

    def __init__(self, *users: Line, **tables: Sequence[Line]) -> None:
        source = MemorySource(users=users, **tables)
        found = Selection(index(source, SYSTEM))
        self.facts: Facts = next(SYSTEM.derive(bundle) for bundle in found if bundle.root.table == "users")
        for record in self.facts.records.values():
            assert set(record.classes) == {pointer for pointer, _ in leaves(record.record.document)}
        store = MemoryTables(SYSTEM.derive(bundle) for bundle in found)
        assert Reconcile(SYSTEM, store, READ_MODELS).run(found, lambda _: None).differences == []
        self.rows = rows_of(self.facts)
        self.account_id = SYSTEM.stream_of("u1")

    @property
    def account(self) -> dict[str, Any]:
        return self.rows["accounts", (self.account_id,)]

    @property
    def details(self) -> dict[str, Any]:
        details: dict[str, Any] = self.account["details"]
        return details

    @property
    def kinds(self) -> list[str]:
        return sorted(row["kind"] for (model, _), row in self.rows.items() if model == "profiles")

    def profile(self, kind: str = "dancer") -> dict[str, Any]:
        return self.rows["profiles", (merged_profile_id(self.account_id, kind),)]

    def fields(self, kind: str = "dancer") -> dict[str, Any]:
        fields: dict[str, Any] = self.profile(kind)["fields"]
        return fields

    def item(self, key: str, table: str = "projects") -> dict[str, Any]:
        return self.rows["items", (item_of(table, key),)]

    def class_of(self, pointer: str, table: str = "users", key: str = "u1") -> str:
        return self.facts.records[table, key].classes[pointer]

    @property
    def findings(self) -> list[tuple[str, str]]:
        return [(found["field"], found["code"]) for found in self.facts.findings]

    @property
    def conflicts(self) -> dict[str, tuple[list[Any], str]]:
        return {entry["field"]: (entry["values"], entry["rule"]) for entry in self.facts.conflicts}

    @property
    def unmapped(self) -> dict[str, Any]:
        return {pointer: value for entry in self.facts.unmapped for pointer, value in entry["fields"].items()}
