"""A case as the generator makes it: what happened, the rows that tell of it, and what is true of it."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from adapters.samples.cases.rows import (
    DAY,
    Row,
    add_deadlines,
    drop,
    is_set,
    local_clock,
    make_row,
    moment,
    platform_time,
    utc_day,
)
from adapters.samples.cases.vocabulary import CASE_CODES, REQUIREMENT, UNKNOWN, Said, by_code, by_name
from adapters.samples.cases.world import World
from adapters.samples.truth import ABSENT, CONFLICTING, UNREADABLE

NOTES: Final = (
    "Documentos recebidos por e-mail.",
    "Faltou a certidão de nascimento",
    "Client called, wants to know when",
    "Protocolo no MigranteWeb.",
    "Aguardando publicação no Diário Oficial 🇧🇷",
    "checked with the consulate",
)
MIGRATED_FIELD: Final = "Migrated from legacy status"
MIGRATED_ROW: Final = "Migrated from process history"


@dataclass(eq=False)
class Entry:
    """A change of status, and the rows that tell of it, the one whose author and notes count first."""

    code: str | None
    at: float
    author: str
    notes: str | None = None
    rows: list[Row] = field(default_factory=list)
    superseded: bool = False

    @property
    def first(self) -> Row:
        """Give the row that counts first."""
        return self.rows[0]


class Slot(NamedTuple):
    """An entry somewhere in the middle that an oddity may change without changing what comes after it."""

    entry: Entry
    history: Row | None
    status: Row | None

    @property
    def row(self) -> Row:
        """Give the only row."""
        return self.entry.first


class CaseSums(NamedTuple):
    """What is true of a case after its replay."""

    status: str | None
    entries: list[list[str | None]]
    superseded: int
    several_active: bool


Field = Said | object


@dataclass(eq=False)
class Case:
    """A process and its rows; `now` is the time of the last change, `active` the entry that is thought to hold.

    `created` and `updated` are the times a replay takes, `make_field` gives the process's own status.
    """

    rng: random.Random
    serial: int
    world: World
    process: Row
    person: Row
    created: float
    now: float
    updated: float | None = None
    entries: list[Entry] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)
    statuses: list[Row] = field(default_factory=list)
    others: list[Row] = field(default_factory=list)
    slots: dict[str, Slot] = field(default_factory=dict)
    active: Entry | None = None
    several_active: bool = False
    opening: Said | None = None
    make_field: "Callable[[Case, str | None], Field] | None" = None

    @property
    def records(self) -> list[Row]:
        """Give the rows of the case."""
        return [self.person, self.process, *self.history, *self.statuses, *self.others]

    @property
    def code(self) -> str:
        """Give the status of the last change."""
        return self.entries[-1].code or ""

    # --- what happens -------------------------------------------------------------------------------------------------

    def change(self, code: str, author: str = "", after: float | None = None) -> Entry:
        """Let the status change, some days after the last change or `after` ms."""
        self.now += self.rng.randrange(DAY, 40 * DAY) if after is None else after
        notes = self.rng.choice(NOTES) if self.rng.random() < 0.5 else None
        entry = Entry(code, self.now, author or self.world.author(self.rng), notes)
        self.entries.append(entry)
        return entry

    def tell(self, entry: Entry, **fields: Any) -> Row:
        """Write the history row of an entry; it names the status before, if there was one."""
        place = self.entries.index(entry)
        before = self.entries[place - 1].code if place else None
        row = make_row(self.rng, "processHistory", entry.at, individualProcessId=self.process.doc["_id"])
        if before is not None or self.rng.random() < 0.1:
            row.put("/previousStatus", before)
        row.say("newStatus", by_code(entry.code or ""))
        row.doc |= {"changedBy": entry.author, "changedAt": entry.at}
        self._note(row, entry.notes)
        if self.rng.random() < 0.15:
            row.doc["metadata"] = {"source": self.rng.choice(("form", "bulk", "api")), "batch": {"size": 1}}
        row.doc |= fields
        self.history.append(row)
        entry.rows.append(row)
        return row

    def show(self, entry: Entry, *, active: bool = False, **fields: Any) -> Row:
        """Write a status row of an entry as the application does: with display name and wall clock."""
        code = entry.code or ""
        said = by_name(code) if self.rng.random() < 0.8 else by_code(code)
        text = local_clock(entry.at) if self.rng.random() < 0.8 else local_clock(entry.at)[:10]
        row = self._status(entry, said, text, active=active, created=entry.at)
        if code in CASE_CODES:
            row.doc["caseStatusId"] = self.world.status_ids[code]
            self._fill(row, code)
        self._note(row, entry.notes)
        row.doc |= fields
        return row

    def copy(self, entry: Entry, *, active: bool = False, notes: str = MIGRATED_ROW) -> Row:
        """Write a status row of an entry as the old migration did: code, UTC day, a note of its own."""
        row = self._status(entry, by_code(entry.code or ""), utc_day(entry.at), active=active, created=entry.at)
        row.doc["_creationTime"] = platform_time(self.rng, self.world.migrated_at)
        row.doc["notes"] = notes if active else entry.notes or notes
        return row

    def _status(self, entry: Entry, said: Said, text: str, *, active: bool, created: float) -> Row:
        row = make_row(self.rng, "individualProcessStatuses", entry.at, individualProcessId=self.process.doc["_id"])
        row.say("statusName", said)
        row.doc |= {"isActive": active, "date": text, "changedBy": entry.author}
        row.doc |= {"changedAt": entry.at, "createdAt": created}
        if said.code == REQUIREMENT:
            add_deadlines(row, text)
        self.statuses.append(row)
        entry.rows.append(row)
        return row

    def _fill(self, row: Row, code: str) -> None:
        names = CASE_CODES[code].fillable
        row.doc["fillableFields"] = list(names)
        filled = {name: self.process.doc.get(name) or f"{self.serial}/{len(name)}" for name in names}
        if filled and self.rng.random() < 0.6:
            row.doc["filledFieldsData"] = filled
        elif self.rng.random() < 0.3:
            row.doc["filledFieldsData"] = {}

    def _note(self, row: Row, notes: str | None) -> None:
        if notes or self.rng.random() < 0.1:
            row.doc["notes"] = notes or self.rng.choice(("", None))

    def forget_previous(self, entry: Entry) -> None:
        """Let the history row after an entry not say what the status was before."""
        following = self.entries[self.entries.index(entry) + 1 :]
        for row in following[0].rows if following else ():
            if row.table == "processHistory":
                drop(row, "previousStatus")

    # --- what is true -------------------------------------------------------------------------------------------------

    def finish(self) -> CaseSums:
        """Write the process's own status and say what a replay must make of the case."""
        if not self.statuses and self.entries:
            self.active = self.entries[-1]
        current = self.active.code if self.active else None
        self._say_field(current)
        if self.opening:
            first = self.history[0]
            self.entries.insert(0, Entry(self.opening.code, min(self.created, self.entries[0].at), UNKNOWN))
            first.say("previousStatus", self.opening)
            first.find("previousStatus", "assumed_time")
        if self.active is None:
            self.process.find("status", "undetermined_status")
            if self.statuses:
                self.entries.append(Entry(None, max(self.updated or 0, self.entries[-1].at), UNKNOWN))
        times = [entry.at for entry in self.entries]
        if times != sorted(times):
            raise AssertionError(f"the entries of case {self.serial} are out of order")
        return CaseSums(
            self.active.code if self.active else None,
            [[entry.code, _iso(entry.at), entry.author] for entry in self.entries if not entry.superseded],
            sum(entry.superseded for entry in self.entries),
            self.several_active,
        )

    def _say_field(self, current: str | None) -> None:
        said = self.make_field(self, current) if self.make_field else _usual_field(self, current)
        if not isinstance(said, Said):
            self.process.put("/status", said)
            if said is not ABSENT and is_set(self.process, "status"):
                self.process.put("/status", said, UNREADABLE, "unreadable")
            return
        self.process.say("status", said)
        if not self.entries:
            at = self.created if self.updated is None else self.updated
            self.active = Entry(said.code, at, UNKNOWN)
            self.entries.append(self.active)
            self.process.find("status", "assumed_time", "assumed_author")
        elif said.code != current:
            self.process.marks["/status"] = CONFLICTING
            self.process.dispute("status", "status_rank")


def _usual_field(case: Case, current: str | None) -> Field:
    if current is None:
        return ABSENT
    return by_name(current) if case.rng.random() < 0.3 else by_code(current)


def _iso(millis: float) -> str:
    return moment(millis).isoformat(timespec="microseconds")
