"""The users of the cases system and the statuses they defined (K18), and the way back.

The rules are those of `docs/legacy/cases.md`; K-numbers refer to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from domain.access import Role
from domain.account import AccountRegistered, RoleGranted
from domain.status_catalogue import CASE_CODES, CATEGORIES, SEEDED, StatusDefined, StatusDefinition
from domain.streams import status_id
from migrations_replay import convert
from migrations_replay.bundle import Bundle
from migrations_replay.facts import (
    Candidate,
    Facts,
    ImportedEvent,
    Normal,
    Place,
    Provenance,
    RecordFacts,
    pointer_to,
    unique,
)
from migrations_replay.leaves import CONFLICTING, NORMALISED
from migrations_replay.merge import choose_first, choose_texts, take_texts
from migrations_replay.systems.case_history import (
    FILLABLE_NAMES,
    LEGACY_FILLABLE,
)
from migrations_replay.systems.case_rows import (
    account_id_of,
    created_at,
    id_of,
    latest_first,
    own_key,
    read_key,
    read_text,
    rest,
)

if TYPE_CHECKING:
    from migrations_replay.given_back import BundleRows
    from projections.read_model import Row

LIMITS: Final = {"sortOrder": 9999, "orderNumber": 99}
DESCRIPTION_MAX: Final = 500
MAX_NUMBER: Final = 2**63 - 1


def user_facts(bundle: Bundle) -> Facts:
    """Return the account a user becomes, with the role the latest of its profiles names."""
    user = convert.key(bundle.root.document.get("userId")) or bundle.root.key
    account_id = account_id_of(user)
    facts = Facts(bundle, account_id)
    rows = facts.of("userProfiles")
    for row in rows:
        facts.document_times(row, has_created=False)
    rows = latest_first(rows)
    roles: list[Candidate] = []
    for row in rows:
        own_key(facts, row, account_id)
        facts.key(row, "userId", Place("legacy_ids", row.snapshot, "parent_key"))
        facts.dangling(row, "userId")
        role = read_text(facts, row, "role")
        if role and role.value not in (Role.ADMIN, Role.CLIENT):
            facts.unreadable(row, "/role", "role", role.raw)
        if role:
            roles.append(role)
        rest(facts, row, {"userId", "role"})
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


def status_facts(bundle: Bundle) -> Facts:
    """Return the definition of a status, of several rows of one code from the latest."""
    code = convert.key(bundle.root.document.get("code"))
    facts = Facts(bundle, None)
    rows = facts.of("caseStatuses")
    for row in rows:
        facts.document_times(row, has_created=True)
    rows = latest_first(rows)
    stream = status_id(code) if code else id_of("status", "caseStatuses", bundle.root.key)
    values: dict[str, Any] = {}
    for row in rows:
        own_key(facts, row, stream)
        rest(facts, row, {"fillableFields", *DEFINITION_NAMES})
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
    created = created_at(rows[0], facts, Place("statuses", stream, "created_at"))
    event = StatusDefined(definition=definition, in_use=in_use is not False)
    provenance: Provenance = {"definition": tuple(row.source("") for row in rows)}
    facts.stream(stream).events.append(ImportedEvent(event, created, provenance))
    return facts


def _definition_text(facts: Facts, row: RecordFacts, name: str) -> Candidate | None:
    found = read_key(facts, row, name) if name == "code" else read_text(facts, row, name)
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


# --- the way back ----------------------------------------------------------------------------------------------------


def user_back(record: Row, rows: BundleRows) -> dict[str, Any]:
    """Return a profile of a user from the tables."""
    roles = rows.row("accounts", record["became"]).get("roles", [])
    return {"userId": record["parent_key"], "role": roles[0] if len(roles) == 1 else roles}


def status_back(record: Row, rows: BundleRows) -> dict[str, Any]:
    """Return a row of the catalogue from the tables."""
    status = rows.row("statuses", record["became"])
    fields = {name: status.get(column) for name, (_, column, _) in DEFINITION_NAMES.items()}
    return fields | {"fillableFields": [LEGACY_FILLABLE.get(name, name) for name in status.get("fillable_fields", ())]}
