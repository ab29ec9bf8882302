"""The case: what an authority is asked for a person, and the statuses it passes through.

Its status history is a timeline (`domain/timeline.py`): an entry for each change, ordered by when it took effect.
Nothing of it is ever overwritten: a wrong entry is superseded by the right one, a removed one by "undetermined".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, NamedTuple, Self, assert_never
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from domain.case_fields import CASE_FIELDS, checked
from domain.changes import changed_fields, with_changes
from domain.command import Command, Participant, not_ahead
from domain.decider import Decider
from domain.errors import AlreadyExists, InvalidCommand, NotFound, RuleViolated, TransitionForbidden
from domain.event import Change, DomainEvent, Personal, known
from domain.profile import with_conflict
from domain.status_catalogue import StatusDefinition, StatusState, definition_of
from domain.streams import status_id
from domain.timeline import Entry, Timeline
from domain.values import Instant, Json, Reason, Text, same_json, without_unset
from domain.vocabulary import check_fields
from domain.wall_clock import WallClock, local_day

NOTES_MAX: Final = 1000
REQUIREMENT: Final = "exigencia"
"""The status with deadlines: the authority asks for something."""
DELIVERY_DAYS: Final = 29
CLIENT_DAYS: Final = 23

Notes = Annotated[Text, StringConstraints(max_length=NOTES_MAX)]
EntryNumber = Annotated[int, Field(ge=1)]


class Deadlines(NamedTuple):
    """Until when a requirement must be met: by whoever handles the case, and, before that, by the client."""

    delivery: date
    client: date


def deadlines(status: str | None, day: date | None) -> Deadlines | None:
    """Return the deadlines of a status that took effect on a day (São Paulo); only a requirement has any."""
    if status != REQUIREMENT or day is None or day > date.max - timedelta(DELIVERY_DAYS):
        return None
    return Deadlines(day + timedelta(DELIVERY_DAYS), day + timedelta(CLIENT_DAYS))


# --- commands ---------------------------------------------------------------------------------------------------------


class _CaseCommand(Command):
    case_id: UUID

    def participants(self) -> tuple[Participant, ...]:
        """The case alone."""
        return (Participant("case", self.case_id),)


class _Effective(_CaseCommand):
    """A command that says when something took effect; left out, that is now."""

    effective_at: Instant | None = None

    def at(self, now: datetime) -> Self:
        """Return the command with its time; raises InvalidCommand for a time that lies ahead."""
        return not_ahead(self, "effective_at", now)


class OpenCase(_Effective):
    """Open a case for a person, in a collective process or straight for a company, perhaps with its first status."""

    person_id: UUID | None = None
    company_id: UUID | None = None
    collective_id: UUID | None = None
    fields: dict[str, Json] = Field(default_factory=dict)
    status: str | None = None
    notes: Notes | None = None

    @model_validator(mode="after")
    def _one_company(self) -> Self:
        if self.company_id and self.collective_id:
            raise ValueError("give company_id or collective_id: a collective process has a company of its own")
        return self

    def participants(self) -> tuple[Participant, ...]:
        """The case, and what it belongs to, which must be there."""
        found = [Participant("case", self.case_id)]
        if self.company_id:
            found.append(Participant("company", self.company_id))
        if self.collective_id:
            found.append(Participant("collective", self.collective_id))
        return tuple(found)

    def account(self) -> UUID | None:
        """The person it is about."""
        return self.person_id


class UpdateCase(_CaseCommand):
    """Change the given fields; null or an empty value unsets one, a field left out stays."""

    changes: dict[str, Json]


class ChangeCaseStatus(_Effective):
    """Give the case a status, from now on or from an earlier time; a late entry takes its place in the history.

    `filled` sets fields of the case that the status may fill.
    """

    status: str
    notes: Notes | None = None
    filled: dict[str, Json] = Field(default_factory=dict)


class CorrectCaseStatus(_CaseCommand):
    """Put an entry of the status history right: it stays visible as superseded. What is left out stays as it was.

    So does a field left out of `filled`; null or an empty value takes one out.
    """

    entry: EntryNumber
    status: str | None = None
    effective_at: Instant | None = None
    notes: Notes | None = None
    filled: dict[str, Json] | None = None
    reason: Reason

    def at(self, now: datetime) -> Self:
        """Raise InvalidCommand for a time that lies ahead."""
        return self if self.effective_at is None else not_ahead(self, "effective_at", now)


class RemoveCaseStatus(_CaseCommand):
    """Take an entry, or the active one, out of the status history: from its time on the status is undetermined.

    No earlier status is promoted in its place. What it had filled is withdrawn.
    """

    entry: EntryNumber | None = None
    reason: Reason


class CloseCase(_CaseCommand):
    """Say that the case is no longer the current one."""

    reason: Reason


class ReopenCase(_CaseCommand):
    """Say that a closed case is current again."""

    reason: Reason


class SettleCaseConflict(_CaseCommand):
    """Say that what an import found to differ was looked into; the right value is set by its own command."""

    field: str
    reason: Reason


# --- events -----------------------------------------------------------------------------------------------------------


class StatusNow(BaseModel):
    """The entry in force after a change: its number, its status, since when, and on which day (São Paulo) that was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entry: int
    status: str
    since: AwareDatetime
    day: date


