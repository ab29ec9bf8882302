"""Databases of released versions, brought up to this one. Files of `tests/releases` are added and never change."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from adapters.bootstrap import Application, utc_now
from adapters.postgres import read_store, store_schema
from adapters.postgres.embedded import READER
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.pool import open_pool
from adapters.postgres.read_store import PostgresReadStore
from adapters.postgres.schema_migrations import changes
from domain.access import Actor
from domain.account import ChangeContact
from domain.errors import SchemaMismatch
from domain.service import Dossier
from projections.all import READ_MODELS
from projections.rebuild import rebuild

RELEASES = sorted((Path(__file__).parents[1] / "releases").glob("*.sql.gz"))
ACCOUNT = UUID(int=1)


@pytest.fixture(params=RELEASES, ids=lambda path: path.name.removesuffix(".sql.gz"))
def released(
    request: pytest.FixtureRequest, server_url: str, make_database: Callable[..., str]
) -> Iterator[Application]:
    """The application over a database as the release left it."""
    url = make_database("template0")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(gzip.decompress(request.param.read_bytes()))
    pool = open_pool(url)
    events = PostgresEventStore(pool)
    yield Application(pool, Dossier(events, utc_now, events_id), events, PostgresReadStore(pool))
    pool.close()


def events_id() -> UUID:
    return UUID(int=99)


def test_there_is_a_file_of_every_release() -> None:
    assert [path.name for path in RELEASES] == ["0.1.0.sql.gz"]


def test_functions_that_changed_since_a_release_have_a_number_it_does_not_know(released: Application) -> None:
    """Else that release would put its own over them again: add a numbered change, of a comment alone if need be."""
    made = {("store", "store"): store_schema._FINGERPRINT, ("reader", "projections"): read_store._READER_DEFINITION}
    with released.pool.connection() as connection:
        for (schema, area), definition in made.items():
            query = "SELECT obj_description(to_regnamespace(%s), 'pg_namespace'), to_regclass(%s) IS NOT NULL"
            row = connection.execute(query, [schema, f"{area}.migrations"]).fetchone()
            assert row is not None
            count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(area, "migrations"))
            (known,) = (connection.execute(count).fetchone() or (0,)) if row[1] else (0,)
            assert row[0] == definition or len(changes(area)) > known, schema


def test_a_database_of_a_release_is_brought_up_to_this_one(released: Application) -> None:
    app = released
    versions = {name: at.version for name, at in app.reads.progressed().items()}
    with pytest.raises(SchemaMismatch):
        app.catch_up()
    app.migrate()
    app.migrate()
    outdated = app.outdated()
    assert {model.name for model in outdated} == {
        model.name for model in READ_MODELS if versions.get(model.name) != model.version
    }
    if outdated:
        app.rebuild(outdated)
    app.initialise()
    with app.pool.connection() as connection, connection.transaction():  # also tables that are as they were are guarded
        connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(READER)))
        for model in READ_MODELS:
            count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(model.name, model.name))
            assert connection.execute(count).fetchone() == (0,), model.name
    app.catch_up()
    done = app.rebuild()  # every event that was ever stored is read and folded
    assert done.events == len(app.events.read(0, 10_000)) == app.events.head()
    assert {comparison.read_model for comparison in done.comparisons} == {model.name for model in READ_MODELS}
    assert not any(comparison.differing for comparison in done.comparisons)
    with app.pool.connection() as connection:
        assert connection.execute(sql.SQL("SELECT * FROM {}").format(app.reads.dead_letters)).fetchall() == []
    app.dossier.execute(ChangeContact(account_id=ACCOUNT, name="Augusta"), actor=Actor.operator())
    app.catch_up()
    assert [row["name"] for row in app.reads.fetch(READ_MODELS[0], account_id=ACCOUNT)] == ["Augusta"]


def test_what_the_tables_of_a_release_said_they_still_say(released: Application) -> None:
    app = released
    before = rows(app)
    app.migrate()
    with app.shadows().begin(READ_MODELS) as shadow:
        rebuild(app.log, shadow)
    after = rows(app)
    assert before.keys() <= after.keys()
    for name, tables in before.items():
        assert tables.keys() == after[name].keys(), name
        for key, row in tables.items():
            now = after[name][key]
            assert {column: value for column, value in now.items() if column in row} == {
                column: value for column, value in row.items() if column in now
            }, (name, key)


def rows(app: Application) -> dict[str, dict[Any, dict[str, Any]]]:
    """Return what the tables hold, by name and key, with the columns they have."""
    found: dict[str, dict[Any, dict[str, Any]]] = {}
    with app.pool.connection() as connection:
        there = [model for model in READ_MODELS if model.name in app.reads.progress(connection)]
        for model in there:
            query = sql.SQL("SELECT to_jsonb(kept) FROM {} AS kept").format(sql.Identifier(model.name, model.name))
            each = [row for (row,) in connection.execute(query)]
            found[model.name] = {tuple(row[name] for name in model.key): row for row in each}
    return found


def test_a_release_that_knows_fewer_changes_leaves_the_store_alone(
    released: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    released.migrate()
    with released.pool.connection() as connection:
        connection.execute("INSERT INTO store.migrations (number, name) VALUES (9999, 'of a later release')")
        connection.execute("COMMENT ON SCHEMA store IS 'of a later release'")
    with pytest.raises(SchemaMismatch, match="9999"):
        released.migrate()
