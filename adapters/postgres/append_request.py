"""A request to append as the server takes it, and what is said when nobody knows what became of one."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from adapters.errors import caused, written_first
from adapters.postgres.arrays import BYTES, NUMBERS, TEXTS, UUIDS, Array, array, of_bytes, of_number, of_uuid
from domain.errors import DossierError, StoreError, StoreUnavailable, UnknownOutcome
from domain.service import Append

EventRow = tuple[UUID, int, str, bytes]
"""A stored event without its position: stream, version, topic, body."""

_KINDS: Final = (UUIDS, BYTES, UUIDS, NUMBERS, NUMBERS, UUIDS, NUMBERS, UUIDS, NUMBERS, TEXTS, BYTES)
"""What the parts of a request are arrays of, in their order."""


class Prepared(NamedTuple):
    """A request that waits: how many events, bytes and heads it has, and its part of each parameter of `append`."""

    wanted: Append
    events: int
    size: int
    heads: int
    parts: tuple[bytes, ...]


def prepared(request: Append, digest: bytes, rows: Sequence[EventRow]) -> Prepared:
    """Return a request, with its digest as it is kept and its events encoded, as it is to wait.

    Raises VersionConflict for events that do not follow one another.
    """
    heads = heads_of(request)
    try:
        parts = (
            of_uuid(request.command_id),
            of_bytes(digest),
            of_uuid(request.stream),
            of_number(request.version),
            of_number(request.position),
            b"".join([of_uuid(stream) for stream in heads]),
            b"".join([of_number(version) for version in heads.values()]),
            b"".join([of_uuid(stream) for stream, _, _, _ in rows]),
            b"".join([of_number(version) for _, version, _, _ in rows]),
            b"".join([of_bytes(topic.encode()) for _, _, topic, _ in rows]),
            b"".join([of_bytes(body) for _, _, _, body in rows]),
        )
    except struct.error as error:
        raise StoreError("a version or position is beyond 64 bits") from error
    return Prepared(request, len(rows), len(parts[-1]), len(heads), parts)


def heads_of(request: Append) -> dict[UUID, int]:
    """Return where each stream must end; raises VersionConflict for events that do not follow one another."""
    heads, ends = dict(request.unchanged), dict[UUID, int]()
    for new in request.events:
        end = ends.get(new.stream, new.version - 1)
        if new.version != end + 1:
            raise written_first()
        heads.setdefault(new.stream, end)
        ends[new.stream] = new.version
    return heads


def parameters(requests: Sequence[Prepared]) -> list[Array]:
    """Return the parameters of `append` in `schema/store.sql`: the values of all requests, one after the other."""
    one_each, heads, events = len(requests), [0], [0]
    for request in requests:
        heads.append(heads[-1] + request.heads)
        events.append(events[-1] + request.events)
    counts = (*[one_each] * 5, *[heads[-1]] * 2, *[events[-1]] * 4)
    parts = zip(*(request.parts for request in requests), strict=True)
    arrays = [array(kind, count, part) for kind, count, part in zip(_KINDS, counts, parts, strict=True)]
    last_heads, last_events = (array(NUMBERS, one_each, map(of_number, ends[1:])) for ends in (heads, events))
    return [*arrays[:5], last_heads, *arrays[5:7], last_events, *arrays[7:]]


def unknown_outcome(request: Prepared, cause: BaseException | None) -> DossierError:
    """Return the error for a request that may have been written or not."""
    command_id = request.wanted.command_id
    error = UnknownOutcome(
        "the connection broke at commit and the receipts cannot be read",
        hint=f"ask again with command id {command_id}: it has one effect however often it is sent",
    )
    return caused(error, cause)


def unknown_bulk(events: int) -> DossierError:
    """Return the error for a bulk append that was written whole or not at all."""
    return UnknownOutcome(
        f"the connection broke while {events} events were appended: all of them were written, or none",
        hint="run it again: what was written is not written twice",
    )


def not_written(request: Prepared, cause: BaseException | None) -> DossierError:
    """Return the error for a request of which the receipts say that it was not written."""
    hint = f"try again, with command id {request.wanted.command_id}"
    return caused(StoreUnavailable("the connection broke; nothing was written", hint=hint), cause)