class CaseOpened(DomainEvent, topic="case.opened"):
    """A case was opened; an imported one may be closed already.

    `legacy_keys` are the ids, as legacy records wrote them, of what the id of the same name was made from.
    """

    person_id: UUID | None = None
    company_id: UUID | None = None
    collective_id: UUID | None = None
    fields: Personal[dict[str, Any]]
    is_current: bool = True
    completed_at: AwareDatetime | None = None
    legacy_keys: dict[str, str] = Field(default_factory=dict)


class CaseUpdated(DomainEvent, topic="case.updated"):
    """Fields changed; only those that did are named."""

    changes: Personal[dict[str, Change]]


class CaseStatusChanged(DomainEvent, topic="case.status_changed"):
    """The case has a status from a time on; None says that nobody knows it from then on (imports only).

    The version of the event is the number of the entry. `follows` and `precedes` are the entries in force between which
    it takes its place; `superseded_by` says that an import found it overruled by that entry, so it takes none.
    `day` is the day of its effect (São Paulo), or the one `dated` names: a date as a legacy record wrote it. `filled`
    is what the status filled, `changes` what that changed of the case; `carried` is what legacy records held beside.
    """

    status: str | None
    previous: str | None = None
    effective_at: AwareDatetime
    day: date
    follows: int | None = None
    precedes: int | None = None
    superseded_by: int | None = None
    notes: Personal[str | None] = None
    filled: Personal[dict[str, Any]] = Field(default_factory=dict)
    changes: Personal[dict[str, Change]] = Field(default_factory=dict)
    dated: WallClock | None = None
    carried: Personal[dict[str, Any]] = Field(default_factory=dict)


class CaseStatusCorrected(DomainEvent, topic="case.status_corrected"):
    """An entry was superseded by this one. `left_between` are the entries that stood beside the superseded one.

    `now` is the entry in force after it, None where the status is undetermined.
    """

    entry: int
    left_between: tuple[int | None, int | None]
    status: str
    effective_at: AwareDatetime
    day: date
    follows: int | None = None
    precedes: int | None = None
    now: StatusNow | None
    notes: Personal[str | None] = None
    filled: Personal[dict[str, Any]] = Field(default_factory=dict)
    changes: Personal[dict[str, Change]] = Field(default_factory=dict)
    reason: Personal[str]


class CaseStatusRemoved(DomainEvent, topic="case.status_removed"):
    """An entry was superseded by this one, which says that nobody knows the status from that time on."""

    entry: int
    effective_at: AwareDatetime
    follows: int | None = None
    precedes: int | None = None
    changes: Personal[dict[str, Change]] = Field(default_factory=dict)
    reason: Personal[str]


class CaseClosed(DomainEvent, topic="case.closed"):
    """The case is no longer the current one."""

    reason: Personal[str]


class CaseReopened(DomainEvent, topic="case.reopened"):
    """The case is current again."""

    reason: Personal[str]


class CaseConflictRecorded(DomainEvent, topic="case.conflict_recorded"):
    """An import found several values for one thing and chose one by a named rule; all are kept."""

    field: Personal[str]
    values: Personal[tuple[Any, ...]]
    chosen: Personal[Any]
    rule: str


class CaseConflictSettled(DomainEvent, topic="case.conflict_settled"):
    """Somebody looked into what an import had found to differ."""

    field: Personal[str]
    reason: Personal[str]


