"""The cases system: one status text per process, and rows kept beside it, become cases with a status history.

The rules are those of `docs/legacy/cases.md`; K-numbers refer to it. How the history of one process is put together is
in `case_history.py`, companies and collective processes are in `case_companies.py`, users and statuses in
`case_catalogue.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from domain.case import CaseConflictRecorded, CaseOpened
from domain.case_fields import CASE_FIELDS
from domain.streams import imported_id
from domain.values import without_unset
from domain.wall_clock import read_wall_clock
from migrations_replay import convert
from migrations_replay.bundle import Bundle, LegacyTable
from migrations_replay.document import Problem
from migrations_replay.facts import (
    Candidate,
    Facts,
    ImportedEvent,
    Normal,
    Place,
    Provenance,
    RecordFacts,
    Rule,
    pointer_to,
    rule,
    without_home,
)
from migrations_replay.given_back import fields_back
from migrations_replay.leaves import CONFLICTING, MAPPED, NORMALISED
from migrations_replay.merge import choose_first
from migrations_replay.systems.case_catalogue import status_back, status_facts, user_back, user_facts
from migrations_replay.systems.case_companies import (
    COLLECTIVE_TABLES,
    collective_back,
    collective_facts,
    company_back,
    company_facts,
    member_back,
)
from migrations_replay.systems.case_history import (
    FILLABLE_NAMES,
    HISTORY,
    PROCESSES,
    STATUSES,
    history_of,
    history_row_back,
    status_row_back,
)
from migrations_replay.systems.case_rows import (
    NAME,
    account_id_of,
    created_at,
    id_of,
    own_key,
    person_id_of,
    read_key,
    read_text,
    rest,
)

if TYPE_CHECKING:
    from migrations_replay.given_back import BundleRows
    from migrations_replay.replay import Outcome
    from projections.read_model import Row

CASE_NAMES: Final = FILLABLE_NAMES | {
    "companyApplicantId": "company_applicant_id",
    "userApplicantId": "user_applicant_id",
    "funcao": "funcao",
    "cargo": "cargo",
}
# One process in two columns, the newer one first; and what says that it is the current one.
COLLECTIVE_COLUMNS: Final = ("collectiveProcessId", "mainProcessId")
CURRENT: Final = {"Atual": True, "Anterior": False}
_CURRENT_BACK: Final = {current: text for text, current in CURRENT.items()}


class CasesSystem:
    """The legacy application that tracks immigration processes."""

    name = NAME
    mapping_version = 2
    root = PROCESSES
    tables: Mapping[str, LegacyTable] = {
        PROCESSES: LegacyTable(
            references={
                "mainProcessId": COLLECTIVE_TABLES,
                "collectiveProcessId": COLLECTIVE_TABLES,
                "personId": ("people",),
            }
        ),
        HISTORY: LegacyTable(
            "individualProcessId",
            PROCESSES,
            references={
                "changedBy": ("users", "userProfiles"),
                "previousStatusId": (STATUSES,),
                "newStatusId": (STATUSES,),
            },
        ),
        STATUSES: LegacyTable(
            "individualProcessId",
            PROCESSES,
            references={"changedBy": ("users", "userProfiles"), "caseStatusId": ("caseStatuses",)},
        ),
        "mainProcesses": LegacyTable(references={"companyId": ("companies",)}),
        "collectiveProcesses": LegacyTable(references={"companyId": ("companies",)}),
        "companies": LegacyTable(references={"contactPersonId": ("people",)}),
        "peopleCompanies": LegacyTable("companyId", "companies", references={"personId": ("people",)}),
        "userProfiles": LegacyTable(references={"userId": ("users",)}, one_by="userId", named_by="userId"),
        "caseStatuses": LegacyTable(one_by="code"),
    }
    renamed: Mapping[str, str] = {"mainProcesses": "collectiveProcesses"}
    inherited: frozenset[str] = frozenset()

    def refuse(self, _table: str, _document: Mapping[str, Any]) -> Problem | None:
        """Every well-formed record can be taken in."""
        return None

    def stream_of(self, root_key: str) -> UUID:
        """Return the case a process becomes."""
        return imported_id("case", self.name, PROCESSES, root_key)

    def subject_of(self, _root_key: str) -> UUID | None:
        """Return None: the key of a process does not tell whom it is about."""
        return None

    def derive(self, bundle: Bundle) -> Facts:
        """Return what a process with its history, a company with its members, or any other row implies."""
        match bundle.root.table:
            case "individualProcesses":
                return _process(bundle)
            case "companies":
                return company_facts(bundle)
            case "mainProcesses" | "collectiveProcesses":
                return collective_facts(bundle)
            case "userProfiles":
                return user_facts(bundle)
            case "caseStatuses":
                return status_facts(bundle)
            case "people":
                return without_home(bundle, person_id_of(bundle.root.key))
            case "users":
                return without_home(bundle, account_id_of(bundle.root.key))
            case _:
                return without_home(bundle)

    def to_legacy(self, record: Row, rows: BundleRows) -> dict[str, Any]:
        """Return the document of a record from the tables; both columns of a renamed one come back."""
        back = _BACK.get(record["table_name"])
        times = {"_creationTime": record["platform_created"], "createdAt": record["created"]}
        return without_unset(
            {"id": record["key"], **times, "updatedAt": record["updated"], **(back(record, rows) if back else {})}
        )

    def rules(self, outcome: Outcome, counts: Mapping[str, Any]) -> list[Rule]:
        """Check what the plan of the team verifies."""
        taken = outcome.taken[PROCESSES]
        differing = sum(conflict["rule"] == "status_rank" for conflict in outcome.conflicts)
        times = sum(finding["code"] == "assumed_time" for finding in outcome.findings)
        return [
            rule("cases = processes", abs(counts["cases"] - taken), cases=counts["cases"], processes=taken),
            rule("each case has a history", counts["without_history"]),
            rule("exactly one active status or undetermined", counts["not_one_status"]),
            rule("active status = legacy field after normalisation", differing),
            rule("every author is valid", counts["unknown_authors"], entries=counts["entries"]),
            rule("every time is valid", times),
        ]

    def stats(self, outcome: Outcome, counts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the plan's statistics, before by the legacy fields (as far as they name a status) and after."""
        aside = sum(entry["table"] == PROCESSES for entry in outcome.quarantine)
        waiting = sum(any(record["table"] == PROCESSES for record in entry["records"]) for entry in outcome.pending)
        pending = waiting + aside
        return {
            "before": {"total": outcome.taken[PROCESSES] + aside, "by_status": dict(outcome.tally.most_common())},
            "after": {
                "total": counts["cases"],
                "migrated": counts["cases"],
                "pending": pending,
                "undetermined": counts["undetermined"],
                "entries": counts["entries"],
                "by_status": counts["by_status"],
            },
        }


