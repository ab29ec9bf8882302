"""Who may read what of cases, on the command line and through the command API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from adapters.bootstrap import Application
from domain.access import Actor, Role
from domain.account import DeactivateAccount, GrantRole, RegisterAccount
from domain.case import (
    CaseOpened,
    OpenCase,
)
from domain.collective import CollectiveOpened, OpenCollective
from domain.company import AddCompanyMember, CompanyMemberAdded, EndCompanyMembership, RegisterCompany
from domain.errors import AccessDenied
from tests.adapters.test_cli import cli, fine, refused
from tests.support.application import application_at
from tests.support.case_world import World, day, in_text, only_this_database, populated


@pytest.fixture(scope="module", autouse=True)
def _environment(database_url: str) -> Iterator[None]:
    with only_this_database(database_url):
        yield


@pytest.fixture(scope="module")
def app(database_url: str) -> Iterator[Application]:
    with application_at(database_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def world(app: Application) -> World:
    return populated(app)


def ids(*arguments: object) -> list[str]:
    return [row["case_id"] for row in fine("cases", *arguments)["cases"]]


@pytest.fixture
def own(world: World) -> UUID:
    """A case of a person, of no company."""
    case = uuid4()
    world.do(OpenCase(case_id=case, person_id=world.person, status="em_preparacao", effective_at=day(1)))
    return case


# --- who may --------------------------------------------------------------------------------------------------------


def everything_about(company: UUID, collective: UUID, *cases: UUID | str) -> list[tuple[object, ...]]:
    """Every way to ask for a company, its collective process and its cases."""
    asked: list[tuple[object, ...]] = [
        *(("show", "company", company), ("history", company), ("explain", company), ("cases", "--company", company)),
        *(("show", "collective", collective), ("history", collective), ("explain", collective)),
        ("cases", "--collective", collective),
        ("cases", "--company", company, "--collective", collective),
        ("cases", "--company", company, "--status", "rnm", "--overdue"),
    ]
    for case in cases:
        at = ("--as-of", day(11).isoformat())
        asked += [
            *(("show", "case", case), ("show", "case", case, *at), ("show", "case", case, *at, "--known-at", 10**6)),
            *(("show", "case", case, "--known-at", 1), ("timeline", case), ("timeline", case, "--all")),
            *(("timeline", case, "--known-at", 1), ("history", case), ("explain", case), ("explain", case, "status")),
        ]
    return asked


def test_a_client_reads_what_is_of_their_company(world: World) -> None:
    for arguments in everything_about(world.company, world.collective, world.case, world.collective_case):
        if arguments[-1] != 1:  # nothing was known then
            fine(*arguments, "--actor", world.client)
    for stream in (world.company, world.collective, world.case, world.collective_case):
        assert world.app.dossier.history(stream, actor=Actor.of_account(world.client))
    listed = ids("--limit", 1000, "--actor", world.client)
    assert in_text(world.case, world.collective_case) <= set(listed)
    assert set(listed) == set(ids("--limit", 1000, "--company", world.company, "--actor", world.client))
    assert set(listed) == set(ids("--limit", 1000, "--company", world.company))
    assert not in_text(world.other_case, world.other_collective_case) & set(listed)
    for arguments in (("cases", "stats"), ("cases", "stats", "--json")):
        assert cli(*arguments, "--actor", world.client).code == 1


def test_a_client_learns_nothing_of_another_company(world: World) -> None:
    """Nor whether it exists: what is not there is refused in the same words."""
    nothing = uuid4(), uuid4(), uuid4(), uuid4()
    other = world.other_company, world.other_collective, world.other_case, world.other_collective_case
    client = ("--actor", world.client)
    for real, missing in zip(everything_about(*other), everything_about(*nothing), strict=True):
        for as_json in ((), ("--json",)):
            answer = cli(*real, *as_json, *client)
            assert answer.code == 1
            assert answer == cli(*missing, *as_json, *client)
        assert answer.json["error"]["code"] == "access_denied"
    for stream in (*other, *nothing):
        with pytest.raises(AccessDenied):
            world.app.dossier.history(stream, actor=Actor.of_account(world.client))


def test_a_legacy_id_tells_a_client_nothing_either(world: World) -> None:
    tables = ("companies", "collectiveProcesses", "individualProcesses")
    mine = [
        world.taken_in(*named)
        for named in zip(tables, "abc", (world.company, world.collective, world.case), strict=True)
    ]
    other = [
        world.taken_in(*named)
        for named in zip(tables, "xyz", (world.other_company, world.other_collective, world.other_case), strict=True)
    ]
    unknown = [f"legacy:cases/{table}/nobody" for table in tables]
    client = ("--actor", world.client)
    for named in mine:
        assert fine("history", named, *client)["events"]
    assert fine("cases", "--company", mine[0], "--collective", mine[1], *client)["cases"]
    assert fine("timeline", mine[2], *client)["record"] == str(world.case)
    assert fine("show", "case", mine[2], "--as-of", day(11).isoformat(), *client)["status"] == "em_tramite"
    for real, missing in zip(_with_ids(other), _with_ids(unknown), strict=True):
        answer = cli(*real, "--json", *client)
        assert (answer.code, answer.json["error"]["code"]) == (1, "access_denied")
        assert answer == cli(*missing, "--json", *client)


def _with_ids(named: list[str]) -> list[tuple[object, ...]]:
    company, collective, case = named
    commands = {
        "UpdateCompany": {"company_id": company, "changes": {"name": "Mine"}},
        "OpenCollective": {"collective_id": str(UUID(int=7)), "company_id": company},
        "UpdateCase": {"case_id": case, "changes": {}},
        "OpenCase": {"case_id": str(UUID(int=8)), "collective_id": collective},
    }
    return [
        *(("show", "company", company), ("show", "collective", collective), ("show", "case", case)),
        *(("timeline", case), ("history", case), ("explain", case), ("history", company), ("history", collective)),
        ("show", "case", case, "--as-of", day(11).isoformat(), "--known-at", 5),
        *(("cases", "--company", company), ("cases", "--collective", collective), ("cases", "--after", case)),
        *(("execute", command, "--data", json.dumps(data)) for command, data in commands.items()),
    ]


def test_commands_take_legacy_ids(world: World) -> None:
    company = world.taken_in("companies", "one", world.company)
    collective = world.taken_in("mainProcesses", "two", world.collective)
    person = world.taken_in("userProfiles", "three", world.person)
    first, second = uuid4(), uuid4()
    for case, place in ((first, {"company_id": company}), (second, {"collective_id": collective})):
        data = {"case_id": str(case), "person_id": person, "status": "rnm", **place}
        fine("execute", "OpenCase", "--data", json.dumps(data))
    legacy = world.taken_in("individualProcesses", "four", first)
    fine("execute", "ChangeCaseStatus", "--data", json.dumps({"case_id": legacy, "status": "em_renovacao"}))
    member = {"company_id": company, "account_id": person}
    fine("execute", "AddCompanyMember", "--data", json.dumps(member))
    fine("execute", "EndCompanyMembership", "--data", json.dumps({**member, "reason": "a test"}))
    shown = fine("show", "case", legacy, "--actor", person)
    assert (shown["company_id"], shown["person_id"]) == (str(world.company), str(world.person))
    assert shown["status"] == "em_renovacao"
    assert fine("show", "case", second)["collective_id"] == str(world.collective)
    assert in_text(first, second) <= set(ids("--company", company))
    assert str(second) in ids("--collective", collective)
    everything = ids("--company", company)
    assert ids("--company", company, "--after", legacy) == everything[everything.index(str(first)) + 1 :]


def test_other_people_see_their_own_cases(world: World, own: UUID) -> None:
    person = ("--actor", world.person)
    listed = ids("--limit", 1000, *person)
    assert str(own) in listed
    assert {row["person_id"] for row in fine("cases", *person)["cases"]} == {str(world.person)}
    assert fine("timeline", own, *person)["entries"]
    assert refused("cases", "--company", world.company, *person)[1]["code"] == "access_denied"
    assert refused("timeline", world.case, *person)[1]["code"] == "access_denied"
    assert refused("cases", "stats", *person) == refused("cases", "stats", *person)
    assert refused("cases", "--actor", uuid4())[1]["code"] == "access_denied"


def test_a_case_seen_twice_over_is_listed_once(world: World) -> None:
    case = uuid4()
    world.do(OpenCase(case_id=case, company_id=world.company, person_id=world.client))
    listed = ids("--limit", 1000, "--actor", world.client)
    assert listed.count(str(case)) == 1
    assert listed == sorted(listed)


def test_nothing_is_left_after_the_membership(world: World) -> None:
    company, collective, case, joint = (uuid4() for _ in range(4))
    client = uuid4()
    world.do(
        RegisterAccount(account_id=client),
        GrantRole(account_id=client, role=Role.CLIENT),
        RegisterCompany(company_id=company, fields={"name": "Corp"}),
    )
    # An import can bring several memberships of one person in one company.
    world.imported(company, *(CompanyMemberAdded(account_id=client, role=role) for role in ("HR", "Director")))
    world.do(
        OpenCollective(collective_id=collective, company_id=company),
        OpenCase(case_id=case, company_id=company, status="rnm", effective_at=day(0)),
        OpenCase(case_id=joint, collective_id=collective),
    )
    assert set(ids("--actor", client)) == in_text(case, joint)
    ended = world.do(EndCompanyMembership(company_id=company, account_id=client, reason="left"))
    assert ended.events == 2
    assert ids("--actor", client) == []
    assert {member["is_current"] for member in fine("show", "company", company)["members"]} == {False}
    for arguments in everything_about(company, collective, case, joint):
        assert refused(*arguments, "--actor", client)[1]["code"] == "access_denied"
    for stream in (company, collective, case, joint):
        with pytest.raises(AccessDenied):
            world.app.dossier.history(stream, actor=Actor.of_account(client))
    assert refused("execute", "EndCompanyMembership", "--data", _ended(company, client))[1]["code"] == "rule_violated"


def _ended(company: UUID, client: UUID) -> str:
    return json.dumps({"company_id": str(company), "account_id": str(client), "reason": "again"})


def test_a_membership_that_is_over_or_unsure_opens_nothing(world: World) -> None:
    company, client = uuid4(), uuid4()
    world.do(RegisterAccount(account_id=client), RegisterCompany(company_id=company, fields={"name": "Corp"}))
    world.imported(company, *(CompanyMemberAdded(account_id=client, is_current=now) for now in (False, None)))
    world.do(OpenCase(case_id=uuid4(), company_id=company))
    assert ids("--actor", client) == []
    assert refused("cases", "--company", company, "--actor", client)[1]["code"] == "access_denied"


def test_a_collective_decides_whose_a_case_is(world: World) -> None:
    """An imported case may name a company beside its collective process: the members of that one's company see it."""
    case, orphan, lost = uuid4(), uuid4(), uuid4()
    world.imported(case, CaseOpened(fields={}, company_id=world.company, collective_id=world.other_collective))
    world.imported(lost, CollectiveOpened(company_id=None))
    world.imported(orphan, CaseOpened(fields={}, company_id=world.company, collective_id=lost))
    for client, seen in ((world.client, False), (world.other_client, True)):
        assert (str(case) in ids("--limit", 1000, "--actor", client)) is seen
        assert (cli("timeline", case, "--actor", client).code == 0) is seen
        assert str(orphan) not in ids("--limit", 1000, "--actor", client)
        assert refused("show", "case", orphan, "--actor", client)[1]["code"] == "access_denied"
        assert refused("cases", "--collective", lost, "--actor", client)[1]["code"] == "access_denied"
    assert str(case) not in ids("--limit", 1000, "--company", world.company)
    assert str(orphan) in ids("--limit", 1000)


def test_a_deactivated_account_reads_nothing(world: World) -> None:
    client = uuid4()
    world.do(RegisterAccount(account_id=client), AddCompanyMember(company_id=world.company, account_id=client))
    assert ids("--actor", client)
    world.do(DeactivateAccount(account_id=client, reason="gone"))
    for arguments in (("cases",), ("statuses",), ("cases", "--company", world.company), ("timeline", world.case)):
        assert refused(*arguments, "--actor", client)[1]["code"] == "access_denied"
