"""Loading one long stream: its events read, decoded and folded, against the library's repository on the same number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final
from uuid import uuid4

from benchmarks.append import email, live_event
from benchmarks.harness import Benchmark, Result, Server, Work, result
from benchmarks.library import Contact, plain_application
from domain.account import ACCOUNT

EVENTS: Final = 1_000
TIMES: Final = 30


def run(server: Server, runs: int) -> list[Result]:
    """Measure the group."""
    benchmark = Benchmark(
        f"load.stream_of_{EVENTS}",
        "events/s",
        f"eventsourcing: repository.get of an aggregate of {EVENTS} events",
        1.5,
        partial(ours, server),
        partial(_library, server),
    )
    return [result(server, benchmark, runs)]


@contextmanager
def ours(server: Server) -> Iterator[Work]:
    """Load and fold one stream again and again."""
    with server.database() as name, server.application(name) as app:
        stream = uuid4()
        app.events.append_bulk([live_event(stream, version) for version in range(1, EVENTS + 1)])

        def work() -> int:
            for _ in range(TIMES):
                state = ACCOUNT.fold(recorded.event for recorded in app.events.load([stream])[stream])
                assert state.contact["email"] == email(EVENTS)
            return TIMES * EVENTS

        yield work


@contextmanager
def _library(server: Server) -> Iterator[Work]:
    with plain_application(server) as app:
        contact = Contact(email=email(1))
        for number in range(2, EVENTS + 1):
            contact.change_email(email(number))
        app.save(contact)

        def work() -> int:
            for _ in range(TIMES):
                loaded: Contact = app.repository.get(contact.id)
                assert loaded.email == email(EVENTS)
            return TIMES * EVENTS

        yield work
