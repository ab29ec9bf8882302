"""100,000 events of which a tenth is erased: nothing of the erased is in a dump, an export, a report or the logs."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from psycopg.conninfo import conninfo_to_dict

from adapters.backup import program
from adapters.bootstrap import Application
from adapters.erasure import clear, held
from adapters.samples import contexts
from adapters.written_files import About, clean_files
from domain.access import Actor
from domain.account import EraseAccount, UpdateAccount
from projections import legacy_ids, quarantine
from tests.adapters.test_cli import cli, fine
from tests.adapters.test_erasure import OPERATOR, everything
from tests.support.application import application_at, tables
from tests.support.sealing import MASTER_TEXT

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3_600)]
USERS, BY_HAND = 4_800, 5
SECRET = re.compile(rb"secret-\d{5}-[0-9a-f]{32}")
_HEX = re.compile(rb"\\\\x([0-9a-f]{20,})")
_BODIES = {"User": "email", "ChatMessage": "content"}


def with_secrets(export: Path) -> dict[str, str]:
    """Put a secret of each user's own into all that a sample says of them, and return it by the key of the user."""
    told: dict[str, str] = {}
    for table, named_by in (("User", "id"), ("ChatMessage", "userId")):
        path = export / f"{table}.jsonl"
        lines = []
        for line in path.read_bytes().splitlines():
            try:
                document = json.loads(line)
                key = str(document[named_by])
                secret = told.setdefault(key, f"secret-{len(told):05d}-{uuid4().hex}")
                document |= {_BODIES[table]: f"{secret}@example.org", "unmapped": secret}
                lines.append(json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass"))
            except (ValueError, KeyError, TypeError):
                lines.append(line)
        path.write_bytes(b"\n".join(lines) + b"\n")
    return told


@contextmanager
def command_line(url: str, home: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("DOSSIER_")]:
            patch.delenv(name)
        patch.setenv("DOSSIER_DATABASE_URL", url)
        patch.setenv("DOSSIER_MASTER_KEY", MASTER_TEXT)
        patch.setenv("DOSSIER_AUDIT_HOME", str(home))
        patch.setenv("DOSSIER_LOG_LEVEL", "debug")
        yield


def dumped(url: str) -> bytes:
    """Return a full dump as text, and beside it the bytes that it writes in hexadecimal."""
    done = subprocess.run([program("pg_dump"), "--format=plain", f"--dbname={url}"], capture_output=True, check=True)
    return done.stdout + b"\n".join(bytes.fromhex(found.decode()) for found in _HEX.findall(done.stdout))


def server_log(url: str) -> bytes:
    """Return what the embedded server of the tests has logged."""
    log = Path(str(conninfo_to_dict(url)["host"])).parent / "postgres.log"
    return log.read_bytes() if log.exists() else b""


def test_a_tenth_of_100_000_events_is_erased_without_a_trace_and_the_log_verifies(
    make_database: Callable[[], str], tmp_path: Path
) -> None:
    export, home, url = tmp_path / "export", tmp_path / "audit", make_database()
    contexts.write_sample(export, USERS, 7)
    secrets = with_secrets(export)
    logs = []

    def done(*arguments: object) -> None:
        result = cli(*arguments)
        assert result.code in (0, 1), result
        logs.append(result.err)

    with command_line(url, home), application_at(url) as app:
        fine("audit", "keys", "generate")
        done("migrate", "run", "contexts", "--source", export, "--report", tmp_path / "run.json")
        done("migrate", "plan", "contexts", "--source", export, "--report", tmp_path / "plan.md")
        people = {
            row["became"]: secrets[row["key"]]
            for row in app.reads.fetch(legacy_ids.MODEL, system="contexts", table_name="User")
        }
        erased = list(people)[::10]
        assert app.events.head() >= 100_000
        changed_live(app, people)
        fine("audit", "checkpoint")
        app.rebuild()  # leaves the tables of before beside the new ones
        gone = {people[person].encode() for person in erased}
        report = b"".join(path.read_bytes() for path in (tmp_path / "run.json", tmp_path / "plan.md"))
        assert gone <= set(SECRET.findall(dumped(url)))  # else what follows would look in vain
        assert gone & set(SECRET.findall(report))
        for person in erased[:BY_HAND]:
            done("erase", person, "--reason", "asked", "--yes")
        erase_many(app, [*erased[BY_HAND:], *whose_alone(app, gone)], home)
        done("migrate", "run", "contexts", "--source", export, "--report", tmp_path / "again.json")
        done("migrate", "verify", "contexts", "--source", export, "--report", tmp_path / "verify.md")
        for form in ("jsonl", "csv"):
            fine("audit", "export", "--out", tmp_path / f"{form}.zip", "--format", form)
            assert fine("audit", "verify", tmp_path / f"{form}.zip")["complete"]
        verified = fine("audit", "verify")
        assert (verified["proven"], verified["checkpoints"] >= 2, verified["events"] >= 100_000) == (True, True, True)
        places = {
            "a full dump": dumped(url),
            "tables and statistics": everything(app),
            "an export": (tmp_path / "jsonl.zip").read_bytes(),
            "an export as CSV": (tmp_path / "csv.zip").read_bytes(),
            "the logs": "\n".join(logs).encode(),
            "the server's log": server_log(url),
            "notes": b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file()),
            **{path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix in (".json", ".md")},
        }
        found = {place: gone & set(SECRET.findall(contents)) for place, contents in places.items()}
        assert {place: secrets for place, secrets in found.items() if secrets} == {}
        kept = {secret.encode() for person, secret in people.items() if person not in set(erased)}
        for place in ("a full dump", "an export", "an export as CSV"):
            assert kept <= set(SECRET.findall(places[place])), place
        followed = tables(app)
        app.rebuild()
        assert tables(app) == followed
        assert gone.isdisjoint(SECRET.findall(everything(app)))


def changed_live(app: Application, people: dict[UUID, str]) -> None:
    """Have a few people change their account themselves."""
    for person, secret in list(people.items())[:50]:
        app.dossier.execute(
            UpdateAccount(account_id=person, changes={"last_name": secret}), actor=Actor.of_account(person)
        )


def whose_alone(app: Application, gone: set[bytes]) -> list[UUID]:
    """Look through the quarantine, as the page on erasure says, for records nobody could tell the person of."""
    streams = [row["quarantine_id"] for row in app.reads.fetch(quarantine.MODEL)]
    events = [event for stream in app.events.load(streams).values() for event in stream]
    about = [event for event in events if gone.intersection(SECRET.findall(str(event.event).encode()))]
    return list(dict.fromkeys(event.metadata.subject for event in about if event.metadata.subject))


def erase_many(app: Application, people: list[UUID], home: Path) -> None:
    """Do what `dossier erase` does for one, with what is done once an erasure done once for all."""
    app.catch_up()
    found = [held(app, person) for person in people]
    about = [event for one in found for event in one.events]
    for person in (person for one in found for person in one.people):
        app.dossier.execute(EraseAccount(account_id=person, reason="asked"), actor=OPERATOR)
    app.catch_up()
    clean_files(home, About.of(about))
    clear(app)
