"""Backup and restore: whole or not at all, held against the checkpoints, and nobody who was erased since comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters import backup
from adapters.backup import back_up, manifest_of, read_manifest, restore
from adapters.bootstrap import Application, utc_now
from adapters.cli.main import run
from adapters.erasure import erase
from adapters.postgres import swap_lock
from adapters.sealing import key_text, new_key
from domain.access import Actor
from domain.account import RegisterAccount
from domain.errors import ConfigurationInvalid, InputUnreadable, RuleViolated, RunConflict
from domain.event import ERASED
from projections import accounts
from projections.rebuild import rebuild
from tests.support.application import application_at, schemas_of, tables

OPERATOR = Actor.operator()


def _registered(app: Application, name: str) -> UUID:
    account = uuid4()
    app.dossier.execute(RegisterAccount(account_id=account, name=name), actor=OPERATOR)
    app.catch_up()
    return account


def _dossier(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any]:
    code = run([*map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_backup_comes_back_and_what_happened_since_is_told(
    make_database: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second, file = make_database(), make_database(), tmp_path / "one.dump"
    monkeypatch.setenv("DOSSIER_AUDIT_HOME", str(tmp_path / "audit"))
    monkeypatch.setenv("DOSSIER_DATABASE_URL", first)
    with application_at(first) as app:
        ada, bob = _registered(app, "Ada"), _registered(app, "Bob")
        before = tables(app)
    assert _dossier(capsys, "audit", "keys", "generate", "--name", "test")[0] == 0
    code, made = _dossier(capsys, "backup", "--out", file)
    assert (code, made["events"]) == (0, 2)
    assert {path.stat().st_mode & 0o777 for path in (file, manifest_of(file))} == {0o600}
    assert _dossier(capsys, "audit", "checkpoint")[0] == 0

    monkeypatch.setenv("DOSSIER_DATABASE_URL", second)
    code, done = _dossier(capsys, "restore", file)
    assert (code, done["lost"], done["findings"], done["checkpoints"]) == (0, [], [], 1)
    with application_at(second) as app:
        assert tables(app) == before
        assert _dossier(capsys, "restore", file)[1]["error"]["code"] == "rule_violated"
        _registered(app, "Eve")
        assert _dossier(capsys, "audit", "checkpoint")[0] == 0
        erase(app, bob, "asked", OPERATOR, tmp_path / "audit")

    monkeypatch.setenv("DOSSIER_DATABASE_URL", make_database())  # the other one is gone: only the journal knows
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOSSIER_MASTER_KEY", key_text(new_key()))
        code, done = _dossier(capsys, "restore", file)
    assert (code, done["error"]["code"]) == (3, "configuration_invalid")
    assert "who was erased since is not erased" in done["error"]["hint"]
    code, done = _dossier(capsys, "restore", file, "--replace")
    assert (code, done["erased_again"]) == (1, [str(bob)])
    assert [finding["code"] for finding in done["findings"]] == ["truncated"]
    monkeypatch.setenv("DOSSIER_DATABASE_URL", second)
    with psycopg.connect(second) as connection:  # as rebuilds leave them
        connection.execute("CREATE SCHEMA next_cases; CREATE SCHEMA prev_accounts; CREATE SCHEMA prev_7_accounts")
    code, done = _dossier(capsys, "restore", file, "--replace")
    assert (code, done["erased_again"]) == (1, [str(bob)])
    with application_at(second) as app:
        assert not {name for name in schemas_of(app) if name.startswith(("next_", "prev_", "replaced_"))}
    assert done["lost"] == ["events after position 2: the log that was replaced went up to 4"]
    with application_at(second) as app:
        loaded = app.events.load([ada, bob])
        assert (loaded[ada][0].event.name, loaded[bob][0].event.name) == ("Ada", ERASED)


def test_a_backup_that_is_not_whole_changes_nothing(
    make_database: Callable[[], str], tmp_path: Path, database_url: str
) -> None:
    with application_at(database_url) as app:
        _registered(app, "Ada")
        file, kept = tmp_path / "one.dump", tables(app)
        back_up(database_url, file, utc_now())
        whole = file.read_bytes()
        for damaged in (whole[:-100], whole[:200] + b"x" + whole[201:]):
            file.write_bytes(damaged)
            with pytest.raises(InputUnreadable, match="altered or cut off"):
                read_manifest(file)
        with pytest.raises(RuleViolated, match="holds events"):
            restore(database_url, file, replace=False)
        file.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(ConfigurationInvalid, match="pg_restore failed"):
            restore(database_url, file, replace=True)
        assert tables(app) == kept
        manifest_of(file).unlink()
        with pytest.raises(InputUnreadable, match="No such file"):
            read_manifest(file)


def test_no_table_is_swapped_in_while_a_backup_is_made(
    make_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, copy, file, other = make_database(), make_database(), tmp_path / "one.dump", tmp_path / "other.dump"
    monkeypatch.setattr(swap_lock, "PATIENCE", "100ms")
    run_program = backup._run
    dumped: list[str] = []

    def rebuilt_meanwhile(name: str, url: str, *arguments: str) -> None:
        with pytest.raises(RunConflict, match="a backup or a restore is under way"):
            app.rebuild([accounts.MODEL])
        run_program(name, url, *arguments)
        dumped.append(name)

    with application_at(source) as app:
        _registered(app, "Ada")
        before = tables(app)
        with monkeypatch.context() as patch:
            patch.setattr(backup, "_run", rebuilt_meanwhile)
            back_up(source, file, utc_now())
        assert dumped == ["pg_dump"]
        with app.shadows().resume() as shadow:
            assert rebuild(app.log, shadow).swapped
        with swap_lock.swapping(source), pytest.raises(RunConflict, match="are being swapped in"):
            back_up(source, other, utc_now())
    assert {path.name for path in tmp_path.iterdir()} == {file.name, manifest_of(file).name}
    restore(copy, file, replace=False)
    with application_at(copy) as app:
        assert tables(app) == before
