"""What a full-text search finds a row by: the words of its searchable fields, without case and accents."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

WEIGHTS: Final = 4
LONGEST: Final = 50_000
"""Characters a weight holds; what a database can search of one row is bounded."""


def search_form(text: str) -> str:
    """Return a text without case and accents, as it is stored for searching and searched for."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(character for character in decomposed if not unicodedata.combining(character)).casefold()


def search_words(fields: Mapping[str, Any], searchable: Sequence[str]) -> list[str]:
    """Return the words of the searchable fields by weight: the first fields alone, all that follow together."""
    words = [" ".join(_texts(fields.get(name))) for name in searchable]
    weighed = [*words[: WEIGHTS - 1], " ".join(filter(None, words[WEIGHTS - 1 :]))]
    while weighed and not weighed[-1]:
        weighed.pop()
    return [search_form(text[:LONGEST]) for text in weighed]


def _texts(value: Any) -> Iterator[str]:
    """Yield every text inside a value."""
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from _texts(item)
        case dict():
            for _, item in sorted(value.items()):  # jsonb keeps no order of keys
                yield from _texts(item)
