"""How a stream of each aggregate is merged; how the three sides of it are compared stands in `merging.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from domain.access import Role
from domain.account import (
    CONTACT_FIELDS,
    AccountUpdated,
    ActiveProfileSwitched,
    ContactChanged,
    ProfileAdded,
    RoleGranted,
    RoleRevoked,
)
from domain.company import CompanyMemberAdded, CompanyUpdated
from domain.intent import TONE, IntentRevised
from domain.item import ItemUpdated
from domain.profile import ProfileConflictRecorded, ProfileUpdated
from domain.status_catalogue import StatusDefined
from migrations_replay.merged_messages import merge_conversation
from migrations_replay.merged_timelines import merge_billing, merge_case
from migrations_replay.merging import Merging, add_events, merge_conflicts, merge_fields


def merge_stream(merging: Merging, aggregate: str) -> None:
    """Merge one stream; raises CannotMerge."""
    RULES.get(aggregate, add_events)(merging)


def _account(merging: Merging) -> None:
    rows = said, says, now = merging.rows("accounts")
    merging.same_but("accounts", (*CONTACT_FIELDS, "details", "roles", "active_profile_id"))
    contact = merging.three_way(*({name: row[name] for name in CONTACT_FIELDS} for row in rows))
    if contact:
        merging.append(ContactChanged(changes=contact), *contact)
    if details := merging.three_way(said["details"], says["details"], now["details"]):
        merging.append(AccountUpdated(changes=details), *details)
    roles = merging.three_way(*({f"role/{role}": True for role in row["roles"]} for row in rows))
    for name, change in roles.items():
        role = Role(name.partition("/")[2])
        merging.append(RoleGranted(role=role) if change.new else RoleRevoked(role=role), "role")
    added = {
        imported.event.profile_id
        for imported in merging.said.events.values()
        if isinstance(imported.event, ProfileAdded)
    }
    for imported in merging.says.events.values():
        if isinstance(imported.event, ProfileAdded) and imported.event.profile_id not in added:
            merging.append(imported.event, like=imported)
    if merging.three_way(*({"active_profile_id": row["active_profile_id"]} for row in rows)):
        switched = ActiveProfileSwitched(profile_id=says["active_profile_id"], previous=now["active_profile_id"])
        merging.append(switched)


def _profile(merging: Merging) -> None:
    derived = ("completeness", "missing", "outside_vocabulary", "search_words")
    merging.same_but("profiles", ("fields", "conflicts", *derived))
    merge_fields(merging, "profiles", lambda changes: ProfileUpdated(changes=changes))
    merge_conflicts(merging, "profiles", ProfileConflictRecorded)


def _intent(merging: Merging) -> None:
    derived = ("completeness", "missing", "outside_vocabulary")
    merging.same_but("intents", ("fields", TONE, *derived))
    said, says, now = ({**row["fields"], TONE: row[TONE]} for row in merging.rows("intents"))
    if changes := merging.three_way(said, says, now):
        merging.append(IntentRevised(changes=changes), *changes)


def _item(merging: Merging) -> None:
    merging.same_but("items", ("fields", "outside_vocabulary"))
    merge_fields(merging, "items", lambda changes: ItemUpdated(changes=changes))


def _company(merging: Merging) -> None:
    merging.same_but("companies", ("name", "name_key", "tax_id", "tax_digits", "fields"))
    said, says, now = (
        {**row["fields"], "name": row["name"], "tax_id": row["tax_id"]} for row in merging.rows("companies")
    )
    if changes := merging.three_way(said, says, now):
        merging.append(CompanyUpdated(changes=changes), *changes)
    add_events(merging, CompanyMemberAdded)


def _status(merging: Merging) -> None:
    """Define a status anew, column by column; one that somebody defined before any import keeps what is set."""
    told = merging.says.events[max(merging.says.events)]
    assert isinstance(told.event, StatusDefined)
    columns = ("name", "name_en", "description", "category", "colour", "sort_order", "workflow_order",
               "fillable_fields", "allow_documents", "in_use")  # fmt: skip
    said, says, now = ({name: row.get(name) for name in columns} for row in merging.rows("statuses"))
    changes = merging.three_way(said, says, now)
    if changes:
        merged = now | {name: change.new for name, change in changes.items()}
        in_use = merged.pop("in_use") is not False
        row = merging.now.row("statuses", merging.stream)
        definition = told.event.definition.model_copy(
            update={
                **merged,
                "order": merged["workflow_order"],
                "fillable_fields": tuple(merged["fillable_fields"] or ()),
                "catalogue": row["catalogue"],
                "may_go_to": None if row["may_go_to"] is None else tuple(row["may_go_to"]),
            }
        )
        values = {name: getattr(definition, name) for name in type(definition).model_fields}
        merging.append(StatusDefined(definition=type(definition)(**values), in_use=in_use), like=told)


RULES: Final[dict[str, Callable[[Merging], None]]] = {
    "account": _account,
    "profile": _profile,
    "intent": _intent,
    "item": _item,
    "company": _company,
    "status": _status,
    "case": merge_case,
    "conversation": merge_conversation,
    "billing": merge_billing,
}
"""How a stream is merged, by its aggregate; others take further events and nothing else."""
