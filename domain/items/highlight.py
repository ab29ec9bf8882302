"""The highlight: a project shown at the top of a profile with a picture."""

from __future__ import annotations

from typing import Final

from domain.items.item_kind import ItemKind
from domain.vocabulary import number, text

ITEM: Final = ItemKind(
    name="highlight",
    fields={"project_id": text(), "image_id": text(), "position": number(0, 9)},
)
