"""`make demo`: the main job from start to end, on the embedded PostgreSQL, repeatable.

A legacy export with realistic oddities is made up, dry-run, migrated and proven; live commands change some of it; the
tables are rebuilt from the log and the log is exported. All that is written lies in `demo-output/`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

from adapters import migration
from adapters.audit.export import export_log, private_file
from adapters.bootstrap import Application, application, embedded
from adapters.cli.migrate import summary
from adapters.cli.output import Output, shortened
from adapters.cli.records import print_explained
from adapters.cli.sample import prepare
from adapters.logging import configure_logging
from adapters.migration import Migration
from adapters.postgres.shadow import PostgresShadows
from adapters.samples.contexts import write_sample
from adapters.settings import load_settings
from domain.access import Actor, BootstrapAdmin, Role
from domain.command import Command
from domain.contexts import CONTEXTS, Context
from domain.errors import AccessDenied, CommandRejected, DossierError, InvalidCommand, RuleViolated
from domain.intent import ReviseIntent
from domain.profile import ResolveConflict, UpdateProfile, value_at
from projections import accounts, intents, profiles
from projections.all import READ_MODELS
from projections.explain import explain
from projections.read_model import Row
from projections.rebuild import rebuild

FOLDER: Final = Path("demo-output")
USERS: Final = 300
SEED: Final = 2024
OPERATOR: Final = Actor.operator("demo")


class Person(NamedTuple):
    """Somebody whose profile and intent the demo changes: their rows, and the field of the intent to revise."""

    profile: Row
    intent: Row
    field: str


@dataclass
class Demo:
    """The steps of the demo and what came of them; `failures` names what did not come out as it should."""

    app: Application
    out: Output
    folder: Path = FOLDER
    happened: list[tuple[str, str, str]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def run(self) -> int:
        """Go through all steps; returns 0 if everything came out as it should."""
        steps: Sequence[tuple[str, Callable[[str], None]]] = (
            ("A legacy export is made up", self._sample),
            ("Dry run", self._plan),
            ("Migration", self._migrate),
            ("Proof against the source", self._verify),
            ("The same migration again", self._again),
            ("Live commands", self._live),
            ("Proof once more, after the live changes", self._verify_live),
            ("Where a value comes from", self._explain),
            ("The tables are rebuilt from the log", self._rebuild),
            ("The audit log is exported", self._export),
        )
        for number, (title, step) in enumerate(steps, start=1):
            self.out.heading(f"{number}. {title}")
            step(title)
        self.out.heading("What happened")
        self.out.table(("step", "what happened", "where"), self.happened)
        for failure in self.failures:
            self.out.line(f"Not as it should be: {failure}")
        self.out.next("`.venv/bin/dossier --help`; a second `make demo` finds everything done and appends no import")
        return 1 if self.failures else 0

    # --- the migration ---------------------------------------------------------------------------------------------

    @property
    def _export_folder(self) -> Path:
        return self.folder / "contexts"

    def _sample(self, title: str) -> None:
        prepare(self._export_folder, force=True)
        truth = write_sample(self._export_folder, USERS, SEED)
        self.out.table(("table", "rows"), list(truth.rows.items()))
        oddities = sum(truth.oddities.values())
        self._note(title, f"{USERS} users, {truth.leaves['total']} leaves, {oddities} oddities", self._export_folder)

    def _plan(self, title: str) -> None:
        report = self._work(migration.plan, "plan")
        self._note(title, f"would append {report['events']['appended']} events", self.folder / "plan.md")

    def _migrate(self, title: str) -> None:
        report = self._work(migration.run, "run")
        summary(self.out, report, self.folder / "run.json")
        counts = report["snapshots"]
        said = (
            f"{report['events']['appended']} events; {counts['recorded']} records taken in, {counts['unchanged']} known"
        )
        self._note(title, said, self.folder / "run.md")

    def _verify(self, title: str) -> None:
        self._proven(title, self._work(migration.verify, "verify"), "verify")

    def _again(self, title: str) -> None:
        appended = self._work(migration.run, "run-again")["events"]["appended"]
        self._expect(appended == 0, f"running again appended {appended} events")
        self._note(title, f"{appended} events appended", self.folder / "run-again.md")

    def _verify_live(self, title: str) -> None:
        report = self._work(migration.verify, "verify-live")
        self._expect(report["reconcile"]["changed_live"] > 0, "no value counts as changed by a live command")
        self._proven(title, report, "verify-live")

    def _work(self, work: Callable[..., dict[str, Any]], name: str) -> dict[str, Any]:
        with self.out.progress() as watch:
            report = work(self.app, Migration.of("contexts", self._export_folder), watch)
        for suffix in ("json", "md"):
            migration.write_report(report, self.folder / f"{name}.{suffix}")
        return report

    def _proven(self, title: str, report: dict[str, Any], name: str) -> None:
        counts = report["reconcile"]
        self._expect(not migration.has_findings(report), f"{name} found differences")
        names = ("leaves", "equal", "normalised", "changed_live", "missing", "extra", "unexplained")
        self.out.pairs({name: counts[name] for name in names})
        said = f"{counts['leaves']} leaves, {counts['changed_live']} changed live, {counts['unexplained']} unexplained"
        self._note(title, said, self.folder / f"{name}.md")

    # --- live commands -----------------------------------------------------------------------------------------------

    def _live(self, title: str) -> None:
        self.app.catch_up()
        people = list(_people(self.app))
        person, other = people[0], people[1]
        self._bootstrap(other.profile["account_id"])
        actor = Actor.of_account(person.profile["account_id"])
        # The version makes it another place each time, so that it is a change each time.
        place = f"Porto, house {person.profile['version']}"
        changed = [
            self._execute(UpdateProfile(profile_id=person.profile["profile_id"], changes={"location": place}), actor),
            self._resolve(),
            self._execute(_revision(person, {person.field: _another_value(person)}), actor),
        ]
        foreign = UpdateProfile(profile_id=other.profile["profile_id"], changes={"location": "elsewhere"})
        self._refused(foreign, actor, AccessDenied)
        self._refused(_revision(person, {_field_of_another_context(person): "x"}), actor, InvalidCommand)
        self.person = person.profile["profile_id"]
        self._note(title, f"{sum(changed)} events appended, 2 commands refused", Path())

    def _bootstrap(self, account: UUID) -> None:
        try:
            self._execute(BootstrapAdmin(account_id=account), OPERATOR)
        except RuleViolated as rejected:
            self.out.line(f"BootstrapAdmin: {rejected.message}")
        self.app.catch_up()

    def _resolve(self) -> int:
        admin = next(
            (row for row in self.app.reads.fetch(accounts.MODEL, status="active") if Role.ADMIN in row["roles"]), None
        )
        actor = Actor.of_account(admin["account_id"]) if admin else OPERATOR
        found = next((row for row in self.app.reads.fetch(profiles.MODEL, archived=False) if row["conflicts"]), None)
        if found is None:
            self.out.line("ResolveConflict: every conflict is settled by now")
            return 0
        name, values = next(iter(found["conflicts"].items()))
        self.out.line(f"{name} of {found['profile_id']}: the import found {shortened(values)}")
        other = next(value for value in values if value != value_at(found["fields"], name))
        return self._execute(ResolveConflict(profile_id=found["profile_id"], field=name, value=other), actor)

    def _execute(self, command: Command, actor: Actor) -> int:
        receipt = self.app.dossier.execute(command, actor=actor)
        self.out.line(f"{type(command).__name__} by {actor.id}: {receipt.events} events, position {receipt.position}")
        return receipt.events

    def _refused(self, command: Command, actor: Actor, reason: type[CommandRejected]) -> None:
        try:
            self._execute(command, actor)
        except reason as refusal:
            self.out.line(f"{type(command).__name__} refused: {refusal.code}: {refusal.message}")
        else:
            self._expect(False, f"{type(command).__name__} was not refused")  # noqa: FBT003 – it reads as it is meant

    # --- what the log tells ------------------------------------------------------------------------------------------

    def _explain(self, title: str) -> None:
        events = self.app.dossier.history(self.person, actor=OPERATOR)
        found = explain(profiles.MODEL, events)
        chosen = [entry for name, entry in found.items() if name in ("location", "name", "age_range")]
        print_explained(self.out, self.person, chosen)
        live = found["location"].event.metadata.origin
        self._note(title, f"location was set by a {live} event, {len(events)} events in all", Path())

    def _rebuild(self, title: str) -> None:
        with self.out.progress() as watch:
            rebuilt = rebuild(
                self.app.events,
                PostgresShadows(self.app.reads),
                READ_MODELS,
                progress=lambda done, total: watch("rebuild", done, total),
            )
        said = f"{len(READ_MODELS)} read models from {rebuilt.events} events, position {rebuilt.position}"
        self._note(title, said, Path())

    def _export(self, title: str) -> None:
        path = self.folder / "audit.jsonl"
        with self.out.progress() as watch, private_file(path) as file:
            exported = export_log(self.app.events, file, lambda done, total: watch("export", done, total))
        self._note(title, f"{exported.events} events as CloudEvents 1.0", path)

    def _note(self, title: str, said: str, where: Path) -> None:
        place = "" if where == Path() else str(where)
        self.happened.append((title, said, place))
        self.out.line(f"{said}{f' – see {place}' if place else ''}")

    def _expect(self, holds: bool, failure: str) -> None:  # noqa: FBT001 – it reads as it is meant
        if not holds:
            self.failures.append(failure)


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


def main() -> int:
    """Run the demo on the database of the settings."""
    out = Output()
    try:
        settings = load_settings()
        configure_logging(settings)
        if settings.database_url is None and (notice := embedded(settings)[1]):
            out.note(notice)
        with application(settings) as app:
            app.initialise()
            return Demo(app, out).run()
    except DossierError as error:
        out.error(error)
        return 3


if __name__ == "__main__":
    sys.exit(main())
