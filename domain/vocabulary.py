"""Fields with their shape, the values they are meant to hold, and the limits live changes keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from math import isfinite
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from domain.errors import InvalidCommand
from domain.values import in_utc, is_unset, normal_text
from domain.wall_clock import read_wall_clock

Shape = Literal[
    "text",
    "texts",
    "number",
    "integer",
    "flag",
    "instant",
    "day",
    "wall_clock",
    "object",
    "items",
    "structure",
    "anything",
]

_WANTED: Final[dict[Shape, str]] = {
    "text": "a text",
    "texts": "a list of texts",
    "number": "a number",
    "integer": "a whole number",
    "flag": "true or false",
    "instant": "a point in time with its zone (2026-01-31T12:00:00Z)",
    "day": "a day (2026-01-31)",
    "wall_clock": "a date as text",
    "object": "an object",
    "items": "a list",
    "structure": "an object",
    "anything": "any value",
}


@dataclass(frozen=True)
class FieldShape:
    """The shape of one field. `offered` is an advisory vocabulary: a value outside it is accepted and flagged.

    `least` and `most` bound a number, the characters of a text, or how many items a list has; commands keep the bounds,
    imported values need not. `fields` are those of a structure, `each` is the shape of every item of a list. `rule`
    says what is wrong with a text, as a bound does.
    """

    shape: Shape = "text"
    offered: frozenset[str] = frozenset()
    least: float | None = None
    most: float | None = None
    fields: Mapping[str, FieldShape] = field(default_factory=dict)
    each: FieldShape | None = None
    rule: Callable[[str], str | None] | None = None

    def is_outside(self, value: Any) -> bool:
        """Tell whether a set value, or one inside it, lies outside the vocabulary, where there is one."""
        match value:
            case str():
                return bool(self.offered) and value not in self.offered
            case list():
                each = self.each or (FieldShape("text", self.offered) if self.offered else None)
                return each is not None and any(map(each.is_outside, value))
            case dict():
                return any(self.fields[name].is_outside(item) for name, item in value.items() if name in self.fields)
            case _:
                return False

    def beyond_limit(self, value: Any) -> str | None:
        """Say which limit a value in stored form does not keep, None if it keeps all of them."""
        match value:
            case bool() | None:
                return None
            case int() | float():
                return self._beyond(value, "")
            case str():
                return self._beyond(len(value), " characters") or (self.rule(value) if self.rule else None)
            case list():
                problems = map(self.each.beyond_limit, value) if self.each else iter(())
                return self._beyond(len(value), " items") or next(filter(None, problems), None)
            case dict():
                known = (
                    (name, self.fields[name].beyond_limit(item)) for name, item in value.items() if name in self.fields
                )
                return next((f"{name}: {problem}" for name, problem in known if problem), None)
            case _:
                return None

    def _beyond(self, size: float, unit: str) -> str | None:
        if self.least is not None and size < self.least:
            return f"at least {self.least:g}{unit} are expected"
        if self.most is not None and size > self.most:
            return f"at most {self.most:g}{unit} are allowed"
        return None

    def normal(self, value: Any) -> Any:  # noqa: C901, PLR0912 – a line a shape
        """Return the value as stored, None for unset; raises ValueError where the shape does not fit."""
        if is_unset(value):
            return None
        match self.shape, value:
            case "text", str():
                return normal_text(value)
            case "texts", list() if all(isinstance(item, str) for item in value):
                return [item for item in value if not is_unset(item)] or None
            case "flag", bool():
                return value
            case "number" | "integer", bool():
                pass
            case "number", int() | float() if isfinite(value):
                return value
            case "integer", int():
                return value
            case "integer", float() if value.is_integer():
                return int(value)
            case "instant", str():
                return _instant(value)
            case "day", str():
                return _day(value)
            case "wall_clock", str():
                return read_wall_clock(normal_text(value)).text
            case "object", dict():
                return {key: item for key, item in value.items() if not is_unset(item)} or None
            case "items", list():
                kept = value if self.each is None else map(self.each.normal, value)
                return [item for item in kept if not is_unset(item)] or None
            case "structure", dict():
                return self._structure(value)
            case "anything", _:
                return value
        raise ValueError(f"{_WANTED[self.shape]} is expected")

    def _structure(self, value: dict[str, Any]) -> dict[str, Any] | None:
        normal = {}
        for name, item in value.items():
            if name not in self.fields:
                raise ValueError(f"it has no {name!r}; it has {', '.join(self.fields)}")
            try:
                normal[name] = self.fields[name].normal(item)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None
        return {name: item for name, item in normal.items() if item is not None} or None


def _instant(value: str) -> str:
    moment = datetime.fromisoformat(value.strip())
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone (2026-01-31T12:00:00Z)")
    return instant_text(in_utc(moment))


def instant_text(moment: datetime) -> str:
    """Return a point in time as an instant field holds it: RFC 3339, UTC, with microseconds."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _day(value: str) -> str:
    text = value.strip()
    if len(text) != len("2026-01-31"):
        raise ValueError(f"{_WANTED['day']} is expected")
    return date.fromisoformat(text).isoformat()


