from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given, settings
from psycopg import sql
from psycopg.types.json import Jsonb
from structlog.testing import capture_logs

from adapters.postgres import put_aside
from adapters.postgres import shadow as shadow_module
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.pool import open_pool
from adapters.postgres.read_store import POSITIONS, PostgresReadStore
from adapters.postgres.shadow import PostgresShadow, PostgresShadows
from domain.account import ChangeContact, RegisterAccount
from domain.contexts import Context
from domain.errors import DossierError, NotFound, RowsRefused, RunConflict, SchemaMismatch, StoreBusy
from domain.event import NewEvent, Recorded
from domain.intent import IntentDeclared
from domain.profile import CreateProfile
from domain.projection import SkipEvent
from domain.service import Dossier
from projections import accounts, profiles
from projections.all import READ_MODELS
from projections.follow import catch_up, follow, follow_batch, wait_for
from projections.read_model import Key, ReadModel, Row, Rows
from projections.rebuild import Comparison, Level, Rebuilt, Watch, rebuild_records
from projections.rebuild import rebuild as rebuild_shadow
from tests.projections.histories import OPERATOR, START, Step, histories, metadata, opening, play
from tests.support.sealing import master

ROOT = Path(__file__).parents[2]


def rebuild(
    store: PostgresEventStore,
    live: PostgresReadStore,
    models: Sequence[ReadModel] = READ_MODELS,
    *,
    dry_run: bool = False,
    watch: Watch = lambda *_: None,
) -> Rebuilt:
    with PostgresShadows(live, store).begin(models) as shadow:
        return rebuild_shadow(store, shadow, dry_run=dry_run, watch=watch)


@pytest.fixture(scope="module")
def store(database_url: str) -> Iterator[PostgresEventStore]:
    """The event store of this module's database, which seals."""
    pool = open_pool(database_url)
    yield PostgresEventStore(pool, master=master())
    pool.close()


@pytest.fixture
def live(database_url: str) -> Iterator[PostgresReadStore]:
    pool = open_pool(database_url, lock_timeout_ms=500)
    live = PostgresReadStore(pool)
    live.create(READ_MODELS)
    yield live
    PostgresShadows(live, PostgresEventStore(pool)).drop_previous(READ_MODELS)
    live.drop()
    pool.close()


def contents(live: PostgresReadStore) -> dict[str, list[Row]]:
    return {model.name: live.fetch(model) for model in READ_MODELS}


def schemas(live: PostgresReadStore) -> set[str]:
    query = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|public|store|audit|reader)'"
    with live.pool.connection() as connection:
        return {name for (name,) in connection.execute(query)}


OURS = {POSITIONS, *(model.name for model in READ_MODELS)}
PREVIOUS_ONES = {f"prev_{model.name}" for model in READ_MODELS}


@given(steps=histories())
@settings(max_examples=6)
def test_live_equals_rebuild_row_for_row(store: PostgresEventStore, live: PostgresReadStore, steps: list[Step]) -> None:
    """Of people who were erased too: the store seals, and some of the steps erase."""
    play(store, steps, lambda limit: follow_batch(store, live, READ_MODELS, limit))
    catch_up(store, live, READ_MODELS, limit=7)
    followed = contents(live)
    done = rebuild(store, live, READ_MODELS)
    assert contents(live) == followed
    assert all(followed[name] for name in ("accounts", "profiles"))
    assert done.position == store.head()
    assert set(live.positions(READ_MODELS).values()) == {store.head()}
    assert schemas(live) == OURS | PREVIOUS_ONES
    assert not any(comparison.differing for comparison in done.comparisons)


def test_rebuilding_makes_tables_that_were_never_there(store: PostgresEventStore, live: PostgresReadStore) -> None:
    play(store, opening(uuid4()))
    catch_up(store, live, READ_MODELS)
    followed = contents(live)
    live.drop()
    assert not schemas(live)
    told: list[tuple[str, int, int]] = []
    done = rebuild(store, live, READ_MODELS, watch=lambda *how_far: told.append(how_far))
    assert contents(live) == followed
    assert told == [("fill", done.events, store.head())]
    assert done.comparisons == ()