# --- a process (K8-K16) -----------------------------------------------------------------------------------------------


def _process(bundle: Bundle) -> Facts:
    process_record = bundle.root
    person = convert.key(process_record.document.get("personId"))
    facts = Facts(bundle, person_id_of(person) if person else None)
    process = facts.of(PROCESSES)[0]
    case_id = id_of("case", PROCESSES, process_record.key)
    process.changed = facts.instant(process, "completedAt", Place("cases", case_id, "completed_at"))
    facts.document_times(process, has_created=True)
    own_key(facts, process, case_id)
    keys: dict[str, str] = {}
    provenance: Provenance = {}
    facts.key(process, "personId", Place("cases", case_id, "legacy_keys", ("person_id",)))
    if person:
        keys["person_id"] = person
        process.expect("/personId", Place("cases", case_id, "person_id"), facts.subject)
        provenance["person_id"] = (process.source("/personId"),)
    collective = _collective_of(facts, process, case_id)
    if collective:
        keys["collective_id"] = collective
    facts.dangling(process, "personId", *COLLECTIVE_COLUMNS)
    fields = _case_fields(facts, process, case_id, provenance)
    history = history_of(facts, process, case_id, account_id_of)
    opened = CaseOpened(
        person_id=facts.subject,
        collective_id=id_of("collective", COLLECTIVE_TABLES[0], collective) if collective else None,
        fields=fields,
        is_current=_is_current(facts, process, case_id),
        completed_at=process.changed,
        legacy_keys=keys,
    )
    created = created_at(process, facts, Place("cases", case_id, "created_at"))
    rest(
        facts,
        process,
        {"completedAt", "personId", "status", "isActive", "processStatus"} | {*COLLECTIVE_COLUMNS, *CASE_NAMES},
    )
    conflicts = [ImportedEvent(_conflict(facts, found), facts.occurred(process)) for found in facts.conflicts]
    facts.stream(case_id).events += [ImportedEvent(opened, created, provenance), *history.events, *conflicts]
    return facts


