"""The dancer: a performer with headshots, measures, a résumé and training (the *talent* system)."""

from __future__ import annotations

from typing import Final

from domain.kinds.kind import Kind
from domain.kinds.talent_fields import TALENT_FIELDS

KIND: Final = Kind(
    name="dancer",
    fields=TALENT_FIELDS,
    weights={
        "headshots": 20,
        "attributes": 15,
        "projects": 15,
        "sizing": 10,
        "skills": 10,
        "training": 10,
        "location": 10,
        "links": 5,
        "representation": 5,
    },
    searchable=("display_name", "attributes", "skills", "genres", "dance_styles", "location", "work_location"),
)
