"""What the benchmarks work on: exports of the legacy systems, histories as an import makes them, live commands."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

from psycopg import sql

from adapters.bootstrap import Application, utc_now
from adapters.garbage import rare_collections
from adapters.legacy.json_lines import open_export
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.mapper import encode
from adapters.samples import caregivers, cases, contexts, decks, talent
from adapters.samples.truth import Truth
from benchmarks.harness import Server
from domain.access import Actor
from domain.account import ChangeContact, RegisterAccount
from domain.event import NewEvent
from domain.event import Recorded as StoredEvent
from domain.profile import CreateProfile, UpdateProfile
from migrations_replay.bundle import BundleIndex
from migrations_replay.replay import BATCH_EVENTS, Begun, OpenRun, Outcome, Recorded, Replay, ReplayStore
from migrations_replay.systems import SYSTEMS
from projections.all import READ_MODELS

WRITERS: Final[dict[str, Callable[[Path, int, int], Truth]]] = {
    "contexts": contexts.write_sample,
    "caregivers": caregivers.write_sample,
    "cases": cases.write_sample,
    "talent": talent.write_sample,
    "decks": decks.write_sample,
}
"""What writes an export of a system: into a folder, so many of its root records, from a seed."""

SEED: Final = 20260
EVENTS_A_USER: Final = 22
LIVE_ACCOUNTS: Final = 250
BULK_ROWS: Final = BATCH_EVENTS

_ID: Final = re.compile(rb"([0-9a-f]{8})(?=(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")

EventRow = tuple[UUID, int, str, bytes]
"""A stored event without its position: stream, version, topic, body."""


@contextmanager
def sample(system: str, size: int) -> Iterator[Path]:
    """Write an export of a system and give its folder."""
    with tempfile.TemporaryDirectory(prefix="dossier-bench-") as folder:
        WRITERS[system](Path(folder), size, SEED)
        yield Path(folder)


def replay(system: str, export: Path, store: ReplayStore) -> Outcome:
    """Replay an export of a system from its files to its last event."""
    known = SYSTEMS[system]
    with rare_collections(), open_export(export) as source:
        selection = BundleIndex(source, known).select()
        return Replay(known, store, utc_now, uuid4(), READ_MODELS).run(
            selection, source.kind, lambda _done, _total: None
        )


class _Kept:
    """A store that keeps the encoded events in memory, empty at first."""

    def __init__(self) -> None:
        self.rows: list[EventRow] = []
        self._streams: set[UUID] = set()

    def touch(self, streams: Sequence[UUID]) -> None:
        pass

    def recorded(self, streams: Sequence[UUID]) -> dict[UUID, Recorded]:
        return {stream: Recorded(1, "", 0, "") for stream in streams if stream in self._streams}

    def begun(self, streams: Sequence[UUID]) -> dict[UUID, Begun]:
        return {stream: Begun(1, withdrawn=False) for stream in self._streams.intersection(streams)}

    def load(self, streams: Iterable[UUID]) -> dict[UUID, list[StoredEvent]]:  # nothing is told anew
        return {stream: [] for stream in streams}

    def erased(self, subjects: Collection[UUID]) -> frozenset[UUID]:  # noqa: ARG002
        return frozenset()

    def open_run(self, stream: UUID) -> OpenRun:  # noqa: ARG002
        return OpenRun(0, None)

    def append_bulk(self, events: Sequence[NewEvent]) -> int:
        self.rows += [(new.stream, new.version, new.event.topic, encode(new)) for new in events]
        self._streams.update(new.stream for new in events)
        return len(self.rows)


def imported_rows(users: int) -> list[EventRow]:
    """Return the events that an import of so many users of the contexts system appends, encoded."""
    kept = _Kept()
    with sample("contexts", users) as export:
        replay("contexts", export, kept)
    return kept.rows


def batches(rows: Sequence[EventRow]) -> Iterator[Sequence[EventRow]]:
    """Cut rows into batches as a bulk append gets them."""
    for start in range(0, len(rows), BULK_ROWS):
        yield rows[start : start + BULK_ROWS]


@contextmanager
def history(server: Server, size: int, *, projected: bool) -> Iterator[tuple[str, int]]:
    """Make a database with a history of about so many events; give its name and their number.

    A quarter are of an import, the others of accounts that live, executed once and then copied under other ids. The
    read models are up to date where `projected`, else empty.
    """
    with server.database() as name:
        with server.application(name) as app:
            for number in range(LIVE_ACCOUNTS):
                live_account(app, number)
            lived = stored_rows(app)
            for batch in batches(imported_rows(max(1, size // 4 // EVENTS_A_USER))):
                app.events.append_rows(batch)
            for number in range(1, (size - counted(app)) // len(lived) + 1):
                app.events.append_rows(under_other_ids(lived, number))
            if projected:
                app.rebuild()
            count = counted(app)
        yield name, count


def under_other_ids(rows: Iterable[EventRow], number: int) -> list[EventRow]:
    """Return copies of events in which every id is another one, the same for the same."""

    def other(found: re.Match[bytes]) -> bytes:
        return b"%08x" % (int(found[1], 16) ^ number)

    return [
        (UUID(int=stream.int ^ number << 96), version, topic, _ID.sub(other, body))
        for stream, version, topic, body in rows
    ]


def live_account(app: Application, number: int) -> None:
    """Register an account and do a few things with it, one command after the other."""
    account, profile = uuid4(), uuid4()
    person = Actor.of_account(account)
    app.dossier.execute(RegisterAccount(account_id=account, email=f"bench{number}@example.org"), actor=Actor.operator())
    app.dossier.execute(CreateProfile(account_id=account, profile_id=profile, kind="personal"), actor=person)
    app.dossier.execute(UpdateProfile(profile_id=profile, changes={"location": f"Town {number}"}), actor=person)
    app.dossier.execute(ChangeContact(account_id=account, name=f"Bench {number}"), actor=person)


def counted(app: Application) -> int:
    """Return how many events there are."""
    return int(_query(app, "SELECT count(*) FROM {}.stored_events", app.events)[0][0])


def stored_rows(app: Application) -> list[EventRow]:
    """Read the stored events out, in the order of their positions."""
    statement = "SELECT originator_id, originator_version, topic, state FROM {}.stored_events ORDER BY notification_id"
    return _query(app, statement, app.events)


def _query(app: Application, statement: str, events: PostgresEventStore) -> list[Any]:
    query = sql.SQL(statement).format(sql.Identifier(events.schema))
    with app.pool.connection() as connection:
        return connection.cursor(binary=True).execute(query).fetchall()


def in_application(server: Server, template: str, work: Callable[[Application], int]) -> Callable[[], Any]:
    """Return a side that works on a copy of a database through the application."""

    @contextmanager
    def side() -> Iterator[Callable[[], int]]:
        with server.database(template) as name, server.application(name) as app:
            yield lambda: work(app)

    return side
