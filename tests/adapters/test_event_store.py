"""The event store: its JSON, its guards, its gate, and what it answers when a connection breaks."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent
from hypothesis import given
from psycopg import errors as pg

from adapters.postgres import mapper
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.mapper import canonical_json, decode, encode
from adapters.postgres.pool import open_pool
from domain.account import AccountRegistered
from domain.errors import (
    CommandIdReused,
    StoreBusy,
    StoredEventUnreadable,
    StoreUnavailable,
    UnknownOutcome,
    VersionConflict,
)
from domain.event import ERASED, EVENT_TYPES, DomainEvent, EventMetadata, NewEvent
from domain.service import Receipt
from tests.support.examples import EVENTS, METADATA, STREAM_ID
from tests.support.json_values import JSON, same
from tests.support.proxy import Cut, Proxy, proxied
from tests.support.writer import append_some, registered, request

ROOT = Path(__file__).parents[2]


def _insert_raw(store: PostgresEventStore, topic: str, body: bytes, stream: UUID | None = None) -> int:
    """Store a body as it is, past the mapper."""
    return store.append_rows([(stream or uuid4(), 1, topic, body)])


# --- the mapper --------------------------------------------------------------------------------------------------


def test_the_canonical_form() -> None:
    east = timezone(timedelta(hours=2))
    value = {
        "b": datetime(2024, 1, 1, 1, tzinfo=east),
        "a": [UUID(int=1), ("x", None), ERASED, True, 1.0, "é\u2028\U0001f33b"],
        "aa": {"Z": 1, "z": datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)},
        "B": datetime(1, 1, 1, tzinfo=UTC),
    }
    assert canonical_json(value).decode() == (
        '{"B":"0001-01-01T00:00:00.000000Z",'
        '"a":["00000000-0000-0000-0000-000000000001",["x",null],{"erased":true},true,1.0,"é\u2028\U0001f33b"],'
        '"aa":{"Z":1,"z":"9999-12-31T23:59:59.999999Z"},'
        '"b":"2023-12-31T23:00:00.000000Z"}'
    )


@pytest.mark.parametrize("value", [{1, 2}, object(), 2**64, "\ud800", b"x"])
def test_what_has_no_canonical_form(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


@given(JSON)
def test_a_body_reads_back_as_it_was_written(value: Any) -> None:
    event = EVENT_TYPES["profile.conflict_resolved"](field="x", value=value)  # type: ignore[call-arg]
    body = encode(NewEvent(STREAM_ID, 1, event, METADATA))
    read = decode(STREAM_ID, 1, 7, event.topic, body)
    assert same(read.event.value, value)
    assert read.metadata == METADATA
    assert encode(NewEvent(STREAM_ID, 1, read.event, read.metadata)) == body


def test_equal_events_have_equal_bytes_whatever_the_zone_and_order() -> None:
    east = replace(METADATA, occurred_at=METADATA.occurred_at.astimezone(timezone(timedelta(hours=9))))
    one = EVENT_TYPES["profile.created"](account_id=STREAM_ID, kind="personal", fields={"a": 1, "b": {"c": 1, "d": 2}})  # type: ignore[call-arg]
    two = EVENT_TYPES["profile.created"](fields={"b": {"d": 2, "c": 1}, "a": 1}, kind="personal", account_id=STREAM_ID)  # type: ignore[call-arg]
    assert encode(NewEvent(STREAM_ID, 1, one, METADATA)) == encode(NewEvent(STREAM_ID, 1, two, east))


def _body(topic: str = "account.role_granted") -> dict[str, Any]:
    body: dict[str, Any] = json.loads(encode(NewEvent(STREAM_ID, 1, EVENTS[topic], METADATA)))
    return body


def _without(body: dict[str, Any], part: str, name: str) -> dict[str, Any]:
    return body | {part: {key: value for key, value in body[part].items() if key != name}}


GOOD = _body()
TAMPERED: dict[str, object] = {
    "another role": GOOD | {"data": {"role": "king"}},
    "a further field": GOOD | {"data": {"role": "admin", "extra": 1}},
    "a field gone": GOOD | {"data": {}},
    "data of a wrong type": GOOD | {"data": ["admin"]},
    "no data": {"meta": GOOD["meta"], "v": 1},
    "a naive time": GOOD | {"meta": GOOD["meta"] | {"occurred_at": "2024-01-01T00:00:00"}},
    "no actor": _without(GOOD, "meta", "actor"),
    "no time": _without(GOOD, "meta", "recorded_at"),
    "a further envelope field": GOOD | {"meta": GOOD["meta"] | {"colour": "red"}},
    "a subject that is no id": GOOD | {"meta": GOOD["meta"] | {"subject": "ada"}},
    "no version": {"data": GOOD["data"], "meta": GOOD["meta"]},
    "a version that is text": GOOD | {"v": "1"},
    "a version that is null": GOOD | {"v": None},
    "a version of a later release": GOOD | {"v": 2},
    "a version nobody wrote": GOOD | {"v": 0},
    "a list": [GOOD],
    "a number": 5,
    "null": None,
}


@pytest.mark.parametrize("name", TAMPERED)
def test_a_stored_body_is_validated_when_it_is_read(store: PostgresEventStore, name: str) -> None:
    stream = uuid4()
    position = _insert_raw(store, "account.role_granted", json.dumps(TAMPERED[name]).encode(), stream)
    for read in (
        lambda: store.load([stream]),
        lambda: store.read(position - 1, 1),
        lambda: list(store.scan(position)),
    ):
        with pytest.raises(StoredEventUnreadable) as error:
            read()
        assert "position" in error.value.message
    with pytest.raises(StoredEventUnreadable, match=rf"position {position}\b.*account\.role_granted"):
        store.load([stream])


@pytest.mark.parametrize("body", [b"", b"{", b'{"v":1}', b"\xff", b',"v":1}', b'{"data":{},"v":1}', b"[]", b"\x00"])
def test_bytes_that_are_no_body(body: bytes) -> None:
    with pytest.raises(StoredEventUnreadable, match="position 41"):
        decode(STREAM_ID, 1, 41, "account.role_granted", body)


def test_a_topic_nobody_registered(store: PostgresEventStore) -> None:
    stream = uuid4()
    position = _insert_raw(store, "account.abducted", b"{}", stream)
    with pytest.raises(StoredEventUnreadable, match=rf"position {position}.*account\.abducted"):
        store.load([stream])


def test_an_error_about_a_body_does_not_quote_it() -> None:
    body = json.dumps(GOOD | {"data": {"role": "s3cret"}}).encode()
    with pytest.raises(StoredEventUnreadable) as error:
        decode(STREAM_ID, 1, 1, "account.role_granted", body)
    assert "s3cret" not in json.dumps(error.value.as_dict())


@pytest.fixture
def moved() -> Iterator[type[DomainEvent]]:
    """An event type in its third version, with the upcasters from the first two."""
    topics, upcasters = dict(EVENT_TYPES), dict(mapper.UPCASTERS)

    class Moved(DomainEvent, topic="test.moved", schema_version=3):
        town: str
        country: str

    mapper.UPCASTERS["test.moved", 1] = lambda data: {"town": data["city"]}
    mapper.UPCASTERS["test.moved", 2] = lambda data: data | {"country": "CH"}
    yield Moved
    EVENT_TYPES.clear()
    EVENT_TYPES.update(topics)
    mapper.UPCASTERS.clear()
    mapper.UPCASTERS.update(upcasters)


def _stored(data: dict[str, Any], version: int) -> bytes:
    return canonical_json({"data": data, "meta": METADATA, "v": version})


def test_old_versions_are_lifted_step_by_step(moved: type[DomainEvent], store: PostgresEventStore) -> None:
    stream = uuid4()
    bodies = [
        _stored({"city": "Bern"}, 1),
        _stored({"town": "Lyon"}, 2),
        encode(NewEvent(stream, 3, moved(town="Graz", country="AT"), METADATA)),  # type: ignore[call-arg]
    ]
    store.append_rows([(stream, number, "test.moved", body) for number, body in enumerate(bodies, 1)])
    read = store.load([stream])[stream]
    assert [(event.event.town, event.event.country) for event in read] == [
        ("Bern", "CH"),
        ("Lyon", "CH"),
        ("Graz", "AT"),
    ]
    assert [event.schema_version for event in read] == [1, 2, 3]
    assert all(event.metadata == METADATA for event in read)


def test_what_an_upcaster_makes_is_validated_too(moved: type[DomainEvent]) -> None:
    for body in (_stored({"city": 5}, 1), _stored({}, 1), _stored({"town": "Lyon", "country": "F"}, 4)):
        with pytest.raises(StoredEventUnreadable):
            decode(STREAM_ID, 1, 1, "test.moved", body)
    del mapper.UPCASTERS["test.moved", 1]
    with pytest.raises(StoredEventUnreadable):
        decode(STREAM_ID, 1, 1, "test.moved", _stored({"city": "Bern"}, 1))


def test_the_fields_of_an_envelope_are_all_stored() -> None:
    assert set(_body()["meta"]) == {field.name for field in fields(EventMetadata)}


# --- guards ------------------------------------------------------------------------------------------------------

INSERT: LiteralString = (
    "INSERT INTO store.stored_events (originator_id, originator_version, topic, state)"
    " VALUES (gen_random_uuid(), 1, 'account.role_granted', '\\x7b7d')"
)

FORGED: LiteralString = "SELECT set_config('dossier.gate', 'store:1', true)"


@pytest.mark.parametrize(
    "statement",
    [
        INSERT,
        "COPY store.stored_events FROM STDIN",
        "UPDATE store.stored_events SET topic = topic",
        "UPDATE store.stored_events SET state = '' WHERE false",
        "DELETE FROM store.stored_events",
        "TRUNCATE store.stored_events",
        "TRUNCATE store.stored_events, store.receipts CASCADE",
        "UPDATE store.receipts SET events = 0",
        "INSERT INTO store.receipts VALUES (gen_random_uuid(), '\\x00', gen_random_uuid(), 1, 1, 1)",
        "DELETE FROM store.receipts",
        "TRUNCATE store.receipts",
    ],
)
def test_plain_sql_cannot_write_to_the_store(
    store: PostgresEventStore, database_url: str, statement: LiteralString
) -> None:
    store.append(request(registered(uuid4())))
    before = _dump(store)
    with pytest.raises(pg.InsufficientPrivilege):
        _execute(database_url, statement)
    assert _dump(store) == before


def _execute(url: str, *statements: LiteralString) -> None:
    with psycopg.connect(url) as connection:
        for statement in statements:
            if statement.startswith("COPY"):
                with connection.cursor().copy(statement) as copy:
                    copy.write("x")
            else:
                connection.execute(statement)


def test_the_gate_opens_for_one_transaction(database_url: str, store: PostgresEventStore) -> None:
    before = _dump(store)
    for first in ("SELECT store.gate(); COMMIT", "SELECT store.gate(); ROLLBACK", FORGED):
        with pytest.raises(pg.InsufficientPrivilege):
            _execute(database_url, first, INSERT)
    assert _dump(store) == before


def test_the_gate_of_one_store_does_not_open_another(database_url: str, store: PostgresEventStore) -> None:
    other = PostgresEventStore(store.pool, "other_store")
    other.create()
    try:
        with pytest.raises(pg.InsufficientPrivilege):
            _execute(database_url, "SELECT other_store.gate()", INSERT)
    finally:
        other.drop()


def _dump(store: PostgresEventStore) -> list[Any]:
    with store.pool.connection() as connection:
        events = connection.execute("SELECT * FROM store.stored_events ORDER BY notification_id").fetchall()
        return events + connection.execute("SELECT * FROM store.receipts ORDER BY command_id").fetchall()


def test_the_librarys_recorder_appends_through_the_gate(store: PostgresEventStore) -> None:
    recorder = store.recorder()
    with recorder.datastore:
        body = encode(NewEvent(STREAM_ID, 1, EVENTS["account.role_granted"], METADATA))
        stream, head = uuid4(), store.head()
        inserted = recorder.insert_events([StoredEvent(stream, 1, "account.role_granted", body)])
        assert inserted == [head + 1]
        assert store.load([stream])[stream][0].event == EVENTS["account.role_granted"]
        assert [event.originator_id for event in recorder.select_notifications(start=head + 1, limit=5)] == [stream]


def test_the_librarys_recorder_waits_at_the_gate(store: PostgresEventStore, database_url: str) -> None:
    recorder = store.recorder()
    body = encode(NewEvent(STREAM_ID, 1, EVENTS["account.role_granted"], METADATA))
    with recorder.datastore, ThreadPoolExecutor(1) as threads:
        with _gate_held(database_url):
            waiting = threads.submit(recorder.insert_events, [StoredEvent(uuid4(), 1, "account.role_granted", body)])
            time.sleep(0.2)
            assert not waiting.done()
        assert waiting.result(10)


def test_a_store_can_be_created_again_over_its_events(store: PostgresEventStore) -> None:
    store.append(request(registered(uuid4())))
    before = _dump(store)
    store.create()
    assert _dump(store) == before


# --- appending -----------------------------------------------------------------------------------------------------


def test_an_append_is_repeated_by_its_receipt(store: PostgresEventStore) -> None:
    stream, command_id = uuid4(), uuid4()
    wanted = request(registered(stream), registered(stream, 2), command_id=command_id)
    receipt = store.append(wanted)
    assert receipt == Receipt(stream, 2, store.head(), 2)
    assert store.append(wanted) == receipt
    assert store.receipt(command_id, b"d") == receipt
    with pytest.raises(CommandIdReused):
        store.append(request(registered(uuid4()), command_id=command_id, digest=b"other"))
    assert store.head() == receipt.position
    assert store.receipt(uuid4(), b"d") is None


@pytest.mark.parametrize("version", [1, 3, 4])
def test_an_append_continues_its_stream_or_is_left_out_whole(store: PostgresEventStore, version: int) -> None:
    stream, beside = uuid4(), uuid4()
    store.append(request(registered(stream)))
    before = _dump(store)
    with pytest.raises(VersionConflict):
        store.append(request(registered(beside), registered(stream, version)))
    assert _dump(store) == before


def test_a_stream_that_was_only_read_must_not_have_moved(store: PostgresEventStore) -> None:
    read, written = uuid4(), uuid4()
    store.append(request(registered(read)))
    before = _dump(store)
    wanted = request(registered(written))
    for version in (0, 2):
        with pytest.raises(VersionConflict):
            store.append(type(wanted)(**{**wanted.__dict__, "unchanged": {read: version}}))
    assert _dump(store) == before
    store.append(type(wanted)(**{**wanted.__dict__, "unchanged": {read: 1, uuid4(): 0}}))


def test_a_bulk_append_conflicts_as_a_whole(store: PostgresEventStore) -> None:
    stream = uuid4()
    store.append(request(registered(stream), registered(stream, 2)))
    before = _dump(store)
    new = [registered(uuid4()) for _ in range(50)]
    for clash in (registered(stream), registered(stream, 2), registered(stream, 4), registered(uuid4(), 2), new[3]):
        with pytest.raises(VersionConflict):
            store.append_bulk([*new, clash])
        assert _dump(store) == before
    assert store.append_bulk([*new, registered(stream, 3)]) == store.head()
    loaded = store.load([stream, new[0].stream])
    assert [event.version for event in loaded[stream]] == [1, 2, 3]
    positions = [event.position for event in store.read(loaded[new[0].stream][0].position - 1, 100)]
    assert len(positions) == 51
    assert positions == sorted(set(positions))


def test_an_empty_bulk_append(store: PostgresEventStore) -> None:
    head = store.head()
    assert store.append_bulk([]) == head


def test_an_event_that_cannot_be_written_fails_before_anything_is(store: PostgresEventStore) -> None:
    before = _dump(store)
    bad = NewEvent(uuid4(), 1, AccountRegistered.model_construct(email="\ud800", phone=None, name=None), METADATA)
    with pytest.raises(TypeError):
        store.append_bulk([registered(uuid4()), bad])
    with pytest.raises(TypeError):
        store.append(request(registered(uuid4()), bad))
    assert _dump(store) == before


# --- the gate ------------------------------------------------------------------------------------------------------


@contextmanager
def _gate_held(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as connection, connection.transaction():
        connection.execute("SELECT store.gate()")
        yield connection


def test_while_one_append_is_open_others_wait_time_out_and_resume(database_url: str) -> None:
    pool = open_pool(database_url, size=3, lock_timeout_ms=150)
    try:
        store = PostgresEventStore(pool)
        head, wanted = store.head(), request(registered(uuid4()))
        with _gate_held(database_url):
            writes: list[Callable[[], object]] = [
                lambda: store.append(wanted),
                lambda: store.append_bulk([registered(uuid4())]),
            ]
            for write in writes:
                began = time.monotonic()
                with pytest.raises(StoreBusy):
                    write()
                assert 0.1 < time.monotonic() - began < 5
            assert store.head() == head  # readers do not wait
            assert store.load([uuid4()])
            assert store.receipt(wanted.command_id, b"d") is None
        assert store.append(wanted).events == 1
        assert store.receipt(wanted.command_id, b"d")
    finally:
        pool.close()


def test_writers_in_line_come_through_when_the_open_append_ends(store: PostgresEventStore, database_url: str) -> None:
    with ThreadPoolExecutor(6) as threads:
        with _gate_held(database_url) as connection:
            connection.execute(INSERT.replace("account.role_granted", "account.held"))
            waiting = [threads.submit(store.append, request(registered(uuid4()))) for _ in range(6)]
            time.sleep(0.2)
            assert not any(write.done() for write in waiting)
            row = connection.execute("SELECT max(notification_id) FROM store.stored_events").fetchone()
        positions = sorted(write.result(10).position for write in waiting)
    assert row
    assert positions == list(range(row[0] + 1, row[0] + 7))


def test_an_append_that_was_rolled_back_leaves_a_gap_and_no_harm(store: PostgresEventStore, database_url: str) -> None:
    first = store.append(request(registered(uuid4())))
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT store.gate()")
        connection.execute(INSERT)
        connection.rollback()
    second = store.append(request(registered(uuid4())))
    assert second.position > first.position
    assert [event.position for event in store.read(first.position - 1, 10)] == [first.position, second.position]


class _Reader(threading.Thread):
    """Follows the log and keeps what it saw; ends when told and at the head."""

    def __init__(self, store: PostgresEventStore, limit: int) -> None:
        super().__init__()
        self._store, self._limit = store, limit
        self.seen: list[tuple[int, UUID]] = []
        self.enough = threading.Event()
        self.batches = 0

    def run(self) -> None:
        after = self._store.head()
        while True:
            last = self.enough.is_set()
            events = self._store.read(after, self._limit)
            self.seen += [(event.position, event.stream) for event in events]
            self.batches += bool(events)
            after = events[-1].position if events else after
            if not events and last:
                return


def _follow_through(url: str, appends: int, imported: int) -> None:
    """Write from threads, processes and a bulk import at once, with readers following all the while."""
    pool = open_pool(url, size=12)
    try:
        store = PostgresEventStore(pool)
        readers = [_Reader(store, limit) for limit in (7, 500)]
        for reader in readers:
            reader.start()
        share = appends // 4
        command = [sys.executable, "-m", "tests.support.writer", url, str(share)]
        processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        with ThreadPoolExecutor(5) as threads:
            shares = [share // 2] * 3 + [appends - 2 * share - share // 2 * 3]
            written = [threads.submit(append_some, store, count) for count in shares]
            bulk = threads.submit(_import, store, imported)
            streams = {stream for done in written for stream in done.result()} | bulk.result()
        for process in processes:
            out, _ = process.communicate(timeout=600)
            assert process.returncode == 0
            streams |= {UUID(line) for line in out.split()}
        for reader in readers:
            reader.enough.set()
            reader.join(60)
            positions = [position for position, _ in reader.seen]
            assert all(one < two for one, two in pairwise(positions))
            assert len(streams) == appends + imported
            assert {stream for _, stream in reader.seen} == streams
            assert len(reader.seen) == appends + imported
            assert reader.batches > 10
    finally:
        pool.close()


def _import(store: PostgresEventStore, count: int) -> set[UUID]:
    streams = [uuid4() for _ in range(count)]
    for at in range(0, count, 250):
        store.append_bulk([registered(stream) for stream in streams[at : at + 250]])
        time.sleep(0.02)
    return set(streams)


def test_a_reader_misses_nothing_of_2000_concurrent_appends_and_an_import(make_database: Any) -> None:
    _follow_through(make_database(), appends=2_000, imported=3_000)


@pytest.mark.soak
def test_a_reader_misses_nothing_of_100_000_concurrent_appends_and_an_import(make_database: Any) -> None:
    _follow_through(make_database(), appends=100_000, imported=100_000)


# --- broken connections ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def proxy(database_url: str) -> Iterator[Proxy]:
    with proxied(database_url) as opened:
        yield opened


@pytest.fixture
def cut_store(proxy: Proxy) -> Iterator[PostgresEventStore]:
    """A store behind the proxy."""
    proxy.refuse = False
    pool = open_pool(proxy.url, size=2, lock_timeout_ms=1_000)
    pool.timeout = 1.0
    yield PostgresEventStore(pool)
    pool.close()


def _is_stored(store: PostgresEventStore, stream: UUID) -> bool:
    return bool(store.load([stream])[stream])


def test_a_connection_cut_after_the_commit_is_answered_with_the_receipt(
    proxy: Proxy, cut_store: PostgresEventStore, store: PostgresEventStore
) -> None:
    stream, cuts = uuid4(), proxy.cuts
    wanted = request(registered(stream))
    proxy.arm(wanted.command_id.bytes, "after the reply")
    receipt = cut_store.append(wanted)
    assert proxy.cuts == cuts + 1
    assert store.receipt(wanted.command_id, b"d") == receipt
    assert receipt == Receipt(stream, 1, store.head(), 1)
    assert len(store.load([stream])[stream]) == 1


def test_a_connection_cut_before_the_request_arrived_wrote_nothing(
    proxy: Proxy, cut_store: PostgresEventStore, store: PostgresEventStore
) -> None:
    stream = uuid4()
    wanted = request(registered(stream))
    before = _dump(store)
    proxy.arm(wanted.command_id.bytes, "before the request")
    with pytest.raises(StoreUnavailable):
        cut_store.append(wanted)
    assert _dump(store) == before
    assert cut_store.append(wanted).events == 1


def test_a_conflict_is_still_a_conflict_when_its_answer_is_lost(
    proxy: Proxy, cut_store: PostgresEventStore, store: PostgresEventStore
) -> None:
    stream = uuid4()
    store.append(request(registered(stream)))
    wanted = request(registered(stream))
    proxy.arm(wanted.command_id.bytes, "after the reply")
    with pytest.raises(StoreUnavailable):
        cut_store.append(wanted)
    with pytest.raises(VersionConflict):
        cut_store.append(wanted)


@pytest.mark.parametrize("cut", ["before the request", "after the reply"])
def test_without_receipts_the_outcome_is_unknown(
    proxy: Proxy, cut_store: PostgresEventStore, store: PostgresEventStore, cut: Cut
) -> None:
    stream = uuid4()
    wanted = request(registered(stream))
    proxy.arm(wanted.command_id.bytes, cut, then_refuse=True)
    with pytest.raises(UnknownOutcome) as unknown:
        cut_store.append(wanted)
    assert unknown.value.hint
    assert str(wanted.command_id) in unknown.value.hint
    assert _is_stored(store, stream) == (cut == "after the reply")
    assert store.append(wanted).events == 1  # as the hint says: ask again with the same id
    assert len(store.load([stream])[stream]) == 1


@pytest.mark.parametrize("cut", ["before the request", "after the reply"])
def test_a_bulk_append_that_is_cut_says_that_nobody_knows(
    proxy: Proxy, cut_store: PostgresEventStore, store: PostgresEventStore, cut: Cut
) -> None:
    event = registered(uuid4())
    proxy.arm(b"COMMIT", cut)
    with pytest.raises(UnknownOutcome, match="all of them were written, or none"):
        cut_store.append_bulk([event])
    assert _is_stored(store, event.stream) == (cut == "after the reply")


def test_an_earlier_receipt_of_another_command_is_not_taken_for_this_one(
    proxy: Proxy, cut_store: PostgresEventStore, store: PostgresEventStore
) -> None:
    command_id = uuid4()
    store.append(request(registered(uuid4()), command_id=command_id))
    proxy.arm(command_id.bytes, "after the reply")
    with pytest.raises(CommandIdReused):
        cut_store.append(request(registered(uuid4()), command_id=command_id, digest=b"other"))


def test_random_cuts_are_always_told_right(
    proxy: Proxy, cut_store: PostgresEventStore, store: PostgresEventStore
) -> None:
    rng = random.Random(5)
    outcomes = []
    for _ in range(30):
        stream, cut = uuid4(), rng.choice(["before the request", "after the reply", None])
        wanted = request(registered(stream), registered(stream, 2))
        if cut:
            proxy.arm(wanted.command_id.bytes, cut)  # type: ignore[arg-type]
        try:
            receipt = cut_store.append(wanted)
        except StoreUnavailable:
            assert not _is_stored(store, stream)
            assert store.receipt(wanted.command_id, b"d") is None
            outcomes.append("nothing")
        else:
            events = store.load([stream])[stream]
            assert (len(events), events[-1].position) == (2, receipt.position)
            outcomes.append("written")
    assert set(outcomes) == {"nothing", "written"}


def test_a_backend_killed_at_the_gate_wrote_nothing(store: PostgresEventStore, database_url: str) -> None:
    stream = uuid4()
    with ThreadPoolExecutor(1) as threads:
        with _gate_held(database_url) as connection:
            waiting = threads.submit(store.append, request(registered(stream)))
            assert _terminate_waiting(connection) == 1
        with pytest.raises(StoreUnavailable):
            waiting.result(10)
    assert not _is_stored(store, stream)


def test_a_backend_killed_at_the_gate_in_a_bulk_append_wrote_nothing(
    store: PostgresEventStore, database_url: str
) -> None:
    stream = uuid4()
    with ThreadPoolExecutor(1) as threads, _gate_held(database_url) as connection:
        waiting = threads.submit(store.append_bulk, [registered(stream)])
        assert _terminate_waiting(connection) == 1
        with pytest.raises(StoreUnavailable):
            waiting.result(10)
    assert not _is_stored(store, stream)


def test_a_killed_backend_whose_receipts_stay_behind_the_gate_has_an_unknown_outcome(database_url: str) -> None:
    pool = open_pool(database_url, size=2, lock_timeout_ms=400)
    try:
        store = PostgresEventStore(pool)
        with ThreadPoolExecutor(1) as threads, _gate_held(database_url) as connection:
            waiting = threads.submit(store.append, request(registered(uuid4())))
            assert _terminate_waiting(connection) == 1
            with pytest.raises(UnknownOutcome):
                waiting.result(10)
    finally:
        pool.close()


def _terminate_waiting(connection: psycopg.Connection[Any]) -> int:
    """Kill the backends that wait for the gate, once there are some."""
    for _ in range(200):
        found = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()"
        ).fetchall()
        if found:
            return len(found)
        time.sleep(0.01)
    return 0


# --- reading -----------------------------------------------------------------------------------------------------


def test_reading_by_stream_position_and_scan(make_database: Any) -> None:
    pool = open_pool(make_database())
    try:
        store = PostgresEventStore(pool)
        assert (store.head(), store.read(0, 10), list(store.scan(10))) == (0, [], [])
        streams = [uuid4() for _ in range(3)]
        for version in (1, 2, 3):
            for stream in streams:
                store.append(request(registered(stream, version)))
        everything = store.read(0, 100)
        assert [event.stream for event in everything] == streams * 3
        assert store.read(everything[3].position, 2) == everything[4:6]
        assert store.load([streams[1], STREAM_ID]) == {streams[1]: everything[1::3], STREAM_ID: []}
        scanned = list(store.scan(everything[6].position))
        expected = sorted(everything[:7], key=lambda event: (event.stream.bytes, event.version))
        assert scanned == expected
        assert store.load([]) == {}
    finally:
        pool.close()


@pytest.fixture
def stale(database_url: str) -> Iterator[PostgresEventStore]:
    """A store whose pooled connections have all been ended by the server."""
    pool = open_pool(database_url)
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(pool.connection())
    _execute(
        database_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'dossier' AND datname = current_database() AND pid <> pg_backend_pid()",
    )
    yield PostgresEventStore(pool)
    pool.close()


def test_a_restart_of_the_server_leaves_no_stale_connection_in_the_way(stale: PostgresEventStore) -> None:
    stream = uuid4()
    assert stale.load([stream]) == {stream: []}
    stale.append(request(registered(stream)))
    assert len(stale.load([stream])[stream]) == 1


def test_an_append_over_a_stale_connection_says_that_nothing_was_written(stale: PostgresEventStore) -> None:
    wanted = request(registered(uuid4()))
    with pytest.raises(StoreUnavailable, match="nothing was written"):
        stale.append(wanted)
    assert stale.append(wanted).events == 1