StatusEntryEvent = CaseStatusChanged | CaseStatusCorrected | CaseStatusRemoved
CaseEvent = (
    CaseOpened
    | CaseUpdated
    | CaseStatusChanged
    | CaseStatusCorrected
    | CaseStatusRemoved
    | CaseClosed
    | CaseReopened
    | CaseConflictRecorded
    | CaseConflictSettled
)


# --- state and decisions ----------------------------------------------------------------------------------------------


class _Said(NamedTuple):
    """What an entry says beside status and time."""

    notes: str | None
    filled: dict[str, Any]
    day: date | None


@dataclass(frozen=True)
class CaseState:
    """What decisions about a case rest on. `version` counts its events; `statuses` is what was looked up, by stream."""

    exists: bool = False
    version: int = 0
    person_id: UUID | None = None
    company_id: UUID | None = None
    collective_id: UUID | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    timeline: Timeline = field(default_factory=Timeline)
    is_current: bool = True
    conflicts: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    statuses: Mapping[UUID, StatusState] = field(default_factory=dict)

    def defined(self, code: str | None) -> StatusDefinition | None:
        """Return what a status is that was looked up, None if no catalogue holds it."""
        return definition_of(code, self._looked_up(code)) if code is not None else None

    def in_use(self, code: str) -> bool:
        """Tell whether cases can be given a status."""
        return self._looked_up(code).in_use

    def _looked_up(self, code: str) -> StatusState:
        return self.statuses.get(status_id(code), StatusState())


def _decide(state: CaseState, command: Command) -> list[DomainEvent]:  # noqa: C901 – a line a command
    if isinstance(command, OpenCase):
        return _open(state, command)
    if not state.exists:
        raise NotFound("there is no such case", field="case_id", hint="open it with OpenCase")
    match command:
        case ChangeCaseStatus() | UpdateCase() if not state.is_current:
            raise RuleViolated("the case is closed", field="case_id", hint="reopen it with ReopenCase")
        case ChangeCaseStatus():
            return _change(state, command)
        case CorrectCaseStatus():
            return _correct(state, command)
        case RemoveCaseStatus():
            return _remove(state, command)
        case UpdateCase():
            changes = changed_fields(state.fields, checked(command.changes, "changes"))
            return [CaseUpdated(changes=changes)] if changes else []
        case CloseCase():
            return [CaseClosed(reason=command.reason)] if state.is_current else []
        case ReopenCase():
            return [] if state.is_current else [CaseReopened(reason=command.reason)]
        case SettleCaseConflict():
            if command.field not in state.conflicts:
                open_fields = ", ".join(state.conflicts) or "none"
                raise RuleViolated("no open conflict of this name", field="field", hint=f"open: {open_fields}")
            return [CaseConflictSettled(field=command.field, reason=command.reason)]
        case _:
            raise InvalidCommand(f"a case does not decide on {type(command).__name__}")


def _open(state: CaseState, command: OpenCase) -> list[DomainEvent]:
    if state.exists:
        raise AlreadyExists(f"case {command.case_id} exists", field="case_id")
    opened = CaseOpened(
        person_id=command.person_id,
        company_id=command.company_id,
        collective_id=command.collective_id,
        fields=without_unset(checked(command.fields, "fields")),
    )
    if command.status is None:
        if command.notes:
            raise InvalidCommand("notes belong to a status", field="notes", hint="give the first status too")
        return [opened]
    first = ChangeCaseStatus(
        case_id=command.case_id, status=command.status, notes=command.notes, effective_at=command.effective_at
    )
    return [opened, *_change(_evolve(state, opened), first)]


def _change(state: CaseState, command: ChangeCaseStatus) -> list[DomainEvent]:
    at = _given(command.effective_at)
    filled = _checked_status(state, command.status, command.filled)
    entry = Entry(at, state.version + 1, command.status, _Said(command.notes or None, filled, local_day(at)))
    before = state.timeline.before(entry)
    previous = before.status if before else None
    _check_transition(state, previous, command.status)
    said_before = before is not None and (before.at, before.status) == (at, command.status)
    if said_before and not command.notes and not filled:
        return []
    timeline = state.timeline.with_entry(entry)
    place = timeline.neighbours(entry)
    decisive = {name: value for name, value in filled.items() if _filling(timeline, name) == entry}
    return [
        CaseStatusChanged(
            status=command.status,
            previous=previous,
            effective_at=at,
            day=local_day(at),
            **place._asdict(),
            notes=command.notes or None,
            filled=filled,
            changes=changed_fields(state.fields, decisive),
        )
    ]


