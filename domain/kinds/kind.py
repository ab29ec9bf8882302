"""What a profile kind is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.completeness import Completeness, score
from domain.vocabulary import FieldShape, check_fields


@dataclass(frozen=True)
class Kind:
    """A kind of profile: its fields, and which of them completeness requires or rewards."""

    name: str
    fields: Mapping[str, FieldShape]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    def checked(self, values: Mapping[str, Any], *, where: str) -> dict[str, Any]:
        """Return the values in stored form; raises InvalidCommand for an unknown field or a wrong type."""
        return check_fields(self.fields, values, where=where, of=f"a {self.name} profile")

    def completeness(self, fields: Mapping[str, Any]) -> Completeness:
        """Score the fields and list the required ones that are missing."""
        return score(fields, required=self.required, optional=self.optional)
