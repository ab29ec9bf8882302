"""Sealing: what a sealed body holds and gives back, what an erasure leaves, keys, receipts, the master key."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from psycopg import errors as pg

from adapters.audit.store import verify_store
from adapters.master_key import master_keys, read_file, write_file
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.mapper import canonical_json, decode, encode, sealed_for, subject_of_sealed
from adapters.postgres.pool import open_pool
from adapters.postgres.resealing import reseal
from adapters.sealing import MasterKeys, key_text, new_key, read_keys
from adapters.settings import Settings, load_settings
from domain.access import Actor
from domain.account import ChangeContact, EraseAccount, RegisterAccount
from domain.errors import CommandIdReused, ConfigurationInvalid, RuleViolated, StoredEventUnreadable
from domain.event import ERASED, EVENT_TYPES, EventMetadata, NewEvent, personal_fields
from domain.service import Dossier
from tests.adapters.test_golden import GOLDEN, TOPICS
from tests.support.application import application_at
from tests.support.examples import ACCOUNT_ID, EVENTS, METADATA, STREAM_ID
from tests.support.sealing import MASTER_KEY, SUBJECT_KEY, master

SEALED = GOLDEN / "sealed"
OPERATOR = Actor.operator()


@pytest.fixture
def sealing(store: PostgresEventStore) -> PostgresEventStore:
    """A store over the module's database that seals."""
    return PostgresEventStore(store.pool, master=master())


def _dossier(store: PostgresEventStore) -> Dossier:
    return Dossier(store, lambda: METADATA.recorded_at, uuid4)


def _registered(store: PostgresEventStore, email: str = "ada@example.org") -> UUID:
    account = uuid4()
    _dossier(store).execute(RegisterAccount(account_id=account, email=email), actor=OPERATOR)
    return account


def _bodies(store: PostgresEventStore) -> bytes:
    with store.pool.connection() as connection:
        return b"\n".join(row[0] for row in connection.execute("SELECT state FROM store.stored_events"))


# --- bodies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("topic", TOPICS)
def test_a_sealed_body_reads_back_and_after_an_erasure_as_erased(topic: str) -> None:
    event = EVENTS[topic]
    body = encode(NewEvent(STREAM_ID, 3, event, METADATA), SUBJECT_KEY)
    assert subject_of_sealed(body) == METADATA.subject
    read = decode(STREAM_ID, 3, 9, topic, body, {ACCOUNT_ID: SUBJECT_KEY})
    assert (read.event, read.metadata) == (event, METADATA)
    assert type(read.event) is type(event)
    gone = decode(STREAM_ID, 3, 9, topic, body, {ACCOUNT_ID: None})
    personal = personal_fields(type(event))
    assert {name for name in type(event).model_fields if getattr(gone.event, name) is ERASED} == personal
    assert gone.metadata.provenance is None
    for name in type(event).model_fields.keys() - personal:
        assert getattr(gone.event, name) == getattr(event, name)


@pytest.mark.parametrize("path", sorted(SEALED.glob("*.json")), ids=lambda path: path.stem)
def test_a_sealed_golden_file_is_still_readable_with_its_key_and_without(path: Path) -> None:
    """Sealed bytes differ each time they are made, so only reading is held."""
    topic, _, version = path.stem.rpartition(".v")
    read = decode(STREAM_ID, 1, 9, topic, path.read_bytes(), {ACCOUNT_ID: SUBJECT_KEY})
    assert (read.schema_version, read.metadata) == (int(version), METADATA)
    if read.schema_version == EVENT_TYPES[topic].schema_version:
        assert read.event == EVENTS[topic]
    gone = decode(STREAM_ID, 1, 9, topic, path.read_bytes(), {ACCOUNT_ID: None})
    assert all(getattr(gone.event, name) is ERASED for name in personal_fields(EVENT_TYPES[topic]))


def test_a_sealed_body_holds_no_personal_value_and_two_are_never_alike() -> None:
    event = EVENTS["account.registered"]
    new = NewEvent(STREAM_ID, 1, event, METADATA)
    one, two = encode(new, SUBJECT_KEY), encode(new, SUBJECT_KEY)
    assert one != two
    for value in ("zoë@example.org", "Zoë", "/data/location", "Profile"):
        assert value.encode() not in one
        assert canonical_json(value) not in one


def test_what_nobody_is_named_for_or_holds_nothing_is_not_sealed() -> None:
    role, registered = EVENTS["account.role_granted"], EVENTS["account.registered"]
    bare = EventMetadata(METADATA.occurred_at, METADATA.recorded_at, "a", "a", subject=ACCOUNT_ID)
    assert sealed_for(NewEvent(STREAM_ID, 1, role, bare)) is None
    assert sealed_for(NewEvent(STREAM_ID, 1, role, METADATA)) == ACCOUNT_ID  # its provenance is
    assert sealed_for(NewEvent(STREAM_ID, 1, registered, bare)) == ACCOUNT_ID
    nobody = EventMetadata(METADATA.occurred_at, METADATA.recorded_at, "a", "a")
    assert sealed_for(NewEvent(STREAM_ID, 1, registered, nobody)) is None