def test_a_prefix_keeps_a_second_set_of_tables_apart(store: PostgresEventStore, live: PostgresReadStore) -> None:
    play(store, opening(uuid4()))
    plan = PostgresReadStore(live.pool, "plan_7_")
    plan.create(READ_MODELS)
    plan.create(READ_MODELS)
    catch_up(store, plan, READ_MODELS)
    rebuild(store, plan, READ_MODELS[:2])
    assert plan.fetch(accounts.MODEL)
    assert not live.fetch(accounts.MODEL)
    assert {"prev_plan_7_accounts", "prev_plan_7_profiles"} < schemas(live)
    assert sorted(PostgresShadows(plan, store).drop_previous(READ_MODELS)) == ["accounts", "profiles"]
    plan.drop()
    assert schemas(live) == OURS


def test_a_rebuild_of_another_version_replaces_the_table(store: PostgresEventStore, live: PostgresReadStore) -> None:
    present = accounts.MODEL.version
    newer = replace(accounts.MODEL, version=present + 1)
    with pytest.raises(SchemaMismatch, match=f"version {present}, not {present + 1}"):
        follow_batch(store, live, [newer])
    rebuild(store, live, [newer])
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
    store: PostgresEventStore, live: PostgresReadStore, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(store, opening(uuid4()))
    catch_up(store, live, READ_MODELS)
    count, done, errors = len(live.fetch(accounts.MODEL)), threading.Event(), []
    shadows = PostgresShadows(live, store)
    monkeypatch.setattr(put_aside, "PATIENCE", "50ms")

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
        began = time.monotonic()
        rebuild(store, live)  # the open transaction does not keep it from swapping
        rebuild(store, live, dry_run=True)
        reader.execute("SELECT stage FROM next_projections.rebuild").fetchall()
        with shadows.resume() as shadow:  # nor when it reads the notes, and tables older than the last swap
            assert rebuild_shadow(store, shadow).swapped
        assert time.monotonic() - began < 15
        held = schemas(live) - OURS - PREVIOUS_ONES
        assert {name.split("_", 2)[2] for name in held} == {"accounts", POSITIONS}
        with pytest.raises(StoreBusy, match="still open on tables of before a swap"):
            shadows.drop_previous(READ_MODELS)
        assert schemas(live) == OURS | held
        reader.commit()
    rebuild(store, live)
    done.set()
    for thread in threads:
        thread.join()
    assert not errors
    assert schemas(live) == OURS | PREVIOUS_ONES
    assert sorted(shadows.drop_previous(READ_MODELS)) == sorted(model.name for model in READ_MODELS)
    assert schemas(live) == OURS


def test_a_rebuild_aborted_at_the_last_moment_does_not_swap(store: PostgresEventStore, live: PostgresReadStore) -> None:
    shadows, aborted = PostgresShadows(live, store), list[bool]()
    rebuild(store, live, [accounts.MODEL])
    rebuild(store, live, [accounts.MODEL], dry_run=True)
    before = schemas(live)

    def abort() -> threading.Thread:
        thread = threading.Thread(target=lambda: aborted.append(shadows.abort()))
        thread.start()
        while not (state := shadows.state()) or not state.aborted:
            time.sleep(0.01)
        return thread

    threads: list[threading.Thread] = []
    with pytest.raises(RunConflict, match="aborted"), shadows.resume() as shadow:
        shadow.swap(lambda _: threads.append(abort()))
    threads[0].join()
    assert aborted == [True]
    assert schemas(live) == before - {"next_accounts", "next_projections"}  # what the last swap kept too
    with shadows.begin([accounts.MODEL]) as shadow:
        rebuild_shadow(store, shadow, dry_run=True)
        threads.append(abort())
        with live.pool.connection() as connection:  # as if it had come after the swap looked
            connection.execute("UPDATE next_projections.rebuild SET aborted = false")
        shadow.swap(lambda _: None)
    threads[1].join()
    assert aborted == [True, False]


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
        follow(store, live, lambda: READ_MODELS, stop=stop.is_set, wait=lambda: time.sleep(0.01), rest=lambda *_: None)

    def busy() -> None:
        """Now and then follow with a batch that takes longer than locks are waited for here."""
        while not stop.wait(0.1):
            with suppress(StoreBusy), live.batch():
                time.sleep(0.8)

    threads = [threading.Thread(target=work) for work in (write, followed, busy)]
    for thread in threads:
        thread.start()
    positions = []
    try:
        for _ in range(2):
            done = rebuild(store, live)
            assert [comparison.read_model for comparison in done.comparisons] == [model.name for model in READ_MODELS]
            assert not any(comparison.differing for comparison in done.comparisons)
            positions.append(live.positions(READ_MODELS)["accounts"])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert positions == sorted(positions)
    wait_for(live, READ_MODELS, catch_up(store, live, READ_MODELS), timeout=1)
    followed_rows = contents(live)
    rebuild(store, live, READ_MODELS)
    assert contents(live) == followed_rows
    assert followed_rows["accounts"]


