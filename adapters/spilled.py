"""Lists of a report that may be longer than memory is large: beyond a first part they are kept in a private file."""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import Any, Final, overload

import orjson

from migrations_replay.entries import Entry
from migrations_replay.report import as_plain

IN_MEMORY: Final = 256 * 1024
READ_AT_ONCE: Final = 1024 * 1024


class Spilled(Sequence[Entry]):
    """Entries as lines of JSON: the first 256 kB in memory, more in a file that has no name and goes with the list.

    What is read back is what a report holds as JSON. It equals any other sequence of the same entries.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 – open as long as the list is there
        weakref.finalize(self, self._file.close)
        self._count = 0
        self.extend(entries)

    def append(self, entry: Entry, /) -> None:
        """Add an entry."""
        self.extend([entry])

    def extend(self, entries: Iterable[Entry], /) -> None:
        """Add entries."""
        self._file.seek(0, os.SEEK_END)
        for entry in entries:
            self._file.write(orjson.dumps(as_plain(entry), option=orjson.OPT_APPEND_NEWLINE))
            self._count += 1

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Entry]:
        at = 0
        while True:
            self._file.seek(at)  # others may read it, or add to it, between two parts
            if not (lines := self._file.readlines(READ_AT_ONCE)):
                return
            at = self._file.tell()
            yield from map(orjson.loads, lines)

    @overload
    def __getitem__(self, index: int) -> Entry: ...

    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...

    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        if isinstance(index, slice):
            return list(islice(self, *index.indices(self._count)))
        place = range(self._count)[index]
        return next(islice(self, place, None))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(self) != len(other):
            return False
        return all(one == another for one, another in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr([*self])


def report_json(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield a report as JSON, indented, its long lists an entry a line; no list is in memory as a whole."""
    before = "{"
    for name, value in report.items():
        yield f"{before}\n  {json.dumps(name)}: "
        before = ","
        if not isinstance(value, Spilled):
            yield json.dumps(value, ensure_ascii=False, indent=2).replace("\n", "\n  ")
            continue
        yield "["
        for number, entry in enumerate(value):
            yield f"{',' if number else ''}\n    {json.dumps(entry, ensure_ascii=False)}"
        yield "\n  ]" if value else "]"
    yield "\n}\n"
