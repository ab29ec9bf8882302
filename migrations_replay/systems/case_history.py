"""How the history rows, status rows and status field of one process become the timeline of a case.

The rules are those of `docs/legacy/cases.md`; K-numbers refer to it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from domain.case import NOTES_MAX, CaseStatusChanged, deadlines
from domain.case_fields import FILLABLE
from domain.event import UNKNOWN_AUTHOR
from domain.status_catalogue import CASE_CODES, SEEDED
from domain.values import is_unset, normal_text
from domain.wall_clock import ZONE, WallClock, local_day, read_wall_clock
from migrations_replay import convert
from migrations_replay.facts import (
    Candidate,
    Facts,
    ImportedEvent,
    Normal,
    Place,
    Provenance,
    RecordFacts,
    pointer_to,
    unique,
)
from migrations_replay.given_back import fields_back
from migrations_replay.leaves import CONFLICTING, DERIVED, MAPPED, NORMALISED, leaves
from migrations_replay.merge import Offered, choose, choose_first, choose_texts, take_keys, take_texts

if TYPE_CHECKING:
    from migrations_replay.given_back import BundleRows
    from projections.read_model import Row

PROCESSES: Final = "individualProcesses"
HISTORY: Final = "processHistory"
STATUSES: Final = "individualProcessStatuses"
RULE: Final = "history_row"
AUTHOR: Final = "changed_by"
"""Under which name an entry carries the legacy id of its author."""

# What the old application calls the fields of a case that a status may fill.
FILLABLE_NAMES: Final = {
    "passportId": "passport_id",
    "applicantId": "applicant_id",
    "processTypeId": "process_type_id",
    "legalFrameworkId": "legal_framework_id",
    "cboId": "cbo_id",
    "mreOfficeNumber": "mre_office_number",
    "douNumber": "dou_number",
    "douSection": "dou_section",
    "douPage": "dou_page",
    "douDate": "dou_date",
    "protocolNumber": "protocol_number",
    "rnmNumber": "rnm_number",
    "rnmProtocol": "rnm_protocol",
    "rnmDeadline": "rnm_deadline",
    "appointmentDateTime": "appointment_date_time",
    "deadlineDate": "deadline_date",
}
assert set(FILLABLE_NAMES.values()) == set(FILLABLE)
LEGACY_FILLABLE: Final = {ours: legacy for legacy, ours in FILLABLE_NAMES.items()}

AuthorOf = Callable[[str], UUID]
"""Returns the account that a user id stands for."""


# --- which status a text names (K3) -----------------------------------------------------------------------------------

_SMALL_WORDS: Final = frozenset(["de", "do", "da", "dos", "das", "no", "na", "para", "o", "a", "ao", "e"])


def _told_by(name: str) -> tuple[str, ...]:
    """Return what a name is told by: its words without accents, case, punctuation and small words."""
    plain = "".join(
        character for character in unicodedata.normalize("NFKD", name) if not unicodedata.combining(character)
    )
    words = "".join(character if character.isalnum() else " " for character in plain.casefold()).split()
    return tuple(word for word in words if word not in _SMALL_WORDS)


_CODES: Final = {_told_by(code): code for code in SEEDED} | {
    _told_by(status.name or ""): code for code, status in SEEDED.items() if status.catalogue == CASE_CODES
}


@lru_cache(maxsize=1024)
def code_of(name: str) -> str | None:
    """Return the code of the status a text names, None if no catalogue holds it."""
    return _CODES.get(_told_by(name))


# --- rows -------------------------------------------------------------------------------------------------------------


def status_text(facts: Facts, row: RecordFacts, name: str) -> Candidate | None:
    """Read a status: its code, or the text itself, with a finding, where no catalogue holds it; None if unset."""
    document = row.record.document
    if name not in document:
        return None
    found = facts.text(row, pointer_to(name), name, document[name])
    if found is None:
        return None
    code = code_of(found.value)
    if code is None:
        facts.finding(row, name, "outside_vocabulary", found.raw)
        return found
    return found._replace(value=code)


@dataclass(eq=False)
class _Row:
    """A history or status row: the status it names (None: none), when it says that changed, whether it is active."""

    facts: RecordFacts
    status: Candidate | None
    named: str | None
    at: datetime | None
    active: bool = False
    previous: Candidate | None = None

    @property
    def is_history(self) -> bool:
        return self.facts.record.table == HISTORY

    def has(self, name: str) -> bool:
        """Tell whether a field is there, and one that rows of this table have."""
        fields = _HISTORY_FIELDS if self.is_history else _STATUS_FIELDS
        return name in fields and name in self.facts.record.document

    def raw(self, name: str) -> Any:
        return self.facts.record.document[name]

    @property
    def key(self) -> str:
        return self.facts.record.key


@dataclass(eq=False)
class _Change:
    """Rows that tell of one change, the one that is asked first in front (K4), and the number of its entry."""

    rows: list[_Row]
    status: str | None
    at: datetime
    number: int = 0
    carried: dict[str, Any] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=dict)

    @property
    def first(self) -> RecordFacts:
        return self.rows[0].facts

    def came_from(self, name: str, row: RecordFacts, pointer: str) -> None:
        self.provenance[name] = (*self.provenance.get(name, ()), row.source(pointer))


@dataclass
class History:
    """The entries of a case as events from version 2 on, and the status they end in."""

    events: list[ImportedEvent]
    status: str | None


def history_of(facts: Facts, process: RecordFacts, case_id: UUID, author_of: AuthorOf) -> History:
    """Return the status history of a process."""
    return _Histories(facts, process, case_id, author_of).history()


class _Histories:
    """The work on one process."""

    def __init__(self, facts: Facts, process: RecordFacts, case_id: UUID, author_of: AuthorOf) -> None:
        self._facts, self._process, self._case_id, self._author_of = facts, process, case_id, author_of
        self._events: list[ImportedEvent] = []
        self._status: str | None = None  # of the last entry in force
        self._last: tuple[int, datetime] | None = None  # its number and time
        self._overruled_by = 0  # the number of the active row's entry, once it is there

    def history(self) -> History:
        history_rows = [self._history_row(row) for row in self._facts.of(HISTORY)]
        status_rows = [self._status_row(row) for row in self._facts.of(STATUSES)]
        self._take_linked_statuses(history_rows, status_rows)
        winner = self._active_row(status_rows)
        changes = self._changes([*history_rows, *status_rows], winner)
        opening = self._opening(changes, history_rows)
        for change in changes:
            if change is changes[0] and opening:
                self._open_with(opening, change)
            self._enter(change, winner)
        field_status = status_text(self._facts, self._process, "status")
        if not history_rows and not status_rows and field_status:
            self._enter_field(field_status)
        elif status_rows and winner is None:
            self._nobody_knows()
        self._judge_field(field_status)
        return History(self._events, self._status)

    # --- reading rows ------------------------------------------------------------------------------------------------

    def _history_row(self, row: RecordFacts) -> _Row:
        self._facts.document_times(row, has_created=False)
        status = status_text(self._facts, row, "newStatus")
        found = _Row(row, status, status.value if status else None, self._changed_at(row))
        found.previous = status_text(self._facts, row, "previousStatus")
        return self._with_keys(found)

    def _status_row(self, row: RecordFacts) -> _Row:
        changed_at = self._changed_at(row)  # first: it may stand in for the creation time
        self._facts.document_times(row, has_created=True)
        status = status_text(self._facts, row, "statusName")
        found = _Row(row, status, status.value if status else None, changed_at)
        found.active = row.record.document.get("isActive") is True
        return self._with_keys(found)

    def _changed_at(self, row: RecordFacts) -> datetime | None:
        row.changed = self._facts.instant(row, "changedAt")
        return row.changed

    def _with_keys(self, row: _Row) -> _Row:
        row.facts.became = self._case_id
        self._facts.key(row.facts, row.facts.record.id_field, Place("legacy_ids", row.facts.snapshot, "key"))
        self._facts.key(row.facts, "individualProcessId", Place("legacy_ids", row.facts.snapshot, "parent_key"))
        return row

    def _take_linked_statuses(self, history_rows: list[_Row], status_rows: list[_Row]) -> None:
        """A history row that names no status tells the one of the status row it links to."""
        by_key = {row.key: row.named for row in status_rows}
        for row in history_rows:
            if row.named is None:
                row.named = by_key.get(convert.key(row.facts.record.document.get("newStatusId")) or "")

    # --- rows become changes (K4, K7, K8) ----------------------------------------------------------------------------

    def _active_row(self, rows: list[_Row]) -> _Row | None:
        active = sorted((row for row in rows if row.active), key=lambda row: (self._time(row), row.key), reverse=True)
        if len(active) > 1:
            self._facts.conflict(
                active[0].facts, "isActive", [row.key for row in active], active[0].key, "latest_change"
            )
            for row in active[1:]:
                self._facts.finding(row.facts, "isActive", "several_active", row.facts.record.document["isActive"])
        return active[0] if active else None

    def _time(self, row: _Row) -> datetime:
        return row.at or row.facts.earliest or self._facts.occurred(row.facts)

    def _changes(self, rows: list[_Row], winner: _Row | None) -> list[_Change]:
        def asked(row: _Row) -> tuple[Any, ...]:
            return not row.is_history, row is not winner

        told: dict[Any, list[_Row]] = {}
        ordered = sorted(rows, key=self._place)
        history = [row for row in ordered if row.is_history]
        for row in (*history, *sorted((row for row in rows if not row.is_history), key=lambda row: row.key)[::-1]):
            same = (row.named, row.at) if row.named is not None and row.at else id(row)
            told.setdefault(same, []).append(row)
        changes = []
        for group in told.values():
            group.sort(key=asked)  # stable: history rows stay in order, status rows the greater id first
            changes.append(_Change(group, group[0].named, self._time(group[0])))
        changes.sort(key=lambda change: self._place(change.rows[0]))
        return changes

    def _place(self, row: _Row) -> tuple[datetime, datetime, str]:
        at = self._time(row)
        return at, row.facts.platform or at, row.key

    # --- the opening entry (K11) -------------------------------------------------------------------------------------

    def _opening(self, changes: list[_Change], history_rows: list[_Row]) -> Candidate | None:
        if not history_rows:
            return None
        first = min(history_rows, key=self._place)
        if first.previous is None:
            return None
        for change in changes:
            if first in change.rows:
                return first.previous
            if change.status == first.previous.value:
                return None
        return None

    def _open_with(self, opening: Candidate, change: _Change) -> None:
        at = min(self._facts.occurred(self._process), change.at)
        self._facts.finding(opening.facts, "previousStatus", "assumed_time", at)
        number = self._number()
        self._facts.settle(opening, self._at(number, "status"))
        sources: Provenance = {"status": (opening.facts.source(opening.pointer),)}
        self._append(
            CaseStatusChanged(status=opening.value, effective_at=at, day=local_day(at), follows=self._follows()),
            UNKNOWN_AUTHOR,
            sources,
        )

    # --- a change becomes an entry (K5, K6, K12-K15) -----------------------------------------------------------------

    def _enter(self, change: _Change, winner: _Row | None) -> None:
        change.number = self._number()
        superseded = self._is_superseded(change, winner)
        self._statuses(change)
        self._previous(change, superseded=superseded)
        author = self._author(change)
        notes = self._notes(change)
        dated = self._dated(change)
        filled = self._filled(change)
        self._links(change)
        self._times(change)
        self._flags(change, winner, superseded=superseded)
        day = dated.day if dated else local_day(change.at)
        for row in change.rows:
            row.facts.became_version = change.number
            self._deadlines(row, change, day)
            self._rest(row)
        event = CaseStatusChanged(
            status=change.status,
            previous=self._status,
            effective_at=change.at,
            day=day,
            follows=None if superseded else self._follows(),
            superseded_by=self._overruled_by if superseded else None,
            notes=notes,
            filled=filled,
            dated=dated,
            carried=change.carried,
        )
        if winner and winner in change.rows:
            self._overruled_by = change.number
        self._append(event, author, change.provenance)

    def _is_superseded(self, change: _Change, winner: _Row | None) -> bool:
        """Tell whether a change comes after the active row's: the old system did not hold it then (K8)."""
        if not self._overruled_by or winner is None:
            return False
        first = change.first
        self._facts.finding(first, "changedAt", "disagrees", first.record.document.get("changedAt"))
        return True

    def _statuses(self, change: _Change) -> None:
        for row in change.rows:
            if row.status:
                name = "newStatus" if row.is_history else "statusName"
                self._facts.settle(row.status, self._at(change.number, "status"))
                change.came_from("status", row.facts, pointer_to(name))

    def _previous(self, change: _Change, *, superseded: bool) -> None:
        """Keep what the rows say was before, and compare it with the history (K11)."""
        found = [row.previous for row in change.rows if row.previous]
        if not found:
            return
        choose_first(
            self._facts, found, "previousStatus", self._at(change.number, "carried", "previous_status"), rule=RULE
        )
        change.carried["previous_status"] = found[0].value
        if not superseded and found[0].value != self._status:
            self._facts.finding(found[0].facts, "previousStatus", "disagrees", found[0].raw)

    def _author(self, change: _Change) -> str:
        """Choose the author (K6) and return the actor."""
        found = [author for row in change.rows if (author := self._author_named(row))]
        if not found:
            self._facts.finding(change.first, "changedBy", "assumed_author", None)
            return UNKNOWN_AUTHOR
        chosen = found[0].value
        actor = UNKNOWN_AUTHOR if chosen is None else str(self._author_of(chosen))
        for author in found:
            if author.value == chosen:
                as_it_stood = author.value is not None and author.value == author.raw
                author.facts.mark("/changedBy", author.raw, MAPPED if as_it_stood else NORMALISED)
                normal = Normal("/changedBy", UNKNOWN_AUTHOR if chosen is None else chosen)
                for pointer, leaf in leaves(author.raw, "/changedBy"):
                    if not is_unset(leaf):
                        author.facts.expect(pointer, self._at(change.number, "changed_by"), actor, normal)
                        if chosen is not None:
                            author.facts.expect(pointer, self._at(change.number, "carried", AUTHOR), chosen, normal)
                change.came_from("changed_by", author.facts, "/changedBy")
            else:
                author.facts.mark("/changedBy", author.raw, CONFLICTING)
        if chosen is not None:
            change.carried[AUTHOR] = chosen
        values = unique([author.value or UNKNOWN_AUTHOR for author in found])
        if len(values) > 1:
            self._facts.conflict(found[0].facts, "changedBy", values, values[0], RULE)
        return actor

    def _author_named(self, row: _Row) -> Candidate | None:
        """Read an author: the id of a user, None as the value for what names no user, with a finding; None if unset."""
        if not row.has("changedBy"):
            return None
        raw = row.raw("changedBy")
        if is_unset(raw):
            row.facts.mark("/changedBy", raw, NORMALISED)
            return None
        user = convert.key(raw)
        if user is None or "changedBy" in row.facts.record.dangling:
            self._facts.finding(row.facts, "changedBy", "assumed_author", raw)
            user = None
        return Candidate(row.facts, "/changedBy", raw, user)

    def _notes(self, change: _Change) -> str | None:
        found = [note for row in change.rows if (note := self._text(row, "notes"))]
        for note in found:
            if len(note.value) > NOTES_MAX:
                self._facts.finding(note.facts, "notes", "outside_limit", note.raw)
        return self._chosen(change, found, "notes", self._at(change.number, "notes"))

    def _dated(self, change: _Change) -> WallClock | None:
        """Choose the date, with the zone it is assumed to be told in (K13)."""
        found = []
        for row in change.rows:
            text = self._text(row, "date")
            if text is None:
                continue
            try:
                read_wall_clock(text.value)
                found.append(text)
            except ValueError:
                self._facts.unreadable(row.facts, "/date", "date", text.raw)
        chosen = self._chosen(change, found, "date", self._at(change.number, "date_text"))
        if chosen is None:
            return None
        clock = read_wall_clock(chosen)
        if clock.instant is not None:
            return clock
        backfilled = clock.day == change.at.astimezone(UTC).date() != local_day(change.at)
        return WallClock(text=clock.text, day=clock.day, zone="UTC" if backfilled else ZONE)

    def _filled(self, change: _Change) -> dict[str, Any]:
        offered: dict[str, list[Offered]] = {}
        told_as: dict[str, str] = {}
        for row in change.rows:
            for key, value in self._keys(row, "filledFieldsData"):
                if key not in FILLABLE_NAMES:
                    self._facts.finding(row.facts, f"filledFieldsData/{key}", "outside_vocabulary", value.value)
                name = FILLABLE_NAMES.get(key, key)  # which a row may spell in both ways
                told_as.setdefault(name, key)
                offered.setdefault(name, []).append(value)
        filled = {}
        for name, values in offered.items():
            place = self._at(change.number, "filled", name)
            choose(self._facts, values, values[0], f"filledFieldsData/{told_as[name]}", place, rule=RULE)
            filled[name] = values[0].value
            change.came_from(f"filled/{name}", values[0].facts, values[0].pointer)
        return filled

    def _links(self, change: _Change) -> None:
        """Take what else the rows hold: it is carried beside the entry (K15)."""
        for name, target in _LINKS.items():
            found = [link for row in change.rows if (link := self._link(row, name))]
            if value := self._chosen(change, found, name, self._at(change.number, "carried", target)):
                change.carried[target] = value
        self._metadata(change)
        place = self._at(change.number, "carried", "fillable_fields")
        lists = [
            (row.facts, take_texts(self._facts, row.facts, "/fillableFields", row.raw("fillableFields"), place))
            for row in change.rows
            if row.has("fillableFields")
        ]
        if chosen := choose_texts(self._facts, lists, "fillableFields", place, rule=RULE):
            change.carried["fillable_fields"] = chosen[1]

    def _link(self, row: _Row, name: str) -> Candidate | None:
        if not row.has(name):
            return None
        raw, value = row.raw(name), convert.key(row.raw(name))
        if value is None:
            self._facts.unreadable(row.facts, pointer_to(name), name, raw)
            return None
        self._facts.dangling(row.facts, name)
        if name in row.facts.record.foreign and name != "caseStatusId":
            self._facts.finding(row.facts, name, "disagrees", raw)
        return Candidate(row.facts, pointer_to(name), raw, value)

    def _metadata(self, change: _Change) -> None:
        """Take metadata as a whole, whatever it is."""
        offered = []
        for row in change.rows:
            if not row.has("metadata"):
                continue
            raw = row.raw("metadata")
            if is_unset(raw):
                row.facts.mark("/metadata", raw, NORMALISED)
            elif convert.holds_odd_number(raw):
                self._facts.unreadable(row.facts, "/metadata", "metadata", raw)
            else:
                offered.append(Offered(row.facts, "/metadata", raw, opened=False))
        if offered:
            place = self._at(change.number, "carried", "metadata")
            choose(self._facts, offered, offered[0], "metadata", place, rule=RULE)
            change.carried["metadata"] = offered[0].value

    def _times(self, change: _Change) -> None:
        for row in change.rows:
            if row.at is None:
                self._facts.finding(row.facts, "changedAt", "assumed_time", change.at)
            else:
                row.facts.expect("/changedAt", self._at(change.number, "active_from"), row.at)
                change.came_from("effective_at", row.facts, "/changedAt")

    def _flags(self, change: _Change, winner: _Row | None, *, superseded: bool) -> None:
        active = winner in change.rows and not superseded and change.status is not None
        for row in change.rows:
            if not row.has("isActive"):
                continue
            raw = row.raw("isActive")
            if not isinstance(raw, bool):
                self._facts.unreadable(row.facts, "/isActive", "isActive", raw)
            elif raw and row is not winner:
                row.facts.mark("/isActive", raw, CONFLICTING)
            else:  # it differs for a copy of the active row's status, and for an active row that names none
                row.facts.mark("/isActive", raw, MAPPED if raw == active else NORMALISED)
                row.facts.expect("/isActive", self._at(change.number, "is_active"), active)

    def _deadlines(self, row: _Row, change: _Change, day: date) -> None:
        """Compare the deadlines a row holds with those its status has (K14)."""
        ours = deadlines(change.status, day)
        for name, own in (
            ("maxDeliveryDate", ours.delivery if ours else None),
            ("clientDeadlineDate", ours.client if ours else None),
        ):
            if not row.has(name):
                continue
            raw = row.raw(name)
            row.facts.mark(pointer_to(name), raw, DERIVED)
            said = normal_text(raw) if isinstance(raw, str) else raw
            if not is_unset(raw) and said != (own.isoformat() if own else None):
                self._facts.finding(row.facts, name, "derived_differs", raw)

    def _rest(self, row: _Row) -> None:
        known = _HISTORY_FIELDS if row.is_history else _STATUS_FIELDS
        document = row.facts.record.document
        skipped = known | {row.facts.record.id_field}
        self._facts.no_target(
            row.facts, {pointer_to(name): value for name, value in document.items() if name not in skipped}
        )

    # --- without rows, and without an answer (K9, K10) ---------------------------------------------------------------

    def _enter_field(self, found: Candidate) -> None:
        process = self._process
        at = process.updated or self._facts.occurred(process)
        self._facts.finding(process, "status", "assumed_time", at)
        self._facts.finding(process, "status", "assumed_author", None)
        process.expect(found.pointer, self._at(self._number(), "status"), found.value)
        event = CaseStatusChanged(status=found.value, effective_at=at, day=local_day(at), follows=self._follows())
        self._append(event, UNKNOWN_AUTHOR, {"status": (process.source(found.pointer),)})

    def _nobody_knows(self) -> None:
        """End the history: there are status rows, and none is active (K9)."""
        if self._last is None or self._status is None:
            return
        at = max(self._last[1], self._process.updated or self._last[1])
        event = CaseStatusChanged(
            status=None, previous=self._status, effective_at=at, day=local_day(at), follows=self._follows()
        )
        self._append(event, UNKNOWN_AUTHOR, {})

    def _judge_field(self, found: Candidate | None) -> None:
        process = self._process
        self._facts.tally[found.value if found else "none"] += 1
        if self._status is None:
            self._facts.finding(process, "status", "undetermined_status", found.raw if found else None)
        if found is None:
            return
        if found.value == self._status:
            self._facts.settle(found, Place("cases", self._case_id, "status"))
        else:
            process.mark(found.pointer, found.raw, CONFLICTING)
            self._facts.conflict(process, "status", [self._status, found.value], self._status, "status_rank")

    # --- small things ------------------------------------------------------------------------------------------------

    def _number(self) -> int:
        """Return the version of the next event: that of the opened case is 1."""
        return len(self._events) + 2

    def _follows(self) -> int | None:
        return self._last[0] if self._last else None

    def _append(self, event: CaseStatusChanged, actor: str, provenance: Provenance) -> None:
        if event.superseded_by is None:
            self._last, self._status = (self._number(), event.effective_at), event.status
        self._events.append(ImportedEvent(event, event.effective_at, provenance or None, actor))

    def _at(self, number: int, column: str, *steps: str) -> Place:
        return Place("status_history", (self._case_id, number), column, steps)

    def _text(self, row: _Row, name: str) -> Candidate | None:
        return self._facts.text(row.facts, pointer_to(name), name, row.raw(name)) if row.has(name) else None

    def _keys(self, row: _Row, name: str) -> Iterable[tuple[str, Offered]]:
        return take_keys(self._facts, row.facts, pointer_to(name), row.raw(name)) if row.has(name) else ()

    def _chosen(self, change: _Change, found: list[Candidate], name: str, place: Place) -> str | None:
        if not found:
            return None
        choose_first(self._facts, found, name, place, rule=RULE)
        for candidate in found:
            if candidate.value == found[0].value:
                change.came_from(name, candidate.facts, candidate.pointer)
        value: str = found[0].value
        return value


