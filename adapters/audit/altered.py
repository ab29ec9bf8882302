"""What differs between stored events and the leaves made from them; neighbours are one finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from adapters.postgres.audit_log import StoredRow

LISTED: Final = 1_000
COMPARED: Final = 100
COMPARED_BYTES: Final = 1 << 16
"""How many altered events, and how large ones, are held to find out which of them changed places."""


class Finding(NamedTuple):
    """Something that is not as it was: from which position to which, how many events, and what is wrong with them."""

    code: str
    first: int | None
    last: int | None
    events: int
    what: str


@dataclass
class _Run:
    """Altered events one after the other."""

    code: str
    first: int
    last: int
    place: int
    events: int = 1


@dataclass
class Altered:
    """Collects what differs: neighbours become one finding, and a few are held to tell which changed places."""

    runs: list[_Run] = field(default_factory=list)
    noted: list[Finding] = field(default_factory=list)
    uncounted: Counter[str] = field(default_factory=Counter)
    lost: dict[int, bytes] = field(default_factory=dict)
    held: dict[int, StoredRow] = field(default_factory=dict)

    def deleted(self, rank: int, position: int, leaf: bytes) -> None:
        """Take in a leaf without its event."""
        self._add("deleted", position, rank)
        self._hold(position, leaf, None)

    def changed(self, rank: int, row: StoredRow, leaf: bytes) -> None:
        """Take in an event that is not the one its leaf was made from."""
        self._add("changed", row.position, rank)
        self._hold(row.position, leaf, row)

    def inserted(self, row: StoredRow) -> None:
        """Take in an event without a leaf."""
        self._add("inserted", row.position, row.position)
        self._hold(row.position, None, row)

    def note(self, code: str, first: int, last: int, events: int, what: str) -> None:
        """Take in a finding that is not about one event."""
        self.noted.append(Finding(code, first, last, events, what))

    def findings(self, size: int) -> list[Finding]:
        """Return what was found; a deletion that reaches the last leaf is a truncated tail."""
        found = [*self._moved(), *self.noted]
        for run in sorted(self.runs, key=lambda run: run.first):
            code = "truncated" if run.code == "deleted" and run.place == size - 1 else run.code
            found.append(Finding(code, run.first, run.last, run.events, _WHAT[code]))
        for code, events in self.uncounted.items():
            found.append(Finding(code, None, None, events, "further ones, not listed"))
        return found

    def _add(self, code: str, position: int, place: int) -> None:
        run = self.runs[-1] if self.runs else None
        if run and run.code == code and place == run.place + 1:
            run.last, run.place, run.events = position, place, run.events + 1
        elif len(self.runs) < LISTED:
            self.runs.append(_Run(code, position, position, place))
        else:
            self.uncounted[code] += 1

    def _hold(self, position: int, leaf: bytes | None, row: StoredRow | None) -> None:
        if leaf is not None and len(self.lost) < COMPARED:
            self.lost[position] = leaf
        if row is not None and len(self.held) < COMPARED and len(row.body) <= COMPARED_BYTES:
            self.held[position] = row

    def _moved(self) -> Iterator[Finding]:
        """Find what a leaf was made from at another position: a whole event, or the body of one."""
        for position, leaf in self.lost.items():
            own = self.held.get(position)
            for other, row in self.held.items():
                if other == position:
                    continue
                if row._replace(position=position).leaf() == leaf:
                    what = f"the event of position {position} stands at {other}"
                elif own and own._replace(body=row.body).leaf() == leaf:
                    what = f"the body of position {position} stands at {other}"
                else:
                    continue
                yield Finding("reordered", position, other, 1, what)


_WHAT: Final = {
    "changed": "the stored event is not the one the leaf was made from",
    "deleted": "there is a leaf, and no event",
    "inserted": "there is an event, and no leaf",
    "truncated": "the end of the log is gone",
}
