"""The ordinary courses of a case."""

import random
from collections.abc import Callable
from typing import Final

from adapters.samples.cases.case import MIGRATED_FIELD, Case, Entry, Slot
from adapters.samples.cases.rows import DAY, Row, drop, make_person, make_process
from adapters.samples.cases.vocabulary import (
    ENGLISH,
    REQUIREMENT,
    WORKFLOW,
    by_code,
    other_code,
)
from adapters.samples.cases.world import World
from adapters.samples.truth import CONFLICTING, NORMALISED

Course = Callable[[Case], None]
_FIRST: Final = 1_640_995_200_000


def begin(rng: random.Random, serial: int, world: World) -> Case:
    """Make a process of which nothing is told yet, with its person."""
    created = _FIRST + rng.randrange(900 * DAY)
    person = make_person(rng, created - DAY)
    process = make_process(rng, created, person.doc["_id"])
    process.doc |= {"createdAt": created}
    if rng.random() < 0.9:
        column = "mainProcessId" if rng.random() < 0.6 else "collectiveProcessId"
        process.doc[column] = rng.choice(world.collectives).doc["_id"]
    column, values = rng.choice((("isActive", (True, True, False)), ("processStatus", ("Atual", "Atual", "Anterior"))))
    if rng.random() < 0.85:
        process.doc[column] = rng.choice(values)
    return Case(rng, serial, world, process, person, created, created)


def conclude(case: Case) -> None:
    """Write when the process was last changed, if nothing odd is to be said about it."""
    updated = case.now + case.rng.choice((0, 0, case.rng.randrange(20 * DAY), -3600_000))
    case.updated = max(updated, case.created)
    case.process.doc["updatedAt"] = case.updated


# ---- the ordinary courses


def _walk(case: Case, steps: int) -> None:
    """Let the process pass through English statuses, each told by a history row."""
    code = "pending_documents"
    if case.rng.random() < 0.5:
        # the first row was written by the first change: what was before stands in it alone
        code = case.rng.choice(ENGLISH[code])
        case.opening = by_code("pending_documents")
    for _ in range(steps):
        case.tell(case.change(code))
        onward = [following for following in ENGLISH[code] if following != "cancelled" or case.rng.random() < 0.1]
        code = case.rng.choice(onward)


def english(case: Case, least: int = 1) -> None:
    """History rows only: the export was made before the migration of this process."""
    _walk(case, case.rng.randint(least, 6))


def _copies(case: Case) -> None:
    for entry in case.entries:
        case.copy(entry)


def _from_field(case: Case, *, active: bool, after: float | None = None) -> Row:
    """Add the row that the old migration made from the process's own status."""
    code = case.code
    return case.copy(case.change(code, case.world.admin, after), active=active, notes=MIGRATED_FIELD)


def migrated(case: Case) -> None:
    """History rows, their inactive copies, and an active row from the field."""
    english(case)
    _copies(case)
    _from_field(case, active=True)
    case.active = case.entries[-1]


def doubled(case: Case, *, notes: bool, same_author: bool) -> None:
    """Oddity 2: the active row from the field and the last history row with its copy are one change."""
    english(case)
    last = case.entries[-1]
    author = case.world.admin if same_author else case.world.other_author(case.world.admin)
    row = last.first
    last.author, last.notes = author, "Enviado." if notes else None
    row.doc |= {"changedBy": author, "notes": last.notes}
    _copies(case)
    from_field = case.copy(last, active=True, notes=MIGRATED_FIELD)
    from_field.doc["changedBy"] = case.world.admin
    twin = last.rows[1]
    twin.marks["/isActive"] = NORMALISED
    if not same_author:
        from_field.marks["/changedBy"] = CONFLICTING
        row.dispute("changedBy", "history_row")
    # the active row comes before its copy: without a note in the history its own is chosen
    (from_field if notes else twin).marks["/notes"] = CONFLICTING
    row.dispute("notes", "history_row")
    case.active = last


def _portuguese(case: Case, steps: int) -> None:
    """Let the process pass through case codes, each a status row, most a history row too; none is active yet."""
    start = case.rng.randrange(len(WORKFLOW) - steps + 1) if steps < len(WORKFLOW) else 0
    codes = list(WORKFLOW[start : start + steps])
    if case.rng.random() < 0.3:
        codes.insert(len(codes) // 2, REQUIREMENT)
    for code in codes:
        apply(case, code)


def apply(case: Case, code: str, *, active: bool = False, told: bool | None = None) -> Entry:
    """Give the case a status: a status row, and a history row too if `told`, or as chance has it."""
    entry = case.change(code)
    if told if told is not None else case.rng.random() < 0.6:
        row = case.tell(entry)
        status = case.show(entry, active=active)
        row.doc["newStatusId"] = status.doc["_id"]
        if len(case.statuses) > 1:
            row.doc["previousStatusId"] = case.statuses[-2].doc["_id"]
    else:
        case.show(entry, active=active)
    return entry


def activate(case: Case, entry: Entry) -> None:
    """Let the last row of an entry be the active one."""
    entry.rows[-1].doc["isActive"] = True
    case.active = entry


def coded(case: Case) -> None:
    """Status rows of the new kind only."""
    _portuguese(case, case.rng.randint(1, 5))
    activate(case, case.entries[-1])


def modern(case: Case, *, slots: bool = False) -> None:
    """English statuses, the migration, then case codes; `slots` adds entries for oddities in the middle."""
    before(case, slots=slots)
    activate(case, case.entries[-1])


def before(case: Case, *, slots: bool = False) -> None:
    """All of `modern` but the active row."""
    english(case, 2)
    _copies(case)
    if slots:
        case.slots["history"] = Slot(noted := case.change(case.code), case.tell(noted), None)
    _from_field(case, active=False)
    if slots:
        for name, code in (("status", other_code(case.rng, REQUIREMENT)), ("requirement", REQUIREMENT)):
            case.slots[name] = Slot(entry := case.change(code), None, case.show(entry))
            drop(entry.first, "filledFieldsData", "fillableFields")
        entry = case.change(other_code(case.rng, REQUIREMENT))
        case.slots["pair"] = Slot(entry, case.tell(entry), case.show(entry))
        drop(entry.rows[1], "filledFieldsData", "fillableFields")
    _portuguese(case, case.rng.randint(1, 4))


def _doubled(case: Case) -> None:
    doubled(case, notes=case.rng.random() < 0.5, same_author=case.rng.random() < 0.5)


USUAL: Final[dict[Course, int]] = {english: 30, migrated: 28, modern: 25, coded: 13, _doubled: 4}
"""The ordinary courses, and how often each is taken."""
