"""The item: something a profile is proud of or keeps a list of, such as a project, a training or an audition."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final, assert_never
from uuid import UUID

from pydantic import Field

from domain.changes import changed_fields, with_changes
from domain.command import Command, Participant
from domain.decider import Decider
from domain.errors import AlreadyExists, InvalidCommand, NotFound, RuleViolated
from domain.event import Change, DomainEvent, Personal, known
from domain.items import item_kind
from domain.values import Json, Reason, without_unset


class _ItemCommand(Command):
    item_id: UUID

    def participants(self) -> tuple[Participant, ...]:
        """The item, and what it belongs to as far as the command names it."""
        item = Participant("item", self.item_id)
        owners = (("profile", getattr(self, "profile_id", None)), ("account", getattr(self, "account_id", None)))
        return (item, *(Participant(aggregate, stream) for aggregate, stream in owners if stream))


class AddItem(_ItemCommand):
    """Add an item to one of the account's profiles, at the end of the profile's list of such items if it has one."""

    account_id: UUID
    profile_id: UUID
    kind: str
    fields: dict[str, Json] = Field(default_factory=dict)


class UpdateItem(_ItemCommand):
    """Change the given fields; null or an empty value unsets one, a field left out stays."""

    changes: dict[str, Json]


class RemoveItem(_ItemCommand):
    """Take an item away, and off the list of its profile (leave `profile_id` out for an item that has no profile)."""

    profile_id: UUID | None = None
    reason: Reason | None = None


class ItemAdded(DomainEvent, topic="item.added"):
    """An account has a further item.

    An imported one may be without a profile. `legacy_keys` are the ids, as legacy records wrote them, of what the id of
    the same name was made from, or of what could not be found.
    """

    account_id: UUID
    profile_id: UUID | None
    kind: str
    fields: Personal[dict[str, Any]]
    legacy_keys: dict[str, str] = Field(default_factory=dict)


class ItemUpdated(DomainEvent, topic="item.updated"):
    """Fields changed; only those that did are named, with old and new value."""

    changes: Personal[dict[str, Change]]


class ItemRemoved(DomainEvent, topic="item.removed"):
    """The item was taken away."""

    reason: Personal[str | None] = None


ItemEvent = ItemAdded | ItemUpdated | ItemRemoved


@dataclass(frozen=True)
class ItemState:
    """What decisions about an item rest on."""

    account_id: UUID | None = None
    profile_id: UUID | None = None
    kind: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    removed: bool = False


def _decide(state: ItemState, command: Command) -> list[DomainEvent]:
    if isinstance(command, AddItem):
        if state.account_id is not None:
            raise AlreadyExists(f"item {command.item_id} exists", field="item_id")
        fields = without_unset(item_kind(command.kind).checked(command.fields, where="fields"))
        return [
            ItemAdded(account_id=command.account_id, profile_id=command.profile_id, kind=command.kind, fields=fields)
        ]
    if state.account_id is None:
        raise NotFound("there is no such item", field="item_id", hint="add it with AddItem")
    match command:
        case RemoveItem():
            if command.profile_id != state.profile_id:
                raise RuleViolated(f"the item belongs to profile {state.profile_id}", field="profile_id")
            return [] if state.removed else [ItemRemoved(reason=command.reason or None)]
        case UpdateItem():
            if state.removed:
                raise RuleViolated("the item was removed", field="item_id")
            changes = changed_fields(state.fields, item_kind(state.kind).checked(command.changes, where="changes"))
            return [ItemUpdated(changes=changes)] if changes else []
        case _:
            raise InvalidCommand(f"an item does not decide on {type(command).__name__}")


def _evolve(state: ItemState, event: ItemEvent) -> ItemState:
    match event:
        case ItemAdded():
            return ItemState(event.account_id, event.profile_id, event.kind, known(event.fields) or {})
        case ItemUpdated():
            return replace(state, fields=with_changes(state.fields, event.changes))
        case ItemRemoved():
            return replace(state, removed=True)
        case _:
            assert_never(event)


ITEM: Final = Decider("item", ItemState(), _decide, _evolve, owner=lambda state: state.account_id)
