"""What a kind of item is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.vocabulary import FieldShape, check_fields


@dataclass(frozen=True)
class ItemKind:
    """A kind of item: its fields, and the field of a profile that lists its items in order, if there is one."""

    name: str
    fields: Mapping[str, FieldShape]
    listed_in: str = ""

    def checked(self, values: Mapping[str, Any], *, where: str) -> dict[str, Any]:
        """Return the values in stored form; raises InvalidCommand for an unknown field or a wrong type."""
        return check_fields(self.fields, values, where=where, of=f"an item of kind {self.name}")
