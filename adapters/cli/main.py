"""Dossier: an event-sourced core for the records an application keeps about people.

Exit codes: 0 fine; 1 findings, or the command was rejected or refused; 2 usage; 3 input or database error.

A migration or follower that was stopped by a signal ends with 130 (SIGINT) or 143 (SIGTERM) if work is left to do.
With --json an error is one document {"error": {code, message, field, hint}} on standard output.
Settings come from the environment: DOSSIER_DATABASE_URL, DOSSIER_HOME, DOSSIER_ACTOR, DOSSIER_LOG_LEVEL and others.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, Final

import typer
from typer.main import get_command

from adapters.cli import (
    audit,
    backup,
    cases,
    commands,
    db,
    erasure,
    find,
    keys,
    migrate,
    people,
    projections,
    records,
    sample,
    statuses,
    subject_report,
    timeline,
)
from adapters.cli.output import Output
from adapters.logging import configure_logging
from adapters.settings import load_settings
from domain.errors import CommandRejected, DossierError, ProofFailed

FINE: Final = 0
REJECTED: Final = 1
USAGE: Final = 2
FAILED: Final = 3

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(db.app, name="db")
app.add_typer(migrate.app, name="migrate")
app.add_typer(projections.app, name="projections")
app.add_typer(audit.app, name="audit")
app.add_typer(keys.app, name="keys")
app.add_typer(sample.app, name="sample")
app.add_typer(commands.access_app, name="access")
app.add_typer(commands.schema_app, name="schema")
app.add_typer(cases.app, name="cases")
app.command()(records.show)
app.command()(records.history)
app.command()(records.explain)
app.command()(timeline.timeline)
app.command()(statuses.statuses)
app.command()(find.find)
app.command()(people.profiles)
app.command()(people.search)
app.command()(people.intents)
app.command()(commands.execute)
app.command()(erasure.erase)
app.command()(backup.backup)
app.command()(backup.restore)
app.command()(subject_report.subject_report)


class _Usage(DossierError):
    """The command line itself is wrong."""

    code = "usage"


class _Failure(DossierError):
    """Something outside went wrong that no other error stands for."""

    code = "failed"


def _version(wanted: bool | None) -> None:  # noqa: FBT001 – typer calls it so
    if wanted:
        Output().line(f"dossier {importlib.metadata.version('dossier')}")
        raise typer.Exit


@app.callback(help=__doc__)
def _options(
    _version: Annotated[
        bool | None, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = None,
) -> None:
    pass


def main() -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run(sys.argv[1:]))


@cache
def _command() -> Callable[..., object]:
    """The parser of all commands; building it takes longer than most commands, and `run` may be called often."""
    return get_command(app)


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; errors are printed, never raised."""
    output = Output(as_json="--json" in arguments)
    debug = False
    try:
        settings = load_settings()
        debug = settings.log_level == "debug"
        configure_logging(settings)
        logging.getLogger("psycopg.pool").setLevel(logging.DEBUG if debug else logging.CRITICAL)
        code = _command()(args=list(arguments), prog_name="dossier", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has had enough; the interpreter would complain once more on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FINE
    except Exception as error:
        if debug:
            raise
        found, code = _explained(error)
        if found.message:  # typer printed the help when nothing was asked for
            output.error(found)
        return code
    return code if isinstance(code, int) else FINE


def _explained(error: Exception) -> tuple[DossierError, int]:
    """Return what to print for an error, and the exit code."""
    match error:
        case CommandRejected() | ProofFailed():
            return error, REJECTED
        case DossierError():
            return error, FAILED
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return _Failure(f"{where}{error.strerror or error}", hint="correct that and try again"), FAILED
        case _ if hasattr(error, "format_message"):  # what typer raises for a wrong command line
            return _Usage(str(error.format_message()), hint="add --help to see how it is used"), USAGE
        case _:
            hint = "please report it; DOSSIER_LOG_LEVEL=debug shows where it happened"
            return _Failure(f"an error inside Dossier: {type(error).__name__}", hint=hint), FAILED
