"""What is read of people: by whom, in which order, by which index, and what SQL by hand sees."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.bootstrap import Application
from adapters.postgres.embedded import READER
from adapters.postgres.people_queries import PeopleQueries, ProfileFilters
from adapters.postgres.pool import open_pool
from adapters.postgres.read_store import PostgresReadStore
from adapters.postgres.readers import Readers
from domain.access import Actor, Permissions, Role
from domain.account import DeactivateAccount, GrantRole, RegisterAccount
from domain.contexts import Context
from domain.intent import DeclareIntent
from domain.profile import ArchiveProfile, CreateProfile, UpdateProfile
from projections.all import READ_MODELS
from tests.support.application import application_at
from tests.support.case_world import OPERATOR, World, populated


class People(NamedTuple):
    """Ada and Bea with a profile each, and an admin."""

    app: Application
    ada: UUID
    bea: UUID
    admin: UUID
    ada_profile: UUID
    bea_profile: UUID

    def asks(self, account: UUID | None) -> PeopleQueries:
        return self.app.people(Actor.of_account(account) if account else OPERATOR)

    def permissions(self, account: UUID) -> Permissions:
        return self.app.dossier.permissions(Actor.of_account(account))


@pytest.fixture(scope="module")
def app(database_url: str) -> Iterator[Application]:
    with application_at(database_url) as opened:
        yield opened


@pytest.fixture(scope="module")
def people(app: Application) -> People:
    found = People(app, *(uuid4() for _ in range(5)))
    for account in (found.ada, found.bea, found.admin):
        app.dossier.execute(RegisterAccount(account_id=account, email=f"{account}@x.org"), actor=OPERATOR)
    app.dossier.execute(GrantRole(account_id=found.admin, role=Role.ADMIN), actor=OPERATOR)
    for account, profile, fields in (
        (found.ada, found.ada_profile, {"name": "Ada Åström", "location": "Lisbon", "core_values": ["calm", "ballet"]}),
        (found.bea, found.bea_profile, {"name": "Bea", "location": "Åstrom street, Porto"}),
    ):
        create = CreateProfile(account_id=account, profile_id=profile, kind="personal", fields=fields)
        app.dossier.execute(create, actor=OPERATOR)
        app.dossier.execute(
            DeclareIntent(account_id=account, context=Context.SERVICE, fields={"service_type": "offering"}),
            actor=OPERATOR,
        )
    app.catch_up()
    return found


def _ids(rows: list[dict[str, Any]]) -> list[UUID]:
    return [row["profile_id"] for row in rows]


# --- whose questions are answered ----------------------------------------------------------------------------------


def test_an_account_comes_with_its_active_profile(people: People) -> None:
    found = people.asks(people.ada).account(people.ada)
    assert found is not None
    assert (found[0]["account_id"], found[1] and found[1]["profile_id"]) == (people.ada, people.ada_profile)
    assert people.asks(None).account(people.admin) is not None
    assert people.asks(people.ada).account(people.bea) is None
    assert people.asks(None).account(uuid4()) is None


def test_everybody_finds_their_own_and_an_admin_all(people: People) -> None:
    everything = ProfileFilters("personal")
    assert _ids(people.asks(people.ada).profiles(everything, 10)) == [people.ada_profile]
    assert set(_ids(people.asks(people.admin).profiles(everything, 10))) >= {people.ada_profile, people.bea_profile}
    assert _ids(people.asks(people.bea).profiles_of(people.ada)) == []
    assert _ids(people.asks(people.admin).profiles_of(people.ada)) == [people.ada_profile]
    assert len(people.asks(people.ada).intents("service", 10)) == 1
    assert len(people.asks(None).intents("service", 10, fields={"service_type": "offering"})) == 2
    assert people.asks(None).intents("service", 10, fields={"service_type": "seeking"}) == []
    assert people.asks(uuid4()).profiles(everything, 10) == []


def test_somebody_who_is_deactivated_finds_nothing(people: People) -> None:
    gone, profile = uuid4(), uuid4()
    people.app.dossier.execute(RegisterAccount(account_id=gone), actor=OPERATOR)
    people.app.dossier.execute(CreateProfile(account_id=gone, profile_id=profile, kind="personal"), actor=OPERATOR)
    people.app.catch_up()
    assert _ids(people.asks(gone).profiles_of(gone)) == [profile]
    people.app.dossier.execute(DeactivateAccount(account_id=gone, reason="asked"), actor=OPERATOR)
    people.app.catch_up()
    assert people.asks(gone).profiles_of(gone) == []


def test_one_connection_is_enough_to_ask_as_somebody_for_the_first_time(people: People, database_url: str) -> None:
    with open_pool(database_url, size=1) as pool:
        pool.timeout = 1.0
        asks = PeopleQueries(PostgresReadStore(pool), Readers(pool), people.permissions(people.ada))
        assert _ids(asks.profiles_of(people.ada)) == [people.ada_profile]


# --- what is found -------------------------------------------------------------------------------------------------


def test_a_search_ranks_by_the_field_and_ignores_case_and_accents(people: People) -> None:
    found = people.asks(None).search("personal", "ASTROM", 10)
    assert [hit.row["profile_id"] for hit in found] == [people.ada_profile, people.bea_profile], "a name tells more"
    first = people.asks(None).search("personal", "astrom", 1)
    rest = people.asks(None).search("personal", "astrom", 10, (first[0].rank, first[0].row["profile_id"]))
    assert [hit.row["profile_id"] for hit in (*first, *rest)] == [people.ada_profile, people.bea_profile]
    assert people.asks(None).search("personal", "astrom -lisbon", 10)[0].row["profile_id"] == people.bea_profile
    assert people.asks(people.bea).search("personal", "ballet", 10) == []
    assert people.asks(None).search("personal", "!!! ( ' ", 10) == []


def test_a_search_follows_changes_and_leaves_archived_profiles_out(people: People) -> None:
    account, profile = uuid4(), uuid4()
    execute, asks = people.app.dossier.execute, people.asks(None)
    execute(RegisterAccount(account_id=account), actor=OPERATOR)
    fields = {"name": "quokka", "location": "x" * 200_000 + " wombat"}
    execute(CreateProfile(account_id=account, profile_id=profile, kind="personal", fields=fields), actor=OPERATOR)
    people.app.catch_up()
    assert len(asks.search("personal", "quokka", 10)) == 1
    execute(UpdateProfile(profile_id=profile, changes={"name": "numbat"}), actor=OPERATOR)
    people.app.catch_up()
    assert (len(asks.search("personal", "quokka", 9)), len(asks.search("personal", "numbat", 9))) == (0, 1)
    execute(ArchiveProfile(account_id=account, profile_id=profile, reason="so"), actor=OPERATOR)
    people.app.catch_up()
    assert asks.search("personal", "numbat", 10) == []
    assert profile in _ids(asks.profiles(ProfileFilters("personal", archived=True), 10))


def test_profiles_are_filtered_and_paged(people: People) -> None:
    asks = people.asks(None)
    assert _ids(asks.profiles(ProfileFilters("personal", {"core_values": ["ballet"]}), 10)) == [people.ada_profile]
    assert people.bea_profile not in _ids(asks.profiles(ProfileFilters("personal", at_least=100), 10))
    assert asks.profiles(ProfileFilters("personal", verification="verified"), 10) == []
    whole, paged, after = _ids(asks.profiles(ProfileFilters("personal"), 100)), [], None
    while page := _ids(asks.profiles(ProfileFilters("personal", after=after), 1)):
        paged += page
        after = page[-1]
    assert paged == whole == sorted(whole)


def test_profiles_of_an_account_are_paged_the_oldest_first(people: People) -> None:
    account, first, second = (uuid4() for _ in range(3))
    people.app.dossier.execute(RegisterAccount(account_id=account), actor=OPERATOR)
    for profile, kind in ((first, "dancer"), (second, "choreographer")):
        people.app.dossier.execute(CreateProfile(account_id=account, profile_id=profile, kind=kind), actor=OPERATOR)
    people.app.catch_up()
    asks = people.asks(account)
    (oldest,) = asks.profiles_of(account, 1)
    assert oldest["profile_id"] == first
    rest = asks.profiles_of(account, after=(oldest["created_at"], first))
    assert (_ids(rest), asks.profiles_of(account, after=(rest[0]["created_at"], second))) == ([second], [])


# --- SQL by hand ----------------------------------------------------------------------------------------------------


@pytest.fixture
def by_hand(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the reader's role, as by hand: it can name a session, and nothing else."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"SET ROLE {READER}")
        yield connection


def _say(connection: psycopg.Connection[Any], secret: str) -> None:
    connection.execute("SELECT set_config('dossier.session', %s, false)", [secret])


TABLES: Final = sorted(model.name for model in READ_MODELS)


def test_every_table_says_who_reads_it(app: Application) -> None:
    with app.pool.connection() as connection:
        found = connection.execute(
            "SELECT relname FROM pg_class JOIN pg_policy ON polrelid = pg_class.oid WHERE relrowsecurity"
            " AND relnamespace::regnamespace::text = relname"
        ).fetchall()
    assert sorted(name for (name,) in found) == TABLES


def test_without_a_session_nothing_is_seen(people: People, by_hand: psycopg.Connection[Any]) -> None:
    for secret in ("", "guess", str(people.ada)):
        _say(by_hand, secret)
        for table in TABLES:
            assert by_hand.execute(f"SELECT count(*) FROM {table}.{table}").fetchone() == (0,), table


def test_sql_by_hand_sees_what_its_actor_may(people: People, by_hand: psycopg.Connection[Any]) -> None:
    _say(by_hand, people.app.readers.admit(Actor.of_account(people.ada)))
    assert by_hand.execute("SELECT account_id FROM accounts.accounts").fetchall() == [(people.ada,)]
    assert by_hand.execute("SELECT profile_id FROM profiles.profiles").fetchall() == [(people.ada_profile,)]
    assert by_hand.execute("SELECT account_id FROM intents.intents").fetchall() == [(people.ada,)]
    assert by_hand.execute("SELECT count(*) FROM legacy_ids.legacy_ids").fetchone() == (0,)
    _say(by_hand, people.app.readers.admit(Actor.of_account(people.admin)))
    count = by_hand.execute("SELECT count(*) FROM accounts.accounts").fetchone()
    assert count is not None
    assert count[0] > 2


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM store.stored_events",
        "SELECT * FROM reader.sessions",
        "INSERT INTO reader.sessions VALUES ('', NULL, now())",
        "UPDATE accounts.accounts SET email = 'x'",
        "DELETE FROM profiles.profiles",
        "CREATE TABLE accounts.mine (x int)",
        "ALTER TABLE accounts.accounts DISABLE ROW LEVEL SECURITY",
    ],
)
def test_a_reader_only_reads(people: People, by_hand: psycopg.Connection[Any], statement: str) -> None:
    _say(by_hand, people.app.readers.admit(OPERATOR))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        by_hand.execute(statement)


def test_a_session_ends(people: People, by_hand: psycopg.Connection[Any]) -> None:
    _say(by_hand, people.app.readers.admit(OPERATOR, timedelta(seconds=-1)))
    assert by_hand.execute("SELECT count(*) FROM accounts.accounts").fetchone() == (0,)


def test_members_see_the_cases_of_their_company_by_hand(
    people: People, database_url: str, by_hand: psycopg.Connection[Any]
) -> None:
    world: World = populated(people.app)
    people.app.catch_up()
    _say(by_hand, people.app.readers.admit(Actor.of_account(world.client)))
    seen = {case for (case,) in by_hand.execute("SELECT case_id FROM cases.cases")}
    assert {world.case, world.collective_case} <= seen
    assert not {world.other_case, world.other_collective_case} & seen
    owners = {owner for (owner,) in by_hand.execute("SELECT DISTINCT owner_id FROM status_history.status_history")}
    assert owners <= seen
    assert by_hand.execute("SELECT company_id FROM companies.companies").fetchall() == [(world.company,)]
    assert by_hand.execute("SELECT collective_id FROM collectives.collectives").fetchall() == [(world.collective,)]
    assert by_hand.execute("SELECT DISTINCT company_id FROM company_members.company_members").fetchall() == [
        (world.company,)
    ]


def test_a_statement_sees_the_same_rows_before_across_and_after_a_swap(
    people: People, by_hand: psycopg.Connection[Any]
) -> None:
    """Across one is a cursor: its snapshot is of before, and what the policies ask runs when the rows are fetched."""
    world = populated(people.app)
    people.app.dossier.execute(
        CreateProfile(account_id=world.client, profile_id=uuid4(), kind="personal"), actor=OPERATOR
    )
    people.app.catch_up()
    _say(by_hand, people.app.readers.admit(Actor.of_account(world.client)))

    def counted() -> dict[str, Any]:
        return {table: by_hand.execute(f"SELECT count(*) FROM {table}.{table}").fetchone() for table in TABLES}

    at_rest = counted()
    assert {table for table, count in at_rest.items() if count != (0,)} >= {
        *("accounts", "profiles", "cases", "collectives", "companies", "company_members", "status_history")
    }
    with by_hand.transaction():
        for table in TABLES:
            by_hand.execute(f"DECLARE of_{table} CURSOR FOR SELECT count(*) FROM {table}.{table}")
        people.app.rebuild(READ_MODELS)
        assert {table: by_hand.execute(f"FETCH of_{table}").fetchone() for table in TABLES} == at_rest
    assert counted() == at_rest
    assert _ids(people.asks(people.bea).profiles_of(people.bea)) == [people.bea_profile]
