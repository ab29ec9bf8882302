"""The audition: one a person went to, and what came of it."""

from __future__ import annotations

from typing import Final

from domain.items.item_kind import ItemKind
from domain.vocabulary import text, wall_clock

ITEM: Final = ItemKind(
    name="audition",
    fields={"title": text(), "role": text(), "date": wall_clock(), "place": text(), "result": text(), "notes": text()},
)
