"""Legacy records as they are recorded, and all events of a bundle with them."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from uuid import UUID

from domain.legacy import Encoding, LegacySnapshotRecorded
from migrations_replay.facts import Facts, ImportedEvent, RecordFacts


def bundle_events(
    facts: Facts, mapping_version: int, before: Mapping[UUID, int] | None = None
) -> Iterator[tuple[UUID, int, ImportedEvent]]:
    """Yield stream, version and event of all a bundle implies: every record first, then what the records imply.

    `before` is how far the streams of the snapshots have come, those of records that were withdrawn.
    """
    for record in facts.records.values():
        occurred_at = record.earliest or facts.occurred()
        version = (before or {}).get(record.snapshot, 0) + 1
        snapshot = snapshot_of(facts, record, mapping_version)
        yield record.snapshot, version, ImportedEvent(snapshot, occurred_at, subject=record.subject)
    for stream in facts.streams:
        for version, event in stream.numbered():
            yield stream.stream, version, event


def snapshot_of(facts: Facts, record: RecordFacts, mapping_version: int) -> LegacySnapshotRecorded:
    """Return the event that records a legacy record as it was found."""
    found = record.record
    raw, encoding = readable(found.raw)
    return LegacySnapshotRecorded(
        system=facts.bundle.system,
        table=found.table,
        key=found.key,
        bundle=facts.bundle.root.key,
        parent_key=found.parent,
        created=record.created,
        updated=record.updated,
        platform_created=record.platform,
        became=record.became,
        became_version=record.became_version,
        dangling=tuple(sorted(found.dangling)),
        foreign=tuple(sorted(found.foreign)),
        digest=found.digest,
        mapping_version=mapping_version,
        raw=raw,
        encoding=encoding,
    )


def readable(raw: bytes) -> tuple[str, Encoding]:
    """Return bytes as a text that can be stored, and how it is written."""
    try:
        return raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return base64.b64encode(raw).decode("ascii"), "base64"


def raw_bytes(snapshot: LegacySnapshotRecorded) -> bytes:
    """Return the original bytes of a recorded record; none are left of one whose person was erased."""
    if not isinstance(snapshot.raw, str):
        return b"{}"
    return snapshot.raw.encode("utf-8") if snapshot.encoding == "utf-8" else base64.b64decode(snapshot.raw)
