"""Records that were taken in and that the source no longer gives."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from migrations_replay.bundle import Bundle, BundleIndex, LegacyTables

RecordName = tuple[str, str]
"""A record by its table and key."""


@dataclass
class Gone:
    """The snapshots of records that are gone: by the root of their bundle, which is there, or as whole bundles."""

    by_bundle: dict[RecordName, list[UUID]] = field(default_factory=dict)
    whole: dict[RecordName, list[UUID]] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)

    def of(self, bundle: Bundle) -> Sequence[UUID]:
        """Return what is gone of a bundle."""
        return self.by_bundle.get((bundle.root.table, bundle.root.key), ())


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

    Of selected roots only what is gone of their bundles.
    """
    gone = Gone()
    for table, key, snapshot, bundle in recorded:
        if index.holds(table, key) or (only is not None and bundle not in only):
            continue
        root = root_table(system, table), bundle
        is_there = index.takes(*root)
        if only is not None and not is_there:
            continue
        (gone.by_bundle if is_there else gone.whole).setdefault(root, []).append(snapshot)
        gone.entries.append({"bundle": bundle, "table": table, "id": key})
    return gone
