"""What changed between two sets of fields, and the fields after a change."""

from __future__ import annotations

from typing import Any

from domain.event import Change, Erased
from domain.values import same_json, without_unset


def changed_fields(present: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Change]:
    """Return the wanted fields that differ from the present ones; None in `wanted` unsets."""
    return {
        name: Change(old=present.get(name), new=new)
        for name, new in wanted.items()
        if not same_json(present.get(name), new)
    }


def with_changes(fields: dict[str, Any], changes: dict[str, Change] | Erased) -> dict[str, Any]:
    """Return the fields after the changes; all of them are gone where the changes were erased."""
    if isinstance(changes, Erased):
        return {}
    return without_unset({**fields, **{name: change.new for name, change in changes.items()}})
