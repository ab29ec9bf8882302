"""The choreographer: somebody who makes dances, with a company, rates and notable works (the *talent* system)."""

from __future__ import annotations

from typing import Final

from domain.kinds.kind import Kind
from domain.kinds.talent_fields import TALENT_FIELDS
from domain.vocabulary import anything, flag, number, structure, text, texts

KIND: Final = Kind(
    name="choreographer",
    fields={
        **TALENT_FIELDS,
        "featured": flag(),
        "specialties": texts(),
        "years_of_experience": number(),
        "notable_works": anything(),
        "teaching_locations": texts(),
        "rates": structure({"hourly": number(), "daily": number(), "project": text()}),
        "portfolio": anything(),
        "certifications": anything(),
        "awards_recognition": anything(),
    },
    weights={
        "headshots": 20,
        "projects": 20,
        "company_name": 15,
        "location": 15,
        "database_use": 10,
        "links": 10,
        "representation": 10,
    },
    searchable=("display_name", "company_name", "specialties", "skills", "genres", "dance_styles", "location"),
)
