"""Arrays as PostgreSQL writes them as text: `{a,"b, c",NULL}`, also nested."""

from __future__ import annotations

import re
from typing import Any, Final

from domain.values import MAX_DEPTH
from migrations_replay.convert import Unreadable

_PART: Final = re.compile(r'\s*+([{},]|"(?:[^"\\]|\\.)*"|(?:[^{},"\\]|\\.)+)', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


def sql_array(value: str) -> list[Any]:
    """Read an array; its items are texts, None or arrays again. Raises Unreadable for a text that is none."""
    found: list[list[Any]] = [[]]  # the open arrays, outermost first, in a list that gets the whole one
    before = ","
    for part in _parts(value):
        begins = part not in (",", "}")
        fits = before in (",", "{") if begins else before != "," and len(found) > 1 and (before, part) != ("{", ",")
        if not fits or (len(found) == 1 and (found[0] or part != "{")) or len(found) > MAX_DEPTH:
            raise Unreadable("no SQL array")
        if part == "{":
            found.append([])
        elif part == "}":
            found[-2].append(found.pop())
        elif part != ",":
            found[-1].append(_item(part))
        before = part if part in "{,}" else "item"
    if len(found) > 1 or not found[0]:
        raise Unreadable("no SQL array")
    array: list[Any] = found[0][0]
    return array


def _parts(value: str) -> list[str]:
    parts, at = [], 0
    while found := _PART.match(value, at):
        parts.append(found.group(1))
        at = found.end()
    if value[at:].strip():
        raise Unreadable("no SQL array")
    return parts


def _item(part: str) -> str | None:
    if part.startswith('"'):
        return _ESCAPED.sub(r"\1", part[1:-1])
    plain = part.rstrip()
    return None if plain.upper() == "NULL" else _ESCAPED.sub(r"\1", plain)