def test_a_sealed_value_opens_in_its_place_alone() -> None:
    body = encode(NewEvent(STREAM_ID, 1, EVENTS["account.deactivated"], METADATA), SUBJECT_KEY)
    keys = {ACCOUNT_ID: SUBJECT_KEY}
    for stream, version, topic in (
        (uuid4(), 1, "account.deactivated"),
        (STREAM_ID, 2, "account.deactivated"),
        (STREAM_ID, 1, "profile.archived"),
    ):
        with pytest.raises(StoredEventUnreadable, match="DoesNotOpen"):
            decode(stream, version, 1, topic, body, keys)
    with pytest.raises(StoredEventUnreadable, match="KeyError"):
        decode(STREAM_ID, 1, 1, "account.deactivated", body, {})
    with pytest.raises(ConfigurationInvalid, match="no master key"):
        decode(STREAM_ID, 1, 1, "account.deactivated", body)


# --- the store -----------------------------------------------------------------------------------------------------


def test_a_store_that_seals_keeps_values_out_of_the_log_and_gives_them_back(sealing: PostgresEventStore) -> None:
    account = _registered(sealing, "lovelace@example.org")
    assert sealing.load([account])[account][0].event.email == "lovelace@example.org"
    assert b"lovelace" not in _bodies(sealing)
    another = PostgresEventStore(sealing.pool, master=master())
    assert another.load([account])[account][0].event.email == "lovelace@example.org"
    with pytest.raises(ConfigurationInvalid):
        PostgresEventStore(sealing.pool).load([account])


def test_an_erasure_reaches_the_keys_that_another_process_holds(sealing: PostgresEventStore) -> None:
    account, other = _registered(sealing), PostgresEventStore(sealing.pool, master=master())
    assert other.load([account])[account][0].event.email == "ada@example.org"
    receipt = _dossier(sealing).execute(EraseAccount(account_id=account, reason="asked"), actor=OPERATOR)
    assert receipt.events == 1
    for store in (other, sealing):
        first, last = store.load([account])[account]
        assert first.event.email is ERASED
        assert last.event.reason == "asked"
        with pytest.raises(RuleViolated, match="erased"):
            _dossier(store).execute(ChangeContact(account_id=account, name="Ada"), actor=OPERATOR)
        imported = uuid4()
        store.append_bulk([NewEvent(imported, 1, EVENTS["profile.archived"], _about(account))])
        assert store.load([imported])[imported][0].event.reason is ERASED  # nothing of them comes back
    with sealing.pool.connection() as connection, pytest.raises(pg.InsufficientPrivilege):
        connection.execute("UPDATE store.subject_keys SET wrapped = 'x', erased_at = NULL WHERE wrapped IS NULL")


def _about(account: UUID) -> EventMetadata:
    return EventMetadata(METADATA.occurred_at, METADATA.recorded_at, "a", "a", subject=account)


def test_a_receipt_is_kept_under_the_key_and_an_erasure_is_still_known_by_its_own(sealing: PostgresEventStore) -> None:
    account, dossier, first, erasing = uuid4(), _dossier(sealing), uuid4(), uuid4()
    register = RegisterAccount(account_id=account, email="ada@example.org")
    receipt = dossier.execute(register, actor=OPERATOR, command_id=first)
    assert dossier.execute(register, actor=OPERATOR, command_id=first) == receipt
    with pytest.raises(CommandIdReused):
        dossier.execute(RegisterAccount(account_id=account, email="x@y.z"), actor=OPERATOR, command_id=first)
    with sealing.pool.connection() as connection:
        query = "SELECT length(digest) FROM store.receipts WHERE command_id = ANY(%s) ORDER BY 1"
        assert connection.execute(query, [[first]]).fetchall() == [(48,)]
    erase = EraseAccount(account_id=account, reason="asked")
    erased = dossier.execute(erase, actor=OPERATOR, command_id=erasing)
    assert dossier.execute(erase, actor=OPERATOR, command_id=erasing) == erased
    with pytest.raises(CommandIdReused):  # nobody can tell any more whether it is the same
        dossier.execute(register, actor=OPERATOR, command_id=first)


def test_keys_of_new_people_are_made_together(sealing: PostgresEventStore) -> None:
    assert sealing.keys is not None
    people = [uuid4() for _ in range(12)]
    keys, before = sealing.keys, sealing.keys.counts().people
    with ThreadPoolExecutor(len(people)) as threads:
        with sealing.pool.connection() as held, held.transaction():
            held.execute(f"LOCK TABLE {sealing.schema}.subject_keys")
            made = [threads.submit(keys.for_writing, {person}) for person in people]
            deadline = time.monotonic() + 10
            while len(keys._groups._waiting) < len(people) - 1:
                assert time.monotonic() < deadline
                time.sleep(0.001)
        held_keys = [future.result(10) for future in made]
    assert [[*found] for found in held_keys] == [[person] for person in people]
    assert keys._groups.counters.groups == 2
    assert keys.counts().people == before + len(people)
    assert keys.for_writing(set(people)).keys() == set(people)


