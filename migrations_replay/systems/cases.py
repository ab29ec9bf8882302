"""The cases system: one status text per process, and rows kept beside it, become cases with a status history.

The rules are those of `docs/legacy/cases.md`; K-numbers refer to it. How the history of one process is put together is
in `case_history.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from domain.access import Role
from domain.account import AccountRegistered, RoleGranted
from domain.case import CaseConflictRecorded, CaseOpened
from domain.case_fields import CASE_FIELDS
from domain.collective import CollectiveOpened
from domain.company import CompanyMemberAdded, CompanyRegistered
from domain.status_catalogue import CASE_CODES, CATEGORIES, SEEDED, StatusDefined, StatusDefinition
from domain.streams import imported_id, status_id
from domain.values import without_unset
from domain.wall_clock import read_wall_clock
from migrations_replay import convert
from migrations_replay.bundle import Bundle, LegacyTable
from migrations_replay.convert import Unreadable
from migrations_replay.document import Problem
from migrations_replay.facts import (
    NO_TIME,
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
    unique,
    without_home,
)
from migrations_replay.given_back import fields_back
from migrations_replay.leaves import CONFLICTING, DERIVED, MAPPED, NORMALISED
from migrations_replay.merge import choose_first, choose_texts, take_texts
from migrations_replay.systems.case_history import (
    FILLABLE_NAMES,
    HISTORY,
    LEGACY_FILLABLE,
    PROCESSES,
    STATUSES,
    history_of,
    history_row_back,
    status_row_back,
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
COMPANY_NAMES: Final = {
    "website": "website",
    "address": "address",
    "cityId": "city_id",
    "phoneNumber": "phone_number",
    "email": "email",
    "contactPersonId": "contact_person_id",
    "notes": "notes",
}
MEMBER_NAMES: Final = {"startDate": "start_date", "endDate": "end_date"}
COLLECTIVE_TABLES: Final = ("mainProcesses", "collectiveProcesses")
# One process in two columns, the newer one first; and what says that it is the current one.
COLLECTIVE_COLUMNS: Final = ("collectiveProcessId", "mainProcessId")
CURRENT: Final = {"Atual": True, "Anterior": False}
_CURRENT_BACK: Final = {current: text for text, current in CURRENT.items()}
LIMITS: Final = {"sortOrder": 9999, "orderNumber": 99}
DESCRIPTION_MAX: Final = 500
MAX_NUMBER: Final = 2**63 - 1


class CasesSystem:
    """The legacy application that tracks immigration processes."""

    name = "cases"
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
                return _company(bundle)
            case "mainProcesses" | "collectiveProcesses":
                return _collective(bundle)
            case "userProfiles":
                return _user(bundle)
            case "caseStatuses":
                return _status(bundle)
            case "people":
                return without_home(bundle, _person_id(bundle.root.key))
            case "users":
                return without_home(bundle, _account_id(bundle.root.key))
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


def _id_of(noun: str, table: str, key: str) -> UUID:
    return imported_id(noun, CasesSystem.name, table, key)


def _person_id(key: str) -> UUID:
    return _id_of("person", "people", key)


def _account_id(user: str) -> UUID:
    return _id_of("account", "users", user)


def _company_id(key: str) -> UUID:
    return _id_of("company", "companies", key)


def _own_key(facts: Facts, row: RecordFacts, became: UUID) -> None:
    row.became = became
    facts.key(row, row.record.id_field, Place("legacy_ids", row.snapshot, "key"))


def _rest(facts: Facts, row: RecordFacts, known: set[str]) -> None:
    """Everything else has no home (K19)."""
    known = known | {row.record.id_field, "_creationTime", "createdAt", "updatedAt"}
    facts.no_target(row, {pointer_to(name): value for name, value in row.record.document.items() if name not in known})


def _read(facts: Facts, row: RecordFacts, name: str) -> Candidate | None:
    document = row.record.document
    return facts.text(row, pointer_to(name), name, document[name]) if name in document else None


def _created(row: RecordFacts, facts: Facts, place: Place) -> datetime:
    """Say where the creation time must be found; returns it, or what stands in for it."""
    created = facts.occurred(row)
    if row.created:
        row.expect("/createdAt", place, row.created)
    elif row.platform:
        row.expect("/_creationTime", place, row.platform)
    return created


# --- a process (K8-K16) -----------------------------------------------------------------------------------------------


def _process(bundle: Bundle) -> Facts:
    process_record = bundle.root
    person = convert.key(process_record.document.get("personId"))
    facts = Facts(bundle, _person_id(person) if person else None)
    process = facts.of(PROCESSES)[0]
    case_id = _id_of("case", PROCESSES, process_record.key)
    process.changed = facts.instant(process, "completedAt", Place("cases", case_id, "completed_at"))
    facts.document_times(process, has_created=True)
    _own_key(facts, process, case_id)
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
    history = history_of(facts, process, case_id, _account_id)
    opened = CaseOpened(
        person_id=facts.subject,
        collective_id=_id_of("collective", COLLECTIVE_TABLES[0], collective) if collective else None,
        fields=fields,
        is_current=_is_current(facts, process, case_id),
        completed_at=process.changed,
        legacy_keys=keys,
    )
    created = _created(process, facts, Place("cases", case_id, "created_at"))
    _rest(
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
        _id_of("collective", COLLECTIVE_TABLES[0], chosen),
    )
    return chosen


def _case_fields(facts: Facts, process: RecordFacts, case_id: UUID, provenance: Provenance) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, target in CASE_NAMES.items():
        place = Place("cases", case_id, "fields", (target,))
        found = _key_text(facts, process, name) if name.endswith("Id") else _read(facts, process, name)
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


def _key_text(facts: Facts, row: RecordFacts, name: str) -> Candidate | None:
    """Read a foreign key; None if it is unset or unreadable."""
    raw = row.record.document.get(name)
    key = convert.key(raw)
    if key is None:
        facts.key(row, name)
        return None
    return Candidate(row, pointer_to(name), raw, key)


def _is_current(facts: Facts, process: RecordFacts, case_id: UUID) -> bool:
    """Tell whether the process is the current one: the newer column says so, else the older one, else it is (K16)."""
    place = Place("cases", case_id, "is_current")
    found: list[tuple[str, bool]] = []
    newer = _read(facts, process, "processStatus")
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


# --- companies and collective processes (K17) -------------------------------------------------------------------------


def _company(bundle: Bundle) -> Facts:
    facts = Facts(bundle, None)
    row = facts.of("companies")[0]
    company_id = _company_id(bundle.root.key)
    facts.document_times(row, has_created=True)
    for member in facts.of("peopleCompanies"):
        facts.document_times(member, has_created=False)
    _own_key(facts, row, company_id)
    fields: dict[str, Any] = {}
    provenance: Provenance = {}
    columns = {"name": Place("companies", company_id, "name"), "taxId": Place("companies", company_id, "tax_id")}
    columns |= {name: Place("companies", company_id, "fields", (target,)) for name, target in COMPANY_NAMES.items()}
    for name, place in columns.items():
        found = _key_text(facts, row, name) if name.endswith(("cityId", "PersonId")) else _read(facts, row, name)
        if found:
            facts.settle(found, place)
            target = place.steps[0] if place.steps else place.column
            fields[str(target)] = found.value
            provenance[str(target)] = (row.source(found.pointer),)
    facts.dangling(row, "contactPersonId")
    is_active = facts.flag(row, "isActive", Place("companies", company_id, "is_active"))
    created = _created(row, facts, Place("companies", company_id, "created_at"))
    _rest(facts, row, {"isActive", *columns})
    events = facts.stream(company_id).events
    events.append(ImportedEvent(CompanyRegistered(fields=fields, is_active=is_active), created, provenance))
    members = sorted(facts.of("peopleCompanies"), key=lambda member: (facts.occurred(member), member.record.key))
    for number, member in enumerate(members, start=2):
        events.append(_member(facts, member, company_id, number, created))
    return facts


def _member(facts: Facts, row: RecordFacts, company_id: UUID, number: int, created: datetime) -> ImportedEvent:
    key = (company_id, number)
    _own_key(facts, row, company_id)
    row.became_version = number
    facts.key(row, "companyId", Place("legacy_ids", row.snapshot, "parent_key"))
    row.expect("/companyId", Place("company_members", key, "company_id"), company_id)
    facts.key(row, "personId", Place("company_members", key, "person_key"))
    facts.dangling(row, "personId")
    role = _read(facts, row, "role")
    if role:
        facts.settle(role, Place("company_members", key, "role"))
    fields = {}
    for name, target in MEMBER_NAMES.items():
        found = _date_or_time(facts, row, name)
        if found:
            facts.settle(found, Place("company_members", key, "fields", (target,)))
            fields[target] = found.value
    person = convert.key(row.record.document.get("personId"))
    row.subject = _person_id(person) if person else None
    event = CompanyMemberAdded(
        person_key=person,
        role=role.value if role else None,
        fields=fields,
        is_current=facts.flag(row, "isCurrent", Place("company_members", key, "is_current")),
    )
    _rest(facts, row, {"companyId", "personId", "role", "startDate", "endDate", "isCurrent"})
    provenance: Provenance = {"person_key": (row.source("/personId"),)}
    return ImportedEvent(event, row.earliest or created, provenance, subject=row.subject)


def _date_or_time(facts: Facts, row: RecordFacts, name: str) -> Candidate | None:
    """Read a date text or a time in ms; it is kept as it is."""
    raw = row.record.document.get(name)
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        try:
            convert.instant(raw)
            return Candidate(row, pointer_to(name), raw, raw)
        except Unreadable:
            facts.unreadable(row, pointer_to(name), name, raw)
            return None
    found = _read(facts, row, name)
    if found is None:
        return None
    try:
        read_wall_clock(found.value)
    except ValueError:
        facts.unreadable(row, found.pointer, name, raw)
        return None
    return found


def _collective(bundle: Bundle) -> Facts:
    facts = Facts(bundle, None)
    row = facts.of(bundle.root.table)[0]
    collective_id = _id_of("collective", COLLECTIVE_TABLES[0], bundle.root.key)
    row.changed = facts.instant(row, "completedAt", Place("collectives", collective_id, "completed_at"))
    facts.document_times(row, has_created=True)
    _own_key(facts, row, collective_id)
    company = convert.key(row.record.document.get("companyId"))
    facts.key(row, "companyId", Place("collectives", collective_id, "legacy_keys", ("company_id",)))
    if company:
        row.expect("/companyId", Place("collectives", collective_id, "company_id"), _company_id(company))
    facts.dangling(row, "companyId")
    number = _read(facts, row, "referenceNumber")
    if number:
        facts.settle(number, Place("collectives", collective_id, "reference_number"))
    if "status" in row.record.document:
        row.mark("/status", row.record.document["status"], DERIVED)
    created = _created(row, facts, Place("collectives", collective_id, "created_at"))
    _rest(facts, row, {"completedAt", "companyId", "referenceNumber", "status"})
    event = CollectiveOpened(
        company_id=_company_id(company) if company else None,
        reference_number=number.value if number else None,
        completed_at=row.changed,
        legacy_keys={"company_id": company} if company else {},
    )
    provenance: Provenance = {"company_id": (row.source("/companyId"),)} if company else {}
    facts.stream(collective_id).events.append(ImportedEvent(event, created, provenance))
    return facts


# --- users and statuses (K18) -----------------------------------------------------------------------------------------


def _latest_first(rows: list[RecordFacts]) -> list[RecordFacts]:
    """Order several rows for one thing, the one that is chosen first."""

    def when(row: RecordFacts) -> tuple[Any, ...]:
        return row.updated or NO_TIME, row.created or NO_TIME, row.platform or NO_TIME, row.record.key

    return sorted(rows, key=when, reverse=True)


def _user(bundle: Bundle) -> Facts:
    user = convert.key(bundle.root.document.get("userId")) or bundle.root.key
    account_id = _account_id(user)
    facts = Facts(bundle, account_id)
    rows = facts.of("userProfiles")
    for row in rows:
        facts.document_times(row, has_created=False)
    rows = _latest_first(rows)
    roles: list[Candidate] = []
    for row in rows:
        _own_key(facts, row, account_id)
        facts.key(row, "userId", Place("legacy_ids", row.snapshot, "parent_key"))
        facts.dangling(row, "userId")
        role = _read(facts, row, "role")
        if role and role.value not in (Role.ADMIN, Role.CLIENT):
            facts.unreadable(row, "/role", "role", role.raw)
        if role:
            roles.append(role)
        _rest(facts, row, {"userId", "role"})
    registered = facts.occurred(*rows[::-1])
    events = facts.stream(account_id).events
    events.append(ImportedEvent(AccountRegistered(), registered, {}))
    # The latest row decides, also when it names no role we know: an older one must not grant what was taken since.
    if roles and roles[0].value in (Role.ADMIN, Role.CLIENT):
        place = Place("accounts", account_id, "roles", item=True)
        known = [role for role in roles if role.value in (Role.ADMIN, Role.CLIENT)]
        choose_first(facts, known, "role", place, rule="latest_row")
        chosen = roles[0]
        granted = RoleGranted(role=Role(chosen.value))
        events.append(ImportedEvent(granted, registered, {"role": (chosen.facts.source("/role"),)}))
    elif outdated := [role for role in roles[1:] if role.value in (Role.ADMIN, Role.CLIENT)]:
        for role in outdated:
            role.facts.mark("/role", role.raw, CONFLICTING)
        values = unique([role.value for role in roles])
        facts.conflict(roles[0].facts, "role", values, None, "latest_row")
    return facts


def _status(bundle: Bundle) -> Facts:
    code = convert.key(bundle.root.document.get("code"))
    facts = Facts(bundle, None)
    rows = facts.of("caseStatuses")
    for row in rows:
        facts.document_times(row, has_created=True)
    rows = _latest_first(rows)
    stream = status_id(code) if code else _id_of("status", "caseStatuses", bundle.root.key)
    values: dict[str, Any] = {}
    for row in rows:
        _own_key(facts, row, stream)
        _rest(facts, row, {"fillableFields", *DEFINITION_NAMES})
    for name, (target, column, read) in DEFINITION_NAMES.items():
        if found := [value for row in rows if (value := read(facts, row, name))]:
            choose_first(facts, found, name, Place("statuses", stream, column), rule="latest_row")
            values[target] = found[0].value
    values["fillable_fields"] = _fillable(facts, rows, stream)
    in_use = values.pop("in_use", None)
    values.setdefault("code", None)
    values.setdefault("name", None)
    seeded = SEEDED.get(code or "")
    definition = StatusDefinition(
        **values,
        catalogue=seeded.catalogue if seeded else CASE_CODES,
        may_go_to=seeded.may_go_to if seeded else None,
    )
    created = _created(rows[0], facts, Place("statuses", stream, "created_at"))
    event = StatusDefined(definition=definition, in_use=in_use is not False)
    provenance: Provenance = {"definition": tuple(row.source("") for row in rows)}
    facts.stream(stream).events.append(ImportedEvent(event, created, provenance))
    return facts


def _definition_text(facts: Facts, row: RecordFacts, name: str) -> Candidate | None:
    found = _key_text(facts, row, name) if name == "code" else _read(facts, row, name)
    if found and name == "category" and found.value not in CATEGORIES:
        facts.finding(row, name, "outside_vocabulary", found.raw)
    if found and name == "description" and len(found.value) > DESCRIPTION_MAX:
        facts.finding(row, name, "outside_limit", found.raw)
    return found


def _number(facts: Facts, row: RecordFacts, name: str) -> Candidate | None:
    """Read a whole number; one beyond what the forms allowed is kept, with a finding."""
    raw = row.record.document.get(name)
    if name not in row.record.document:
        return None
    whole = isinstance(raw, int) or (isinstance(raw, float) and raw.is_integer())
    if isinstance(raw, bool) or not whole or abs(raw) > MAX_NUMBER:  # type: ignore[arg-type]
        facts.unreadable(row, pointer_to(name), name, raw)
        return None
    if not 1 <= raw <= LIMITS[name]:  # type: ignore[operator]
        facts.finding(row, name, "outside_limit", raw)
    return Candidate(row, pointer_to(name), raw, int(raw))  # type: ignore[arg-type]


def _flag(facts: Facts, row: RecordFacts, name: str) -> Candidate | None:
    raw = row.record.document.get(name)
    if name not in row.record.document:
        return None
    if not isinstance(raw, bool):
        facts.unreadable(row, pointer_to(name), name, raw)
        return None
    return Candidate(row, pointer_to(name), raw, raw)


def _fillable(facts: Facts, rows: list[RecordFacts], stream: UUID) -> list[str]:
    """Take the names of the fields a status may fill; of several rows the latest with any decides."""
    place = Place("statuses", stream, "fillable_fields", item=True)
    lists = [(row, _fillable_names(facts, row, place)) for row in rows]
    chosen = choose_texts(facts, lists, "fillableFields", place, rule="latest_row")
    return chosen[1] if chosen else []


def _fillable_names(facts: Facts, row: RecordFacts, place: Place) -> list[str]:
    """Take names of fields in our spelling; one we do not know is kept as it is, with a finding."""
    if "fillableFields" not in row.record.document:
        return []
    names = take_texts(facts, row, "/fillableFields", row.record.document["fillableFields"], place)
    for index, expected in enumerate(row.expected):
        if expected.place == place and expected.value in FILLABLE_NAMES:
            row.classes[expected.pointer] = NORMALISED
            row.expected[index] = expected._replace(
                value=FILLABLE_NAMES[expected.value], normal=Normal(expected.pointer, expected.value)
            )
        elif expected.place == place:
            facts.finding(row, expected.pointer[1:], "outside_vocabulary", expected.value)
            legacy = LEGACY_FILLABLE.get(expected.value, expected.value)
            row.expected[index] = expected._replace(normal=Normal(expected.pointer, legacy))
    return [FILLABLE_NAMES.get(name, name) for name in names]


ReadValue = Callable[[Facts, RecordFacts, str], Candidate | None]
# What defines a status: the name of each field in our definition, its column, and how it is read.
DEFINITION_NAMES: Final[dict[str, tuple[str, str, ReadValue]]] = {
    "code": ("code", "code", _definition_text),
    "name": ("name", "name", _definition_text),
    "nameEn": ("name_en", "name_en", _definition_text),
    "description": ("description", "description", _definition_text),
    "category": ("category", "category", _definition_text),
    "color": ("colour", "colour", _definition_text),
    "sortOrder": ("sort_order", "sort_order", _number),
    "orderNumber": ("order", "workflow_order", _number),
    "allowDocuments": ("allow_documents", "allow_documents", _flag),
    "isActive": ("in_use", "in_use", _flag),
}

# --- the way back -----------------------------------------------------------------------------------------------------


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


def _company_back(record: Row, rows: BundleRows) -> dict[str, Any]:
    company = rows.row("companies", record["became"])
    return {
        "name": company.get("name"),
        "taxId": company.get("tax_id"),
        **fields_back(COMPANY_NAMES, company.get("fields")),
        "isActive": company.get("is_active"),
    }


def _member_back(record: Row, rows: BundleRows) -> dict[str, Any]:
    member = rows.row("company_members", record["became"], record["became_version"])
    return {
        "companyId": record["parent_key"],
        "personId": member.get("person_key"),
        "role": member.get("role"),
        **fields_back(MEMBER_NAMES, member.get("fields")),
        "isCurrent": member.get("is_current"),
    }


def _collective_back(record: Row, rows: BundleRows) -> dict[str, Any]:
    collective = rows.row("collectives", record["became"])
    return {
        "companyId": collective.get("legacy_keys", {}).get("company_id"),
        "referenceNumber": collective.get("reference_number"),
        "completedAt": collective.get("completed_at"),
    }


def _user_back(record: Row, rows: BundleRows) -> dict[str, Any]:
    roles = rows.row("accounts", record["became"]).get("roles", [])
    return {"userId": record["parent_key"], "role": roles[0] if len(roles) == 1 else roles}


def _status_back(record: Row, rows: BundleRows) -> dict[str, Any]:
    status = rows.row("statuses", record["became"])
    fields = {name: status.get(column) for name, (_, column, _) in DEFINITION_NAMES.items()}
    return fields | {"fillableFields": [LEGACY_FILLABLE.get(name, name) for name in status.get("fillable_fields", ())]}


_BACK: Final[dict[str, Callable[[Row, BundleRows], dict[str, Any]]]] = {
    PROCESSES: _process_back,
    HISTORY: history_row_back,
    STATUSES: status_row_back,
    "companies": _company_back,
    "peopleCompanies": _member_back,
    "mainProcesses": _collective_back,
    "collectiveProcesses": _collective_back,
    "userProfiles": _user_back,
    "caseStatuses": _status_back,
}

SYSTEM: Final = CasesSystem()
