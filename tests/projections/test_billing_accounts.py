from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from domain.billing import (
    BillingOpened,
    BillingUpdated,
    SubscriptionCancelled,
    SubscriptionStarted,
    SubscriptionStatusChanged,
)
from domain.event import ERASED, Change
from projections import billing_accounts, status_history
from projections.as_of import rows_known_at
from tests.projections.histories import START, history, row_of

BILLING, ACCOUNT = UUID(int=1), UUID(int=2)
DAY = timedelta(days=1)
OPENED = BillingOpened(account_id=ACCOUNT, fields={"stripe_customer_id": "cus_1", "subscription_tier": "gold"})
STARTED = SubscriptionStarted(status="active", effective_at=START)
CANCELLED = SubscriptionCancelled(
    previous="active",
    effective_at=START + 9 * DAY,
    follows=2,
    written="canceled",
    changes={"cancelled_at": Change(new="2024-01-10T00:00:00.000000Z")},
)
LATE = SubscriptionStatusChanged(
    status="past_due", previous="active", effective_at=START + 5 * DAY, follows=2, precedes=3, notes="declined"
)
PAST = history(BILLING, OPENED, STARTED, CANCELLED, LATE)


def test_the_status_in_force_is_the_latest_effective_one() -> None:
    assert row_of(billing_accounts.MODEL, PAST) == {
        "billing_id": BILLING,
        "account_id": ACCOUNT,
        "fields": {
            "stripe_customer_id": "cus_1",
            "subscription_tier": "gold",
            "cancelled_at": "2024-01-10T00:00:00.000000Z",
        },
        "outside_vocabulary": ["subscription_tier"],
        "status": "cancelled",
        "status_entry": 3,
        "status_since": START + 9 * DAY,
        "created_at": START + DAY,
        "updated_at": START + 4 * DAY,
        "origin": "live",
        "version": 4,
        "position": 40,
        "recorded_at": START + 4 * DAY + timedelta(hours=1),
    }


def test_a_billing_account_without_a_status() -> None:
    tier = BillingUpdated(changes={"subscription_tier": Change(old="gold", new="pro")})
    row = row_of(billing_accounts.MODEL, history(BILLING, OPENED, tier))
    assert (row["status"], row["status_entry"], row["outside_vocabulary"]) == (None, None, [])
    erased = BillingOpened(account_id=ACCOUNT, fields=ERASED)
    assert row_of(billing_accounts.MODEL, history(BILLING, erased))["fields"] == {}


def test_the_status_history_is_a_timeline_in_which_a_late_entry_takes_its_place() -> None:
    found = {row["entry"]: row for row in rows_known_at(status_history.MODEL, PAST, None)}
    spans = {
        entry: (row["status"], row["previous"], row["active_from"], row["active_to"], row["is_active"])
        for entry, row in found.items()
    }
    assert spans == {
        2: ("active", None, START, START + 5 * DAY, False),
        4: ("past_due", "active", START + 5 * DAY, START + 9 * DAY, False),
        3: ("cancelled", "past_due", START + 9 * DAY, None, True),
    }
    assert {row["owner_kind"] for row in found.values()} == {"subscription"}
    assert (found[3]["carried"], found[4]["notes"]) == ({"written": "canceled"}, "declined")
