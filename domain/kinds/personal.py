"""The personal profile: who a person is across all relationship contexts (the *contexts* system's shared profile)."""

from __future__ import annotations

from typing import Final

from domain.kinds.kind import Kind
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
    },
    required=("location", "age_range", "core_values"),
    optional=("beliefs", "interaction_style", "lifestyle", "constraints"),
    searchable=("name", "location", "core_values"),
)
