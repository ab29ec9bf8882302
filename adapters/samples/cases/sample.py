"""The sample itself: the groups of oddities, the cases that hold them, and the lines beside the cases."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from adapters.samples.cases.broken import (
    IDS,
    WAYS,
    break_whole,
    broken_rows,
    homeless_members,
    repeated_rows,
    stray_rows,
)
from adapters.samples.cases.changes import CHANGES
from adapters.samples.cases.courses import USUAL, begin, conclude, modern
from adapters.samples.cases.listing import Listing
from adapters.samples.cases.odd_courses import FIXED_FIELD, ODD
from adapters.samples.cases.oddity import Oddity, process_of, puts, slot_row
from adapters.samples.cases.process_values import FIELDS, PROCESS_TIMES, PROCESS_VALUES, RENAMES
from adapters.samples.cases.row_values import (
    HISTORY_REST,
    NOTES,
    PREVIOUS,
    STATUS_TIMES,
    authors,
    statuses,
    times,
)
from adapters.samples.cases.rows import Row
from adapters.samples.cases.status_values import DATED, DEADLINES, FILLING, FLAGS, STATUS_REST
from adapters.samples.cases.vocabulary import TABLES, class_of
from adapters.samples.cases.world import World
from adapters.samples.truth import Layout, Record, SampleWriter, Truth, make_rng, turns_of

_COLLECTIVES: Final = (
    ("collectiveProcesses",),
    ("mainProcesses",),
    ("mainProcesses", "collectiveProcesses"),
)
"""Under which names exports hold the collective processes, by the remainder of the seed."""


@dataclass(frozen=True)
class _Group:
    """Oddities of one place, of which a case has at most one; `slot` says that the place is a slot."""

    oddities: dict[str, Oddity]
    slot: bool = True


_HISTORY, _STATUS = slot_row("history"), slot_row("status")
GROUPS: Final = {
    "course": _Group(ODD, slot=False),
    "process": _Group(puts(process_of, PROCESS_VALUES), slot=False),
    "rename": _Group(RENAMES, slot=False),
    "process_time": _Group(PROCESS_TIMES, slot=False),
    "field": _Group(FIELDS, slot=False),
    "history_author": _Group(authors("history")),
    "history_notes": _Group(puts(_HISTORY, NOTES)),
    "history_status": _Group(statuses("history", "newStatus")),
    "history_previous": _Group(PREVIOUS),
    "history_time": _Group(times("history")),
    "history_rest": _Group(HISTORY_REST),
    "status_author": _Group(authors("status")),
    "status_notes": _Group(puts(_STATUS, NOTES)),
    "status_status": _Group(statuses("status", "statusName")),
    "status_time": _Group(STATUS_TIMES),
    "status_flag": _Group(puts(_STATUS, FLAGS)),
    "status_date": _Group(DATED),
    "status_rest": _Group(puts(_STATUS, STATUS_REST)),
    "deadline": _Group(DEADLINES),
    "filling": _Group(FILLING),
    "change": _Group(CHANGES),
    "broken_history": _Group(broken_rows("processHistory"), slot=False),
    "broken_status": _Group(broken_rows("individualProcessStatuses"), slot=False),
    "id": _Group(IDS, slot=False),
}
_LONGEST: Final = max(len(group.oddities) for name, group in GROUPS.items() if name != "course")
PLANTED: Final = len(ODD) + _LONGEST
"""So many cases hold every oddity; those after them draw theirs."""

_CHANCES: Final = {"course": 0.06} | {
    name: 0.01 if group.slot else 0.015 for name, group in GROUPS.items() if name != "course"
}


def _planted() -> list[dict[str, str]]:
    """Say which oddity of each group the first cases get: first the odd courses, then what needs slots."""
    plan: list[dict[str, str]] = [{"course": name} for name in ODD] + [{} for _ in range(_LONGEST)]
    for turn, (group, content) in enumerate(GROUPS.items()):
        for index, name in enumerate(content.oddities):
            if group != "course":
                plan[len(ODD) + (index + 5 * turn) % _LONGEST][group] = name
    return plan


def _fits(group: str, course: str | None) -> bool:
    """Tell whether an oddity of a group can meet an odd course."""
    if GROUPS[group].slot:
        return course is None
    if group == "field":
        return course not in FIXED_FIELD
    return not (group == "process_time" and course == "no_time_at_all")


class _Sample:
    """Adds cases and the lines beside them, one after the other."""

    def __init__(self, writer: SampleWriter, listing: Listing, rng: random.Random, world: World, cases: int) -> None:
        self._writer, self._listing, self._rng, self._world = writer, listing, rng, world
        self._plan = _planted()
        self._extra_serial = cases
        self._extras: dict[str, Callable[[], list[Row]]] = {
            f"broken_process.{way}": partial(self._broken_process, way) for way in WAYS["individualProcesses"]
        }
        for table in {row.table for row in world.spare(make_rng("spare"))}:
            self._extras |= {f"broken_{table}.{way}": partial(self._stray, table, way) for way in WAYS[table]}
        self._extras = dict(sorted(self._extras.items()))
        self._extras["member_of_no_company"] = lambda: homeless_members(rng, world)
        self._extras["line.empty"] = partial(self._blank, b"")
        self._extras["line.of_blanks"] = partial(self._blank, b" \t")
        self.oddities: Counter[str] = Counter()

    def add_world(self) -> None:
        """Add the rows that cases refer to."""
        repeated_rows(self._world)
        self._add(self._world.rows)
        self.oddities += self._world.oddities

    def add_case(self, index: int) -> None:
        """Add the case of this number, and now and then lines of nobody."""
        chosen = self._plan[index] if index < PLANTED else self._drawn()
        case = begin(self._rng, index, self._world)
        course = chosen.get("course")
        if course:
            ODD[course](case)
        elif any(GROUPS[group].slot for group in chosen):
            modern(case, slots=True)
        else:
            self._rng.choices(list(USUAL), list(USUAL.values()))[0](case)
        conclude(case)
        for group, name in chosen.items():
            if group != "course":
                GROUPS[group].oddities[name](case)
            self.oddities[f"{group}.{name}"] += 1
        self._listing.add_case(case.process.key, case.finish())
        self._add(case.records)
        self._add_lines(index)

    def _drawn(self) -> dict[str, str]:
        drawn: dict[str, str] = {}
        for group, content in GROUPS.items():
            if self._rng.random() < _CHANCES[group] and _fits(group, drawn.get("course")):
                drawn[group] = self._rng.choice(list(content.oddities))
        return drawn

    def _add_lines(self, index: int) -> None:
        for name in turns_of(self._extras, index, PLANTED, self._rng, 0.02):
            self._add(self._extras[name]())
            self.oddities[name] += 1

    def _add(self, rows: list[Row]) -> None:
        for row in rows:
            self._listing.add_row(row)
            self._writer.add(row)

    def _broken_process(self, way: str) -> list[Row]:
        self._extra_serial += 1
        case = begin(self._rng, self._extra_serial, self._world)
        modern(case)
        conclude(case)
        case.finish()
        break_whole(case, way)
        return case.records

    def _stray(self, table: str, way: str) -> list[Row]:
        return stray_rows(self._rng, self._world, table, way)

    def _blank(self, raw: bytes) -> list[Row]:
        for table in self._listing.tables:
            self._writer.add(Record(table, {}, raw=raw))
        return []

    def add_too_large(self) -> None:
        """Add a line above the limit of 16 MiB."""
        row = stray_rows(self._rng, self._world, "people", "not_json")[0]
        row.unread("too_large", b'{"_id": "nlarge", "notes": "' + b"longa " * 3_500_000 + b'"}')
        self._add([row])
        self.oddities["line.too_large"] += 1


def write_sample(out: Path, cases: int, seed: int, *, layout: Layout = "json_lines", too_large: bool = False) -> Truth:
    """Write an export of `cases` processes and its `truth.json`; `too_large` adds a line of 20 MB."""
    collectives = _COLLECTIVES[seed % len(_COLLECTIVES)]
    tables = tuple(table for table in TABLES if not table.endswith("Processes") or table in {TABLES[0], *collectives})
    writer = SampleWriter(out, tables, class_of, make_rng("cases", "order", seed), layout=layout)
    rng = make_rng("cases", seed)
    listing = Listing(out, tables)
    sample = _Sample(writer, listing, rng, World(rng, cases, collectives), cases)
    sample.add_world()
    for index in range(cases):
        sample.add_case(index)
    if too_large:
        sample.add_too_large()
    return writer.close("cases", cases, seed, sample.oddities, listing.sections())
