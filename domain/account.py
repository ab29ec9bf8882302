"""The account: a person as a user of the application, their contact, roles, and which of their profiles is active."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, assert_never
from uuid import UUID

from pydantic import Field

from domain.access import BootstrapAdmin, Role
from domain.account_details import ACCOUNT_DETAILS
from domain.billing import OpenBilling, StartSubscription
from domain.changes import changed_fields, with_changes
from domain.command import Command, Participant
from domain.company import AddCompanyMember
from domain.conversation import StartConversation
from domain.decider import Decider
from domain.errors import AlreadyExists, InvalidCommand, NotFound, RuleViolated
from domain.event import Change, DomainEvent, Personal, known
from domain.identity import EnsureProfile, SyncIdentity
from domain.intent import DeclareIntent, ReviseIntent, WithdrawIntent
from domain.item import AddItem
from domain.onboarding import FLOW_LENGTHS
from domain.profile import ArchiveProfile, CompleteOnboarding, CreateProfile
from domain.values import Json, Reason, ShortText, is_unset, without_unset
from domain.vocabulary import check_fields, phone

CONTACT_FIELDS: Final = ("email", "phone", "name")
PHONE: Final = phone()


class _AccountCommand(Command):
    account_id: UUID

    def participants(self) -> tuple[Participant, ...]:
        """The account alone."""
        return (Participant("account", self.account_id),)


class RegisterAccount(_AccountCommand):
    """Open an account. The caller chooses the id."""

    email: ShortText | None = None
    phone: ShortText | None = None
    name: ShortText | None = None
    details: dict[str, Json] = Field(default_factory=dict)


class ChangeContact(_AccountCommand):
    """Change the given contact fields; null or blank clears one, a field left out stays."""

    email: ShortText | None = None
    phone: ShortText | None = None
    name: ShortText | None = None


class UpdateAccount(_AccountCommand):
    """Change the given details; null or an empty value unsets one, a detail left out stays."""

    changes: dict[str, Json]


class GrantRole(_AccountCommand):
    """Give the account a role (admins only)."""

    role: Role


class RevokeRole(_AccountCommand):
    """Take a role from the account (admins only)."""

    role: Role


class DeactivateAccount(_AccountCommand):
    """Close the account: its person can neither act nor be changed by themselves any more."""

    reason: Reason


class EraseAccount(_AccountCommand):
    """Erase the person: nobody can read what was recorded about them any more, for good. Works on a closed account too.

    The reason stays readable: name nobody in it.
    """

    reason: Reason


class SwitchActiveProfile(_AccountCommand):
    """Make one of the account's profiles the active one."""

    profile_id: UUID


class AccountRegistered(DomainEvent, topic="account.registered", schema_version=2):
    """An account was opened."""

    email: Personal[str | None] = None
    phone: Personal[str | None] = None
    name: Personal[str | None] = None
    details: Personal[dict[str, Any]] = Field(default_factory=dict)


class ContactChanged(DomainEvent, topic="account.contact_changed"):
    """Contact fields changed; only those that did are named."""

    changes: Personal[dict[str, Change]]


class AccountUpdated(DomainEvent, topic="account.updated"):
    """Details changed; only those that did are named, with old and new value."""

    changes: Personal[dict[str, Change]]


class RoleGranted(DomainEvent, topic="account.role_granted"):
    """The account has a further role."""

    role: Role


class RoleRevoked(DomainEvent, topic="account.role_revoked"):
    """The account no longer has the role."""

    role: Role


class AccountDeactivated(DomainEvent, topic="account.deactivated"):
    """The account was closed."""

    reason: Personal[str]


class AccountErased(DomainEvent, topic="account.erased"):
    """The person was erased: with this event their key was deleted. `reason` is not personal: it stays readable."""

    reason: str


class ProfileAdded(DomainEvent, topic="account.profile_added"):
    """The account has a further profile; the first one is its primary."""

    profile_id: UUID
    kind: str


