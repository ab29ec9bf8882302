"""Records of the cases system to fill an export with, and what one bundle of it implies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from domain.case import CASE, CaseState
from domain.streams import imported_id
from migrations_replay.facts import Facts
from migrations_replay.systems.cases import SYSTEM
from projections.read_model import Row
from tests.support.legacy import Line, MemorySource, index, recorded, rows_of


def when(day: int, hour: int = 15, minute: int = 0) -> datetime:
    """Return a time in June 2023: at noon in São Paulo, if nothing else is said."""
    return datetime(2023, 6, day, hour, minute, tzinfo=UTC)


def ms(day: int, hour: int = 15, minute: int = 0) -> int:
    """Return that time in ms since 1970."""
    return int(when(day, hour, minute).timestamp()) * 1000


def process(key: Any = "p1", **more: Any) -> dict[str, Any]:
    return {"_id": key, "_creationTime": ms(1) + 0.25, "createdAt": ms(1), "updatedAt": ms(20)} | more


def history(key: str, status: Any, day: int, **more: Any) -> dict[str, Any]:
    row = {"_id": key, "_creationTime": ms(day) + 0.5, "individualProcessId": "p1", "newStatus": status}
    return row | {"changedBy": "a1", "changedAt": ms(day)} | more


def status(key: str, name: Any, day: int, *, active: Any = False, **more: Any) -> dict[str, Any]:
    row = {"_id": key, "_creationTime": ms(day) + 0.75, "individualProcessId": "p1", "statusName": name}
    row |= {"isActive": active, "changedBy": "a1", "changedAt": ms(day), "createdAt": ms(day)}
    return row | more


def person(key: str = "up1", user: Any = "a1", role: Any = "admin", **more: Any) -> dict[str, Any]:
    return {"_id": key, "_creationTime": ms(1), "userId": user, "role": role} | more


def company(key: str = "c1", name: Any = "Acme", **more: Any) -> dict[str, Any]:
    return {"_id": key, "_creationTime": ms(2), "name": name, "createdAt": ms(2), "updatedAt": ms(3)} | more


def member(key: str, of: Any = "c1", **more: Any) -> dict[str, Any]:
    return {"_id": key, "_creationTime": ms(4), "companyId": of, "personId": "per1"} | more


def collective(key: str = "m1", **more: Any) -> dict[str, Any]:
    row = {"_id": key, "_creationTime": ms(2), "referenceNumber": "2023/1", "companyId": "c1", "status": "in_progress"}
    return row | {"createdAt": ms(2), "updatedAt": ms(3)} | more


def case_status(key: str = "k1", code: Any = "rnm", **more: Any) -> dict[str, Any]:
    row = {"_id": key, "_creationTime": ms(2), "name": "RNM", "code": code, "sortOrder": 9, "isActive": True}
    return row | {"createdAt": ms(2), "updatedAt": ms(3)} | more


def id_of(noun: str, table: str, key: str) -> UUID:
    return imported_id(noun, "cases", table, key)


CASE_ID = id_of("case", "individualProcesses", "p1")
AUTHOR = str(id_of("account", "users", "a1"))
STATUSES = "individualProcessStatuses"
NO_TEXTS = [5, 1.5, True, ["a", ""], {"a": "b", "c": None}]


class Told:
    """What the one bundle of a root table implies; there is a user `a1`, unless the users are given."""

    def __init__(self, root: str = "individualProcesses", **tables: Sequence[Line]) -> None:
        source = MemorySource(**{"userProfiles": [person()], **tables})
        (bundle,) = [found for found in index(source, SYSTEM) if found.root.table == root]
        self.facts: Facts = SYSTEM.derive(bundle)
        self.rows = rows_of(self.facts)

    def classes(self, table: str, key: str) -> dict[str, str]:
        return self.facts.records[table, key].classes

    def class_of(self, table: str, key: str, pointer: str) -> str:
        return self.classes(table, key)[pointer]

    @property
    def findings(self) -> list[tuple[str, str, str, Any]]:
        """Return id, field, code and value of the findings."""
        found = [(found["id"], found["field"], found["code"], found["value"]) for found in self.facts.findings]
        return sorted(found, key=repr)

    @property
    def codes(self) -> list[tuple[str, str, str]]:
        return sorted((found["id"], found["field"], found["code"]) for found in self.facts.findings)

    @property
    def conflicts(self) -> dict[str, tuple[list[Any], Any, str]]:
        """Return values, chosen value and rule of the conflicts, by the row that was chosen and the field."""
        found = {
            f"{entry['record'].partition('/')[2]}/{entry['field']}": (entry["values"], entry["chosen"], entry["rule"])
            for entry in self.facts.conflicts
        }
        assert len(found) == len(self.facts.conflicts)
        return found

    @property
    def unmapped(self) -> dict[str, dict[str, Any]]:
        found = {entry["id"]: entry["fields"] for entry in self.facts.unmapped}
        assert len(found) == len(self.facts.unmapped)
        return found

    def of(self, model: str) -> list[Row]:
        return [row for (name, _), row in sorted(self.rows.items(), key=lambda item: str(item[0])) if name == model]

    def row(self, model: str, **equals: Any) -> Row:
        (row,) = [row for row in self.of(model) if all(row[column] == value for column, value in equals.items())]
        return row

    @property
    def case(self) -> Row:
        return self.row("cases")

    @property
    def entries(self) -> list[Row]:
        """Return the entries of the status history by number."""
        return sorted(self.of("status_history"), key=lambda row: row["entry"])

    @property
    def statuses(self) -> list[tuple[str | None, datetime]]:
        return [(row["status"], row["active_from"]) for row in self.entries]

    @property
    def state(self) -> CaseState:
        """Return the case as the commands see it."""
        return CASE.fold(event.event for event in recorded(self.facts)[CASE_ID])

    def events(self, topic: str) -> list[Any]:
        return [new.event for stream in self.facts.streams for new in stream.events if new.event.topic == topic]


def case_of(*rows: dict[str, Any], **of_process: Any) -> Told:
    """Return what a process with these history and status rows implies."""
    return Told(
        individualProcesses=[process(**of_process)],
        processHistory=[row for row in rows if "newStatus" in row],
        individualProcessStatuses=[row for row in rows if "statusName" in row],
        userProfiles=[person(), person("up2", "a2")],
    )
