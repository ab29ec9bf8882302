"""`dossier subject-report`: everything held about a person, for them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import orjson
import typer

from adapters.bootstrap import utc_now
from adapters.cli.erasure import person_of
from adapters.cli.output import Output
from adapters.cli.session import ActorOption, AsJson, RecordId, opened, reading
from adapters.erasure import held
from adapters.private_file import private_file
from adapters.settings import load_settings
from adapters.subject_report import as_document, as_page
from adapters.written_files import note_file
from domain import access

_FORMS: Final = (".json", ".html")


def _out_path(out_file: Path | None) -> Path | None:
    if out_file is not None and out_file.suffix not in _FORMS:
        raise typer.BadParameter("a subject report is a .json or .html file")
    return out_file


def subject_report(
    person: RecordId,
    *,
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write only this .json or .html file; else both are written here, as subject-ID.json and .html.",
            dir_okay=False,
            callback=_out_path,
        ),
    ] = None,
    actor: ActorOption = None,
    as_json: AsJson = False,
) -> None:
    """Give a person everything held about them, with where it came from: as JSON, and as a page to read.

    For the person themselves, an auditor or an admin. The page loads nothing and runs nothing.
    """
    out = Output(as_json=as_json)
    with opened() as app:
        app.catch_up()
        _, permissions = reading(app, actor)
        subject = person_of(app, person, permissions)
        access.check_subject_report(permissions, subject)
        report = as_document(held(app, subject), utc_now())
    files = (
        []
        if as_json and out_file is None
        else [out_file]
        if out_file
        else [Path(f"subject-{subject}{form}") for form in _FORMS]
    )
    for file in files:
        note_file(load_settings().audit_home, "subject", file, subject)
        with private_file(file) as written:
            written.write(
                as_page(report).encode() if file.suffix == ".html" else orjson.dumps(report, option=orjson.OPT_INDENT_2)
            )
    out.json(report)
    out.line(f"{len(report['events'])} events and {sum(map(len, report['now'].values()))} rows are about {subject}.")
    out.line(f"The report lies in {' and '.join(map(str, files))}, readable by you alone.")
    out.next("hand it over; an erasure deletes it where it lies, and reaches no copy")
