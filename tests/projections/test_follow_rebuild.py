from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import given, settings

from adapters.postgres.event_store import PostgresEventStore, open_pool
from adapters.postgres.read_store import POSITIONS, PostgresReadStore
from adapters.postgres.shadow import PostgresShadows
from domain.account import ChangeContact, RegisterAccount
from domain.errors import DossierError, RunConflict, SchemaMismatch
from domain.profile import CreateProfile
from domain.service import Dossier
from projections import accounts, profiles
from projections.all import READ_MODELS
from projections.follow import catch_up, follow, follow_batch, wait_for
from projections.read_model import Row
from projections.rebuild import rebuild
from tests.projections.histories import OPERATOR, Step, histories, opening, play

ROOT = Path(__file__).parents[2]


@pytest.fixture
def live(database_url: str) -> Iterator[PostgresReadStore]:
    pool = open_pool(database_url, lock_timeout_ms=500)
    live = PostgresReadStore(pool)
    live.create(READ_MODELS)
    yield live
    live.drop()
    pool.close()


def contents(live: PostgresReadStore) -> dict[str, list[Row]]:
    return {model.name: live.fetch(model) for model in READ_MODELS}


def schemas(live: PostgresReadStore) -> set[str]:
    query = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|public|store)'"
    with live.pool.connection() as connection:
        return {name for (name,) in connection.execute(query)}


OURS = {POSITIONS, *(model.name for model in READ_MODELS)}


@given(steps=histories())
@settings(max_examples=12)
def test_live_equals_rebuild_row_for_row(store: PostgresEventStore, live: PostgresReadStore, steps: list[Step]) -> None:
    play(store, steps, lambda limit: follow_batch(store, live, READ_MODELS, limit))
    catch_up(store, live, READ_MODELS, limit=7)
    followed = contents(live)
    done = rebuild(store, PostgresShadows(live), READ_MODELS)
    assert contents(live) == followed
    assert all(followed[name] for name in ("accounts", "profiles"))
    assert done.position == store.head()
    assert set(live.positions(READ_MODELS).values()) == {store.head()}
    assert schemas(live) == OURS


def test_rebuilding_makes_tables_that_were_never_there(store: PostgresEventStore, live: PostgresReadStore) -> None:
    play(store, opening(uuid4()))
    catch_up(store, live, READ_MODELS)
    followed = contents(live)
    live.drop()
    assert not schemas(live)
    told: list[tuple[int, int]] = []
    rebuild(store, PostgresShadows(live), READ_MODELS, progress=lambda done, total: told.append((done, total)))
    assert contents(live) == followed
    assert told == [(store.head(), store.head())]


def test_a_prefix_keeps_a_second_set_of_tables_apart(store: PostgresEventStore, live: PostgresReadStore) -> None:
    play(store, opening(uuid4()))
    plan = PostgresReadStore(live.pool, "plan_7_")
    plan.create(READ_MODELS)
    plan.create(READ_MODELS)
    catch_up(store, plan, READ_MODELS)
    rebuild(store, PostgresShadows(plan), READ_MODELS[:2])
    assert plan.fetch(accounts.MODEL)
    assert not live.fetch(accounts.MODEL)
    plan.drop()
    assert schemas(live) == OURS


def test_a_rebuild_of_another_version_replaces_the_table(store: PostgresEventStore, live: PostgresReadStore) -> None:
    present = accounts.MODEL.version
    newer = replace(accounts.MODEL, version=present + 1)
    with pytest.raises(SchemaMismatch, match=f"version {present}, not {present + 1}"):
        follow_batch(store, live, [newer])
    rebuild(store, PostgresShadows(live), [newer])
    assert live.positions([newer]) == {"accounts": store.head()}
    with pytest.raises(SchemaMismatch, match=f"version {present + 1}, not {present}"):
        live.positions(READ_MODELS)


def test_a_schema_of_somebody_else_is_left_alone(live: PostgresReadStore) -> None:
    plan = PostgresReadStore(live.pool, "theirs_")
    with live.pool.connection() as connection:
        connection.execute("CREATE SCHEMA theirs_profiles")
        with pytest.raises(SchemaMismatch, match="theirs_profiles"):
            plan.create(READ_MODELS)
        connection.execute("DROP SCHEMA theirs_profiles")