def test_the_last_events_are_caught_up_under_the_lock(
    dossier: Dossier, store: PostgresEventStore, live: PostgresReadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    dossier.execute(RegisterAccount(account_id=uuid4()), actor=OPERATOR)
    catch_up(store, live, READ_MODELS)
    enter, compare, stages, even = PostgresShadow.enter, PostgresShadow.compare, [], []

    def entered(shadow: PostgresShadow, stage: str) -> None:
        enter(shadow, stage)
        stages.append(stage)

    def compared(shadow: PostgresShadow, models: Sequence[ReadModel], level: Level) -> Sequence[Comparison]:
        even.append(shadow.store.positions(models) == shadow.live.positions(models))
        return compare(shadow, models, level)

    monkeypatch.setattr(PostgresShadow, "enter", entered)
    monkeypatch.setattr(PostgresShadow, "compare", compared)

    class Late(PostgresEventStore):
        """Somebody writes, and is followed, after the rebuild took the head for the last time before it holds locks."""

        def head(self) -> int:
            head = super().head()
            if stages and stages[-1] in ("compare", "ready"):
                dossier.execute(RegisterAccount(account_id=uuid4()), actor=OPERATOR)
                catch_up(store, live, READ_MODELS)
            return head

    done = rebuild(Late(store.pool, master=master()), live)
    assert done.position == store.head()
    assert even == [True]  # little is left to do while the live tables stand still


def test_a_second_rebuild_at_the_same_time_is_refused(store: PostgresEventStore, live: PostgresReadStore) -> None:
    with PostgresShadows(live, store).begin(READ_MODELS), pytest.raises(RunConflict, match="rebuild"):
        rebuild(store, live)
    rebuild(store, live)


def test_a_failed_rebuild_leaves_the_live_tables_and_is_resumed_or_aborted(
    dossier: Dossier, store: PostgresEventStore, live: PostgresReadStore
) -> None:
    dossier.execute(RegisterAccount(account_id=uuid4()), actor=OPERATOR)
    catch_up(store, live, READ_MODELS)
    before, shadows = contents(live), PostgresShadows(live, store)

    class Broken(PostgresEventStore):
        def scan(self, *_: Any) -> Any:
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            rebuild(Broken(store.pool), live)
    assert contents(live) == before
    state = shadows.state()
    assert state is not None
    assert (state.stage, state.events, state.aborted) == ("fill", 0, False)
    with shadows.resume() as shadow:
        assert rebuild_shadow(store, shadow).swapped
    assert contents(live) == before
    with pytest.raises(ZeroDivisionError):
        rebuild(Broken(store.pool), live, READ_MODELS[:1])
    assert shadows.abort()
    assert not shadows.abort()
    with pytest.raises(NotFound), shadows.resume():
        pass
    assert schemas(live) == OURS | PREVIOUS_ONES


def test_a_dry_run_tells_what_differs_and_leaves_the_swap_to_be_resumed(
    dossier: Dossier, store: PostgresEventStore, live: PostgresReadStore
) -> None:
    right, wrong, gone, made_up = (uuid4() for _ in range(4))
    for account in (right, wrong, gone):
        dossier.execute(RegisterAccount(account_id=account, name="Ada"), actor=OPERATOR)
    catch_up(store, live, READ_MODELS)
    before = contents(live)
    with live.pool.connection() as connection:
        connection.execute("UPDATE accounts.accounts SET name = 'Eve', phone = '1' WHERE account_id = %s", [wrong])
        connection.execute("UPDATE accounts.accounts SET account_id = %s WHERE account_id = %s", [made_up, gone])
    dry = rebuild(store, live, dry_run=True)
    assert not dry.swapped
    (found,) = [comparison for comparison in dry.comparisons if comparison.differing]
    assert (found.read_model, found.position, found.differing) == ("accounts", store.head(), 3)
    assert {(each.kind, each.key["account_id"], each.columns) for each in found.differences} == {
        ("changed", wrong, ("phone", "name")),
        ("missing", gone, ()),
        ("extra", made_up, ()),
    }
    dossier.execute(RegisterAccount(account_id=uuid4(), name="later"), actor=OPERATOR)
    with live.pool.connection() as connection:  # as a release left it that had no policies
        connection.execute("DROP POLICY readers ON next_accounts.accounts")
    with PostgresShadows(live, store).resume() as shadow:
        assert rebuild_shadow(store, shadow).position == store.head()
    with live.pool.connection() as connection:
        policies = connection.execute("SELECT policyname FROM pg_policies WHERE schemaname = 'accounts'").fetchall()
    assert policies == [("readers",)]
    after = contents(live)["accounts"]
    assert [row for row in after if row["name"] != "later"] == before["accounts"]
    assert len(after) == len(before["accounts"]) + 1


def test_single_records_are_rebuilt_in_place(
    dossier: Dossier, store: PostgresEventStore, live: PostgresReadStore
) -> None:
    wrong, left = uuid4(), uuid4()
    for account in (wrong, left):
        dossier.execute(RegisterAccount(account_id=account, name="Ada"), actor=OPERATOR)
    catch_up(store, live, READ_MODELS)
    dossier.execute(ChangeContact(account_id=wrong, name="later"), actor=OPERATOR)
    with live.pool.connection() as connection:
        connection.execute("UPDATE accounts.accounts SET name = 'Eve' WHERE account_id = ANY(%s)", [[wrong, left]])
    assert rebuild_records(store, live, READ_MODELS, [wrong]) == []
    names = {row["account_id"]: row["name"] for row in live.fetch(accounts.MODEL)}
    assert (names[wrong], names[left]) == ("Ada", "Eve")
    catch_up(store, live, READ_MODELS)
    assert [row["name"] for row in live.fetch(accounts.MODEL, account_id=wrong)] == ["later"]


def test_rows_that_no_event_makes_go_with_the_record_that_is_rebuilt(
    store: PostgresEventStore, live: PostgresReadStore
) -> None:
    play(store, opening(uuid4()))
    catch_up(store, live, READ_MODELS)
    before, nobody = contents(live), uuid4()
    with live.pool.connection() as connection:
        for table, condition, other in (
            ("accounts.accounts", "true", {"account_id": str(nobody)}),
            ("status_history.status_history", "owner_kind = 'case'", {"entry": 1, "is_active": False}),
        ):
            connection.execute(
                f"INSERT INTO {table} SELECT (jsonb_populate_record(kept, %s)).* FROM {table} AS kept"
                f" WHERE {condition} LIMIT 1",
                [Jsonb(other)],
            )
    changed = contents(live)
    assert [len(changed[name]) - len(before[name]) for name in ("accounts", "status_history")] == [1, 1]
    (extra,) = [row for row in changed["status_history"] if row not in before["status_history"]]
    assert rebuild_records(store, live, READ_MODELS, [nobody, extra["owner_id"]]) == []
    assert contents(live) == before


def test_what_a_table_refuses_halts_its_record_alone_live_and_rebuilt(
    dossier: Dossier, store: PostgresEventStore, live: PostgresReadStore
) -> None:
    catch_up(store, live, READ_MODELS)
    refused, others = uuid4(), [uuid4() for _ in range(9)]
    for account in (*others[:5], refused, *others[5:]):
        dossier.execute(RegisterAccount(account_id=account), actor=OPERATOR)
        dossier.execute(ChangeContact(account_id=account, name="new"), actor=OPERATOR)

    def evolve(rows: Rows, recorded: Recorded) -> Mapping[Key, Row | None]:
        after = accounts.MODEL.evolve(rows, recorded)
        if (recorded.stream, recorded.version) == (refused, 2):
            return {key: {**(row or {}), "status": "frozen"} for key, row in after.items()}
        return after

    broken = [replace(accounts.MODEL, evolve=evolve), *READ_MODELS[1:]]
    catch_up(store, live, broken)
    followed = contents(live)
    by_id = {row["account_id"]: row["name"] for row in followed["accounts"]}
    assert (by_id[refused], {by_id[other] for other in others}) == (None, {"new"})
    assert letters(live) == [("accounts", refused, 2, "RowsRefused: CheckViolation accounts_status_check", 1)]
    done = rebuild(store, live, broken)
    assert not any(comparison.differing for comparison in done.comparisons)
    assert contents(live) == followed
    assert letters(live) == [("accounts", refused, 2, "RowsRefused: CheckViolation accounts_status_check", 1)]
    assert len(rebuild_records(store, live, broken[:1], [refused])) == 1
    assert letters(live)[0][-1] == 2
    dossier.execute(SkipEvent(read_model="accounts", stream=refused, version=2, reason="r"), actor=OPERATOR)
    catch_up(store, live, broken)
    assert not letters(live)
    assert rebuild_records(store, live, READ_MODELS, [refused]) == []
    assert contents(live) == followed  # the event is left out, whoever folds


def test_whatever_a_value_does_on_its_way_to_the_table_halts_its_record_alone(
    dossier: Dossier, store: PostgresEventStore, live: PostgresReadStore
) -> None:
    catch_up(store, live, READ_MODELS)
    values = [
        ("primary_profile_id", "not a uuid"),
        ("active_profile_id", 7),
        ("name", object()),
        ("name", "a\0b"),
        ("roles", [object()]),
        ("details", {1: object()}),
        ("version", 2**70),
        ("registered_at", "2020"),
    ]
    keys = ["not a uuid", 7, object()]
    wrong, fine = {uuid4(): value for value in values}, uuid4()
    lost: dict[UUID, Any] = {uuid4(): key for key in keys}
    for account in (*wrong, fine, *lost):
        dossier.execute(RegisterAccount(account_id=account), actor=OPERATOR)

    def evolve(rows: Rows, recorded: Recorded) -> Mapping[Key, Row | None]:
        after = accounts.MODEL.evolve(rows, recorded)
        column, value = wrong.get(recorded.stream, (None, None))
        return {key: {**(row or {}), column: value} for key, row in after.items()} if column else after

    def touches(recorded: Recorded) -> Iterable[Key]:
        return [(lost[recorded.stream],)] if recorded.stream in lost else accounts.MODEL.touches(recorded)

    catch_up(store, live, [replace(accounts.MODEL, evolve=evolve, touches=touches), *READ_MODELS[1:]])
    assert [row["account_id"] for row in live.fetch(accounts.MODEL) if row["account_id"] in {*wrong, fine}] == [fine]
    assert {stream for _, stream, *_ in letters(live)} == {*wrong, *lost}


def test_rows_of_several_records_that_break_a_constraint_are_named_with_it(
    dossier: Dossier, store: PostgresEventStore, live: PostgresReadStore
) -> None:
    account, first, second = uuid4(), uuid4(), uuid4()
    declared = IntentDeclared(account_id=account, context=Context.ROMANTIC, fields={"secret": "a secret"})
    for stream in (first, second):  # which no command would do
        store.append_bulk([NewEvent(stream, 1, declared, metadata(START))])
    catch_up(store, live, READ_MODELS)
    refused = "RowsRefused: UniqueViolation intents_account_id_context_key"
    assert letters(live) == [("intents", second, 1, refused, 1)]
    before, shadows = contents(live), PostgresShadows(live, store)
    with pytest.raises(RowsRefused) as raised:
        rebuild(store, live)
    assert contents(live) == before
    state = shadows.state()
    assert state is not None
    assert state.trouble == raised.value.message
    assert raised.value.message.startswith("intents: rows of several records break intents_account_id_context_key: ")
    assert set(raised.value.message.rpartition(": ")[2].split(", ")) == {str(first), str(second)}
    assert "dead-letters skip" in str(raised.value.hint)
    dossier.execute(SkipEvent(read_model="intents", stream=second, version=1, reason="r"), actor=OPERATOR)
    assert rebuild(store, live).swapped
    assert shadows.state() is None


def letters(live: PostgresReadStore) -> list[tuple[Any, ...]]:
    with live.pool.connection() as connection:
        query = sql.SQL("SELECT read_model, stream, version, error, attempts FROM {}").format(live.dead_letters)
        return connection.execute(query).fetchall()


def test_grants_outlive_a_swap_and_so_does_what_depends_on_the_tables(
    store: PostgresEventStore, live: PostgresReadStore
) -> None:
    with live.pool.connection() as connection:
        connection.execute("GRANT USAGE ON SCHEMA accounts TO PUBLIC; GRANT INSERT ON accounts.accounts TO PUBLIC")
        connection.execute("GRANT SELECT (status, name) ON accounts.accounts TO PUBLIC")
        connection.execute("CREATE VIEW public.report AS SELECT account_id FROM accounts.accounts")
        connection.execute("CREATE TABLE accounts.theirs (number int)")
    with capture_logs() as logs:
        for _ in range(2):
            rebuild(store, live, [accounts.MODEL])
    told = [(log["event"], log.get("views")) for log in logs]
    assert told == [("views_show_previous_tables", ["report"]), ("previous_tables_kept", None)]
    rights = (
        "SELECT nspacl::text, relacl::text, (SELECT string_agg(attname || attacl::text, ' ' ORDER BY attname)"
        " FROM pg_attribute WHERE attrelid = pg_class.oid AND attacl IS NOT NULL)"
        " FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace"
        " WHERE nspname = 'accounts' AND relname = 'accounts'"
    )
    with live.pool.connection() as connection:
        schema, table, columns = connection.execute(rights).fetchone() or ("", "", "")
        assert ",=U/" in schema
        assert ",=a/" in table
        assert columns.startswith("name{=r/")
        assert " status{=r/" in columns
        assert connection.execute("SELECT count(*) FROM public.report").fetchone()
        for what in ("VIEW public.report", "TABLE {}.theirs"):
            with pytest.raises(SchemaMismatch, match=r"depends on tables of before .*(view report|theirs) depends on"):
                PostgresShadows(live, store).drop_previous(READ_MODELS)
            (kept,) = schemas(live) - OURS
            connection.execute(f"DROP {what}".format(kept))
    assert PostgresShadows(live, store).drop_previous(READ_MODELS) == ["accounts"]
    assert schemas(live) == OURS


def test_a_part_that_another_process_still_fills_is_waited_for(
    store: PostgresEventStore, live: PostgresReadStore, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A helper outlives the rebuild that started it by the part it works on; when it dies, that part is open again."""
    play(store, opening(uuid4()))
    catch_up(store, live, READ_MODELS)
    before = contents(live)
    monkeypatch.setattr(shadow_module, "PART_EVENTS", 4)
    with (
        psycopg.connect(database_url) as orphan,
        psycopg.connect(database_url, autocommit=True) as watching,
        PostgresShadows(live, store, workers=1).begin(READ_MODELS) as shadow,
    ):
        orphan.execute("SELECT FROM next_projections.parts WHERE number = 1 FOR UPDATE")
        with pytest.raises(RunConflict, match="parts of the tables are not filled"):
            shadow.complete()

        def die_when_waited_for() -> None:
            waits = "SELECT 1 FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
            while not watching.execute(waits, [orphan.info.backend_pid]).fetchone():
                time.sleep(0.01)
            orphan.rollback()

        dying = threading.Thread(target=die_when_waited_for, daemon=True)
        dying.start()
        assert rebuild_shadow(store, shadow).swapped
        dying.join(timeout=10)
    assert contents(live) == before


KILLED = """
import sys, time
import adapters.postgres.shadow, projections.rebuild
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.pool import open_pool
from adapters.postgres.read_store import PostgresReadStore
from adapters.postgres.shadow import PostgresShadows
from projections.all import READ_MODELS
from tests.support.sealing import master

def stay(*_, **__):
    print("there", flush=True)
    time.sleep(60)

adapters.postgres.shadow.PART_EVENTS = 4
pool = open_pool(sys.argv[1])
scans = 0

class Slow(PostgresEventStore):
    def scan(self, *part):
        global scans
        scans += 1
        yield from super().scan(*part)
        if sys.argv[2] == "scan" and scans == 2:
            stay()

store = Slow(pool, master=master())
if sys.argv[2] == "swap":
    projections.rebuild.catch_up = stay
with PostgresShadows(PostgresReadStore(pool), store, workers=1).begin(READ_MODELS) as shadow:
    projections.rebuild.rebuild(store, shadow)
"""


@pytest.mark.parametrize("place", ["scan", "swap"])
def test_a_killed_rebuild_is_in_nobodys_way_and_goes_on_where_it_was(
    store: PostgresEventStore, live: PostgresReadStore, database_url: str, place: str
) -> None:
    for _ in range(3):
        play(store, opening(uuid4()))
    catch_up(store, live, READ_MODELS)
    before, shadows = contents(live), PostgresShadows(live, store)
    command = [sys.executable, "-c", KILLED, database_url, place]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"there\n"
        process.send_signal(signal.SIGKILL)
    assert contents(live) == before
    state = shadows.state()
    assert state is not None
    assert state.stage == ("fill" if place == "scan" else "catch_up")
    assert 0 < state.events < state.head if place == "scan" else state.events
    scanned = []

    class Counted(PostgresEventStore):
        def scan(self, *part: Any) -> Any:
            scanned.append(part)
            return super().scan(*part)

    with shadows.resume() as shadow:
        done = rebuild_shadow(Counted(store.pool, master=master()), shadow)
    assert bool(scanned) == (place == "scan")
    assert done.events == sum(1 for _ in store.scan(state.head))
    assert not any(comparison.differing for comparison in done.comparisons)
    assert contents(live) == before
    assert schemas(live) == OURS | PREVIOUS_ONES
