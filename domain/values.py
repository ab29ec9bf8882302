"""Small value types that commands, events and rows share."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, JsonValue, StringConstraints

MAX_DEPTH = 64
_INT64 = range(-(2**63), 2**63)


def is_unset(value: object) -> bool:
    """Tell whether a value counts as unset: None, blank text, an empty list or an empty object."""
    if isinstance(value, str):
        return not value or value.isspace()
    return value is None or (not value and isinstance(value, (list, tuple, dict)))


def normal_text(text: str) -> str:
    """Return the form in which text is stored and compared: Unicode NFC, trimmed."""
    stripped = text.strip()
    return stripped if stripped.isascii() else unicodedata.normalize("NFC", stripped)


def is_storable(text: str) -> bool:
    """Tell whether PostgreSQL can hold the text: no NUL, no lone surrogate."""
    if text.isascii():
        return "\0" not in text
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("text must not contain NUL or a lone surrogate")
    return text


def json_problem(value: JsonValue, depth: int = 0) -> str | None:
    """Say what keeps a JSON value from being stored exactly (NUL, 64-bit range, not finite, depth), or None."""
    if depth > MAX_DEPTH:
        return f"nesting beyond {MAX_DEPTH} levels"
    match value:
        case None | bool():
            return None
        case str():
            return None if is_storable(value) else "text with NUL or a lone surrogate"
        case int():
            return None if value in _INT64 else "an integer beyond 64 bits"
        case float():
            return None if isfinite(value) else "a number that is not finite"
        case list():
            return next(_problems(value, depth), None)
        case dict():
            return next(_problems([*value.keys(), *value.values()], depth), None)


def _problems(values: Any, depth: int) -> Iterator[str]:
    return (problem for value in values if (problem := json_problem(value, depth + 1)))


def _exact_json(value: JsonValue) -> JsonValue:
    if problem := json_problem(value):
        raise ValueError(problem)
    return value


def same_json(one: Any, other: Any) -> bool:
    """Tell whether two JSON values are equal by structure, numbers by value; true and 1 are not equal."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(child, other[name]) for name, child in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    return bool(one == other)


def in_utc(moment: datetime) -> datetime:
    """Return an aware time in UTC; raises ValueError at either end of the calendar, where there is none."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("no point in time anybody can mean") from error


Text = Annotated[str, AfterValidator(_storable), AfterValidator(normal_text)]
"""Text as stored: NFC, trimmed, without NUL or lone surrogates."""

ShortText = Annotated[Text, StringConstraints(max_length=500)]
Reason = Annotated[Text, StringConstraints(min_length=1, max_length=1000)]
Json = Annotated[JsonValue, AfterValidator(_exact_json)]
"""A JSON value that PostgreSQL can hold exactly."""

Instant = Annotated[AwareDatetime, AfterValidator(in_utc)]
"""A point in time, aware and in UTC."""


def without_unset(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mapping without its unset values."""
    return {name: value for name, value in values.items() if not is_unset(value)}