def _correct(state: CaseState, command: CorrectCaseStatus) -> list[DomainEvent]:
    wrong = _entry_in_force(state, command.entry)
    said: _Said = wrong.details
    status = command.status if command.status is not None else wrong.status
    if status is None:
        raise InvalidCommand("say which status is right", field="status", hint="the entry says nobody knows it")
    at = command.effective_at or wrong.at
    given = command.model_fields_set
    filled = said.filled
    if command.status is not None:
        filled = _checked_status(state, status, command.filled or {}, present=said.filled)
    elif command.filled is not None:
        new = checked(command.filled, "filled")
        filled = without_unset({**said.filled, **new})
        if outside := filled.keys() - said.filled.keys():
            raise InvalidCommand("name the status too", field="status", hint=f"it says what may fill {min(outside)}")
    notes = (command.notes or None) if "notes" in given else said.notes
    if (status, at, notes) == (wrong.status, wrong.at, said.notes) and same_json(filled, said.filled):
        return []
    day = local_day(at) if command.effective_at or said.day is None else said.day
    right = Entry(at, state.version + 1, status, _Said(notes, filled, day)).instead_of(wrong)
    left = state.timeline.neighbours(wrong)
    timeline = state.timeline.without(wrong.number, right.number).with_entry(right)
    return [
        CaseStatusCorrected(
            entry=wrong.number,
            left_between=(left.follows, left.precedes),
            status=status,
            effective_at=at,
            day=day,
            **timeline.neighbours(right)._asdict(),
            now=_now(timeline),
            notes=notes,
            filled=filled,
            changes=_field_changes(state, timeline, {*said.filled, *filled}),
            reason=command.reason,
        )
    ]


def _remove(state: CaseState, command: RemoveCaseStatus) -> list[DomainEvent]:
    number = command.entry
    if number is None:
        active = state.timeline.active
        if active is None:
            raise RuleViolated("the status is undetermined: there is none to remove", field="entry")
        number = active.number
    wrong = _entry_in_force(state, number)
    if wrong.status is None:
        return []
    nobody_knows = Entry(wrong.at, state.version + 1, None, _Said(None, {}, None)).instead_of(wrong)
    timeline = state.timeline.without(wrong.number, nobody_knows.number).with_entry(nobody_knows)
    return [
        CaseStatusRemoved(
            entry=wrong.number,
            effective_at=wrong.at,
            **timeline.neighbours(nobody_knows)._asdict(),
            changes=_field_changes(state, timeline, set(wrong.details.filled)),
            reason=command.reason,
        )
    ]


def _given(at: datetime | None) -> datetime:
    if at is None:
        raise InvalidCommand("when does it take effect?", field="effective_at")
    return at


def _entry_in_force(state: CaseState, number: int) -> Entry:
    if entry := state.timeline.entry(number):
        return entry
    if by := state.timeline.superseded.get(number):
        raise RuleViolated(f"entry {number} is superseded by entry {by}", field="entry", hint=f"correct entry {by}")
    numbers = ", ".join(str(entry.number) for entry in state.timeline.entries) or "none"
    raise NotFound(f"the case has no status entry {number}", field="entry", hint=f"in force are: {numbers}")