class ProfileRemoved(DomainEvent, topic="account.profile_removed"):
    """A profile of the account was archived."""

    profile_id: UUID


class ActiveProfileSwitched(DomainEvent, topic="account.active_profile_switched"):
    """Another profile is active now; None where none is."""

    profile_id: UUID | None
    previous: UUID | None


AccountEvent = (
    AccountRegistered
    | ContactChanged
    | AccountUpdated
    | RoleGranted
    | RoleRevoked
    | AccountDeactivated
    | AccountErased
    | ProfileAdded
    | ProfileRemoved
    | ActiveProfileSwitched
)


@dataclass(frozen=True)
class AccountState:
    """What decisions about an account rest on."""

    exists: bool = False
    active: bool = True
    erased: bool = False
    contact: dict[str, object] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    roles: frozenset[Role] = frozenset()
    profiles: dict[UUID, str] = field(default_factory=dict)
    primary_profile: UUID | None = None
    active_profile: UUID | None = None


def _decide(state: AccountState, command: Command) -> list[DomainEvent]:
    if state.erased:
        if isinstance(command, EraseAccount):
            return []
        raise RuleViolated("the account was erased", field="account_id")
    if isinstance(command, RegisterAccount):
        if state.exists:
            raise AlreadyExists(f"account {command.account_id} is registered", field="account_id")
        contact = _contact({name: getattr(command, name) or None for name in CONTACT_FIELDS})
        return [AccountRegistered(**contact, details=without_unset(_checked(command.details, "details")))]
    if isinstance(command, EnsureProfile) and not state.exists:
        names = check_fields(ACCOUNT_DETAILS, command.names(), where="", of="an account")
        return [AccountRegistered(**_contact(command.contact()), details=names), *_add_profile(state, command)]
    if isinstance(command, EraseAccount):  # also of a person whom an import knows and who never had an account
        return [AccountErased(reason=command.reason)]
    if not state.exists:
        raise NotFound("there is no such account", field="account_id", hint="register it with RegisterAccount")
    if not state.active:
        if isinstance(command, DeactivateAccount):
            return []
        raise RuleViolated("the account is deactivated", field="account_id")
    return _decide_active(state, command)


def _decide_active(state: AccountState, command: Command) -> list[DomainEvent]:  # noqa: C901, PLR0912 – a line a command
    match command:
        case ChangeContact():
            told = {name: getattr(command, name) or None for name in CONTACT_FIELDS}
            return _contact_changes(state, {name: told[name] for name in told if name in command.model_fields_set})
        case UpdateAccount():
            return _detail_changes(state, _checked(command.changes, "changes"))
        case SyncIdentity():
            names = check_fields(ACCOUNT_DETAILS, command.names(), where="", of="an account")
            return [*_contact_changes(state, command.contact()), *_detail_changes(state, names)]
        case GrantRole(role=role) if role not in state.roles:
            return [RoleGranted(role=role)]
        case BootstrapAdmin() if Role.ADMIN not in state.roles:
            return [RoleGranted(role=Role.ADMIN)]
        case RevokeRole(role=role) if role in state.roles:
            return [RoleRevoked(role=role)]
        case GrantRole() | RevokeRole() | BootstrapAdmin():
            return []
        case DeactivateAccount(reason=reason):
            return [AccountDeactivated(reason=reason)]
        case SwitchActiveProfile():
            return _switch(state, command.profile_id)
        case EnsureProfile() if command.kind in state.profiles.values():
            return []
        case CreateProfile() | EnsureProfile():
            return _add_profile(state, command)
        case CompleteOnboarding():
            return _onboarded(state, command)
        case ArchiveProfile():
            return _remove_profile(state, command.profile_id)
        case (
            DeclareIntent()
            | ReviseIntent()
            | WithdrawIntent()
            | AddCompanyMember()
            | AddItem()
            | StartConversation()
            | OpenBilling()
            | StartSubscription()
        ):
            return []  # the account takes part only to say that it stands
        case _:
            raise InvalidCommand(f"an account does not decide on {type(command).__name__}")


