"""The profile: what a person presents, of one kind. Its fields, limits and completeness come from the kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self, assert_never
from uuid import UUID

from pydantic import Field

from domain.changes import changed_fields, with_changes
from domain.command import Command, Participant
from domain.decider import Decider
from domain.errors import AlreadyExists, InvalidCommand, NotFound, RuleViolated
from domain.event import Change, DomainEvent, Erased, Personal, known
from domain.identity import EnsureProfile
from domain.item import AddItem, RemoveItem
from domain.items import ITEMS, item_kind
from domain.kinds import kind_named
from domain.values import Instant, Json, Reason, ShortText, same_json, without_unset


class Verification(StrEnum):
    """What an admin found on checking a profile."""

    UNVERIFIED = "unverified"
    PENDING = "pending"
    VERIFIED = "verified"
    REJECTED = "rejected"


class _ProfileCommand(Command):
    profile_id: UUID

    def participants(self) -> tuple[Participant, ...]:
        """The profile alone."""
        return (Participant("profile", self.profile_id),)


class _SharedCommand(_ProfileCommand):
    account_id: UUID

    def participants(self) -> tuple[Participant, ...]:
        """The profile, and the account that lists it."""
        return Participant("profile", self.profile_id), Participant("account", self.account_id)


class CreateProfile(_SharedCommand):
    """Create a profile of a kind for an account. The first one becomes primary and active."""

    kind: str
    fields: dict[str, Json] = Field(default_factory=dict)


class CompleteOnboarding(_SharedCommand):
    """Create the profile a person chose in the onboarding and make it the active one; the first one becomes primary.

    `steps` are those that were done; `completed_at` is now where it is left out.
    """

    kind: str
    fields: dict[str, Json] = Field(default_factory=dict)
    steps: tuple[ShortText, ...] = ()
    version: ShortText | None = None
    completed_at: Instant | None = None

    def at(self, now: datetime) -> Self:
        """Return the command with the time it is issued at."""
        return self if self.completed_at else self.model_copy(update={"completed_at": now})

    def told(self) -> dict[str, Any]:
        """Return what the profile keeps of the onboarding, where its kind has the fields."""
        told = {
            "onboarding_completed": True,
            "onboarding_completed_at": self.completed_at.isoformat() if self.completed_at else None,
            "onboarding_version": self.version,
            "onboarding_steps": list(self.steps),
        }
        return {name: value for name, value in told.items() if name in kind_named(self.kind).fields}


class UpdateProfile(_ProfileCommand):
    """Change the given fields; null or an empty value unsets one, a field left out stays."""

    changes: dict[str, Json]


class VerifyProfile(_ProfileCommand):
    """Record what checking the profile found (admins only)."""

    status: Verification
    notes: Reason | None = None


class ArchiveProfile(_SharedCommand):
    """Put a profile away. If it was active, no other is promoted in its place."""

    reason: Reason


class ResolveConflict(_ProfileCommand):
    """Choose among the values an import found for one field (`beliefs/diet` names a key of an object)."""

    field: str
    value: Json


class ProfileCreated(DomainEvent, topic="profile.created"):
    """An account has a profile of a kind."""

    account_id: UUID
    kind: str
    fields: Personal[dict[str, Any]]


class ProfileUpdated(DomainEvent, topic="profile.updated"):
    """Fields changed; only those that did are named, with old and new value."""

    changes: Personal[dict[str, Change]]


class ProfileVerificationChanged(DomainEvent, topic="profile.verification_changed", schema_version=2):
    """Checking the profile found something; `follows` is the version of the event that said so before."""

    status: Verification
    previous: Verification
    follows: int | None = None
    notes: Personal[str | None] = None


class ProfileArchived(DomainEvent, topic="profile.archived"):
    """The profile was put away."""

    reason: Personal[str]


class ProfileConflictRecorded(DomainEvent, topic="profile.conflict_recorded"):
    """An import found several values for one field and chose one by a named rule; all are kept."""

    field: Personal[str]
    values: Personal[tuple[Any, ...]]
    chosen: Personal[Any]
    rule: str


class ProfileConflictResolved(DomainEvent, topic="profile.conflict_resolved"):
    """Somebody chose among the values an import had found."""

    field: Personal[str]
    value: Personal[Any]
    previous: Personal[Any] = None


ProfileEvent = (
    ProfileCreated
    | ProfileUpdated
    | ProfileVerificationChanged
    | ProfileArchived
    | ProfileConflictRecorded
    | ProfileConflictResolved
)


@dataclass(frozen=True)
class ProfileState:
    """What decisions about a profile rest on. `conflicts` maps a field to the values still to choose from.

    `version` counts the events, `verified_by` is the version of the one that changed the verification last. `siblings`
    are the profiles the account has, by kind, where the command asks for them.
    """

    account_id: UUID | None = None
    kind: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    verification: Verification = Verification.UNVERIFIED
    verification_notes: str | None = None
    archived: bool = False
    conflicts: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    version: int = 0
    verified_by: int | None = None
    siblings: Mapping[UUID, str] = field(default_factory=dict)


def _decide(state: ProfileState, command: Command) -> list[DomainEvent]:  # noqa: C901 – a line a command
    if isinstance(command, (CreateProfile, CompleteOnboarding)):
        return _create(state, command)
    if isinstance(command, EnsureProfile):
        return [] if command.kind in state.siblings.values() else _ensure(state, command)
    if state.account_id is None:
        raise NotFound("there is no such profile", field="profile_id", hint="create it with CreateProfile")
    if isinstance(command, ArchiveProfile):
        return _archive(state, command)
    if isinstance(command, RemoveItem):
        return _listed(state, lambda _, ids: [known_id for known_id in ids if known_id != str(command.item_id)])
    if state.archived:
        raise RuleViolated("the profile is archived", field="profile_id")
    match command:
        case AddItem():
            return _add_item(state, command)
        case UpdateProfile():
            return _update(state, command)
        case VerifyProfile():
            return _verify(state, command)
        case ResolveConflict():
            return _resolve(state, command)
        case _:
            raise InvalidCommand(f"a profile does not decide on {type(command).__name__}")


def _create(state: ProfileState, command: CreateProfile | CompleteOnboarding | EnsureProfile) -> list[DomainEvent]:
    if state.account_id is not None:
        raise AlreadyExists(f"profile {command.profile_id} exists", field="profile_id")
    wanted = command.fields | (command.told() if isinstance(command, CompleteOnboarding) else {})
    fields = without_unset(kind_named(command.kind).checked(wanted, where="fields"))
    return [ProfileCreated(account_id=command.account_id, kind=command.kind, fields=fields)]


def _ensure(state: ProfileState, command: EnsureProfile) -> list[DomainEvent]:
    if state.archived:
        raise RuleViolated("the profile is archived", field="account_id", hint="create another one with CreateProfile")
    return _create(state, command)


def _archive(state: ProfileState, command: ArchiveProfile) -> list[DomainEvent]:
    if state.account_id != command.account_id:
        raise RuleViolated("the profile belongs to another account", field="account_id")
    return [] if state.archived else [ProfileArchived(reason=command.reason)]


def _add_item(state: ProfileState, command: AddItem) -> list[DomainEvent]:
    if state.account_id != command.account_id:
        raise RuleViolated("the profile belongs to another account", field="account_id")
    listed_in = item_kind(command.kind).listed_in
    return _listed(state, lambda name, ids: [*ids, str(command.item_id)] if name == listed_in else ids)


def _listed(state: ProfileState, change: Callable[[str, list[str]], list[str]]) -> list[DomainEvent]:
    """Change the lists of items this kind of profile has."""
    lists = {kind.listed_in for kind in ITEMS.values()} & kind_named(state.kind).fields.keys()
    wanted = {name: change(name, state.fields.get(name) or []) or None for name in sorted(lists)}
    changes = changed_fields(state.fields, wanted)
    return [ProfileUpdated(changes=changes)] if changes else []


def _update(state: ProfileState, command: UpdateProfile) -> list[DomainEvent]:
    checked = kind_named(state.kind).checked(command.changes, where="changes")
    changes = changed_fields(state.fields, checked)
    return [ProfileUpdated(changes=changes)] if changes else []


def _verify(state: ProfileState, command: VerifyProfile) -> list[DomainEvent]:
    if command.status == state.verification and command.notes in (None, state.verification_notes):
        return []
    return [
        ProfileVerificationChanged(
            status=command.status, previous=state.verification, follows=state.verified_by, notes=command.notes
        )
    ]


def _resolve(state: ProfileState, command: ResolveConflict) -> list[DomainEvent]:
    values = state.conflicts.get(command.field)
    if values is None:
        open_fields = ", ".join(state.conflicts) or "none"
        raise RuleViolated("no open conflict on this field", field="field", hint=f"open conflicts: {open_fields}")
    if not any(same_json(command.value, value) for value in values):
        raise InvalidCommand(
            "not among the values that were found", field="value", hint="`dossier show profile` lists them"
        )
    previous = value_at(state.fields, command.field)
    return [ProfileConflictResolved(field=command.field, value=command.value, previous=previous)]


def value_at(fields: dict[str, Any], name: str) -> Any:
    """Return a field, or one key of an object field written `beliefs/diet`; None where it is unset."""
    outer, below, key = name.partition("/")
    value = fields.get(outer)
    return (value or {}).get(key) if below else value


def with_value(fields: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """Return the fields with a field, or one key of an object field, set; None unsets it."""
    outer, below, key = name.partition("/")
    new = without_unset({**(fields.get(outer) or {}), key: value}) if below else value
    return without_unset({**fields, outer: new})


def with_conflict(
    conflicts: dict[str, tuple[Any, ...]], name: str | Erased, values: tuple[Any, ...] | Erased
) -> dict[str, tuple[Any, ...]]:
    """Return the open conflicts with the values found for one field; without values, or once erased, it is none."""
    return without_unset({**conflicts, known(name) or "": known(values) or ()})


def _evolve(state: ProfileState, event: ProfileEvent) -> ProfileState:
    state = replace(state, version=state.version + 1)
    match event:
        case ProfileCreated():
            return replace(state, account_id=event.account_id, kind=event.kind, fields=known(event.fields) or {})
        case ProfileUpdated():
            return replace(state, fields=with_changes(state.fields, event.changes))
        case ProfileVerificationChanged():
            notes = known(event.notes)
            return replace(state, verification=event.status, verification_notes=notes, verified_by=state.version)
        case ProfileArchived():
            return replace(state, archived=True)
        case ProfileConflictRecorded():
            return replace(state, conflicts=with_conflict(state.conflicts, event.field, event.values))
        case ProfileConflictResolved():
            open_conflicts = with_conflict(state.conflicts, event.field, ())
            fields = with_value(state.fields, known(event.field) or "", known(event.value))
            return replace(state, fields=fields, conflicts=open_conflicts)
        case _:
            assert_never(event)


def _needs(_state: ProfileState, command: Command) -> tuple[Participant, ...]:
    return (Participant("account", command.account_id),) if isinstance(command, EnsureProfile) else ()


def _informed(state: ProfileState, others: Mapping[UUID, Any]) -> ProfileState:
    return replace(state, siblings={key: kind for other in others.values() for key, kind in other.profiles.items()})


PROFILE: Final = Decider(
    "profile",
    ProfileState(),
    _decide,
    _evolve,
    owner=lambda state: state.account_id,
    needs=_needs,
    informed=_informed,
)
