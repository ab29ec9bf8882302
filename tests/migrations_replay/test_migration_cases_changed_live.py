"""Migrations of the cases system, on PostgreSQL: what commands change is told from what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from adapters.bootstrap import Application
from adapters.migration import Migration, plan, run
from domain.case import ChangeCaseStatus, CloseCase, CorrectCaseStatus, RemoveCaseStatus, SettleCaseConflict, UpdateCase
from domain.company import AddCompanyMember, EndCompanyMembership, UpdateCompany
from domain.status_catalogue import DefineStatus, RetireStatus
from projections import cases, status_history
from tests.support.application import tables, watch
from tests.support.case_exports import ACCOUNT, COMPANY, odd_export
from tests.support.changed_by_sql import sql
from tests.support.changed_live import Live
from tests.support.legacy import write_export
from tests.support.legacy_cases import CASE_ID, id_of, when
from tests.support.reports import is_green

_cases = partial(Migration.of, "cases")


@pytest.fixture
def live(new_app: Callable[[], Application], tmp_path: Path) -> Live:
    return Live(new_app(), _cases(write_export(tmp_path, **odd_export())))


def test_a_status_changed_live(live: Live) -> None:
    assert live.changed_live() == set()
    live.do(ChangeCaseStatus(case_id=CASE_ID, status="deferido", notes="granted"))
    assert live.changed_live() == {"p1/status", "s2/isActive"}
    live.do(ChangeCaseStatus(case_id=CASE_ID, status="exigencia", notes="again"))
    assert live.changed_live() == {"s2/isActive"}
    live.do(ChangeCaseStatus(case_id=CASE_ID, status="rnm", effective_at=when(3, 18), filled={"rnm_number": "R1"}))
    assert live.changed_live() == {"s2/isActive"}


def test_an_imported_entry_corrected_live(live: Live) -> None:
    live.do(CorrectCaseStatus(case_id=CASE_ID, entry=3, notes="another note", reason="misread"))
    assert live.changed_live() == set()  # the entry stays as it was imported, superseded
    live.do(CorrectCaseStatus(case_id=CASE_ID, entry=4, status="deferido", reason="misread"))
    assert live.changed_live() == {"p1/status", "s2/isActive"}
    (entry,) = live.app.reads.fetch(status_history.MODEL, owner_id=CASE_ID, entry=4)
    assert (entry["status"], entry["superseded_by"]) == ("exigencia", 6)


def test_an_imported_status_removed_live(live: Live) -> None:
    live.do(RemoveCaseStatus(case_id=CASE_ID, reason="meant for another case"))
    assert live.changed_live() == {"p1/status", "s2/isActive"}


def test_an_undetermined_case_given_a_status_live(live: Live) -> None:
    for key in ("p3", "p6"):
        live.do(ChangeCaseStatus(case_id=id_of("case", "individualProcesses", key), status="rnm"))
    assert live.changed_live() == set()
    assert len(live.app.reads.fetch(cases.MODEL, status="rnm")) == 3


def test_fields_of_a_case_changed_live(live: Live) -> None:
    live.do(UpdateCase(case_id=CASE_ID, changes={"protocol_number": "47040", "cargo": "x", "dou_date": None}))
    assert live.changed_live() == {"p1/protocolNumber", "p1/douDate"}


def test_a_case_closed_and_a_conflict_settled_live(live: Live) -> None:
    live.do(CloseCase(case_id=CASE_ID, reason="done"))
    assert live.changed_live() == {"p1/processStatus", "p1/completedAt"}
    other = id_of("case", "individualProcesses", "p5")
    live.do(SettleCaseConflict(case_id=other, field="status", reason="the row is right"))
    assert live.changed_live() == {"p1/processStatus", "p1/completedAt"}
    assert live.app.reads.fetch(cases.MODEL, case_id=other)[0]["conflicts"] == {}


def test_companies_and_their_members_changed_live(live: Live) -> None:
    live.do(UpdateCompany(company_id=COMPANY, changes={"name": "Acme Ltda", "address": None, "email": "e@x"}))
    assert live.changed_live() == {"c1/name", "c1/address"}
    live.do(AddCompanyMember(company_id=COMPANY, account_id=ACCOUNT))
    assert live.changed_live() == {"c1/name", "c1/address"}
    live.do(EndCompanyMembership(company_id=COMPANY, account_id=ACCOUNT, reason="left"))
    assert live.changed_live() == {"c1/name", "c1/address"}


def test_statuses_retired_and_defined_anew_live(live: Live) -> None:
    live.do(RetireStatus(code="rnm", reason="not needed"))
    assert live.changed_live() == {"k1/isActive"}
    live.do(DefineStatus(code="rnm", catalogue="case_codes", name="RNM", sort_order=10))
    assert live.changed_live() == {
        *("k1/sortOrder", "k1/nameEn", "k1/description", "k1/category", "k1/color", "k1/orderNumber"),
        *("k1/allowDocuments", "k1/fillableFields/0", "k1/fillableFields/1"),
    }


def test_a_run_after_live_changes_appends_nothing_and_keeps_them(live: Live) -> None:
    live.do(ChangeCaseStatus(case_id=CASE_ID, status="deferido"), RetireStatus(code="rnm", reason="not needed"))
    before = tables(live.app)
    report = run(live.app, live.migration, watch)
    assert report["events"]["appended"] == 0
    assert tables(live.app) == before
    assert plan(live.app, live.migration, watch)["reconcile"]["changed_live"] == 3


@pytest.mark.parametrize(
    "change",
    [
        "cases.cases SET status = 'rnm'",
        "status_history.status_history SET changed_by = 'x' WHERE entry = 4",
        "status_history.status_history SET active_to = NULL, duration_s = NULL WHERE entry = 4",
        "status_history.status_history SET notes = 'x' WHERE entry = 4",
    ],
)
def test_a_change_by_sql_on_top_of_a_live_one_is_not_green(live: Live, change: str) -> None:
    live.do(ChangeCaseStatus(case_id=CASE_ID, status="deferido"))
    column = "case_id" if change.startswith("cases") else "owner_id"
    sql(live.app, f"UPDATE {change} {'AND' if 'WHERE' in change else 'WHERE'} {column} = '{CASE_ID}'")
    assert not is_green(live.verify())


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ("DELETE FROM status_history.status_history WHERE origin = 'live'", "missing"),
        ("UPDATE status_history.status_history SET changed_by = 'x' WHERE origin = 'live'", "unexplained"),
        ("UPDATE status_history.status_history SET status = 'rnm' WHERE origin = 'live'", "unexplained"),
    ],
)
def test_a_row_of_a_live_event_is_proven_too(live: Live, change: str, outcome: str) -> None:
    live.do(ChangeCaseStatus(case_id=CASE_ID, status="deferido"))
    sql(live.app, change)
    assert live.verify()["reconcile"][outcome] == 1


def test_a_row_that_only_claims_to_be_of_a_live_event_is_extra(live: Live) -> None:
    sql(
        live.app,
        "CREATE TEMP TABLE forged AS SELECT * FROM status_history.status_history"
        f" WHERE owner_id = '{CASE_ID}' AND entry = 4;"
        "UPDATE forged SET entry = 1, origin = 'live', is_active = false;"
        "INSERT INTO status_history.status_history SELECT * FROM forged",
    )
    assert live.verify()["reconcile"]["extra"] == 1
