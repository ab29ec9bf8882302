"""What every step of the demo works with: the application, where it prints, and what came of the steps so far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

from adapters.bootstrap import Application
from adapters.cli.output import Output
from domain.access import Actor
from domain.command import Command
from domain.errors import CommandRejected
from domain.service import Receipt

FOLDER: Final = Path("demo-output")
OPERATOR: Final = Actor.operator("demo")


@dataclass
class Stage:
    """The stage the steps act on; `failures` names what did not come out as it should.

    `home` is where the embedded server keeps the demo's database, None where another server is used. The exports are of
    their usual sizes times `scale`.
    """

    app: Application
    out: Output
    home: Path | None = None
    scale: float = 1.0
    folder: Path = FOLDER
    happened: list[tuple[str, str, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def note(self, title: str, said: str, where: Path | None = None) -> None:
        """Say what came of a step, and where to look at it."""
        place = str(where or "")
        self.happened.append((title, said, place))
        self.out.line(f"{said}{f' – see {place}' if place else ''}")

    def expect(self, failure: str, *, holds: bool) -> None:
        """Remember a failure unless it holds."""
        if not holds:
            self.failures.append(failure)

    def execute(self, command: Command, actor: Actor, command_id: UUID | None = None) -> Receipt:
        """Carry out a command and show its receipt."""
        receipt = self.app.dossier.execute(command, actor=actor, command_id=command_id)
        self.out.line(f"{type(command).__name__} by {actor.id}: {receipt.events} events, position {receipt.position}")
        return receipt

    def refused(self, name: str, attempt: Callable[[], object], reason: type[CommandRejected]) -> None:
        """Show the refusal of what must be refused for this reason."""
        try:
            attempt()
        except reason as refusal:
            hint = f" ({refusal.hint})" if refusal.hint else ""
            self.out.line(f"{name} refused: {refusal.code}: {refusal.message}{hint}")
        else:
            self.expect(f"{name} was not refused", holds=False)

    def command_refused(self, command: Command, actor: Actor, reason: type[CommandRejected]) -> None:
        """Show the refusal of a command."""
        self.refused(type(command).__name__, lambda: self.execute(command, actor), reason)
