"""The read models on the command line: how they are, what halts them, rebuilt, upgraded, followed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.bootstrap import Application, utc_now
from adapters.postgres.followers import Follower
from adapters.postgres.mapper import UPCASTERS, canonical_json
from domain.access import Actor
from domain.account import RegisterAccount
from domain.service import Dossier
from projections.all import READ_MODELS
from tests.adapters.test_cli import cli, fine, refused
from tests.support.application import application_at
from tests.support.case_world import only_this_database

NAMES = [model.name for model in READ_MODELS]
FOLLOW = [sys.executable, "-c", "from adapters.cli.main import main; main()", "projections", "follow"]


@pytest.fixture(scope="module", autouse=True)
def _environment(database_url: str) -> Iterator[None]:
    with only_this_database(database_url):
        yield


@pytest.fixture(scope="module")
def app(database_url: str) -> Iterator[Application]:
    with application_at(database_url) as opened:
        yield opened


def register(**fields: str) -> UUID:
    account = uuid4()
    fine("execute", "RegisterAccount", "--data", json.dumps({"account_id": str(account), **fields}))
    return account


def found(*arguments: object) -> Any:
    """Run with --json, demand that there are findings and return the document."""
    result = cli(*arguments, "--json")
    assert result.code == 1, result
    return result.json


def come_up(app: Application) -> None:
    """Bring tables and tree up to the log, as a follower would."""
    app.catch_up()
    app.audit.catch_up()


def states(status: Any) -> dict[str, str]:
    return {model["name"]: model["state"] for model in status["read_models"] if model["state"] != "current"}


def test_a_table_that_does_not_get_on_is_never_called_healthy(app: Application) -> None:
    register()
    come_up(app)
    status = fine("projections", "status")
    assert status["healthy"]
    assert (states(status), status["rebuild"]) == ({}, None)
    register()
    behind = fine("projections", "status", "--stalled-after", 60)
    assert set(states(behind).values()) == {"behind"}
    assert all(0 <= model["seconds_behind"] < 60 for model in behind["read_models"])
    time.sleep(0.2)
    stalled = found("projections", "status", "--stalled-after", 0.1)
    assert (set(states(stalled).values()), stalled["healthy"]) == ({"stalled"}, False)
    result = cli("projections", "status", "--stalled-after", "0.1")
    assert result.code == 1
    assert "Next: `dossier projections follow`" in result.out
    app.catch_up()
    assert states(found("projections", "status", "--stalled-after", 0.1)) == {"audit_tree": "stalled"}
    ahead = Dossier(app.events, lambda: utc_now() + timedelta(minutes=10), uuid4)
    ahead.execute(RegisterAccount(account_id=uuid4()), actor=Actor.operator())
    time.sleep(0.2)
    stalled = found("projections", "status", "--stalled-after", 0.1)
    assert {model["seconds_behind"] for model in stalled["read_models"] if model["name"] != "audit_tree"} == {0}
    assert set(states(stalled).values()) == {"stalled"}  # whatever the clock of who wrote it says
    with Follower(app.reads, READ_MODELS) as follower:
        assert follower.mine()
        with app.pool.connection() as connection:
            connection.execute("UPDATE projections.positions SET updated_at = now() - interval '1 h'")
        assert states(found("projections", "status", "--stalled-after", 60))["accounts"] == "stalled"
        follower.worked(0)  # a quiet log for an hour: its first event has only come
        assert states(cli("projections", "status", "--stalled-after", "60", "--json").json)["accounts"] == "behind"
    app.catch_up()
    app.audit.catch_up()
    assert fine("projections", "status", "--stalled-after", 0)["healthy"]
    with app.pool.connection() as connection:
        connection.execute("ALTER TABLE audit.tree RENAME TO away")
        missing = found("projections", "status")
        connection.execute("ALTER TABLE audit.away RENAME TO tree")
    assert states(missing) == {"audit_tree": "missing"}


def test_rebuilding_dry_resumed_aborted_and_in_place(app: Application) -> None:
    account = register(name="right")
    come_up(app)
    with app.pool.connection() as connection:
        connection.execute("UPDATE accounts.accounts SET name = 'wrong' WHERE account_id = %s", [account])
    dry = found("projections", "rebuild", "--dry-run")
    (table,) = [one for one in dry["comparisons"] if one["differing"]]
    assert table["differences"] == [{"kind": "changed", "key": {"account_id": str(account)}, "columns": ["name"]}]
    assert fine("projections", "status")["rebuild"]["state"] == "ready"
    assert "wrong" not in cli("projections", "resume", "--dry-run").out
    assert fine("show", "account", account)["name"] == "wrong"
    assert fine("projections", "abort") == {"aborted": True}
    assert fine("projections", "abort") == {"aborted": False}
    assert refused("projections", "resume")[1]["code"] == "not_found"
    assert fine("projections", "rebuild", "--only", account)["dead_letters"] == []
    assert fine("show", "account", account)["name"] == "right"
    assert cli("projections", "rebuild", "--dry-run").code == 0
    done = fine("projections", "resume")
    assert (done["swapped"], done["models"]) == (True, NAMES)
    assert sorted(fine("projections", "status")["previous"]) == sorted(NAMES)
    assert sorted(fine("projections", "drop-previous")["dropped"]) == sorted(NAMES)
    assert cli("projections", "rebuild", "--only", account, "--dry-run").code == 2


def test_an_upgrade_is_prepared_beside_the_old_and_swapped_at_deploy(app: Application) -> None:
    register()
    come_up(app)
    assert fine("projections", "upgrade") == {"models": [], "swapped": False}
    with app.pool.connection() as connection:
        connection.execute("UPDATE projections.positions SET version = 99 WHERE read_model IN ('accounts', 'intents')")
    assert fine("db", "migrate")["outdated"] == ["accounts", "intents"]
    assert refused("show", "account", uuid4())[1]["code"] == "schema_mismatch"
    prepared = fine("projections", "upgrade", "--prepare")
    assert (prepared["models"], prepared["swapped"], prepared["comparisons"]) == (["accounts", "intents"], False, [])
    assert states(found("projections", "status")) == {"accounts": "outdated", "intents": "outdated"}
    register()
    done = fine("projections", "upgrade")
    assert (done["events"], done["swapped"]) == (prepared["events"], True)
    assert done["position"] == app.events.head()
    come_up(app)
    assert fine("projections", "status")["healthy"]


def test_one_follows_and_another_takes_over_when_it_dies(app: Application) -> None:
    def owner() -> str | None:
        owners = {model["owner"] for model in json.loads(cli("projections", "status", "--json").out)["read_models"]}
        return owners.pop() if len(owners) == 1 else None

    followers = [subprocess.Popen(FOLLOW, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        first_lines = [follower.stdout.readline() for follower in followers if follower.stdout]
        leader = 0 if first_lines[0].startswith("Following") else 1
        assert first_lines[1 - leader].startswith("Standing by")
        wait_until(lambda: str(owner()).endswith(f":{followers[leader].pid}"))
        followers[leader].send_signal(signal.SIGKILL)
        register()
        wait_until(lambda: str(owner()).endswith(f":{followers[1 - leader].pid}"))
        wait_until(lambda: not states(json.loads(cli("projections", "status", "--json").out)))
        assert app.audit.state().position == app.events.head()
        with app.pool.connection() as connection:  # that of its locks alone breaks
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE %s",
                ["dossier follow %"],
            )
        wait_until(lambda: str(owner()).endswith(f":{followers[1 - leader].pid}"))
        with app.pool.connection() as connection:
            connection.execute("ALTER TABLE audit.tiles RENAME TO away")
        register()
        tree_fails = {"audit_tree": "failing"}  # and the tables get on
        status = ("projections", "status", "--stalled-after", 3_600, "--json")
        wait_until(lambda: states(cli(*status).json) == tree_fails)
        with app.pool.connection() as connection:
            connection.execute("ALTER TABLE audit.away RENAME TO tiles")
        wait_until(lambda: not states(json.loads(cli("projections", "status", "--json").out)))
        followers[1 - leader].send_signal(signal.SIGTERM)
        assert followers[1 - leader].wait(10) == 0
    finally:
        for follower in followers:
            follower.kill()
            follower.wait()
            assert follower.stdout is not None
            follower.stdout.close()
    wait_until(lambda: owner() is None)


def test_a_follower_is_stopped_in_time_while_the_database_is_away(
    make_database: Callable[[], str], server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_database()
    monkeypatch.setenv("DOSSIER_DATABASE_URL", url)
    with subprocess.Popen(FOLLOW, stdout=subprocess.PIPE, text=True) as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline().startswith("Following")
        name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        time.sleep(1)
        follower.send_signal(signal.SIGTERM)
        assert follower.wait(8) == 0  # whoever stops containers gives them ten seconds
        assert follower.stdout.read() == "Stopped.\n"


# The last of all: its events can be read while it runs, and not by a rebuild after it.
def test_dead_letters_are_seen_retried_and_skipped(app: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli("projections", "dead-letters", "list").code == 0
    now = datetime.now(UTC)
    meta = {"occurred_at": now, "recorded_at": now, "actor": "a", "recorded_by": "a"}
    broken = [uuid4(), uuid4()]
    data = {"email": None, "phone": None, "name": "a secret", "nick": "another"}
    body = canonical_json({"data": data, "meta": meta, "v": 1})
    app.events.append_rows([(stream, 1, "account.registered", body) for stream in broken])
    good = register(name="after them")
    come_up(app)
    assert fine("show", "account", good)["name"] == "after them"
    result = cli("projections", "dead-letters", "list", "--json")
    assert result.code == 1
    assert "secret" not in result.out + result.err
    letters = {letter["stream"]: letter for letter in result.json["dead_letters"]}
    assert letters.keys() == {str(stream) for stream in broken}
    first = found("projections", "dead-letters", "list", "--limit", 1)
    second = found("projections", "dead-letters", "list", "--limit", 1, "--after", first["next"])
    assert [*first["dead_letters"], *second["dead_letters"]] == result.json["dead_letters"]
    assert (second["next"], cli("projections", "dead-letters", "list", "--after", "x:accounts").code) == (None, 2)
    letter = letters[str(broken[0])]
    assert (letter["read_model"], letter["version"], letter["topic"]) == ("accounts", 1, "account.registered")
    assert letter["error"].endswith("the stored body does not fit account.registered (ValidationError)")
    status = found("projections", "status")
    assert (states(status), status["healthy"]) == ({"accounts": "dead_letters"}, False)
    left = found("projections", "dead-letters", "retry")
    assert (left["retried"], left["healed"], len(left["left"])) == (2, 0, 2)
    assert found("projections", "dead-letters", "list", "--model", "accounts")["dead_letters"][0]["attempts"] == 2
    fine("projections", "rebuild", "accounts")  # treats them alike
    assert len(found("projections", "dead-letters", "list")["dead_letters"]) == 2

    assert cli("projections", "dead-letters", "skip", broken[0]).code == 2  # a reason is due
    skipped = fine("projections", "dead-letters", "skip", broken[0], "--reason", "never was a person")
    assert skipped["left"] == []
    last = app.events.read(skipped["position"] - 1, 1)[0]
    assert (last.topic, last.event.reason) == ("projection.event_skipped", "never was a person")
    code, error = refused("projections", "dead-letters", "skip", good, "--reason", "r")
    assert (code, error["code"]) == (1, "not_found")

    def without_nick(data: dict[str, Any]) -> dict[str, Any]:
        return {"details": {}, **{name: value for name, value in data.items() if name != "nick"}}

    monkeypatch.setitem(UPCASTERS, ("account.registered", 1), without_nick)  # the release that mends it
    assert fine("projections", "dead-letters", "retry") == {"retried": 1, "healed": 1, "left": []}
    come_up(app)
    assert fine("projections", "status")["healthy"]
    assert fine("show", "account", broken[1])["name"] == "a secret"
    assert cli("show", "account", broken[0]).code == 1
    restore = {"read_model": "accounts", "stream": str(broken[0]), "version": 1, "reason": "it was one"}
    fine("execute", "RestoreEvent", "--data", json.dumps(restore))
    assert fine("show", "account", broken[0])["name"] == "a secret"


def wait_until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
