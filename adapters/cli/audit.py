"""`dossier audit`: the whole log, for those who check it."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from adapters.audit.export import export_log, private_file
from adapters.cli.output import Output
from adapters.cli.session import ActorOption, AsJson, opened, reading
from domain import access

app = typer.Typer(help="The whole log, for those who check it.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    pass


@app.command()
def export(
    out_file: Annotated[
        Path,
        typer.Option(
            "--out", metavar="FILE", help="Where to write; `-` is standard output.", dir_okay=False, allow_dash=True
        ),
    ],
    *,
    actor: ActorOption = None,
    as_json: AsJson = False,
) -> None:
    """Write the audit log: JSON Lines, one CloudEvents 1.0 event a line, up to the head of the log."""
    to_stdout = str(out_file) == "-"
    if to_stdout and as_json:
        raise typer.BadParameter("--json goes with a file: `--out -` writes the log itself to standard output")
    out = Output(as_json=as_json, quiet=to_stdout)
    with opened() as app_:
        _, permissions = reading(app_, actor)
        access.check_audit(permissions)
        target = nullcontext(sys.stdout.buffer) if to_stdout else private_file(out_file)
        with out.progress() as watch, target as file:
            exported = export_log(app_.events, file, lambda done, total: watch("export", done, total))
    if to_stdout:
        Output().note(f"{exported.events} events up to position {exported.position}")
        return
    out.json({"file": str(out_file), "events": exported.events, "position": exported.position})
    out.line(f"{exported.events} events up to position {exported.position} are in {out_file}, readable by you alone.")
    out.next("each line is a CloudEvents 1.0 event; it holds personal data, so keep the file safe")
