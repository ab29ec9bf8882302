"""Records of cases on the command line: as they are, as they were, as they were known, and how they came about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from adapters.bootstrap import Application
from domain.case import (
    CaseConflictRecorded,
    CaseOpened,
    CaseStatusChanged,
    ChangeCaseStatus,
    CorrectCaseStatus,
    OpenCase,
    RemoveCaseStatus,
)
from domain.collective import OpenCollective
from domain.company import AddCompanyMember, EndCompanyMembership, RegisterCompany
from domain.event import Source
from domain.profile import CreateProfile, Verification, VerifyProfile
from domain.status_catalogue import DefineStatus
from domain.wall_clock import ZONE, WallClock
from tests.adapters.test_cli import cli, fine, refused
from tests.support.application import application_at
from tests.support.case_world import START, World, day, only_this_database, populated


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


# --- show --as-of, --known-at ---------------------------------------------------------------------------------------


def test_show_case_as_of_a_time(world: World) -> None:
    now = fine("show", "case", world.case)
    assert (now["status"], now["status_entry"], now["due_on"]) == ("exigencia", 4, "2026-02-23")
    assert "as_of" not in now
    then = fine("show", "case", world.case, "--as-of", day(10).isoformat())
    assert (then["status"], then["status_entry"], then["status_day"]) == ("em_tramite", 3, "2026-01-15")
    assert (then["delivery_date"], then["due_on"]) == (None, None)
    assert then["as_of"] == then["status_since"] == "2026-01-15T12:00:00.000000Z"
    assert {name for name in now if now[name] != then[name]} <= {
        *("status", "status_entry", "status_since", "status_day", "delivery_date", "client_date", "due_on")
    }
    before = fine("show", "case", world.case, "--as-of", day(-1).isoformat())
    assert (before["status"], before["status_entry"], before["status_since"]) == (None, None, None)
    asked = fine("show", "case", world.case, "--as-of", day(25).isoformat())
    assert (asked["status"], asked["delivery_date"], asked["due_on"]) == ("exigencia", "2026-02-23", "2026-02-23")


def test_show_case_as_of_a_time_as_it_was_known(world: World) -> None:
    case = uuid4()
    first = world.do(OpenCase(case_id=case, status="em_preparacao", effective_at=day(0)))
    second = world.do(ChangeCaseStatus(case_id=case, status="deferido", effective_at=day(10)))
    correction = CorrectCaseStatus(case_id=case, entry=3, status="em_tramite", effective_at=day(5), reason="misread")
    world.do(correction)

    def status(at: int, *known_at: object) -> Any:
        return fine("show", "case", case, "--as-of", day(at).isoformat(), *known_at)["status"]

    assert [status(at) for at in (4, 5, 12)] == ["em_preparacao", "em_tramite", "em_tramite"]
    assert [status(at, "--known-at", second.position) for at in (5, 12)] == ["em_preparacao", "deferido"]
    assert status(12, "--known-at", first.position) == "em_preparacao"
    recorded = world.app.events.load([case])[case][-2].recorded_at.isoformat()
    assert status(12, "--known-at", recorded) == "deferido"
    assert fine("show", "case", case, "--known-at", second.position)["status"] == "deferido"
    world.do(RemoveCaseStatus(case_id=case, reason="nobody knows"))
    shown = fine("show", "case", case, "--as-of", day(6).isoformat())
    assert (shown["status"], shown["status_entry"], shown["status_day"]) == (None, None, None)
    early = refused("show", "case", case, "--as-of", day(6).isoformat(), "--known-at", 0)
    assert (early[0], early[1]["code"]) == (1, "not_found")


def test_show_profile_as_of_a_time(world: World) -> None:
    profile = uuid4()
    world.do(
        CreateProfile(account_id=world.person, profile_id=profile, kind="personal"),
        VerifyProfile(profile_id=profile, status=Verification.VERIFIED),
    )
    assert fine("show", "profile", profile)["verification"] == "verified"
    before = fine("show", "profile", profile, "--as-of", day(0).isoformat())
    assert (before["verification"], before["as_of"]) == ("unverified", "2026-01-05T12:00:00.000000Z")
    now = datetime.now(UTC).isoformat()
    assert fine("show", "profile", profile, "--as-of", now)["verification"] == "verified"
    timeline = fine("timeline", profile, "--actor", world.person)
    assert (timeline["kind"], [entry["status"] for entry in timeline["entries"]]) == ("profile", ["verified"])
    assert fine("timeline", world.person)["record"] == str(profile)


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "case", "{case}", "--as-of", "2026-01-01"),
        ("show", "case", "{case}", "--as-of", "17"),
        ("show", "company", "{company}", "--as-of", "2026-01-01T00:00Z"),
        ("show", "case", "{case}", "--known-at", "0001-01-01T00:00+14:00"),
        ("timeline", "{case}", "--known-at", "yesterday"),
        ("timeline", "case"),
        ("cases", "--since", "2026"),
        ("cases", "--company", "acme"),
        ("cases", "--after", "1"),
        ("cases", "--limit", "0"),
        ("cases", "--limit", "1001"),
        ("cases", "--overdue", "--closed"),
        ("cases", "--current", "stats"),
    ],
)
def test_usage_errors(world: World, arguments: Sequence[str]) -> None:
    given_ids = {"{case}": world.case, "{company}": world.company}
    code, error = refused(*(given_ids.get(argument, argument) for argument in arguments))
    assert (code, error["code"]) == (2, "usage")


# --- show, history, explain of the other kinds ----------------------------------------------------------------------


def test_show_collective_with_its_computed_status(world: World) -> None:
    collective = uuid4()
    world.do(OpenCollective(collective_id=collective, company_id=world.company))
    assert fine("show", "collective", collective)["status"] is None
    for status in ("deferido", "deferido", "rnm", None):
        world.do(OpenCase(case_id=uuid4(), collective_id=collective, status=status))
    shown = fine("show", "collective", collective)
    assert shown["status"] == "2 deferido, 1 undetermined, 1 rnm"
    assert shown["cases"][0] == {"status": "deferido", "cases": 2}
    assert {entry["status"] for entry in shown["cases"]} == {"deferido", "rnm", None}
    assert shown["company_id"] == str(world.company)
    assert "status" not in fine("show", "collective", collective, "--known-at", shown["position"])


def test_show_company_with_its_members(world: World) -> None:
    company, position = uuid4(), world.app.events.head()
    world.do(RegisterCompany(company_id=company, fields={"name": "Corp"}))
    added = world.do(AddCompanyMember(company_id=company, account_id=world.person, role="HR"))
    world.do(EndCompanyMembership(company_id=company, account_id=world.person, reason="left"))
    shown = fine("show", "company", company)
    (member,) = shown["members"]
    assert (shown["name"], member["account_id"], member["role"]) == ("Corp", str(world.person), "HR")
    assert (member["is_current"], member["ended_reason"]) == (False, "left")
    (before,) = fine("show", "company", company, "--known-at", added.position)["members"]
    assert before["is_current"] is True
    assert refused("show", "company", company, "--known-at", position)[1]["code"] == "not_found"


def test_show_status_by_code_and_id(world: World) -> None:
    world.do(DefineStatus(code="at_the_court", catalogue="house", name="At the court"))
    shown = fine("show", "status", "at_the_court")
    assert (shown["name"], shown["in_use"]) == ("At the court", True)
    assert fine("show", "status", shown["status_id"]) == shown
    assert fine("explain", shown["status_id"], "name")["fields"][0]["value"] == "At the court"
    code, error = refused("show", "status", "deferido")
    assert (code, error["code"]) == (1, "not_found")
    assert "dossier statuses" in error["hint"]
    assert refused("show", "case", "at_the_court")[0] == 2


def test_a_record_of_another_kind_is_not_shown(world: World) -> None:
    for kind, record in (("case", world.company), ("company", world.case), ("status", world.case)):
        assert refused("show", kind, record)[1]["code"] == "not_found"
    code, error = refused("timeline", world.company)
    assert (code, error["code"]) == (1, "not_found")
    assert refused("timeline", uuid4())[1]["code"] == "not_found"


def test_history_and_explain_of_a_case(world: World) -> None:
    events = fine("history", world.case)["events"]
    assert [event["topic"] for event in events] == ["case.opened", *["case.status_changed"] * 3]
    explained = {entry["field"]: entry for entry in fine("explain", world.case)["fields"]}
    assert (explained["status"]["value"], explained["status"]["event"]["version"]) == ("exigencia", 4)
    assert explained["company_id"]["value"] == str(world.company)
    assert fine("explain", world.company, "name")["fields"][0]["value"] == "Acme"
    assert fine("explain", world.collective, "reference_number")["fields"][0]["value"] == "Acme-1"
    assert "case.opened" in cli("explain", world.case).out


def test_explain_names_the_legacy_source_and_the_conflict(world: World) -> None:
    case = uuid4()
    conflict = CaseConflictRecorded(field="status", values=("rnm", "deferido"), chosen="rnm", rule="status_rank")
    changed = CaseStatusChanged(status="rnm", effective_at=START, day=START.date())
    world.imported(case, CaseOpened(fields={}))
    world.imported(case, changed, status=(Source("processHistory", "h1", "/newStatus"),))
    world.imported(case, conflict)
    (found,) = fine("explain", world.taken_in("individualProcesses", "p/17", case), "status")["fields"]
    assert found["sources"] == [{"table": "processHistory", "key": "h1", "pointer": "/newStatus"}]
    assert found["conflict"]["values"] == ["rnm", "deferido"]
    assert "an import found" in cli("explain", case, "status").out


# --- timeline -------------------------------------------------------------------------------------------------------


def test_timeline_in_order_with_durations(world: World) -> None:
    found = fine("timeline", world.case)
    assert found.keys() == {"record", "kind", "known_at", "entries", "next"}
    assert (found["record"], found["kind"], found["known_at"]) == (str(world.case), "case", None)
    entries = found["entries"]
    assert [(entry["entry"], entry["status"], entry["is_active"]) for entry in entries] == [
        (2, "em_preparacao", False),
        (3, "em_tramite", False),
        (4, "exigencia", True),
    ]
    assert entries[0]["duration_s"] == 10 * 86_400
    assert entries[0]["active_to"] == entries[1]["active_from"]
    shown = cli("timeline", world.case).out.splitlines()
    assert shown[0].split() == ["entry", "status", "from", "to", "for", "who", "notes"]
    assert "10 d" in shown[1]
    assert "sent \\x1b[2J" in shown[2]
    assert "so far" in shown[3]
    assert "now" in shown[3]


def test_timeline_hides_superseded_entries_unless_asked(world: World) -> None:
    case = uuid4()
    opened = world.do(OpenCase(case_id=case, status="em_preparacao", effective_at=day(0)))
    assert "The status" not in cli("timeline", case).out
    world.do(CorrectCaseStatus(case_id=case, entry=2, status="em_tramite", reason="a slip"))
    world.do(RemoveCaseStatus(case_id=case, reason="never was"))
    shown = fine("timeline", case)["entries"]
    assert [(entry["entry"], entry["status"], entry["reason"]) for entry in shown] == [(4, None, "never was")]
    everything = fine("timeline", case, "--all")["entries"]
    assert [(entry["entry"], entry["superseded"], entry["superseded_by"]) for entry in everything] == [
        (2, True, 3),
        (3, True, 4),
        (4, False, None),
    ]
    text = cli("timeline", case).out
    assert "undetermined" in text
    assert "2 superseded entries are not shown." in text
    assert "by entry 3" not in text
    assert re.search(r"em_preparacao .* by entry 3", cli("timeline", case, "--all").out)
    for known_at in ((), ("--known-at", world.app.events.head())):
        paged: list[object] = []
        last: tuple[object, ...] = ()
        while last != ("--after", None):
            page = fine("timeline", case, "--all", "--limit", 1, *last, *known_at)
            paged, last = [*paged, *page["entries"]], ("--after", page["next"])
        assert paged == everything
        assert refused("timeline", case, "--after", 17, *known_at)[1]["field"] == "after"
    assert "`--after 2`" in cli("timeline", case, "--limit", 1).out
    known = fine("timeline", case, "--known-at", opened.position)
    assert [(entry["status"], entry["superseded"]) for entry in known["entries"]] == [("em_preparacao", False)]
    assert known["known_at"] == opened.position


def test_timeline_of_a_case_without_a_status(world: World) -> None:
    case = uuid4()
    world.do(OpenCase(case_id=case))
    assert fine("timeline", case)["entries"] == []
    assert "undetermined" in cli("timeline", case).out


def test_timeline_shows_the_date_a_legacy_row_had(world: World) -> None:
    case = uuid4()
    dated = WallClock(text="2026-01-04T21:30", day=day(-1).date(), instant=day(0), zone=ZONE)
    world.imported(
        case,
        CaseOpened(fields={}),
        CaseStatusChanged(status="rnm", effective_at=day(0), day=dated.day, dated=dated),
        CaseStatusChanged(status="Em casa", previous="rnm", effective_at=day(1), day=day(1).date(), follows=2),
    )
    first, second = fine("timeline", case)["entries"]
    assert (first["date_text"], first["date_zone"]) == ("2026-01-04T21:30", ZONE)
    assert second["date_text"] is None
    assert "2026-01-04T21:30 (America/Sao_Paulo assumed)" in cli("timeline", case).out


def test_nothing_steers_a_terminal_and_no_colour_without_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = (("timeline", world.case), ("cases",), ("cases", "stats"), ("statuses",), ("show", "case", world.case))
    for words in arguments:
        assert "\x1b" not in cli(*words).out
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = cli("timeline", world.case).out
    assert "\x1b[1m" in shown
    assert "\x1b[2J" not in shown
