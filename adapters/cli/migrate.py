"""`dossier migrate`: legacy exports in, with proof."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, Final

import typer

from adapters import migration
from adapters.bootstrap import Application
from adapters.cli.output import Output
from adapters.cli.session import AsJson, opened
from adapters.migration import Migration, Watch
from domain.errors import InputUnreadable, NotFound
from migrations_replay.replay import BATCH_EVENTS
from migrations_replay.systems import SYSTEMS

LISTS: Final = ("conflicts", "findings", "quarantine", "unmapped", "pending", "differences")
FINDINGS: Final = 1

app = typer.Typer(help="Take a legacy system in, and prove that nothing was lost.", no_args_is_help=True)


def _known(system: str) -> str:
    if system not in SYSTEMS:
        raise typer.BadParameter(f"there is no legacy system {system!r}; there is: {', '.join(SYSTEMS)}")
    return system


def _report_path(report: Path | None) -> Path | None:
    if report is not None and report.suffix not in (".json", ".md"):
        raise typer.BadParameter("a report is a .json or .md file")
    return report


System = Annotated[str, typer.Argument(help=f"The legacy system: {', '.join(SYSTEMS)}.", callback=_known)]
Source = Annotated[
    str,
    typer.Option("--source", metavar="PATH|URL", help="The export, a directory or a .zip; or a postgresql:// URL."),
]
NoSource = Annotated[str | None, typer.Option("--source", metavar="PATH", help="Not needed here.", hidden=True)]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="ID", help="Only this root record (key, legacy id or account id); may be repeated."),
]
BatchSize = Annotated[int, typer.Option("--batch-size", min=1, metavar="N", help="Events in one transaction, about.")]
Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write the whole report: .json or .md.", callback=_report_path),
]
Work = Callable[[Application, Migration, Watch], dict[str, Any]]


@app.command()
def plan(
    system: System,
    source: Source,
    *,
    only: Only = None,
    batch_size: BatchSize = BATCH_EVENTS,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Do the whole run in throwaway schemas: the same code and report, and nothing stays."""
    _carry_out(migration.plan, Migration.of(system, source, only or (), batch_size), report, Output(as_json=as_json))


