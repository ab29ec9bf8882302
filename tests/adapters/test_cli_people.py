"""`dossier profiles`, `search`, `intents` and `db reader-url`, as a user types them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from adapters.postgres.embedded import EmbeddedPostgres
from domain.account import RegisterAccount
from domain.contexts import Context
from domain.intent import DeclareIntent
from domain.profile import CreateProfile
from tests.adapters.test_cli import cli, fine
from tests.conftest import EXTERNAL, _home
from tests.support.application import application_at
from tests.support.case_world import OPERATOR, only_this_database

ADA, BEA, ADA_PROFILE, BEA_PROFILE = (uuid4() for _ in range(4))


@pytest.fixture(scope="module", autouse=True)
def _people(database_url: str) -> Iterator[None]:
    with only_this_database(database_url), application_at(database_url) as app:
        for account, profile, name in ((ADA, ADA_PROFILE, "Ada"), (BEA, BEA_PROFILE, "Béa")):
            fields: Any = {"name": name, "core_values": ["calm", name]}
            for command in (
                RegisterAccount(account_id=account),
                CreateProfile(account_id=account, profile_id=profile, kind="personal", fields=fields),
                DeclareIntent(account_id=account, context=Context.SERVICE, fields={"service_type": "offering"}),
            ):
                app.dossier.execute(command, actor=OPERATOR)
        yield


def test_profiles_are_listed_page_by_page() -> None:
    first = fine("profiles", "personal", "--limit", 1)
    second = fine("profiles", "personal", "--limit", 1, "--after", first["next"])
    found = [row["profile_id"] for page in (first, second) for row in page["profiles"]]
    assert (sorted(found), second["next"]) == (sorted([str(ADA_PROFILE), str(BEA_PROFILE)]), None)
    narrowed = fine("profiles", "personal", "--where", "core_values=calm", "--where", "core_values=Ada")
    assert [row["profile_id"] for row in narrowed["profiles"]] == [str(ADA_PROFILE)]
    assert fine("profiles", "personal", "--complete", 100)["profiles"] == []


def test_a_search_is_for_those_who_may_read_what_it_finds() -> None:
    assert [row["account_id"] for row in fine("search", "personal", "bea")["profiles"]] == [str(BEA)]
    assert fine("search", "personal", "bea", "--actor", ADA)["profiles"] == []
    both = fine("search", "personal", "calm", "--limit", 1)
    assert len(fine("search", "personal", "calm", "--after", both["next"])["profiles"]) == 1


def test_intents_are_listed_by_context() -> None:
    assert len(fine("intents", "service", "--where", "service_type=offering")["intents"]) == 2
    assert [row["account_id"] for row in fine("intents", "service", "--actor", ADA)["intents"]] == [str(ADA)]
    assert fine("intents", "romantic")["intents"] == []


@pytest.mark.parametrize(
    "words",
    [
        ("profiles", "personal", "--where", "shoe=1"),
        ("profiles", "personal", "--where", "beliefs=not json"),
        ("search", "personal", "x", "--after", "first"),
        ("intents", "elsewhere"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(words: tuple[str, ...]) -> None:
    assert cli(*words).code == 2


@pytest.mark.skipif(EXTERNAL is not None, reason="the reader's role logs in to the embedded server")
def test_a_url_for_sql_by_hand_sees_what_its_actor_may(database_url: str) -> None:
    made = fine("db", "reader-url", "--actor", ADA)
    shown = made["url"]
    options = psycopg.conninfo.conninfo_to_dict(shown)["options"]
    database = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    reader = EmbeddedPostgres(_home()).reader_url()
    with psycopg.connect(reader, dbname=database, options=options, autocommit=True) as connection:
        assert connection.execute("SELECT account_id FROM accounts.accounts").fetchall() == [(ADA,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET ROLE dossier")
        with psycopg.connect(reader, dbname=database, options=options) as other:
            other.execute("SELECT account_id FROM accounts.accounts WHERE email = 'somebody@example.org'")
            query = "SELECT query FROM pg_stat_activity WHERE pid = %s"
            seen = connection.execute(query, [other.info.backend_pid]).fetchone()
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                other.execute("SET track_activities = on")
    assert (made["activity_hidden"], seen) == (True, ("",))
    with psycopg.connect(reader, dbname=database) as connection:
        assert connection.execute("SELECT account_id FROM accounts.accounts").fetchall() == []
    assert "DOSSIER_DATABASE_URL" in os.environ
