"""`dossier keys`: the master key, under which the keys of people are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adapters.bootstrap import embedded
from adapters.cli.output import Output
from adapters.cli.session import AsJson, opened
from adapters.master_key import key_file, read_file, write_file
from adapters.postgres.event_store import PostgresEventStore
from adapters.postgres.subject_keys import SubjectKeys
from adapters.sealing import key_id, key_text, new_key, no_master_key
from adapters.settings import load_settings
from domain.errors import InputUnreadable

app = typer.Typer(help="The master key, under which the keys that seal people's values are kept.", no_args_is_help=True)


@app.command()
def generate(
    *,
    out_file: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it to this new file, readable by you alone.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a new master key: for DOSSIER_MASTER_KEY, or with --out for DOSSIER_MASTER_KEY_FILE."""
    out, key = Output(as_json=as_json), new_key()
    if out_file is None:
        out.json({"key": key_text(key), "id": key_id(key).hex()})
        out.line(key_text(key))
        out.note("Keep it where backups of the database are not: without it nobody reads what was sealed.")
        return
    if out_file.exists():
        raise InputUnreadable(f"{out_file} is there already", field="out", hint="a key file is never overwritten")
    write_file(out_file, [key])
    out.json({"file": str(out_file), "id": key_id(key).hex()})
    out.line(f"A new master key, {key_id(key).hex()}, lies in {out_file}, readable by you alone.")
    out.next(f"set DOSSIER_MASTER_KEY_FILE={out_file}, and keep a copy apart from the backups of the database")


@app.command()
def rotate(
    *,
    retire: Annotated[
        bool,
        typer.Option("--retire", help="Take the older keys out of the key file; first restart whatever still runs."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Wrap everybody's keys by a new master key; values stay sealed as they are.

    With a key file the new key is made; the old one stays in it until --retire, because what runs may still use it.
    With DOSSIER_MASTER_KEY set it to NEW,OLD first, and to NEW once nothing that runs knows OLD alone.
    """
    out, settings = Output(as_json=as_json), load_settings()
    with opened() as app_:
        keys = _keys(app_.events)
        file = key_file(settings, embedded(settings)[0].home if settings.database_url is None else None)
        if file is not None:
            held = read_file(file)
            if len(held) == 1 and not retire:  # with several the newest is there already
                held = [new_key(), *held]
                write_file(file, held)
            keys.master.read()
        done = keys.rewrap()
        if file is not None and retire:
            write_file(file, held[:1])
    newest = keys.master.newest.hex()
    out.json({"rewrapped": done, "key": newest})
    out.line(f"{done} keys are wrapped by master key {newest} now.")
    if file is None:
        out.next("restart what runs, rotate once more, then take the old key out of DOSSIER_MASTER_KEY")
    elif not retire:
        out.next(f"keep a copy of {file}; restart what runs, then `dossier keys rotate --retire` takes the old key out")
    else:
        out.next("backups made before need the old key: keep it as long as them, and destroy it with them")


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Say how many people have a key, how many were erased, and which master key is in use."""
    out = Output(as_json=as_json)
    with opened() as app_:
        keys = _keys(app_.events)
        found = {"master_key": keys.master.newest.hex(), **keys.counts()._asdict()}
    out.json(found)
    out.pairs(found)
    if found["under_another_master_key"]:
        out.next("`dossier keys rotate` wraps them by the newest master key")


def _keys(events: PostgresEventStore) -> SubjectKeys:
    if events.keys is None:
        raise no_master_key()
    return events.keys
