"""The workshop: one a person gives or took part in."""

from __future__ import annotations

from typing import Final

from domain.items.item_kind import ItemKind
from domain.vocabulary import text, texts, wall_clock

ITEM: Final = ItemKind(
    name="workshop",
    fields={
        "title": text(),
        "part": text("teacher", "participant"),
        "date": wall_clock(),
        "place": text(),
        "styles": texts(),
        "notes": text(),
    },
)
