"""`dossier projections`: the current-state tables: how far they are, rebuilding, upgrading."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

import typer

from adapters.bootstrap import Application
from adapters.cli import dead_letters, follow
from adapters.cli.output import Output
from adapters.cli.session import AsJson, opened, record_of, well_formed
from adapters.cli.signals import until_signalled
from adapters.migration import Watch
from adapters.postgres.followers import resting
from adapters.postgres.shadow import PostgresShadow
from adapters.projection_status import STALLED_AFTER, Status
from adapters.projection_status import status as read_status
from domain.access import Actor
from projections.all import READ_MODELS
from projections.read_model import ReadModel
from projections.rebuild import rebuild as rebuild_shadow
from projections.rebuild import rebuild_records

FINDINGS: Final = 1
SHOWN: Final = 20

app = typer.Typer(help="The tables of the present: how far they are, following, rebuilding.", no_args_is_help=True)
app.add_typer(dead_letters.app, name="dead-letters")
app.command()(follow.follow)


def _known(names: list[str] | None) -> list[str] | None:
    known = [model.name for model in READ_MODELS]
    for name in names or ():
        if name not in known:
            raise typer.BadParameter(f"there is no read model {name!r}; there are: {', '.join(known)}")
    return names


Models = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MODEL]…", callback=_known, help=f"Only these: {', '.join(model.name for model in READ_MODELS)}."
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Stop before the swap and say what would change; `resume` swaps, `abort` drops it."),
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, max=64, help="Processes that fill tables; by default one a core, ≤ 4.")
]


@app.command()
def rebuild(
    models: Models = None,
    *,
    dry_run: DryRun = False,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="ID", help="Only this record, in place; may be repeated.")
    ] = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Fold the whole log into new tables beside the live ones, compare, and swap them in; readers never notice.

    It can be stopped at any time, or killed: `resume` goes on where it was. The tables of before are kept until
    `drop-previous`, or the next swap. With --dry-run the exit code is 1 if a table differs.
    """
    out, wanted = Output(as_json=as_json), _named(models)
    if only and dry_run:
        raise typer.BadParameter("--only works in place: there is no dry run of it")
    with opened() as app_, out.progress() as watch:
        if only:
            _rebuild_only(out, app_, wanted, [well_formed(name) for name in only])
            return
        with app_.shadows(workers).begin(wanted) as shadow:
            _rebuilt(out, app_, shadow, watch, dry_run=dry_run)


@app.command()
def resume(*, dry_run: DryRun = False, workers: Workers = None, as_json: AsJson = False) -> None:
    """Go on with a rebuild that was stopped, killed, or left before its swap by a dry run."""
    out = Output(as_json=as_json)
    with opened() as app_, out.progress() as watch, app_.shadows(workers).resume() as shadow:
        _rebuilt(out, app_, shadow, watch, dry_run=dry_run)


@app.command()
def abort(*, as_json: AsJson = False) -> None:
    """Stop a rebuild wherever it runs, and drop the tables it was filling; the live ones stay as they are."""
    out = Output(as_json=as_json)
    with opened() as app_:
        aborted = app_.shadows().abort()
    out.json({"aborted": aborted})
    out.line(
        "The rebuild is aborted." if aborted else "There was no rebuild to abort: none was begun, or it has swapped."
    )


@app.command("drop-previous")
def drop_previous(models: Models = None, *, as_json: AsJson = False) -> None:
    """Drop the tables that the last swap put aside."""
    out = Output(as_json=as_json)
    with opened() as app_:
        dropped = app_.shadows().drop_previous(_named(models))
    out.json({"dropped": dropped})
    out.line(f"Dropped the previous tables of {', '.join(dropped)}." if dropped else "There were none to drop.")


