"""The sample itself: the groups of oddities, the people that hold them, and the lines beside them."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from adapters.samples.decks import values
from adapters.samples.decks.people import COLUMNS, Oddity, Person, add_others, build, make_older, make_uuid, stamp
from adapters.samples.truth import (
    ABSENT,
    CONFLICTING,
    MAPPED,
    NORMALISED,
    UNMAPPED,
    UNREADABLE,
    Layout,
    Record,
    SampleWriter,
    Truth,
    broken_ways,
    make_rng,
    turns_of,
)

TABLES: Final = ("profiles", "presentations", "datasets", "analytics", "leads", "user_events", "users")
PLANTED: Final = 16
"""So many people hold every oddity; those after them draw theirs."""
_EARLY: Final = datetime(2021, 5, 1, 8, tzinfo=UTC)
DEMO: Final = "00000000-0000-0000-0000-000000000001"


def class_of(record: Record, at: str) -> str:
    """Give the class of a set leaf of a record that was taken in, when nothing odd is said about it."""
    known = record.table == "profiles" and at[1:].partition("/")[0] in COLUMNS
    return MAPPED if known else UNMAPPED


# ---- whose row it is (D7, D8), and look-ups (D17)


def _by_id(person: Person) -> None:
    person.row.put("/user_id", ABSENT)
    person.row.put("/id", person.user)


def _by_id_with_blank(person: Person) -> None:
    _by_id(person)
    person.row.put("/user_id", "")


def _both_keyings(person: Person) -> None:
    """Add an older row of the same person that says something else, something the same, and something more."""
    row = person.row
    doc = {
        "id": person.user,
        "created_at": stamp(person.rng, _EARLY),
        "target_audience": "Everybody",
        "business_context": f" {row.get('/business_context')}",
    }
    marks = {"/target_audience": CONFLICTING, "/business_context": NORMALISED}
    person.twin = Record("profiles", doc, marks=marks, conflicts=1)


def _two_rows(person: Person) -> None:
    """Add another row with the same `user_id`, which the unique index forbids."""
    doc = {"id": make_uuid(person.rng), "user_id": person.user, "created_at": stamp(person.rng, _EARLY)}
    marks = {"/target_audience": CONFLICTING}
    person.twin = Record("profiles", doc | {"target_audience": "Nobody"}, marks=marks, conflicts=1)


def _integer_user(person: Person) -> None:
    person.user = str(10_000 + person.serial)
    person.row.put("/user_id", int(person.user), NORMALISED)


def _demo_user(person: Person) -> None:
    person.user = DEMO
    person.row.put("/user_id", DEMO)


def _copied(person: Person) -> None:
    person.row.repeat()


def _duplicate(person: Person) -> None:
    person.row.repeat(bio="another row with this id")


def _email_twin(person: Person) -> None:
    person.row.put("/email", person.neighbour, None, "duplicate_lookup duplicate_lookup")


def _email_twin_in_other_case(person: Person) -> None:
    person.row.put("/email", str(person.neighbour).upper())


TWINS: Final[dict[str, Oddity]] = {"twin": _email_twin, "twin_in_other_case": _email_twin_in_other_case}
GROUPS: Final[dict[str, dict[str, Oddity]]] = {
    "key": {
        "id_is_the_user": _by_id,
        "user_id_blank": _by_id_with_blank,
        "both_keyings": _both_keyings,
        "two_rows": _two_rows,
        "integer_user": _integer_user,
        "demo_user": _demo_user,
    },
    "email": {
        "null": lambda person: person.row.put("/email", None),
        "number": lambda person: person.row.put("/email", 5, UNREADABLE, "unreadable"),
        **TWINS,
    },
    "name": values.NAMES,
    "company": values.COMPANY,
    "job": values.JOB,
    "picture": values.PICTURES,
    "login": values.LOGIN,
    "tier": values.TIER,
    "status": values.STATUS,
    "colours": values.COLOURS,
    "metrics": values.METRICS,
    "answer": values.ANSWERS,
    "prompt": values.PROMPT,
    "flag": values.FLAGS,
    "phone": values.PHONE,
    "settings": values.SETTINGS,
    "bio": values.BIO,
    "time": values.TIMES,
    "extra": values.EXTRA,
    "row": {"copied": _copied, "duplicate_id": _duplicate},
}
WAYS: Final = broken_ways("/bio")
EVENT_WAYS: Final = broken_ways("/event_type")
_CHANCE: Final = 0.03
_WITH_OLDER_NAMES: Final = {"name", "company", "login", "tier"}
"""Groups about columns that have other names in rows of an older shape."""


def _planted() -> dict[int, dict[str, str]]:
    """Say which oddity of each group the first people get."""
    plan: dict[int, dict[str, str]] = {place: {} for place in range(PLANTED)}
    for turn, (group, oddities) in enumerate(GROUPS.items()):
        for index, name in enumerate(oddities):
            # an email twin needs a plain neighbour before it
            place = 2 * index + 1 if group == "email" else (index + 5 * turn) % PLANTED
            plan[place][group] = name
    return plan


class _Sample:
    """Adds people and the lines beside them to a writer, one after the other."""

    def __init__(self, writer: SampleWriter, rng: random.Random, users: int) -> None:
        self._writer, self._rng = writer, rng
        self._plan = _planted()
        self._neighbour: str | None = None
        self._extra_serial = users
        self._extras: dict[str, Callable[[], None]] = {
            **{f"broken_row.{way}": partial(self._broken_row, way) for way in WAYS},
            **{f"broken_event.{way}": partial(self._broken_event, way) for way in EVENT_WAYS},
            "user_id_unreadable": self._unreadable_user,
            "presentation.dangling_user": partial(self._stray, "presentations", make_uuid, "dangling_reference"),
            "lead.user_null": partial(self._stray, "leads", lambda _: None, ""),
            "line.empty": partial(self._blank, b""),
            "line.of_blanks": partial(self._blank, b" \t"),
        }
        self.oddities: Counter[str] = Counter()

    def add_user(self, index: int) -> None:
        """Add the person of this number, and now and then lines of nobody."""
        chosen = self._plan[index] if index < PLANTED else self._drawn()
        person = build(self._rng, index)
        person.neighbour = self._neighbour
        self._neighbour = None if "email" in chosen else person.row.get("/email")
        for group in GROUPS:
            if group in chosen:
                self._apply(person, group, chosen[group])
        if not chosen.keys() & _WITH_OLDER_NAMES and self._rng.random() < 0.3:
            make_older(person)
            self.oddities["older_shape"] += 1
        add_others(person)
        self._add(*person.records)
        self._add_lines(index)

    def _drawn(self) -> dict[str, str]:
        return {
            group: self._rng.choice([name for name in oddities if name != "demo_user"])
            for group, oddities in GROUPS.items()
            if self._rng.random() < _CHANCE
        }

    def _apply(self, person: Person, group: str, name: str) -> None:
        if name in TWINS and person.neighbour is None:
            return
        GROUPS[group][name](person)
        self.oddities[f"{group}.{name}"] += 1

    def _add_lines(self, index: int) -> None:
        for name in turns_of(self._extras, index, PLANTED, self._rng, _CHANCE):
            self._extras[name]()
            self.oddities[name] += 1

    def _add(self, *records: Record) -> None:
        for record in records:
            self._writer.add(record)

    def _extra_person(self) -> Person:
        self._extra_serial += 1
        return build(self._rng, self._extra_serial)

    def _broken_row(self, way: str) -> None:
        person = self._extra_person()
        WAYS[way](person.row)
        self._add(person.row)

    def _broken_event(self, way: str) -> None:
        doc = {"id": make_uuid(self._rng), "event_type": "profile_updated", "event_data": {"ok": True}}
        event = Record("user_events", doc)
        EVENT_WAYS[way](event)
        self._add(event)

    def _unreadable_user(self) -> None:
        row = self._extra_person().row
        row.put("/user_id", {"id": "x", "of": None})
        row.code = "no_subject"
        self._add(row)

    def _stray(self, table: str, user: Callable[[random.Random], str | None], findings: str) -> None:
        doc = {"id": make_uuid(self._rng), "user_id": user(self._rng), "status": "draft"}
        self._add(Record(table, doc, findings=findings.split()))

    def _blank(self, raw: bytes) -> None:
        self._add(*(Record(table, {}, raw=raw) for table in TABLES))


def write_sample(out: Path, users: int, seed: int, *, layout: Layout = "json_lines") -> Truth:
    """Write an export of `users` people and its `truth.json`."""
    writer = SampleWriter(out, TABLES, class_of, make_rng("decks", "order", seed), layout=layout)
    sample = _Sample(writer, make_rng("decks", seed), users)
    for index in range(users):
        sample.add_user(index)
    return writer.close("decks", users, seed, sample.oddities)
