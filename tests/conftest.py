"""Fixtures: one PostgreSQL server for the whole run, one database for each test module, made from a template."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import structlog
from hypothesis import HealthCheck, settings
from psycopg import sql
from psycopg.conninfo import make_conninfo
from structlog.testing import capture_logs

from adapters.postgres.embedded import EmbeddedPostgres
from adapters.postgres.embedded_host import choose_home
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.pool import open_pool
from domain.service import Dossier
from tests.support.application import application_at
from tests.support.sealing import MASTER_TEXT

settings.register_profile(
    "dossier", deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("dossier")

RUN = os.environ.setdefault("TEST_RUN_OF_DOSSIER", uuid4().hex[:12])  # the workers inherit it
EXTERNAL = os.environ.get("DOSSIER_DATABASE_URL")
# Nothing here outlives the run, and visits to hundreds of small databases would keep a core busy.
QUICK = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}
os.environ["DOSSIER_MASTER_KEY"] = MASTER_TEXT  # the command line seals as the applications of other tests do


def _home() -> Path:
    """A short path every user may pass through, the same for all workers of one run."""
    return choose_home(Path(tempfile.gettempdir()) / f"dossier-test-{RUN}")[0]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Forget how a command of the test logs: its standard error is closed when the test is over."""
    yield
    structlog.reset_defaults()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the server when the last worker is done."""
    if hasattr(session.config, "workerinput") or EXTERNAL or not (home := _home()).exists():
        return
    with capture_logs():
        EmbeddedPostgres(home).stop()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def server_url() -> str:
    """URL of the server's maintenance database, for a role that may create databases."""
    if EXTERNAL:
        return EXTERNAL
    return EmbeddedPostgres(_home(), settings=QUICK).ensure_running()


@pytest.fixture(scope="session")
def template(server_url: str) -> str:
    """Name of a template database that holds an empty store and the empty tables of all read models."""
    name = f"dossier_template_{RUN}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [name])
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
            with application_at(make_conninfo(server_url, dbname=name)):
                pass
        connection.execute("SELECT pg_advisory_unlock_all()")
    return name


@pytest.fixture(scope="session")
def make_database(server_url: str, template: str) -> Iterator[object]:
    """A function that makes a database of the template (or another) and returns its URL; all go at the end."""
    made: list[str] = []

    def make(of: str = template) -> str:
        name = f"dossier_{RUN}_{uuid4().hex[:12]}"
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(of))
            )
        made.append(name)
        return make_conninfo(server_url, dbname=name)

    yield make
    if not EXTERNAL:
        return  # they go with the server
    with psycopg.connect(server_url, autocommit=True) as connection:
        for name in made:
            _drop(connection, name)


def _drop(connection: psycopg.Connection[tuple[object, ...]], name: str) -> None:
    """Drop a database; an autovacuum worker in it, which only a superuser may end, is soon done by itself."""
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    for _ in range(20):
        with suppress(psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse):
            connection.execute(statement)
            return
        time.sleep(0.1)


@pytest.fixture(scope="module")
def database_url(make_database) -> str:  # type: ignore[no-untyped-def]
    """URL of this module's own database, initialised and empty at its start."""
    return str(make_database())


@pytest.fixture(scope="module")
def store(database_url: str) -> Iterator[PostgresEventStore]:
    """The event store of this module's database."""
    pool = open_pool(database_url)
    yield PostgresEventStore(pool)
    pool.close()


@pytest.fixture
def dossier(store: PostgresEventStore) -> Dossier:
    """The command API over this module's store, on the real clock."""
    return Dossier(store, lambda: datetime.now(UTC), uuid4)