# --- the way back -----------------------------------------------------------------------------------------------------


def _row_back(record: Row, entry: Row) -> dict[str, Any]:
    carried = entry.get("carried", {})
    return {
        "individualProcessId": record["parent_key"],
        "changedBy": carried.get(AUTHOR, entry.get("changed_by")),
        "changedAt": entry.get("active_from"),
        "notes": entry.get("notes"),
        "metadata": carried.get("metadata"),
        **fields_back(_LINKS, carried),
    }


def _entry_of(record: Row, rows: BundleRows) -> Row:
    return rows.row("status_history", record["became"], record["became_version"])


def history_row_back(record: Row, rows: BundleRows) -> dict[str, Any]:
    """Return what a history row held, from the entry it became."""
    entry = _entry_of(record, rows)
    previous = entry.get("carried", {}).get("previous_status")
    return {**_row_back(record, entry), "newStatus": entry.get("status"), "previousStatus": previous}


def status_row_back(record: Row, rows: BundleRows) -> dict[str, Any]:
    """Return what a status row held, from the entry it became; what it filled under both names it may have."""
    entry = _entry_of(record, rows)
    filled = entry.get("filled", {})
    return {
        **_row_back(record, entry),
        "statusName": entry.get("status"),
        "isActive": entry.get("is_active"),
        "date": entry.get("date_text"),
        "fillableFields": entry.get("carried", {}).get("fillable_fields"),
        "filledFieldsData": filled | {LEGACY_FILLABLE.get(name, name): value for name, value in filled.items()},
    }


_LINKS: Final = {
    "caseStatusId": "case_status_id",
    "previousStatusId": "previous_status_id",
    "newStatusId": "new_status_id",
}
_ROW_FIELDS: Final = frozenset(
    {"_creationTime", "createdAt", "updatedAt", "individualProcessId", "changedBy", "changedAt", "notes"}
)
_HISTORY_FIELDS: Final = _ROW_FIELDS | {"previousStatus", "newStatus", "metadata", "previousStatusId", "newStatusId"}
_STATUS_FIELDS: Final = _ROW_FIELDS | {
    "statusName", "caseStatusId", "isActive", "date", "maxDeliveryDate", "clientDeadlineDate",
    "fillableFields", "filledFieldsData",
}  # fmt: skip
