"""Taking an import back by compensation: what was recorded is withdrawn, and the streams it began stand empty again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

from domain.event import IMPORTER, EventMetadata, NewEvent, Recorded
from domain.legacy import ImportWithdrawn, LegacySnapshotRecorded, LegacySnapshotWithdrawn, Withdrawal
from migrations_replay.bundle import Bundle
from migrations_replay.catch_up import Load, Log, Past, record_of
from migrations_replay.facts import NO_TIME, ImportedEvent, LegacySystem

BATCH: Final = 1_000
LIVE_OWNED: Final = {
    "profiles": ("account_id",),
    "intents": ("account_id",),
    "items": ("account_id",),
    "company_members": ("account_id",),
    "cases": ("company_id", "collective_id"),
    "collectives": ("company_id",),
}
"""Read models of records that stand by an imported one, and the columns that name it."""


@dataclass
class Withdrawn:
    """What taking back one bundle means: events by stream and version; `live` are the streams changed live since."""

    bundle: str = ""
    records: list[dict[str, Any]] = field(default_factory=list)
    streams: list[UUID] = field(default_factory=list)
    live: list[UUID] = field(default_factory=list)
    events: list[tuple[UUID, int, ImportedEvent]] = field(default_factory=list)

    @property
    def kept(self) -> dict[str, Any]:
        """The line of the report, where it is left for what was changed live."""
        return {"bundle": self.bundle, "stream": self.live[0], "field": "*", "live": "changed live", "legacy": None}


def withdraw_bundle(
    system: LegacySystem,
    load: Load,
    snapshots: Sequence[UUID],
    reason: Withdrawal,
    live_owned: Callable[[Collection[UUID]], Collection[UUID]] = lambda _: (),
) -> Withdrawn:
    """Return what taking back the records of one bundle means, by the streams of their snapshots.

    `live_owned` tells which streams own records that were begun live.
    """
    past = {stream: Past.of(events) for stream, events in load(snapshots).items()}
    known = {stream: found.newest for stream, found in past.items() if found.newest}
    result = Withdrawn()
    if not known:
        return result
    result.bundle = next(iter(known.values())).bundle
    for stream, snapshot in known.items():
        event = LegacySnapshotWithdrawn(system=system.name, table=snapshot.table, key=snapshot.key, reason=reason)
        result.records.append({"table": snapshot.table, "id": snapshot.key})
        result.events.append((stream, past[stream].version + 1, ImportedEvent(event, NO_TIME, actor=IMPORTER)))
    streams = sorted(streams_of(system, list(known.values())))
    owners = live_owned(streams)
    for stream, events in load(streams).items():
        log = Log.of(events)
        if log.begun_by != "imported":
            continue
        result.streams.append(stream)
        if log.live or stream in owners:
            result.live.append(stream)
        withdrawn = ImportWithdrawn(system=system.name, reason=reason)
        result.events.append((stream, log.head + 1, ImportedEvent(withdrawn, NO_TIME, actor=IMPORTER)))
    return result


def streams_of(system: LegacySystem, snapshots: Sequence[LegacySnapshotRecorded]) -> set[UUID]:
    """Return the streams that recorded records of one bundle became, also those no record stands for by itself."""
    became = {snapshot.became for snapshot in snapshots if snapshot.became}
    roots = [snapshot for snapshot in snapshots if snapshot.key == snapshot.bundle]
    if not roots:
        return became
    records = tuple(record_of(snapshot) for snapshot in snapshots)
    root = records[snapshots.index(roots[0])]
    return became | {stream.stream for stream in system.derive(Bundle(system.name, root, records)).streams}


class RollbackStore(Protocol):
    """The port to the store a rollback reads and writes."""

    def load(self, streams: Iterable[UUID]) -> dict[UUID, list[Recorded]]:
        """Return the events of each stream."""
        ...

    def live_owned(self, owners: Collection[UUID]) -> set[UUID]:
        """Return which of these streams own a record that was begun live."""
        ...

    def set_aside(self, system: str) -> dict[UUID, int]:
        """Return the streams of the records of a system that were set aside, and how far each is."""
        ...

    def append_bulk(self, events: Sequence[NewEvent]) -> int:
        """Append events in one transaction; returns the position of the last."""
        ...


@dataclass
class RolledBack:
    """What a rollback did, or would do; `left` are the bundles with live changes since, which stay."""

    bundles: int = 0
    records: int = 0
    streams: int = 0
    set_aside: int = 0
    events: int = 0
    left: list[dict[str, Any]] = field(default_factory=list)


def roll_back(
    system: LegacySystem,
    store: RollbackStore,
    bundles: Iterable[Sequence[UUID]],
    run_id: UUID,
    clock: Callable[[], datetime],
    *,
    force: bool,
    apply: bool,
) -> RolledBack:
    """Take back bundles, each given by the streams of its snapshots, each in a transaction of its own.

    Those with live changes since are left, unless `force` takes the live changes back with them. Without `apply`
    nothing is written. What was taken back already is passed over, so an interrupted rollback is simply run again.
    """
    result = RolledBack()
    for snapshots in bundles:
        found = withdraw_bundle(system, store.load, snapshots, "rollback", store.live_owned)
        if not found.records:
            continue
        if found.live:
            result.left.append({"bundle": found.bundle, "records": found.records, "streams": found.live})
            if not force:
                continue
        result.bundles += 1
        result.records += len(found.records)
        result.streams += len(found.streams)
        if apply:
            store.append_bulk(list(_enveloped(found, run_id, clock())))
            result.events += len(found.events)
    return result


def forget_set_aside(
    system: LegacySystem,
    store: RollbackStore,
    run_id: UUID,
    clock: Callable[[], datetime],
    result: RolledBack,
    *,
    apply: bool,
) -> None:
    """Take back, with all of an import, what was set aside: a later run sets it aside anew."""
    event = ImportWithdrawn(system=system.name, reason="rollback")
    streams = sorted(store.set_aside(system.name).items())
    result.set_aside = len(streams)
    for start in range(0, len(streams) if apply else 0, BATCH):
        metadata = _metadata(run_id, clock())
        batch = [NewEvent(name, version + 1, event, metadata) for name, version in streams[start : start + BATCH]]
        store.append_bulk(batch)
        result.events += len(batch)


def _enveloped(found: Withdrawn, run_id: UUID, now: datetime) -> Iterator[NewEvent]:
    metadata = _metadata(run_id, now)
    for stream, version, imported in found.events:
        yield NewEvent(stream, version, imported.event, metadata)


def _metadata(run_id: UUID, now: datetime) -> EventMetadata:
    return EventMetadata(now, now, IMPORTER, IMPORTER, correlation_id=run_id, origin=f"import:{run_id}")