def text(*offered: str, least: int | None = None, most: int | None = None) -> FieldShape:
    """Return a text field, with the values it is meant to hold, if any, and its least and most characters."""
    return FieldShape("text", frozenset(offered), least, most)


def url() -> FieldShape:
    """Return a text field that holds an absolute URL."""
    return FieldShape("text", rule=_not_absolute)


def phone() -> FieldShape:
    """Return a text field that holds a phone number: up to 20 characters, and no email address."""
    return FieldShape("text", most=20, rule=lambda value: "it must not hold an @" if "@" in value else None)


def _not_absolute(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        absolute = bool(parts.scheme and (parts.netloc or parts.path)) and not any(map(str.isspace, value))
    except ValueError:  # an IPv6 address that is none
        absolute = False
    return None if absolute else "an absolute URL is expected (https://…)"


def texts(*offered: str, least: int | None = None, most: int | None = None) -> FieldShape:
    """Return a field that holds a list of texts: the values they are meant to be, how few and how many."""
    return FieldShape("texts", frozenset(offered), least, most)


def number(least: float | None = None, most: float | None = None) -> FieldShape:
    """Return a field that holds a number, whole or not."""
    return FieldShape("number", least=least, most=most)


def integer(least: int | None = None, most: int | None = None) -> FieldShape:
    """Return a field that holds a whole number."""
    return FieldShape("integer", least=least, most=most)


def flag() -> FieldShape:
    """Return a field that holds true or false."""
    return FieldShape("flag")


def instant() -> FieldShape:
    """Return a field that holds a point in time as RFC 3339 text in UTC with microseconds."""
    return FieldShape("instant")


def day() -> FieldShape:
    """Return a field that holds a day as ISO text."""
    return FieldShape("day")


def wall_clock() -> FieldShape:
    """Return a field that holds a date, or a date with a time, as text."""
    return FieldShape("wall_clock")


def json_object() -> FieldShape:
    """Return a field that holds a JSON object."""
    return FieldShape("object")


def items(each: FieldShape | None = None, *, least: int | None = None, most: int | None = None) -> FieldShape:
    """Return a field that holds a list, of any JSON values or of one shape."""
    return FieldShape("items", least=least, most=most, each=each)


def structure(fields: Mapping[str, FieldShape]) -> FieldShape:
    """Return a field that holds an object with these fields and no others, each with its own shape."""
    return FieldShape("structure", fields=fields)


def anything() -> FieldShape:
    """Return a field that holds any JSON value as it is."""
    return FieldShape("anything")


def check_fields(shapes: Mapping[str, FieldShape], values: Mapping[str, Any], *, where: str, of: str) -> dict[str, Any]:
    """Return the values in stored form, None for unset; raises InvalidCommand naming the field at fault."""
    checked = {}
    for name, value in values.items():
        shape, at = shapes.get(name), f"{where}.{name}" if where else name
        if shape is None:
            raise InvalidCommand(f"{of} has no field {name!r}", field=at, hint=f"its fields are {', '.join(shapes)}")
        try:
            checked[name] = shape.normal(value)
        except ValueError as error:
            raise InvalidCommand(f"{name}: {error}", field=at) from None
        if problem := shape.beyond_limit(checked[name]):
            raise InvalidCommand(f"{name}: {problem}", field=at)
    return checked


def outside_vocabulary(shapes: Mapping[str, FieldShape], values: Mapping[str, Any]) -> list[str]:
    """Return the names of fields whose value lies outside their advisory vocabulary, sorted."""
    return sorted(name for name, value in values.items() if name in shapes and shapes[name].is_outside(value))
