"""Cases, companies and statuses through the command API and the real store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.postgres.event_store import PostgresEventStore
from domain.access import ADMIN_ONLY, Actor, Role
from domain.account import DeactivateAccount, GrantRole, RegisterAccount
from domain.case import (
    CASE,
    ChangeCaseStatus,
    CloseCase,
    CorrectCaseStatus,
    OpenCase,
    RemoveCaseStatus,
    ReopenCase,
    SettleCaseConflict,
    UpdateCase,
)
from domain.collective import OpenCollective
from domain.command import Command
from domain.company import (
    AddCompanyMember,
    CompanyMemberAdded,
    EndCompanyMembership,
    RegisterCompany,
    UpdateCompany,
)
from domain.errors import (
    AccessDenied,
    CommandIdReused,
    InvalidCommand,
    NotFound,
    RuleViolated,
    VersionConflict,
)
from domain.event import NewEvent
from domain.service import Append, Dossier, Receipt
from domain.status_catalogue import CASE_CODES, DefineStatus, RetireStatus
from domain.streams import status_id
from tests.domain.test_service import Racing
from tests.support.examples import COMMANDS
from tests.support.writer import LIVE_METADATA

OPERATOR = Actor.operator()


@dataclass(frozen=True)
class Client:
    """A company with a member, a case of a person straight for it, and one in a collective process of it."""

    company: UUID = field(default_factory=uuid4)
    member: UUID = field(default_factory=uuid4)
    person: UUID = field(default_factory=uuid4)
    case: UUID = field(default_factory=uuid4)
    collective: UUID = field(default_factory=uuid4)
    case_in_collective: UUID = field(default_factory=uuid4)

    @property
    def actor(self) -> Actor:
        """The member."""
        return Actor.of_account(self.member)

    @property
    def records(self) -> tuple[UUID, ...]:
        """What its members may read."""
        return self.company, self.case, self.collective, self.case_in_collective


def _client(dossier: Dossier) -> Client:
    client = Client()
    for account in (client.member, client.person):
        dossier.execute(RegisterAccount(account_id=account), actor=OPERATOR)
    commands: tuple[Command, ...] = (
        GrantRole(account_id=client.member, role=Role.CLIENT),
        RegisterCompany(company_id=client.company, fields={"name": "Acme"}),
        AddCompanyMember(company_id=client.company, account_id=client.member, role="HR"),
        OpenCollective(collective_id=client.collective, company_id=client.company),
        OpenCase(case_id=client.case, person_id=client.person, company_id=client.company, status="em_tramite"),
        OpenCase(case_id=client.case_in_collective, person_id=client.person, collective_id=client.collective),
    )
    for command in commands:
        dossier.execute(command, actor=OPERATOR)
    return client


@pytest.fixture
def acme(dossier: Dossier) -> Client:
    return _client(dossier)


@pytest.fixture
def other(dossier: Dossier) -> Client:
    return _client(dossier)


def _account(dossier: Dossier, *roles: Role) -> Actor:
    account = uuid4()
    dossier.execute(RegisterAccount(account_id=account), actor=OPERATOR)
    for role in roles:
        dossier.execute(GrantRole(account_id=account, role=role), actor=OPERATOR)
    return Actor.of_account(account)


def _denied(dossier: Dossier, actor: Actor, *streams: UUID) -> None:
    for stream in streams:
        with pytest.raises(AccessDenied):
            dossier.history(stream, actor=actor)


def _change(case: UUID, status: str, **said: Any) -> ChangeCaseStatus:
    return ChangeCaseStatus(case_id=case, status=status, **said)


# --- who reads what ---------------------------------------------------------------------------------------------------


def test_a_client_reads_the_cases_of_their_company_and_no_other(dossier: Dossier, acme: Client, other: Client) -> None:
    for stream in acme.records:
        assert dossier.history(stream, actor=acme.actor)
    _denied(dossier, acme.actor, *other.records)
    _denied(dossier, other.actor, *acme.records)


def test_after_the_membership_ended_a_client_reads_nothing_of_the_company(
    dossier: Dossier, acme: Client, other: Client
) -> None:
    dossier.execute(
        EndCompanyMembership(company_id=acme.company, account_id=acme.member, reason="left"), actor=OPERATOR
    )
    _denied(dossier, acme.actor, *acme.records)
    assert dossier.history(acme.member, actor=acme.actor)  # their own account
    dossier.execute(AddCompanyMember(company_id=acme.company, account_id=acme.member), actor=OPERATOR)
    for stream in acme.records:
        assert dossier.history(stream, actor=acme.actor)
    dossier.execute(AddCompanyMember(company_id=other.company, account_id=acme.member), actor=OPERATOR)
    for stream in (*acme.records, *other.records):
        assert dossier.history(stream, actor=acme.actor)


def test_a_deactivated_member_reads_nothing(dossier: Dossier, acme: Client) -> None:
    dossier.execute(DeactivateAccount(account_id=acme.member, reason="left"), actor=OPERATOR)
    _denied(dossier, acme.actor, *acme.records)


def test_a_deactivated_or_unknown_account_does_not_become_a_member(dossier: Dossier, acme: Client) -> None:
    dossier.execute(DeactivateAccount(account_id=acme.member, reason="left"), actor=OPERATOR)
    with pytest.raises(RuleViolated):
        dossier.execute(AddCompanyMember(company_id=acme.company, account_id=acme.member), actor=OPERATOR)
    with pytest.raises(NotFound):
        dossier.execute(AddCompanyMember(company_id=acme.company, account_id=uuid4()), actor=OPERATOR)


def test_the_role_alone_opens_nothing(dossier: Dossier, acme: Client) -> None:
    for roles in ((), (Role.CLIENT,), (Role.SUPPORT, Role.AUDITOR)):
        _denied(dossier, _account(dossier, *roles), *acme.records)
    admin = _account(dossier, Role.ADMIN)
    for stream in acme.records:
        assert dossier.history(stream, actor=admin)


def test_the_person_a_case_is_about_reads_it_and_nothing_else_of_the_company(dossier: Dossier, acme: Client) -> None:
    person = Actor.of_account(acme.person)
    for case in (acme.case, acme.case_in_collective):
        assert dossier.history(case, actor=person)[0].topic == "case.opened"
    _denied(dossier, person, acme.company, acme.collective)


def test_who_is_merely_named_by_a_membership_does_not_read_the_company(
    dossier: Dossier, store: PostgresEventStore, acme: Client
) -> None:
    """An imported membership that is over names its account as the subject of the event, also as the first of all."""
    named = _account(dossier)
    assert named.account
    over = CompanyMemberAdded(account_id=named.account, is_current=False)
    metadata = replace(LIVE_METADATA, subject=named.account)
    orphan = uuid4()
    for stream, version in ((acme.company, 3), (orphan, 1)):
        store.append(Append(uuid4(), b"d", stream, version, 0, [NewEvent(stream, version, over, metadata)], {}))
        _denied(dossier, named, stream)
    _denied(dossier, named, *acme.records)
    assert dossier.history(acme.company, actor=OPERATOR)[-1].metadata.subject == named.account
    dossier.execute(EndCompanyMembership(company_id=acme.company, account_id=acme.member, reason="x"), actor=OPERATOR)
    assert dossier.history(acme.company, actor=OPERATOR)[-1].metadata.subject == acme.member
    _denied(dossier, acme.actor, acme.company)


def test_what_does_not_exist_is_denied_like_what_does(dossier: Dossier, acme: Client) -> None:
    _denied(dossier, acme.actor, uuid4(), status_id("em_tramite"))


def test_a_case_of_a_company_there_is_not_is_read_by_nobody_else(
    dossier: Dossier, store: PostgresEventStore, acme: Client
) -> None:
    """An import keeps a reference that leads nowhere, or to something that is no company."""
    opened = dossier.history(acme.case, actor=OPERATOR)[0]
    for company in (uuid4(), acme.member, acme.collective):
        case = uuid4()
        event = opened.event.model_copy(update={"company_id": company, "person_id": None})
        store.append(Append(uuid4(), b"d", case, 1, 0, [NewEvent(case, 1, event, LIVE_METADATA)], {}))
        _denied(dossier, acme.actor, case)
        assert dossier.history(case, actor=OPERATOR)


# --- who changes what -------------------------------------------------------------------------------------------------


def _commands(client: Client) -> list[Command]:
    reason = {"reason": "x"}
    return [
        OpenCase(case_id=uuid4(), person_id=client.person, company_id=client.company),
        UpdateCase(case_id=client.case, changes={"cargo": "x"}),
        _change(client.case, "deferido"),
        CorrectCaseStatus(case_id=client.case, entry=2, notes="x", **reason),
        RemoveCaseStatus(case_id=client.case, **reason),
        CloseCase(case_id=client.case, **reason),
        ReopenCase(case_id=client.case, **reason),
        SettleCaseConflict(case_id=client.case, field="status", **reason),
        OpenCollective(collective_id=uuid4(), company_id=client.company),
        RegisterCompany(company_id=uuid4(), fields={"name": "x"}),
        UpdateCompany(company_id=client.company, changes={"name": "x"}),
        AddCompanyMember(company_id=client.company, account_id=client.person),
        EndCompanyMembership(company_id=client.company, account_id=client.member, **reason),
        DefineStatus(code="own", catalogue="own", name="x"),
        RetireStatus(code="rnm", **reason),
    ]


def test_only_admins_change_cases_companies_and_statuses(
    dossier: Dossier, store: PostgresEventStore, acme: Client
) -> None:
    commands = _commands(acme)
    of_accounts = {"GrantRole", "RevokeRole", "VerifyProfile", "OpenBilling", "UpdateBilling"}
    of_read_models = {"SkipEvent", "RestoreEvent"}
    new = (
        (ADMIN_ONLY & COMMANDS.keys())
        - of_accounts
        - {"StartSubscription", "ChangeSubscriptionStatus"}
        - of_read_models
    )
    assert {type(command).__name__ for command in commands} == new
    staff = _account(dossier, Role.AUDITOR, Role.SUPPORT)
    head = store.head()
    for command in commands:
        for actor in (acme.actor, Actor.of_account(acme.person), staff, Actor.of_account(uuid4()), Actor("nobody")):
            with pytest.raises(AccessDenied):
                dossier.execute(command, actor=actor)
    assert store.head() == head
    admin = _account(dossier, Role.ADMIN)
    assert dossier.execute(_change(acme.case, "deferido"), actor=admin).events == 1


def test_the_account_a_command_names_does_not_own_what_it_is_about(dossier: Dossier, acme: Client) -> None:
    """Neither the new member nor the person a case would be about may say so themselves."""
    for command in (
        AddCompanyMember(company_id=acme.company, account_id=acme.person),
        OpenCase(case_id=uuid4(), person_id=acme.person),
    ):
        with pytest.raises(AccessDenied):
            dossier.execute(command, actor=Actor.of_account(acme.person))


def test_a_case_is_opened_for_a_company_or_process_there_is(dossier: Dossier, acme: Client) -> None:
    for belongs in ({"company_id": uuid4()}, {"collective_id": uuid4()}, {"company_id": acme.case}):
        with pytest.raises(NotFound):
            dossier.execute(OpenCase(case_id=uuid4(), **belongs), actor=OPERATOR)
    with pytest.raises(NotFound):
        dossier.execute(OpenCollective(collective_id=uuid4(), company_id=uuid4()), actor=OPERATOR)


# --- times and envelopes ----------------------------------------------------------------------------------------------


def test_a_status_occurred_when_it_took_effect(dossier: Dossier, acme: Client) -> None:
    now = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    then = now - timedelta(days=9)
    fixed = replace(dossier, clock=lambda: now)
    case = uuid4()
    fixed.execute(
        OpenCase(case_id=case, person_id=acme.person, status="em_preparacao", effective_at=then), actor=OPERATOR
    )
    fixed.execute(_change(case, "em_tramite"), actor=OPERATOR)
    fixed.execute(_change(case, "exigencia", effective_at=then + timedelta(days=1)), actor=OPERATOR)
    fixed.execute(CorrectCaseStatus(case_id=case, entry=4, effective_at=then, reason="x"), actor=OPERATOR)
    fixed.execute(RemoveCaseStatus(case_id=case, reason="x"), actor=OPERATOR)
    fixed.execute(CloseCase(case_id=case, reason="x"), actor=OPERATOR)
    history = dossier.history(case, actor=OPERATOR)
    assert [event.recorded_at for event in history] == [now] * 7
    occurred = [now, then, now, then + timedelta(days=1), then, now, now]
    assert [event.occurred_at for event in history] == occurred
    assert [getattr(event.event, "effective_at", now) for event in history] == occurred
    assert {event.metadata.subject for event in history} == {acme.person}


def test_whom_the_events_are_about(dossier: Dossier, acme: Client) -> None:
    company = dossier.history(acme.company, actor=OPERATOR)
    assert [event.metadata.subject for event in company] == [None, acme.member]
    assert [event.metadata.subject for event in dossier.history(acme.collective, actor=OPERATOR)] == [None]
    dossier.execute(DefineStatus(code=f"s{uuid4().hex}", catalogue="own", name="x"), actor=OPERATOR)


def test_a_status_cannot_take_effect_in_the_future(dossier: Dossier, store: PostgresEventStore, acme: Client) -> None:
    now = datetime(2026, 5, 4, tzinfo=UTC)
    fixed, ahead, head = replace(dossier, clock=lambda: now), now + timedelta(seconds=1), store.head()
    for command in (
        OpenCase(case_id=uuid4(), status="rnm", effective_at=ahead),
        OpenCase(case_id=uuid4(), effective_at=ahead),
        _change(acme.case, "rnm", effective_at=ahead),
        CorrectCaseStatus(case_id=acme.case, entry=2, effective_at=ahead, reason="x"),
    ):
        with pytest.raises(InvalidCommand) as refused:
            fixed.execute(command, actor=OPERATOR)
        assert refused.value.field == "effective_at"
    assert store.head() == head


def test_a_late_entry_takes_its_place(dossier: Dossier, acme: Client) -> None:
    past = datetime(2020, 1, 1, tzinfo=UTC)
    dossier.execute(_change(acme.case, "deferido"), actor=OPERATOR)
    dossier.execute(_change(acme.case, "exigencia", effective_at=past), actor=OPERATOR)
    history = dossier.history(acme.case, actor=OPERATOR)
    assert (history[-1].event.follows, history[-1].event.precedes) == (None, 2)
    active = CASE.fold(event.event for event in history).timeline.active
    assert active
    assert (active.number, active.status) == (3, "deferido")


# --- one effect -------------------------------------------------------------------------------------------------------


def test_the_same_case_command_again_has_one_effect(dossier: Dossier, store: PostgresEventStore, acme: Client) -> None:
    """Also without a time of its own, though now is another now."""
    for command in (
        OpenCase(case_id=uuid4(), company_id=acme.company, status="em_preparacao"),
        _change(acme.case, "deferido", notes="n"),
        CorrectCaseStatus(case_id=acme.case, entry=3, status="rnm", reason="x"),
        RemoveCaseStatus(case_id=acme.case, reason="x"),
        CloseCase(case_id=acme.case, reason="x"),
        ReopenCase(case_id=acme.case, reason="x"),
        UpdateCase(case_id=acme.case, changes={"cargo": "x"}),
    ):
        command_id = uuid4()
        first = dossier.execute(command, actor=OPERATOR, command_id=command_id)
        head = store.head()
        assert first.events
        for _ in range(2):
            assert dossier.execute(command, actor=OPERATOR, command_id=command_id) == first
        assert store.head() == head
    with pytest.raises(CommandIdReused):
        dossier.execute(UpdateCase(case_id=acme.case, changes={"cargo": "y"}), actor=OPERATOR, command_id=command_id)


def test_threads_with_one_command_id_change_a_status_once(
    dossier: Dossier, store: PostgresEventStore, acme: Client
) -> None:
    command, command_id = _change(acme.case, "deferido", notes="n"), uuid4()

    def work(_: int) -> Receipt:
        return dossier.execute(command, actor=OPERATOR, command_id=command_id)

    with ThreadPoolExecutor(4) as pool:
        receipts = set(pool.map(work, range(8)))
    assert len(receipts) == 1
    assert len(store.load([acme.case])[acme.case]) == 3


# --- statuses that are looked up --------------------------------------------------------------------------------------


def _own(**said: Any) -> DefineStatus:
    return DefineStatus(**{"code": f"s{uuid4().hex}", "catalogue": CASE_CODES, "name": "own"} | said)


def test_a_status_of_ones_own_is_honoured(dossier: Dossier, acme: Client) -> None:
    first, second = _own(fillable_fields=("rnm_number",)), _own()
    for status in (first, second, first.model_copy(update={"may_go_to": (second.code,)})):
        dossier.execute(status, actor=OPERATOR)
    dossier.execute(_change(acme.case, first.code, filled={"rnm_number": "1"}), actor=OPERATOR)
    with pytest.raises(RuleViolated) as refused:
        dossier.execute(_change(acme.case, "deferido"), actor=OPERATOR)
    assert refused.value.hint == f"allowed: {second.code}"
    dossier.execute(_change(acme.case, second.code), actor=OPERATOR)
    with pytest.raises(InvalidCommand):
        dossier.execute(_change(acme.case, f"s{uuid4().hex}"), actor=OPERATOR)


def test_a_retired_status_is_given_to_no_case(dossier: Dossier, acme: Client) -> None:
    status = _own()
    dossier.execute(status, actor=OPERATOR)
    dossier.execute(_change(acme.case, status.code), actor=OPERATOR)
    dossier.execute(RetireStatus(code=status.code, reason="x"), actor=OPERATOR)
    for command in (
        _change(acme.case_in_collective, status.code),
        OpenCase(case_id=uuid4(), status=status.code),
        CorrectCaseStatus(case_id=acme.case, entry=2, status=status.code, reason="x"),
    ):
        with pytest.raises(RuleViolated) as refused:
            dossier.execute(command, actor=OPERATOR)
        assert refused.value.field == "status"
    dossier.execute(_change(acme.case, "deferido"), actor=OPERATOR)
    dossier.execute(status, actor=OPERATOR)  # defined again, it is in use again
    dossier.execute(_change(acme.case_in_collective, status.code), actor=OPERATOR)


def _racing(dossier: Dossier, meanwhile: Command) -> tuple[Dossier, Racing]:
    assert isinstance(dossier.store, PostgresEventStore)
    racing = Racing(dossier.store, 1, lambda: dossier.execute(meanwhile, actor=OPERATOR))
    return replace(dossier, store=racing), racing


def test_a_status_retired_meanwhile_makes_the_decision_be_taken_anew(
    dossier: Dossier, store: PostgresEventStore, acme: Client
) -> None:
    status = _own()
    dossier.execute(status, actor=OPERATOR)
    hasty, racing = _racing(dossier, RetireStatus(code=status.code, reason="x"))
    with pytest.raises(RuleViolated):
        hasty.execute(_change(acme.case, status.code), actor=OPERATOR)
    assert racing.appends == 1  # the second decision was a refusal
    assert len(store.load([acme.case])[acme.case]) == 2


def test_a_status_defined_anew_meanwhile_makes_the_decision_be_taken_anew(
    dossier: Dossier, store: PostgresEventStore, acme: Client
) -> None:
    """Also the one the case would come from."""
    before, after = _own(), _own()
    for status in (before, after):
        dossier.execute(status, actor=OPERATOR)
    dossier.execute(_change(acme.case, before.code), actor=OPERATOR)
    harmless = before.model_copy(update={"name": "another name"})
    patient, racing = _racing(dossier, harmless)
    assert patient.execute(_change(acme.case, after.code), actor=OPERATOR).events == 1
    assert racing.appends == 2
    dossier.execute(_change(acme.case, before.code), actor=OPERATOR)
    shut = before.model_copy(update={"may_go_to": ()})
    hasty, _ = _racing(dossier, shut)
    with pytest.raises(RuleViolated):
        hasty.execute(_change(acme.case, after.code), actor=OPERATOR)
    assert len(store.load([acme.case])[acme.case]) == 5


def test_with_an_expected_version_nothing_is_decided_anew(dossier: Dossier, acme: Client) -> None:
    status = _own()
    dossier.execute(status, actor=OPERATOR)
    hasty, racing = _racing(dossier, status.model_copy(update={"name": "another name"}))
    with pytest.raises(VersionConflict):
        hasty.execute(_change(acme.case, status.code), actor=OPERATOR, expected_version=2)
    assert racing.appends == 1
    with pytest.raises(VersionConflict):
        dossier.execute(_change(acme.case, status.code), actor=OPERATOR, expected_version=1)
    assert dossier.execute(_change(acme.case, status.code), actor=OPERATOR, expected_version=2).version == 3


def test_a_status_that_says_nothing_new_rests_on_the_newest_event_it_looked_at(dossier: Dossier, acme: Client) -> None:
    status = _own()
    dossier.execute(status, actor=OPERATOR)
    dossier.execute(_change(acme.case, status.code), actor=OPERATOR)
    changed = dossier.history(acme.case, actor=OPERATOR)[-1]
    defined = dossier.execute(status.model_copy(update={"name": "another name"}), actor=OPERATOR)
    again = _change(acme.case, status.code, effective_at=changed.occurred_at)
    nothing = dossier.execute(again, actor=OPERATOR)
    assert nothing == Receipt(acme.case, 3, defined.position, 0)
