"""A system in a database of its own, and exports of it, one after the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from adapters.bootstrap import Application
from adapters.migration import Migration, plan, run, verify
from domain.access import Actor
from domain.command import Command
from tests.support.application import watch

OPERATOR: Final = Actor.operator()


class World:
    """A system in a database of its own, and exports of it, one after the other."""

    def __init__(self, app: Application, folder: Path, system: str) -> None:
        self.app, self.folder, self.system = app, folder, system

    def export(self, **rows: list[Any]) -> Path:
        for old in self.folder.glob("*.jsonl"):
            old.unlink()
        for table, lines in rows.items():
            body = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
            (self.folder / f"{table}.jsonl").write_text(body)
        return self.folder

    def migration(self, **more: Any) -> Migration:
        return Migration.of(self.system, self.folder, **more)

    def run(self, rows: dict[str, list[Any]], **more: Any) -> dict[str, Any]:
        """Plan and run an export: both must come to the same."""
        self.export(**rows)
        before = self.app.events.head()
        planned = plan(self.app, self.migration(**more), watch)
        assert self.app.events.head() == before
        report = run(self.app, self.migration(**more), watch)
        for name in ("snapshots", "leaves", "reconcile", "pending", "kept", "gone", "changes", "events"):
            assert planned[name] == report[name], name
        return report

    def take(self, rows: dict[str, list[Any]]) -> None:
        """Run an export that is only there for what comes after it."""
        self.export(**rows)
        run(self.app, self.migration(), watch)

    def again(self, **more: Any) -> None:
        """Run the same export again: nothing is appended."""
        head = self.app.events.head()
        assert run(self.app, self.migration(**more), watch)["events"]["appended"] == 0
        assert self.app.events.head() == head

    def verify(self) -> dict[str, Any]:
        return verify(self.app, self.migration(), watch)

    def live(self, command: Command) -> None:
        self.app.dossier.execute(command, actor=OPERATOR)

    def row(self, model: Any, *key: Any) -> dict[str, Any]:
        self.app.catch_up()
        row = self.app.reads.find(model, key)
        assert row is not None
        return row

    def topics(self, after: int) -> list[str]:
        own = ("migration.", "legacy.snapshot_recorded")
        return [event.topic for event in self.app.events.read(after, 1_000) if not event.topic.startswith(own)]
