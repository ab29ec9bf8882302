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

from adapters import migration, taken_in
from adapters.bootstrap import Application
from adapters.cli.output import Output
from adapters.cli.session import AsJson, opened
from adapters.migration import Migration, Watch
from adapters.settings import load_settings
from adapters.spilled import report_json
from adapters.written_files import note_file
from domain.errors import InputUnreadable, NotFound
from migrations_replay.approvals import read_approvals
from migrations_replay.replay import BATCH_EVENTS
from migrations_replay.systems import SYSTEMS

LISTS: Final = ("conflicts", "findings", "quarantine", "unmapped", "pending", "kept", "gone", "differences")
MAX_APPROVALS: Final = 16 * 1024 * 1024
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
Apply = Annotated[bool, typer.Option("--apply", help="Do it; without, only show what it would do.")]
ApplyDeletes = Annotated[
    bool, typer.Option("--apply-deletes", help="Withdraw records that the source no longer has; else they are listed.")
]
ApprovalsFile = Annotated[
    Path | None,
    typer.Option(
        "--approvals",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="Differences somebody has approved: JSON list of leaf, approver, reason.",
    ),
]
Work = Callable[[Application, Watch], dict[str, Any]]


@app.command()
def plan(  # noqa: PLR0913 – an option each
    system: System,
    source: Source,
    *,
    only: Only = None,
    batch_size: BatchSize = BATCH_EVENTS,
    apply_deletes: ApplyDeletes = False,
    approvals: ApprovalsFile = None,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Do the whole run in throwaway schemas: the same code and report, and nothing stays."""
    wanted = _wanted(system, source, only, batch_size, approvals, apply_deletes=apply_deletes)
    _carry_out(lambda app, watch: migration.plan(app, wanted, watch), report, Output(as_json=as_json))


@app.command()
def run(  # noqa: PLR0913 – an option each
    system: System,
    source: Source,
    *,
    only: Only = None,
    batch_size: BatchSize = BATCH_EVENTS,
    apply_deletes: ApplyDeletes = False,
    approvals: ApprovalsFile = None,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Migrate, resuming where an earlier run stopped; of a newer export only the differences."""
    wanted = _wanted(system, source, only, batch_size, approvals, apply_deletes=apply_deletes)
    _carry_out(lambda app, watch: migration.run(app, wanted, watch), report, Output(as_json=as_json), resumes=True)


@app.command()
def retry(
    system: System,
    source: Source,
    *,
    only: Only = None,
    batch_size: BatchSize = BATCH_EVENTS,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Read again, from a source that was mended, only the records that were quarantined and not taken in since."""
    wanted = _wanted(system, source, only, batch_size, None)
    _carry_out(lambda app, watch: migration.retry(app, wanted, watch), report, Output(as_json=as_json), resumes=True)


@app.command()
def verify(
    system: System,
    source: Source,
    *,
    only: Only = None,
    batch_size: BatchSize = BATCH_EVENTS,
    approvals: ApprovalsFile = None,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Compare the tables with the source, leaf by leaf; writes no event."""
    wanted = _wanted(system, source, only, batch_size, approvals)
    _carry_out(lambda app, watch: migration.verify(app, wanted, watch), report, Output(as_json=as_json))


@app.command()
def rederive(
    system: System,
    *,
    only: Only = None,
    apply: Apply = False,
    batch_size: BatchSize = BATCH_EVENTS,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Run the recorded snapshots through the mapping as it is now; the legacy system is not needed.

    Shows the records and fields that would change; --apply changes them.
    """

    def work(opened_app: Application, watch: Watch) -> dict[str, Any]:
        return taken_in.rederive(opened_app, system, watch, only or (), batch_size, apply=apply)

    _carry_out(work, report, Output(as_json=as_json), resumes=apply, show=_rederived)


@app.command()
def rollback(
    system: System,
    *,
    only: Only = None,
    apply: Apply = False,
    force: Annotated[bool, typer.Option("--force", help="Take back also what was changed by people since.")] = False,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Take an import back: the tables end as if it had not run, the log keeps all of it, a later run imports again.

    Shows what would be taken back, and what has live changes since and is left; --apply does it.
    """

    def work(opened_app: Application, watch: Watch) -> dict[str, Any]:
        return taken_in.rollback(opened_app, system, watch, only or (), force=force, apply=apply)

    _carry_out(work, report, Output(as_json=as_json), resumes=apply, show=_rolled_back)


@app.command()
def status(system: System, *, source: NoSource = None, as_json: AsJson = False) -> None:  # noqa: ARG001 – see NoSource
    """List the runs of a system, and say what stands of it now and whether one was interrupted."""
    out = Output(as_json=as_json)
    with opened() as opened_app:
        runs = migration.run_status(opened_app, system)
        now = migration.in_the_tables(opened_app, system)
    interrupted = any(run["completed_at"] is None for run in runs)
    out.json({"system": system, "runs": runs, "interrupted": interrupted, "now": now})
    columns = ("run_id", "started_at", "completed_at", "recorded", "unchanged", "quarantined", "events")
    if runs:
        out.table(columns, [[run[name] for name in columns] for run in runs])
        out.line(f"Now {now['taken_in']} records stand as taken in, and {now['waiting']} wait in quarantine.")
    else:
        out.line(f"{system} was never migrated into this database.")
    if interrupted:
        out.next(f"an interrupted run is resumed by `dossier migrate run {system} --source PATH`")
    elif not now["taken_in"]:
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
        documents = taken_in.to_legacy(opened_app, system, record_id)
    out.json({"system": system, "documents": documents})
    for found in documents:
        out.line(f"{found['table']}/{found['id']}")
        out.line(f"  {json.dumps(found['document'], ensure_ascii=False, sort_keys=True)}")


def _wanted(
    system: str,
    source: str,
    only: list[str] | None,
    batch_size: int,
    approvals: Path | None,
    *,
    apply_deletes: bool = False,
) -> Migration:
    approved = {} if approvals is None else read_approvals(_read_file(approvals))
    return Migration.of(system, source, only or (), batch_size, apply_deletes=apply_deletes, approvals=approved)


def _read_file(path: Path) -> bytes:
    if path.stat().st_size > MAX_APPROVALS:
        raise InputUnreadable(f"approvals: more than {MAX_APPROVALS} bytes", field="approvals")
    return path.read_bytes()


def _carry_out(
    work: Work, report: Path | None, out: Output, *, resumes: bool = False, show: Callable[..., None] | None = None
) -> None:
    with _stoppable() as stopped:
        try:
            with opened() as opened_app, out.progress() as watch:
                found = work(opened_app, watch)
        except KeyboardInterrupt:
            out.json({"stopped": True, "resumes": resumes})
            out.line(
                "Stopped. What was committed stays; no bundle is half-done." if resumes else "Stopped; nothing stays."
            )
            out.next(f"run the same command again{': it resumes where it stopped' if resumes else ''}")
            raise typer.Exit(128 + (stopped[0] if stopped else signal.SIGINT)) from None
        except NotFound as missing:  # the export lacks what `--only` names: the input is wrong, no command was rejected
            raise InputUnreadable(missing.message, field=missing.field, hint=missing.hint) from None
    if report is not None:
        note_file(load_settings().audit_home, "migration", report)
        migration.write_report(found, report)
    out.pieces(report_json(found))
    (show or summary)(out, found, report)
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
    if "retried" in report:
        found = report["retried"]
        out.line(f"{found['waited']} records waited: {found['taken_in']} were taken in, {found['left']} wait still.")
    if report["snapshots"]["older"]:
        out.line(
            f"{report['snapshots']['older']} records are older here than what was taken in: they change nothing, and"
            " differ from the tables."
        )
    if unused := report["unused_approvals"]:
        out.line(f"{len(unused)} approvals meet no difference, the first is {unused[0]}")
    timing = ", ".join(f"{name} {value}" for name, value in report["timing"].items())
    out.line(f"{report['events']['appended']} events appended; {timing}")
    out.line(f"The report lies in {path}." if path else "Give --report FILE to keep the whole report.")
    out.next(_advice(report))


def _rederived(out: Output, report: dict[str, Any], path: Path | None) -> None:
    changes, waiting = report["changes"], report["pending"]
    bundles = len({change["bundle"] for change in changes})
    applied = report["mode"] == "rederive"
    would = "changed" if applied else "would change"
    out.line(f"{report['system']}, mapping version {report['mapping_version']}")
    out.line(f"{len(changes)} fields of {bundles} records {would}, {report['snapshots']['unchanged']} are as before")
    out.line(f"{len(report['kept'])} stay as people changed them, {len(waiting)} bundles wait")
    if changes:
        out.table(("bundle", "record", "field"), [(line["bundle"], line["stream"], line["field"]) for line in changes])
    out.line(f"The report lies in {path}." if path else "Give --report FILE to keep the values before and after.")
    if not report["snapshots"]["read"]:
        out.next(f"nothing of it stands; `dossier migrate status {report['system']}` lists the runs")
    elif changes and not applied:
        out.next("the same command with --apply does it")


def _rolled_back(out: Output, report: dict[str, Any], path: Path | None) -> None:
    applied, left = report["mode"] == "rollback", report["live_changes"]
    out.line(
        f"{report['system']}: {report['records']} records of {report['bundles']} bundles"
        f" {'were' if applied else 'would be'} taken back, {report['streams']} streams with them,"
        f" and {report['set_aside']} that were set aside."
    )
    hint = "; --force takes back also what is left" if left and not report["forced"] else ""
    if left:
        taken = "are taken back with their changes" if report["forced"] else "are left"
        out.line(f"{len(left)} bundles have live changes since and {taken}:")
        out.table(("bundle", "changed live"), [(line["bundle"], ", ".join(line["streams"])) for line in left])
    if path:
        out.line(f"The report lies in {path}.")
    if not (report["records"] or report["set_aside"] or left):
        out.next(f"nothing of it stands; `dossier migrate status {report['system']}` lists the runs")
    elif applied and not report["records"]:
        out.next("look at what people changed; the same command with --force takes that back too")
    elif applied:
        out.next(f"`dossier migrate run {report['system']} --source PATH` imports it again")
    else:
        out.next(f"the same command with --apply does it{hint}")


def _resumed(report: dict[str, Any]) -> str:
    return " (resumed)" if report["resumed"] else ""


def _side_by_side(*counts: dict[str, int]) -> list[list[Any]]:
    longest = max(len(part) for part in counts)
    columns = [[*part.items(), *[("", "")] * (longest - len(part))] for part in counts]
    return [[cell for pair in row for cell in pair] for row in zip(*columns, strict=True)]


def _advice(report: dict[str, Any]) -> str:
    system, findings = report["system"], migration.has_findings(report)
    gone = any(not entry["deleted"] for entry in report["gone"])
    run = f"`dossier migrate run {system} --source PATH`"
    deletes = f"`dossier migrate run {system} --source NEWEST --apply-deletes`"
    match report["mode"]:
        case "verify" if findings and gone:
            return f"what the source no longer gives is under `gone`: {deletes} withdraws it"
        case "verify" if findings:
            return "see `differences` in the report: they name each leaf that is not in its place"
        case "verify":
            return f"every value is in its place; `dossier explain legacy:{system}/TABLE/KEY` tells where one came from"
        case "plan":
            return f"look through the lists of the report, then {run}" if findings else run
        case "retry" if report["waiting"]:
            return "`waiting` in the report says why each of those that wait was set aside; mend them and retry again"
        case _ if report["pending"]:
            return "`pending` in the report names what people must decide, and why it could not be merged"
        case _ if gone:
            return f"`gone` in the report is what the source no longer gives: {deletes} withdraws it"
        case _:
            return f"`dossier migrate verify {system} --source PATH`"
