"""Rows that cannot be taken in, of every table, and rows that stand twice in their file."""

import random
from functools import partial
from typing import Final

from adapters.samples.cases.case import Case
from adapters.samples.cases.oddity import MISSING, Oddity
from adapters.samples.cases.rows import Row, make_row
from adapters.samples.cases.world import World
from adapters.samples.truth import ABSENT, NORMALISED, broken_ways

_TEXT_AT: Final = {
    "individualProcesses": "/funcao",
    "processHistory": "/notes",
    "individualProcessStatuses": "/notes",
    "mainProcesses": "/referenceNumber",
    "collectiveProcesses": "/referenceNumber",
    "companies": "/name",
    "peopleCompanies": "/role",
    "userProfiles": "/role",
    "caseStatuses": "/name",
    "users": "/name",
    "people": "/fullName",
}
WAYS: Final = {table: broken_ways(at, "_id") for table, at in _TEXT_AT.items()}


# ---- rows of a process that stands


def _spare(case: Case, table: str) -> Row:
    row = make_row(case.rng, table, case.now, individualProcessId=case.process.doc["_id"])
    row.doc |= {"changedAt": case.now + 1, "changedBy": case.world.admin, "notes": None}
    row.doc["newStatus" if table == "processHistory" else "statusName"] = "rnm"
    if table != "processHistory":
        row.doc |= {"isActive": True, "filledFieldsData": {"rnmNumber": "", "rnmProtocol": "x"}}
    case.others.append(row)
    return row


def _broken(case: Case, *, table: str, way: str) -> None:
    WAYS[table][way](_spare(case, table))


def _orphan(case: Case, *, table: str, process: object) -> None:
    row = _spare(case, table)
    row.put("/individualProcessId", process)
    row.code = "no_subject"


def broken_rows(table: str) -> dict[str, Oddity]:
    """Give the ways in which a history or status row cannot be taken in."""
    ways: dict[str, Oddity] = {way: partial(_broken, table=table, way=way) for way in WAYS[table]}
    parents = {"dangling": MISSING, "null": None, "absent": ABSENT, "blank": " "}
    return ways | {f"process_{name}": partial(_orphan, table=table, process=at) for name, at in parents.items()}


def break_whole(case: Case, way: str) -> None:
    """Break a process, so that its rows have none."""
    for row in (*case.history, *case.statuses, *case.others):
        row.code = row.code or "no_subject"
    case.process.code = None
    WAYS["individualProcesses"][way](case.process)


# ---- ids


def _integer(case: Case, *, text: bool) -> None:
    number = 4711 + case.serial
    case.process.put("/_id", number, NORMALISED)
    for row in (*case.history, *case.statuses):
        row.put("/individualProcessId", str(number) if text else number, None if text else NORMALISED)


def _integer_twice(case: Case) -> None:
    _integer(case, text=False)
    case.process.repeat(_id=str(case.process.doc["_id"]))


def _again(case: Case, *, kind: str, **changes: object) -> None:
    rows = {"process": [case.process], "history": case.history, "status": case.statuses, "person": [case.person]}[kind]
    if rows:
        rows[0].repeat(**changes)


IDS: Final[dict[str, Oddity]] = {
    "integer": partial(_integer, text=False),
    "integer_rows_text": partial(_integer, text=True),
    "integer_again_as_text": _integer_twice,
    "process_copied": partial(_again, kind="process"),
    "process_twice": partial(_again, kind="process", funcao="outra", status="rnm", extra=None),
    "history_copied": partial(_again, kind="history"),
    "history_twice": partial(_again, kind="history", newStatus="rnm", metadata={"a": [None]}),
    "status_copied": partial(_again, kind="status"),
    "status_twice": partial(_again, kind="status", isActive=True, notes="segunda"),
    "person_copied": partial(_again, kind="person"),
    "person_twice": partial(_again, kind="person", fullName="Outra Pessoa"),
}


# ---- rows beside the cases


def stray_rows(rng: random.Random, world: World, table: str, way: str) -> list[Row]:
    """Make a broken row of a table that holds no cases; with a company its people have none."""
    rows = {row.table: row for row in world.spare(rng)}
    row, member = rows[table], rows["peopleCompanies"]
    if table == "companies":
        member.code = "no_subject"
        WAYS[table][way](row)
        return [row, member]
    member.put("/companyId", world.companies[0].doc["_id"])
    WAYS[table][way](row)
    return [row]


def homeless_members(rng: random.Random, world: World) -> list[Row]:
    """Make members of companies that are not there."""
    found = []
    for company in (MISSING, None, ABSENT):
        member = next(row for row in world.spare(rng) if row.table == "peopleCompanies")
        member.put("/companyId", company)
        member.code = "no_subject"
        found.append(member)
    return found


def repeated_rows(world: World) -> None:
    """Let rows of the tables beside the cases stand twice, byte for byte or changed."""
    for table in ("companies", "userProfiles", "caseStatuses", "users"):
        first, second = [row for row in world.rows if row.table == table][:2]
        first.repeat()
        second.repeat(notes="another row of this id", none=None)
