"""Live commands on imported people: a profile and an intent change, a conflict is settled, two commands are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from adapters.bootstrap import Application
from adapters.cli.output import shortened
from adapters.cli.records import print_explained
from adapters.demo.stage import OPERATOR, Stage
from domain.access import Actor, BootstrapAdmin, Role
from domain.contexts import CONTEXTS, Context
from domain.errors import AccessDenied, InvalidCommand, RuleViolated
from domain.intent import ReviseIntent
from domain.profile import ResolveConflict, UpdateProfile, value_at
from projections import accounts, intents, profiles
from projections.explain import explain
from projections.read_model import Row


class Person(NamedTuple):
    """Somebody whose profile and intent the demo changes: their rows, and the field of the intent to revise."""

    profile: Row
    intent: Row
    field: str


class People:
    """What the demo does with people."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._app = stage, stage.app
        self._changed: UUID | None = None

    def live(self, title: str) -> None:
        """Change somebody's location and intent, settle a conflict, and have two commands refused."""
        self._app.catch_up()
        person, other = _people(self._app)[:2]
        self._bootstrap(other.profile["account_id"])
        actor = Actor.of_account(person.profile["account_id"])
        # The version makes it another place each time, so that it is a change each time.
        place = f"Porto, house {person.profile['version']}"
        self._changed = person.profile["profile_id"]
        moved = UpdateProfile(profile_id=person.profile["profile_id"], changes={"location": place})
        changed = [
            self._stage.execute(moved, actor).events,
            self._resolve(),
            self._stage.execute(_revision(person, {person.field: _another_value(person)}), actor).events,
        ]
        foreign = UpdateProfile(profile_id=other.profile["profile_id"], changes={"location": "elsewhere"})
        self._stage.command_refused(foreign, actor, AccessDenied)
        self._stage.command_refused(_revision(person, {_field_of_another_context(person): "x"}), actor, InvalidCommand)
        self._stage.note(title, f"{sum(changed)} events appended, 2 commands refused")

    def explain(self, title: str) -> None:
        """Show where values of the changed profile come from."""
        assert self._changed is not None, "the live commands come first"
        events = self._app.dossier.history(self._changed, actor=OPERATOR)
        found = explain(profiles.MODEL, events)
        chosen = [entry for name, entry in found.items() if name in ("location", "name", "age_range")]
        print_explained(self._stage.out, self._changed, chosen)
        live = found["location"].event.metadata.origin
        self._stage.note(title, f"location was set by a {live} event, {len(events)} events in all")

    def _bootstrap(self, account: UUID) -> None:
        try:
            self._stage.execute(BootstrapAdmin(account_id=account), OPERATOR)
        except RuleViolated as rejected:
            self._stage.out.line(f"BootstrapAdmin: {rejected.message}")
        self._app.catch_up()

    def _resolve(self) -> int:
        out, reads = self._stage.out, self._app.reads
        admin = next((row for row in reads.fetch(accounts.MODEL, status="active") if Role.ADMIN in row["roles"]), None)
        actor = Actor.of_account(admin["account_id"]) if admin else OPERATOR
        found = next((row for row in reads.fetch(profiles.MODEL, archived=False) if row["conflicts"]), None)
        if found is None:
            out.line("ResolveConflict: every conflict is settled by now")
            return 0
        name, values = next(iter(found["conflicts"].items()))
        out.line(f"{name} of {found['profile_id']}: the import found {shortened(values)}")
        other = next(value for value in values if value != value_at(found["fields"], name))
        command = ResolveConflict(profile_id=found["profile_id"], field=name, value=other)
        return self._stage.execute(command, actor).events


def _people(app: Application) -> Sequence[Person]:
    """Return imported people whose active profile has a location and who have an intent with a field to choose for."""
    active = {row["active_profile_id"] for row in app.reads.fetch(accounts.MODEL, status="active")}
    declared: dict[UUID, tuple[Row, str]] = {}
    for row in app.reads.fetch(intents.MODEL, status="declared"):
        shape = CONTEXTS[Context(row["context"])]
        name = next((name for name in row["fields"] if shape.fields[name].offered), None)
        if name is not None and row["origin"] != "live":
            declared.setdefault(row["account_id"], (row, name))
    return [
        Person(row, *declared[row["account_id"]])
        for row in app.reads.fetch(profiles.MODEL, archived=False)
        if row["profile_id"] in active and row["account_id"] in declared and "location" in row["fields"]
    ]


def _revision(person: Person, changes: dict[str, Any]) -> ReviseIntent:
    intent = person.intent
    return ReviseIntent(account_id=intent["account_id"], context=Context(intent["context"]), changes=changes)


def _another_value(person: Person) -> str:
    """Return the offered value after the present one, going round."""
    offered = sorted(CONTEXTS[Context(person.intent["context"])].fields[person.field].offered)
    present = person.intent["fields"][person.field]
    return offered[(offered.index(present) + 1) % len(offered)] if present in offered else offered[0]


def _field_of_another_context(person: Person) -> str:
    own = CONTEXTS[Context(person.intent["context"])].fields
    return next(name for shape in CONTEXTS.values() for name in shape.fields if name not in own)
