"""The way back: legacy documents rebuilt in their normal form, from rows of the current-state tables alone.

A system's `to_legacy` says what the document of a record is; `not_given_back` compares it with the source by leaf.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

from domain.streams import imported_id
from domain.values import is_unset, without_unset
from migrations_replay.convert import Unreadable, opened, same_stored
from migrations_replay.leaves import MAPPED, NORMALISED, leaves
from projections.read_model import Key, Row

if TYPE_CHECKING:
    from migrations_replay.facts import Facts, LegacySystem, RecordFacts

_GIVEN_BACK: Final = (MAPPED, NORMALISED)
_OPENED: Final[tuple[type[list[Any] | dict[str, Any]], ...]] = (list, dict)


class BundleRows:
    """The rows that hold bundles: those of `legacy_ids`, and those of what their records became."""

    def __init__(self, system: str, rows: Mapping[tuple[str, Key], Row]) -> None:
        self._system, self._rows = system, rows
        self._by_stream: dict[tuple[str, UUID], list[Key]] = {}

    def row(self, model: str, *key: Any) -> Row:
        """Return a row of a read model by its key, an empty one if it is not there."""
        return self._rows.get((model, key), {})

    def record(self, table: str, key: str | None) -> Row:
        """Return the row of `legacy_ids` of a record of the bundle, an empty one if it is not there."""
        return self.row("legacy_ids", imported_id("snapshot", self._system, table, key)) if key is not None else {}

    def of(self, model: str, stream: UUID | None) -> list[Row]:
        """Return all rows that a stream has in a read model, in the order of their keys."""
        if not self._by_stream:
            for name, key in self._rows:
                self._by_stream.setdefault((name, key[0]), []).append(key)
        return [self._rows[model, key] for key in sorted(self._by_stream.get((model, stream), ()))] if stream else []


def fields_back(names: Mapping[str, str], values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the set ones of these values under their legacy names: `names` maps those to ours."""
    return without_unset({legacy: (values or {}).get(ours) for legacy, ours in names.items()})


class NotGivenBack(NamedTuple):
    """A leaf that does not come back as it must: its record and pointer, its normal form, and what came instead."""

    record: RecordFacts
    pointer: str
    wanted: Any
    found: Any


def not_given_back(system: LegacySystem, facts: Facts, rows: BundleRows) -> Iterator[NotGivenBack]:
    """Yield each mapped or normalised leaf that holds something and is not in the rebuilt document of its record."""
    for record in facts.records.values():
        known = rows.row("legacy_ids", record.snapshot)
        document = system.to_legacy(known, rows) if known else {}
        told: set[str] = set()
        key_at = f"/{record.record.id_field}"
        for pointer, place, value, normal in record.expected:
            if record.classes.get(pointer) not in _GIVEN_BACK or (pointer in told and not (normal or place.item)):
                continue
            told.add(pointer)
            where, wanted = normal or (pointer, value)
            found = _at(document, "/id" if where == key_at else where, item=place.item)
            if not (_holds(found, wanted) if place.item else same_stored(found, wanted)):
                yield NotGivenBack(record, pointer, wanted, found)


def without_a_way_back(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield record and pointer of each mapped or normalised leaf that holds something and is expected nowhere."""
    for (table, key), record in facts.records.items():
        told = {expected.pointer for expected in record.expected}
        for pointer, leaf in leaves(record.record.document):
            if record.classes.get(pointer) in _GIVEN_BACK and pointer not in told and not _says_nothing(leaf):
                yield f"{table}/{key}", pointer


def _says_nothing(leaf: Any) -> bool:
    """Tell whether a leaf is unset, or a text that holds a JSON list or object in which nothing is set."""
    if not isinstance(leaf, str) or is_unset(leaf):
        return is_unset(leaf)
    for wanted in _OPENED:
        with suppress(Unreadable):
            return all(is_unset(below) for _, below in leaves(opened(leaf, wanted)))
    return False


def _at(document: Any, pointer: str, *, item: bool) -> Any:
    """Return what a document holds at a pointer: the whole list for an item of it, a scalar for what is below it."""
    found = document
    for step in pointer.split("/")[1:]:
        if isinstance(found, dict):
            found = found.get(step.replace("~1", "/").replace("~0", "~") if "~" in step else step)
        elif isinstance(found, list) and not item:
            found = found[int(step)] if step.isdecimal() and int(step) < len(found) else None
        else:
            break
    return found


def _holds(found: Any, item: Any) -> bool:
    return any(same_stored(one, item) for one in found) if isinstance(found, list) else same_stored(found, item)