def _checked_status(
    state: CaseState, code: str, filled: Mapping[str, Any], present: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Check that a status can be given and may fill these fields; return them, and the present ones it may fill."""
    status = state.defined(code)
    if status is None:
        raise InvalidCommand(f"there is no status {code!r}", field="status", hint="`dossier statuses` lists them")
    if not state.in_use(code):
        raise RuleViolated(f"{code} is retired", field="status", hint="`dossier statuses` lists those in use")
    # An imported status may name fields nobody knows.
    known_names = {name: CASE_FIELDS[name] for name in status.fillable_fields if name in CASE_FIELDS}
    new = check_fields(known_names, filled, where="filled", of=f"the status {code}")
    kept = {name: value for name, value in (present or {}).items() if name in known_names}
    return without_unset({**kept, **new})


def _check_transition(state: CaseState, previous: str | None, code: str) -> None:
    status, before = state.defined(code), state.defined(previous)
    if previous == code or status is None or before is None or before.catalogue != status.catalogue:
        return
    allowed = before.may_go_to
    if allowed is not None and code not in allowed:
        raise TransitionForbidden(f"{previous} may not go to {code}", field="status", allowed=allowed)


def _now(timeline: Timeline) -> StatusNow | None:
    active = timeline.active
    if active is None or active.status is None:
        return None
    return StatusNow(
        entry=active.number, status=active.status, since=active.at, day=active.details.day or local_day(active.at)
    )


def _field_changes(state: CaseState, timeline: Timeline, names: set[str]) -> dict[str, Change]:
    """Return what becomes of fields when an entry that filled them is superseded: the latest that fills one decides.

    A field that was changed apart from the history since keeps its value.
    """
    wanted = {}
    for name in names:
        old, new = _filled(state.timeline, name), _filled(timeline, name)
        untouched = same_json(state.fields.get(name), old)
        if untouched and not same_json(old, new):
            wanted[name] = new
    return changed_fields(state.fields, wanted)


def _filled(timeline: Timeline, name: str) -> Any:
    entry = _filling(timeline, name)
    return entry.details.filled[name] if entry else None


def _filling(timeline: Timeline, name: str) -> Entry | None:
    """Return the latest entry in force that fills a field."""
    return next((entry for entry in reversed(timeline.entries) if name in entry.details.filled), None)


def _evolve(state: CaseState, event: CaseEvent) -> CaseState:
    state = replace(state, version=state.version + 1)
    match event:
        case CaseOpened():
            return replace(
                state,
                exists=True,
                person_id=event.person_id,
                company_id=event.company_id,
                collective_id=event.collective_id,
                fields=known(event.fields) or {},
                is_current=event.is_current,
            )
        case CaseUpdated():
            return replace(state, fields=with_changes(state.fields, event.changes))
        case CaseStatusChanged() | CaseStatusCorrected() | CaseStatusRemoved():
            fields = with_changes(state.fields, event.changes)
            return replace(state, timeline=evolved_timeline(state.timeline, event, state.version), fields=fields)
        case CaseClosed():
            return replace(state, is_current=False)
        case CaseReopened():
            return replace(state, is_current=True)
        case CaseConflictRecorded():
            return replace(state, conflicts=with_conflict(state.conflicts, event.field, event.values))
        case CaseConflictSettled():
            return replace(state, conflicts=with_conflict(state.conflicts, event.field, ()))
        case _:
            assert_never(event)


def evolved_timeline(timeline: Timeline, event: StatusEntryEvent, number: int) -> Timeline:
    """Return the timeline after an event whose version is the number."""
    match event:
        case CaseStatusChanged(superseded_by=int(by)):
            return replace(timeline, superseded=timeline.superseded | {number: by})
        case CaseStatusChanged():
            said = _Said(known(event.notes), known(event.filled) or {}, event.day)
            return timeline.with_entry(Entry(event.effective_at, number, event.status, said))
        case CaseStatusCorrected():
            said = _Said(known(event.notes), known(event.filled) or {}, event.day)
            return _superseded(timeline, event.entry, Entry(event.effective_at, number, event.status, said))
        case CaseStatusRemoved():
            nobody_knows = Entry(event.effective_at, number, None, _Said(None, {}, None))
            return _superseded(timeline, event.entry, nobody_knows)
        case _:
            assert_never(event)


def _superseded(timeline: Timeline, number: int, by: Entry) -> Timeline:
    wrong = timeline.entry(number)
    return timeline.without(number, by.number).with_entry(by.instead_of(wrong) if wrong else by)


def _parent(state: CaseState) -> Participant | None:
    if state.collective_id:
        return Participant("collective", state.collective_id)
    return Participant("company", state.company_id) if state.company_id else None


def _needs(state: CaseState, command: Command) -> tuple[Participant, ...]:
    """Name the status a case is to have, and the one it would come from."""
    codes: list[str | None] = []
    match command:
        case OpenCase(status=code) | CorrectCaseStatus(status=code):
            codes = [code]
        case ChangeCaseStatus(status=code, effective_at=datetime() as at):
            before = state.timeline.before(Entry(at, state.version + 1, code))
            codes = [code, before.status if before else None]
    return tuple(Participant("status", status_id(code)) for code in dict.fromkeys(codes) if code is not None)


CASE: Final = Decider(
    "case",
    CaseState(),
    _decide,
    _evolve,
    owner=lambda state: state.person_id,
    parent=_parent,
    needs=_needs,
    informed=lambda state, others: replace(state, statuses=others),
)