@app.command()
def upgrade(
    *,
    prepare: Annotated[
        bool,
        typer.Option("--prepare", help="Only build them, beside the release that runs; without it they are swapped."),
    ] = False,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Rebuild the tables that this release makes differently, and swap them in; run it when you deploy.

    What --prepare has built is caught up and swapped, not built again.
    """
    out = Output(as_json=as_json)
    with opened() as app_, out.progress() as watch:
        app_.migrate()
        outdated, shadows = app_.outdated(), app_.shadows(workers)
        if not outdated:
            app_.open_to_readers()
            out.json({"models": [], "swapped": False})
            out.line("Every table is of this release.")
            return
        state = shadows.state()
        goes_on = (
            state is not None
            and not state.aborted
            and state.models == {model.name: model.version for model in outdated}
        )
        with shadows.resume() if goes_on else shadows.begin(outdated) as shadow:
            _rebuilt(out, app_, shadow, watch, dry_run=prepare)
        app_.open_to_readers()


@app.command()
def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Say it again every two seconds until Ctrl-C.")] = False,
    stalled_after: Annotated[
        float, typer.Option("--stalled-after", metavar="SECONDS", min=0, help="Without progress for so long: stalled.")
    ] = STALLED_AFTER,
    as_json: AsJson = False,
) -> None:
    """Say how far tables and Merkle tree are behind, who follows them, what is wrong; exit code 1 if anything is."""
    out = Output(as_json=as_json)
    with opened() as app_, until_signalled() as stopped:
        while True:
            found = read_status(app_, stalled_after)
            _print_status(out, found)
            if not watch or stopped:
                break
            resting(lambda: bool(stopped), 2.0)
            if stopped:
                break
    if not found.healthy:
        raise typer.Exit(FINDINGS)


def _named(names: list[str] | None) -> tuple[ReadModel, ...]:
    known = {model.name: model for model in READ_MODELS}
    return tuple(known[name] for name in dict.fromkeys(names or known))


def _names(models: tuple[ReadModel, ...]) -> list[str]:
    return [model.name for model in models]


def _rebuild_only(out: Output, app_: Application, models: tuple[ReadModel, ...], names: list[str]) -> None:
    permissions = app_.dossier.permissions(Actor.operator())
    streams = [record_of(app_, name, permissions) for name in names]
    left = rebuild_records(app_.log, app_.reads, models, streams)
    out.json({"models": _names(models), "records": streams, "dead_letters": [letter._asdict() for letter in left]})
    out.line(f"Rebuilt {len(streams)} records in place.")
    if left:
        out.line(f"{len(left)} of them stand still: an event could not be taken in.")
        out.next("`dossier projections dead-letters list`")
        raise typer.Exit(FINDINGS)


def _rebuilt(out: Output, app_: Application, shadow: PostgresShadow, watch: Watch, *, dry_run: bool) -> None:
    began = time.monotonic()
    done = rebuild_shadow(app_.log, shadow, dry_run=dry_run, watch=watch)
    seconds = round(time.monotonic() - began, 3)
    differing = [comparison for comparison in done.comparisons if comparison.differing]
    out.json({**done._asdict(), "comparisons": [_comparison(one) for one in done.comparisons], "seconds": seconds})
    names = ", ".join(done.models)
    out.line(f"Rebuilt {names} from {done.events} events up to position {done.position} in {seconds} s.")
    for comparison in differing:
        out.line(f"{comparison.read_model}: {comparison.differing} rows differ from the live ones.")
        for found in comparison.differences[:SHOWN]:
            out.line(f"  {found.kind} {_key(found.key)} {', '.join(found.columns)}".rstrip())
    if done.swapped:
        out.next("`dossier projections status`; once all is well, `dossier projections drop-previous`")
        return
    said = "The live tables say the same." if done.comparisons and not differing else "The live tables are untouched."
    out.line(said)
    out.next("`dossier projections resume` swaps the new tables in, `dossier projections abort` drops them")
    if differing:
        raise typer.Exit(FINDINGS)


def _comparison(comparison: Any) -> dict[str, Any]:
    return {
        "read_model": comparison.read_model,
        "position": comparison.position,
        "differing": comparison.differing,
        "differences": [found._asdict() for found in comparison.differences],
    }


def _key(key: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in key.items())


def _print_status(out: Output, found: Status) -> None:
    out.json(found.as_dict())
    out.line(f"The head of the log is at position {found.head}.")
    columns = ("name", "position", "behind", "seconds_behind", "rate", "failures", "dead_letters", "owner", "state")
    out.table(columns, [[getattr(model, name) for name in columns] for model in found.read_models])
    if rebuild := found.rebuild:
        out.pairs({f"rebuild {name}": value for name, value in rebuild.items() if value is not None})
    if found.previous:
        out.line(f"Kept of before the last swap: {', '.join(found.previous)}.")
    if advice := _advice(found):
        out.next(advice)


def _advice(found: Status) -> str | None:
    states = {model.state for model in found.read_models}
    if "missing" in states:
        return "`dossier db init`"
    if "outdated" in states:
        return "`dossier projections upgrade`"
    if found.rebuild and found.rebuild["trouble"]:
        return (
            "`dossier history ID` of the records it names; then `dossier projections rebuild` begins anew, or `… abort`"
        )
    if "failing" in states:
        return "`dossier db status`; the follower's log says what it meets"
    if "stalled" in states:
        return "`dossier projections follow`, or look at the process that follows: it does not get on"
    if "dead_letters" in states:
        return "`dossier projections dead-letters list`"
    if found.rebuild and found.rebuild["state"] != "running":
        return "`dossier projections resume` or `dossier projections abort`: a rebuild was left unfinished"
    if any(model.behind and not model.owner for model in found.read_models):
        return "`dossier projections follow` keeps them up to date; reads on this command line catch up by themselves"
    return None
