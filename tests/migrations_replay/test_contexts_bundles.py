"""The mapping of the contexts system, C21 to C23 of `docs/legacy/contexts.md`: what is left, and bundles as a whole."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from migrations_replay.leaves import MAPPED, NORMALISED
from migrations_replay.systems.contexts import SYSTEM
from tests.support.any_contexts import exports
from tests.support.laws import Export, adds_up_in_any_order, is_proven
from tests.support.legacy import Implied, blob, blobs, context, message, rows_of, user

# --- C21–C23 ----------------------------------------------------------------------------------------------------------


def test_c21_everything_else_is_unmapped_one_entry_a_record() -> None:
    found = Implied(
        User=[user(image="x.png", flags={"a/b": 1, "c": None})],
        ContextProfile=[context("c1", "service", note="n")],
        Profile=[
            blob(
                "c1",
                {
                    "intent": "i",
                    "dealbreakers": ["d", ""],
                    "preferences": [],
                    "creativeType": "film",
                    "serviceType": "seeking",
                },
                legacy=True,
            )
        ],
    )
    assert {
        (entry["table"], entry["id"]): (entry.get("context"), entry["fields"]) for entry in found.facts.unmapped
    } == {
        ("User", "u1"): (None, {"/image": "x.png", "/flags/a~1b": 1}),
        ("ContextProfile", "c1"): ("service", {"/note": "n"}),
        ("Profile", "pc1"): (
            "service",
            {"/data/intent": "i", "/data/dealbreakers/0": "d", "/data/creativeType": "film", "/legacy": True},
        ),
    }
    assert len(found.facts.unmapped) == 3
    assert found.row("intents")["fields"] == {"service_type": "seeking"}


def test_c22_messages_become_a_conversation_a_context_profile() -> None:
    early = "2023-04-30T10:00:00.000Z"
    found = Implied(
        User=[user()],
        ContextProfile=[context("c1")],
        ChatMessage=[
            message("m1", content=None, offRecord=True),
            message("m0", content=" hello ", role="tool", createdAt=early, mood="glad"),
            message("m2", contextProfileId="c9", createdAt="soon"),
            message("m3", contextProfileId=None, content=12, offRecord="no"),
        ],
    )
    talk = found.row("conversations", context="romantic")
    assert (talk["context_profile_id"], talk["message_count"], talk["interaction_count"]) == ("c1", 2, None)
    assert talk["account_id"] == found.facts.subject
    first, marker = found.row("messages", key="m0"), found.row("messages", key="m1")
    assert [first[name] for name in ("number", "role", "content", "off_record")] == [2, "tool", "hello", False]
    assert first["sent_at"] == datetime(2023, 4, 30, 10, tzinfo=UTC)
    assert [marker[name] for name in ("number", "role", "content", "off_record")] == [3, "user", None, True]
    assert found.row("conversations", context_profile_id="c9")["message_count"] == 1
    assert found.row("conversations", context_profile_id=None)["message_count"] == 1
    assert found.row("messages", key="m2")["sent_at"] is None
    assert found.class_of("ChatMessage", "m1", "/content") == NORMALISED
    assert found.class_of("ChatMessage", "m0", "/content") == NORMALISED
    assert found.class_of("ChatMessage", "m0", "/contextProfileId") == MAPPED
    assert [entry["fields"] for entry in found.facts.unmapped] == [{"/mood": "glad"}]
    assert found.findings == [
        ("ChatMessage", "m0", "role", "outside_vocabulary"),
        ("ChatMessage", "m2", "contextProfileId", "dangling_reference"),
        ("ChatMessage", "m2", "createdAt", "assumed_time"),
        ("ChatMessage", "m2", "createdAt", "unreadable"),
        ("ChatMessage", "m3", "content", "unreadable"),
        ("ChatMessage", "m3", "offRecord", "unreadable"),
    ]


def test_c23_a_user_without_contexts_gets_an_empty_profile() -> None:
    found = Implied(User=[user("anna-demo")])
    assert [event.event.topic for stream in found.facts.streams for event in stream.events] == [
        *("account.registered", "account.profile_added", "account.active_profile_switched", "profile.created")
    ]
    assert found.profile == {}
    assert not [model for model, _ in rows_of(found.facts) if model == "intents"]


def test_c23_a_context_without_a_profile_row_gets_an_empty_intent() -> None:
    found = Implied(User=[user()], ContextProfile=[context("c1", "service", tonePreference="light")])
    row = found.row("intents")
    assert (row["fields"], row["tone_preference"], row["context_profile_id"]) == ({}, "light", "c1")


def test_the_recorded_run_of_the_legacy_team() -> None:
    """2.5: no conflict, and the two reports of `intent`, `preferences` and `dealbreakers` without a target."""
    data = {"name": "Ada", "location": "Bern", "intent": "i", "preferences": ["p"], "dealbreakers": ["d"]}
    found = blobs(data, {"name": "Ada", "location": "Bern"})
    assert found.conflicts == {}
    assert [sorted(entry["fields"]) for entry in found.facts.unmapped] == [
        ["/data/dealbreakers/0", "/data/intent", "/data/preferences/0"]
    ]


def test_provenance_names_every_source_of_a_value() -> None:
    found = blobs(
        {"location": "Bern", "beliefs": {"k": 1}}, {"location": "Bern ", "beliefs": {"k": 2}}, {"location": "Chur"}
    )
    (created,) = [
        new for stream in found.facts.streams for new in stream.events if new.event.topic == "profile.created"
    ]
    assert created.provenance
    assert [tuple(source) for source in created.provenance["location"]] == [
        ("Profile", "pc1", "/data/location"),
        ("Profile", "pc2", "/data/location"),
    ]
    assert [tuple(source) for source in created.provenance["beliefs/k"]] == [("Profile", "pc2", "/data/beliefs/k")]


# --- any bundle -------------------------------------------------------------------------------------------------------


@example(
    tables={
        "User": ['{"id": "u1"}'],
        "ContextProfile": ['{"id": "c1", "userId": "u1", "contextType": "romantic"}'],
        "Profile": [],
        "ChatMessage": ['{"id": "m1", "userId": "u1", "contextProfileId": ["a", {"k": ""}]}'],
    },
    rng=random.Random(1),
)
@settings(max_examples=30)
@given(exports(), st.randoms(use_true_random=False))
def test_any_bundle_adds_up_and_is_derived_the_same_whatever_the_order_of_lines(tables: Export, rng: Any) -> None:
    adds_up_in_any_order(SYSTEM, tables, rng)


@settings(max_examples=25)
@given(exports())
def test_what_any_bundle_implies_can_be_stored_read_back_and_proven(tables: Export) -> None:
    is_proven(SYSTEM, tables)
