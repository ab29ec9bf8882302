"""The three-way merge of one stream: what was imported, what a newer import says, and what holds now.

Changed on one side, that side's value holds; changed on both, the live value stays, and that is told. No clocks are
compared. What no event can express raises CannotMerge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from domain.access import Role
from domain.account import (
    CONTACT_FIELDS,
    AccountUpdated,
    ActiveProfileSwitched,
    ContactChanged,
    ProfileAdded,
    RoleGranted,
    RoleRevoked,
)
from domain.case import CASE, CaseClosed, CaseConflictRecorded, CaseReopened, CaseStatusChanged, CaseUpdated
from domain.company import CompanyMemberAdded, CompanyUpdated
from domain.event import LIVE, Change, DomainEvent, Recorded
from domain.intent import TONE, IntentRevised
from domain.item import ItemUpdated
from domain.profile import ProfileConflictRecorded, ProfileUpdated
from domain.status_catalogue import StatusDefined
from domain.timeline import Entry
from domain.values import is_unset
from migrations_replay.convert import same_stored
from migrations_replay.facts import ImportedEvent, Provenance
from migrations_replay.numbers import NUMBERED, Numbers, renumbered
from projections.read_model import Key, Row

RowName = tuple[str, Key]

BOOKKEEPING: Final = frozenset(
    {"position", "recorded_at", "origin", "run_id", "version", "updated_at", "mapping_version"}
)
"""Columns that say when and by which event a row was written."""


class CannotMerge(Exception):
    """A change that no event can express; `what` names the columns."""

    def __init__(self, *what: str) -> None:
        super().__init__(", ".join(what))
        self.what = what


class Kept(NamedTuple):
    """A field both sides changed: the live value, which stays, and the one the newer import says."""

    field: str
    live: Any
    legacy: Any


@dataclass(frozen=True)
class Side:
    """The rows a stream has by one of the three sides, and the events it was derived as, by version, if it was."""

    rows: Mapping[RowName, Row] = field(default_factory=dict)
    events: Mapping[int, ImportedEvent] = field(default_factory=dict)

    def row(self, model: str, stream: UUID) -> Row:
        """Return the one row of a read model, an empty one if it is not there."""
        return self.rows.get((model, (stream,)), {})

    def of(self, model: str) -> dict[int, Row]:
        """Return the rows of a read model that has several a stream, by number."""
        return {key[1]: row for (name, key), row in self.rows.items() if name == model}


@dataclass
class Merging:
    """One stream on its way: the three sides, and what comes of them.

    `became` tells which event in the log a derived one is known to be, `numbers` is filled with all of them.
    """

    stream: UUID
    said: Side
    says: Side
    now: Side
    log: tuple[Recorded, ...]
    when: datetime
    became: Mapping[int, int]
    numbers: Numbers
    events: list[ImportedEvent] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    @property
    def next_version(self) -> int:
        """The version of the event that is added next."""
        return self.log[-1].version + len(self.events) + 1

    def append(self, event: DomainEvent, *fields: str, like: ImportedEvent | None = None) -> None:
        """Add an event; its sources are those of the fields it changes, or of the event it is like."""
        if like is not None:
            self.events.append(like._replace(event=event))
        else:
            self.events.append(ImportedEvent(event, self.when, self._sources(fields) or None))

    def three_way(self, said: Mapping[str, Any], says: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Change]:
        """Return the fields that change; those changed on both sides are noted."""
        return self._three_way(said, says, now, "")

    def same_but(self, model: str, merged: Iterable[str]) -> None:
        """Check that nothing but these columns differs between what was said and what is said now."""
        skipped = {*BOOKKEEPING, *merged}
        said, says = self.said.row(model, self.stream), self.says.row(model, self.stream)
        differing = [
            name for name, value in says.items() if name not in skipped and not same_stored(value, said.get(name))
        ]
        if differing:
            raise CannotMerge(*(f"{model}.{name}" for name in differing))

    def _three_way(
        self, said: Mapping[str, Any], says: Mapping[str, Any], now: Mapping[str, Any], where: str
    ) -> dict[str, Change]:
        changes: dict[str, Change] = {}
        for name in dict.fromkeys((*said, *says)):
            old, new, live = (_set(side.get(name)) for side in (said, says, now))
            if same_stored(old, new) or same_stored(live, new):
                continue
            if not where and all(value is None or isinstance(value, dict) for value in (old, new, live)):
                below = self._three_way(old or {}, new or {}, live or {}, f"{name}/")
                merged = {**(live or {}), **{key: change.new for key, change in below.items()}}
                if below:
                    left = {key: value for key, value in merged.items() if value is not None}
                    changes[name] = Change(old=live, new=left or None)
            elif same_stored(live, old):
                changes[name] = Change(old=live, new=new)
            else:
                self.kept.append(Kept(f"{where}{name}", live, new))
        return changes

    def _sources(self, fields: tuple[str, ...]) -> Provenance:
        return {
            name: sources
            for imported in self.says.events.values()
            for name, sources in (imported.provenance or {}).items()
            if name in fields or name.partition("/")[0] in fields
        }


def _set(value: Any) -> Any:
    return None if is_unset(value) else value


def merge_stream(merging: Merging, aggregate: str) -> None:
    """Merge one stream; raises CannotMerge."""
    RULES.get(aggregate, _added_events)(merging)


# --- what all can share -----------------------------------------------------------------------------------------------


def _fields(merging: Merging, model: str, event: Callable[[dict[str, Change]], DomainEvent]) -> None:
    said, says, now = (side.row(model, merging.stream) for side in (merging.said, merging.says, merging.now))
    changes = merging.three_way(said["fields"], says["fields"], now["fields"])
    if changes:
        merging.append(event(changes), *changes)


def _conflicts(merging: Merging, model: str, kind: type[ProfileConflictRecorded | CaseConflictRecorded]) -> None:
    """Record conflicts that are new or gone, unless somebody has settled the one there was."""
    said, says, now = (
        side.row(model, merging.stream)["conflicts"] for side in (merging.said, merging.says, merging.now)
    )
    told = {
        imported.event.field: imported for imported in merging.says.events.values() if isinstance(imported.event, kind)
    }
    changes = merging.three_way(
        *({f"conflicts/{name}": found for name, found in side.items()} for side in (said, says, now))
    )
    for place in changes:
        name = place.partition("/")[2]
        if name in told:
            merging.append(told[name].event, like=told[name])
        else:
            merging.append(kind(field=name, values=(), chosen=None, rule="no_conflict"))


def _added_events(merging: Merging, *kinds: type[DomainEvent]) -> None:
    """Append the derived events that were not derived before; raises CannotMerge where one of those is no more.

    The events of these kinds, or all of them.
    """
    told = {number: event for number, event in merging.says.events.items() if _is(event, kinds)}
    left: dict[str, list[int]] = {}
    for number, event in merging.said.events.items():
        if _is(event, kinds):
            left.setdefault(_likeness(event), []).append(number)
    for number, event in told.items():
        if found := left.get(_likeness(event)):
            merging.numbers.known[merging.stream, number] = found.pop(0)
    if any(left.values()):
        raise CannotMerge("events that are no longer implied")
    live = any(recorded.metadata.origin == LIVE for recorded in merging.log)
    for number, event in told.items():
        if (merging.stream, number) in merging.numbers.known:
            continue
        if live and any(getattr(event.event, name, None) is not None for name in NUMBERED):
            raise CannotMerge("an entry beside live ones")
        merging.numbers.known[merging.stream, number] = merging.next_version
        merging.append(renumbered(event, merging.stream, merging.numbers).event, like=event)


def _is(imported: ImportedEvent, kinds: tuple[type[DomainEvent], ...]) -> bool:
    return not kinds or isinstance(imported.event, kinds)


def _likeness(imported: ImportedEvent) -> str:
    """Return what two events are told by, whatever number each of them has."""
    numbered: dict[str, Any] = {name: None for name in NUMBERED if name in type(imported.event).model_fields}
    event = imported.event.model_copy(update=numbered)
    return f"{event.topic} {event.model_dump_json()} {imported.occurred_at.timestamp()} {imported.actor}"


# --- the aggregates ---------------------------------------------------------------------------------------------------


def _account(merging: Merging) -> None:
    rows = said, says, now = [
        side.row("accounts", merging.stream) for side in (merging.said, merging.says, merging.now)
    ]
    merging.same_but("accounts", (*CONTACT_FIELDS, "details", "roles", "active_profile_id"))
    contact = merging.three_way(*({name: row[name] for name in CONTACT_FIELDS} for row in rows))
    if contact:
        merging.append(ContactChanged(changes=contact), *contact)
    if details := merging.three_way(said["details"], says["details"], now["details"]):
        merging.append(AccountUpdated(changes=details), *details)
    roles = merging.three_way(*({f"role/{role}": True for role in row["roles"]} for row in rows))
    for name, change in roles.items():
        role = Role(name.partition("/")[2])
        merging.append(RoleGranted(role=role) if change.new else RoleRevoked(role=role), "role")
    added = {
        imported.event.profile_id
        for imported in merging.said.events.values()
        if isinstance(imported.event, ProfileAdded)
    }
    for imported in merging.says.events.values():
        if isinstance(imported.event, ProfileAdded) and imported.event.profile_id not in added:
            merging.append(imported.event, like=imported)
    if merging.three_way(*({"active_profile_id": row["active_profile_id"]} for row in rows)):
        switched = ActiveProfileSwitched(profile_id=says["active_profile_id"], previous=now["active_profile_id"])
        merging.append(switched)


def _profile(merging: Merging) -> None:
    derived = ("completeness", "missing", "outside_vocabulary", "search_words")
    merging.same_but("profiles", ("fields", "conflicts", *derived))
    _fields(merging, "profiles", lambda changes: ProfileUpdated(changes=changes))
    _conflicts(merging, "profiles", ProfileConflictRecorded)


def _intent(merging: Merging) -> None:
    derived = ("completeness", "missing", "outside_vocabulary")
    merging.same_but("intents", ("fields", TONE, *derived))
    said, says, now = (
        {**row["fields"], TONE: row[TONE]}
        for row in (side.row("intents", merging.stream) for side in (merging.said, merging.says, merging.now))
    )
    if changes := merging.three_way(said, says, now):
        merging.append(IntentRevised(changes=changes), *changes)


def _item(merging: Merging) -> None:
    merging.same_but("items", ("fields", "outside_vocabulary"))
    _fields(merging, "items", lambda changes: ItemUpdated(changes=changes))


def _company(merging: Merging) -> None:
    merging.same_but("companies", ("name", "name_key", "tax_id", "tax_digits", "fields"))
    said, says, now = (
        {**row["fields"], "name": row["name"], "tax_id": row["tax_id"]}
        for row in (side.row("companies", merging.stream) for side in (merging.said, merging.says, merging.now))
    )
    if changes := merging.three_way(said, says, now):
        merging.append(CompanyUpdated(changes=changes), *changes)
    _added_events(merging, CompanyMemberAdded)


def _status(merging: Merging) -> None:
    """Define a status anew, column by column; one that somebody defined before any import keeps what is set."""
    told = merging.says.events[max(merging.says.events)]
    assert isinstance(told.event, StatusDefined)
    columns = ("name", "name_en", "description", "category", "colour", "sort_order", "workflow_order",
               "fillable_fields", "allow_documents", "in_use")  # fmt: skip
    said, says, now = (
        {name: row.get(name) for name in columns}
        for row in (side.row("statuses", merging.stream) for side in (merging.said, merging.says, merging.now))
    )
    changes = merging.three_way(said, says, now)
    if changes:
        merged = now | {name: change.new for name, change in changes.items()}
        in_use = merged.pop("in_use") is not False
        row = merging.now.row("statuses", merging.stream)
        definition = told.event.definition.model_copy(
            update={
                **merged,
                "order": merged["workflow_order"],
                "fillable_fields": tuple(merged["fillable_fields"] or ()),
                "catalogue": row["catalogue"],
                "may_go_to": None if row["may_go_to"] is None else tuple(row["may_go_to"]),
            }
        )
        values = {name: getattr(definition, name) for name in type(definition).model_fields}
        merging.append(StatusDefined(definition=type(definition)(**values), in_use=in_use), like=told)


# --- the case, and its timeline ---------------------------------------------------------------------------------------

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


def _case(merging: Merging) -> None:
    merging.same_but("cases", ("fields", "conflicts", "is_current", "completed_at", *_OF_STATUS))
    _entries(merging)
    _fields(merging, "cases", lambda changes: CaseUpdated(changes=changes))
    _conflicts(merging, "cases", CaseConflictRecorded)
    rows = said, says, _ = [side.row("cases", merging.stream) for side in (merging.said, merging.says, merging.now)]
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
    timeline = CASE.fold(recorded.event for recorded in merging.log).timeline
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
    said, says, now = (side.row("cases", merging.stream) for side in (merging.said, merging.says, merging.now))
    entry = merging.now.of("status_history").get(now["status_entry"] or 0)
    if entry is None or entry["origin"] != LIVE or said["status"] == says["status"] or now["status"] == says["status"]:
        return None
    merging.kept.append(Kept("status", now["status"], says["status"]))
    found: int = now["status_entry"]
    return found


RULES: Final[dict[str, Callable[[Merging], None]]] = {
    "account": _account,
    "profile": _profile,
    "intent": _intent,
    "item": _item,
    "company": _company,
    "status": _status,
    "case": _case,
}
"""How a stream is merged, by its aggregate; others take further events and nothing else."""
