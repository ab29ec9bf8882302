"""The kinds of profile, a file each. A new kind is a new file with a `KIND`; nothing else needs to know about it."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Final

from domain.errors import InvalidCommand
from domain.kinds.kind import Kind

KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for module in pkgutil.iter_modules(__path__)
    if isinstance(kind := getattr(import_module(f"{__name__}.{module.name}"), "KIND", None), Kind)
}
"""Every kind by its name."""


def kind_named(name: str) -> Kind:
    """Return a kind; raises InvalidCommand naming the known ones."""
    if name not in KINDS:
        raise InvalidCommand(f"there is no profile kind {name!r}", field="kind", hint=f"one of: {', '.join(KINDS)}")
    return KINDS[name]
