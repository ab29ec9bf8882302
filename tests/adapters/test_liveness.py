"""What a server does for, and expects of, connections whose other end may be gone; on defaults that are not ours."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import Connection

from adapters.bootstrap import Application
from adapters.postgres import liveness
from adapters.postgres.locks import holding
from adapters.postgres.notifications import Notifications
from domain.access import Actor
from domain.account import RegisterAccount
from domain.errors import StoreError
from projections.all import READ_MODELS
from tests.support.application import application_at

WATCHED = {
    "client_connection_check_interval": "5000",
    "tcp_keepalives_count": "session",
    "tcp_keepalives_idle": "session",
    "tcp_keepalives_interval": "session",
    "tcp_user_timeout": "session",
}


@pytest.fixture(scope="module")
def url(make_database: Callable[[], str], server_url: str) -> str:
    url = make_database()
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    return url


@pytest.fixture(scope="module")
def app(url: str) -> Iterator[Application]:
    with application_at(url) as opened:
        yield opened


def watched(connection: Connection[Any]) -> dict[str, str]:
    """Return what is set of these; those of TCP read as 0 on a Unix socket, though they are."""
    query = (
        "SELECT name, CASE WHEN name LIKE 'tcp%%' THEN source ELSE setting END FROM pg_settings WHERE name = ANY(%s)"
    )
    return dict(connection.execute(query, [list(WATCHED)]).fetchall())


def test_a_server_looks_after_clients_that_may_be_gone(app: Application, url: str) -> None:
    with holding(url, "test") as locks, app.pool.connection() as connection:
        assert watched(locks.connection) == watched(connection) == WATCHED
        for one, gone in ((locks.connection, "11000"), (connection, "60000")):
            here = one.info.get_parameters()
            assert (here["keepalives_idle"], here["tcp_user_timeout"]) == ("5", gone)
    with Notifications(url) as notifications:
        assert notifications._connection
        assert notifications._connection.info.get_parameters()["tcp_user_timeout"] == "11000"


def test_catching_up_beside_others_reads_what_they_committed(app: Application) -> None:
    app.dossier.execute(RegisterAccount(account_id=uuid4()), actor=Actor.operator())
    reached: list[int] = []
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    other = threading.Thread(target=lambda: reached.append(app.catch_up()))
    with app.reads.batch() as transaction, app.pool.connection() as connection:
        other.start()
        while connection.execute(waiting).fetchone() == (0,):
            time.sleep(0.01)
        transaction.advance(READ_MODELS, app.events.head())
    other.join()
    assert reached == [app.events.head()]


def test_who_was_stopped_in_the_middle_of_a_batch_does_not_hold_up_the_others(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hung() -> None:
        with app.reads.batch() as transaction:
            time.sleep(0.4)
            transaction.positions(READ_MODELS)

    monkeypatch.setattr(liveness, "HUNG_AFTER", 0.1)
    with pytest.raises(StoreError, match="IdleInTransaction"):
        hung()
    app.catch_up()
