from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.event import ERASED, Change
from domain.profile import (
    ProfileArchived,
    ProfileConflictRecorded,
    ProfileConflictResolved,
    ProfileCreated,
    ProfileEvent,
    ProfileUpdated,
    ProfileVerificationChanged,
    Verification,
)
from projections.profiles import MODEL
from tests.projections.histories import START, history, row_of

PROFILE, ACCOUNT = UUID(int=1), UUID(int=2)
CREATED = ProfileCreated(
    account_id=ACCOUNT,
    kind="personal",
    fields={"location": "Oslo", "age_range": "early 30s", "beliefs": {"diet": "x"}},
)
CONFLICT = ProfileConflictRecorded(field="location", values=("Oslo", "Rome"), chosen="Oslo", rule="first_non_empty")


def test_a_created_profile() -> None:
    assert row_of(MODEL, history(PROFILE, CREATED)) == {
        "profile_id": PROFILE,
        "account_id": ACCOUNT,
        "kind": "personal",
        "fields": {"location": "Oslo", "age_range": "early 30s", "beliefs": {"diet": "x"}},
        "completeness": 71,
        "missing": ["core_values"],
        "outside_vocabulary": ["age_range"],
        "search_words": ["", "oslo"],
        "verification": "unverified",
        "archived": False,
        "conflicts": {},
        "created_at": START + timedelta(days=1),
        "updated_at": START + timedelta(days=1),
        "origin": "live",
        "version": 1,
        "position": 10,
        "recorded_at": START + timedelta(days=1, hours=1),
    }


@pytest.mark.parametrize(
    ("events", "columns"),
    [
        (
            [
                ProfileUpdated(
                    changes={
                        "age_range": Change(old="early 30s", new="25-34"),
                        "location": Change(old="Oslo"),
                    }
                )
            ],
            {
                "fields": {"age_range": "25-34", "beliefs": {"diet": "x"}},
                "missing": ["location", "core_values"],
                "outside_vocabulary": [],
                "completeness": 43,
            },
        ),
        (
            [ProfileVerificationChanged(status=Verification.VERIFIED, previous=Verification.UNVERIFIED)],
            {"verification": "verified"},
        ),
        ([ProfileArchived(reason="old")], {"archived": True}),
        ([CONFLICT], {"conflicts": {"location": ["Oslo", "Rome"]}}),
        (
            [CONFLICT, ProfileConflictResolved(field="location", value="Rome", previous="Oslo")],
            {"conflicts": {}, "fields": {**CREATED.fields, "location": "Rome"}},  # type: ignore[dict-item]
        ),
        (
            [
                ProfileConflictRecorded(field="beliefs/diet", values=("x", "y"), chosen="x", rule="last_writer_wins"),
                ProfileConflictResolved(field="beliefs/diet", value="y", previous="x"),
            ],
            {"conflicts": {}, "fields": {**CREATED.fields, "beliefs": {"diet": "y"}}},  # type: ignore[dict-item]
        ),
        ([ProfileUpdated(changes=ERASED)], {"fields": {}, "completeness": 0}),
        (
            [ProfileConflictRecorded(field="location", values=ERASED, chosen=ERASED, rule="r")],
            {"conflicts": {}},
        ),
        (
            [CONFLICT, ProfileConflictResolved(field="location", value=ERASED, previous=ERASED)],
            {"conflicts": {}, "missing": ["location", "core_values"]},
        ),
    ],
)
def test_what_events_change(events: list[ProfileEvent], columns: dict[str, Any]) -> None:
    row = row_of(MODEL, history(PROFILE, CREATED, *events))
    assert {name: row[name] for name in columns} == columns


def test_an_erased_profile_has_no_fields() -> None:
    row = row_of(MODEL, history(PROFILE, ProfileCreated(account_id=ACCOUNT, kind="personal", fields=ERASED)))
    assert (row["fields"], row["completeness"], row["outside_vocabulary"]) == ({}, 0, [])
