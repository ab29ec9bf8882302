"""What a profile kind is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.completeness import Completeness, score, weighed
from domain.vocabulary import FieldShape, check_fields


@dataclass(frozen=True)
class Kind:
    """A kind of profile: its fields, what its completeness is measured by, and which fields a search looks through.

    Completeness counts `required` and `optional` fields, or, for a kind that has them, `weights`.
    """

    name: str
    fields: Mapping[str, FieldShape]
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    weights: Mapping[str, int] = field(default_factory=dict)
    searchable: tuple[str, ...] = ()

    def checked(self, values: Mapping[str, Any], *, where: str) -> dict[str, Any]:
        """Return the values in stored form; raises InvalidCommand for an unknown field or a wrong type."""
        return check_fields(self.fields, values, where=where, of=f"a {self.name} profile")

    def completeness(self, fields: Mapping[str, Any]) -> Completeness:
        """Score the fields and list those that are missing."""
        if self.weights:
            return weighed(fields, self.weights)
        return score(fields, required=self.required, optional=self.optional)
