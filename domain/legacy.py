"""Legacy records as they were taken in, and what had to be set aside. Written by the replay, never by a command."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime

from domain.event import DomainEvent, Personal

Encoding = Literal["utf-8", "base64"]
Withdrawal = Literal["rollback", "deleted", "begun_anew"]
"""Why an import was withdrawn: by people, as its record is gone, or to be told from the beginning by a newer one."""


class LegacySnapshotRecorded(DomainEvent, topic="legacy.snapshot_recorded", schema_version=3):
    """A legacy record was recorded as it was found.

    `raw` are its original bytes (`encoding` says how they are written), `digest` the SHA-256 of its canonical form,
    hexadecimal. `bundle` is the key of the root record, `parent_key` that of the record it depends on, `created` and
    `updated` the row's own times, `platform_created` when its document store says it was created, `became` the stream
    its content went to, `became_version` the version of the event there, where the stream holds a row for each of
    several. `dangling` names the fields that referred to nothing then, `foreign` those that referred to records of
    another bundle.
    """

    system: str
    table: str
    key: str
    bundle: str
    parent_key: str | None = None
    created: AwareDatetime | None = None
    updated: AwareDatetime | None = None
    platform_created: AwareDatetime | None = None
    became: UUID | None = None
    became_version: int | None = None
    dangling: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    digest: Personal[str]
    mapping_version: int
    raw: Personal[str]
    encoding: Encoding = "utf-8"


class LegacyRecordQuarantined(DomainEvent, topic="legacy.record_quarantined"):
    """A legacy record could not be taken in and was kept raw. `code` is stable, `reason` is for people."""

    system: str
    table: str
    key: str | None
    code: str
    reason: str
    digest: Personal[str]
    raw: Personal[str]
    encoding: Encoding = "utf-8"


class LegacySnapshotWithdrawn(DomainEvent, topic="legacy.snapshot_withdrawn"):
    """A legacy record no longer counts as taken in; what was recorded of it stays in the log."""

    system: str
    table: str
    key: str
    reason: Withdrawal


class ImportWithdrawn(DomainEvent, topic="legacy.import_withdrawn"):
    """What an import began here is taken back: the stream stands as if it had not begun.

    It can stand in any stream. No aggregate and no read model handles it by itself: `Decider.fold` begins anew, and
    `fold_events` takes the rows of the stream away.
    """

    system: str
    reason: Withdrawal


class LiveValueKept(DomainEvent, topic="legacy.live_value_kept"):
    """A newer legacy record and a live command changed the same value; the live one stays.

    `stream` holds the value, `legacy` is what the import would have put there. It stands in a stream of its own.
    """

    system: str
    bundle: str
    stream: UUID
    field: str
    live: Personal[Any] = None
    legacy: Personal[Any] = None
