"""`dossier erase`: a person is forgotten, for good."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

import typer

from adapters.bootstrap import Application
from adapters.cli.output import Output
from adapters.cli.session import ActorOption, AsJson, RecordId, opened, reading, record_of
from adapters.erasure import check_erasable, held
from adapters.erasure import erase as erase_person
from adapters.settings import load_settings
from domain import access
from domain.access import Permissions
from domain.errors import NotFound


def erase(
    person: RecordId,
    *,
    reason: Annotated[
        str, typer.Option("--reason", help="Why; it stays readable for good, so name nobody in it.", show_default=False)
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; erase nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, also on a terminal.")] = False,
    actor: ActorOption = None,
    as_json: AsJson = False,
) -> None:
    """Erase a person: what was recorded about them cannot be read any more, by anybody. There is no way back.

    Their key is deleted; events, tables, exports and reports say erased from then on, and no import brings them back.
    Backups made before still hold their key: see docs/erasure.md.
    """
    out = Output(as_json=as_json)
    with opened() as app:
        app.catch_up()
        who, permissions = reading(app, actor)
        subject = person_of(app, person, permissions)
        access.check_read(permissions, subject)
        found = held(app, subject).summary()
        check_erasable(app, subject)
        if dry_run:
            out.json({"dry_run": True, **found})
            out.pairs(found, title="would be erased")
            out.next(f"`dossier erase {subject} --reason TEXT` erases them; there is no way back")
            return
        if not (yes or as_json) and sys.stdin.isatty():
            typer.confirm(f"Erase {subject} ({found['events']} events)? There is no way back.", abort=True, err=True)
        done = erase_person(app, subject, reason, who, load_settings().audit_home)
    out.json(
        {
            "person": subject,
            "position": done.receipt.position,
            "was_erased_before": found["erased"],
            "events": found["events"],
            "dropped_previous_tables": done.dropped_previous,
            "aborted_rebuild": done.aborted_rebuild,
            "left_over_schemas": done.leftovers,
            "files": asdict(done.files),
            "rebuild_under_way": done.rebuild_under_way,
        }
    )
    out.line(f"{subject} is erased: {found['events_with_values']} events hold no value any more.")
    if done.aborted_rebuild:
        out.line("An unfinished rebuild was dropped, because its tables held values of them.")
    for name, files in (("cleaned", done.files.rewritten), ("deleted", done.files.deleted)):
        if files:
            out.line(f"Reports that named them were {name}: {', '.join(files)}")
    for file, why in done.files.left.items():
        out.line(f"Still there: {file} – {why}")
    if done.rebuild_under_way:
        out.line("A rebuild is under way: its tables forget them before they are swapped in. If it is never finished,")
        out.line("`dossier projections abort` drops them.")
    if done.leftovers:
        out.line(f"Schemas of dry runs may still hold values of them: {', '.join(done.leftovers)}")
        out.next("if no dry run is under way, DROP SCHEMA … CASCADE each of them")
    else:
        out.next("delete what is still there, and copies of reports and exports made by hand: see docs/erasure.md")


def person_of(app: Application, name: str, permissions: Permissions) -> UUID:
    """Return the person an id stands for: an account or person, or whom a record or legacy record is about."""
    stream = record_of(app, name, permissions)
    if app.events.streams_about([stream]):
        return stream
    events = app.events.load([stream])[stream]
    about = {event.metadata.subject for event in events} - {None}
    if len(about) != 1:
        raise NotFound(
            f"{name} is about nobody in particular", field="id", hint="give the id of an account or a person"
        )
    (found,) = about
    assert found is not None
    return found
