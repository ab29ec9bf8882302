"""The lists of a report, which grow with a source. Where they are kept is for whoever runs a migration to say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

Entry = dict[str, Any]


class Entries(Protocol):  # noqa: PLW1641 – no list has a hash
    """A list of a report: entries are added at the end, and read in order as often as wanted. A list will do."""

    def append(self, entry: Entry, /) -> None:
        """Add an entry, which nobody changes afterwards."""
        ...

    def extend(self, entries: Iterable[Entry], /) -> None:
        """Add entries."""
        ...

    def __eq__(self, other: object, /) -> bool: ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Entry]: ...


NewEntries = Callable[[], Entries]
"""Makes a list, empty at first."""