def _conflict(facts: Facts, found: Mapping[str, Any]) -> CaseConflictRecorded:
    """Return a conflict of the report as an event; one of a row is told by the row."""
    root = f"{PROCESSES}/{facts.bundle.root.key}"
    name = found["field"] if found["record"] == root else f"{found['record']}/{found['field']}"
    return CaseConflictRecorded(field=name, values=tuple(found["values"]), chosen=found["chosen"], rule=found["rule"])


def _collective_of(facts: Facts, process: RecordFacts, case_id: UUID) -> str | None:
    """Choose the collective process a process belongs to: the newer column's (K16)."""
    place = Place("cases", case_id, "legacy_keys", ("collective_id",))
    found = []
    for name in COLLECTIVE_COLUMNS:
        raw = process.record.document.get(name)
        if (key := convert.key(raw)) is not None:
            found.append(Candidate(process, pointer_to(name), raw, key))
        else:
            facts.key(process, name)
    if not found:
        return None
    choose_first(facts, found, found[0].pointer[1:], place, rule="newest_column")
    chosen: str = found[0].value
    process.expect(
        found[0].pointer,
        Place("cases", case_id, "collective_id"),
        id_of("collective", COLLECTIVE_TABLES[0], chosen),
    )
    return chosen


def _case_fields(facts: Facts, process: RecordFacts, case_id: UUID, provenance: Provenance) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, target in CASE_NAMES.items():
        place = Place("cases", case_id, "fields", (target,))
        found = read_key(facts, process, name) if name.endswith("Id") else read_text(facts, process, name)
        if found is None:
            continue
        if CASE_FIELDS[target].shape == "wall_clock":
            try:
                read_wall_clock(found.value)
            except ValueError:
                facts.unreadable(process, found.pointer, name, found.raw)
                continue
        facts.settle(found, place)
        fields[target] = found.value
        provenance[target] = (process.source(found.pointer),)
    return fields


def _is_current(facts: Facts, process: RecordFacts, case_id: UUID) -> bool:
    """Tell whether the process is the current one: the newer column says so, else the older one, else it is (K16)."""
    place = Place("cases", case_id, "is_current")
    found: list[tuple[str, bool]] = []
    newer = read_text(facts, process, "processStatus")
    if newer is not None:
        if newer.value in CURRENT:
            process.mark("/processStatus", newer.raw, MAPPED if newer.value == newer.raw else NORMALISED)
            found.append(("/processStatus", CURRENT[newer.value]))
        else:
            facts.unreadable(process, "/processStatus", "processStatus", newer.raw)
    older = process.record.document.get("isActive")
    if isinstance(older, bool):
        process.mark("/isActive", older, MAPPED)
        found.append(("/isActive", older))
    elif "isActive" in process.record.document:
        facts.unreadable(process, "/isActive", "isActive", older)
    if not found:
        return True
    chosen = found[0][1]
    for pointer, value in found:
        if value == chosen:
            said = _CURRENT_BACK[value] if pointer == "/processStatus" else value
            process.expect(pointer, place, value, Normal(pointer, said))
        else:
            process.classes[pointer] = CONFLICTING
            facts.conflict(process, "processStatus", [chosen, value], chosen, "newest_column")
    return chosen


# --- the way back ----------------------------------------------------------------------------------------------------


def _process_back(record: Row, rows: BundleRows) -> dict[str, Any]:
    case = rows.row("cases", record["became"])
    keys = case.get("legacy_keys", {})
    is_current: bool | None = case.get("is_current")
    return {
        "personId": keys.get("person_id"),
        **dict.fromkeys(COLLECTIVE_COLUMNS, keys.get("collective_id")),
        **fields_back(CASE_NAMES, case.get("fields")),
        "status": case.get("status"),
        "processStatus": None if is_current is None else _CURRENT_BACK[is_current],
        "isActive": is_current,
        "completedAt": case.get("completed_at"),
    }


_BACK: Final[dict[str, Callable[[Row, BundleRows], dict[str, Any]]]] = {
    PROCESSES: _process_back,
    HISTORY: history_row_back,
    STATUSES: status_row_back,
    "companies": company_back,
    "peopleCompanies": member_back,
    "mainProcesses": collective_back,
    "collectiveProcesses": collective_back,
    "userProfiles": user_back,
    "caseStatuses": status_back,
}

SYSTEM: Final = CasesSystem()
