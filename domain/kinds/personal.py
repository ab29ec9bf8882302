"""The personal profile: who a person is across all relationship contexts (the *contexts* system's shared profile)."""

from __future__ import annotations

from typing import Final

from domain.kinds.kind import Kind
from domain.kinds.talent_fields import LOCATION, TALENT_FIELDS
from domain.vocabulary import json_object, text, texts

KIND: Final = Kind(
    name="personal",
    fields={
        "name": text(),
        "location": text(),
        "age_range": text("18-24", "25-34", "35-44", "45-54", "55+"),
        "core_values": texts(),
        "constraints": texts(),
        "beliefs": json_object(),
        "interaction_style": json_object(),
        "lifestyle": json_object(),
        # What guests of the talent application filled in; their location has parts.
        "place": LOCATION,
        **{name: shape for name, shape in TALENT_FIELDS.items() if name != "location"},
    },
    required=("location", "age_range", "core_values"),
    optional=("beliefs", "interaction_style", "lifestyle", "constraints"),
    searchable=("name", "location", "core_values"),
)