def test_the_cache_of_keys_is_bounded(sealing: PostgresEventStore) -> None:
    assert sealing.keys
    sealing.keys._most = 2
    subjects = [uuid4() for _ in range(5)]
    made = sealing.keys.for_writing(subjects)
    assert len(sealing.keys._cache) == 2
    again = sealing.keys.for_writing(subjects)
    assert all(again[subject].digest(b"x") == made[subject].digest(b"x") for subject in subjects)


# --- the master key ------------------------------------------------------------------------------------------------


@pytest.fixture
def fresh(make_database: Callable[[], str]) -> str:
    """URL of a database of one test's own."""
    return make_database()


def test_a_master_key_is_replaced_while_it_is_in_use(fresh: str) -> None:
    pool, new = open_pool(fresh), new_key()
    try:
        account = _registered(PostgresEventStore(pool, master=master()))
        both = PostgresEventStore(pool, master=MasterKeys(lambda: [new, MASTER_KEY]))
        assert both.keys
        assert both.keys.rewrap() == 1
        assert both.keys.rewrap() == 0
        only = PostgresEventStore(pool, master=MasterKeys(lambda: [new]))
        assert only.load([account])[account][0].event.email == "ada@example.org"
        former = PostgresEventStore(pool, master=master())
        with pytest.raises(ConfigurationInvalid, match="does not fit"):
            former.load([account])
        with pytest.raises(ConfigurationInvalid, match="does not fit"):
            _registered(former)
    finally:
        pool.close()


def test_a_key_file_is_made_once_and_must_be_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOSSIER_MASTER_KEY")
    settings = Settings()
    first, second = master_keys(settings, tmp_path), master_keys(settings, tmp_path)
    assert first
    assert second
    assert first.newest == second.newest
    file = tmp_path / "master.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]
    write_file(file, [MASTER_KEY, *read_file(file)])
    subject = uuid4()
    assert first.unwrap(subject, master().wrap(subject, b"k")) == b"k"  # a key it did not know: it looks again
    file.chmod(0o640)
    with pytest.raises(ConfigurationInvalid, match="read by others"):
        master_keys(settings, tmp_path)
    assert master_keys(settings, None) is None


def test_a_malformed_master_key_is_refused_without_being_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_keys(f"{key_text(MASTER_KEY)},\n{key_text(MASTER_KEY)}") == [MASTER_KEY] * 2
    monkeypatch.setenv("DOSSIER_MASTER_KEY", "hunter2")
    with pytest.raises(ConfigurationInvalid) as refused:
        load_settings()
    assert "DOSSIER_MASTER_KEY" in refused.value.message
    assert "hunter2" not in str(refused.value)


# --- what was stored before ----------------------------------------------------------------------------------------


def test_what_was_stored_open_is_sealed_once_before_the_first_checkpoint(fresh: str) -> None:
    with application_at(fresh) as app:
        unsealed, register = PostgresEventStore(app.pool), RegisterAccount(account_id=uuid4(), email="open@example.org")
        dossier, command_id = _dossier(unsealed), uuid4()
        receipt = dossier.execute(register, actor=OPERATOR, command_id=command_id)
        old = GOLDEN / "account.registered.v1.json"
        position = unsealed.append_rows([(STREAM_ID, 1, "account.registered", old.read_bytes())])
        app.audit.catch_up()
        with pytest.raises(RuleViolated, match="checkpoints"):
            reseal(app.events, app.audit, 1, lambda done, total: None)
        assert reseal(app.events, app.audit, 0, lambda done, total: None) == (2, 1)
        assert b"open@example.org" not in _bodies(app.events)
        read = app.events.load([register.account_id, STREAM_ID])
        assert read[register.account_id][0].event.email == "open@example.org"
        assert read[STREAM_ID][0] == decode(STREAM_ID, 1, position, "account.registered", old.read_bytes())
        assert _dossier(app.events).execute(register, actor=OPERATOR, command_id=command_id) == receipt
        with app.pool.connection() as connection:
            assert connection.execute("SELECT length(digest) FROM store.receipts").fetchall() == [(48,)]
            with pytest.raises(pg.InsufficientPrivilege):
                connection.execute("UPDATE store.stored_events SET topic = 'x'")
        assert reseal(app.events, app.audit, 0, lambda done, total: None) == (0, 0)
        app.audit.catch_up()
        assert not verify_store(app.audit, [], lambda done, total: None).findings
