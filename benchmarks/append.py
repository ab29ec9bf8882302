"""One writer, one event a request, on streams that exist and are short: Dossier and its store against the library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final
from uuid import UUID, uuid4

from eventsourcing.persistence import StoredEvent

from adapters.bootstrap import Application, utc_now
from adapters.postgres.mapper import encode
from benchmarks.harness import Benchmark, Result, Server, Work, result
from benchmarks.library import Contact, plain_application, recorder_of
from domain.access import Actor
from domain.account import AccountRegistered, ChangeContact, ContactChanged, RegisterAccount
from domain.event import Change, DomainEvent, EventMetadata, NewEvent
from domain.service import Append

STREAMS: Final = 200
ROUNDS: Final = 8
"""How many events each stream gets, after the one it begins with."""


def run(server: Server, runs: int) -> list[Result]:
    """Measure the group."""
    execute = partial(_execute, server)
    return [
        result(server, benchmark, runs)
        for benchmark in (
            Benchmark(
                "append.execute", "commands/s",
                "eventsourcing: change and save an aggregate that is at hand, so nothing is loaded",
                1.3, execute, partial(_library_save, server, load=False),
            ),
            Benchmark(
                "append.execute_loading", "commands/s",
                "eventsourcing: load, change and save an aggregate, as Dossier.execute does",
                None, execute, partial(_library_save, server, load=True),
            ),
            Benchmark(
                "append.store", "events/s",
                "eventsourcing: PostgresApplicationRecorder.insert_events of the same bytes",
                1.6, partial(_store, server), partial(_library_recorder, server),
            ),
        )
    ]  # fmt: skip


# --- commands --------------------------------------------------------------------------------------------------------


def _email(number: int) -> str:
    return f"person.{number}@example.org"


@contextmanager
def _execute(server: Server) -> Iterator[Work]:
    with server.database() as name, server.application(name) as app:
        accounts = [uuid4() for _ in range(STREAMS)]
        for account in accounts:
            app.dossier.execute(RegisterAccount(account_id=account, email=_email(0)), actor=Actor.operator())
        yield partial(_change_contacts, app, accounts)


def _change_contacts(app: Application, accounts: list[UUID]) -> int:
    for number in range(1, ROUNDS + 1):
        for account in accounts:
            command = ChangeContact(account_id=account, email=_email(number))
            app.dossier.execute(command, actor=Actor.of_account(account))
    return ROUNDS * len(accounts)


@contextmanager
def _library_save(server: Server, *, load: bool) -> Iterator[Work]:
    with plain_application(server) as app:
        contacts = [Contact(email=_email(0)) for _ in range(STREAMS)]
        for contact in contacts:
            app.save(contact)

        def work() -> int:
            for number in range(1, ROUNDS + 1):
                for known in contacts:
                    contact: Contact = app.repository.get(known.id) if load else known
                    contact.change_email(_email(number))
                    app.save(contact)
            return ROUNDS * len(contacts)

        yield work


# --- stores ----------------------------------------------------------------------------------------------------------


def _event(stream: UUID, version: int) -> NewEvent:
    event: DomainEvent = AccountRegistered(email=_email(0))
    if version > 1:
        event = ContactChanged(changes={"email": Change(old=_email(version - 1), new=_email(version))})
    now, command, person = utc_now(), uuid4(), str(stream)
    metadata = EventMetadata(
        occurred_at=now,
        recorded_at=now,
        actor=person,
        recorded_by=person,
        subject=stream,
        command_id=command,
        correlation_id=command,
        causation_id=command,
    )
    return NewEvent(stream, version, event, metadata)


def _events() -> tuple[list[NewEvent], list[NewEvent]]:
    """Return the events the streams begin with, and those that are appended while the clock runs."""
    streams = [uuid4() for _ in range(STREAMS)]
    first = [_event(stream, 1) for stream in streams]
    return first, [_event(stream, version) for version in range(2, ROUNDS + 2) for stream in streams]


def _request(new: NewEvent) -> Append:
    return Append(uuid4(), bytes(32), new.stream, new.version, 0, [new], {})


@contextmanager
def _store(server: Server) -> Iterator[Work]:
    with server.database() as name, server.application(name) as app:
        first, later = _events()
        for new in first:
            app.events.append(_request(new))
        requests = [_request(new) for new in later]

        def work() -> int:
            for request in requests:
                app.events.append(request)
            return len(requests)

        yield work


def _stored(new: NewEvent) -> StoredEvent:
    return StoredEvent(new.stream, new.version, new.event.topic, encode(new))


@contextmanager
def _library_recorder(server: Server) -> Iterator[Work]:
    with plain_application(server) as app:
        recorder = recorder_of(app)
        first, later = _events()
        for new in first:
            recorder.insert_events([_stored(new)])
        stored = [_stored(new) for new in later]

        def work() -> int:
            for one in stored:
                recorder.insert_events([one])
            return len(stored)

        yield work
