from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from domain.access import Role
from domain.account import (
    AccountDeactivated,
    AccountEvent,
    AccountRegistered,
    AccountUpdated,
    ActiveProfileSwitched,
    ContactChanged,
    ProfileAdded,
    ProfileRemoved,
    RoleGranted,
    RoleRevoked,
)
from domain.event import ERASED, Change
from projections.accounts import MODEL
from tests.projections.histories import START, history, row_of

ACCOUNT, FIRST, SECOND = UUID(int=1), UUID(int=2), UUID(int=3)
REGISTERED = AccountRegistered(email="a@x.org", phone="1", name="Ada", details={"first_name": "Ada"})


def test_a_registered_account() -> None:
    assert row_of(MODEL, history(ACCOUNT, REGISTERED)) == {
        "account_id": ACCOUNT,
        "email": "a@x.org",
        "phone": "1",
        "name": "Ada",
        "details": {"first_name": "Ada"},
        "status": "active",
        "roles": [],
        "primary_profile_id": None,
        "active_profile_id": None,
        "registered_at": START + timedelta(days=1),
        "updated_at": START + timedelta(days=1),
        "origin": "live",
        "version": 1,
        "position": 10,
        "recorded_at": START + timedelta(days=1, hours=1),
    }


def test_a_later_event_moves_the_marks_and_not_the_registration() -> None:
    row = row_of(MODEL, history(ACCOUNT, REGISTERED, RoleGranted(role=Role.ADMIN)))
    assert row["registered_at"] == START + timedelta(days=1)
    assert row["updated_at"] == START + timedelta(days=2)
    assert (row["version"], row["position"]) == (2, 20)
    assert row["recorded_at"] == START + timedelta(days=2, hours=1)


@pytest.mark.parametrize(
    ("events", "columns"),
    [
        (
            [ContactChanged(changes={"email": Change(old="a@x.org"), "name": Change(new="B")})],
            {"email": None, "name": "B"},
        ),
        ([RoleGranted(role=Role.SUPPORT), RoleGranted(role=Role.ADMIN)], {"roles": ["admin", "support"]}),
        ([RoleGranted(role=Role.SUPPORT), RoleRevoked(role=Role.SUPPORT)], {"roles": []}),
        ([AccountDeactivated(reason="gone")], {"status": "deactivated"}),
        (
            [
                ProfileAdded(profile_id=FIRST, kind="personal"),
                ActiveProfileSwitched(profile_id=FIRST, previous=None),
                ProfileAdded(profile_id=SECOND, kind="personal"),
            ],
            {"primary_profile_id": FIRST, "active_profile_id": FIRST},
        ),
        (
            [
                ProfileAdded(profile_id=FIRST, kind="personal"),
                ActiveProfileSwitched(profile_id=FIRST, previous=None),
                ProfileRemoved(profile_id=FIRST),
                ActiveProfileSwitched(profile_id=None, previous=FIRST),
            ],
            {"primary_profile_id": FIRST, "active_profile_id": None},
        ),
        ([ContactChanged(changes=ERASED)], {"email": None, "phone": None, "name": None}),
        (
            [AccountUpdated(changes={"first_name": Change(old="Ada"), "last_name": Change(new="B")})],
            {"details": {"last_name": "B"}, "name": "Ada"},
        ),
        ([AccountUpdated(changes=ERASED)], {"details": {}}),
        ([AccountDeactivated(reason=ERASED)], {"status": "deactivated", "email": "a@x.org"}),
    ],
)
def test_what_events_change(events: list[AccountEvent], columns: dict[str, object]) -> None:
    row = row_of(MODEL, history(ACCOUNT, REGISTERED, *events))
    assert {name: row[name] for name in columns} == columns


def test_an_erased_registration_has_no_contact() -> None:
    row = row_of(MODEL, history(ACCOUNT, AccountRegistered(email=ERASED, phone=ERASED, name=ERASED, details=ERASED)))
    assert (row["email"], row["phone"], row["name"], row["details"]) == (None, None, None, {})


def test_a_row_is_not_changed_in_place() -> None:
    first = row_of(MODEL, history(ACCOUNT, REGISTERED))
    before = dict(first)
    MODEL.evolve({(ACCOUNT,): first}, history(ACCOUNT, RoleGranted(role=Role.ADMIN), first=2)[0])
    assert first == before


def test_a_log_with_a_hole_shouts() -> None:
    with pytest.raises(ValueError, match="no row for stream"):
        row_of(MODEL, history(uuid4(), RoleGranted(role=Role.ADMIN)))


def test_an_event_of_a_subscribed_topic_that_is_not_handled_shouts() -> None:
    stray = history(ACCOUNT, REGISTERED)[0]._replace(event="stray")
    row = row_of(MODEL, history(ACCOUNT, REGISTERED))
    with pytest.raises(AssertionError):
        MODEL.evolve({(ACCOUNT,): row}, stray)
