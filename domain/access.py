"""Who may issue which command about whom, and who may read what.

A person changes and reads their own records, a member of a company reads its cases, an admin does all. The local
operator is an admin and is recorded as such.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, assert_never
from uuid import UUID

from domain.command import Command, Participant
from domain.decider import Decider
from domain.errors import AccessDenied, RuleViolated
from domain.event import DomainEvent
from domain.streams import ACCESS_STREAM


class Role(StrEnum):
    """What an account may do beyond its own records."""

    ADMIN = "admin"
    AUDITOR = "auditor"
    SUPPORT = "support"
    CLIENT = "client"


@dataclass(frozen=True)
class Actor:
    """Who acts: an account by its id, or an operator by name. `roles` are those granted outside the event log."""

    id: str
    account: UUID | None = None
    roles: frozenset[Role] = frozenset()

    @classmethod
    def of_account(cls, account: UUID) -> Actor:
        """Return the actor for an account; its roles are read from its stream."""
        return cls(str(account), account)

    @classmethod
    def operator(cls, name: str = "local") -> Actor:
        """Return the operator at the machine, who is an admin and an auditor."""
        return cls(f"operator:{name}", None, frozenset({Role.ADMIN, Role.AUDITOR}))


@dataclass(frozen=True)
class Permissions:
    """An actor as judged: the roles in force, and whether the account stands and is active."""

    actor: Actor
    roles: frozenset[Role]
    active: bool = True

    @property
    def is_admin(self) -> bool:
        """Whether every record is open to the actor."""
        return self.active and Role.ADMIN in self.roles

    @property
    def may_audit(self) -> bool:
        """Whether the whole log is open to the actor."""
        return self.active and bool(self.roles & {Role.ADMIN, Role.AUDITOR})

    def owns(self, owner: UUID | None) -> bool:
        """Whether the actor is the person the record belongs to."""
        return self.active and owner is not None and self.actor.account == owner


ADMIN_ONLY: Final = frozenset(
    {
        "GrantRole",
        "RevokeRole",
        "VerifyProfile",
        "OpenBilling",
        "UpdateBilling",
        "StartSubscription",
        "ChangeSubscriptionStatus",
        "OpenCase",
        "UpdateCase",
        "ChangeCaseStatus",
        "CorrectCaseStatus",
        "RemoveCaseStatus",
        "CloseCase",
        "ReopenCase",
        "SettleCaseConflict",
        "OpenCollective",
        "RegisterCompany",
        "UpdateCompany",
        "AddCompanyMember",
        "EndCompanyMembership",
        "DefineStatus",
        "RetireStatus",
        "SkipEvent",
        "RestoreEvent",
    }
)
AUDITOR_ONLY: Final = frozenset({"RecordExport"})
OPERATOR_ONLY: Final = frozenset({"BootstrapAdmin"})


def check_command(permissions: Permissions, command: Command, owner: UUID | None) -> None:
    """Raise AccessDenied unless the actor may issue the command about the owner's record."""
    name = type(command).__name__
    if name in OPERATOR_ONLY:
        if permissions.actor.account is None and permissions.is_admin:
            return
        raise AccessDenied(f"{name} is for the operator at the machine only")
    if name in AUDITOR_ONLY:
        check_audit(permissions)
        return
    if permissions.is_admin or (name not in ADMIN_ONLY and permissions.owns(owner)):
        return
    need = "an admin" if name in ADMIN_ONLY else "the person it is about or an admin"
    raise AccessDenied(f"{permissions.actor.id} may not issue {name}: it takes {need}", field="actor")


def check_read(permissions: Permissions, owner: UUID | None, members: frozenset[UUID] = frozenset()) -> None:
    """Raise AccessDenied unless the actor may read the owner's record, as a member of what it belongs to if need be."""
    if not (permissions.is_admin or permissions.owns(owner) or any(map(permissions.owns, members))):
        raise AccessDenied(
            f"{permissions.actor.id} may not read this record: it takes the person it is about, a member of the company"
            " it belongs to, or an admin",
            field="actor",
        )


def check_subject_report(permissions: Permissions, person: UUID) -> None:
    """Raise AccessDenied unless the actor may see everything held about a person: themselves, an auditor, an admin."""
    if not (permissions.owns(person) or (permissions.active and permissions.roles & {Role.ADMIN, Role.AUDITOR})):
        raise AccessDenied(
            f"{permissions.actor.id} may not see all held about {person}: it takes them, an auditor or an admin",
            field="actor",
        )


def check_standing(permissions: Permissions) -> None:
    """Raise AccessDenied for an account that was deactivated: it reads nothing, not even what everybody may."""
    if not permissions.active:
        raise AccessDenied(f"{permissions.actor.id} may not read anything: the account is not active", field="actor")


def check_audit(permissions: Permissions) -> None:
    """Raise AccessDenied unless the actor may read the whole log."""
    if not permissions.may_audit:
        raise AccessDenied(
            f"{permissions.actor.id} may not read the whole log: it takes an auditor",
            field="actor",
            hint="an admin grants the role: GrantRole with role auditor",
        )


class BootstrapAdmin(Command):
    """Grant the admin role to the first admin. Works once in the life of a store."""

    account_id: UUID

    def participants(self) -> tuple[Participant, ...]:
        """The account first, then the access aggregate that remembers."""
        return Participant("account", self.account_id), Participant("access", ACCESS_STREAM)


class AccessBootstrapped(DomainEvent, topic="access.bootstrapped"):
    """The first admin was granted; there is no second first."""

    account_id: UUID


@dataclass(frozen=True)
class AccessState:
    """Whether the first admin was granted, and to whom."""

    first_admin: UUID | None = None


def _decide(state: AccessState, command: Command) -> list[DomainEvent]:
    match command:
        case BootstrapAdmin():
            if state.first_admin is not None:
                raise RuleViolated(
                    "the first admin was granted before", hint="an admin grants further roles with GrantRole"
                )
            return [AccessBootstrapped(account_id=command.account_id)]
        case _:
            return []


def _evolve(state: AccessState, event: AccessBootstrapped) -> AccessState:
    match event:
        case AccessBootstrapped():
            return replace(state, first_admin=event.account_id)
        case _:
            assert_never(event)


ACCESS: Final = Decider("access", AccessState(), _decide, _evolve, owner=lambda _: None)
