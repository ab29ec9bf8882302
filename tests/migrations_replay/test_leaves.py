from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from migrations_replay.document import read_line
from migrations_replay.facts import pointer_to, unique
from migrations_replay.leaves import CLASSES, Ledger, count_leaves, escaped, leaf_steps, leaves
from tests.support.json_values import JSON, same


def _count(value: Any) -> int:
    if isinstance(value, dict) and value:
        return sum(map(_count, value.values()))
    if isinstance(value, list) and value:
        return sum(map(_count, value))
    return 1


def _at(value: Any, pointer: str) -> Any:
    """Follow a JSON pointer as RFC 6901 says."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        value = value[int(name)] if isinstance(value, list) else value[name]
    return value


@given(JSON)
def test_the_leaves_of_any_json(value: Any) -> None:
    found = list(leaves(value))
    assert len(found) == len({pointer for pointer, _ in found}) == count_leaves(value) == _count(value)
    for pointer, leaf in found:
        assert _at(value, pointer) is leaf or same(_at(value, pointer), leaf)
        assert not (isinstance(leaf, (dict, list)) and leaf)


@given(JSON)
def test_steps_and_pointers_name_the_same_leaves(value: Any) -> None:
    by_steps = [(pointer_to(*steps), leaf) for steps, leaf in leaf_steps(value)]
    assert by_steps == list(leaves(value))


@pytest.mark.parametrize(
    ("value", "pointers"),
    [
        ({}, [""]),
        ([], [""]),
        (None, [""]),
        ("x", [""]),
        ({"a": {}}, ["/a"]),
        ({"a": [[], {}, [None]]}, ["/a/0", "/a/1", "/a/2/0"]),
        ({"": {"": 1}}, ["//"]),
        ({"a/b": 1, "a": {"b": 2}}, ["/a~1b", "/a/b"]),
        ({"m~n": 1, "~1": 2, "/": 3, "~/~": 4}, ["/m~0n", "/~01", "/~1", "/~0~1~0"]),
        ({"0": 1, "é 🌻": 2}, ["/0", "/é 🌻"]),
    ],
)
def test_pointers(value: Any, pointers: list[str]) -> None:
    assert [pointer for pointer, _ in leaves(value)] == pointers


def test_escaping() -> None:
    assert escaped("~/") == "~0~1"
    assert pointer_to("a/b", 0, "~") == "/a~1b/0/~0"
    assert pointer_to() == ""
    assert pointer_to("") == "/"


def test_repeated_keys_are_leaves_each() -> None:
    value = read_line(b'{"a": {"x": 1, "x": {"y": [], "y": 2}}, "b": 1}').value
    assert [pointer for pointer, _ in leaves(value)] == ["/a/x", "/a/x/y", "/a/x/y", "/b"]
    assert count_leaves(value) == 4


def test_a_ledger_adds_up_only_when_every_leaf_has_one_class() -> None:
    ledger = Ledger()
    ledger.add({"a": 1, "b": [2, None]}, {"/a": "mapped", "/b/0": "unmapped", "/b/1": "normalised"})
    ledger.quarantine({"x": {}, "y": 1})
    assert ledger.adds_up
    assert ledger.as_dict() == dict.fromkeys(CLASSES, 0) | {
        "total": 5,
        "mapped": 1,
        "unmapped": 1,
        "normalised": 1,
        "quarantined": 2,
    }
    short = Ledger()
    short.add({"a": 1}, {})
    assert not short.adds_up
    other = Ledger()
    other.add({"a": 1}, {"/a": "mapped", "/b": "mapped"})
    assert not other.adds_up
    odd = Ledger()
    odd.add({"a": 1}, {"/a": "lost"})
    assert not odd.adds_up


def test_distinct_json_values() -> None:
    assert unique([1, True, 1, "1", None, [1], [1], {"a": 1, "b": 2}, {"b": 2, "a": 1}]) == [
        1,
        True,
        "1",
        None,
        [1],
        {"a": 1, "b": 2},
    ]
    assert json.dumps(unique([1, True])) == "[1, true]"
