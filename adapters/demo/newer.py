"""A newer export of a legacy system, and its import taken back and done again.

It plays in throwaway schemas, so that a second demo finds the system as the first one left it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

from adapters import migration, taken_in
from adapters.cli.sample import prepare
from adapters.demo.stage import OPERATOR, Stage
from adapters.migration import Migration
from adapters.samples import contexts
from domain.account import ChangeContact
from migrations_replay.reconcile import BREACHES
from migrations_replay.systems.contexts import SYSTEM
from projections import accounts

SYSTEM_NAME: Final = SYSTEM.name
NEWCOMER: Final = "demo-newcomer"
USERS: Final = 40
SEED: Final = 7


class Newer:
    """What the demo does with a newer export."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def play(self, title: str) -> None:
        """Import an export, change a name live, import a newer export, take all of it back, import it again."""
        stage, first = self._stage, self._stage.folder / f"{SYSTEM_NAME}-first"
        prepare(first, force=True)
        contexts.write_sample(first, USERS, SEED)
        newer = stage.folder / f"{SYSTEM_NAME}-newer"
        changed = _newer(first, newer)
        with migration.throwaway(stage.app) as app, stage.out.progress() as watch:
            migration.run(app, Migration.of(SYSTEM_NAME, first), watch)
            account = SYSTEM.stream_of(changed[1])
            app.dossier.execute(ChangeContact(account_id=account, name="Changed Live"), actor=OPERATOR)
            report = migration.run(app, Migration.of(SYSTEM_NAME, newer), watch)
            migration.write_report(report, stage.folder / f"{SYSTEM_NAME}-newer.md")
            migration.write_report(report, stage.folder / f"{SYSTEM_NAME}-newer.json")
            older = migration.run(app, Migration.of(SYSTEM_NAME, first), watch)
            back = taken_in.rollback(app, SYSTEM_NAME, watch, force=True, apply=True)
            left = len(app.reads.fetch(accounts.MODEL))
            again = migration.run(app, Migration.of(SYSTEM_NAME, newer), watch)
            proof = migration.verify(app, Migration.of(SYSTEM_NAME, newer), watch)
        kept = [(entry["field"], entry["live"], entry["legacy"]) for entry in report["kept"]]
        stage.out.table(("both sides changed", "the live value stays", "the newer export says"), kept)
        topics = report["events"]["by_topic"]
        stage.out.table(("appended by the newer export", "count"), list(topics.items()))
        said = f"{report['events']['appended']} events for 2 changed names and 1 further user, {len(kept)} kept live"
        stage.note(f"{title}: catch-up", said, stage.folder / f"{SYSTEM_NAME}-newer.md")
        stage.note(f"{title}: the older export again", f"{older['events']['appended']} events appended")
        stage.note(f"{title}: rollback", f"{back['records']} records taken back, {left} accounts left")
        stage.note(
            f"{title}: imported again", f"{again['snapshots']['recorded']} records, {_breaches(proof)} differences"
        )
        stage.expect("a newer export did not keep the live value", holds=len(kept) == 1)
        stage.expect("a newer export did not register one user more", holds=topics.get("account.registered") == 1)
        stage.expect("an older export changed something", holds=older["events"]["appended"] == 0)
        stage.expect("a rollback left accounts", holds=left == 0)
        stage.expect("what was imported again is not as the source", holds=_breaches(proof) == 0)


def _breaches(report: dict[str, Any]) -> int:
    return sum(report["reconcile"][name] for name in BREACHES)


def _newer(first: Path, newer: Path) -> list[str]:
    """Write an export in which two users have another name and one came to be; return the keys of the two."""
    shutil.copytree(first, newer, dirs_exist_ok=True)
    lines = (first / "User.jsonl").read_bytes().splitlines()
    changed: dict[int, dict[str, Any]] = {}
    for number, line in enumerate(lines):
        user = _plain(line)
        if user is not None and len(changed) < 2:
            changed[number] = user | {"name": f"{user['name']} the Second"}
    newcomer = {"id": NEWCOMER, "createdAt": "2024-01-01T00:00:00Z", "updatedAt": "2024-01-01T00:00:00Z"}
    written = [json.dumps(changed[number]).encode() if number in changed else line for number, line in enumerate(lines)]
    (newer / "User.jsonl").write_bytes(b"\n".join([*written, json.dumps(newcomer).encode()]))
    return [user["id"] for user in changed.values()]


def _plain(line: bytes) -> dict[str, Any] | None:
    """Return a user whose line is nothing unusual, else None."""
    try:
        user = json.loads(line)
    except ValueError:
        return None
    plain = isinstance(user, dict) and isinstance(user.get("id"), str) and isinstance(user.get("name"), str)
    return user if plain else None
