"""The sample itself: which users hold which oddities, and the lines beside the users."""

import random
from collections import Counter
from pathlib import Path
from typing import Final

from adapters.samples.talent.oddities import COMPANY, FLAT, GUEST, MOVED, WAYS
from adapters.samples.talent.people import Bundle, Oddity, build, document, make_id
from adapters.samples.truth import DERIVED, MAPPED, NORMALISED, Layout, Record, SampleWriter, Truth, make_rng

TABLES: Final = ("users", "dancers", "choreographers", "projects", "training", "highlights", "experiences", "skills")
FORMS: Final[dict[str, dict[str, dict[str, Oddity]]]] = {
    "flat": FLAT,
    "moved": MOVED,
    "company": COMPANY,
    "guest": GUEST,
}
"""The oddities by the form of the user, and by place."""

_TURNS: Final = ("flat", "flat", "moved", "company", "guest")
PLANTED: Final = max(
    len(oddities) * (len(_TURNS) // _TURNS.count(form) + 1)
    for form, places in FORMS.items()
    for oddities in places.values()
)
"""So many users hold every oddity; those after them draw theirs."""

_CHANCE: Final = 0.03
_NEIGHBOURS: Final = 20
_NORMALISED: Final = {"isAdmin", "isPrimary", "verified"}
_DERIVED: Final = {"fullName", "searchPattern", "profileCompleteness"}


def class_of(_: Record, at: str) -> str:
    """Give the class of a set leaf of a record that was taken in, when nothing odd is said about it."""
    column = at[1:].partition("/")[0]
    if column in _DERIVED:
        return DERIVED
    return NORMALISED if column in _NORMALISED else MAPPED


class _Sample:
    """Draws user after user."""

    def __init__(self, writer: SampleWriter, rng: random.Random) -> None:
        self._writer, self._rng = writer, rng
        self._neighbours: list[str] = []
        self._turns: Counter[str] = Counter()
        self.oddities: Counter[str] = Counter()

    def add_user(self, index: int) -> None:
        """Add the user of this number, and now and then lines of nobody."""
        form = _TURNS[index % len(_TURNS)]
        bundle = build(self._rng, index, form, self._neighbours)
        turn = self._turns[form]
        self._turns[form] += 1
        for place, oddities in FORMS[form].items():
            name = self._chosen(list(oddities), turn)
            if name is not None:
                oddities[name](bundle)
                self.oddities[f"{form}.{place}.{name}"] += 1
        self._add(bundle)
        self._neighbours = [*self._neighbours, bundle.user.doc["_id"]][-_NEIGHBOURS:]
        ways = list(WAYS["users"])
        if index < len(ways) or self._rng.random() < _CHANCE:
            self._broken_user(ways[index % len(ways)], index)
            self._nobodys()

    def _chosen(self, names: list[str], turn: int) -> str | None:
        if turn < len(names):
            return names[turn]
        return self._rng.choice(names) if self._rng.random() < _CHANCE else None

    def _add(self, bundle: Bundle) -> None:
        for record in bundle.records:
            self._writer.add(record)

    def _broken_user(self, way: str, index: int) -> None:
        bundle = build(self._rng, 900_000 + index, "moved", [])
        for record in bundle.records:
            record.code = "no_subject"
        WAYS["users"][way](bundle.user)
        self._add(bundle)
        self.oddities[f"broken_user.{way}"] += 1

    def _nobodys(self) -> None:
        """A credit whose owner was deleted, and a table nobody knows."""
        when = build(self._rng, 0, "guest", []).when
        gone = document(self._rng, when, userId=make_id(self._rng), title="Lost", type="tv-film")
        self._writer.add(Record("projects", gone, code="no_subject"))
        self.oddities["owner_gone"] += 1


def write_sample(out: Path, users: int, seed: int, *, layout: Layout = "json_lines") -> Truth:
    """Write an export of `users` users and its `truth.json`."""
    writer = SampleWriter(out, TABLES, class_of, make_rng("talent", "order", seed), layout=layout)
    sample = _Sample(writer, make_rng("talent", seed))
    for index in range(users):
        sample.add_user(index)
    return writer.close("talent", users, seed, sample.oddities)
