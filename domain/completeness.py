"""How complete a profile or an intent is: a score in percent and the fields it is measured by that are missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from domain.values import is_unset


class Completeness(NamedTuple):
    """`score` is 0 to 100, rounded half up; `missing` lists required or weighed fields that are unset, in order."""

    score: int
    missing: tuple[str, ...]


def score(fields: Mapping[str, Any], *, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> Completeness:
    """Score by the application's rule: required fields weigh 1; optional ones 0.5, and only when they are filled.

    An optional field therefore counts in numerator and denominator alike, and leaving it out costs nothing.
    """
    missing = tuple(name for name in required if is_unset(fields.get(name)))
    extra = sum(not is_unset(fields.get(name)) for name in optional)
    filled, total = 2 * (len(required) - len(missing)) + extra, 2 * len(required) + extra
    return Completeness((200 * filled + total) // (2 * total) if total else 100, missing)


def weighed(fields: Mapping[str, Any], weights: Mapping[str, int]) -> Completeness:
    """Score by weights: those of the filled fields in percent of all; every weighed field that is unset is missing."""
    missing = tuple(name for name in weights if is_unset(fields.get(name)))
    total = sum(weights.values())
    filled = total - sum(weights[name] for name in missing)
    return Completeness((200 * filled + total) // (2 * total), missing)