def test_a_database_without_the_tables_is_named(live: PostgresReadStore) -> None:
    with pytest.raises(SchemaMismatch):
        PostgresReadStore(live.pool, "none_").positions(READ_MODELS)
    with pytest.raises(SchemaMismatch):
        PostgresReadStore(live.pool, "none_").fetch(accounts.MODEL)


def test_reading_by_key_and_by_columns(dossier: Dossier, store: PostgresEventStore, live: PostgresReadStore) -> None:
    first, second = uuid4(), uuid4()
    phone = uuid4().hex[:20]
    dossier.execute(RegisterAccount(account_id=first, phone=phone), actor=OPERATOR)
    dossier.execute(RegisterAccount(account_id=second, phone=phone, email="b@x.org"), actor=OPERATOR)
    catch_up(store, live, READ_MODELS)
    assert [row["account_id"] for row in live.fetch(accounts.MODEL, phone=phone)] == sorted([first, second])
    assert [row["account_id"] for row in live.fetch(accounts.MODEL, phone=phone, email=None)] == [first]
    found = live.find(accounts.MODEL, (second,))
    assert found is not None
    assert found["email"] == "b@x.org"
    assert live.find(accounts.MODEL, (uuid4(),)) is None


def test_numbers_that_only_a_double_holds_survive_a_second_fold(
    dossier: Dossier, store: PostgresEventStore, live: PostgresReadStore
) -> None:
    account, profile = uuid4(), uuid4()
    fields: dict[str, Any] = {"beliefs": {"large": 1.5e300, "small": 5e-324, "exact": 2**63 - 1}}
    dossier.execute(RegisterAccount(account_id=account), actor=OPERATOR)
    dossier.execute(
        CreateProfile(account_id=account, profile_id=profile, kind="personal", fields=fields), actor=OPERATOR
    )
    while follow_batch(store, live, READ_MODELS, 1).events:
        pass
    found = live.find(profiles.MODEL, (profile,))
    assert found is not None
    assert found["fields"] == fields


def test_readers_are_neither_stalled_nor_misled_by_swaps(
    store: PostgresEventStore, live: PostgresReadStore, database_url: str
) -> None:
    play(store, opening(uuid4()))
    catch_up(store, live, READ_MODELS)
    count, done, errors = len(live.fetch(accounts.MODEL)), threading.Event(), []

    def read() -> None:
        while not done.is_set():
            try:
                assert len(live.fetch(accounts.MODEL)) == count
            except (AssertionError, DossierError) as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=read) for _ in range(2)]
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT account_id FROM accounts.accounts").fetchall()
        for thread in threads:
            thread.start()
        rebuild(store, PostgresShadows(live), READ_MODELS)
        assert "prev_accounts" in schemas(live)  # still open to the reader
        reader.commit()
        for _ in range(5):
            rebuild(store, PostgresShadows(live), READ_MODELS)
    done.set()
    for thread in threads:
        thread.join()
    assert not errors
    assert schemas(live) == OURS


def test_a_rebuild_while_writes_go_on_ends_equal(
    dossier: Dossier, store: PostgresEventStore, live: PostgresReadStore
) -> None:
    account, stop = uuid4(), threading.Event()
    dossier.execute(RegisterAccount(account_id=account), actor=OPERATOR)
    catch_up(store, live, READ_MODELS)

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            dossier.execute(ChangeContact(account_id=account, name=str(number)), actor=OPERATOR)
            dossier.execute(RegisterAccount(account_id=uuid4(), name=str(number)), actor=OPERATOR)

    def followed() -> None:
        follow(store, live, READ_MODELS, stop=stop.is_set, wait=lambda: None)

    threads = [threading.Thread(target=write), threading.Thread(target=followed)]
    for thread in threads:
        thread.start()
    positions = []
    for _ in range(5):
        rebuild(store, PostgresShadows(live), READ_MODELS)
        positions.append(live.positions(READ_MODELS)["accounts"])
    stop.set()
    for thread in threads:
        thread.join()
    assert positions == sorted(positions)
    wait_for(live, READ_MODELS, catch_up(store, live, READ_MODELS), timeout=1)
    followed_rows = contents(live)
    rebuild(store, PostgresShadows(live), READ_MODELS)
    assert contents(live) == followed_rows
    assert followed_rows["accounts"]


