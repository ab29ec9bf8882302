"""Bundles as they were recorded: what a changed mapping is run over when the legacy system is no longer there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final
from uuid import UUID

from migrations_replay.bundle import Bundle, LegacyRecord, LegacyTables, SetAside
from migrations_replay.catch_up import Load, Past, record_of
from migrations_replay.gone import RecordName, root_table


def recorded_bundles(
    system: LegacyTables, recorded: Iterable[tuple[str, str, UUID, str]]
) -> Iterator[tuple[RecordName, list[UUID]]]:
    """Group recorded records (table, key, snapshot, key of the root), which come root by root, into their bundles."""
    for key, records in groupby(recorded, lambda record: record[3]):
        roots: dict[str, list[UUID]] = {}
        for table, _, snapshot, _ in records:  # roots of two tables may share a key
            roots.setdefault(root_table(system, table), []).append(snapshot)
        for table, snapshots in roots.items():
            yield (table, key), snapshots


class RecordedBundles:
    """The recorded bundles of a system, read one by one; memory grows with their number alone."""

    kind: Final = "recorded_snapshots"

    def __init__(self, system: LegacyTables, load: Load, bundles: Mapping[RecordName, Sequence[UUID]]) -> None:
        self._system, self._load, self._bundles = system, load, bundles

    @property
    def rows(self) -> Mapping[str, int]:
        """How many bundles there are of each table of roots."""
        return Counter(table for table, _ in self._bundles)

    def __len__(self) -> int:
        return len(self._bundles)

    def __iter__(self) -> Iterator[Bundle]:
        for name in self._bundles:
            if (bundle := self.find(*name)) is not None:
                yield bundle

    def set_aside(self) -> Iterator[SetAside]:
        """Yield nothing: what was set aside was not recorded."""
        return iter(())

    def find(self, table: str, key: str) -> Bundle | None:
        """Return a bundle by its root, None if it was withdrawn since."""
        pasts = [Past.of(events) for events in self._load(self._bundles[table, key]).values()]
        records = [record_of(past.newest) for past in pasts if past.newest]
        order = [*self._system.tables]
        records.sort(key=lambda record: order.index(record.table) if record.table in order else len(order))
        named: Callable[[LegacyRecord], bool] = lambda record: (record.table, record.key) == (table, key)  # noqa: E731
        root = next(filter(named, records), records[0] if records else None)
        return None if root is None else Bundle(self._system.name, root, tuple(records))
