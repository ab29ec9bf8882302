"""Field maps: legacy columns and the fields they become, as data; and how several records settle on one value."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial, reduce
from operator import getitem
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from domain.profile import ProfileConflictRecorded
from domain.values import is_unset, same_json
from migrations_replay import convert
from migrations_replay.convert import Unreadable
from migrations_replay.facts import Expected, Facts, Normal, Place, Provenance, RecordFacts, pointer_to, unique
from migrations_replay.leaves import CONFLICTING, MAPPED, NORMALISED, escaped
from migrations_replay.reading import Leaf, One, Reader, Reading, Step, given_back, steps_back, unreadable, unset

_AS_IT_IS: Final = One()
_DEPTH_OF_CONFLICTS: Final = 2
"""A conflict names a field, or one key of an object field; one further inside is told by the key it stands under."""


class Field(NamedTuple):
    """A legacy column and what it becomes: the target's path (`attributes/gender`), and the reader of its value.

    Without a target the value is an object of targets, and `back` says in which column each of them comes back.
    """

    target: str
    reader: Reader
    back: Mapping[str, str] = MappingProxyType({})


Columns = Mapping[str, "Field | Columns"]
"""Legacy name → field; an object whose parts are fields by themselves is a map again."""


class Back:
    """The columns read backwards: from fields to the legacy document that has them, each in its newest column."""

    def __init__(self, columns: Columns) -> None:
        self._ways: dict[tuple[str, ...], tuple[tuple[str, ...], Reader]] = {}
        self._add(columns, ())

    def _add(self, columns: Columns, above: tuple[str, ...]) -> None:
        for name, column in columns.items():
            if not isinstance(column, Field):
                self._add(column, (*above, name))
            elif column.target:
                self._ways.setdefault(tuple(column.target.split("/")), ((*above, name), column.reader))
            else:
                for target, back_as in column.back.items():
                    self._ways.setdefault((target,), ((back_as,), column.reader))

    def normal(self, path: tuple[str, ...], leaf: Leaf) -> Normal:
        """Return how a leaf comes back: in which column, and as what."""
        legacy, reader = self._ways.get(path, (path[-1:], _AS_IT_IS))
        if not leaf.steps:
            return Normal(pointer_to(*legacy), given_back(reader, leaf.value))
        return Normal(pointer_to(*legacy, *steps_back(reader, leaf.steps)), leaf.value)

    def document(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Return the columns that hold these fields."""
        document: dict[str, Any] = {}
        for path, (legacy, reader) in self._ways.items():
            value: Any = fields
            for step in path:
                value = value.get(step) if isinstance(value, dict) else None
            if value is not None:
                _put(document, legacy, given_back(reader, value))
        return document


class Offer(NamedTuple):
    """What one record offers for one target."""

    facts: RecordFacts
    pointer: str
    path: tuple[str, ...]
    reading: Reading


class Conflict(NamedTuple):
    """The different values found for one target, the chosen one first, and the rule that chose it."""

    values: list[Any]
    rule: str


class Settled(NamedTuple):
    """The fields several records settled on, where each came from, and the conflicts, by path."""

    fields: dict[str, Any]
    provenance: Provenance
    conflicts: dict[tuple[str, ...], Conflict]


def offers(row: RecordFacts, columns: Columns) -> Iterator[Offer]:
    """Yield what a record offers, in the order of the columns."""
    return _offers(row, columns, "", row.record.document)


def _offers(row: RecordFacts, columns: Columns, pointer: str, document: Mapping[str, Any]) -> Iterator[Offer]:
    for name, column in columns.items():
        if name not in document:
            continue
        at, raw = f"{pointer}/{escaped(name)}", document[name]
        if isinstance(column, Field):
            yield Offer(row, at, _path(column.target), column.reader.read(row.record, at, raw))
        else:
            yield from _parts(row, column, at, raw)


@cache  # targets stand in the code
def _path(target: str) -> tuple[str, ...]:
    return tuple(target.split("/")) if target else ()


def _parts(row: RecordFacts, columns: Columns, pointer: str, raw: Any) -> Iterator[Offer]:
    """Yield what the parts of an object offer; what stands as JSON in a text is one leaf, read whole or not at all."""
    if isinstance(raw, dict) and raw:
        yield from _offers(row, columns, pointer, raw)
        if rest := _rest(raw, columns, pointer):
            yield Offer(row, pointer, (), Reading(unmapped=rest))
        return
    try:
        value = {} if is_unset(raw) else convert.opened(raw, dict)
    except Unreadable:
        yield Offer(row, pointer, (), unreadable(pointer, raw))
        return
    found = list(_offers(row, columns, pointer, value))
    if _rest(value, columns, pointer) or any(offer.reading.unmapped or _unread(offer.reading) for offer in found):
        yield Offer(row, pointer, (), unreadable(pointer, raw))
        return
    yield Offer(row, pointer, (), unset(pointer))
    for offer in found:
        kept = tuple(leaf._replace(pointer=pointer, same=False) for leaf in offer.reading.leaves)
        findings = tuple((pointer, code, raw) for _, code, _ in offer.reading.findings)
        yield offer._replace(pointer=pointer, reading=Reading(offer.reading.value, kept, findings=findings))


def _unread(reading: Reading) -> bool:
    return any(name != NORMALISED for name in reading.classes.values())


def _rest(document: Mapping[str, Any], columns: Columns, pointer: str) -> dict[str, Any]:
    return {pointer + pointer_to(name): child for name, child in document.items() if name not in columns}


NEWEST_COLUMN: Final = "newest_column"


