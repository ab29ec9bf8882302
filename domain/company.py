"""The company: an organisation with members. Its members see the cases of their company and no other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final, assert_never
from uuid import UUID

from pydantic import Field

from domain.changes import changed_fields, with_changes
from domain.command import Command, Participant
from domain.decider import Decider
from domain.errors import AlreadyExists, InvalidCommand, NotFound, RuleViolated
from domain.event import Change, DomainEvent, Personal
from domain.values import Json, Reason, ShortText, without_unset
from domain.vocabulary import FieldShape, check_fields, text

COMPANY_FIELDS: Final[dict[str, FieldShape]] = {
    name: text()
    for name in (
        "name", "tax_id", "website", "address", "city_id", "phone_number", "email", "contact_person_id", "notes"
    )
}  # fmt: skip


class _CompanyCommand(Command):
    company_id: UUID

    def participants(self) -> tuple[Participant, ...]:
        """The company alone."""
        return (Participant("company", self.company_id),)


class RegisterCompany(_CompanyCommand):
    """Register a company. Names need not be unique: two companies of one name are told by their ids."""

    fields: dict[str, Json]


class UpdateCompany(_CompanyCommand):
    """Change the given fields; null or an empty value unsets one, a field left out stays."""

    changes: dict[str, Json]


class AddCompanyMember(_CompanyCommand):
    """Make an account a member of the company: from now on it may read the company's cases (admins only)."""

    account_id: UUID
    role: ShortText | None = None

    def participants(self) -> tuple[Participant, ...]:
        """The company, and the account, which must stand."""
        return Participant("company", self.company_id), Participant("account", self.account_id)


class EndCompanyMembership(_CompanyCommand):
    """End the membership of an account, all of it: it may no longer read the company's cases (admins only)."""

    account_id: UUID
    reason: Reason


class CompanyRegistered(DomainEvent, topic="company.registered"):
    """A company was registered; `is_active` is what a legacy record said, None where it did not."""

    fields: dict[str, Any]
    is_active: bool | None = None


class CompanyUpdated(DomainEvent, topic="company.updated"):
    """Fields changed; only those that did are named."""

    changes: dict[str, Change]


class CompanyMemberAdded(DomainEvent, topic="company.member_added"):
    """The company has a further member; the version of the event is the number of the membership.

    An imported one may name a person who has no account, by the key of their record, and may be over already.
    `is_current` is None where the record did not say.
    """

    account_id: UUID | None = None
    person_key: str | None = None
    role: Personal[str | None] = None
    fields: Personal[dict[str, Any]] = Field(default_factory=dict)
    is_current: bool | None = True


class CompanyMembershipEnded(DomainEvent, topic="company.membership_ended"):
    """A membership is over."""

    member: int
    account_id: UUID
    reason: Personal[str]


CompanyEvent = CompanyRegistered | CompanyUpdated | CompanyMemberAdded | CompanyMembershipEnded


@dataclass(frozen=True)
class CompanyState:
    """What decisions about a company rest on. `members` maps a current account to the numbers of its memberships.

    Only an import gives an account several.
    """

    exists: bool = False
    version: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    members: dict[UUID, tuple[int, ...]] = field(default_factory=dict)


def _decide(state: CompanyState, command: Command) -> list[DomainEvent]:
    if isinstance(command, RegisterCompany):
        if state.exists:
            raise AlreadyExists(f"company {command.company_id} is registered", field="company_id")
        fields = without_unset(_checked(command.fields, "fields"))
        if "name" not in fields:
            raise InvalidCommand("a company needs a name", field="fields.name")
        return [CompanyRegistered(fields=fields, is_active=True)]
    if not state.exists:
        raise NotFound("there is no such company", field="company_id", hint="register it with RegisterCompany")
    match command:
        case UpdateCompany():
            return _update(state, command)
        case AddCompanyMember(account_id=account_id, role=role):
            if account_id in state.members:
                return []
            return [CompanyMemberAdded(account_id=account_id, role=role or None)]
        case EndCompanyMembership(account_id=account_id):
            if account_id not in state.members:
                raise RuleViolated("the account is no member of the company", field="account_id")
            return [
                CompanyMembershipEnded(member=member, account_id=account_id, reason=command.reason)
                for member in state.members[account_id]
            ]
        case _:
            return []  # a case or a collective process is opened for it: it takes part only to say that it is there


def _update(state: CompanyState, command: UpdateCompany) -> list[DomainEvent]:
    changes = changed_fields(state.fields, _checked(command.changes, "changes"))
    if "name" in changes and changes["name"].new is None:
        raise InvalidCommand("a company needs a name", field="changes.name")
    return [CompanyUpdated(changes=changes)] if changes else []


def _checked(fields: dict[str, Any], where: str) -> dict[str, Any]:
    return check_fields(COMPANY_FIELDS, fields, where=where, of="a company")


def _evolve(state: CompanyState, event: CompanyEvent) -> CompanyState:
    state = replace(state, version=state.version + 1)
    match event:
        case CompanyRegistered():
            return replace(state, exists=True, fields=event.fields)
        case CompanyUpdated():
            return replace(state, fields=with_changes(state.fields, event.changes))
        case CompanyMemberAdded(account_id=UUID() as account_id, is_current=True):
            numbers = (*state.members.get(account_id, ()), state.version)
            return replace(state, members={**state.members, account_id: numbers})
        case CompanyMemberAdded():
            return state
        case CompanyMembershipEnded(account_id=account_id, member=ended):
            left = tuple(number for number in state.members.get(account_id, ()) if number != ended)
            others = {account: numbers for account, numbers in state.members.items() if account != account_id}
            return replace(state, members={**others, account_id: left} if left else others)
        case _:
            assert_never(event)


COMPANY: Final = Decider(
    "company",
    CompanyState(),
    _decide,
    _evolve,
    owner=lambda _: None,
    members=lambda state: frozenset(state.members),
)
