"""What the modules of oddities share: how one is bound to its place, and values that are odd anywhere."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from adapters.samples.cases.case import Case
from adapters.samples.cases.rows import FAR, NFD, Row
from adapters.samples.truth import UNREADABLE, Put, number

Oddity = Callable[[Case], None]
MISSING: Final = "k00000000000000000000000missing0"
"""An id that no row has."""


def bad(at: str, value: object) -> Put:
    """Put a value that cannot be read as what it should be."""
    return Put(at, value, UNREADABLE, "unreadable")


def process_of(case: Case) -> Row:
    """Give the process itself."""
    return case.process


def slot_row(name: str) -> Callable[[Case], Row]:
    """Give the way to the only row of a slot."""
    return lambda case: case.slots[name].row


def puts(target: Callable[[Case], Row], values: Mapping[str, Put]) -> dict[str, Oddity]:
    """Bind values to the row of a case they are put into."""

    def apply(put: Put, case: Case) -> None:
        put.on(target(case))

    return {name: partial(apply, put) for name, put in values.items()}


EXTRA: Final = {
    "extra_number": Put("/schemaVersion", 2),
    "extra_nested": Put("/a b", {"c/d": {"e~f": "kept", "none": None}, "list": [1.5, " ", False]}),
    "extra_unset": Put("/legacyFlags", {"a": None, "b": [], "c": {"d": ""}}),
    "extra_far_number": Put("/score", [FAR, number("1e400"), 0]),
    "extra_nfd": Put("/apelido", NFD),
}
