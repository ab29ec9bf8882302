"""The project: a credit of a résumé, something a person was part of."""

from __future__ import annotations

from typing import Final

from domain.items.item_kind import ItemKind
from domain.vocabulary import json_object, text, texts

ITEM: Final = ItemKind(
    name="project",
    fields={
        "title": text(),
        "type": text("tv-film", "music-video", "live-performance", "commercial"),
        "subtype": text("festival", "tour", "concert", "corporate", "award-show", "theater", "other"),
        "roles": texts(),
        "start_date": text(),
        "end_date": text(),
        "media": text(),  # a storage id or a URL
        "profile_type": text("dancer", "choreographer"),
        "particulars": json_object(),  # texts that only some types have: studio, artist, campaign …
    },
    listed_in="projects",
)
