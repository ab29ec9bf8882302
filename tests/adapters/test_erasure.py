"""Erasing a person: nothing of them is left in the database, an export or the logs; nobody else is touched."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql
from structlog.testing import capture_logs

from adapters import migration
from adapters.audit.checkpoints import sign_head
from adapters.audit.export import Exporter
from adapters.audit.keys import SigningKey
from adapters.audit.store import verify_store
from adapters.bootstrap import Application, utc_now
from adapters.erasure import JOURNAL, erase, held, noted
from adapters.migration import Migration
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.mapper import canonical_json
from adapters.postgres.shadow import PostgresShadow
from adapters.samples import contexts
from adapters.written_files import note_file
from domain.access import Actor
from domain.account import EraseAccount, RegisterAccount, UpdateAccount
from domain.contexts import Context
from domain.errors import AccessDenied, ConfigurationInvalid, NotFound, RuleViolated
from domain.event import ERASED
from domain.intent import DeclareIntent
from domain.profile import CreateProfile, UpdateProfile
from domain.service import Dossier
from migrations_replay.reconcile import BREACHES
from migrations_replay.report import LISTS
from projections import accounts, legacy_ids, quarantine
from projections.all import READ_MODELS
from projections.follow import catch_up
from tests.support.application import application_at, tables, watch

OPERATOR = Actor.operator()
SECRETS = ("Quetzalcoatl", "huitzil@example.org", "+41791112233", "Tenochtitlan", "obsidian", "atlatl", "request-of-q")


@pytest.fixture(scope="module")
def app(database_url: str) -> Iterator[Application]:
    with application_at(database_url) as opened:
        yield opened


def _person(app: Application, actor: Actor = OPERATOR) -> UUID:
    account, profile = uuid4(), uuid4()
    name, email, phone, town, belief, skill, _ = SECRETS
    for command in (
        RegisterAccount(account_id=account, email=email, phone=phone, name=name),
        UpdateAccount(account_id=account, changes={"last_name": name}),
        CreateProfile(account_id=account, profile_id=profile, kind="personal", fields={"location": town}),
        UpdateProfile(profile_id=profile, changes={"beliefs": {belief: [belief]}}),
        DeclareIntent(account_id=account, context=Context.PROFESSIONAL, fields={"complementary_skills": [skill]}),
    ):
        app.dossier.execute(command, actor=actor)
    app.catch_up()
    return account


def everything(app: Application) -> bytes:
    """Return every row of every table as the server would dump it, and what it keeps as statistics."""
    found = io.BytesIO()
    with psycopg.connect(str(app.pool.conninfo), autocommit=True) as connection:
        names = connection.execute(
            "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
        ).fetchall()
        for name in names:
            statement = sql.SQL("COPY {} TO STDOUT (FORMAT BINARY)").format(sql.Identifier(*name))
            with connection.cursor().copy(statement) as copy:
                for block in copy:
                    found.write(block)
        for row in connection.execute("SELECT s::text FROM pg_stats AS s WHERE schemaname !~ '^pg_'"):
            found.write(str(row[0]).encode() + b"\n")
    return found.getvalue()


def _exported(app: Application) -> bytes:
    """Return an evidence file, after the log was found to be what its tree was made from."""
    out, key = io.BytesIO(), SigningKey.generate("test")
    head = sign_head(app.audit, key, utc_now(), None, quiet)
    assert not verify_store(app.audit, [], quiet).findings
    Exporter(app.dossier, app.audit, key).write(out, head, {}, "jsonl", OPERATOR, quiet)
    return out.getvalue()


def quiet(_done: int, _total: int) -> None:
    """Look away."""


def test_nothing_of_an_erased_person_is_left_anywhere(app: Application, tmp_path: Path) -> None:
    person, other = _person(app), uuid4()
    app.dossier.execute(RegisterAccount(account_id=other, email="stays@example.org"), actor=OPERATOR)
    app.catch_up()
    app.rebuild()  # leaves the tables of before beside the new ones
    with app.pool.connection() as connection:
        connection.execute("ANALYZE accounts.accounts; ANALYZE profiles.profiles")
    before = everything(app)
    assert [secret for secret in SECRETS if secret.encode() not in before] == ["request-of-q"]
    unlike = {name: [row for row in rows if str(person) not in str(row)] for name, rows in tables(app).items()}
    with capture_logs() as logs:
        erase(app, person, "no names here", OPERATOR, tmp_path)
    left = b"\n".join([everything(app), _exported(app), (tmp_path / JOURNAL).read_bytes(), str(logs).encode()])
    assert [secret for secret in SECRETS if secret.encode() in left] == []
    assert b"stays@example.org" in left
    assert noted(tmp_path / JOURNAL) == [person]
    followed = tables(app)
    assert {name: [row for row in rows if str(person) not in str(row)] for name, rows in followed.items()} == unlike
    app.rebuild()
    assert tables(app) == followed
    assert all(secret.encode() not in everything(app) for secret in SECRETS)
    found = held(app, person)
    assert found.erased
    assert all(getattr(event.event, "changes", ERASED) is ERASED for event in found.events)
    again = erase(app, person, "once more", OPERATOR, tmp_path)
    assert again.receipt.events == 0
    with pytest.raises(NotFound):
        held(app, uuid4())


def test_a_follower_that_read_before_the_erasure_holds_nothing_after_it(app: Application, tmp_path: Path) -> None:
    """Whoever has folded the values before the erasure folds them anew when they come to it."""
    person = _person(app)
    behind = PostgresEventStore(app.pool, master=app.events.master)
    batch = behind.read(0, 10_000)  # decoded while the key was there
    assert SECRETS[0] in str(batch)
    erase(app, person, "asked", OPERATOR, tmp_path)

    class Stale(PostgresEventStore):
        """Reads what it had read before, then goes on."""

        def read(self, after: int, limit: int) -> Any:
            stale = [event for event in batch if event.position > after]
            return stale[:limit] or super().read(after, limit)

    scratch = app.namespace(f"late_{uuid4().hex[:6]}_")
    scratch.reads.create(READ_MODELS)
    try:
        catch_up(Stale(app.pool, master=app.events.master), scratch.reads, READ_MODELS)
        assert str(scratch.reads.fetch(READ_MODELS[0])).find(SECRETS[0]) == -1
        assert all(secret.encode() not in everything(app) for secret in SECRETS)
    finally:
        scratch.reads.drop()


def test_who_may_erase_and_what_cannot_be(app: Application, tmp_path: Path) -> None:
    person, stranger = _person(app), _person(app)
    with pytest.raises(AccessDenied):
        erase(app, person, "mischief", Actor.of_account(stranger), tmp_path)
    erase(app, person, "I leave", Actor.of_account(person), tmp_path)
    erase(app, stranger, "asked", OPERATOR, tmp_path)
    store, unsealed_person = PostgresEventStore(app.pool), uuid4()
    unsealed = Application(app.pool, Dossier(store, utc_now, uuid4), store, app.reads)
    unsealed.dossier.execute(RegisterAccount(account_id=unsealed_person, email="o@p.q"), actor=OPERATOR)
    with pytest.raises(ConfigurationInvalid, match="no master key"):
        erase(unsealed, unsealed_person, "asked", OPERATOR, tmp_path)
    with pytest.raises(ConfigurationInvalid, match="no master key"):  # no way of appending says erased where nothing is
        unsealed.dossier.execute(EraseAccount(account_id=unsealed_person, reason="asked"), actor=OPERATOR)
    with pytest.raises(RuleViolated, match="not sealed"):
        erase(app, unsealed_person, "asked", OPERATOR, tmp_path)


def test_no_later_import_brings_a_person_back(make_database: Callable[[], str], tmp_path: Path) -> None:
    export = tmp_path / "export"
    contexts.write_sample(export, 12, 3)
    written = b"".join(path.read_bytes() for path in export.glob("*.jsonl"))
    with application_at(make_database()) as app:
        source = Migration.of("contexts", export)
        first = migration.run(app, source, watch)
        reports = [tmp_path / "run.json", tmp_path / "run.md"]
        for file in reports:
            note_file(tmp_path, "migration", file)
            migration.write_report(first, file)
        before = [file.read_text() for file in reports]
        users = app.reads.fetch(legacy_ids.MODEL, system="contexts", table_name="User")
        imported = [app.reads.fetch(accounts.MODEL, account_id=row["became"])[0] for row in users]
        # One of whom nothing lies in a record that cannot be told whom it is about.
        whole = next(row for row in imported if row["email"] and written.count(row["email"].encode()) == 1)
        person, email = whole["account_id"], whole["email"]
        key = next(row["key"] for row in users if row["became"] == person)
        erase(app, person, "asked", OPERATOR, tmp_path)
        again = migration.run(app, source, watch)
        assert again["events"]["appended"] == 0
        assert again["reconcile"]["erased"] > 0
        verified = migration.verify(app, source, watch)
        for report in (again, verified):
            assert key not in str([list(report.get(name, ())) for name in LISTS])
            breaches = {name: report["reconcile"][name] - first["reconcile"][name] for name in BREACHES}
            assert breaches == dict.fromkeys(BREACHES, 0)
        assert app.reads.fetch(accounts.MODEL, account_id=person)[0]["email"] is None
        assert email.encode() not in everything(app)
        for file, text in zip(reports, before, strict=True):
            assert key in text
            assert key not in file.read_text()
            assert '"erased": true' in file.read_text()
        cleaned = json.loads(reports[0].read_text())
        assert [len(cleaned.get(name, ())) for name in LISTS] == [len(first.get(name, ())) for name in LISTS]
        _erase_whoever_a_quarantined_record_is_about(app, tmp_path)
        assert migration.run(app, source, watch)["events"]["appended"] == 0


def _erase_whoever_a_quarantined_record_is_about(app: Application, home: Path) -> None:
    """Of a record that nobody can tell whom it is about, the values go by its own key, and nothing else with them."""
    known = {row["account_id"] for row in app.reads.fetch(accounts.MODEL)}
    streams = [row["quarantine_id"] for row in app.reads.fetch(quarantine.MODEL)]
    events = [event for (event,) in app.events.load(streams).values()]
    assert all(event.metadata.subject for event in events)
    alone = next(event for event in events if event.metadata.subject not in known and len(event.event.raw) > 20)
    assert canonical_json(alone.event.raw)[1:-1] not in everything(app)  # as an unsealed body would hold it
    assert alone.metadata.subject
    erase(app, alone.metadata.subject, "asked", OPERATOR, home)
    gone = {event.stream for event in events if event.metadata.subject == alone.metadata.subject}
    for stream, (now,) in app.events.load(streams).items():
        before = next(event for event in events if event.stream == stream)
        assert (now.event.raw is ERASED) == (stream in gone or before.event.raw is ERASED)


@pytest.mark.parametrize("stage", ["index", "ready"])
def test_a_rebuild_under_way_swaps_in_nothing_of_who_is_erased_meanwhile(
    app: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    for number in range(3):  # statistics hold values where there are several
        app.dossier.execute(RegisterAccount(account_id=uuid4(), name=f"N{number}"), actor=OPERATOR)
    person = _person(app)
    enter = PostgresShadow.enter

    def entered(shadow: PostgresShadow, now: str) -> None:
        if now == stage:
            with app.pool.connection() as connection:
                connection.execute("ANALYZE next_accounts.accounts; ANALYZE next_profiles.profiles")
            assert all(secret.encode() in everything(app) for secret in SECRETS[:-1])
            erase(app, person, "asked", OPERATOR, tmp_path)
            assert app.shadows().state() is not None  # it goes on
        enter(shadow, now)

    monkeypatch.setattr(PostgresShadow, "enter", entered)
    app.rebuild()
    assert [secret for secret in SECRETS if secret.encode() in everything(app)] == []
