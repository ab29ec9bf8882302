"""`dossier audit consistency`: proof that a checkpoint is continued by another, for whoever holds both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from adapters.audit.checkpoints import prove_consistency
from adapters.audit.verifier import Consistent
from adapters.cli.audit_keys import Checkpoints, Keys, checkpoint_folder, keys_given
from adapters.cli.output import Output
from adapters.cli.session import ActingAs, AsJson, opened, reading
from adapters.private_file import private_file
from domain import access

_NAMED = "a file, or the number of events of one of --checkpoints."


def consistency(
    earlier: Annotated[str, typer.Argument(metavar="FROM", help=f"The earlier checkpoint: {_NAMED}")],
    later: Annotated[str, typer.Argument(metavar="TO", help=f"The later checkpoint: {_NAMED}")],
    *,
    out_file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to write the proof.", dir_okay=False)
    ] = None,
    key: Keys = None,
    checkpoints: Checkpoints = None,
    acting_as: ActingAs = None,
    as_json: AsJson = False,
) -> None:
    """Prove that the log of a checkpoint begins with that of an earlier one: nothing signed then was altered since.

    The proof holds both checkpoints and is verified by `dossier audit verify FILE`, without database and network.
    Exit code 1: the tree does not lead from one to the other.
    """
    out, folder, keys = Output(as_json=as_json), checkpoint_folder(checkpoints), keys_given(key)
    then, now = folder.named(earlier, keys), folder.named(later, keys)
    if then.checkpoint.size > now.checkpoint.size:
        raise typer.BadParameter("FROM is the later of the two: give them the other way round")
    with opened() as app:
        _, permissions = reading(app, acting_as)
        access.check_audit(permissions)
        proof = prove_consistency(app.audit, then, now)
    if out_file is not None:
        with private_file(out_file) as file:
            file.write(proof.encode())
    found = Consistent(then.checkpoint, now.checkpoint)
    file_name = None if out_file is None else str(out_file)
    out.json({"proven": True, **found.plain(), "proof": json.loads(proof)["proof"], "file": file_name})
    out.line(said(found))
    verify = f"`dossier audit verify {file_name} --key PUBLIC_KEY` proves it to whoever holds the checkpoints"
    out.next(verify if file_name else "--out FILE writes the proof, for others to verify")


def said(found: Consistent) -> str:
    """Return what a consistency proof shows, in words."""
    then, now = found
    return f"The log of {now.size} events, signed on {now.time}, begins with the {then.size} signed on {then.time}."
