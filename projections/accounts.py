"""The accounts as they are now: contact, roles, and which profile is primary and which active."""

from __future__ import annotations

from typing import Final, assert_never

from domain.account import (
    CONTACT_FIELDS,
    AccountDeactivated,
    AccountErased,
    AccountEvent,
    AccountRegistered,
    AccountUpdated,
    ActiveProfileSwitched,
    ContactChanged,
    ProfileAdded,
    ProfileRemoved,
    RoleGranted,
    RoleRevoked,
)
from domain.changes import with_changes
from domain.event import Change, Erased, Recorded, known
from projections.columns import begun, changed, present, topics_of
from projections.read_model import Row, one_row_a_stream


def _fold(row: Row | None, recorded: Recorded) -> Row | None:  # noqa: C901 – a line an event
    event: AccountEvent = recorded.event
    if isinstance(event, AccountRegistered):
        return _registered(event, recorded)
    if row is None and isinstance(event, AccountErased):
        return None  # of a person whom an import knows and who never had an account
    row = present(row, recorded)
    columns: Row = {}
    match event:
        case ContactChanged(changes=changes):
            columns = _contact(changes)
        case AccountUpdated(changes=changes):
            columns = {"details": with_changes(row["details"], changes)}
        case RoleGranted(role=role):
            columns = {"roles": sorted({*row["roles"], role.value})}
        case RoleRevoked(role=role):
            columns = {"roles": [name for name in row["roles"] if name != role.value]}
        case AccountDeactivated():
            columns = {"status": "deactivated"}
        case AccountErased():
            columns = {"status": "erased", "roles": [], "details": {}, **dict.fromkeys(CONTACT_FIELDS)}
        case ProfileAdded(profile_id=profile_id):
            columns = {"primary_profile_id": row["primary_profile_id"] or profile_id}
        case ActiveProfileSwitched(profile_id=profile_id):
            columns = {"active_profile_id": profile_id}
        case ProfileRemoved():
            pass
        case _:
            assert_never(event)
    return changed(row, recorded, **columns)


def _registered(event: AccountRegistered, recorded: Recorded) -> Row:
    return begun(
        recorded,
        account_id=recorded.stream,
        **{name: known(getattr(event, name)) for name in CONTACT_FIELDS},
        details=known(event.details) or {},
        status="active",
        roles=[],
        primary_profile_id=None,
        active_profile_id=None,
        registered_at=recorded.occurred_at,
    )


def _contact(changes: dict[str, Change] | Erased) -> Row:
    if isinstance(changes, Erased):
        return dict.fromkeys(CONTACT_FIELDS)
    return {name: change.new for name, change in changes.items()}


MODEL: Final = one_row_a_stream("accounts", version=3, key="account_id", topics=topics_of(AccountEvent), fold=_fold)