def test_the_last_events_are_caught_up_under_the_lock(
    dossier: Dossier, store: PostgresEventStore, live: PostgresReadStore
) -> None:
    catch_up(store, live, READ_MODELS)
    shadows = PostgresShadows(live)

    class Late(PostgresEventStore):
        """Somebody writes, and is followed, after the rebuild took the head for the last time."""

        heads = 0

        def head(self) -> int:
            head = super().head()
            self.heads += 1
            if self.heads == 2:
                dossier.execute(RegisterAccount(account_id=uuid4()), actor=OPERATOR)
                catch_up(store, live, READ_MODELS)
            return head

    done = rebuild(Late(store.pool), shadows, READ_MODELS)
    assert done.position == store.head()


def test_a_second_rebuild_at_the_same_time_is_refused(store: PostgresEventStore, live: PostgresReadStore) -> None:
    shadows = PostgresShadows(live)
    with shadows.begin(READ_MODELS), pytest.raises(RunConflict, match="rebuild"):
        rebuild(store, shadows, READ_MODELS)
    rebuild(store, shadows, READ_MODELS)


def test_a_failed_rebuild_leaves_the_live_tables_and_nothing_else(
    dossier: Dossier, store: PostgresEventStore, live: PostgresReadStore
) -> None:
    dossier.execute(RegisterAccount(account_id=uuid4()), actor=OPERATOR)
    catch_up(store, live, READ_MODELS)
    before = contents(live)

    class Broken(PostgresEventStore):
        def head(self) -> int:
            head = super().head()
            dossier.execute(RegisterAccount(account_id=uuid4()), actor=OPERATOR)
            return head

        def read(self, after: int, limit: int) -> Any:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rebuild(Broken(store.pool), PostgresShadows(live), READ_MODELS)
    assert contents(live) == before
    assert schemas(live) == OURS


def test_grants_outlive_a_swap(store: PostgresEventStore, live: PostgresReadStore) -> None:
    with live.pool.connection() as connection:
        connection.execute("GRANT USAGE ON SCHEMA accounts TO PUBLIC; GRANT SELECT ON accounts.accounts TO PUBLIC")
    rebuild(store, PostgresShadows(live), READ_MODELS)
    rights = (
        "SELECT nspacl::text, relacl::text FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE nspname = 'accounts' AND relname = 'accounts'"
    )
    with live.pool.connection() as connection:
        schema, table = connection.execute(rights).fetchone() or ("", "")
    assert ",=U/" in schema
    assert ",=r/" in table


KILLED = """
import sys, time
import projections.rebuild
from adapters.postgres.event_store import PostgresEventStore, open_pool
from adapters.postgres.read_store import PostgresReadStore
from adapters.postgres.shadow import PostgresShadows
from projections.all import READ_MODELS

def stay(*_, **__):
    print("there", flush=True)
    time.sleep(60)

class Slow(PostgresEventStore):
    def scan(self, upto):
        yield from super().scan(upto)
        if sys.argv[2] == "scan":
            stay()

pool = open_pool(sys.argv[1])
store = Slow(pool)
if sys.argv[2] == "swap":
    projections.rebuild.catch_up = stay
projections.rebuild.rebuild(store, PostgresShadows(PostgresReadStore(pool)), READ_MODELS)
"""


@pytest.mark.parametrize("place", ["scan", "swap"])
def test_a_killed_rebuild_is_in_nobodys_way(
    store: PostgresEventStore, live: PostgresReadStore, database_url: str, place: str
) -> None:
    play(store, opening(uuid4()))
    catch_up(store, live, READ_MODELS)
    before = contents(live)
    command = [sys.executable, "-c", KILLED, database_url, place]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        process.send_signal(signal.SIGKILL)
    assert contents(live) == before
    assert ("next_accounts" in schemas(live)) == (place == "swap")
    rebuild(store, PostgresShadows(live), READ_MODELS)
    assert contents(live) == before
    assert schemas(live) == OURS
