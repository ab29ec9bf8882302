"""`dossier backup` and `dossier restore`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from adapters.audit.store import Verified, verify_store
from adapters.backup import Manifest, Replaced, back_up, read_manifest
from adapters.backup import restore as restore_backup
from adapters.bootstrap import Application, application, database_url, utc_now
from adapters.cli.audit_keys import checkpoint_folder, key_folder
from adapters.cli.output import Output
from adapters.cli.session import AsJson, opened
from adapters.erasure import JOURNAL, erase, noted
from adapters.settings import load_settings
from adapters.written_files import note_file
from domain.access import Actor
from domain.errors import DossierError

FINDINGS: Final = 1
REASON: Final = "erased before this backup was restored"


def backup(
    out_file: Annotated[
        Path,
        typer.Option("--out", metavar="FILE|DIR", help="The file to write, or a folder for one named by the time."),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Write the whole database into one file, as it is at one moment; commands go on meanwhile.

    It holds everybody's keys, wrapped by the master key, which is not in it: keep that apart.
    """
    out, now = Output(as_json=as_json), utc_now()
    file = out_file / f"dossier-{now:%Y%m%dT%H%M%SZ}.dump" if out_file.is_dir() else out_file
    note_file(load_settings().audit_home, "backup", file)
    with opened() as app:
        app.audit.catch_up()
        made = back_up(str(app.pool.conninfo), file, now)
    out.json({"file": str(file), **asdict(made)})
    out.line(f"{made.events} events up to position {made.head} are in {file}, readable by you alone.")
    out.next("keep it apart from the master key; `dossier restore` checks it against the checkpoints")


def restore(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="What `dossier backup` wrote.", exists=True, dir_okay=False)
    ],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put it in the place of what the database holds, which is lost.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup into an empty database, check it against the checkpoints, and erase again who was erased since.

    Exit code 1: events are missing that were there, or something was altered; it is named.
    """
    out, settings = Output(as_json=as_json), load_settings()
    manifest = read_manifest(file)
    replaced = restore_backup(database_url(settings), file, replace=replace)
    with _unfinished(file), application(settings) as app, out.progress() as watch:
        app.initialise()
        known = checkpoint_folder(None).known(key_folder().known())
        verified = verify_store(app.audit, known, lambda done, total: watch("verify", done, total))
        lost = _lost(manifest, replaced, verified, app.events.head())
        again, failed = _erase_again(app, [*replaced.erased, *noted(settings.audit_home / JOURNAL)])
        app.catch_up()
    findings = [finding._asdict() for finding in verified.findings]
    result: dict[str, Any] = {
        "head": manifest.head,
        "events": manifest.events,
        "made_at": manifest.made_at,
        "checkpoints": verified.checkpoints,
        "lost": lost,
        "findings": findings,
        "erased_again": again,
        "not_erased": failed,
    }
    out.json(result)
    out.line(
        f"{manifest.events} events up to position {manifest.head} are restored, as they were at {manifest.made_at}."
    )
    for text in lost:
        out.line(f"Lost: {text}")
    for finding in verified.findings:
        out.line(f"{finding.code}: {finding.what}")
    if again:
        out.line(f"{len(again)} people who were erased since are erased again.")
    for person, why in failed.items():
        out.line(f"{person} was erased since and is not erased here: {why}")
    if not verified.checkpoints:
        out.line("There is no checkpoint to check it against; `dossier audit checkpoint` makes one.")
    if lost or findings or failed:
        raise typer.Exit(FINDINGS)
    out.next("`dossier audit verify`, then let people in again")


@contextmanager
def _unfinished(file: Path) -> Iterator[None]:
    """Have an error in the block say that the backup is in the database, and was neither checked nor erased from."""
    try:
        yield
    except DossierError as error:
        error.hint = (
            f"{error.hint or 'correct that'}; then `dossier restore {file} --replace`: it lies in the database"
            " unchecked, and who was erased since is not erased in it"
        )
        raise


def _lost(manifest: Manifest, replaced: Replaced, verified: Verified, head: int) -> list[str]:
    """Return what is not there any more that was."""
    found = []
    if head < manifest.head:
        found.append(f"the backup goes up to position {manifest.head}, the restored log to {head}")
    if replaced.head > head:
        found.append(f"events after position {head}: the log that was replaced went up to {replaced.head}")
    if verified.events < manifest.events:
        found.append(f"the backup holds {manifest.events} events, the restored log {verified.events}")
    return found


def _erase_again(app: Application, people: list[UUID]) -> tuple[list[UUID], dict[str, str]]:
    """Erase who was erased after the backup was made; returns who, and who could not be, with the reason."""
    again, failed = [], {}
    keys = app.events.keys
    wanted = dict.fromkeys(people)
    gone = keys.erased(wanted) if keys else frozenset()
    for person in wanted:
        if person in gone or not app.events.streams_about([person]):
            continue
        try:
            erase(app, person, REASON, Actor.operator(), load_settings().audit_home)
            again.append(person)
        except DossierError as error:
            failed[str(person)] = error.message
    return again, failed
