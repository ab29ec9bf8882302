"""Readers: what a legacy value of a drifting type becomes, told as data.

A reader is pure: it says for each leaf under a value where its normal form stands below the target, and what is unset,
unreadable or without a target. `migrations_replay/fields.py` chooses among readings and marks the records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Protocol

from domain.values import is_unset, same_json
from domain.vocabulary import FieldShape, text
from migrations_replay import convert
from migrations_replay.bundle import LegacyRecord
from migrations_replay.convert import Unreadable
from migrations_replay.facts import pointer_to
from migrations_replay.leaves import CONFLICTING, NORMALISED, UNREADABLE, leaf_steps, leaves

Step = str | int


class Leaf(NamedTuple):
    """A leaf that was read: where it stood, the steps below the target to where it stands now, and what stands there.

    `same` tells whether that is the very value, or its normal form.
    """

    pointer: str
    steps: tuple[Step, ...]
    value: Any
    same: bool


class Clash(NamedTuple):
    """Two columns of one record that mean the same and differ: where, and what each says, the chosen one first."""

    pointer: str
    values: list[Any]


_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Reading(NamedTuple):
    """What was read of one value. `value` is its normal form, None for unset; `classes` are those of all other leaves.

    `findings` hold pointer, code and raw value; `unmapped` what has no target, by pointer.
    """

    value: Any = None
    leaves: tuple[Leaf, ...] = ()
    classes: Mapping[str, str] = _NOTHING
    unmapped: Mapping[str, Any] = _NOTHING
    findings: tuple[tuple[str, str, Any], ...] = ()
    clashes: tuple[Clash, ...] = ()

    def below(self, *steps: Step) -> tuple[Leaf, ...]:
        """Return the leaves as those of something inside another value."""
        return tuple([Leaf(at, (*steps, *inside), value, same) for at, inside, value, same in self.leaves])

    def beside(self, *others: Reading) -> Reading:
        """Return this reading with all that others found, but for their values and leaves."""
        classes, unmapped = dict(self.classes), dict(self.unmapped)
        findings, clashes = [*self.findings], [*self.clashes]
        for other in others:
            classes.update(other.classes)
            unmapped.update(other.unmapped)
            findings += other.findings
            clashes += other.clashes
        return Reading(self.value, self.leaves, classes, unmapped, tuple(findings), tuple(clashes))


class Reader(Protocol):
    """Reads a value of a record that stands at a pointer."""

    def read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        """Return what the value is; never fails."""
        ...


def unset(pointer: str) -> Reading:
    """Return the reading of an unset leaf."""
    return Reading(classes={pointer: NORMALISED})


def unreadable(pointer: str, raw: Any) -> Reading:
    """Return the reading of what is not what it should be; where nothing under it is set it is unset."""
    found = dict(leaves(raw, pointer))
    classes = {at: NORMALISED if is_unset(leaf) else UNREADABLE for at, leaf in found.items()}
    return Reading(classes=classes, findings=((pointer, "unreadable", raw),) if UNREADABLE in classes.values() else ())


def opened(
    record: LegacyRecord,
    pointer: str,
    raw: Any,
    wanted: type[list[Any] | dict[str, Any]],
    read: Callable[[LegacyRecord, str, Any], Reading],
) -> Reading:
    """Read a list or an object, also one that stands as JSON in a text: that is one leaf, read whole or not at all."""
    if is_unset(raw):
        return unset(pointer)
    try:
        value = convert.opened(raw, wanted)
    except Unreadable:
        return unreadable(pointer, raw)
    found = read(record, pointer, value)
    if value is raw:
        return found
    if found.unmapped or found.clashes or UNREADABLE in found.classes.values():
        return unreadable(pointer, raw)
    return found._replace(
        leaves=tuple(leaf._replace(pointer=pointer, same=False) for leaf in found.leaves),
        classes={pointer: NORMALISED},
        findings=tuple((pointer, code, raw) for _, code, _ in found.findings),
    )


_READS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "text": convert.text,
    "number": convert.number,
    "instant": convert.instant_text,
    "day": convert.day,
    "flag": convert.flag,
}


@dataclass(frozen=True)
class One:
    """A single value of a shape; `older` maps values of older generations to those they are tied to today."""

    shape: FieldShape = text()  # noqa: RUF009 – shapes are frozen
    older: Mapping[str, str] = field(default_factory=dict)
    convert: Callable[[Any], Any] | None = None
    back: Callable[[Any], Any] | None = None
    """What the value is in a legacy document, where that is not the value itself."""

    def read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        """Read the value, and say whether it lies outside its vocabulary or limits, or refers to nothing."""
        if is_unset(raw):
            return unset(pointer)
        try:
            value = (self.convert or _READS[self.shape.shape])(raw)
        except Unreadable:
            return unreadable(pointer, raw)
        value = self.older.get(value, value) if isinstance(value, str) else value
        # Times are the same by instant, whatever their notation.
        same = self.shape.shape == "instant" or same_json(value, raw)
        findings = remarks(self.shape, pointer, raw, value)
        if pointer[1:] in record.dangling:
            findings = (*findings, (pointer, "dangling_reference", raw))
        return Reading(value, (Leaf(pointer, (), value, same),), findings=findings)


def remarks(shape: FieldShape, pointer: str, raw: Any, value: Any) -> tuple[tuple[str, str, Any], ...]:
    """Return the findings on a value outside its vocabulary or limits, which is kept."""
    outside = ((pointer, "outside_vocabulary", raw),) if shape.is_outside(value) else ()
    return (*outside, (pointer, "outside_limit", raw)) if shape.beyond_limit(value) else outside


@dataclass(frozen=True)
class Exact:
    """A text in a list: as it is."""

    shape: FieldShape = text()  # noqa: RUF009 – shapes are frozen

    def read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:  # noqa: ARG002 – the port's
        """Read the text."""
        if is_unset(raw):
            return unset(pointer)
        if not isinstance(raw, str):
            return unreadable(pointer, raw)
        return Reading(raw, (Leaf(pointer, (), raw, same=True),), findings=remarks(self.shape, pointer, raw, raw))


@dataclass(frozen=True)
class Anything:
    """Any JSON value that can be stored exactly, as it is; `wanted` if it must be a list."""

    wanted: type[list[Any] | dict[str, Any]] | None = None

    def read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        """Read the value."""
        if self.wanted is None:
            return self._read(record, pointer, raw)
        return opened(record, pointer, raw, self.wanted, self._read)

    def _read(self, _: LegacyRecord, pointer: str, raw: Any) -> Reading:
        found = list(leaf_steps(raw))
        if all(is_unset(leaf) for _, leaf in found):
            return Reading(classes={pointer + pointer_to(*steps): NORMALISED for steps, _ in found})
        if convert.holds_odd_number(raw):
            return unreadable(pointer, raw)
        kept = tuple(
            Leaf(pointer + pointer_to(*steps), steps, leaf, same=True) for steps, leaf in found if not is_unset(leaf)
        )
        return Reading(raw, kept, {pointer + pointer_to(*steps): NORMALISED for steps, leaf in found if is_unset(leaf)})


@dataclass(frozen=True)
class Many:
    """A list of values that are read one by one; unset ones and, with `distinct`, repeated texts are left out."""

    each: Reader
    distinct: bool = False

    def read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        """Read the list."""
        return opened(record, pointer, raw, list, self._read)

    def _read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        read = [self.each.read(record, f"{pointer}/{index}", item) for index, item in enumerate(raw)]
        items: list[Any] = []
        kept: list[Leaf] = []
        first: dict[Any, int] = {}
        for found in read:
            if found.value is None:
                continue
            if self.distinct and found.value in first:
                kept += [leaf._replace(same=False) for leaf in found.below(first[found.value])]
                continue
            if self.distinct:
                first[found.value] = len(items)
            kept += found.below(len(items))
            items.append(found.value)
        return Reading(items or None, tuple(kept)).beside(*read)


@dataclass(frozen=True)
class Parts:
    """An object of named parts: legacy name → our name and reader. Of two names for one part the first set one wins."""

    names: Mapping[str, tuple[str, Reader]]

    def read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        """Read the object."""
        return opened(record, pointer, raw, dict, self._read)

    def _read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        parts: dict[str, Any] = {}
        kept: list[Leaf] = []
        read: list[Reading] = []
        for name, (target, reader) in self.names.items():
            if name not in raw:
                continue
            found = reader.read(record, pointer + pointer_to(name), raw[name])
            if found.value is not None and not same_json(parts.setdefault(target, found.value), found.value):
                clash = Clash(pointer + pointer_to(name), [parts[target], found.value])
                given_up = {leaf.pointer: CONFLICTING for leaf in found.leaves}
                found = Reading(classes=given_up, clashes=(clash,)).beside(found)
            kept += found.below(target)
            read.append(found)
        rest = {pointer + pointer_to(name): child for name, child in raw.items() if name not in self.names}
        return Reading(parts or None, tuple(kept), unmapped=rest).beside(*read)


@dataclass(frozen=True)
class Reference:
    """The key of another record, as the id of what that record became; one that dangles stays a key."""

    became: Callable[[str], object]

    def read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        """Read the key."""
        if is_unset(raw):
            return unset(pointer)
        key = convert.key(raw)
        if key is None:
            return unreadable(pointer, raw)
        dangles = pointer[1:] in record.dangling
        value = key if dangles else str(self.became(key))
        findings = ((pointer, "dangling_reference", raw),) if dangles else ()
        return Reading(value, (Leaf(pointer, (), value, same=key == raw),), findings=findings)


@dataclass(frozen=True)
class References:
    """A list of such keys."""

    became: Callable[[str], object]
    distinct: bool = False

    def read(self, record: LegacyRecord, pointer: str, raw: Any) -> Reading:
        """Read the list."""
        return Many(Reference(self.became), self.distinct).read(record, pointer, raw)


def given_back(reader: Reader, value: Any) -> Any:
    """Return a value as a legacy document has it: with the legacy names of its parts."""
    match reader:
        case One(back=back) if back:
            return back(value)
        case Many(each=each) if isinstance(value, list):
            return [given_back(each, item) for item in value]
        case Parts() if isinstance(value, dict):
            return {_legacy_name(reader, name): part for name, part in value.items()}
        case _:
            return value


def steps_back(reader: Reader, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Return the steps inside a value as they are inside the value in a legacy document."""
    match reader:
        case Many(each=each) if steps:
            return (steps[0], *steps_back(each, steps[1:]))
        case Parts() if steps:
            return (_legacy_name(reader, str(steps[0])), *steps[1:])
        case _:
            return steps


def _legacy_name(reader: Parts, part: str) -> str:
    return next((name for name, (target, _) in reader.names.items() if target == part), part)
