"""`dossier audit`: the whole log, for those who check it."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Final

import structlog
import typer

from adapters.audit.checkpoints import CheckpointFolder, hand_over, sign_head
from adapters.audit.store import as_dict, verify_store
from adapters.audit.verifier import PublicKey, Unproven, is_consistency_proof, verify_consistency
from adapters.audit.verifier import verify as verify_evidence
from adapters.bootstrap import Application, utc_now
from adapters.cli import audit_consistency, audit_export, audit_keys, audit_log
from adapters.cli.audit_keys import Checkpoints, Keys, checkpoint_folder, key_folder, keys_given
from adapters.cli.output import Output
from adapters.cli.session import ActingAs, AsJson, opened, reading
from adapters.cli.signals import until_signalled
from adapters.errors import translated
from adapters.postgres.followers import resting
from domain import access
from domain.errors import ConfigurationInvalid, DossierError, ProofFailed, StoreError

app = typer.Typer(help="The whole log, for those who check it.", no_args_is_help=True)
app.add_typer(audit_keys.app, name="keys")
app.command()(audit_consistency.consistency)
app.command()(audit_export.export)
app.command()(audit_log.log)

_log: Final = structlog.get_logger()
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


@app.command()
def status(*, checkpoints: Checkpoints = None, as_json: AsJson = False) -> None:
    """Say how far the tree is behind the log, and which is the latest checkpoint."""
    out = Output(as_json=as_json)
    with opened() as app_:
        head, state = app_.events.head(), app_.audit.state()
        root = app_.audit.tree(state.size).root()
    files = checkpoint_folder(checkpoints).files()
    found = {
        "head": head,
        "position": state.position,
        "behind": head - state.position,
        "size": state.size,
        "root": root.hex(),
        "seconds_since_update": round((utc_now() - state.updated_at).total_seconds(), 1),
        "checkpoints": len(files),
        "latest_checkpoint": files[-1].name if files else None,
    }
    out.json(found)
    out.pairs(found)
    if not files:
        out.next("`dossier audit checkpoint` signs the head of the log and keeps it outside the database")


@app.command()
def checkpoint(
    *,
    checkpoints: Checkpoints = None,
    command: Annotated[
        str | None, typer.Option("--command", help="Also give each checkpoint to this command, on standard input.")
    ] = None,
    every: Annotated[
        str | None,
        typer.Option("--every", metavar="DURATION", help="Go on, with one each 30s, 10m, 1h or 1d, until stopped."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Sign the size and root of the tree and keep them outside the database, where who alters it cannot reach."""
    out, seconds = Output(as_json=as_json), _seconds(every)
    folder, keys = checkpoint_folder(checkpoints), key_folder()
    keys.signing()
    with opened() as app_:
        out.json(_checkpoint(out, app_, folder, command))
        if seconds:
            with until_signalled() as stopped:
                while not stopped:
                    resting(lambda: bool(stopped), seconds)
                    if not stopped:
                        _try_checkpoint(out, app_, folder, command)


def _try_checkpoint(out: Output, app_: Application, folder: CheckpointFolder, command: str | None) -> None:
    """Make a checkpoint, or say why not: what the database or the command cannot do now is done the next time."""
    try:
        out.json(_checkpoint(out, app_, folder, command))
    except (StoreError, ConfigurationInvalid) as error:
        _log.error("checkpoint_failed", code=error.code, message=error.message)
        with suppress(DossierError), translated():
            app_.pool.check()


def _checkpoint(out: Output, app_: Application, folder: CheckpointFolder, command: str | None) -> dict[str, Any]:
    keys = key_folder()
    latest = folder.latest(keys.known())
    with out.progress() as watch:
        signed = sign_head(
            app_.audit, keys.signing(), utc_now(), latest, lambda done, total: watch("leaves", done, total)
        )
    made = signed.checkpoint
    known = latest is not None and (latest.size, latest.root) == (made.size, made.root)
    if known:
        told = "" if command is None else "; the command was not run"
        out.line(f"Nothing was appended since the checkpoint of {made.size} events{told}.")
        return {"written": False, "size": made.size, "root": made.root.hex(), "position": made.position}
    if command:
        hand_over(signed.note, command)  # first: where it fails, the next time is another try
    file = folder.write(signed)
    out.line(f"Checkpoint of {made.size} events up to position {made.position}: {file}")
    return {
        "written": True,
        "size": made.size,
        "root": made.root.hex(),
        "position": made.position,
        "file": str(file),
        "note": signed.note,
    }


def _seconds(text: str | None) -> int:
    if text is None:
        return 0
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if not found or not int(found[1]):
        raise typer.BadParameter(f"--every: {text!r} is no duration (30s, 10m, 1h, 1d)")
    return int(found[1]) * _UNITS[found[2]]


@app.command()
def verify(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="An evidence file or a consistency proof; without one the store itself is checked.",
            dir_okay=False,
        ),
    ] = None,
    *,
    key: Keys = None,
    checkpoints: Checkpoints = None,
    acting_as: ActingAs = None,
    as_json: AsJson = False,
) -> None:
    """Check the store against its tree and all known checkpoints, or a file against its signatures and proofs.

    Exit code 0: proven. 1: something was altered, and is named. A file needs neither database nor network.
    """
    out = Output(as_json=as_json)
    if file is not None:
        _verify_file(out, file, keys_given(key))
        return
    folder = checkpoint_folder(checkpoints)
    keys = keys_given(key) if key or folder.files() else []  # before the first checkpoint there need be no key
    with opened() as app_:
        _, permissions = reading(app_, acting_as)
        access.check_audit(permissions)
        known = folder.known(keys)
        with out.progress() as watch:
            found = verify_store(app_.audit, known, lambda done, total: watch("verify", done, total))
    out.json(as_dict(found))
    columns = ("code", "first", "last", "events", "what")
    if found.findings:
        out.table(columns, [[getattr(finding, name) for name in columns] for finding in found.findings])
        out.next("docs/operations.md, “When verify fails”; change nothing, and keep the checkpoints safe")
        raise typer.Exit(1)
    out.line(
        f"{found.events} events up to position {found.position} are what they were, by {found.checkpoints} checkpoints."
    )
    if found.unproven:
        out.line(f"{found.unproven} newer events have no leaf yet: `dossier audit checkpoint` takes them in.")
    if not found.checkpoints:
        out.next("without a checkpoint a tree made anew over altered events cannot be told: `dossier audit checkpoint`")


def _verify_file(out: Output, file: Path, keys: list[PublicKey]) -> None:
    try:
        if is_consistency_proof(file):
            proven = verify_consistency(file, keys)
            out.json({"proven": True, **proven.plain()})
            out.line(audit_consistency.said(proven))
            return
        with out.progress() as watch:
            found = verify_evidence(file, keys, lambda done, total: watch("verify", done, total))
    except Unproven as error:
        raise ProofFailed(
            f"{file}: {error}", hint="get the file anew from whoever made it; do not rely on it"
        ) from None
    manifest = found.manifest
    out.json({"proven": True, "complete": found.complete, **manifest})
    shown = ("exported_by", "exported_at", "events", "first_position", "last_position", "filters")
    out.pairs({"proven": True, "complete": found.complete, **{name: manifest[name] for name in shown}})
    whole = "nothing between its first and last event is missing" if found.complete else "it is a selection"
    out.line(f"Each event is in the log as it was signed on {found.checkpoint.time}; {whole}.")
