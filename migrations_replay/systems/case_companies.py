"""Companies, their members and collective processes of the cases system (K17), and the way back.

The rules are those of `docs/legacy/cases.md`; K-numbers refer to it.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from domain.collective import CollectiveOpened
from domain.company import CompanyMemberAdded, CompanyRegistered
from domain.wall_clock import read_wall_clock
from migrations_replay import convert
from migrations_replay.bundle import Bundle
from migrations_replay.convert import Unreadable
from migrations_replay.facts import (
    Candidate,
    Facts,
    ImportedEvent,
    Place,
    Provenance,
    RecordFacts,
    pointer_to,
)
from migrations_replay.given_back import fields_back
from migrations_replay.leaves import DERIVED
from migrations_replay.systems.case_rows import (
    company_id_of,
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
    from projections.read_model import Row

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


def company_facts(bundle: Bundle) -> Facts:
    """Return a company with its members in order of their creation, then of their keys."""
    facts = Facts(bundle, None)
    row = facts.of("companies")[0]
    company_id = company_id_of(bundle.root.key)
    facts.document_times(row, has_created=True)
    for member in facts.of("peopleCompanies"):
        facts.document_times(member, has_created=False)
    own_key(facts, row, company_id)
    fields: dict[str, Any] = {}
    provenance: Provenance = {}
    columns = {"name": Place("companies", company_id, "name"), "taxId": Place("companies", company_id, "tax_id")}
    columns |= {name: Place("companies", company_id, "fields", (target,)) for name, target in COMPANY_NAMES.items()}
    for name, place in columns.items():
        found = read_key(facts, row, name) if name.endswith(("cityId", "PersonId")) else read_text(facts, row, name)
        if found:
            facts.settle(found, place)
            target = place.steps[0] if place.steps else place.column
            fields[str(target)] = found.value
            provenance[str(target)] = (row.source(found.pointer),)
    facts.dangling(row, "contactPersonId")
    is_active = facts.flag(row, "isActive", Place("companies", company_id, "is_active"))
    created = created_at(row, facts, Place("companies", company_id, "created_at"))
    rest(facts, row, {"isActive", *columns})
    events = facts.stream(company_id).events
    events.append(ImportedEvent(CompanyRegistered(fields=fields, is_active=is_active), created, provenance))
    members = sorted(facts.of("peopleCompanies"), key=lambda member: (facts.occurred(member), member.record.key))
    for number, member in enumerate(members, start=2):
        events.append(_member(facts, member, company_id, number, created))
    return facts


def _member(facts: Facts, row: RecordFacts, company_id: UUID, number: int, created: datetime) -> ImportedEvent:
    key = (company_id, number)
    own_key(facts, row, company_id)
    row.became_version = number
    facts.key(row, "companyId", Place("legacy_ids", row.snapshot, "parent_key"))
    row.expect("/companyId", Place("company_members", key, "company_id"), company_id)
    facts.key(row, "personId", Place("company_members", key, "person_key"))
    facts.dangling(row, "personId")
    role = read_text(facts, row, "role")
    if role:
        facts.settle(role, Place("company_members", key, "role"))
    fields = {}
    for name, target in MEMBER_NAMES.items():
        found = _date_or_time(facts, row, name)
        if found:
            facts.settle(found, Place("company_members", key, "fields", (target,)))
            fields[target] = found.value
    person = convert.key(row.record.document.get("personId"))
    row.subject = person_id_of(person) if person else None
    event = CompanyMemberAdded(
        person_key=person,
        role=role.value if role else None,
        fields=fields,
        is_current=facts.flag(row, "isCurrent", Place("company_members", key, "is_current")),
    )
    rest(facts, row, {"companyId", "personId", "role", "startDate", "endDate", "isCurrent"})
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
    found = read_text(facts, row, name)
    if found is None:
        return None
    try:
        read_wall_clock(found.value)
    except ValueError:
        facts.unreadable(row, found.pointer, name, raw)
        return None
    return found


def collective_facts(bundle: Bundle) -> Facts:
    """Return a collective process; its status follows from its cases and is not compared."""
    facts = Facts(bundle, None)
    row = facts.of(bundle.root.table)[0]
    collective_id = id_of("collective", COLLECTIVE_TABLES[0], bundle.root.key)
    row.changed = facts.instant(row, "completedAt", Place("collectives", collective_id, "completed_at"))
    facts.document_times(row, has_created=True)
    own_key(facts, row, collective_id)
    company = convert.key(row.record.document.get("companyId"))
    facts.key(row, "companyId", Place("collectives", collective_id, "legacy_keys", ("company_id",)))
    if company:
        row.expect("/companyId", Place("collectives", collective_id, "company_id"), company_id_of(company))
    facts.dangling(row, "companyId")
    number = read_text(facts, row, "referenceNumber")
    if number:
        facts.settle(number, Place("collectives", collective_id, "reference_number"))
    if "status" in row.record.document:
        row.mark("/status", row.record.document["status"], DERIVED)
    created = created_at(row, facts, Place("collectives", collective_id, "created_at"))
    rest(facts, row, {"completedAt", "companyId", "referenceNumber", "status"})
    event = CollectiveOpened(
        company_id=company_id_of(company) if company else None,
        reference_number=number.value if number else None,
        completed_at=row.changed,
        legacy_keys={"company_id": company} if company else {},
    )
    provenance: Provenance = {"company_id": (row.source("/companyId"),)} if company else {}
    facts.stream(collective_id).events.append(ImportedEvent(event, created, provenance))
    return facts


# --- the way back ----------------------------------------------------------------------------------------------------


def company_back(record: Row, rows: BundleRows) -> dict[str, Any]:
    """Return a company from the tables."""
    company = rows.row("companies", record["became"])
    return {
        "name": company.get("name"),
        "taxId": company.get("tax_id"),
        **fields_back(COMPANY_NAMES, company.get("fields")),
        "isActive": company.get("is_active"),
    }


def member_back(record: Row, rows: BundleRows) -> dict[str, Any]:
    """Return a membership from the tables."""
    member = rows.row("company_members", record["became"], record["became_version"])
    return {
        "companyId": record["parent_key"],
        "personId": member.get("person_key"),
        "role": member.get("role"),
        **fields_back(MEMBER_NAMES, member.get("fields")),
        "isCurrent": member.get("is_current"),
    }


def collective_back(record: Row, rows: BundleRows) -> dict[str, Any]:
    """Return a collective process from the tables."""
    collective = rows.row("collectives", record["became"])
    return {
        "companyId": collective.get("legacy_keys", {}).get("company_id"),
        "referenceNumber": collective.get("reference_number"),
        "completedAt": collective.get("completed_at"),
    }
