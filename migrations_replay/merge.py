"""How several records are put together for one target: a text or value is chosen, lists are united, keys merged.

Each function marks the leaves it settles, says where their values must be found, and reports what disagrees.
"""

from __future__ import annotations

from functools import reduce
from operator import getitem
from typing import Any, NamedTuple

from domain.values import is_unset, normal_text, same_json
from migrations_replay import convert
from migrations_replay.convert import Unreadable
from migrations_replay.facts import Candidate, Facts, Normal, Place, RecordFacts, pointer_to, unique
from migrations_replay.leaves import CONFLICTING, MAPPED, NORMALISED, leaf_steps


class Offered(NamedTuple):
    """What one record offers for one key of a merged object; `opened` if the object stood as JSON in a text."""

    facts: RecordFacts
    pointer: str
    value: Any
    opened: bool


def choose_first(facts: Facts, found: list[Candidate], name: str, place: Place, *, rule: str) -> list[str]:
    """Choose the first of the texts (at least one); returns the distinct normal forms in order."""
    chosen = found[0]
    for candidate in found:
        if candidate.value == chosen.value:
            facts.settle(candidate, place)
        else:
            candidate.facts.mark(candidate.pointer, candidate.raw, CONFLICTING)
    values = unique([candidate.value for candidate in found])
    if len(values) > 1:
        facts.conflict(chosen.facts, name, values, chosen.value, rule)
    return values


def choose_last(facts: Facts, values: list[Offered], name: str, place: Place, *, rule: str) -> list[Any]:
    """Choose the last of the JSON values (at least one); returns the distinct normal forms in order."""
    return choose(facts, values, values[-1], name, place, rule=rule)


def choose(facts: Facts, values: list[Offered], winner: Offered, name: str, place: Place, *, rule: str) -> list[Any]:
    """Choose one of the JSON values; returns the distinct normal forms in order."""
    for value in values:
        _settle(value, winner, place)
    forms = unique([convert.normal_json(value.value) for value in values])
    if len(forms) > 1:
        facts.conflict(winner.facts, name, forms, convert.normal_json(winner.value), rule)
    return forms


def _settle(value: Offered, winner: Offered, place: Place) -> None:
    same = same_json(value.value, winner.value)
    kept = same or _same_but_for_form(value.value, winner.value)
    if value.opened:
        if kept:
            below = Normal(value.pointer + pointer_to(place.steps[-1]), winner.value)
            value.facts.expect(value.pointer, place, winner.value, below)
        else:  # the text is one leaf: it is only as settled as its worst key
            value.facts.classes[value.pointer] = CONFLICTING
        return
    if not kept:
        value.facts.mark(value.pointer, value.value, CONFLICTING)
        return
    value.facts.mark(value.pointer, value.value, MAPPED if same else NORMALISED)
    for steps, leaf in leaf_steps(value.value):
        if not is_unset(leaf):
            held = leaf if same else reduce(getitem, steps, winner.value)
            value.facts.expect(value.pointer + pointer_to(*steps), place.below(*steps), held)


def _same_but_for_form(one: Any, other: Any) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return normal_text(one) == normal_text(other)
    return same_json(convert.normal_json(one), convert.normal_json(other))


def _opened(
    facts: Facts, row: RecordFacts, pointer: str, raw: Any, wanted: type[list[Any] | dict[str, Any]]
) -> Any | None:
    """Return the list or object that stands there, also as JSON in a text; None if it is unset or unreadable."""
    if is_unset(raw):
        row.mark(pointer, raw, NORMALISED)
        return None
    try:
        return convert.opened(raw, wanted)
    except Unreadable:
        facts.unreadable(row, pointer, _name_of(pointer), raw)
        return None


def _name_of(pointer: str) -> str:
    return pointer.rpartition("/")[2]


def take_texts(facts: Facts, row: RecordFacts, pointer: str, raw: Any, place: Place) -> list[str]:
    """Take a list of texts exactly as they are; an item that is no text is unreadable by itself."""
    found = _opened(facts, row, pointer, raw, list)
    if found is None:
        return []
    item_place = place._replace(item=True)
    if found is not raw:
        return _take_opened_texts(facts, row, pointer, raw, found, item_place)
    items = []
    for index, item in enumerate(found):
        below = f"{pointer}/{index}"
        if is_unset(item):
            row.mark(below, item, NORMALISED)
        elif isinstance(item, str):
            row.mark(below, item, MAPPED)
            row.expect(below, item_place, item)
            items.append(item)
        else:
            facts.unreadable(row, below, f"{_name_of(pointer)}/{index}", item)
    return items


def _take_opened_texts(
    facts: Facts, row: RecordFacts, pointer: str, raw: Any, found: list[Any], place: Place
) -> list[str]:
    """Take a list that stood as JSON in a text: it is one leaf, so it is read whole or not at all."""
    if not all(isinstance(item, str) or is_unset(item) for item in found):
        facts.unreadable(row, pointer, _name_of(pointer), raw)
        return []
    items = [item for item in found if not is_unset(item)]
    row.mark(pointer, raw, NORMALISED)
    for item in items:
        row.expect(pointer, place, item)
    return items


def choose_texts(
    facts: Facts, lists: list[tuple[RecordFacts, list[str]]], name: str, place: Place, *, rule: str
) -> tuple[RecordFacts, list[str]] | None:
    """Choose the first of the lists that were taken, if any holds an item; those that differ are given up."""
    found = [(row, items) for row, items in lists if items]
    if not found:
        return None
    row, chosen = found[0]
    for other, items in found[1:]:
        if items != chosen:
            drop_texts(other, place)
    if len(values := unique([items for _, items in found])) > 1:
        facts.conflict(row, name, values, chosen, rule)
    return row, chosen


def drop_texts(row: RecordFacts, place: Place) -> None:
    """Give up a list that was taken, because another record's was chosen: its items are conflicting."""
    given_up = place._replace(item=True)
    for expected in row.expected:
        if expected.place == given_up:
            row.classes[expected.pointer] = CONFLICTING
    row.expected = [expected for expected in row.expected if expected.place != given_up]


def take_keys(facts: Facts, row: RecordFacts, pointer: str, raw: Any) -> list[tuple[str, Offered]]:
    """Take the set keys of an object, each with any JSON value that can be stored exactly."""
    found = _opened(facts, row, pointer, raw, dict)
    if found is None:
        return []
    if found is not raw:
        row.mark(pointer, raw, NORMALISED)
        return [(key, Offered(row, pointer, value, opened=True)) for key, value in found.items() if not is_unset(value)]
    offered = []
    for key, value in found.items():
        below = pointer + pointer_to(key)
        if is_unset(value):
            row.mark(below, value, NORMALISED)
        elif convert.holds_odd_number(value):
            facts.unreadable(row, below, f"{_name_of(pointer)}/{key}", value)
        else:
            offered.append((key, Offered(row, below, value, opened=False)))
    return offered
