"""Strategies for JSON values and for the fields of records, and an equality that tells true from 1."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from hypothesis import strategies as st

from domain.vocabulary import FieldShape

INT64: Final = st.integers(-(2**63), 2**63 - 1)
TEXTS: Final = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    st.sampled_from(["", " ", "a/b", "~", "Zoe\u0308", " Bern", "🌻", "early 30s"]),
)
SCALARS: Final = st.one_of(st.none(), st.booleans(), INT64, st.floats(allow_nan=False, allow_infinity=False), TEXTS)
JSON: Final = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXTS, below, max_size=3), max_leaves=8
)
OBJECTS: Final = st.dictionaries(TEXTS, JSON, max_size=3)


def changes_of(shapes: Mapping[str, FieldShape]) -> st.SearchStrategy[dict[str, Any]]:
    """Give some of the fields a value of their shape, or an unset one."""
    by_shape: dict[str, st.SearchStrategy[Any]] = {
        "text": st.none() | TEXTS,
        "texts": st.none() | st.lists(TEXTS, max_size=3),
        "object": st.none() | OBJECTS,
    }
    return st.fixed_dictionaries({}, optional={name: by_shape[shape.shape] for name, shape in shapes.items()})


def same(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are equal; numbers by value, and true is not 1."""
    return _form(one) == _form(other)


def _form(value: Any) -> str:
    def plain(child: Any) -> Any:
        if isinstance(child, dict):
            return {key: plain(below) for key, below in child.items()}
        if isinstance(child, (list, tuple)):
            return [plain(below) for below in child]
        if isinstance(child, float) and child.is_integer():
            return int(child)
        return child

    return json.dumps(plain(value), sort_keys=True)
