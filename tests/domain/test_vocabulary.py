from __future__ import annotations

from typing import Any

import pytest

from domain.errors import InvalidCommand
from domain.vocabulary import (
    FieldShape,
    check_fields,
    day,
    flag,
    instant,
    integer,
    items,
    number,
    outside_vocabulary,
    structure,
    text,
    texts,
)

HEIGHT = structure({"feet": integer(3, 8), "inches": integer(0, 11)})


@pytest.mark.parametrize(
    ("shape", "value", "stored"),
    [
        (number(), 0, 0),
        (number(), 1.5, 1.5),
        (integer(), 3.0, 3),
        (integer(), 0, 0),
        (flag(), False, False),
        (instant(), "2026-01-31T12:00:00+01:00", "2026-01-31T11:00:00.000000Z"),
        (day(), " 2026-01-31", "2026-01-31"),
        (items(), ["a", None, {"b": 1}], ["a", {"b": 1}]),
        (items(text()), [" a ", ""], ["a"]),
        (HEIGHT, {"feet": 5, "inches": 0}, {"feet": 5, "inches": 0}),
        (HEIGHT, {"feet": None}, None),
        (texts(), [" "], None),
        *[(shape, "", None) for shape in (number(), integer(), flag(), instant(), day(), items(), HEIGHT)],
    ],
)
def test_values_in_stored_form(shape: FieldShape, value: Any, stored: Any) -> None:
    normal = shape.normal(value)
    assert (normal, type(normal)) == (stored, type(stored))
    assert shape.normal(normal) == normal, "the normal form is its own normal form"


@pytest.mark.parametrize(
    ("shape", "value"),
    [
        (number(), True),
        (number(), "1"),
        (number(), float("nan")),
        (integer(), 1.5),
        (integer(), True),
        (flag(), 0),
        (flag(), "true"),
        (instant(), "2026-01-31T12:00:00"),
        (instant(), "0001-01-01T00:00:00+14:00"),
        (day(), "20260131"),
        (day(), "2026-02-30"),
        (items(), {"a": 1}),
        (items(text()), ["a", 1]),
        (HEIGHT, {"feet": "5"}),
        (HEIGHT, {"metres": 2}),
        (HEIGHT, [5, 0]),
    ],
)
def test_values_of_another_shape(shape: FieldShape, value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        shape.normal(value)


@pytest.mark.parametrize(
    ("shape", "value", "keeps"),
    [
        (number(0, 100), 100, True),
        (number(0, 100), 100.1, False),
        (text(least=2, most=50), "a", False),
        (text(least=2, most=50), "a" * 50, True),
        (texts(least=1, most=2), ["a", "b", "c"], False),
        (items(text(most=1)), ["ab"], False),
        (HEIGHT, {"feet": 9}, False),
        (HEIGHT, {"feet": 8, "inches": 11}, True),
        (flag(), True, True),
    ],
)
def test_limits(shape: FieldShape, value: Any, keeps: bool) -> None:
    assert (shape.beyond_limit(value) is None) is keeps


def test_a_command_beyond_a_limit_is_refused_by_name() -> None:
    with pytest.raises(InvalidCommand, match="height: feet: at most 8 are allowed") as refused:
        check_fields({"height": HEIGHT}, {"height": {"feet": 9}}, where="changes", of="a profile")
    assert refused.value.field == "changes.height"


def test_a_vocabulary_holds_inside_lists_and_structures() -> None:
    shapes = {
        "one": text("a"),
        "many": texts("a", "b"),
        "inside": structure({"colour": text("red")}),
        "free": texts(),
        "each": items(structure({"colour": text("red")})),
    }
    within = {"one": "a", "many": ["b"], "inside": {"colour": "red"}, "free": ["x"], "each": [{"colour": "red"}]}
    assert outside_vocabulary(shapes, within) == []
    outside = {"one": "c", "many": ["a", "c"], "inside": {"colour": "blue"}, "free": ["x"], "each": [{"colour": "b"}]}
    assert outside_vocabulary(shapes, outside) == ["each", "inside", "many", "one"]