def newest_column(_: list[Offer]) -> str:
    """Name the rule by which columns of one record that mean the same settle."""
    return NEWEST_COLUMN


def by_target(offer: Offer) -> Sequence[Offer]:
    """Return an offer, or, where one value has several targets, an offer for each of them and one of what is beside."""
    value = offer.reading.value
    if offer.path or value is None:
        return (offer,)
    found = [offer._replace(reading=offer.reading._replace(value=None, leaves=()))]
    for name, part in value.items():
        below = tuple(leaf._replace(steps=leaf.steps[1:]) for leaf in offer.reading.leaves if leaf.steps[0] == name)
        found.append(offer._replace(path=(name,), reading=Reading(part, below)))
    return found


class Settlement:
    """Settles what records offer, target by target, and collects what has no target, a record at a time."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._unmapped: dict[int, tuple[RecordFacts, dict[str, Any]]] = {}

    def settle(
        self,
        found: Iterable[Offer],
        place: Callable[[tuple[str, ...]], Place],
        rule: Callable[[list[Offer]], str] = newest_column,
        *,
        back: Callable[[RecordFacts], Back],
    ) -> Settled:
        """Choose the first that is set for each target; the others are equal to it or in conflict with it.

        `place` says where a target is, `rule` names what chose among offers that differ, `back` rebuilds a record.
        """
        settled = Settled({}, {}, {})
        by_path: dict[tuple[str, ...], list[Offer]] = {}
        for offer in found:
            for single in by_target(offer):
                self._note(single)
                if single.reading.value is not None:
                    by_path.setdefault(single.path, []).append(single)
        for path, offered in by_path.items():
            winner = offered[0]
            _put(settled.fields, path, winner.reading.value)
            for offer in offered:
                if _mark(offer, winner.reading.value, place(path), back(offer.facts)):
                    name = "/".join(path[:_DEPTH_OF_CONFLICTS])
                    sources = settled.provenance.get(name, ())
                    settled.provenance[name] = (*sources, offer.facts.source(offer.pointer))
            if len(values := unique([offer.reading.value for offer in offered])) > 1:
                self._facts.conflict(winner.facts, "/".join(path), values, values[0], rule(offered))
                settled.conflicts[path] = Conflict(values, rule(offered))
        return settled

    def leave(self, row: RecordFacts, values: Mapping[str, Any]) -> None:
        """Take note of values of a record that have no target."""
        self._unmapped.setdefault(id(row), (row, {}))[1].update(values)

    def close(self) -> None:
        """Report what has no target, one entry a record."""
        for row, values in self._unmapped.values():
            self._facts.no_target(row, values)

    def _note(self, offer: Offer) -> None:
        row, reading = offer.facts, offer.reading
        row.classes.update(reading.classes)
        if reading.unmapped:
            self.leave(row, reading.unmapped)
        for pointer, code, raw in reading.findings:
            self._facts.finding(row, pointer[1:], code, raw)
        for clash in reading.clashes:
            self._facts.conflict(row, clash.pointer[1:], clash.values, clash.values[0], NEWEST_COLUMN)


def _put(fields: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for step in path[:-1]:
        fields = fields.setdefault(step, {})
    fields[path[-1]] = value


def _mark(offer: Offer, chosen: Any, place: Place, back: Back) -> bool:
    """Give the leaves of an offer their classes; tells whether anything of it is in its place."""
    row, reading = offer.facts, offer.reading
    differs = chosen is not reading.value
    given_up = {
        leaf.pointer for leaf in reading.leaves if differs and not same_json(_at(chosen, leaf.steps), leaf.value)
    }
    held = False
    for leaf in reading.leaves:
        if leaf.pointer in given_up:
            row.classes[leaf.pointer] = CONFLICTING
            continue
        if row.classes.get(leaf.pointer) != CONFLICTING:  # a text that holds JSON is one leaf with several values
            row.classes[leaf.pointer] = MAPPED if leaf.same else NORMALISED
        held = True
    if held:
        row.expect_later(partial(_expected, offer, given_up, place, back))
    return held


def _expected(offer: Offer, given_up: Collection[str], place: Place, back: Back) -> Iterator[Expected]:
    for leaf in offer.reading.leaves:
        if leaf.pointer not in given_up:
            inside = place.below(*leaf.steps) if leaf.steps else place
            yield Expected(leaf.pointer, inside, leaf.value, back.normal(offer.path, leaf))


def _at(value: Any, steps: tuple[Step, ...]) -> Any:
    try:
        return reduce(getitem, steps, value)
    except (KeyError, IndexError, TypeError):
        return None


def profile_conflicts(settled: Settled) -> list[ProfileConflictRecorded]:
    """Return the conflicts as events of the profile, to be settled by a person."""
    found: dict[tuple[str, ...], list[Any]] = {}
    rules: dict[tuple[str, ...], str] = {}
    for path, (values, rule) in settled.conflicts.items():
        upper, below = path[:_DEPTH_OF_CONFLICTS], path[_DEPTH_OF_CONFLICTS:]
        chosen = _at(settled.fields, upper)
        alternatives = [_with(chosen, below, value) for value in values]
        found[upper] = unique([*found.get(upper, [chosen]), *alternatives])
        rules.setdefault(upper, rule)
    return [
        ProfileConflictRecorded(field="/".join(path), values=tuple(values), chosen=values[0], rule=rules[path])
        for path, values in found.items()
    ]


def _with(whole: Any, path: tuple[str, ...], value: Any) -> Any:
    """Return a copy of an object with another value at a path inside it."""
    if not path:
        return value
    return {**whole, path[0]: _with(whole.get(path[0], {}), path[1:], value)}
