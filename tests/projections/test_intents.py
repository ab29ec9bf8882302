from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.event import ERASED, Change
from domain.intent import IntentDeclared, IntentEvent, IntentRevised, IntentWithdrawn
from projections.intents import MODEL
from tests.projections.histories import START, history, row_of

INTENT, ACCOUNT = UUID(int=1), UUID(int=2)
DECLARED = IntentDeclared(
    account_id=ACCOUNT,
    context="friendship",
    fields={"friendship_depth": "deep"},
    tone_preference="sarcastic",
    context_profile_id="c1",
)


def test_a_declared_intent() -> None:
    assert row_of(MODEL, history(INTENT, DECLARED)) == {
        "intent_id": INTENT,
        "account_id": ACCOUNT,
        "context": "friendship",
        "status": "declared",
        "fields": {"friendship_depth": "deep"},
        "tone_preference": "sarcastic",
        "context_profile_id": "c1",
        "completeness": 50,
        "missing": ["group_activity_preference"],
        "outside_vocabulary": ["friendship_depth"],
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
            [IntentRevised(changes={"tone_preference": Change(old="sarcastic", new="light")})],
            {"tone_preference": "light", "fields": {"friendship_depth": "deep"}},
        ),
        (
            [
                IntentRevised(
                    changes={
                        "friendship_depth": Change(old="deep"),
                        "group_activity_preference": Change(new="one_on_one"),
                        "tone_preference": Change(old="sarcastic"),
                    }
                )
            ],
            {
                "tone_preference": None,
                "fields": {"group_activity_preference": "one_on_one"},
                "missing": ["friendship_depth"],
                "outside_vocabulary": [],
            },
        ),
        ([IntentWithdrawn(reason="found")], {"status": "withdrawn", "completeness": 50}),
        ([IntentRevised(changes=ERASED)], {"fields": {}, "tone_preference": None, "completeness": 0}),
        ([IntentWithdrawn(reason=ERASED)], {"status": "withdrawn"}),
    ],
)
def test_what_events_change(events: list[IntentEvent], columns: dict[str, Any]) -> None:
    row = row_of(MODEL, history(INTENT, DECLARED, *events))
    assert {name: row[name] for name in columns} == columns


def test_an_intent_declared_anew_begins_anew() -> None:
    anew = IntentDeclared(account_id=ACCOUNT, context="friendship", fields={})
    row = row_of(MODEL, history(INTENT, DECLARED, IntentWithdrawn(), anew))
    assert (row["status"], row["fields"], row["tone_preference"]) == ("declared", {}, None)
    assert row["created_at"] == START + timedelta(days=3)
    assert row["version"] == 3


def test_an_erased_intent_has_neither_fields_nor_tone() -> None:
    erased = IntentDeclared(account_id=ACCOUNT, context="friendship", fields=ERASED, tone_preference=ERASED)
    row = row_of(MODEL, history(INTENT, erased))
    assert (row["fields"], row["tone_preference"], row["completeness"]) == ({}, None, 0)
