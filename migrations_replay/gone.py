"""Records that were taken in and that the source no longer gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from uuid import UUID

from migrations_replay.bundle import Bundle, BundleIndex, LegacyTables

RecordName = tuple[str, str]
"""A record by its table and key."""


@dataclass
class Gone:
    """The snapshots of records that are gone: by the root of their bundle, which is there, or as whole bundles.

    `broken` are those that are there in a form that cannot be taken in, by the root of their bundle; `moved` those that
    belong to another root now, by the one they belonged to, which is there.
    """

    by_bundle: dict[RecordName, list[UUID]] = field(default_factory=dict)
    whole: dict[RecordName, list[UUID]] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)
    broken: dict[RecordName, list[UUID]] = field(default_factory=dict)
    moved: dict[RecordName, list[tuple[str, str, UUID]]] = field(default_factory=dict)

    def of(self, bundle: Bundle) -> Sequence[UUID]:
        """Return what is gone of a bundle."""
        return self.by_bundle.get((bundle.root.table, bundle.root.key), ())

    def broken_of(self, bundle: Bundle) -> Sequence[UUID]:
        """Return what of a bundle counts on as it was, because what is there now cannot be taken in."""
        return self.broken.get((bundle.root.table, bundle.root.key), ())


def root_table(system: LegacyTables, table: str) -> str:
    """Return the table of the roots that the rows of a table belong to."""
    while table in system.tables and system.tables[table].parent_table:
        table = system.tables[table].parent_table
    return table


def find_gone(
    system: LegacyTables,
    index: BundleIndex,
    recorded: Iterable[tuple[str, str, UUID, str]],
    only: set[str] | None = None,
) -> Gone:
    """Return which of the recorded records (table, key, snapshot, key of the root) the source no longer gives.

    They come root by root. What is there without what it belongs to is gone with that. Of selected roots only what is
    gone of their bundles.
    """
    gone = Gone()
    for key, records in groupby(recorded, lambda record: record[3]):
        by_root: dict[str, list[tuple[str, str, UUID]]] = {}
        for table, record, snapshot, _ in records:  # roots of two tables may share a key
            by_root.setdefault(root_table(system, table), []).append((table, record, snapshot))
        for table, found in by_root.items():
            _look_for(index, (table, key), found, only, gone)
    return gone


def _look_for(
    index: BundleIndex,
    root: RecordName,
    records: Sequence[tuple[str, str, UUID]],
    only: set[str] | None,
    gone: Gone,
) -> None:
    if index.takes(*root):
        _look_for_moved(index, root, records, only, gone)
    missing = [record for record in records if not index.holds(*record[:2]) or index.is_orphan(*record[:2])]
    broken = [record[2] for record in records if not index.takes(*record[:2]) and record not in missing]
    if broken:
        gone.broken[root] = broken
    if not missing:
        return
    now = root if index.takes(*root) else _root_of_the_rest(index, records)
    if only is not None and (now is None or now[1] not in only):
        return
    snapshots = [snapshot for _, _, snapshot in missing]
    if now:
        gone.by_bundle.setdefault(now, []).extend(snapshots)
    else:
        gone.whole.setdefault(root, []).extend(snapshots)
    gone.entries += [{"bundle": root[1], "table": table, "id": key} for table, key, _ in missing]


def _look_for_moved(
    index: BundleIndex,
    root: RecordName,
    records: Sequence[tuple[str, str, UUID]],
    only: set[str] | None,
    gone: Gone,
) -> None:
    for table, key, snapshot in records:
        if not index.takes(table, key) or index.together((table, key), root):
            continue
        now = index.find(table, key)
        if only is None or (now and {root[1], now.root.key} <= only):
            gone.moved.setdefault(root, []).append((table, key, snapshot))


def _root_of_the_rest(index: BundleIndex, records: Sequence[tuple[str, str, UUID]]) -> RecordName | None:
    """Return the root of what is left of a bundle; None if nothing is."""
    for table, key, _ in records:
        if index.takes(table, key) and (bundle := index.find(table, key)):
            return bundle.root.table, bundle.root.key
    return None
