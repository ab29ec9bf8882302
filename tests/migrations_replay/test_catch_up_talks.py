"""Newer exports of conversations and billing accounts that went on here too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.taken_in import rollback
from domain.billing import CancelSubscription, ChangeSubscriptionStatus, UpdateBilling
from domain.conversation import MessageRole, RecordMessage, SummariseHistory
from domain.streams import billing_id, conversation_id
from migrations_replay.systems.contexts import SYSTEM as CONTEXTS
from projections import billing_accounts, conversations, messages, status_history
from tests.support.application import watch
from tests.support.legacy import context, message
from tests.support.legacy import user as contexts_user
from tests.support.legacy_caregivers import ACCOUNT_ID, UPDATED, user
from tests.support.newer_exports import World
from tests.support.reports import is_green

TALK, BILLING = conversation_id(ACCOUNT_ID), billing_id(ACCOUNT_ID)
LATER = UPDATED + 1_000_000


def _said(*texts: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text, "timestamp": UPDATED + ord(text)} for text in texts]


def _export(*texts: str, **columns: Any) -> dict[str, list[Any]]:
    known = {"totalInteractionCount": 40, "historicalSummary": "tired", "historicalSummaryVersion": "v1"}
    paid = {"subscriptionStatus": "active", "stripeCustomerId": "cus_1"}
    return {"users": [user(recentMessages=_said(*texts), **(known | paid | columns))]}


def _texts(w: World, talk: Any = TALK) -> list[str]:
    w.app.catch_up()
    rows = w.app.reads.fetch(messages.MODEL, conversation_id=talk)
    return [row["content"] for row in sorted(rows, key=lambda row: row["number"])]


def _statuses(w: World) -> list[str]:
    rows = w.app.reads.fetch(status_history.MODEL, owner_id=BILLING)
    return [row["status"] for row in sorted(rows, key=lambda row: row["active_from"])]


def test_messages_are_added_and_interactions_add_up(world: Callable[[str], World]) -> None:
    w = world("caregivers")
    w.take(_export("a", "b"))
    after = w.app.events.head()
    report = w.run(_export("a", "b", "c", totalInteractionCount=41))
    assert is_green(report)
    assert w.topics(after) == ["conversation.message_recorded"]  # which counts by itself
    w.live(RecordMessage(conversation_id=TALK, role=MessageRole.USER, content="here"))
    # the list moved on: what was said once stays, and what was said here stands where it was said
    newest = _export("c", "d", totalInteractionCount=45, historicalSummary="rested", updatedAt=LATER)
    report = w.run(newest)
    assert is_green(report)
    assert (report["pending"], report["kept"]) == ([], [])
    assert _texts(w) == ["a", "b", "c", "here", "d"]
    talk = w.row(conversations.MODEL, TALK)
    assert (talk["interaction_count"], talk["message_count"], talk["summary"]) == (46, 5, "rested")
    assert {line["outcome"] for line in w.verify()["differences"]} == {"changed_live"}
    w.again()
    older = w.run(_export("a", "b"))
    assert (older["snapshots"]["older"], older["events"]["appended"]) == (1, 0)
    w.export(**newest)
    with w.app.pool.connection() as connection:
        connection.execute("UPDATE messages.messages SET content = 'spoilt' WHERE content = 'd'")
    wrong = [line["pointer"] for line in w.verify()["differences"] if line["outcome"] != "changed_live"]
    assert wrong == ["/recentMessages/1/content"]


def test_a_summary_and_a_payment_both_sides_changed_stay_live_and_are_told(world: Callable[[str], World]) -> None:
    w = world("caregivers")
    w.take(_export("a"))
    w.live(SummariseHistory(conversation_id=TALK, summary="slept", summary_version="v1"))
    w.live(ChangeSubscriptionStatus(account_id=ACCOUNT_ID, status="past_due"))
    w.live(UpdateBilling(account_id=ACCOUNT_ID, changes={"stripe_customer_id": "cus_live"}))
    changed = {"historicalSummary": "rested", "historicalSummaryVersion": "v2", "subscriptionStatus": "paused"}
    newer = _export("a", "b", **changed, stripeCustomerId="cus_2", stripeSubscriptionId="sub_2", updatedAt=LATER)
    report = w.run(newer)
    assert is_green(report)
    assert report["pending"] == []
    kept = {entry["field"]: (entry["live"], entry["legacy"]) for entry in report["kept"]}
    assert kept.keys() == {"summary", "status", "stripe_customer_id"}
    assert (kept["summary"][0]["summary"], kept["summary"][1]["summary"]) == ("slept", "rested")
    assert (kept["status"], kept["stripe_customer_id"]) == (("past_due", "paused"), ("cus_live", "cus_2"))
    assert _texts(w) == ["a", "b"]
    billing = w.row(billing_accounts.MODEL, BILLING)
    assert billing["fields"] == {"stripe_customer_id": "cus_live", "stripe_subscription_id": "sub_2"}
    assert billing["status"] == "past_due"
    w.again()
    # taken back with all that came since, and imported again
    rollback(w.app, "caregivers", watch, force=True, apply=True)
    assert is_green(w.run(newer))
    newest = {**newer["users"][0], "subscriptionStatus": "active", "updatedAt": LATER + 9}
    newest["recentMessages"] = _said("b", "c")
    assert is_green(w.run({"users": [newest]}))
    assert (_statuses(w), _texts(w)) == (["paused", "active"], ["a", "b", "c"])


def test_a_status_follows_the_one_it_was(world: Callable[[str], World]) -> None:
    w = world("caregivers")
    w.take(_export("a"))
    w.live(UpdateBilling(account_id=ACCOUNT_ID, changes={"subscription_tier": "pro"}))
    assert is_green(w.run(_export("a", updatedAt=LATER)))  # it is still active, and has been since
    report = w.run(_export("a", subscriptionStatus="canceled", canceledAt=LATER + 5, updatedAt=LATER + 9))
    assert is_green(report)
    assert _statuses(w) == ["active", "cancelled"]
    row = w.row(billing_accounts.MODEL, BILLING)
    assert (row["status"], row["fields"]["subscription_tier"]) == ("cancelled", "pro")
    w.again()
    # cancelled since before it was active: no event says so beside what people changed
    w = world("caregivers")
    w.take(_export("a"))
    earlier = _export("a", subscriptionStatus="canceled", canceledAt=UPDATED - 9, updatedAt=LATER)
    assert is_green(w.run(earlier))
    assert _statuses(w) == ["cancelled"]
    w.live(CancelSubscription(account_id=ACCOUNT_ID, reason="again"))
    w.again()


def test_chat_messages_that_came_later_join_the_live_ones(world: Callable[[str], World]) -> None:
    w = world("contexts")
    account = CONTEXTS.stream_of("u1")
    talk = conversation_id(account, "c1")
    rows = {"User": [contexts_user()], "ContextProfile": [context("c1")], "Profile": []}
    told = [message("m1", content="one"), message("m3", content="three", createdAt="2023-05-03T00:00:00Z")]
    w.take({**rows, "ChatMessage": told})
    w.live(RecordMessage(conversation_id=talk, role=MessageRole.USER, content="here"))
    between = message("m2", content="two", createdAt="2023-05-02T00:00:00Z")
    report = w.run({**rows, "ChatMessage": [*told, between]})
    assert is_green(report)
    assert report["pending"] == []
    assert sorted(_texts(w, talk)) == ["here", "one", "three", "two"]
    w.again()
    # an edited message is beyond an event, and waits beside the live ones
    edited = [{**told[0], "content": "uno"}, told[1], between]
    report = w.run({**rows, "ChatMessage": edited})
    assert [entry["fields"] for entry in report["pending"]] == [["messages: one was edited"]]
