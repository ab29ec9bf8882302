"""The leaf ledger: every value of every record, counted by code that knows no mapping.

A leaf is a JSON pointer (RFC 6901) to a scalar, null, `{}` or `[]`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from migrations_replay.document import RepeatedKeys, Unread

MAPPED: Final = "mapped"
NORMALISED: Final = "normalised"
DERIVED: Final = "derived"
CONFLICTING: Final = "conflicting"
UNREADABLE: Final = "unreadable"
UNMAPPED: Final = "unmapped"
QUARANTINED: Final = "quarantined"

CLASSES: Final = (MAPPED, NORMALISED, DERIVED, CONFLICTING, UNREADABLE, UNMAPPED, QUARANTINED)
"""Where a leaf can end; `docs/how-it-works.md` says what each means."""


def leaves(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Yield pointer and value of every leaf; a repeated key yields its pointer once for each occurrence."""
    if isinstance(value, dict) and value:
        pairs = value.items()
    elif isinstance(value, RepeatedKeys):
        pairs = value.pairs  # type: ignore[assignment]
    elif isinstance(value, list) and value:
        for index, child in enumerate(value):
            yield from leaves(child, f"{pointer}/{index}")
        return
    else:
        yield pointer, value
        return
    for key, child in pairs:
        below = f"{pointer}/{escaped(key)}"
        if isinstance(child, (dict, list, RepeatedKeys)):
            yield from leaves(child, below)
        else:
            yield below, child


def leaf_steps(value: Any, steps: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield the steps to every leaf (keys and indexes) and its value."""
    if isinstance(value, (dict, list)) and value:
        for step, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaf_steps(child, (*steps, step))
    else:
        yield steps, value


def escaped(key: str) -> str:
    """Return a key as one step of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key


def count_leaves(value: Any) -> int:
    """Return how many leaves a JSON value has; what was not read has none."""
    match value:
        case Unread():
            return 0
        case dict():
            children: Any = value.values()
        case RepeatedKeys():
            children = [child for _, child in value.pairs]
        case list():
            children = value
        case _:
            return 1
    count = 0
    for child in children:
        count += count_leaves(child) if isinstance(child, (dict, list, RepeatedKeys)) else 1
    return count or 1


class Ledger:
    """Adds up in which class the leaves ended; `total` is counted apart, from the documents alone."""

    def __init__(self) -> None:
        self.total = 0
        self.classes: Counter[str] = Counter()

    def add(self, document: Any, classes: dict[str, str]) -> None:
        """Count a record that was taken in and the class its mapping gave to each pointer."""
        self.total += count_leaves(document)
        self.classes.update(classes.values())

    def quarantine(self, document: Any) -> None:
        """Count a record that was set aside whole."""
        count = count_leaves(document)
        self.total += count
        self.classes[QUARANTINED] += count

    @property
    def adds_up(self) -> bool:
        """Whether every leaf ended in exactly one class."""
        return self.total == sum(self.classes.values()) and set(self.classes) <= set(CLASSES)

    def as_dict(self) -> dict[str, int]:
        """Return total and classes, as in the report."""
        return {"total": self.total} | {name: self.classes[name] for name in CLASSES}
