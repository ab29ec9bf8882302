"""The training: a school, an intensive or a scholarship of a person."""

from __future__ import annotations

from typing import Final

from domain.items.item_kind import ItemKind
from domain.vocabulary import anything, json_object, number, text, texts

ITEM: Final = ItemKind(
    name="training",
    fields={
        "title": text(),
        "type": text("education", "dance-school", "programs-intensives", "scholarships", "other"),
        "institution": text(),
        "instructors": texts(),
        "start_year": number(),
        "end_year": number(),
        "year": number(),  # of older records, which had but one
        "degree": text(),
        "role": text(),
        "references": anything(),
        "visibility": text(),
        "order_index": number(),
        "particulars": json_object(),  # texts that only older records have
        "profile_type": text("dancer", "choreographer"),
    },
    listed_in="training",
)
