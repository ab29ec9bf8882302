"""The billing accounts as they are now: what is paid for, and the status of the subscription in force."""

from __future__ import annotations

from typing import Final, assert_never

from domain.billing import (
    BILLING_FIELDS,
    BillingEvent,
    BillingOpened,
    BillingUpdated,
    SubscriptionCancelled,
    SubscriptionStarted,
    SubscriptionStatusChanged,
)
from domain.changes import with_changes
from domain.event import Recorded, known
from domain.vocabulary import outside_vocabulary
from projections.columns import begun, changed, present, topics_of
from projections.read_model import Row, one_row_a_stream


def _fold(row: Row | None, recorded: Recorded) -> Row:
    event: BillingEvent = recorded.event
    if isinstance(event, BillingOpened):
        return _opened(event, recorded)
    row = present(row, recorded)
    columns = _judged(with_changes(row["fields"], event.changes))
    match event:
        case BillingUpdated():
            pass
        case SubscriptionStarted() | SubscriptionStatusChanged() | SubscriptionCancelled():
            if event.precedes is None:
                columns |= {
                    "status": event.status,
                    "status_entry": recorded.version,
                    "status_since": event.effective_at,
                }
        case _:
            assert_never(event)
    return changed(row, recorded, **columns)


def _opened(event: BillingOpened, recorded: Recorded) -> Row:
    return begun(
        recorded,
        billing_id=recorded.stream,
        account_id=event.account_id,
        **_judged(known(event.fields) or {}),
        status=None,
        status_entry=None,
        status_since=None,
        created_at=recorded.occurred_at,
    )


def _judged(fields: Row) -> Row:
    return {"fields": fields, "outside_vocabulary": outside_vocabulary(BILLING_FIELDS, fields)}


MODEL: Final = one_row_a_stream(
    "billing_accounts", version=1, key="billing_id", topics=topics_of(BillingEvent), fold=_fold
)
