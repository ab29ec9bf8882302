"""How a legacy line is read: exactly, or not at all. What JSON parsers usually lose in silence is noticed here."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from math import isinf
from typing import Any, Final, NamedTuple

import orjson

from domain.values import MAX_DEPTH, is_storable

MAX_BYTES: Final = 16 * 1024 * 1024
_SAFE_DIGITS: Final = 18
_EXACT_DIGITS: Final = 15
_LEAST_NORMAL: Final = sys.float_info.min


@dataclass(frozen=True, slots=True)
class OddNumber:
    """A number no 64-bit type holds exactly, kept as its text: too long, too precise, out of range, NaN, infinity."""

    text: str


class RepeatedKeys(NamedTuple):
    """An object that repeats a key, as its pairs."""

    pairs: tuple[tuple[str, Any], ...]


class Problem(NamedTuple):
    """Why a record cannot be taken in: a stable code, and a reason for people."""

    code: str
    reason: str


class Unread:
    """Stands for the value of a line that could not be read as JSON; it has no leaves."""


UNREAD: Final = Unread()


class Read(NamedTuple):
    """A line as read: the JSON value (UNREAD if there is none), and the problem that keeps it out, if any."""

    value: Any
    problem: Problem | None


def read_line(raw: bytes) -> Read:
    """Read one line as a JSON document; every leaf it holds is in `value`, also when there is a problem."""
    if len(raw) > MAX_BYTES:
        return Read(UNREAD, Problem("too_large", f"more than {MAX_BYTES} bytes"))
    try:
        text = raw.decode("utf-8").strip(_BLANKS)
        try:
            value, problem = _parse(_STRICT, text), None
        except _RepeatedKey:
            value, problem = _parse(_TOLERANT, text), Problem("duplicate_key", "an object repeats a key")
    except RecursionError:
        return Read(UNREAD, Problem("too_deep", f"nesting beyond {MAX_DEPTH} levels"))
    except ValueError as error:  # also UnicodeDecodeError
        where = getattr(error, "pos", None)
        return Read(UNREAD, Problem("not_json", "not UTF-8" if where is None else f"not JSON at character {where}"))
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _is_deep(value):
        return Read(UNREAD, Problem("too_deep", f"nesting beyond {MAX_DEPTH} levels"))
    # Escapes are the only way NUL and lone surrogates come in.
    if b"\\u" in raw and not _storable(value):
        problem = Problem("text_not_storable", "a text holds NUL or a lone surrogate")
    if not isinstance(value, (dict, RepeatedKeys)):
        problem = Problem("not_an_object", "a record is a JSON object")
    return Read(value, problem)


def canonical_digest(value: Any) -> str:
    """Return the SHA-256 of a JSON value's canonical form (sorted keys, no blanks), hexadecimal."""
    return hashlib.sha256(orjson.dumps(value, default=_plain, option=_CANONICAL)).hexdigest()


def _parse(decoder: json.JSONDecoder, text: str) -> Any:
    value, end = decoder.raw_decode(text)
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return value


class _RepeatedKey(Exception):
    """An object repeats a key."""


def _strict_pairs(pairs: list[tuple[str, Any]]) -> Any:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _RepeatedKey
    return value


def _tolerant_pairs(pairs: list[tuple[str, Any]]) -> Any:
    value = dict(pairs)
    return value if len(value) == len(pairs) else RepeatedKeys(tuple(pairs))


def _integer(text: str) -> int | OddNumber:
    if len(text) <= _SAFE_DIGITS:
        return int(text)
    if len(text) > _SAFE_DIGITS + 2:
        return OddNumber(text)
    value = int(text)
    return value if -(2**63) <= value < 2**63 else OddNumber(text)


def _decimal(text: str) -> float | OddNumber:
    value = float(text)
    if isinf(value):
        return OddNumber(text)
    if len(text) <= _EXACT_DIGITS and abs(value) >= _LEAST_NORMAL:
        return value
    try:
        return value if Decimal(repr(value)) == Decimal(text) else OddNumber(text)
    except InvalidOperation:  # an exponent beyond all bounds
        return OddNumber(text)


def _decoder(pairs: Callable[[list[tuple[str, Any]]], Any]) -> json.JSONDecoder:
    return json.JSONDecoder(object_pairs_hook=pairs, parse_int=_integer, parse_float=_decimal, parse_constant=OddNumber)


_STRICT: Final = _decoder(_strict_pairs)
_TOLERANT: Final = _decoder(_tolerant_pairs)
_BLANKS: Final = " \t\n\r"
_CANONICAL: Final = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS


def _plain(value: Any) -> Any:
    if isinstance(value, OddNumber):
        return orjson.Fragment(value.text)  # a form no other JSON value has
    raise TypeError(type(value).__name__)


def _children(value: Any) -> Any:
    match value:
        case dict():
            return value.values()
        case RepeatedKeys():
            return [child for _, child in value.pairs]
        case list():
            return value
        case _:
            return ()


def _is_deep(value: Any, room: int = MAX_DEPTH) -> bool:
    if room < 0:
        return True
    return any(_is_deep(child, room - 1) for child in _children(value))


def _storable(value: Any) -> bool:
    match value:
        case str():
            return is_storable(value)
        case dict():
            return all(is_storable(key) and _storable(child) for key, child in value.items())
        case RepeatedKeys():
            return all(is_storable(key) and _storable(child) for key, child in value.pairs)
        case list():
            return all(map(_storable, value))
        case _:
            return True
