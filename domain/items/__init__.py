"""The kinds of item, a file each. A new kind is a new file with an `ITEM`; nothing else needs to know about it."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Final

from domain.errors import InvalidCommand
from domain.items.item_kind import ItemKind

ITEMS: Final[dict[str, ItemKind]] = {
    kind.name: kind
    for module in pkgutil.iter_modules(__path__)
    if isinstance(kind := getattr(import_module(f"{__name__}.{module.name}"), "ITEM", None), ItemKind)
}
"""Every kind of item by its name."""


def item_kind(name: str) -> ItemKind:
    """Return a kind of item; raises InvalidCommand naming the known ones."""
    if name not in ITEMS:
        raise InvalidCommand(f"there is no kind of item {name!r}", field="kind", hint=f"one of: {', '.join(ITEMS)}")
    return ITEMS[name]
