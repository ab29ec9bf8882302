"""Differences that somebody has looked at and approved: leaf, approver and reason, in a file of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError

from domain.errors import InputUnreadable

_Given = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class Approval(BaseModel):
    """One approved difference. `leaf` is `TABLE/KEY` and the pointer of the leaf, or the place a report names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    leaf: _Given
    approver: _Given
    reason: _Given


Approvals = Mapping[str, Approval]
"""Approvals by leaf."""

_READER: Final = TypeAdapter(list[Approval])


def read_approvals(body: bytes) -> Approvals:
    """Read a JSON list of approvals; raises InputUnreadable saying which entry is wrong, or names a leaf again."""
    try:
        found = _READER.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = "/".join(map(str, first["loc"]))
        raise InputUnreadable(
            f"approvals: {where or 'the file'}: {first['msg']}",
            field="approvals",
            hint='a JSON list of {"leaf": "TABLE/KEY/POINTER", "approver": …, "reason": …}',
        ) from None
    by_leaf = {approval.leaf: approval for approval in found}
    if len(by_leaf) < len(found):
        raise InputUnreadable("approvals: a leaf is named twice", field="approvals")
    return by_leaf


def leaf_name(difference: Mapping[str, Any]) -> str:
    """Return what an approval calls a difference: the leaf, or the place where no leaf is to blame."""
    if difference["pointer"]:
        return f"{difference['table']}/{difference['id']}{difference['pointer']}"
    return str(difference["place"])
