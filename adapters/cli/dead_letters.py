"""`dossier projections dead-letters`: events that a read model could not take in, and how their records heal."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Annotated, Final
from uuid import UUID

import typer

from adapters.bootstrap import Application
from adapters.cli.output import Output
from adapters.cli.session import ActorOption, AsJson, Limit, RecordId, acting, next_page, opened, record_of
from adapters.postgres.dead_letters import KeptLetter, kept_letters
from domain.access import Actor
from domain.errors import InvalidCommand, NotFound
from domain.projection import SkipEvent
from projections.all import READ_MODELS
from projections.rebuild import rebuild_records

app = typer.Typer(help="Events a table could not take in: their records stand still.", no_args_is_help=True)

FINDINGS: Final = 1
AT_ONCE: Final = 200
PAGE: Final = 100
_MODELS: Final = {model.name: model for model in READ_MODELS}
_COLUMNS: Final = ("read_model", "stream", "version", "topic", "error", "attempts", "failed_at")


def _known(name: str | None) -> str | None:
    if name is not None and name not in _MODELS:
        raise typer.BadParameter(f"there is no read model {name!r}; there are: {', '.join(_MODELS)}")
    return name


Model = Annotated[
    str | None, typer.Option("--model", metavar="MODEL", callback=_known, help="Only in this read model.")
]


@app.command("list")
def list_letters(
    *,
    model: Model = None,
    limit: Limit = PAGE,
    after: Annotated[
        str | None, typer.Option("--after", metavar="POSITION:MODEL", help="Those after this one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the records that stand still, each with the event that halts it and why; exit code 1 if there are any."""
    out, last = Output(as_json=as_json), _placed(after)
    with opened() as app_:
        found = kept_letters(app_.reads, read_models=_names(model), limit=limit + 1, after=last)
    page = found[:limit]
    further = f"{page[-1].position}:{page[-1].read_model}" if len(found) > limit else None
    out.json({"dead_letters": [letter._asdict() for letter in page], "next": further})
    if not page:
        out.line("There are no more." if after else "There are none: every record is up to date.")
        return
    out.table(_COLUMNS, [[getattr(letter, name) for name in _COLUMNS] for letter in page])
    if further:
        out.line(f"There are more: {next_page(further)}.")
    out.next("mend what is wrong, then `dossier projections dead-letters retry`; or `… skip ID --reason TEXT`")
    raise typer.Exit(FINDINGS)


@app.command()
def retry(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]…", help="Only these records.")] = None,
    *,
    model: Model = None,
    as_json: AsJson = False,
) -> None:
    """Fold the records that stand still anew, after the cause was mended; exit code 1 if some still do not go in."""
    out = Output(as_json=as_json)
    with opened() as app_, out.progress() as watch:
        permissions = app_.dossier.permissions(Actor.operator())
        streams = [record_of(app_, name, permissions) for name in ids] if ids else None
        halted = kept_letters(app_.reads, read_models=_names(model), streams=streams)
        by_model: dict[str, list[UUID]] = defaultdict(list)
        for letter in halted:
            by_model[letter.read_model].append(letter.stream)
        left, done = [], 0
        for name, these in by_model.items():
            for start in range(0, len(these), AT_ONCE):
                some = these[start : start + AT_ONCE]
                left += rebuild_records(app_.log, app_.reads, [_MODELS[name]], some)
                done += len(some)
                watch("retry", done, len(halted))
    out.json({"retried": len(halted), "healed": len(halted) - len(left), "left": [letter._asdict() for letter in left]})
    out.line(f"{len(halted) - len(left)} of {len(halted)} records are healed.")
    if left:
        out.table(("read_model", "stream", "version", "error"), [(*letter[:3], letter.error) for letter in left[:20]])
        out.next("`dossier history ID` shows the events of one")
        raise typer.Exit(FINDINGS)


@app.command()
def skip(
    record_id: RecordId,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why the event may be left out; it is kept as an event.")],
    model: Model = None,
    actor: ActorOption = None,
    as_json: AsJson = False,
) -> None:
    """Let a read model leave out the event that halts a record; the record carries on without it.

    It can be taken back: `dossier execute RestoreEvent`. Exit code 1 if a later event of the record halts it again.
    """
    out = Output(as_json=as_json)
    with opened() as app_:
        who = acting(app_, actor)
        letter = _letter(app_, record_of(app_, record_id, app_.dossier.permissions(who)), model)
        command = SkipEvent(read_model=letter.read_model, stream=letter.stream, version=letter.version, reason=reason)
        receipt = app_.dossier.execute(command, actor=who)
        app_.catch_up()
        left = kept_letters(app_.reads, read_models=[letter.read_model], streams=[letter.stream])
    out.json({"skipped": letter._asdict(), "position": receipt.position, "left": [one._asdict() for one in left]})
    out.line(f"{letter.read_model} leaves out event {letter.version} of {letter.stream} ({letter.topic}).")
    if left:
        out.line(f"Event {left[0].version} halts it again: {left[0].error}")
        raise typer.Exit(FINDINGS)
    out.next("`dossier projections status`")


def _letter(app_: Application, stream: UUID, model: str | None) -> KeptLetter:
    found = kept_letters(app_.reads, read_models=_names(model), streams=[stream])
    if not found:
        raise NotFound(
            f"nothing halts {stream}", field="id", hint="`dossier projections dead-letters list` names the records"
        )
    if len(found) > 1:
        names = ", ".join(letter.read_model for letter in found)
        raise InvalidCommand(f"{stream} stands still in {names}", field="model", hint="name one with --model")
    return found[0]


def _placed(after: str | None) -> tuple[int, str] | None:
    if after is None:
        return None
    parts = re.fullmatch(r"([0-9]{1,18}):(\w+)", after)
    if parts is None or parts[2] not in _MODELS:
        raise typer.BadParameter(f"{after!r} is not POSITION:MODEL, as the page before gave it")
    return int(parts[1]), parts[2]


def _names(model: str | None) -> list[str]:
    return [model] if model else list(_MODELS)
