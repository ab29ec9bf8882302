from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from domain.command import Participant
from domain.company import (
    COMPANY,
    COMPANY_FIELDS,
    AddCompanyMember,
    CompanyMemberAdded,
    CompanyMembershipEnded,
    CompanyRegistered,
    CompanyUpdated,
    EndCompanyMembership,
    RegisterCompany,
    UpdateCompany,
)
from domain.errors import AlreadyExists, InvalidCommand, NotFound, RuleViolated
from domain.event import ERASED, Change, personal_fields
from tests.support.examples import ACCOUNT_ID as ADA
from tests.support.examples import COMMANDS, COMPANY_ID, EVENTS, OTHER_ACCOUNT_ID
from tests.support.given_when_then import given

EVE = OTHER_ACCOUNT_ID
REGISTERED = CompanyRegistered(fields={"name": "Acme"}, is_active=True)
ADDED = CompanyMemberAdded(account_id=ADA, role="HR")


def _register(**fields: Any) -> RegisterCompany:
    return RegisterCompany(company_id=COMPANY_ID, fields=fields)


def _update(**changes: Any) -> UpdateCompany:
    return UpdateCompany(company_id=COMPANY_ID, changes=changes)


def _add(account: UUID = ADA, role: str | None = None) -> AddCompanyMember:
    return AddCompanyMember(company_id=COMPANY_ID, account_id=account, role=role)


def _end(account: UUID = ADA) -> EndCompanyMembership:
    return EndCompanyMembership(company_id=COMPANY_ID, account_id=account, reason="left")


def test_a_company_is_registered_with_its_set_fields_in_normal_form() -> None:
    state = (
        given(COMPANY)
        .when(_register(name=" Acme ", tax_id="12.345.678/0001-95", website="", notes=None))
        .then(CompanyRegistered(fields={"name": "Acme", "tax_id": "12.345.678/0001-95"}, is_active=True))
    )
    assert (state.exists, state.version, state.members) == (True, 1, {})
    assert COMPANY.owner(state) is None
    assert COMPANY.parent(state) is None


def test_a_company_is_not_registered_where_something_is_wrong() -> None:
    given(COMPANY, REGISTERED).when(_register(name="Acme")).raises(AlreadyExists, field="company_id")
    given(COMPANY).when(_register()).raises(InvalidCommand, field="fields.name")
    given(COMPANY).when(_register(name=" ")).raises(InvalidCommand, field="fields.name")
    given(COMPANY).when(_register(name="Acme", is_active="yes")).raises(InvalidCommand, field="fields.is_active")
    given(COMPANY).when(_register(name="Acme", tax_id=12)).raises(InvalidCommand, field="fields.tax_id")


def test_fields_change_and_the_name_stays_set() -> None:
    past = given(COMPANY, REGISTERED)
    state = past.when(_update(phone_number=" +55 11 ", name="Acme")).then(
        CompanyUpdated(changes={"phone_number": Change(new="+55 11")})
    )
    assert state.fields == {"name": "Acme", "phone_number": "+55 11"}
    past.when(_update(name=" Acme", phone_number=None)).nothing()
    for unset in (None, "", " "):
        past.when(_update(name=unset)).raises(InvalidCommand, field="changes.name")
    past.when(_update(members=[])).raises(InvalidCommand, field="changes.members")
    given(COMPANY, CompanyRegistered(fields={})).when(_update(phone_number="1")).then(
        CompanyUpdated(changes={"phone_number": Change(new="1")})  # an imported one may be without a name
    )


@pytest.mark.parametrize("name", sorted(COMPANY_FIELDS))
def test_every_field_of_a_company_can_be_set(name: str) -> None:
    given(COMPANY, CompanyRegistered(fields={})).when(_update(**{name: "x"})).then(
        CompanyUpdated(changes={name: Change(new="x")})
    )


def test_an_account_becomes_a_member_once() -> None:
    state = given(COMPANY, REGISTERED).when(_add(role=" HR ")).then(ADDED)
    assert COMPANY.members(state) == {ADA}
    assert state.members == {ADA: (2,)}
    given(COMPANY, REGISTERED, ADDED).when(_add(role="boss")).nothing()
    given(COMPANY, REGISTERED, ADDED).when(_add(EVE, " ")).then(CompanyMemberAdded(account_id=EVE))


