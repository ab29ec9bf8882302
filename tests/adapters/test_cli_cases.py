"""Cases and statuses listed and counted on the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from adapters.bootstrap import Application
from adapters.cli.times import duration
from domain.case import (
    CaseOpened,
    CaseStatusChanged,
    ChangeCaseStatus,
    CloseCase,
    CorrectCaseStatus,
    OpenCase,
    RemoveCaseStatus,
    UpdateCase,
)
from domain.collective import OpenCollective
from domain.company import RegisterCompany
from domain.migration import MigrationRunStarted
from domain.status_catalogue import SEEDED, DefineStatus, RetireStatus
from domain.streams import migration_id
from domain.wall_clock import local_day
from tests.adapters.test_cli import cli, fine, refused
from tests.support.application import application_at
from tests.support.case_world import START, World, day, in_text, new_world, only_this_database, populated


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


# --- cases ----------------------------------------------------------------------------------------------------------


def test_cases_by_status_company_and_collective(world: World) -> None:
    company, collective = uuid4(), uuid4()
    world.do(
        RegisterCompany(company_id=company, fields={"name": "Corp"}),
        OpenCollective(collective_id=collective, company_id=company),
    )
    direct, joint, unknown = uuid4(), uuid4(), uuid4()
    world.do(
        OpenCase(case_id=direct, company_id=company, status="em_tramite", effective_at=day(2)),
        OpenCase(case_id=joint, collective_id=collective, status="rnm", effective_at=day(4)),
        OpenCase(case_id=unknown, collective_id=collective),
        CloseCase(case_id=joint, reason="done"),
    )
    mine = ("--company", company)
    assert ids(*mine) == sorted(in_text(direct, joint, unknown))
    assert ids(*mine, "--status", "rnm") == [str(joint)]
    assert ids(*mine, "--status", "undetermined") == [str(unknown)]
    assert ids(*mine, "--closed") == [str(joint)]
    assert set(ids(*mine, "--current")) == in_text(direct, unknown)
    assert set(ids("--collective", collective)) == in_text(joint, unknown)
    assert ids(*mine, "--collective", collective, "--closed") == [str(joint)]
    assert ids("--company", world.company, "--collective", collective) == []
    assert ids(*mine, "--since", day(3).isoformat()) == [str(joint)]
    assert set(ids(*mine, "--since", day(2).isoformat())) == in_text(direct, joint)
    assert str(direct) in ids("--status", "em_tramite", "--limit", 1000)
    (row,) = fine("cases", *mine, "--status", "rnm")["cases"]
    assert row == fine("show", "case", joint)
    assert "undetermined" in cli("cases", *mine).out


def test_cases_overdue(world: World) -> None:
    company = uuid4()
    world.do(RegisterCompany(company_id=company, fields={"name": "Late"}))
    today = local_day(datetime.now(UTC))
    late, today_due, closed, never = (uuid4() for _ in range(4))
    for case, deadline in ((late, today - timedelta(1)), (today_due, today), (closed, today - timedelta(9))):
        fields = {"deadline_date": deadline.isoformat()}
        world.do(OpenCase(case_id=case, company_id=company, fields=fields))
    world.do(OpenCase(case_id=never, company_id=company), CloseCase(case_id=closed, reason="done"))
    assert ids("--company", company, "--overdue") == [str(late)]
    assert str(late) in ids("--overdue", "--limit", 1000)
    world.do(UpdateCase(case_id=late, changes={"deadline_date": None}))
    assert ids("--company", company, "--overdue") == []


def test_cases_are_paged_by_key(world: World) -> None:
    company = uuid4()
    world.do(RegisterCompany(company_id=company, fields={"name": "Many"}))
    for _ in range(5):
        world.do(OpenCase(case_id=uuid4(), company_id=company, status="rnm", effective_at=day(0)))
    everything = ids("--company", company)
    pages: list[list[str]] = []
    after: list[str] = []
    while True:
        page = fine("cases", "--company", company, "--limit", 2, *after)
        pages.append([row["case_id"] for row in page["cases"]])
        if page["next"] is None:
            break
        assert page["next"] == pages[-1][-1]
        after = ["--after", page["next"]]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [case for page in pages for case in page] == everything == sorted(everything)
    text = cli(
        "cases", "--company", company, "--current", "--status", "rnm", "--limit", 2, "--after", everything[0]
    ).out
    following = re.search("Next: `dossier (.*)`", text)
    assert following is not None
    words = following.group(1).split()
    assert words[:3] == ["cases", "--company", str(company)]
    assert "--current" in words
    assert [row["case_id"] for row in fine(*words)["cases"]] == everything[3:]
    assert "No case." in cli("cases", "--company", company, "--after", everything[-1]).out


def test_cases_with_an_unknown_status(world: World) -> None:
    code, error = refused("cases", "--status", "in_limbo")
    assert (code, error["code"], error["field"]) == (1, "not_found", "status")
    case = uuid4()
    changed = CaseStatusChanged(status="In limbo", effective_at=START, day=START.date())
    world.imported(case, CaseOpened(fields={}, company_id=world.other_company), changed)
    assert ids("--status", "In limbo") == [str(case)]
    assert ids("--status", "In limbo", "--closed") == []
    assert refused("cases", "--status", "In limbo", "--actor", world.client)[1]["code"] == "not_found"
    assert ids("--status", "pedido_cancelado") == []


# --- statuses -------------------------------------------------------------------------------------------------------


def test_statuses_are_the_seeded_ones_overlaid_by_the_table(world: World) -> None:
    listed = fine("statuses", "--catalogue", "case_codes")["statuses"]
    assert {status["catalogue"] for status in listed} == {"case_codes"}
    assert [status["code"] for status in listed][:3] == ["em_preparacao", "em_tramite", "encaminhado_analise"]
    world.do(
        DefineStatus(code="diario_oficial", catalogue="case_codes", name="Jornal", sort_order=1),
        RetireStatus(code="nova_solicitacao_visto", reason="unused"),
        DefineStatus(code="in_the_post", catalogue="post", name="In the post", order=2, may_go_to=["rnm"]),
        RetireStatus(code="in_the_post", reason="unused"),
    )
    listed = fine("statuses", "--catalogue", "case_codes")["statuses"]
    assert {status["code"]: status["name"] for status in listed}["diario_oficial"] == "Jornal"
    assert "nova_solicitacao_visto" not in {status["code"] for status in listed}
    assert fine("statuses", "--catalogue", "post")["statuses"] == []
    everything = fine("statuses", "--all")["statuses"]
    assert {status["code"] for status in everything} >= {*SEEDED, "in_the_post"}
    assert len({status["code"] for status in everything}) == len(everything)
    by_code = {status["code"]: status for status in everything}
    assert (
        by_code["rnm"].keys()
        == by_code["in_the_post"].keys()
        == {
            *("status_id", "code", "catalogue", "name", "name_en", "description", "category", "colour", "sort_order"),
            *("workflow_order", "fillable_fields", "allow_documents", "may_go_to", "in_use", "origin"),
        }
    )
    assert (by_code["rnm"]["origin"], by_code["in_the_post"]["origin"]) == ("seeded", "live")
    assert (by_code["in_the_post"]["workflow_order"], by_code["in_the_post"]["in_use"]) == (2, False)
    assert "--all" in cli("statuses").out
    code, error = refused("statuses", "--catalogue", "none")
    assert (code, error["code"], error["field"]) == (1, "not_found", "catalogue")
    assert fine("statuses", "--actor", world.client)["statuses"]


# --- stats ----------------------------------------------------------------------------------------------------------


def test_stats(make_database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    url = make_database()
    monkeypatch.setenv("DOSSIER_DATABASE_URL", url)
    with application_at(url) as app:
        world = new_world(app)
        empty = fine("cases", "stats")
        nobody = {"status": None, "cases_now": 0, "entries_ever": 0, "total_s": 0.0, "mean_s": None}
        assert empty == {
            **dict.fromkeys(("total", "migrated", "pending", "undetermined", "closed", "overdue"), 0),
            "statuses": [nobody],
        }
        now = datetime.now(UTC)
        ago = [now - timedelta(days=days) for days in (40, 30, 20)]
        world.do(
            OpenCase(case_id=world.case, status="em_preparacao", effective_at=ago[0]),
            ChangeCaseStatus(case_id=world.case, status="exigencia", effective_at=ago[1]),
            CorrectCaseStatus(case_id=world.case, entry=3, notes="by mail", reason="forgot"),
            OpenCase(case_id=world.other_case, status="em_preparacao", effective_at=ago[0]),
            ChangeCaseStatus(case_id=world.other_case, status="rnm", effective_at=ago[2]),
            RemoveCaseStatus(case_id=world.other_case, reason="wrong"),
            CloseCase(case_id=world.other_case, reason="done"),
        )
        world.imported(world.collective_case, CaseOpened(fields={}))
        for tables in ({"individualProcesses": 9}, {"individualProcesses": 4, "companies": 7}):
            started = MigrationRunStarted(
                run_id=uuid4(), system="cases", mapping_version=1, source_kind="k", tables=tables
            )
            world.imported(migration_id("cases"), started, at=now + timedelta(seconds=len(tables)))
        found = fine("cases", "stats")
    assert {name: found[name] for name in found if name != "statuses"} == {
        "total": 3,
        "migrated": 1,
        "pending": 3,
        "undetermined": 2,
        "closed": 1,
        "overdue": 1,
    }
    by_status = {entry["status"]: entry for entry in found["statuses"]}
    assert list(by_status) == ["em_preparacao", "exigencia", None]
    first, asked, unknown = by_status.values()
    assert (first["cases_now"], first["entries_ever"], first["total_s"]) == (0, 2, 30 * 86_400.0)
    assert first["mean_s"] == 15 * 86_400.0
    assert (asked["cases_now"], asked["entries_ever"]) == (1, 1)
    assert asked["total_s"] == pytest.approx(30 * 86_400, abs=60)
    assert (unknown["cases_now"], unknown["entries_ever"]) == (2, 1)
    assert unknown["mean_s"] == pytest.approx(20 * 86_400, abs=60)
    text = cli("cases", "stats").out
    assert "pending: 3" in text
    assert re.search("em_preparacao +0 +2 +30 d +15 d", text)
    assert re.search("undetermined +2 +1 +20 d", text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0 s"),
        (59.9, "59 s"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (86_400 + 59, "1 d"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
