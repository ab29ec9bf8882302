"""A migrated export that commands change, as people do once it is taken in."""

from __future__ import annotations

from typing import Any

from adapters.bootstrap import Application
from adapters.migration import Migration, has_findings, run, verify
from domain.access import Actor
from domain.command import Command
from tests.support.application import watch
from tests.support.reports import is_green


class Live:
    """A migrated export that commands may change."""

    def __init__(self, app: Application, migration: Migration) -> None:
        assert is_green(run(app, migration, watch))
        self.app, self.migration = app, migration

    def do(self, *commands: Command) -> None:
        for command in commands:
            self.app.dossier.execute(command, actor=Actor.operator())
        self.app.catch_up()

    def verify(self) -> dict[str, Any]:
        return verify(self.app, self.migration, watch)

    def changed_live(self) -> set[str]:
        """Return the leaves, by id and pointer, that a green verification says were changed live."""
        report = self.verify()
        assert is_green(report), report["differences"]
        assert not has_findings(report)
        found = {f"{entry['id']}{entry['pointer']}" for entry in report["differences"]}
        assert report["reconcile"]["changed_live"] == len(report["differences"]) == len(found)
        return found
