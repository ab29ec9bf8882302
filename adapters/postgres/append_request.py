"""A request to append as the server takes it, and what is said when nobody knows what became of one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple
from uuid import UUID

from adapters.errors import written_first
from domain.errors import DossierError, StoreUnavailable, UnknownOutcome
from domain.service import Append

EventRow = tuple[UUID, int, str, bytes]
"""A stored event without its position: stream, version, topic, body."""


class Prepared(NamedTuple):
    """A request with its digest as it is kept, where each stream it rests on must end, and its events encoded."""

    wanted: Append
    digest: bytes
    heads: dict[UUID, int]
    rows: Sequence[EventRow]

    @property
    def events(self) -> int:
        """How many events it holds."""
        return len(self.rows)

    @property
    def size(self) -> int:
        """How many bytes they are."""
        return sum(len(body) for *_, body in self.rows)


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


def columns(requests: Sequence[Prepared]) -> list[list[Any]]:
    """Return the parameters of `append` in `schema/store.sql`: the values of all requests, one after the other."""
    wanted = [request.wanted for request in requests]
    heads = [head for request in requests for head in request.heads.items()]
    rows = [row for request in requests for row in request.rows]
    return [
        [one.command_id for one in wanted],
        [request.digest for request in requests],
        [one.stream for one in wanted],
        [one.version for one in wanted],
        [one.position for one in wanted],
        list(accumulate(len(request.heads) for request in requests)),
        [stream for stream, _ in heads],
        [version for _, version in heads],
        list(accumulate(len(request.rows) for request in requests)),
        [stream for stream, _, _, _ in rows],
        [version for _, version, _, _ in rows],
        [topic for _, _, topic, _ in rows],
        [body for _, _, _, body in rows],
    ]


def unknown_outcome(request: Prepared, cause: BaseException | None) -> DossierError:
    """Return the error for a request that may have been written or not."""
    command_id = request.wanted.command_id
    error = UnknownOutcome(
        "the connection broke at commit and the receipts cannot be read",
        hint=f"ask again with command id {command_id}: it has one effect however often it is sent",
    )
    return caused(error, cause)


def not_written(request: Prepared, cause: BaseException | None) -> DossierError:
    """Return the error for a request of which the receipts say that it was not written."""
    hint = f"try again, with command id {request.wanted.command_id}"
    return caused(StoreUnavailable("the connection broke; nothing was written", hint=hint), cause)


def caused(error: DossierError, cause: BaseException | None) -> DossierError:
    """Return an error, to be raised later, with its cause."""
    error.__cause__ = cause
    return error