def test_a_membership_ends_and_may_begin_again() -> None:
    ended = CompanyMembershipEnded(member=2, account_id=ADA, reason="left")
    state = given(COMPANY, REGISTERED, ADDED).when(_end()).then(ended)
    assert COMPANY.members(state) == frozenset()
    for past in ((REGISTERED,), (REGISTERED, ADDED, ended)):
        given(COMPANY, *past).when(_end()).raises(RuleViolated, field="account_id")
    state = given(COMPANY, REGISTERED, ADDED, ended).when(_add(role="HR")).then(ADDED)
    assert state.members == {ADA: (4,)}


def test_all_memberships_an_import_gave_an_account_end_together() -> None:
    past = (REGISTERED, ADDED, CompanyMemberAdded(account_id=EVE), CompanyMemberAdded(account_id=ADA))
    state = (
        given(COMPANY, *past)
        .when(_end())
        .then(
            CompanyMembershipEnded(member=2, account_id=ADA, reason="left"),
            CompanyMembershipEnded(member=4, account_id=ADA, reason="left"),
        )
    )
    assert COMPANY.members(state) == {EVE}
    one_ended = COMPANY.fold([*past, CompanyMembershipEnded(member=2, account_id=ADA, reason="left")])
    assert one_ended.members == {ADA: (4,), EVE: (3,)}


def test_an_imported_membership_that_is_over_or_unsaid_gives_no_access() -> None:
    for is_current in (False, None):
        over = CompanyMemberAdded(account_id=ADA, is_current=is_current)
        assert COMPANY.members(COMPANY.fold([REGISTERED, over])) == frozenset()
        given(COMPANY, REGISTERED, over).when(_end()).raises(RuleViolated, field="account_id")
        given(COMPANY, REGISTERED, over).when(_add(role="HR")).then(ADDED)
    person = CompanyMemberAdded(person_key="k17", is_current=True)
    assert COMPANY.members(COMPANY.fold([REGISTERED, person])) == frozenset()


def test_the_account_takes_part_in_becoming_a_member_but_not_in_leaving() -> None:
    company = Participant("company", COMPANY_ID)
    assert _add().participants() == (company, Participant("account", ADA))
    assert _end().participants() == (company,)


@pytest.mark.parametrize("name", ["UpdateCompany", "AddCompanyMember", "EndCompanyMembership", "OpenCase"])
def test_a_company_that_was_never_registered_decides_on_nothing(name: str) -> None:
    given(COMPANY).when(COMMANDS[name]).raises(NotFound, field="company_id")


@pytest.mark.parametrize("name", ["OpenCase", "OpenCollective"])
def test_a_company_only_says_that_it_is_there(name: str) -> None:
    given(COMPANY, REGISTERED).when(COMMANDS[name]).nothing()


@pytest.mark.parametrize("topic", [topic for topic in EVENTS if topic.startswith("company.")])
def test_every_event_is_folded_also_where_all_of_it_was_erased(topic: str) -> None:
    event = EVENTS[topic]
    erased = type(event)(**{**event.__dict__, **dict.fromkeys(personal_fields(type(event)), ERASED)})
    state = COMPANY.fold([REGISTERED, ADDED, erased])
    assert state.version == 3
    assert ADA in state.members or topic == "company.membership_ended"


@for_any(st.lists(st.builds(lambda add, account: (add, account), st.booleans(), st.sampled_from([ADA, EVE]))))
def test_members_are_those_added_and_not_ended_since(turns: list[tuple[bool, UUID]]) -> None:
    events: list[Any] = [REGISTERED]
    members: set[UUID] = set()
    for add, account in turns:
        state = COMPANY.fold(events)
        if not add and account not in members:
            given(COMPANY, *events).when(_end(account)).raises(RuleViolated, field="account_id")
            continue
        decided = COMPANY.decide(state, _add(account) if add else _end(account))
        assert len(decided) == (not add or account not in members)
        events += decided
        members = members | {account} if add else members - {account}
        state = COMPANY.fold(events)
        assert COMPANY.members(state) == members
        for member, numbers in state.members.items():
            assert [events[number - 1].account_id for number in numbers] == [member]
