"""Migrations of the cases system, on PostgreSQL: every value, row and column that is changed by SQL is found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from adapters.bootstrap import Application
from adapters.migration import Migration, has_findings, run, verify
from domain.streams import status_id
from projections.all import READ_MODELS
from tests.support.application import application_at, watch
from tests.support.case_exports import COLLECTIVE, COMPANY, clean_export
from tests.support.changed_by_sql import put_aside, sql
from tests.support.legacy import write_export
from tests.support.legacy_cases import AUTHOR, CASE_ID, id_of
from tests.support.reports import BAD, is_green

_cases = partial(Migration.of, "cases")
RNM = status_id("rnm")
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


@pytest.fixture(scope="module")
def migrated(
    tmp_path_factory: pytest.TempPathFactory, make_database: Callable[[], str]
) -> Iterator[tuple[Application, Migration]]:
    """The clean export in a database whose rows can be changed by SQL and put back."""
    migration = _cases(write_export(tmp_path_factory.mktemp("clean"), **clean_export()))
    with application_at(make_database()) as app:
        assert is_green(run(app, migration, watch))
        yield app, migration
        assert verify(app, migration, watch)["differences"] == []


def _changed(migrated: tuple[Application, Migration], row: str, *statements: str) -> dict[str, Any]:
    """Change a row by SQL, verify, and put it back."""
    app, migration = migrated
    table, where = row.split("|")
    with put_aside(app, table, where):
        sql(app, *statements)
        return verify(app, migration, watch)


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
    sql(
        app,
        f"CREATE TABLE public.more AS SELECT * FROM {table} WHERE {where}",
        f"UPDATE public.more SET {change}",
        f"INSERT INTO {table} SELECT * FROM public.more",
    )
    key = ", ".join(next(model.key for model in READ_MODELS if model.name == table.partition(".")[0]))
    try:
        report = verify(app, migration, watch)
    finally:
        sql(app, f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM public.more)", "DROP TABLE public.more")
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
