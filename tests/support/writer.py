"""A process of its own that appends: `python -m tests.support.writer URL COUNT`; prints the streams it wrote."""

from __future__ import annotations

import sys
from dataclasses import replace
from uuid import UUID, uuid4

from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.pool import open_pool
from domain.account import AccountRegistered, ContactChanged
from domain.event import Change, NewEvent
from domain.service import Append
from tests.support.examples import METADATA

LIVE_METADATA = replace(METADATA, origin="live", provenance=None)


def registered(stream: UUID, version: int = 1, name: str = "Ada") -> NewEvent:
    """Return an event that opens a stream, or a contact change that continues it."""
    event = AccountRegistered(name=name) if version == 1 else ContactChanged(changes={"name": Change(new=name)})
    return NewEvent(stream, version, event, LIVE_METADATA)


def request(*events: NewEvent, command_id: UUID | None = None, digest: bytes = b"d") -> Append:
    """Return the append of one command's events."""
    last = events[-1]
    return Append(command_id or uuid4(), digest, last.stream, last.version, 0, events, {})


def append_some(store: PostgresEventStore, count: int) -> list[UUID]:
    """Append so many events, each to a stream of its own, some two at a time."""
    streams = [uuid4() for _ in range(count)]
    at = 0
    while at < count:
        some = streams[at : at + 1 + at % 2]
        store.append(request(*map(registered, some)))
        at += len(some)
    return streams


if __name__ == "__main__":
    pool = open_pool(sys.argv[1], size=2)
    try:
        for stream in append_some(PostgresEventStore(pool), int(sys.argv[2])):
            print(stream)
    finally:
        pool.close()
