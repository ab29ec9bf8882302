"""`dossier execute`, `schema` and `access`: the command API from the command line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn
from uuid import UUID

import typer
from pydantic import BaseModel

from adapters.bootstrap import Application
from adapters.cli.output import Output
from adapters.cli.session import ActorOption, AsJson, RecordId, acting, opened, record_of, resolved_data
from domain import legacy, migration
from domain.access import Actor, BootstrapAdmin
from domain.command import COMMAND_TYPES, Command, parse_command
from domain.errors import InputUnreadable
from domain.event import EVENT_TYPES, DomainEvent, personal_fields
from domain.service import Receipt

# Importing them registers their events.
REGISTERED: Final = (legacy, migration)

access_app = typer.Typer(help="Who may do what.", no_args_is_help=True)
schema_app = typer.Typer(help="JSON Schema of commands and events.", no_args_is_help=True)

Name = Annotated[str | None, typer.Argument(help="Only this one, with its whole schema.")]


def execute(
    command: Annotated[str, typer.Argument(help="The command, e.g. UpdateProfile; see `dossier schema commands`.")],
    *,
    data: Annotated[
        str, typer.Option("--data", metavar="JSON|@FILE|-", help="Its payload: JSON, a file, or standard input.")
    ],
    actor: ActorOption = None,
    command_id: Annotated[
        UUID | None, typer.Option("--command-id", help="The same id with the same payload has one effect.")
    ] = None,
    expected_version: Annotated[
        int | None,
        typer.Option("--expected-version", metavar="N", help="Reject it if the record has moved on from this."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Carry out a command and print its receipt."""
    out = Output(as_json=as_json)
    found = _parsed(data)
    with opened() as app:
        who = acting(app, actor)
        receipt = app.dossier.execute(
            _command(app, command, found, who), actor=who, command_id=command_id, expected_version=expected_version
        )
    _print_receipt(out, command, receipt)


@access_app.command("bootstrap-admin")
def bootstrap_admin(account_id: RecordId, *, as_json: AsJson = False) -> None:
    """Grant the admin role to the first admin; works once in the life of a database."""
    out, operator = Output(as_json=as_json), Actor.operator()
    with opened() as app:
        app.catch_up()
        account = record_of(app, account_id, app.dossier.permissions(operator), "account")
        receipt = app.dossier.execute(BootstrapAdmin(account_id=account), actor=operator)
    _print_receipt(out, "BootstrapAdmin", receipt)


@schema_app.command("commands")
def schema_commands(name: Name = None, *, as_json: AsJson = False) -> None:
    """The commands, or the JSON Schema of one."""
    out = Output(as_json=as_json)
    if name is not None and name not in COMMAND_TYPES:
        _unknown("command", name, COMMAND_TYPES)
    schemas = {known: _schema(command_type) for known, command_type in sorted(COMMAND_TYPES.items())}
    if name is not None:
        out.document(schemas[name])
        return
    out.json(schemas)
    out.table(("command", "what it does"), [(known, _summary(COMMAND_TYPES[known])) for known in schemas])
    out.next("`dossier schema commands NAME` prints the whole schema of one")


@schema_app.command("events")
def schema_events(name: Name = None, *, as_json: AsJson = False) -> None:
    """The events, or the JSON Schema of one by its topic; `x-personal` marks what says something about a person."""
    out = Output(as_json=as_json)
    if name is not None and name not in EVENT_TYPES:
        _unknown("event", name, EVENT_TYPES)
    schemas = {topic: _event_schema(event_type) for topic, event_type in sorted(EVENT_TYPES.items())}
    if name is not None:
        out.document(schemas[name])
        return
    out.json(schemas)
    out.table(
        ("topic", "version", "personal", "what happened"),
        [
            (topic, schema["schema_version"], ", ".join(schema["personal"]), _summary(EVENT_TYPES[topic]))
            for topic, schema in schemas.items()
        ],
    )
    out.next("`dossier schema events TOPIC` prints the whole schema of one")


def _parsed(data: str) -> Any:
    """Read JSON exactly: no repeated keys, no NaN."""
    try:
        text = sys.stdin.read() if data == "-" else Path(data[1:]).read_text("utf-8") if data.startswith("@") else data
        return json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_refuse_constant)
    except OSError as error:
        raise InputUnreadable(f"{data} cannot be read: {error.strerror}", field="data") from None
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "nested too deep"
        hint = "give --data JSON, --data @FILE, or --data - and the JSON on standard input"
        raise InputUnreadable(f"--data is not JSON: {reason}", field="data", hint=hint) from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object repeats a key")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _command(app: Application, name: str, data: Any, actor: Actor) -> Command:
    fields = COMMAND_TYPES[name].model_fields if name in COMMAND_TYPES else {}
    return parse_command(name, resolved_data(app, fields, data, app.dossier.permissions(actor)))


def _print_receipt(out: Output, command: str, receipt: Receipt) -> None:
    out.json(receipt._asdict())
    done = f"{receipt.events} events" if receipt.events else "nothing changed"
    out.line(f"{command}: {done}; {receipt.stream} is at version {receipt.version}, position {receipt.position}.")
    out.next(f"`dossier history {receipt.stream}`")


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _event_schema(event_type: type[DomainEvent]) -> dict[str, Any]:
    return {
        "topic": event_type.topic,
        "schema_version": event_type.schema_version,
        "personal": sorted(personal_fields(event_type)),
        "schema": _schema(event_type),
    }


def _summary(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").strip().split("\n")[0]


def _unknown(what: str, name: str, known: Any) -> NoReturn:
    raise typer.BadParameter(f"there is no {what} {name!r}; there are: {', '.join(sorted(known))}")
