"""An account with its active profile as one record, as the talent application's `getMyUser` promised to show it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from domain.account import CONTACT_FIELDS
from domain.onboarding import progress
from domain.values import is_unset
from projections.read_model import Row


def account_view(account: Row, profiles: Iterable[Row] = (), items: Iterable[Row] = ()) -> dict[str, Any]:
    """Merge an account, its active profile and the items of that profile. A set value of the profile wins.

    Unset is what holds nothing (absent, blank, empty list or object); 0 and false are values and win like any other.
    """
    active = next((row for row in profiles if row["profile_id"] == account["active_profile_id"]), None)
    own = {name: account[name] for name in CONTACT_FIELDS} | account["details"]
    merged = {name: value for name, value in own.items() if not is_unset(value)}
    if active is not None:
        merged |= {name: value for name, value in active["fields"].items() if not is_unset(value)}
    names = (merged.get(name) for name in ("full_name", "display_name"))
    merged.setdefault("name", next(filter(None, names), None) or _first_and_last(merged))
    kind = active["kind"] if active else None
    return {
        **{name: value for name, value in merged.items() if not is_unset(value)},
        "kind": kind,
        "completeness": active["completeness"] if active else None,
        "missing": active["missing"] if active else [],
        "onboarding_progress": _progress(kind or own.get("profile_type"), merged),
        "items": [
            {"item_id": item["item_id"], "kind": item["kind"], **item["fields"]}
            for item in items
            if active is not None and item["profile_id"] == active["profile_id"] and not item["removed"]
        ],
    }


def _first_and_last(merged: dict[str, Any]) -> str | None:
    names = (merged.get(name) for name in ("first_name", "last_name"))
    return " ".join(name for name in names if isinstance(name, str)) or None


def _progress(flow: Any, merged: dict[str, Any]) -> int:
    done = merged.get("onboarding_steps", [])
    return 100 if merged.get("onboarding_completed") is True else progress(str(flow), done)
