"""The companies as they are now."""

from __future__ import annotations

from typing import Any, Final

from domain.changes import with_changes
from domain.company import CompanyRegistered, CompanyUpdated
from domain.event import Recorded
from projections.columns import begun, changed, present, topics_of
from projections.read_model import Row, one_row_a_stream

_OWN_COLUMNS: Final = ("name", "tax_id")


def _fold(row: Row | None, recorded: Recorded) -> Row:
    event: CompanyRegistered | CompanyUpdated = recorded.event
    if isinstance(event, CompanyRegistered):
        columns = _told_apart(event.fields)
        return begun(
            recorded,
            company_id=recorded.stream,
            is_active=event.is_active,
            created_at=recorded.occurred_at,
            **columns,
        )
    row = present(row, recorded)
    own = {name: row[name] for name in _OWN_COLUMNS if row[name] is not None}
    return changed(row, recorded, **_told_apart(with_changes({**row["fields"], **own}, event.changes)))


def _told_apart(fields: dict[str, Any]) -> Row:
    """Return the fields: the name and the tax id as columns, with the forms they are looked up by; the others as one.

    A value of either that is no text, which only an import brings, stays among the others.
    """
    own = {name: value for name in _OWN_COLUMNS if isinstance(value := fields.get(name), str)}
    name, tax_id = own.get("name"), own.get("tax_id")
    return {
        "name": name,
        "name_key": name_key(name),
        "tax_id": tax_id,
        "tax_digits": tax_digits(tax_id),
        "fields": {field: value for field, value in fields.items() if field not in own},
    }


def name_key(name: str | None) -> str | None:
    """Return the form a company's name is looked up by: trimmed, without upper and lower case."""
    return (name or "").strip().casefold() or None


def tax_digits(tax_id: str | None) -> str | None:
    """Return the form a company's tax id is looked up by: its digits."""
    return "".join(character for character in tax_id or "" if character in "0123456789") or None


MODEL: Final = one_row_a_stream(
    "companies", version=1, key="company_id", topics=topics_of(CompanyRegistered | CompanyUpdated), fold=_fold
)
