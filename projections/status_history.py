"""The status histories of cases and subscriptions, and of the verification of profiles.

An entry a row, from when to when it held.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, assert_never

from domain.billing import SubscriptionCancelled, SubscriptionEvent, SubscriptionStarted, SubscriptionStatusChanged
from domain.case import CaseStatusChanged, CaseStatusCorrected, CaseStatusRemoved, StatusEntryEvent, deadlines
from domain.event import Recorded, known
from domain.profile import ProfileVerificationChanged
from projections.columns import begun, changed, present, topics_of
from projections.read_model import Key, ReadModel, Row, Rows

_Event = StatusEntryEvent | ProfileVerificationChanged | SubscriptionEvent
_UNSET: Final = (
    *("previous", "active_to", "notes", "reason", "superseded_by", "day", "date_text", "date_at", "date_zone"),
    *("delivery_date", "client_date", "duration_s"),
)


def _touches(recorded: Recorded) -> Iterable[Key]:
    event: _Event = recorded.event
    return [(recorded.stream, number) for number in {recorded.version, *_others(event)} if number is not None]


def _others(event: _Event) -> set[int | None]:
    """Return the entries an event changes beside the one it makes."""
    match event:
        case ProfileVerificationChanged():
            return {event.follows}
        case CaseStatusChanged(superseded_by=int()):
            return set()
        case CaseStatusChanged() | SubscriptionStarted() | SubscriptionStatusChanged() | SubscriptionCancelled():
            return {event.follows, event.precedes}
        case CaseStatusCorrected():
            return {event.entry, *event.left_between, event.follows, event.precedes}
        case CaseStatusRemoved():
            return {event.entry, event.follows, event.precedes}
        case _:
            assert_never(event)


class _Entries:
    """The entries one event touches, by number, on their way from before it to after it."""

    def __init__(self, rows: Rows, recorded: Recorded) -> None:
        self._before = {number: row for (_, number), row in rows.items()}
        self._rows = dict(self._before)
        self._recorded = recorded

    def __getitem__(self, number: int) -> Row:
        return present(self._rows.get(number), self._recorded)

    def change(self, number: int, **columns: Any) -> None:
        """Give an entry these columns."""
        self._rows[number] = {**self[number], **columns}

    def begin(self, row: Row) -> None:
        """Put the entry there that the event makes."""
        self._rows[self._recorded.version] = row

    def join(self, number: int | None, following: int | None) -> None:
        """Let two entries stand side by side: one holds until the other begins. None stands for either end."""
        if number is not None:
            self.change(number, **_until(self[number], None if following is None else self[following]["active_from"]))
        if following is not None:
            self.change(following, previous=None if number is None else self[number]["status"])

    def after(self) -> Mapping[Key, Row]:
        """Return the entries; those that are no longer what they were have the event as their last change."""
        return {
            (self._recorded.stream, number): row if row == self._before.get(number) else changed(row, self._recorded)
            for number, row in self._rows.items()
        }


def _evolve(rows: Rows, recorded: Recorded) -> Mapping[Key, Row]:
    event: _Event = recorded.event
    entries, number = _Entries(rows, recorded), recorded.version
    match event:
        case ProfileVerificationChanged():
            entries.begin(_verified(event, recorded, entries))
            # Version 1 does not say what it follows, so whether it is the active one is not known either.
            if recorded.schema_version > 1:
                _place(entries, number, event.follows, None)
        case SubscriptionStarted() | SubscriptionStatusChanged() | SubscriptionCancelled():
            entries.begin(_subscribed(event, recorded))
            _place(entries, number, event.follows, event.precedes)
        case CaseStatusChanged():
            entries.begin(_changed(event, recorded))
            if event.superseded_by is None:
                _place(entries, number, event.follows, event.precedes)
        case CaseStatusCorrected():
            entries.begin(_corrected(event, recorded, entries))
            _supersede(entries, event.entry, number)
            entries.join(*event.left_between)
            _place(entries, number, event.follows, event.precedes)
        case CaseStatusRemoved():
            # Beside the superseded entry nothing moves: the new one begins at the same time.
            entries.begin(_removed(event, recorded, entries))
            _supersede(entries, event.entry, number)
            _place(entries, number, event.follows, event.precedes)
        case _:
            assert_never(event)
    return entries.after()


def _place(entries: _Entries, number: int, follows: int | None, precedes: int | None) -> None:
    if follows is not None:
        entries.join(follows, number)
    entries.join(number, precedes)


def _supersede(entries: _Entries, number: int, by: int) -> None:
    """Take an entry out of force; it keeps the times between which it held."""
    entries.change(number, is_active=False, superseded=True, superseded_by=by, duration_s=None)


def _until(row: Row, end: datetime | None) -> Row:
    return {
        "active_to": end,
        "is_active": end is None and row["status"] is not None,
        "duration_s": (end - row["active_from"]).total_seconds() if end else None,
    }


def _changed(event: CaseStatusChanged, recorded: Recorded) -> Row:
    dated = event.dated
    return _entry(
        recorded,
        event.status,
        event.effective_at,
        previous=event.previous,
        superseded=event.superseded_by is not None,
        superseded_by=event.superseded_by,
        date_text=dated.text if dated else None,
        date_at=dated.instant if dated else None,
        date_zone=dated.zone if dated else None,
        carried=known(event.carried) or {},
        **_said(event),
    )


def _corrected(event: CaseStatusCorrected, recorded: Recorded, entries: _Entries) -> Row:
    return _entry(recorded, event.status, event.effective_at, **_instead(event, entries), **_said(event))


def _removed(event: CaseStatusRemoved, recorded: Recorded, entries: _Entries) -> Row:
    return _entry(recorded, None, event.effective_at, **_instead(event, entries))


def _instead(event: CaseStatusCorrected | CaseStatusRemoved, entries: _Entries) -> Row:
    """Return what an entry has that supersedes another: the reason, and its place if it begins when that one did."""
    wrong, reason = entries[event.entry], {"reason": known(event.reason)}
    return {**reason, "place": wrong["place"]} if wrong["active_from"] == event.effective_at else reason


def _verified(event: ProfileVerificationChanged, recorded: Recorded, entries: _Entries) -> Row:
    # Clocks may be set back, an order that was decided may not.
    since = recorded.occurred_at
    if event.follows is not None:
        since = max(since, entries[event.follows]["active_from"])
    return _entry(
        recorded,
        event.status.value,
        since,
        owner_kind="profile",
        previous=event.previous.value,
        notes=known(event.notes),
    )


def _subscribed(event: SubscriptionEvent, recorded: Recorded) -> Row:
    return _entry(
        recorded,
        event.status,
        event.effective_at,
        owner_kind="subscription",
        previous=event.previous,
        notes=known(event.notes),
        carried={"written": event.written} if event.written else {},
    )


def _said(event: CaseStatusChanged | CaseStatusCorrected) -> Row:
    limits = deadlines(event.status, event.day)
    delivery, client = limits or (None, None)
    return {
        "notes": known(event.notes),
        "day": event.day,
        "delivery_date": delivery,
        "client_date": client,
        "filled": known(event.filled) or {},
    }


def _entry(recorded: Recorded, status: str | None, active_from: datetime, **columns: Any) -> Row:
    """Return the row of a new entry that stands alone; without more said, one of a case, in force."""
    return begun(
        recorded,
        owner_id=recorded.stream,
        entry=recorded.version,
        status=status,
        active_from=active_from,
        changed_by=recorded.metadata.actor,
        **{
            **dict.fromkeys(_UNSET),
            "owner_kind": "case",
            "place": recorded.version,
            "is_active": False,
            "superseded": False,
            "filled": {},
            "carried": {},
            **columns,
        },
    )


MODEL: Final = ReadModel(
    "status_history",
    version=2,
    key=("owner_id", "entry"),
    topics=topics_of(_Event),
    touches=_touches,
    evolve=_evolve,
)
