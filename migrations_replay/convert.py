"""Named converters from what legacy rows hold to what we store. None guesses: what it cannot read is Unreadable."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from domain.values import is_unset, json_problem, normal_text, same_json
from migrations_replay.document import UNREAD, OddNumber, RepeatedKeys, read_line

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ISO: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d(?:\.\d{1,6}0*)?)?)([Zz]|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?", re.ASCII)
_OPENINGS: Final = 2
LEAST_INCHES: Final = 36
MOST_INCHES: Final = 96
MAX_KEY: Final = 500


class Unreadable(ValueError):
    """The value cannot be read as what it should be."""


def text(value: Any) -> str:
    """Read a text: NFC, trimmed."""
    if not isinstance(value, str):
        raise Unreadable("a text is expected")
    return normal_text(value)


def key(value: Any) -> str | None:
    """Read a primary or foreign key: text as it is, an integer by its text; None for neither, or if it is too long."""
    if isinstance(value, str):
        return value if not is_unset(value) and len(value) <= MAX_KEY else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def instant(value: Any) -> datetime:
    """Read a point in time, in UTC: ISO text or ms since 1970.

    Text without a zone is UTC, by the convention of the *contexts* columns. A bare date is not a point in time.
    """
    try:
        if isinstance(value, str) and (found := _ISO.fullmatch(value.strip())):
            date, time, zone = found.groups()
            return datetime.fromisoformat(f"{date}T{time}{(zone or 'Z').upper()}").astimezone(UTC)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return _EPOCH + timedelta(milliseconds=value)
    except (ValueError, OverflowError) as error:
        raise Unreadable("no point in time anybody can mean") from error
    raise Unreadable("a point in time is expected")


def number(value: Any) -> int | float:
    """Read a number by its value. A text is not one, whatever it says: NaN leaves some exports as a text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise Unreadable("a number is expected")


def decimal_number(value: Any) -> int | float:
    """Read a number, also one an export wrote as a decimal text, where a double holds it exactly as written.

    `NaN` and `Infinity`, which leave some exports as texts, are no numbers.
    """
    if not isinstance(value, str):
        return number(value)
    if not _DECIMAL.fullmatch(found := value.strip()):
        raise Unreadable("a number is expected")
    exact_value = Decimal(found)
    if exact_value == exact_value.to_integral_value() and -(2**63) <= exact_value < 2**63:
        return int(exact_value)
    if Decimal(repr(float(found))) != exact_value:
        raise Unreadable("more digits than a number holds")
    return float(found)


def ms_instant(value: Any) -> datetime:
    """Read a point in time: ms since 1970, with a fraction or as a decimal text, or ISO text."""
    is_decimal = isinstance(value, str) and _DECIMAL.fullmatch(value.strip())
    return instant(decimal_number(value) if is_decimal else value)


def ms_instant_text(value: Any) -> str:
    """Read a point in time as `ms_instant` does, into the text by which fields hold one."""
    return instant_text(ms_instant(value).isoformat())


def day(value: Any) -> str:
    """Read a day (`YYYY-MM-DD`), which stays a day; a point in time is not one."""
    found = text(value)
    try:
        if _DAY.fullmatch(found):
            return date.fromisoformat(found).isoformat()
    except ValueError as error:
        raise Unreadable("no day anybody can mean") from error
    raise Unreadable("a day is expected")


def instant_text(value: Any) -> str:
    """Read a point in time (ISO text with its zone, or ms since 1970) into the text by which fields hold one."""
    return f"{instant(value).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def size(value: Any) -> str:
    """Read a clothing size: a text as it is; a number, as the oldest rows have it, by its shortest text (`9.5`)."""
    if isinstance(value, str):
        return text(value)
    found = number(value)
    return str(int(found)) if float(found).is_integer() else repr(found)


def inches(value: Any) -> tuple[int, int | float]:
    """Read a height that is a single number into feet and inches; only from 36 to 96 is it inches for certain."""
    found = number(value)
    if not LEAST_INCHES <= found <= MOST_INCHES:
        raise Unreadable("no height in inches")
    feet = int(found // 12)
    return feet, found - 12 * feet


def exact(value: Any) -> Any:
    """Read a JSON value that can be stored exactly: no odd number or repeated key at any depth."""
    if holds_odd_number(value) or json_problem(value):
        raise Unreadable("it holds a number or a text that cannot be stored exactly")
    return value


def holds_odd_number(value: Any) -> bool:
    """Tell whether a JSON value holds a number no 64-bit type holds exactly, or an object that repeats a key."""
    if isinstance(value, (OddNumber, RepeatedKeys)):
        return True
    if isinstance(value, (dict, list)):
        return any(map(holds_odd_number, value.values() if isinstance(value, dict) else value))
    return False


def opened(value: Any, wanted: type[list[Any] | dict[str, Any]]) -> Any:
    """Read a list or an object that may stand as JSON inside a text, up to twice."""
    raw = value
    for _ in range(_OPENINGS):
        if not isinstance(value, str):
            break
        found = read_line(value.encode("utf-8", "surrogatepass"))
        if found.value is UNREAD:
            break
        value = found.value
    if not isinstance(value, wanted):
        raise Unreadable(f"{'a list' if wanted is list else 'an object'} is expected")
    return value if value is raw else exact(value)


_TRUTHS: Final = {"true": True, "t": True, "false": False, "f": False}


def flag(value: Any) -> bool:
    """Read a yes or no: as it is, or as PostgreSQL writes it as text (`true`, `t`, `false`, `f`)."""
    found = value if isinstance(value, bool) else _TRUTHS.get(value) if isinstance(value, str) else None
    if found is None:
        raise Unreadable("true or false is expected")
    return found


def whole_number(value: Any) -> int:
    """Read a whole number of 64 bits: as it is, also with a point, or by its digits in a text."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,19}", value.strip(), re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or json_problem(value):
        raise Unreadable("a whole number is expected")
    return value


def normal_json(value: Any) -> Any:
    """Return a JSON value with every text in its normal form and unset parts left out, for comparison only."""
    if isinstance(value, str):
        return normal_text(value)
    if isinstance(value, list):
        return [None if is_unset(normal := normal_json(child)) else normal for child in value]
    if isinstance(value, dict):
        return {name: normal for name, child in value.items() if not is_unset(normal := normal_json(child))}
    return value


def json_text(value: Any) -> str:
    """Return a hashable text for a JSON value, equal for structurally equal values."""
    return json.dumps(_by_value(value), sort_keys=True, default=repr)


def _by_value(value: Any) -> Any:
    """Write a whole number in one way, whether it came with a point or without."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_by_value(child) for child in value]
    if isinstance(value, dict):
        return {name: _by_value(child) for name, child in value.items()}
    return value


def same_stored(one: Any, other: Any) -> bool:
    """Tell whether two values are the same in a table: JSON by structure, numbers by value."""
    if one is other:
        return True
    if type(one) is str:
        return bool(one == other)
    if isinstance(one, (dict, list, bool, float)) or isinstance(other, (bool, float)):
        return same_json(one, other) or same_json(_as_stored(one), _as_stored(other))
    return bool(one == other)


def _as_stored(value: Any) -> Any:
    """Return a JSON value with whole floats as jsonb gives them back: by their shortest decimal form, as integers."""
    if isinstance(value, float) and value.is_integer():
        return int(Decimal(repr(value)))
    if isinstance(value, list):
        return [_as_stored(child) for child in value]
    if isinstance(value, dict):
        return {name: _as_stored(child) for name, child in value.items()}
    return value
