"""Migrations of the cases system from end to end, on PostgreSQL."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings

from adapters.bootstrap import Application
from adapters.migration import Migration, has_findings, plan, run, run_status, verify, write_report
from adapters.samples.cases import write_sample
from domain.access import Actor
from domain.case import (
    ChangeCaseStatus,
    CloseCase,
    CorrectCaseStatus,
    RemoveCaseStatus,
    SettleCaseConflict,
    UpdateCase,
)
from domain.command import Command
from domain.company import AddCompanyMember, EndCompanyMembership, UpdateCompany
from domain.errors import NotFound
from domain.status_catalogue import DefineStatus, RetireStatus
from domain.streams import status_id
from migrations_replay.leaves import CLASSES
from migrations_replay.systems.cases import SYSTEM
from projections.all import READ_MODELS
from tests.support.any_cases import exports
from tests.support.application import application_at, stored, tables, watch
from tests.support.killed import Clean, clean_run, kill_and_resume
from tests.support.legacy import Line, write_export
from tests.support.legacy_cases import (
    AUTHOR,
    CASE_ID,
    case_status,
    collective,
    company,
    history,
    id_of,
    member,
    ms,
    person,
    process,
    status,
    when,
)
from tests.support.reports import BAD, derived_classes, is_green, true_classes, truth_of

OPERATOR = Actor.operator()
COMPANY, COLLECTIVE = id_of("company", "companies", "c1"), id_of("collective", "mainProcesses", "m1")
RNM, ACCOUNT = status_id("rnm"), UUID(AUTHOR)
CASE, ENTRY = (
    f"cases.cases|case_id = '{CASE_ID}'",
    f"status_history.status_history|owner_id = '{CASE_ID}' AND entry = 3",
)
OTHER = f"cases.cases|case_id = '{id_of('case', 'individualProcesses', 'p2')}'"
ACTIVE = f"status_history.status_history|owner_id = '{CASE_ID}' AND entry = 4"
FIRM, MEMBER = (
    f"companies.companies|company_id = '{COMPANY}'",
    f"company_members.company_members|company_id = '{COMPANY}' AND member = 2",
)
GROUP, STATUS = f"collectives.collectives|collective_id = '{COLLECTIVE}'", f"statuses.statuses|status_id = '{RNM}'"
USER = f"accounts.accounts|account_id = '{AUTHOR}'"
ROWS = {name.partition(".")[0]: name for name in (CASE, ENTRY, FIRM, MEMBER, GROUP, STATUS, USER)}


def _clean() -> dict[str, list[Any]]:
    """An export with nothing odd in it: one case of three statuses, and all that belongs to it."""
    return {
        "people": [{"_id": "per1", "fullName": "Ada"}],
        "userProfiles": [person(), person("up2", "a2", "client")],
        "companies": [company(taxId="12.345.678/0001-95", address="Rua A", isActive=True)],
        "peopleCompanies": [
            member("x1", role="Contact", startDate="2020-01-31", isCurrent=True),
            member("x2", role="Employee", isCurrent=False),
        ],
        "mainProcesses": [collective(completedAt=ms(30))],
        "caseStatuses": [
            case_status(nameEn="Registered", description="d", category="completed", color="#123456", orderNumber=9,
                        fillableFields=["rnmNumber", "rnmDeadline"], allowDocuments=True),
            case_status("k2", "aguardando", name="Aguardando", sortOrder=20),
        ],
        "individualProcesses": [
            process(personId="per1", mainProcessId="m1", status="Exigência", protocolNumber="47039",
                    douDate="2023-06-04", processStatus="Atual", completedAt=ms(29)),
            process("p2", status="deferido", isActive=True),
        ],
        "processHistory": [
            history("h1", "em_preparacao", 2),
            history("h2", "em_tramite", 3, previousStatus="em_preparacao", notes="protocolled",
                    metadata={"by": [1, "x"]}),
            history("h3", "deferido", 4, individualProcessId="p2", changedBy="a2"),
        ],
        "individualProcessStatuses": [
            status("s1", "em_tramite", 3, date="2023-06-03T12:00", notes="protocolled ", caseStatusId="k2",
                   fillableFields=["protocolNumber"], filledFieldsData={"protocolNumber": "47039"}),
            status("s2", "Exigência", 5, active=True, maxDeliveryDate="2023-07-04", clientDeadlineDate="2023-06-28"),
        ],
    }  # fmt: skip


def _odd() -> dict[str, list[Any]]:
    """The same, with cases of which something is not known or not agreed on."""
    found = _clean()
    found["individualProcesses"] += [
        process("p3"),
        process("p4", status="em_tramite"),
        process("p5", status="deferido"),
        process("p6", status="pending"),
        "{",
    ]
    found["individualProcessStatuses"] += [
        status("s5", "rnm", 3, active=True, individualProcessId="p5", changedBy="ghost"),
        status("s6", "pending", 3, individualProcessId="p6"),
    ]
    return found


def _cases(source: Path, **more: Any) -> Migration:
    return Migration.of("cases", source, **more)


def _passed(report: dict[str, Any]) -> dict[str, int]:
    """Return the rules by name with how many records break each; a rule passes if none does."""
    assert all(line["passed"] == (line["count"] == 0) for line in report["rules"])
    return {line["rule"]: line["count"] for line in report["rules"]}


def _model(name: str) -> Any:
    return next(model for model in READ_MODELS if model.name == name)


# --- plan, run, verify ------------------------------------------------------------------------------------------------


def test_a_clean_export_is_planned_migrated_proven_and_left_alone_when_repeated(
    new_app: Callable[[], Application], tmp_path: Path
) -> None:
    app, migration = new_app(), _cases(write_export(tmp_path, **_clean()))
    planned = plan(app, migration, watch)
    assert app.events.head() == 0
    assert not any(tables(app).values())
    report = run(app, migration, watch)
    aside = {"mode", "run_id", "timing"}
    assert {name: planned[name] for name in planned if name not in aside} == {
        name: report[name] for name in report if name not in aside
    }
    assert is_green(report)
    assert report["differences"] == report["findings"] == report["conflicts"] == report["quarantine"] == []
    assert sum(report["leaves"][name] for name in CLASSES) == report["leaves"]["total"] == report["reconcile"]["leaves"]
    assert report["reconcile"]["equal"] == report["leaves"]["mapped"]
    assert not any(_passed(report).values())
    assert not has_findings(report)
    before, log = tables(app), app.events.head()
    again = run(app, migration, watch)
    assert again["events"]["appended"] == 0
    assert is_green(again)
    verified = verify(app, migration, watch)
    assert is_green(verified)
    assert not has_findings(verified)
    assert (tables(app), app.events.head()) == (before, log)
    assert len(run_status(app, "cases")) == 1


def test_the_tables_after_a_clean_export(new_app: Callable[[], Application], tmp_path: Path) -> None:
    app = new_app()
    run(app, _cases(write_export(tmp_path, **_clean())), watch)
    (case,) = app.reads.fetch(_model("cases"), case_id=CASE_ID)
    assert (case["status"], case["status_entry"], case["status_since"]) == ("exigencia", 4, when(5))
    assert (case["collective_id"], case["person_id"]) == (COLLECTIVE, id_of("person", "people", "per1"))
    rows = sorted(app.reads.fetch(_model("status_history"), owner_id=CASE_ID), key=lambda row: row["entry"])
    assert [(row["status"], row["is_active"], row["changed_by"]) for row in rows] == [
        ("em_preparacao", False, AUTHOR),
        ("em_tramite", False, AUTHOR),
        ("exigencia", True, AUTHOR),
    ]
    assert {row["account_id"]: row["roles"] for row in app.reads.fetch(_model("accounts"))} == {
        ACCOUNT: ["admin"],
        id_of("account", "users", "a2"): ["client"],
    }


def test_the_rules_and_statistics_of_a_clean_export(new_app: Callable[[], Application], tmp_path: Path) -> None:
    report = run(new_app(), _cases(write_export(tmp_path, **_clean())), watch)
    assert list(_passed(report)) == [
        "every table is in the export",
        "cases = processes",
        "each case has a history",
        "exactly one active status or undetermined",
        "active status = legacy field after normalisation",
        "every author is valid",
        "every time is valid",
        "every leaf is accounted for",
        "every value is in its place",
    ]
    assert report["stats"] == {
        "before": {"total": 2, "by_status": {"exigencia": 1, "deferido": 1}},
        "after": {
            "total": 2,
            "migrated": 2,
            "pending": 0,
            "undetermined": 0,
            "entries": 4,
            "by_status": {"exigencia": 1, "deferido": 1},
        },
    }


def test_the_rules_and_statistics_of_an_odd_export(new_app: Callable[[], Application], tmp_path: Path) -> None:
    report = run(new_app(), _cases(write_export(tmp_path, **_odd())), watch)
    assert is_green(report)
    assert has_findings(report)
    assert {name: count for name, count in _passed(report).items() if count} == {
        "each case has a history": 1,  # p3
        "active status = legacy field after normalisation": 2,  # p5, p6
        "every author is valid": 2,  # p4, p5; what nobody knows needs no author
        "every time is valid": 1,  # p4
    }
    assert report["stats"] == {
        "before": {
            "total": 7,
            "by_status": {"deferido": 2, "exigencia": 1, "none": 1, "em_tramite": 1, "pending": 1},
        },
        "after": {
            "total": 6,
            "migrated": 6,
            "pending": 1,
            "undetermined": 2,
            "entries": 8,
            "by_status": {"undetermined": 2, "exigencia": 1, "deferido": 1, "em_tramite": 1, "rnm": 1},
        },
    }


def test_tables_that_are_missing_are_named(new_app: Callable[[], Application], tmp_path: Path) -> None:
    found = _clean()
    del found["companies"], found["mainProcesses"]
    report = run(new_app(), _cases(write_export(tmp_path, **found)), watch)
    missing = report["rules"][0]
    assert (missing["count"], missing["missing"]) == (3, ["mainProcesses", "collectiveProcesses", "companies"])


# --- sampled cases, 1000 of them in the soak --------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[120, pytest.param(1000, marks=pytest.mark.soak)])
def sampled(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path_factory.mktemp("sampled")
    write_sample(folder, request.param, 11)
    return folder


def test_every_leaf_of_sampled_cases_ends_in_the_class_the_truth_says(sampled: Path) -> None:
    found, truth = derived_classes(sampled, SYSTEM), true_classes(sampled)
    assert [line for line, classes in found.items() if classes != truth.get(line)] == []
    assert found.keys() == truth.keys()


def test_sampled_cases_are_migrated_and_proven(
    sampled: Path, new_app: Callable[[], Application], tmp_path: Path
) -> None:
    app, truth, migration = new_app(), truth_of(sampled), _cases(sampled)
    report = run(app, migration, watch)
    assert report["differences"] == []
    assert is_green(report)
    assert report["leaves"] == truth["leaves"]
    assert report["source"]["tables"] == truth["rows"]
    assert len(report["conflicts"]) == truth["conflicts"]
    assert len(report["unmapped"]) == truth["unmapped_records"]
    assert Counter(entry["code"] for entry in report["findings"]) == truth["findings"]
    assert Counter(entry["code"] for entry in report["quarantine"]) == truth["quarantine"]
    after, expected = report["stats"]["after"], truth["cases"]
    by_status = {name: number for name, number in after["by_status"].items() if name != "undetermined"}
    assert by_status == expected["by_status"]
    assert {name: after[name] for name in ("total", "entries", "undetermined")} == {
        "total": expected["cases"],
        "entries": expected["entries"] + expected["superseded"],
        "undetermined": expected["undetermined"],
    }
    rows = app.reads.fetch(_model("status_history"))
    assert sum(row["superseded"] for row in rows) == expected["superseded"]
    assert _passed(report)["exactly one active status or undetermined"] == 0
    for name in ("r.json", "r.md"):
        write_report(report, tmp_path / name)
    assert json.loads((tmp_path / "r.json").read_text())["stats"] == report["stats"]
    again = run(app, migration, watch)
    assert again["events"]["appended"] == 0
    assert is_green(again)


# --- values changed by SQL --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def migrated(
    tmp_path_factory: pytest.TempPathFactory, make_database: Callable[[], str]
) -> Iterator[tuple[Application, Migration]]:
    """The clean export in a database whose rows can be changed by SQL and put back."""
    migration = _cases(write_export(tmp_path_factory.mktemp("clean"), **_clean()))
    with application_at(make_database()) as app:
        assert is_green(run(app, migration, watch))
        yield app, migration
        assert verify(app, migration, watch)["differences"] == []


def _sql(app: Application, *statements: str) -> None:
    with app.pool.connection() as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _changed(migrated: tuple[Application, Migration], row: str, *statements: str) -> dict[str, Any]:
    """Change a row by SQL, verify, and put it back."""
    app, migration = migrated
    table, where = row.split("|")
    _sql(app, f"CREATE TABLE public.aside AS SELECT * FROM {table} WHERE {where}")
    try:
        _sql(app, *statements)
        return verify(app, migration, watch)
    finally:
        _sql(
            app,
            f"DELETE FROM {table} WHERE {where}",
            f"INSERT INTO {table} SELECT * FROM public.aside",
            "DROP TABLE public.aside",
        )


def _named(report: dict[str, Any]) -> set[str]:
    assert all(entry["pointer"] for entry in report["differences"]), report["differences"]
    return {f"{entry['id']}{entry['pointer']} {entry['outcome']}" for entry in report["differences"]}


@pytest.mark.parametrize(
    ("row", "change", "leaves"),
    [
        (CASE, "person_id = gen_random_uuid()", "p1/personId"),
        (CASE, "collective_id = gen_random_uuid()", "p1/mainProcessId"),
        (CASE, "legacy_keys = jsonb_set(legacy_keys, '{person_id}', '\"x\"')", "p1/personId"),
        (CASE, "status = 'rnm'", "p1/status"),
        (CASE, "fields = jsonb_set(fields, '{protocol_number}', '\"x\"')", "p1/protocolNumber"),
        (CASE, "fields = jsonb_set(fields, '{dou_date}', '\"2023-06-05\"')", "p1/douDate"),
        (OTHER, "is_current = false", "p2/isActive"),
        (CASE, "completed_at = completed_at + interval '1 microsecond'", "p1/completedAt"),
        (CASE, "created_at = created_at + interval '1 microsecond'", "p1/createdAt"),
        (ENTRY, "status = 'rnm'", "h2/newStatus s1/statusName"),
        (ENTRY, "changed_by = 'legacy-unknown'", "h2/changedBy s1/changedBy"),
        (ENTRY, "active_from = active_from - interval '1 microsecond'", "h2/changedAt s1/changedAt"),
        (ENTRY, "notes = 'other'", "h2/notes s1/notes"),
        (ENTRY, "filled = jsonb_set(filled, '{protocol_number}', '\"x\"')", "s1/filledFieldsData/protocolNumber"),
        (ENTRY, "date_text = '2023-06-04'", "s1/date"),
        (ENTRY, "carried = jsonb_set(carried, '{previous_status}', '\"rnm\"')", "h2/previousStatus"),
        (ENTRY, "carried = jsonb_set(carried, '{metadata,by,0}', '2')", "h2/metadata/by/0"),
        (ENTRY, "carried = jsonb_set(carried, '{case_status_id}', '\"k1\"')", "s1/caseStatusId"),
        (ENTRY, "carried = jsonb_set(carried, '{fillable_fields}', '[\"x\"]')", "s1/fillableFields/0"),
        (ACTIVE, "is_active = false", "s2/isActive"),
        (FIRM, "name = 'Other'", "c1/name"),
        (FIRM, "tax_id = '1'", "c1/taxId"),
        (FIRM, "is_active = false", "c1/isActive"),
        (FIRM, "fields = jsonb_set(fields, '{address}', '\"x\"')", "c1/address"),
        (FIRM, "created_at = created_at + interval '1 microsecond'", "c1/createdAt"),
        (MEMBER, "person_key = 'per2'", "x1/personId"),
        (MEMBER, "role = 'Employee'", "x1/role"),
        (MEMBER, "is_current = false", "x1/isCurrent"),
        (MEMBER, "fields = jsonb_set(fields, '{start_date}', '\"2020-02-01\"')", "x1/startDate"),
        (GROUP, "company_id = gen_random_uuid()", "m1/companyId"),
        (GROUP, "reference_number = '2'", "m1/referenceNumber"),
        (GROUP, "completed_at = completed_at + interval '1 microsecond'", "m1/completedAt"),
        (GROUP, "created_at = created_at + interval '1 microsecond'", "m1/createdAt"),
        (STATUS, "code = 'x'", "k1/code"),
        (STATUS, "name = 'x'", "k1/name"),
        (STATUS, "name_en = 'x'", "k1/nameEn"),
        (STATUS, "description = 'x'", "k1/description"),
        (STATUS, "category = 'x'", "k1/category"),
        (STATUS, "colour = 'x'", "k1/color"),
        (STATUS, "sort_order = 1", "k1/sortOrder"),
        (STATUS, "workflow_order = 1", "k1/orderNumber"),
        (STATUS, "allow_documents = false", "k1/allowDocuments"),
        (STATUS, "in_use = false", "k1/isActive"),
        (STATUS, "fillable_fields = '{rnm_number}'", "k1/fillableFields/1"),
        (STATUS, "created_at = created_at + interval '1 microsecond'", "k1/createdAt"),
        (USER, "roles = '{client}'", "up1/role"),
    ],
)
def test_a_value_changed_by_sql_is_named_by_exactly_the_leaves_that_map_to_it(
    migrated: tuple[Application, Migration], row: str, change: str, leaves: str
) -> None:
    table, where = row.split("|")
    report = _changed(migrated, row, f"UPDATE {table} SET {change} WHERE {where}")
    assert _named(report) == {f"{leaf} unexplained" for leaf in leaves.split()}
    assert report["reconcile"]["unexplained"] == len(leaves.split())
    assert has_findings(report)


@pytest.mark.parametrize(
    ("row", "change", "leaves"),
    [
        (CASE, "fields = fields - 'protocol_number'", "p1/protocolNumber"),
        (CASE, "person_id = NULL", "p1/personId"),
        (CASE, "status = NULL, status_entry = NULL, status_since = NULL, status_day = NULL", "p1/status"),
        (ENTRY, "notes = NULL", "h2/notes s1/notes"),
        (ENTRY, "filled = '{}'", "s1/filledFieldsData/protocolNumber"),
        (ENTRY, "date_text = NULL", "s1/date"),
        (FIRM, "name = NULL", "c1/name"),
        (MEMBER, "is_current = NULL", "x1/isCurrent"),
        (GROUP, "company_id = NULL", "m1/companyId"),
        (STATUS, "description = NULL", "k1/description"),
    ],
)
def test_a_value_that_is_gone_is_missing(
    migrated: tuple[Application, Migration], row: str, change: str, leaves: str
) -> None:
    table, where = row.split("|")
    report = _changed(migrated, row, f"UPDATE {table} SET {change} WHERE {where}")
    assert {f"{leaf} missing" for leaf in leaves.split()} <= {
        f"{entry['id']}{entry['pointer']} {entry['outcome']}" for entry in report["differences"]
    }
    assert report["reconcile"]["missing"] == len(leaves.split())
    assert not is_green(report)


@pytest.mark.parametrize(
    ("row", "change"),
    [
        (CASE, "status_entry = 3"),
        (CASE, "status_since = now()"),
        (CASE, "delivery_date = '2023-07-05', client_date = '2023-06-28'"),
        (CASE, "due_on = NULL"),
        (CASE, "conflicts = '{\"status\": []}'"),
        (ENTRY, "active_to = active_to + interval '1 second'"),
        (ENTRY, "previous = 'rnm'"),
        (ENTRY, "superseded = true, superseded_by = 2, duration_s = NULL"),
        (ENTRY, "day = '2023-06-04'"),
        (ENTRY, "date_at = now()"),
        (ENTRY, "date_zone = 'UTC'"),
        (ENTRY, "place = 9"),
        (ENTRY, "owner_kind = 'profile'"),
        (FIRM, "name_key = 'x'"),
        (FIRM, "tax_digits = '1'"),
        (MEMBER, "account_id = gen_random_uuid()"),
        (MEMBER, "ended_reason = 'x'"),
        (STATUS, "catalogue = 'english'"),
        (STATUS, "may_go_to = '{rnm}'"),
        (USER, "status = 'deactivated'"),
    ],
)
def test_columns_that_follow_from_others_are_proven_too(
    migrated: tuple[Application, Migration], row: str, change: str
) -> None:
    table, where = row.split("|")
    report = _changed(migrated, row, f"UPDATE {table} SET {change} WHERE {where}")
    assert not is_green(report)
    assert all(entry["pointer"] == "" for entry in report["differences"])


@pytest.mark.parametrize(("model", "row"), ROWS.items())
def test_a_row_that_is_gone_is_missing_with_every_leaf_in_it(
    migrated: tuple[Application, Migration], model: str, row: str
) -> None:
    table, where = row.split("|")
    report = _changed(migrated, row, f"DELETE FROM {table} WHERE {where}")
    assert {entry["outcome"] for entry in report["differences"]} == {"missing"} or model in ("cases", "companies")
    named = {f"{entry['id']}{entry['pointer']}" for entry in report["differences"] if entry["outcome"] == "missing"}
    in_row = {
        "cases": {
            "p1/personId",
            "p1/mainProcessId",
            "p1/status",
            "p1/protocolNumber",
            "p1/processStatus",
            "p1/createdAt",
        },
        "status_history": {"h2/newStatus", "s1/statusName", "h2/notes", "s1/date", "h2/changedBy", "h2/metadata/by/1"},
        "companies": {"c1/name", "c1/taxId", "c1/address", "c1/isActive"},
        "company_members": {"x1/personId", "x1/role", "x1/startDate", "x1/isCurrent"},
        "collectives": {"m1/companyId", "m1/referenceNumber", "m1/completedAt"},
        "statuses": {"k1/code", "k1/name", "k1/sortOrder", "k1/fillableFields/0", "k1/isActive"},
        "accounts": {"up1/role"},
    }[model]
    assert in_row <= named


@pytest.mark.parametrize(
    ("row", "change"),
    [
        (ENTRY, "entry = 99, version = 99"),
        (MEMBER, "member = 99, version = 99"),
        (ENTRY, "entry = 99, version = 99, origin = 'live'"),
        (MEMBER, "member = 99, version = 99, origin = 'live'"),
        (CASE, "case_id = gen_random_uuid()"),
        (FIRM, "company_id = gen_random_uuid()"),
        (GROUP, "collective_id = gen_random_uuid()"),
        (STATUS, "status_id = gen_random_uuid()"),
        (ENTRY, "owner_id = gen_random_uuid()"),
        (MEMBER, "company_id = gen_random_uuid()"),
    ],
)
def test_a_row_nothing_explains_is_extra(migrated: tuple[Application, Migration], row: str, change: str) -> None:
    app, migration = migrated
    table, where = row.split("|")
    _sql(
        app,
        f"CREATE TABLE public.more AS SELECT * FROM {table} WHERE {where}",
        f"UPDATE public.more SET {change}",
        f"INSERT INTO {table} SELECT * FROM public.more",
    )
    key = ", ".join(_model(table.partition(".")[0]).key)
    try:
        report = verify(app, migration, watch)
    finally:
        _sql(app, f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM public.more)", "DROP TABLE public.more")
    assert [report["reconcile"][name] for name in BAD] == [0, 1, 0]
    assert [entry["outcome"] for entry in report["differences"]] == ["extra"]


@pytest.mark.parametrize(
    ("row", "change"),
    [
        (CASE, 'fields = fields || \'{"cargo": "x"}\''),
        (ENTRY, 'filled = filled || \'{"rnm_number": "x"}\''),
        (ENTRY, "carried = carried || '{\"x\": 1}'"),
        (FIRM, 'fields = fields || \'{"email": "x"}\''),
        (MEMBER, "fields = fields || '{\"end_date\": 1}'"),
        (GROUP, 'legacy_keys = legacy_keys || \'{"x": "1"}\''),
    ],
)
def test_a_key_too_many_is_extra(migrated: tuple[Application, Migration], row: str, change: str) -> None:
    table, where = row.split("|")
    report = _changed(migrated, row, f"UPDATE {table} SET {change} WHERE {where}")
    assert [report["reconcile"][name] for name in BAD] == [0, 1, 0]


# --- values changed by commands ---------------------------------------------------------------------------------------


class Live:
    """The odd export, migrated, that commands may change."""

    def __init__(self, app: Application, source: Path) -> None:
        self.app, self.migration = app, _cases(source)

    def do(self, *commands: Command) -> None:
        for command in commands:
            self.app.dossier.execute(command, actor=OPERATOR)
        self.app.catch_up()

    def changed_live(self) -> set[str]:
        """Return the leaves that a green verification says were changed live."""
        report = verify(self.app, self.migration, watch)
        assert is_green(report), report["differences"]
        assert not has_findings(report)
        found = {f"{entry['id']}{entry['pointer']}" for entry in report["differences"]}
        assert report["reconcile"]["changed_live"] == len(found)
        return found


@pytest.fixture
def live(new_app: Callable[[], Application], tmp_path: Path) -> Live:
    app, source = new_app(), write_export(tmp_path, **_odd())
    assert is_green(run(app, _cases(source), watch))
    return Live(app, source)


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
    (entry,) = live.app.reads.fetch(_model("status_history"), owner_id=CASE_ID, entry=4)
    assert (entry["status"], entry["superseded_by"]) == ("exigencia", 6)


def test_an_imported_status_removed_live(live: Live) -> None:
    live.do(RemoveCaseStatus(case_id=CASE_ID, reason="meant for another case"))
    assert live.changed_live() == {"p1/status", "s2/isActive"}


def test_an_undetermined_case_given_a_status_live(live: Live) -> None:
    for key in ("p3", "p6"):
        live.do(ChangeCaseStatus(case_id=id_of("case", "individualProcesses", key), status="rnm"))
    assert live.changed_live() == set()
    cases = live.app.reads.fetch(_model("cases"), status="rnm")
    assert len(cases) == 3


def test_fields_of_a_case_changed_live(live: Live) -> None:
    live.do(UpdateCase(case_id=CASE_ID, changes={"protocol_number": "47040", "cargo": "x", "dou_date": None}))
    assert live.changed_live() == {"p1/protocolNumber", "p1/douDate"}


def test_a_case_closed_and_a_conflict_settled_live(live: Live) -> None:
    live.do(CloseCase(case_id=CASE_ID, reason="done"))
    assert live.changed_live() == {"p1/processStatus", "p1/completedAt"}
    other = id_of("case", "individualProcesses", "p5")
    live.do(SettleCaseConflict(case_id=other, field="status", reason="the row is right"))
    assert live.changed_live() == {"p1/processStatus", "p1/completedAt"}
    assert live.app.reads.fetch(_model("cases"), case_id=other)[0]["conflicts"] == {}


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
    _sql(live.app, f"UPDATE {change} {'AND' if 'WHERE' in change else 'WHERE'} {column} = '{CASE_ID}'")
    assert not is_green(verify(live.app, live.migration, watch))


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
    _sql(live.app, change)
    assert verify(live.app, live.migration, watch)["reconcile"][outcome] == 1


def test_a_row_that_only_claims_to_be_of_a_live_event_is_extra(live: Live) -> None:
    _sql(
        live.app,
        "CREATE TEMP TABLE forged AS SELECT * FROM status_history.status_history"
        f" WHERE owner_id = '{CASE_ID}' AND entry = 4;"
        "UPDATE forged SET entry = 1, origin = 'live', is_active = false;"
        "INSERT INTO status_history.status_history SELECT * FROM forged",
    )
    assert verify(live.app, live.migration, watch)["reconcile"]["extra"] == 1


# --- a part of it, in any batches, after a kill -----------------------------------------------------------------------


def test_a_selection_of_roots(new_app: Callable[[], Application], tmp_path: Path) -> None:
    app, source = new_app(), write_export(tmp_path, **_odd())
    for name in ("p1", "legacy:cases/processHistory/h2", "legacy:cases/individualProcesses/p1", str(CASE_ID)):
        report = run(app, _cases(source, only=(name,)), watch)
        assert is_green(report)
        assert report["snapshots"]["read"] == 5
        assert [row["case_id"] for row in app.reads.fetch(_model("cases"))] == [CASE_ID]
        assert _passed(report)["cases = processes"] == 0
        assert (report["stats"]["before"]["total"], report["stats"]["after"]["total"]) == (1, 1)
    assert app.reads.fetch(_model("companies")) == []
    report = run(app, _cases(source, only=("legacy:cases/peopleCompanies/x1",)), watch)
    assert is_green(report)
    assert len(app.reads.fetch(_model("company_members"))) == 2
    for unknown in ("p9", "legacy:cases/processHistory/h9", "legacy:contexts/User/p1"):
        with pytest.raises(NotFound):
            run(app, _cases(source, only=(unknown,)), watch)
    whole = run(app, _cases(source), watch)
    assert is_green(whole)
    assert whole["snapshots"]["unchanged"] == 8
    assert len(app.reads.fetch(_model("cases"))) == 6


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, make_database: Callable[[], str]) -> Clean:
    folder = tmp_path_factory.mktemp("clean")
    write_sample(folder, 40, 3)
    return clean_run(_cases(folder, batch_events=70), make_database())


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in (1, 2))])
def test_a_run_that_was_killed_is_simply_run_again(clean: Clean, make_database: Callable[[], str], seed: int) -> None:
    kill_and_resume(clean, make_database(), seed)


@pytest.mark.soak
def test_the_size_of_batches_does_not_change_the_outcome(clean: Clean, new_app: Callable[[], Application]) -> None:
    for batch_events in (1, 100_000):
        app = new_app()
        run(app, replace(clean.migration, batch_events=batch_events), watch)
        assert tables(app) == clean.tables
        assert stored(app) == clean.events


# --- anything ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def empty(make_database: Callable[[], str]) -> Iterator[Application]:
    with application_at(make_database()) as app:
        yield app


@settings(max_examples=6)
@given(exports(repeats=True))
def test_any_export_can_be_planned(empty: Application, rows: dict[str, list[Line]]) -> None:
    with TemporaryDirectory() as folder:
        report = plan(empty, _cases(write_export(Path(folder), **rows)), watch)
    assert is_green(report), report["differences"]
    assert report["leaves"]["total"] == sum(report["leaves"][name] for name in CLASSES)
    assert not report["pending"]


@pytest.mark.parametrize("name", [None, 5, "", " "])
@pytest.mark.parametrize("number", [0, -(2**31) - 1, 2**31, 2**63 - 1, 9e15])
def test_a_status_without_a_name_or_with_any_number_has_its_row(
    new_app: Callable[[], Application], tmp_path: Path, name: Any, number: Any
) -> None:
    found = _clean() | {"caseStatuses": [case_status(name=name, sortOrder=number, orderNumber=number)]}
    app = new_app()
    assert is_green(run(app, _cases(write_export(tmp_path, **found)), watch))
    (row,) = app.reads.fetch(_model("statuses"))
    assert (row["name"], row["sort_order"], row["workflow_order"]) == (None, number, number)
