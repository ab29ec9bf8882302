"""`dossier projections`: the current-state tables: how far they are, following, rebuilding."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from adapters.bootstrap import Application
from adapters.cli.output import Output
from adapters.cli.session import AsJson, opened
from adapters.cli.signals import until_signalled
from adapters.postgres.notifications import Notifications
from adapters.postgres.shadow import PostgresShadows
from projections.all import READ_MODELS
from projections.follow import follow as follow_log
from projections.read_model import ReadModel
from projections.rebuild import rebuild as rebuild_models

app = typer.Typer(help="The tables of the present: how far they are, following, rebuilding.", no_args_is_help=True)

Models = Annotated[
    list[str] | None,
    typer.Argument(metavar="[MODEL]…", help=f"Only these: {', '.join(model.name for model in READ_MODELS)}."),
]


@app.command()
def rebuild(models: Models = None, *, as_json: AsJson = False) -> None:
    """Fold the whole log into shadow tables and swap them in; readers and writers carry on meanwhile."""
    out, wanted = Output(as_json=as_json), _named(models)
    began = datetime.now(UTC)
    with opened() as app_, out.progress() as watch:
        rebuilt = rebuild_models(
            app_.events, PostgresShadows(app_.reads), wanted, progress=lambda done, total: watch("rebuild", done, total)
        )
    seconds = round((datetime.now(UTC) - began).total_seconds(), 3)
    names = [model.name for model in wanted]
    out.json({"models": names, "events": rebuilt.events, "position": rebuilt.position, "seconds": seconds})
    out.line(
        f"Rebuilt {', '.join(names)} from {rebuilt.events} events up to position {rebuilt.position} in {seconds} s."
    )
    out.next("`dossier projections status`")


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Say how far each table is behind the log."""
    out = Output(as_json=as_json)
    with opened() as app_:
        head, found = _status(app_)
    out.json({"head": head, "read_models": found})
    out.line(f"The head of the log is at position {head}.")
    columns = ("name", "version", "position", "behind", "seconds_since_update", "state")
    out.table(columns, [[model[name] for name in columns] for model in found])
    stale = [model["name"] for model in found if model["state"] != "current"]
    if stale:
        out.next(f"`dossier projections rebuild {' '.join(stale)}`")
    elif any(model["behind"] for model in found):
        out.next(
            "`dossier projections follow` keeps them up to date; reads on this command line catch up by themselves"
        )


@app.command()
def follow(*, as_json: AsJson = False) -> None:
    """Keep the tables up to date until SIGINT or SIGTERM; wakes up when something is appended."""
    out = Output(as_json=as_json)
    with opened() as app_, until_signalled() as stopped, Notifications(str(app_.pool.conninfo)) as notifications:
        out.line(f"Following from position {min(app_.reads.positions(READ_MODELS).values())}; stop with Ctrl-C.")
        follow_log(app_.events, app_.reads, READ_MODELS, stop=lambda: bool(stopped), wait=notifications.wait)
        position = min(app_.reads.positions(READ_MODELS).values())
    out.json({"stopped": True, "position": position})
    out.line(f"Stopped at position {position}.")


def _named(names: list[str] | None) -> tuple[ReadModel, ...]:
    known = {model.name: model for model in READ_MODELS}
    for name in names or ():
        if name not in known:
            raise typer.BadParameter(f"there is no read model {name!r}; there are: {', '.join(known)}")
    return tuple(known[name] for name in dict.fromkeys(names or known))


def _status(app_: Application) -> tuple[int, list[dict[str, Any]]]:
    head, progress, now = app_.events.head(), app_.reads.progressed(), datetime.now(UTC)
    found = []
    for model in READ_MODELS:
        at = progress.get(model.name)
        state = "missing" if at is None else "current" if at.version == model.version else "of another version"
        found.append(
            {
                "name": model.name,
                "version": at.version if at else None,
                "wanted_version": model.version,
                "position": at.position if at else 0,
                "head": head,
                "behind": head - (at.position if at else 0),
                "seconds_since_update": round((now - at.updated_at).total_seconds(), 1) if at else None,
                "state": state,
            }
        )
    return head, found
