"""1, 16 and 64 writers at once, one event a request, on streams that exist and are short: Dossier against the library.

Each writer is a thread with streams of its own. The library gets a connection for each writer, Dossier its usual pool.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID, uuid4

from eventsourcing.application import Application as LibraryApplication
from eventsourcing.persistence import StoredEvent
from pydantic import SecretStr

from adapters.bootstrap import Application, utc_now
from adapters.postgres.mapper import encode
from benchmarks.harness import Benchmark, Latency, Pair, Result, Server, Side, Work, pairs, result, summarise
from benchmarks.library import Contact, plain_application, recorder_of
from domain.access import Actor
from domain.account import AccountRegistered, ChangeContact, ContactChanged, RegisterAccount
from domain.event import Change, DomainEvent, EventMetadata, NewEvent
from domain.service import Append

STREAMS: Final = 256
"""How many streams there are; the writers share them out among themselves."""

ROUNDS: Final = 8
"""How many events each stream gets, after the one it begins with."""


class Gates(NamedTuple):
    """What is asked of so many writers at once."""

    writers: int
    store: float
    execute: float


GATES: Final = (Gates(1, 1.6, 1.3), Gates(16, 6, 4), Gates(64, 9, 4))
P50_GATE: Final = 8.0

Call = Callable[[], object]
Shares = Sequence[Sequence[Call]]
"""The calls of each writer, in order."""

Setup = Callable[[Server, int], AbstractContextManager[Shares]]
"""Opens a side for so many writers and gives what they are to call."""


def run(server: Server, runs: int) -> list[Result]:
    """Measure the group."""
    results = []
    for gates in GATES:
        baseline = "eventsourcing: PostgresApplicationRecorder.insert_events of the same bytes"
        results += _measured(server, runs, f"append.store_{gates.writers}", gates, baseline)
    for gates in GATES:
        benchmark = Benchmark(
            f"append.execute_{gates.writers}",
            "commands/s",
            "eventsourcing: repository.get, change and save of an aggregate",
            gates.execute,
            all_writers(server, gates.writers, through_execute, []),
            all_writers(server, gates.writers, _library_save, []),
        )
        results.append(result(server, benchmark, runs))
    return results


def _measured(server: Server, runs: int, name: str, gates: Gates, baseline: str) -> list[Result]:
    """Measure the stores; of the most writers also how long each waits."""
    ours: list[Latency] = []
    theirs: list[Latency] = []
    benchmark = Benchmark(
        name,
        "events/s",
        baseline,
        gates.store,
        all_writers(server, gates.writers, through_store, ours),
        all_writers(server, gates.writers, _library_recorder, theirs),
    )
    results = [summarise(name, benchmark.unit, baseline, benchmark.gate, pairs(server, benchmark, runs))]
    if gates == GATES[-1]:
        waits = [Pair(1000 / one.p50, 1000 / other.p50) for one, other in zip(ours, theirs, strict=True)]
        results.append(
            summarise(f"append.p50_{gates.writers}", "appends/s a writer, at its p50", baseline, P50_GATE, waits)
        )
    return results


def all_writers(server: Server, writers: int, setup: Setup, latencies: list[Latency]) -> Side:
    """Return a side in which all writers call at once; how long each call took is added to `latencies`."""

    @contextmanager
    def side() -> Iterator[Work]:
        with setup(server, writers) as shares:
            yield partial(all_at_once, shares, latencies)

    return side


def all_at_once(shares: Shares, latencies: list[Latency]) -> int:
    """Let all writers call at once and return how many calls there were; how long they took is added to `latencies`."""
    start = threading.Barrier(len(shares))
    with ThreadPoolExecutor(len(shares)) as threads:
        durations = [taken for each in threads.map(partial(_one_writer, start), shares) for taken in each]
    latencies.append(Latency.of(durations))
    return len(durations)


def _one_writer(start: threading.Barrier, calls: Sequence[Call]) -> list[float]:
    start.wait()
    durations = []
    for call in calls:
        began = time.perf_counter()
        call()
        durations.append(time.perf_counter() - began)
    return durations


# --- commands --------------------------------------------------------------------------------------------------------


def email(number: int) -> str:
    """Return the email a stream has after so many events."""
    return f"person.{number}@example.org"


@contextmanager
def through_execute(server: Server, writers: int) -> Iterator[Shares]:
    """Open Dossier for commands on accounts that exist."""
    with server.database() as name, server.application(name) as app:
        accounts = [uuid4() for _ in range(STREAMS)]
        for account in accounts:
            _register(app, account)
        yield [
            [partial(_change_contact, app, account, number) for number in range(1, ROUNDS + 1) for account in share]
            for share in _shares(accounts, writers)
        ]


@contextmanager
def registering(server: Server, writers: int, master_key: SecretStr | None = None) -> Iterator[Shares]:
    """Open Dossier for the accounts of new people, each registered and then changed; sealed if a key is given."""
    with server.database() as name, server.application(name, master_key) as app:
        accounts = [uuid4() for _ in range(STREAMS)]
        yield [[call for account in share for call in _lived(app, account)] for share in _shares(accounts, writers)]


def _lived(app: Application, account: UUID) -> list[Call]:
    return [partial(_register, app, account), *(partial(_change_contact, app, account, number) for number in (1, 2))]


def _register(app: Application, account: UUID) -> None:
    app.dossier.execute(RegisterAccount(account_id=account, email=email(0)), actor=Actor.operator())


def _shares(streams: Sequence[UUID], writers: int) -> list[Sequence[UUID]]:
    return [streams[writer::writers] for writer in range(writers)]


def _change_contact(app: Application, account: UUID, number: int) -> None:
    command = ChangeContact(account_id=account, email=email(number))
    app.dossier.execute(command, actor=Actor.of_account(account))


@contextmanager
def _library_save(server: Server, writers: int) -> Iterator[Shares]:
    with plain_application(server, connections=writers) as app:
        contacts = [Contact(email=email(0)) for _ in range(STREAMS)]
        for contact in contacts:
            app.save(contact)
        ids = [contact.id for contact in contacts]
        yield [
            [partial(_get_and_save, app, contact, number) for number in range(1, ROUNDS + 1) for contact in share]
            for share in _shares(ids, writers)
        ]


def _get_and_save(app: LibraryApplication[UUID], contact_id: UUID, number: int) -> None:
    contact: Contact = app.repository.get(contact_id)
    contact.change_email(email(number))
    app.save(contact)


# --- stores ----------------------------------------------------------------------------------------------------------


def live_event(stream: UUID, version: int) -> NewEvent:
    """Return an event as a command makes it: the first of a stream, or one that continues it."""
    event: DomainEvent = AccountRegistered(email=email(0))
    if version > 1:
        event = ContactChanged(changes={"email": Change(old=email(version - 1), new=email(version))})
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


def request_of(new: NewEvent) -> Append:
    """Return the request to append one event."""
    return Append(uuid4(), bytes(32), new.stream, new.version, 0, [new], {})


def _later(share: Sequence[UUID]) -> list[NewEvent]:
    """Return the events that a writer appends while the clock runs."""
    return [live_event(stream, version) for version in range(2, ROUNDS + 2) for stream in share]


@contextmanager
def through_store(server: Server, writers: int) -> Iterator[Shares]:
    """Open Dossier for appends to streams that exist."""
    with server.database() as name, server.application(name) as app:
        streams = [uuid4() for _ in range(STREAMS)]
        app.events.append_bulk([live_event(stream, 1) for stream in streams])
        yield [
            [partial(app.events.append, request_of(new)) for new in _later(share)]
            for share in _shares(streams, writers)
        ]


@contextmanager
def _library_recorder(server: Server, writers: int) -> Iterator[Shares]:
    with plain_application(server, connections=writers) as app:
        recorder = recorder_of(app)
        streams = [uuid4() for _ in range(STREAMS)]
        recorder.insert_events([_stored(live_event(stream, 1)) for stream in streams])
        yield [
            [partial(recorder.insert_events, [_stored(new)]) for new in _later(share)]
            for share in _shares(streams, writers)
        ]


def _stored(new: NewEvent) -> StoredEvent:
    return StoredEvent(new.stream, new.version, new.event.topic, encode(new))