def _contact(told: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return contact fields as they are; raises InvalidCommand for a phone that is none."""
    if problem := PHONE.beyond_limit(told.get("phone")):
        raise InvalidCommand(f"phone: {problem}", field="phone")
    return dict(told)


def _contact_changes(state: AccountState, told: Mapping[str, str | None]) -> list[DomainEvent]:
    changes = changed_fields(state.contact, _contact(told))
    return [ContactChanged(changes=changes)] if changes else []


def _detail_changes(state: AccountState, checked: dict[str, Any]) -> list[DomainEvent]:
    changes = changed_fields(state.details, checked)
    return [AccountUpdated(changes=changes)] if changes else []


def _checked(details: dict[str, Any], where: str) -> dict[str, Any]:
    return check_fields(ACCOUNT_DETAILS, details, where=where, of="an account")


def _switch(state: AccountState, profile_id: UUID) -> list[DomainEvent]:
    if profile_id not in state.profiles:
        raise RuleViolated(
            "the account has no such profile", field="profile_id", hint="`dossier show account` lists them"
        )
    if profile_id == state.active_profile:
        return []
    return [ActiveProfileSwitched(profile_id=profile_id, previous=state.active_profile)]


def _add_profile(state: AccountState, command: CreateProfile | EnsureProfile) -> list[DomainEvent]:
    added: list[DomainEvent] = [ProfileAdded(profile_id=command.profile_id, kind=command.kind)]
    if state.active_profile is None:
        added.append(ActiveProfileSwitched(profile_id=command.profile_id, previous=None))
    return added


def _onboarded(state: AccountState, command: CompleteOnboarding) -> list[DomainEvent]:
    switched = ActiveProfileSwitched(profile_id=command.profile_id, previous=state.active_profile)
    onboarded: list[DomainEvent] = [ProfileAdded(profile_id=command.profile_id, kind=command.kind), switched]
    wanted: dict[str, Any] = {"profile_type": command.kind} if command.kind in FLOW_LENGTHS else {}
    return [*onboarded, *_detail_changes(state, wanted)]


def _remove_profile(state: AccountState, profile_id: UUID) -> list[DomainEvent]:
    if profile_id not in state.profiles:
        return []
    removed: list[DomainEvent] = [ProfileRemoved(profile_id=profile_id)]
    if state.active_profile == profile_id:
        removed.append(ActiveProfileSwitched(profile_id=None, previous=profile_id))
    return removed


def _evolve(state: AccountState, event: AccountEvent) -> AccountState:  # noqa: C901 – a line an event
    match event:
        case AccountRegistered():
            contact = {name: getattr(event, name) for name in CONTACT_FIELDS if not is_unset(getattr(event, name))}
            return replace(state, exists=True, contact=contact, details=known(event.details) or {})
        case ContactChanged():
            if isinstance(event.changes, dict):
                changed = {name: change.new for name, change in event.changes.items()}
                return replace(state, contact=state.contact | changed)
            return replace(state, contact={})
        case AccountUpdated():
            return replace(state, details=with_changes(state.details, event.changes))
        case RoleGranted():
            return replace(state, roles=state.roles | {event.role})
        case RoleRevoked():
            return replace(state, roles=state.roles - {event.role})
        case AccountDeactivated():
            return replace(state, active=False)
        case AccountErased():
            return replace(state, active=False, erased=True, contact={}, details={}, roles=frozenset())
        case ProfileAdded():
            return replace(
                state,
                profiles=state.profiles | {event.profile_id: event.kind},
                primary_profile=state.primary_profile or event.profile_id,
            )
        case ProfileRemoved():
            return replace(
                state, profiles={known: kind for known, kind in state.profiles.items() if known != event.profile_id}
            )
        case ActiveProfileSwitched():
            return replace(state, active_profile=event.profile_id)
        case _:
            assert_never(event)


ACCOUNT: Final = Decider("account", AccountState(), _decide, _evolve, owner=lambda _: None)
