"""Strategies for JSON values and for the fields of records, and an equality that tells true from 1."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
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
    """Give up to five of the fields a value of their shape, or an unset one."""
    some = st.lists(st.sampled_from(sorted(shapes)), unique=True, max_size=5)
    values = {name: st.none() | value_of(shape) for name, shape in shapes.items()}
    return some.flatmap(lambda names: st.fixed_dictionaries({name: values[name] for name in names}))


def value_of(shape: FieldShape) -> st.SearchStrategy[Any]:
    """Give a value of a shape, within its limits."""
    bounds = {"min_value": shape.least, "max_value": shape.most}
    if shape.rule:
        return st.sampled_from(["https://example.org/a", "+41440000000"])
    by_shape: dict[str, Callable[[], st.SearchStrategy[Any]]] = {
        "text": lambda: TEXTS,
        "texts": lambda: st.lists(TEXTS, max_size=3),
        "number": lambda: st.floats(**bounds, allow_nan=False, allow_infinity=False),  # type: ignore[arg-type]
        "flag": st.booleans,
        "instant": lambda: st.just("2024-02-29T12:00:00+01:00"),
        "object": lambda: OBJECTS,
        "items": lambda: st.lists(value_of(shape.each) if shape.each else JSON, max_size=2),
        "structure": lambda: changes_of(shape.fields),
        "anything": lambda: JSON,
    }
    return by_shape[shape.shape]().filter(lambda value: shape.beyond_limit(shape.normal(value)) is None)


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
