"""How the two aggregates with a status history are merged: cases, and billing accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from domain.billing import BILLING, BillingUpdated, SubscriptionEvent
from domain.case import CASE, CaseClosed, CaseConflictRecorded, CaseReopened, CaseStatusChanged, CaseUpdated
from domain.event import LIVE, DomainEvent
from domain.timeline import Entry
from migrations_replay.convert import same_stored
from migrations_replay.facts import ImportedEvent
from migrations_replay.merging import CannotMerge, Kept, Merging, merge_conflicts, merge_fields
from projections.read_model import Row

_OF_STATUS: Final = (
    *("status", "status_entry", "status_since", "status_day"),
    *("delivery_date", "client_date", "due_on", "instants"),
)
_SAID_BY_ENTRY: Final = (
    *("status", "active_from", "changed_by", "notes", "day", "date_text", "date_at", "date_zone"),
    *("filled", "carried", "superseded"),
)
CLOSED_THERE: Final = "closed in the legacy system"
REOPENED_THERE: Final = "current again in the legacy system"


def merge_case(merging: Merging) -> None:
    """Merge a case: each new entry takes its place in the history, fields and conflicts are merged one by one."""
    merging.same_but("cases", ("fields", "conflicts", "is_current", "completed_at", *_OF_STATUS))
    _entries(merging)
    merge_fields(merging, "cases", lambda changes: CaseUpdated(changes=changes))
    merge_conflicts(merging, "cases", CaseConflictRecorded)
    rows = said, says, _ = merging.rows("cases")
    if merging.three_way(*({"is_current": row["is_current"]} for row in rows)):
        closed: DomainEvent = CaseClosed(reason=CLOSED_THERE)
        event = CaseReopened(reason=REOPENED_THERE) if says["is_current"] else closed
        merging.append(event, "is_current")
        if says["completed_at"] and not says["is_current"]:
            merging.events[-1] = merging.events[-1]._replace(occurred_at=says["completed_at"])
    elif not same_stored(said["completed_at"], says["completed_at"]):
        raise CannotMerge("cases.completed_at")


def _entries(merging: Merging) -> None:
    """Give each entry that is new its place among those in force; one that changed or went is beyond a merge."""
    told, before = merging.says.of("status_history"), merging.said.of("status_history")
    left = dict(before)
    added = []
    for number, row in told.items():
        found = merging.became.get(number)
        if found not in left:
            found = next((known for known, old in left.items() if found is None and _same_entry(old, row)), None)
        if found is None:
            added.append(number)
            continue
        old = left.pop(found)
        if differing := [name for name in _SAID_BY_ENTRY if not same_stored(old[name], row[name])]:
            raise CannotMerge(*(f"status_history.{name}" for name in differing))
        merging.numbers.known[merging.stream, number] = found
    if any(row["status"] is not None for row in left.values()):
        raise CannotMerge("status_history: an entry is gone")
    timeline = merging.state(CASE).timeline
    overruled_by = _live_status(merging)
    for number in added:
        told_as = merging.says.events[number]
        event = told_as.event
        assert isinstance(event, CaseStatusChanged)
        merging.numbers.known[merging.stream, number] = merging.next_version
        overruled = merging.numbers.of(merging.stream, event.superseded_by) if event.superseded_by else None
        entry = Entry(event.effective_at, merging.next_version, event.status)
        if overruled is None and overruled_by and timeline.neighbours(entry).precedes is None:
            overruled = overruled_by
        named: dict[str, Any] = {"follows": None, "precedes": None, "superseded_by": overruled}
        if overruled is None:
            previous, place = timeline.before(entry), timeline.neighbours(entry)
            timeline = timeline.with_entry(entry)
            named |= {"follows": place.follows, "precedes": place.precedes}
            named["previous"] = previous.status if previous else None
        merging.append(event.model_copy(update=named), like=told_as)


def _same_entry(one: Row, other: Row) -> bool:
    return bool(one["status"] == other["status"] and one["active_from"] == other["active_from"])


def _live_status(merging: Merging) -> int | None:
    """Return the entry of a status that was set live, where the newer import says another than before: it stays."""
    said, says, now = merging.rows("cases")
    entry = merging.now.of("status_history").get(now["status_entry"] or 0)
    if entry is None or entry["origin"] != LIVE or said["status"] == says["status"] or now["status"] == says["status"]:
        return None
    merging.kept.append(Kept("status", now["status"], says["status"]))
    found: int = now["status_entry"]
    return found


# --- billing ----------------------------------------------------------------------------------------------------------


def merge_billing(merging: Merging) -> None:
    """Merge what is paid for field by field; another status follows the one it was, unless people gave one since."""
    merging.same_but("billing_accounts", ("fields", "outside_vocabulary", "status", "status_entry", "status_since"))
    merge_fields(merging, "billing_accounts", lambda changes: BillingUpdated(changes=changes))
    said, says, now = (row["status"] for row in merging.rows("billing_accounts"))
    before, told = _subscription(merging.said.events), _subscription(merging.says.events)
    if merging.remapped and not merging.live and (before and before.occurred_at) != (told and told.occurred_at):
        raise CannotMerge("billing_accounts.status_since")
    if not merging.takes("status", said, says, now):
        return
    if told is None:
        raise CannotMerge("billing_accounts.status")
    event: Any = told.event
    timeline = merging.state(BILLING).timeline
    entry = Entry(event.effective_at, merging.next_version, event.status)
    previous, place = timeline.before(entry), timeline.neighbours(entry)
    if place.precedes is not None:  # it began before what was in force until now
        raise CannotMerge("billing_accounts.status_since")
    named = {"previous": previous.status if previous else None, "follows": place.follows, "precedes": None}
    merging.append(event.model_copy(update=named), like=told)


def _subscription(events: Mapping[int, ImportedEvent]) -> ImportedEvent | None:
    """Return the last of these events that gives the subscription a status."""
    return next((told for _, told in sorted(events.items(), reverse=True) if _gives_status(told)), None)


def _gives_status(imported: ImportedEvent) -> bool:
    return isinstance(imported.event, SubscriptionEvent)
