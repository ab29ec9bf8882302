"""The billing account: what an account pays for, and the statuses its subscription passes through.

Its status history is a timeline (`domain/timeline.py`), because a payment provider's messages may come late. What
somebody called a status is kept beside the one spelling we use for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final, Self, assert_never
from uuid import UUID

from pydantic import AwareDatetime, Field

from domain.changes import changed_fields, with_changes
from domain.command import Command, Participant, not_ahead
from domain.decider import Decider
from domain.errors import AlreadyExists, InvalidCommand, NotFound, RuleViolated
from domain.event import Change, DomainEvent, Personal, known
from domain.streams import billing_id
from domain.timeline import Entry, Timeline
from domain.values import Instant, Json, Reason, Text, normal_text, without_unset
from domain.vocabulary import check_fields, instant, instant_text, text


class Subscription(StrEnum):
    """The statuses of a subscription; strict in commands, kept as found in imports."""

    ACTIVE = "active"
    TRIALING = "trialing"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    INCOMPLETE = "incomplete"
    INCOMPLETE_EXPIRED = "incomplete_expired"
    CANCELLED = "cancelled"
    PAUSED = "paused"
    INACTIVE = "inactive"
    FREE = "free"
    NONE = "none"


OTHER_SPELLINGS: Final = {"canceled": Subscription.CANCELLED}
ENDED: Final = frozenset(
    {
        Subscription.CANCELLED,
        Subscription.INCOMPLETE_EXPIRED,
        Subscription.INACTIVE,
        Subscription.FREE,
        Subscription.NONE,
    }
)
"""The statuses after which a subscription can be started."""
CANCELLED_AT: Final = "cancelled_at"
BILLING_FIELDS: Final = {
    "subscription_tier": text("free", "pro", "enterprise"),
    "subscription_plan": text("starter", "professional", "enterprise"),
    "stripe_customer_id": text(),
    "stripe_subscription_id": text(),
    "trial_ends_at": instant(),
    CANCELLED_AT: instant(),
}


def one_spelling(status: str) -> str:
    """Return a status as we spell it: trimmed, and `cancelled` with two l; any other text stays as it is."""
    normal = normal_text(status)
    return OTHER_SPELLINGS.get(normal, normal)


# --- commands ---------------------------------------------------------------------------------------------------------


class _BillingCommand(Command):
    account_id: UUID

    def participants(self) -> tuple[Participant, ...]:
        """The billing account alone."""
        return (Participant("billing", billing_id(self.account_id)),)


class _OpeningCommand(_BillingCommand):
    def participants(self) -> tuple[Participant, ...]:
        """The billing account, and the account, which must stand and be active."""
        return *super().participants(), Participant("account", self.account_id)


class _EffectiveCommand(_BillingCommand):
    """A command that says when something took effect; left out, that is now."""

    effective_at: Instant | None = None

    def at(self, now: datetime) -> Self:
        """Return the command with its time; raises InvalidCommand for a time that lies ahead."""
        return not_ahead(self, "effective_at", now)


class OpenBilling(_OpeningCommand):
    """Open the billing account of an account; it has one."""

    fields: dict[str, Json] = Field(default_factory=dict)


class UpdateBilling(_BillingCommand):
    """Change the given fields; null or an empty value unsets one, a field left out stays."""

    changes: dict[str, Json]


class StartSubscription(_EffectiveCommand, _OpeningCommand):
    """Start a subscription, and open the billing account where there is none. It takes one that is not under way."""

    status: Text = Subscription.ACTIVE
    fields: dict[str, Json] = Field(default_factory=dict)
    notes: Reason | None = None


class ChangeSubscriptionStatus(_EffectiveCommand):
    """Give the subscription a status, from now on or from an earlier time; a late one takes its place in the history.

    `canceled` is understood, and stored as `cancelled`.
    """

    status: Text
    notes: Reason | None = None


class CancelSubscription(_EffectiveCommand):
    """Cancel the subscription."""

    reason: Reason | None = None


# --- events -----------------------------------------------------------------------------------------------------------


class BillingOpened(DomainEvent, topic="billing.opened"):
    """An account has a billing account."""

    account_id: UUID
    fields: Personal[dict[str, Any]]


class BillingUpdated(DomainEvent, topic="billing.updated"):
    """Fields changed; only those that did are named."""

    changes: Personal[dict[str, Change]]


class _SubscriptionEvent(DomainEvent):
    previous: str | None = None
    effective_at: AwareDatetime
    follows: int | None = None
    precedes: int | None = None
    written: str | None = None
    notes: Personal[str | None] = None
    changes: Personal[dict[str, Change]] = Field(default_factory=dict)


class SubscriptionStarted(_SubscriptionEvent, topic="billing.subscription_started"):
    """A subscription began, with a status from a time on.

    The version of the event is the number of the entry in the status history; `follows` and `precedes` are those
    between which it takes its place. `written` is the status as it came, where it is spelt differently; `changes` is
    what became of the fields by it.
    """

    status: str


class SubscriptionStatusChanged(_SubscriptionEvent, topic="billing.subscription_status_changed"):
    """The subscription has a status from a time on."""

    status: str


class SubscriptionCancelled(_SubscriptionEvent, topic="billing.subscription_cancelled"):
    """The subscription was cancelled; where it came late, something else may hold by now."""

    status: ClassVar[str] = Subscription.CANCELLED.value


SubscriptionEvent = SubscriptionStarted | SubscriptionStatusChanged | SubscriptionCancelled
BillingEvent = BillingOpened | BillingUpdated | SubscriptionStarted | SubscriptionStatusChanged | SubscriptionCancelled


def status_event(status: str, **said: Any) -> SubscriptionStatusChanged | SubscriptionCancelled:
    """Return the event that gives a subscription a status, in one spelling; the one it came in is kept beside."""
    one = one_spelling(status)
    written = None if one == status else status
    if one == Subscription.CANCELLED:
        return SubscriptionCancelled(written=written, **said)
    return SubscriptionStatusChanged(status=one, written=written, **said)


# --- state and decisions ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BillingState:
    """What decisions about a billing account rest on. `version` counts its events."""

    account_id: UUID | None = None
    version: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    timeline: Timeline = field(default_factory=Timeline)

    @property
    def status(self) -> str | None:
        """The status in force, None where nobody ever said one."""
        return self.timeline.active.status if self.timeline.active else None


def _decide(state: BillingState, command: Command) -> list[DomainEvent]:
    if isinstance(command, StartSubscription):
        return _start(state, command)
    if isinstance(command, OpenBilling):
        if state.account_id is not None:
            raise AlreadyExists("the account has a billing account", field="account_id", hint="see UpdateBilling")
        return [_opened(command)]
    if state.account_id is None:
        raise NotFound(
            "the account has no billing account",
            field="account_id",
            hint="open it with OpenBilling or StartSubscription",
        )
    match command:
        case UpdateBilling():
            changes = changed_fields(state.fields, _checked(command.changes, "changes"))
            return [BillingUpdated(changes=changes)] if changes else []
        case ChangeSubscriptionStatus():
            return _change(state, command.status, command.effective_at, command.notes)
        case CancelSubscription():
            return _change(state, Subscription.CANCELLED, command.effective_at, command.reason)
        case _:
            raise InvalidCommand(f"a billing account does not decide on {type(command).__name__}")


def _opened(command: OpenBilling | StartSubscription) -> BillingOpened:
    return BillingOpened(account_id=command.account_id, fields=without_unset(_checked(command.fields, "fields")))


def _checked(values: dict[str, Any], where: str) -> dict[str, Any]:
    return check_fields(BILLING_FIELDS, values, where=where, of="a billing account")


def _start(state: BillingState, command: StartSubscription) -> list[DomainEvent]:
    status = _known_status(command.status)
    events: list[DomainEvent] = []
    if state.account_id is None:
        events.append(_opened(command))
        state = BILLING.fold(events, state)
    before = state.timeline.entries[-1] if state.timeline.entries else None
    if before and before.status not in ENDED:
        raise RuleViolated(
            f"a subscription is under way: {before.status}",
            field="account_id",
            hint="change it with ChangeSubscriptionStatus, or cancel it first",
        )
    if before and command.effective_at and command.effective_at < before.at:
        raise RuleViolated("the subscription before it ended later", field="effective_at")
    wanted = {CANCELLED_AT: None} | _checked(command.fields, "fields")
    said = _said(state, status, command.effective_at, command.notes, wanted)
    events.append(SubscriptionStarted(status=status, written=_written(command.status, status), **said))
    return events


def _change(state: BillingState, written: str, at: datetime | None, notes: str | None) -> list[DomainEvent]:
    status = _known_status(written)
    cancelled = instant_text(at) if at and status == Subscription.CANCELLED else None
    said = _said(state, status, at, notes, {CANCELLED_AT: cancelled})
    if said["previous"] == status and not notes:
        return []
    return [status_event(written, **said)]


def _said(
    state: BillingState, status: str, at: datetime | None, notes: str | None, wanted: dict[str, Any]
) -> dict[str, Any]:
    """Return what an event says beside its status: its place in the history, and what changes if it is the last."""
    if at is None:
        raise InvalidCommand("when does it take effect?", field="effective_at")
    entry = Entry(at, state.version + 1, status)
    before, place = state.timeline.before(entry), state.timeline.neighbours(entry)
    return {
        "previous": before.status if before else None,
        "effective_at": at,
        **place._asdict(),
        "notes": notes,
        "changes": changed_fields(state.fields, wanted) if place.precedes is None else {},
    }


def _known_status(written: str) -> str:
    status = one_spelling(written)
    if status not in set(Subscription):
        raise InvalidCommand(
            f"there is no status {written!r}", field="status", hint=f"one of: {', '.join(Subscription)}"
        )
    return status


def _written(text_given: str, status: str) -> str | None:
    return None if text_given == status else text_given


def _evolve(state: BillingState, event: BillingEvent) -> BillingState:
    state = replace(state, version=state.version + 1)
    match event:
        case BillingOpened():
            return replace(state, account_id=event.account_id, fields=known(event.fields) or {})
        case BillingUpdated():
            return replace(state, fields=with_changes(state.fields, event.changes))
        case SubscriptionStarted() | SubscriptionStatusChanged() | SubscriptionCancelled():
            return replace(
                state,
                fields=with_changes(state.fields, event.changes),
                timeline=state.timeline.with_entry(Entry(event.effective_at, state.version, event.status)),
            )
        case _:
            assert_never(event)


BILLING: Final = Decider("billing", BillingState(), _decide, _evolve, owner=lambda state: state.account_id)
