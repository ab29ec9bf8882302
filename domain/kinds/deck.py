"""The deck profile: the professional a presentation is made for, with their company and brand (the *decks* system).

The limits are those of its update endpoint; a text exactly as long as its limit passes. Email, phone and names are the
account's.
"""

from __future__ import annotations

from typing import Final

from domain.kinds.kind import Kind
from domain.vocabulary import anything, text, texts, url

INDUSTRIES: Final = (
    "Technology",
    "Healthcare",
    "Finance",
    "Education",
    "Retail",
    "Manufacturing",
    "Real Estate",
    "Consulting",
    "Marketing",
    "Non-profit",
    "Government",
    "Other",
)

KIND: Final = Kind(
    name="deck",
    fields={
        "bio": text(most=1000),
        "company_name": text(most=100),
        "job_title": text(most=100),
        "industry": text(*INDUSTRIES),
        "target_audience": text(),
        "business_context": text(),
        "master_system_prompt": text(most=2000),
        "avatar_url": url(),
        "profile_picture_url": url(),
        "logo_url": url(),
        "brand_colors": anything(),
        "key_metrics": texts(most=20),
    },
    required=("company_name", "industry", "job_title", "key_metrics"),
    optional=("bio", "target_audience", "business_context", "brand_colors"),
    searchable=("company_name", "job_title", "industry", "bio"),
)