@app.command()
def run(
    system: System,
    source: Source,
    *,
    only: Only = None,
    batch_size: BatchSize = BATCH_EVENTS,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Migrate, resuming where an earlier run stopped; a no-op when repeated."""
    _carry_out(migration.run, Migration.of(system, source, only or (), batch_size), report, Output(as_json=as_json))


@app.command()
def verify(
    system: System,
    source: Source,
    *,
    only: Only = None,
    batch_size: BatchSize = BATCH_EVENTS,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Compare the tables with the source, leaf by leaf; writes no event."""
    _carry_out(migration.verify, Migration.of(system, source, only or (), batch_size), report, Output(as_json=as_json))


@app.command()
def status(system: System, *, source: NoSource = None, as_json: AsJson = False) -> None:  # noqa: ARG001 – see NoSource
    """List the runs of a system, and say whether one was interrupted."""
    out = Output(as_json=as_json)
    with opened() as opened_app:
        runs = migration.run_status(opened_app, system)
    interrupted = any(run["completed_at"] is None for run in runs)
    out.json({"system": system, "runs": runs, "interrupted": interrupted})
    columns = ("run_id", "started_at", "completed_at", "recorded", "unchanged", "quarantined", "events")
    if runs:
        out.table(columns, [[run[name] for name in columns] for run in runs])
    else:
        out.line(f"{system} was never migrated into this database.")
    if interrupted:
        out.next(f"an interrupted run is resumed by `dossier migrate run {system} --source PATH`")
    elif not runs:
        out.next(f"`dossier migrate plan {system} --source PATH` shows what a run would do")
    else:
        out.next(f"`dossier migrate verify {system} --source PATH` proves it against the source")


@app.command("to-legacy")
def to_legacy(
    system: System,
    record_id: Annotated[
        str, typer.Argument(metavar="ID", help="The key of a root record, or legacy:SYSTEM/TABLE/KEY for one record.")
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Show legacy records as the tables give them back: rebuilt in their normal form, without the old system."""
    out = Output(as_json=as_json)
    with opened() as opened_app:
        documents = migration.to_legacy(opened_app, system, record_id)
    out.json({"system": system, "documents": documents})
    for found in documents:
        out.line(f"{found['table']}/{found['id']}")
        out.line(f"  {json.dumps(found['document'], ensure_ascii=False, sort_keys=True)}")


def _carry_out(work: Work, wanted: Migration, report: Path | None, out: Output) -> None:
    with _stoppable() as stopped:
        try:
            with opened() as opened_app, out.progress() as watch:
                found = work(opened_app, wanted, watch)
        except KeyboardInterrupt:
            resumes = work is migration.run
            out.json({"stopped": True, "resumes": resumes})
            out.line(
                "Stopped. What was committed stays; no bundle is half-done." if resumes else "Stopped; nothing stays."
            )
            out.next(f"run the same command again{': it resumes where it stopped' if resumes else ''}")
            raise typer.Exit(128 + (stopped[0] if stopped else signal.SIGINT)) from None
        except NotFound as missing:  # the export lacks what `--only` names: the input is wrong, no command was rejected
            raise InputUnreadable(missing.message, field=missing.field, hint=missing.hint) from None
    if report is not None:
        migration.write_report(found, report)
    out.json(found)
    summary(out, found, report)
    if migration.has_findings(found):
        raise typer.Exit(FINDINGS)


@contextmanager
def _stoppable() -> Iterator[list[int]]:
    """Make SIGTERM end the work as SIGINT does; give the signals that came. Every batch is one transaction."""
    came: list[int] = []

    def interrupt(number: int, _: FrameType | None) -> None:
        came.append(number)
        if len(came) == 1:  # a second one must not break the cleaning up
            raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def summary(out: Output, report: dict[str, Any], path: Path | None) -> None:
    """Print what a report says, and where it lies."""
    out.line(f"{report['mode']} of {report['system']}, run {report['run_id']}{_resumed(report)}")
    out.table(
        ("snapshots", "count", "leaves", "count", "reconcile", "count"),
        _side_by_side(report["snapshots"], report["leaves"], report["reconcile"]),
    )
    out.table(("rule", "passed", "count"), [(rule["rule"], rule["passed"], rule["count"]) for rule in report["rules"]])
    out.line(", ".join(f"{len(report[name])} {name}" for name in LISTS))
    timing = ", ".join(f"{name} {value}" for name, value in report["timing"].items())
    out.line(f"{report['events']['appended']} events appended; {timing}")
    out.line(f"The report lies in {path}." if path else "Give --report FILE to keep the whole report.")
    out.next(_advice(report))


def _resumed(report: dict[str, Any]) -> str:
    return " (resumed)" if report["resumed"] else ""


def _side_by_side(*counts: dict[str, int]) -> list[list[Any]]:
    longest = max(len(part) for part in counts)
    columns = [[*part.items(), *[("", "")] * (longest - len(part))] for part in counts]
    return [[cell for pair in row for cell in pair] for row in zip(*columns, strict=True)]


def _advice(report: dict[str, Any]) -> str:
    system, findings = report["system"], migration.has_findings(report)
    match report["mode"], findings:
        case "verify", True:
            return "see `differences` in the report: they name each leaf that is not in its place"
        case "verify", False:
            return f"every value is in its place; `dossier explain legacy:{system}/TABLE/KEY` tells where one came from"
        case "plan", _:
            seen = "look through the lists of the report, then " if findings else ""
            return f"{seen}`dossier migrate run {system} --source PATH`"
        case _:
            return f"`dossier migrate verify {system} --source PATH`"
