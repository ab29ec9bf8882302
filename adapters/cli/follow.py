"""`dossier projections follow`: the tables and the Merkle tree, kept up to date with the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from threading import Event
from typing import Annotated, Final

import typer

from adapters.bootstrap import Application
from adapters.cli.output import Output
from adapters.cli.session import AsJson, opened
from adapters.cli.signals import until_signalled
from adapters.garbage import rare_collections
from adapters.postgres.audit_log import TREE, Leaves
from adapters.postgres.followers import Followable, Follower, resting
from adapters.postgres.notifications import Notifications
from adapters.projection_status import KEPT, progressed
from domain.errors import StoreError
from projections.all import READ_MODELS
from projections.follow import follow as follow_log
from projections.follow import until_stopped
from projections.read_model import ReadModel

Stop = Callable[[], bool]
_NAMES = ", ".join(one.name for one in KEPT)
PATIENCE: Final = 2.0
"""Seconds a round waits for a connection: the next one waits again, and whoever stops it waits for this."""


def _known(names: list[str] | None) -> list[str] | None:
    for name in names or ():
        if name not in {one.name for one in KEPT}:
            raise typer.BadParameter(f"there is no {name!r} to follow with; there are: {_NAMES}")
    return names


def follow(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", callback=_known, help=f"Only these: {_NAMES}.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Keep tables and Merkle tree up to date until SIGINT or SIGTERM; wakes up when something is appended.

    One process follows each of them at a time; another one stands by and takes over when it dies. Errors of the
    database are waited out and show in `status`.
    """
    out, wanted = Output(as_json=as_json), [one for one in KEPT if not names or one.name in names]
    with (
        opened(PATIENCE) as app,
        until_signalled() as stopped,
        Follower(app.reads, [model for model in READ_MODELS if model in wanted]) as tables,
        Follower(app.reads, [TREE] if TREE in wanted else [], app.audit.progressed) as tree,
    ):
        _say(out, wanted, [*tables.mine(), *tree.mine()], _positions(app))
        with _beside(lambda stop: _follow_tree(app, tree, stop), lambda: bool(stopped)) as ended:
            _follow_tables(app, tables, ended)
        position = None
        with suppress(StoreError):  # the database may be away, and that is no reason not to end well
            reached = _positions(app)
            position = min((reached[one.name] for one in wanted if one.name in reached), default=None)
    out.json({"stopped": True, "position": position})
    out.line("Stopped." if position is None else f"Stopped at position {position}.")


def _follow_tables(app: Application, follower: Follower[ReadModel], stop: Stop) -> None:
    with rare_collections(), Notifications(str(app.pool.conninfo)) as notifications:
        follow_log(
            app.log,
            app.reads,
            follower.mine,
            stop=stop,
            wait=notifications.wait,
            rest=_resting(follower, stop),
            worked=follower.worked,
        )


def _follow_tree(app: Application, follower: Follower[Leaves], stop: Stop) -> None:
    with Notifications(str(app.pool.conninfo)) as notifications:
        until_stopped(
            lambda: app.audit.follow_batch() if follower.mine() else 0,
            stop=stop,
            wait=notifications.wait,
            rest=_resting(follower, stop),
            worked=follower.worked,
        )


def _resting(follower: Follower[ReadModel] | Follower[Leaves], stop: Stop) -> Callable[[StoreError, float], None]:
    def rest(error: StoreError, pause: float) -> None:
        follower.failed(error, pause)
        resting(stop, pause)

    return rest


@contextmanager
def _beside(work: Callable[[Stop], None], stop: Stop) -> Iterator[Stop]:
    """Do work in a thread beside the block, so that neither waits for the other or fails with it.

    Gives what tells the block to stop: also that the work ended, which it does by an error alone.
    """
    left = Event()
    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(work, lambda: left.is_set() or stop())
        try:
            yield lambda: done.done() or stop()
        finally:
            left.set()
        done.result()


def _positions(app: Application) -> Mapping[str, int]:
    return {name: at.position for name, at in progressed(app).items()}


def _say(out: Output, wanted: Sequence[Followable], mine: Sequence[Followable], at: Mapping[str, int]) -> None:
    if not mine:
        out.line("Standing by; others follow.")
        return
    out.line(f"Following from position {min(at[one.name] for one in mine)}; Ctrl-C stops.")
    if others := [one.name for one in wanted if one not in mine]:
        out.line(f"Standing by for {', '.join(others)}.")
