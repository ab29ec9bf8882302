"""The order of a status history: which entries are in force, which stands next to which, and which one is active.

Entries are ordered by when they took effect, then by version; one that supersedes another and begins when that one did
has its place. One that was superseded is out of the order; one whose status is None says that nobody knows. The last in
the order is the active one, so there is one or none, never two.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple


class Neighbours(NamedTuple):
    """The entries, by number, between which one stands; None at either end."""

    follows: int | None
    precedes: int | None


@dataclass(frozen=True)
class Entry:
    """One entry: its number is the version of the event that made it, `at` is when it took effect, UTC.

    `status` is None where nobody knows. `details` is whatever its owner keeps with it. `place_of` is the number of the
    entry whose place it has among those of the same time, None where that is its own.
    """

    at: datetime
    number: int
    status: str | None
    details: Any = field(default=None, compare=False)
    place_of: int | None = None

    @property
    def place(self) -> tuple[datetime, int]:
        """What entries are ordered by."""
        return self.at, self.place_of or self.number

    def instead_of(self, wrong: Entry) -> Entry:
        """Return the entry as it supersedes another: whatever else began at that time stays before or after it."""
        return replace(self, place_of=wrong.place[1]) if self.at == wrong.at else self


@dataclass(frozen=True)
class Timeline:
    """The entries in force, in order, and by which entry each of the others was superseded."""

    entries: tuple[Entry, ...] = ()
    superseded: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Timeline:
        """Return the timeline of entries that come in any order."""
        return cls(tuple(sorted(entries, key=lambda entry: entry.place)))

    @property
    def active(self) -> Entry | None:
        """The entry in force now; None where the status is undetermined."""
        last = self.entries[-1] if self.entries else None
        return last if last and last.status is not None else None

    def entry(self, number: int) -> Entry | None:
        """Return an entry in force by its number."""
        return next((entry for entry in self.entries if entry.number == number), None)

    def before(self, entry: Entry) -> Entry | None:
        """Return the entry that stands before the place of this one."""
        index = self._index(entry)
        return self.entries[index - 1] if index else None

    def neighbours(self, entry: Entry) -> Neighbours:
        """Return between which entries this one stands, or would stand."""
        index = self._index(entry)
        after = index + (index < len(self.entries) and self.entries[index].number == entry.number)
        return Neighbours(
            self.entries[index - 1].number if index else None,
            self.entries[after].number if after < len(self.entries) else None,
        )

    def with_entry(self, entry: Entry) -> Timeline:
        """Return the timeline with an entry in its place."""
        entries = list(self.entries)
        insort(entries, entry, key=lambda known: known.place)
        return Timeline(tuple(entries), self.superseded)

    def without(self, number: int, by: int) -> Timeline:
        """Return the timeline with an entry superseded by another."""
        entries = tuple(entry for entry in self.entries if entry.number != number)
        return Timeline(entries, self.superseded | {number: by})

    def _index(self, entry: Entry) -> int:
        return bisect_left(self.entries, entry.place, key=lambda known: known.place)
