"""The read models of companies, their members, and collective processes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.collective import CollectiveOpened
from domain.company import CompanyMemberAdded, CompanyMembershipEnded, CompanyRegistered, CompanyUpdated
from domain.event import ERASED, Change
from projections import collectives, companies, company_members
from projections.read_model import Row, fold_events
from tests.projections.histories import START, history, row_of

COMPANY, ACCOUNT, COLLECTIVE = UUID(int=1), UUID(int=2), UUID(int=3)
REGISTERED = CompanyRegistered(
    fields={"name": " ÁGUA Ltda ", "tax_id": "12.345.678/0001-90", "notes": "x"}, is_active=True
)
BEGUN = {
    "created_at": START + timedelta(days=1),
    "updated_at": START + timedelta(days=1),
    "origin": "live",
    "version": 1,
    "position": 10,
    "recorded_at": START + timedelta(days=1, hours=1),
}


def test_a_registered_company() -> None:
    assert row_of(companies.MODEL, history(COMPANY, REGISTERED)) == {
        "company_id": COMPANY,
        "name": " ÁGUA Ltda ",
        "name_key": "água ltda",
        "tax_id": "12.345.678/0001-90",
        "tax_digits": "12345678000190",
        "fields": {"notes": "x"},
        "is_active": True,
        **BEGUN,
    }


@pytest.mark.parametrize(
    ("changes", "columns"),
    [
        ({"name": Change(new="Sol")}, {"name": "Sol", "name_key": "sol", "fields": {"notes": "x"}}),
        ({"tax_id": Change(new=None)}, {"tax_id": None, "tax_digits": None, "name_key": "água ltda"}),
        ({"tax_id": Change(new="none")}, {"tax_id": "none", "tax_digits": None}),
        (
            {"notes": Change(new=None), "email": Change(new="a@x.org")},
            {"fields": {"email": "a@x.org"}, "tax_digits": "12345678000190", "is_active": True},
        ),
    ],
)
def test_an_update_changes_the_columns_and_what_follows_from_them(
    changes: dict[str, Change], columns: dict[str, Any]
) -> None:
    row = row_of(companies.MODEL, history(COMPANY, REGISTERED, CompanyUpdated(changes=changes)))
    assert {name: row[name] for name in columns} == columns
    assert (row["version"], row["created_at"]) == (2, START + timedelta(days=1))


def test_an_imported_company_may_be_without_a_name_or_have_what_is_none() -> None:
    row = row_of(companies.MODEL, history(COMPANY, CompanyRegistered(fields={"name": 7})))
    assert {name: row[name] for name in ("name", "name_key", "tax_id", "fields", "is_active")} == {
        "name": None,
        "name_key": None,
        "tax_id": None,
        "fields": {"name": 7},
        "is_active": None,
    }


def members(*events: Any) -> dict[int, Row]:
    found = fold_events(company_members.MODEL, {}, history(COMPANY, REGISTERED, *events))
    return {row["member"]: row for row in found.values() if row is not None}


def test_a_member() -> None:
    assert members(CompanyMemberAdded(account_id=ACCOUNT, role="lawyer")) == {
        2: {
            "company_id": COMPANY,
            "member": 2,
            "account_id": ACCOUNT,
            "person_key": None,
            "role": "lawyer",
            "fields": {},
            "is_current": True,
            "ended_reason": None,
            "created_at": START + timedelta(days=2),
            "updated_at": START + timedelta(days=2),
            "origin": "live",
            "version": 2,
            "position": 20,
            "recorded_at": START + timedelta(days=2, hours=1),
        }
    }


def test_a_membership_ends_and_another_begins() -> None:
    found = members(
        CompanyMemberAdded(account_id=ACCOUNT),
        CompanyMembershipEnded(member=2, account_id=ACCOUNT, reason="left"),
        CompanyMemberAdded(account_id=ACCOUNT),
    )
    assert {member: (row["is_current"], row["ended_reason"], row["version"]) for member, row in found.items()} == {
        2: (False, "left", 3),
        4: (True, None, 4),
    }


def test_an_imported_member_may_be_a_person_without_account() -> None:
    found = members(CompanyMemberAdded(person_key="p1", fields={"startDate": 1}, is_current=None))
    assert (found[2]["person_key"], found[2]["fields"], found[2]["is_current"]) == ("p1", {"startDate": 1}, None)


def test_erased_members() -> None:
    found = members(
        CompanyMemberAdded(account_id=ACCOUNT, role=ERASED, fields=ERASED),
        CompanyMembershipEnded(member=2, account_id=ACCOUNT, reason=ERASED),
    )
    assert (found[2]["role"], found[2]["fields"], found[2]["ended_reason"]) == (None, {}, None)


def test_the_end_of_an_unknown_membership_is_a_hole_in_the_log() -> None:
    with pytest.raises(ValueError, match="no row for stream"):
        members(CompanyMembershipEnded(member=7, account_id=ACCOUNT, reason="left"))


def test_a_collective_process() -> None:
    event = CollectiveOpened(company_id=COMPANY, reference_number="7/24", completed_at=START, legacy_keys={"a": "b"})
    assert row_of(collectives.MODEL, history(COLLECTIVE, event)) == {
        "collective_id": COLLECTIVE,
        "company_id": COMPANY,
        "legacy_keys": {"a": "b"},
        "reference_number": "7/24",
        "completed_at": START,
        **BEGUN,
    }
