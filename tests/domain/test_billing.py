from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.billing import (
    BILLING,
    BillingOpened,
    BillingUpdated,
    CancelSubscription,
    ChangeSubscriptionStatus,
    OpenBilling,
    StartSubscription,
    SubscriptionCancelled,
    SubscriptionStarted,
    SubscriptionStatusChanged,
    UpdateBilling,
    one_spelling,
    status_event,
)
from domain.errors import AlreadyExists, InvalidCommand, NotFound, RuleViolated
from domain.event import Change
from domain.vocabulary import instant_text
from tests.support.examples import ACCOUNT_ID as ADA
from tests.support.examples import COMMANDS
from tests.support.given_when_then import given

DAY = timedelta(days=1)
NOW = datetime(2026, 1, 2, tzinfo=UTC)
OPENED = BillingOpened(account_id=ADA, fields={"stripe_customer_id": "cus_1"})
STARTED = SubscriptionStarted(status="active", effective_at=NOW)


def _change(status: str, at: datetime, **more: Any) -> ChangeSubscriptionStatus:
    return ChangeSubscriptionStatus(account_id=ADA, status=status, effective_at=at, **more)


def test_an_account_has_one_billing_account() -> None:
    command = OpenBilling(account_id=ADA, fields={"stripe_customer_id": " cus_1 ", "subscription_tier": ""})
    assert BILLING.owner(given(BILLING).when(command).then(OPENED)) == ADA
    given(BILLING, OPENED).when(command).raises(AlreadyExists, field="account_id")


def test_only_what_changed_is_said() -> None:
    changes = {"stripe_customer_id": "cus_1", "subscription_plan": "bespoke", "trial_ends_at": "2026-02-01T01:00+01:00"}
    given(BILLING, OPENED).when(UpdateBilling(account_id=ADA, changes=changes)).then(
        BillingUpdated(
            changes={
                "subscription_plan": Change(new="bespoke"),
                "trial_ends_at": Change(new="2026-02-01T00:00:00.000000Z"),
            }
        )
    )
    given(BILLING, OPENED).when(UpdateBilling(account_id=ADA, changes={"stripe_customer_id": "cus_1"})).nothing()
    given(BILLING, OPENED).when(UpdateBilling(account_id=ADA, changes={"card": "4242"})).raises(
        InvalidCommand, field="changes.card"
    )


def test_starting_a_subscription_opens_the_billing_account_where_there_is_none() -> None:
    start = StartSubscription(account_id=ADA, effective_at=NOW, fields={"stripe_customer_id": "cus_1"})
    assert given(BILLING).when(start).then(OPENED, STARTED).status == "active"


def test_a_subscription_is_started_after_the_one_before_ended() -> None:
    start = StartSubscription(account_id=ADA, status="trialing", effective_at=NOW + 2 * DAY)
    given(BILLING, OPENED, STARTED).when(start).raises(RuleViolated, field="account_id")
    cancelled = SubscriptionCancelled(
        previous="active", effective_at=NOW + DAY, follows=2, changes={"cancelled_at": Change(new="x")}
    )
    state = (
        given(BILLING, OPENED, STARTED, cancelled)
        .when(start)
        .then(
            SubscriptionStarted(
                status="trialing",
                previous="cancelled",
                effective_at=NOW + 2 * DAY,
                follows=3,
                changes={"cancelled_at": Change(old="x", new=None)},
            )
        )
    )
    assert state.fields == {"stripe_customer_id": "cus_1"}
    early = start.model_copy(update={"effective_at": NOW})
    given(BILLING, OPENED, STARTED, cancelled).when(early).raises(RuleViolated, field="effective_at")


@pytest.mark.parametrize("written", ["cancelled", "canceled", " canceled "])
def test_cancelled_has_one_spelling_and_what_was_written_is_kept(written: str) -> None:
    spelt = None if written == "cancelled" else written.strip()
    at = instant_text(NOW + DAY)
    event = SubscriptionCancelled(
        previous="active",
        effective_at=NOW + DAY,
        follows=2,
        written=spelt,
        changes={"cancelled_at": Change(new=at)},
    )
    state = given(BILLING, OPENED, STARTED).when(_change(written, NOW + DAY)).then(event)
    assert (state.status, state.fields["cancelled_at"]) == ("cancelled", at)
    assert one_spelling(written) == "cancelled"


def test_a_subscription_is_cancelled_by_its_person() -> None:
    cancel = CancelSubscription(account_id=ADA, reason="too dear", effective_at=NOW + DAY)
    (event,) = BILLING.decide(BILLING.fold([OPENED, STARTED]), cancel)
    assert isinstance(event, SubscriptionCancelled)
    assert event.notes == "too dear"
    given(BILLING, OPENED).when(CancelSubscription(account_id=ADA)).raises(InvalidCommand, field="effective_at")


def test_a_late_status_takes_its_place_and_changes_nothing_since() -> None:
    later = SubscriptionStatusChanged(status="paused", previous="active", effective_at=NOW + 3 * DAY, follows=2)
    state = (
        given(BILLING, OPENED, STARTED, later)
        .when(_change("canceled", NOW + DAY))
        .then(
            SubscriptionCancelled(previous="active", effective_at=NOW + DAY, follows=2, precedes=3, written="canceled")
        )
    )
    assert (state.status, "cancelled_at" in state.fields) == ("paused", False)


def test_the_same_status_again_is_no_change_unless_it_says_something() -> None:
    given(BILLING, OPENED, STARTED).when(_change("active", NOW + DAY)).nothing()
    given(BILLING, OPENED, STARTED).when(_change("active", NOW + DAY, notes="renewed")).then(
        SubscriptionStatusChanged(
            status="active", previous="active", effective_at=NOW + DAY, follows=2, notes="renewed"
        )
    )


def test_statuses_are_strict_in_commands_and_kept_as_found_in_imports() -> None:
    given(BILLING, OPENED, STARTED).when(_change("gold", NOW)).raises(InvalidCommand, field="status")
    kept = status_event("gold", effective_at=NOW)
    assert kept == SubscriptionStatusChanged(status="gold", effective_at=NOW)
    assert BILLING.fold([OPENED, kept]).status == "gold"


@pytest.mark.parametrize("name", ["UpdateBilling", "ChangeSubscriptionStatus", "CancelSubscription"])
def test_there_must_be_a_billing_account(name: str) -> None:
    given(BILLING).when(COMMANDS[name]).raises(NotFound, field="account_id")


@pytest.mark.parametrize("name", sorted(name for name in COMMANDS if "Billing" not in name and "Subscri" not in name))
def test_a_billing_account_does_not_decide_on_what_does_not_name_it(name: str) -> None:
    given(BILLING, OPENED).when(COMMANDS[name]).raises(InvalidCommand, field=None)
