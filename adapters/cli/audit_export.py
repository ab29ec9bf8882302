"""`dossier audit export`: an evidence file, the events asked for with a proof for each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from adapters.audit.checkpoints import sign_head
from adapters.audit.export import Exporter, FileFormat
from adapters.bootstrap import Application, utc_now
from adapters.cli.audit_keys import Checkpoints, checkpoint_folder, key_folder
from adapters.cli.output import Output
from adapters.cli.session import ActingAs, AsJson, id_option, opened, reading, record_of
from adapters.cli.times import moment
from adapters.postgres.mapper import canonical_instant
from adapters.private_file import private_file
from adapters.settings import load_settings
from adapters.written_files import note_file
from domain import access
from domain.access import Actor, Permissions
from domain.event import EVENT_TYPES, LIVE
from migrations_replay.systems import SYSTEMS
from projections import migration_runs

_READS_ALL: Final = Permissions(Actor.operator(), Actor.operator().roles)
From = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="What happened then or later: an ISO time with its zone.")
]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="What happened before then.")]
PositionFrom = Annotated[int | None, typer.Option("--position-from", min=0, help="This position of the log and later.")]
PositionTo = Annotated[int | None, typer.Option("--position-to", min=0, help="This position of the log and earlier.")]
Subject = Annotated[str | None, id_option("--subject", "The account whose data the events hold.")]
By = Annotated[
    str | None, typer.Option("--actor", metavar="ID", help="Who did it: an account, operator:NAME or legacy-unknown.")
]
Topics = Annotated[list[str] | None, typer.Option("--topic", help="What kind of event; can be given again.")]
Systems = Annotated[
    list[str] | None,
    typer.Option("--system", help=f"What was imported from it: {', '.join(SYSTEMS)}; or `{LIVE}`. Can be given again."),
]


def export(  # noqa: PLR0913 – one a filter
    out_file: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write the file.", dir_okay=False)],
    *,
    file_format: Annotated[FileFormat, typer.Option("--format", help="How the events are written.")] = "jsonl",
    happened_from: From = None,
    happened_to: To = None,
    position_from: PositionFrom = None,
    position_to: PositionTo = None,
    subject: Subject = None,
    actor: By = None,
    topic: Topics = None,
    system: Systems = None,
    checkpoints: Checkpoints = None,
    acting_as: ActingAs = None,
    as_json: AsJson = False,
) -> None:
    """Write an evidence file: a zip of the events asked for, a proof for each, and a signed manifest.

    Whoever has the public key verifies it with `dossier audit verify FILE --key KEY`, without database and network. It
    takes the role of an auditor, and is recorded.
    """
    if str(out_file) == "-":
        raise typer.BadParameter("an evidence file cannot go to standard output: name a file")
    out = Output(as_json=as_json)
    asked = asked_for(happened_from, happened_to, position_from, position_to, actor, topic, system)
    keys, folder = key_folder(), checkpoint_folder(checkpoints)
    key = keys.signing()
    with opened() as app:
        who, permissions = reading(app, acting_as)
        access.check_audit(permissions)
        filters = resolved_filters(app, asked, subject)
        note_file(load_settings().audit_home, "evidence", out_file)
        with out.progress() as watch, private_file(out_file) as file:
            head = sign_head(
                app.audit, key, utc_now(), folder.latest(keys.known()), lambda done, total: watch("leaves", done, total)
            )
            folder.write(head)
            exported = Exporter(app.dossier, app.audit, key).write(
                file, head, filters, file_format, who, lambda done, total: watch("export", done, total)
            )
    manifest = exported.manifest
    out.json({"file": str(out_file), "recorded_at_position": exported.position, **manifest})
    span = f" from position {manifest['first_position']} to {manifest['last_position']}" if manifest["events"] else ""
    out.line(f"{manifest['events']} events{span} are in {out_file}, readable by you alone; the export is recorded.")
    out.next(f"`dossier audit verify {out_file} --key PUBLIC_KEY`; it holds personal data, so keep it safe")


def asked_for(
    happened_from: str | None,
    happened_to: str | None,
    position_from: int | None,
    position_to: int | None,
    actor: str | None,
    topic: list[str] | None,
    system: list[str] | None,
) -> dict[str, Any]:
    """Return the filters that were given on the command line; a usage error for what cannot be one."""
    asked = {
        "from": moment("--from", happened_from),
        "to": moment("--to", happened_to),
        "position_from": position_from,
        "position_to": position_to,
        "actor": actor,
        "topic": _of("--topic", topic, list(EVENT_TYPES)),
        "system": _of("--system", system, [*SYSTEMS, LIVE]),
    }
    return {name: value for name, value in asked.items() if value is not None}


def resolved_filters(app: Application, asked: dict[str, Any], subject: str | None) -> dict[str, Any]:
    """Return the filters that were given, in the form a manifest states them, for somebody who may read all of it."""
    filters = dict(asked)
    for name in ("from", "to"):
        if name in filters:
            filters[name] = canonical_instant(filters[name])
    if subject is not None:
        app.catch_up()
        filters["subject"] = str(record_of(app, subject, _READS_ALL, "account"))
    if "system" in filters:
        app.catch_up()
        runs = app.reads.fetch(migration_runs.MODEL)
        origins = [f"import:{run['run_id']}" for run in runs if run["system"] in filters["system"]]
        filters["origins"] = sorted([*origins, LIVE] if LIVE in filters["system"] else origins)
    return filters


def _of(option: str, given: list[str] | None, known: Sequence[str]) -> list[str] | None:
    for name in given or ():
        if name not in known:
            raise typer.BadParameter(f"{option}: there is no {name!r}; there are: {', '.join(known)}")
    return sorted(set(given)) if given else None
