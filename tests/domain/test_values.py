from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.values import (
    MAX_DEPTH,
    Instant,
    Json,
    Reason,
    ShortText,
    Text,
    is_storable,
    is_unset,
    json_problem,
    normal_text,
    without_unset,
)
from tests.support.json_values import JSON, same

TEXT: TypeAdapter[str] = TypeAdapter(Text)
JSON_VALUE: TypeAdapter[Any] = TypeAdapter(Json)


@pytest.mark.parametrize("value", [None, "", " ", "\t\n\u00a0\u3000", [], (), {}])
def test_unset(value: object) -> None:
    assert is_unset(value)


@pytest.mark.parametrize("value", [0, 0.0, False, "0", "x", "\u200b", [None], [""], {"a": None}, [[]]])
def test_set(value: object) -> None:
    assert not is_unset(value)


def test_unset_values_are_left_out() -> None:
    assert without_unset({"a": 0, "b": "", "c": {}, "d": None, "e": False, "f": [[]]}) == {
        "a": 0,
        "e": False,
        "f": [[]],
    }


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("  Bern \n", "Bern"),
        ("Zoe\u0308", "Zo\u00eb"),
        (" \u212b ", "\u00c5"),
        ("St.  Gallen", "St.  Gallen"),
        ("\u00a0Bern\u3000", "Bern"),
        ("Bern", "Bern"),
    ],
)
def test_the_normal_form_of_text(text: str, normal: str) -> None:
    assert normal_text(text) == normal
    assert TEXT.validate_python(text) == normal


@given(st.text())
def test_the_normal_form_is_final(text: str) -> None:
    assert normal_text(normal_text(text)) == normal_text(text)


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "é\udfff", "é\0"])
def test_text_that_no_database_holds(text: str) -> None:
    assert not is_storable(text)
    with pytest.raises(ValidationError):
        TEXT.validate_python(text)


@pytest.mark.parametrize("text", ["", "é", "🌻", "\ud7ff\ue000", "\x01", "\uffff"])
def test_text_that_can_be_stored(text: str) -> None:
    assert is_storable(text)


def test_lengths_count_after_trimming() -> None:
    short: TypeAdapter[str] = TypeAdapter(ShortText)
    assert short.validate_python(" " + "x" * 500 + " ") == "x" * 500
    with pytest.raises(ValidationError):
        short.validate_python("x" * 501)
    reason: TypeAdapter[str] = TypeAdapter(Reason)
    assert reason.validate_python("x" * 1000) == "x" * 1000
    for wrong in ("", "  ", "x" * 1001):
        with pytest.raises(ValidationError):
            reason.validate_python(wrong)


def _nested(levels: int, inner: Any = None) -> Any:
    value = inner
    for level in range(levels):
        value = [value] if level % 2 else {"k": value}
    return value


@pytest.mark.parametrize(
    "value",
    [
        2**63,
        -(2**63) - 1,
        10**25,
        float("inf"),
        float("-inf"),
        float("nan"),
        "a\0b",
        "\ud800",
        ["ok", "\udfff"],
        {"\0": 1},
        {"a": [{"\ud800": 1}]},
        {"a": {"b": 2**63}},
        _nested(MAX_DEPTH + 1),
    ],
)
def test_json_that_cannot_be_stored_exactly(value: Any) -> None:
    assert json_problem(value)
    with pytest.raises(ValidationError):
        JSON_VALUE.validate_python(value)


@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), 1e308, 5e-324, "🌻", _nested(MAX_DEPTH), {"": [{}]}])
def test_json_that_can(value: Any) -> None:
    assert json_problem(value) is None
    assert same(JSON_VALUE.validate_python(value), value)


@given(JSON)
def test_any_json_of_64_bit_numbers_can_be_stored(value: Any) -> None:
    assert json_problem(value) is None


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", datetime.now(UTC)])
def test_what_is_no_json(value: Any) -> None:
    with pytest.raises(ValidationError):
        JSON_VALUE.validate_python(value)


def test_instants_are_in_utc_and_never_naive() -> None:
    instant: TypeAdapter[datetime] = TypeAdapter(Instant)
    east = datetime(2024, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))
    assert instant.validate_python(east).isoformat() == "2023-12-31T23:00:00+00:00"
    with pytest.raises(ValidationError):
        instant.validate_python(datetime(2024, 1, 1))  # noqa: DTZ001
