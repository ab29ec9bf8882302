"""Fields with their shape and the values they are meant to hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from domain.errors import InvalidCommand
from domain.values import is_unset, normal_text
from domain.wall_clock import read_wall_clock

Shape = Literal["text", "texts", "object", "wall_clock"]

_WANTED: Final = {"text": "a text", "texts": "a list of texts", "object": "an object", "wall_clock": "a date as text"}


@dataclass(frozen=True)
class FieldShape:
    """The shape of one field. `offered` is an advisory vocabulary: a value outside it is accepted and flagged."""

    shape: Shape = "text"
    offered: frozenset[str] = frozenset()

    def is_outside(self, value: Any) -> bool:
        """Tell whether a set value lies outside the vocabulary, where there is one."""
        return bool(self.offered) and isinstance(value, str) and value not in self.offered

    def normal(self, value: Any) -> Any:
        """Return the value as stored, None for unset; raises ValueError where the shape does not fit."""
        if is_unset(value):
            return None
        match self.shape, value:
            case "text", str():
                return normal_text(value)
            case "texts", list() if all(isinstance(item, str) for item in value):
                return [item for item in value if not is_unset(item)] or None
            case "object", dict():
                return {key: item for key, item in value.items() if not is_unset(item)} or None
            case "wall_clock", str():
                return read_wall_clock(normal_text(value)).text
            case _:
                wanted = _WANTED[self.shape]
                raise ValueError(f"{wanted} is expected")


def text(*offered: str) -> FieldShape:
    """Return a text field, with the values it is meant to hold, if any."""
    return FieldShape("text", frozenset(offered))


def texts() -> FieldShape:
    """Return a field that holds a list of texts."""
    return FieldShape("texts")


def json_object() -> FieldShape:
    """Return a field that holds a JSON object."""
    return FieldShape("object")


def wall_clock() -> FieldShape:
    """Return a field that holds a date, or a date with a time, as text."""
    return FieldShape("wall_clock")


def check_fields(shapes: Mapping[str, FieldShape], values: Mapping[str, Any], *, where: str, of: str) -> dict[str, Any]:
    """Return the values in stored form, None for unset; raises InvalidCommand naming the field at fault."""
    checked = {}
    for name, value in values.items():
        shape = shapes.get(name)
        if shape is None:
            raise InvalidCommand(
                f"{of} has no field {name!r}", field=f"{where}.{name}", hint=f"its fields are {', '.join(shapes)}"
            )
        try:
            checked[name] = shape.normal(value)
        except ValueError as error:
            raise InvalidCommand(f"{name}: {error}", field=f"{where}.{name}") from None
    return checked


def outside_vocabulary(shapes: Mapping[str, FieldShape], values: Mapping[str, Any]) -> list[str]:
    """Return the names of fields whose value lies outside their advisory vocabulary, sorted."""
    return sorted(name for name, value in values.items() if name in shapes and shapes[name].is_outside(value))
