"""`dossier show`, `history`, `explain`: one record, as it is, as it was, as it was known, and why."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from adapters.bootstrap import Application
from adapters.cli.happened import as_dict, of_record, print_happened
from adapters.cli.output import Output, shortened
from adapters.cli.session import MODELS, ActorOption, AsJson, Kind, RecordId, opened, reading, record_of, well_formed
from adapters.cli.times import KnownAt, known_at_moment, moment
from domain.access import Actor, Permissions
from domain.account import ACCOUNT
from domain.collective import computed_status
from domain.errors import NotFound
from domain.event import Recorded
from domain.profile import Verification
from domain.streams import status_id
from projections import (
    billing_accounts,
    company_members,
    conversations,
    intents,
    items,
    legacy_ids,
    messages,
    profiles,
    status_history,
)
from projections.account_view import account_view
from projections.as_of import in_force, rows_known_at
from projections.as_of import known_at as row_known_at
from projections.explain import Explained
from projections.explain import explain as explain_events
from projections.read_model import ReadModel, Row

AsOf = Annotated[
    str | None,
    typer.Option(
        "--as-of",
        metavar="TIME",
        help="With the status that held then (case, profile, billing): an ISO time with its zone.",
    ),
]
_STATUS_COLUMNS: Final = {
    "status": "status",
    "status_entry": "entry",
    "status_since": "active_from",
    "status_day": "day",
    "delivery_date": "delivery_date",
    "client_date": "client_date",
}
"""The columns of a case or billing account that say its status, and those of an entry they come from."""
_OF_ACCOUNT: Final[dict[str, tuple[ReadModel, tuple[str, ...]]]] = {
    "intents": (intents.MODEL, ("intent_id", "context", "status")),
    "conversations": (conversations.MODEL, ("conversation_id", "context", "message_count")),
    "billing": (billing_accounts.MODEL, ("billing_id", "status")),
}
"""What other streams hold of an account, and what is shown of it."""
_OF_MESSAGE: Final = ("number", "sent_at", "role", "content", "off_record")
_CODE: Final = re.compile("[a-z0-9_]{1,50}")


def _shown(context: typer.Context, name: str) -> str:
    """Return the id of what is to be shown; a status is named by its code too."""
    is_code = context.params.get("kind") == "status" and _CODE.fullmatch(name)
    return str(status_id(name)) if is_code else well_formed(name)


def show(
    kind: Annotated[Kind, typer.Argument(help="What to show.")],
    record_id: Annotated[
        str,
        typer.Argument(metavar="ID", help="A UUID, or legacy:SYSTEM/TABLE/KEY; a status by its code.", callback=_shown),
    ],
    *,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    actor: ActorOption = None,
    as_json: AsJson = False,
) -> None:
    """Show a record as it is now, as it was at a time (--as-of), or as it was known at a time (--known-at)."""
    out, at, then_at = Output(as_json=as_json), known_at_moment(known_at), moment("--as-of", as_of)
    if then_at is not None and kind not in ("case", "profile", "billing"):
        raise typer.BadParameter("--as-of is for a case, profile or billing account: only they have a status history")
    with opened() as app:
        app.catch_up()
        who, permissions = reading(app, actor)
        stream, events = _shown_history(app, record_id, permissions, kind)
        row = _row(app, who, MODELS[kind], events, at)
        if row is None:
            then = f" known at {known_at}" if known_at else ""
            raise NotFound(
                f"there is no {kind} {stream}{then}", field="id", hint=f"`dossier history {stream}` shows its events"
            )
        if then_at is not None:
            row |= _status_then(app, who, row, events, then_at, at)
        row |= _belongings(app, who, kind, row, events, at)
    out.json(row)
    out.pairs(row, title=kind)
    out.next(f"`dossier explain {stream}` tells where each value came from")


def history(record_id: RecordId, *, actor: ActorOption = None, as_json: AsJson = False) -> None:
    """Show every event of a record, oldest first: who did it, when, why, and what it changed."""
    out = Output(as_json=as_json)
    with opened() as app:
        app.catch_up()
        stream, events = _history(app, record_id, reading(app, actor)[1])
    happened = of_record(_model_for(events), events)
    out.json({"stream": stream, "events": [as_dict(one) for one in happened]})
    print_happened(out, happened)


def explain(
    record_id: RecordId,
    field: Annotated[str | None, typer.Argument(help="One field; `beliefs/diet` names a key of an object.")] = None,
    *,
    actor: ActorOption = None,
    as_json: AsJson = False,
) -> None:
    """Tell which event set each value of a record, who did it, and which legacy record it came from."""
    out = Output(as_json=as_json)
    with opened() as app:
        app.catch_up()
        stream, events = _history(app, record_id, reading(app, actor)[1])
    found = explain_events(_model_of(stream, events), events)
    chosen = [entry for name, entry in found.items() if field is None or name == field or name.startswith(f"{field}/")]
    if field is not None and not chosen:
        raise NotFound(f"{field} was never set on this record", field="field", hint=f"set were: {', '.join(found)}")
    out.json({"record": stream, "fields": [_explained(entry) for entry in chosen]})
    print_explained(out, stream, chosen)


def print_explained(out: Output, stream: UUID, chosen: Sequence[Explained]) -> None:
    """Print which event set each of these values."""
    out.table(
        ("field", "value", "set by", "who", "happened", "recorded", "from"),
        [_explained_line(entry) for entry in chosen],
        title=f"why {stream} is as it is",
    )
    for entry in chosen:
        if entry.conflict:
            position, conflict = entry.conflict.position, entry.conflict.event
            out.line(
                f"{entry.field}: an import found {shortened(conflict.values)} ({conflict.rule}, position {position})"
            )


def _history(
    app: Application, record_id: str, permissions: Permissions, kind: Kind | None = None
) -> tuple[UUID, list[Recorded]]:
    """Return the stream an id names and its events, for somebody who may read them; the tables must have caught up."""
    stream = record_of(app, record_id, permissions, kind)
    return stream, app.dossier.history(stream, actor=permissions.actor)


def _shown_history(
    app: Application, record_id: str, permissions: Permissions, kind: Kind
) -> tuple[UUID, list[Recorded]]:
    try:
        return _history(app, record_id, permissions, kind)
    except NotFound as missing:
        if kind != "status":
            raise
        hint = "`dossier statuses` also lists those that come with the product and were never changed"
        raise NotFound(missing.message, field="id", hint=hint) from None


def _row(
    app: Application, who: Actor, model: ReadModel, events: Sequence[Recorded], at: datetime | int | None
) -> Row | None:
    if at is not None:
        return row_known_at(model, events, at)
    return app.find(model, (events[0].stream,), who)


def _status_then(
    app: Application, who: Actor, row: Row, events: Sequence[Recorded], then: datetime, at: datetime | int | None
) -> Row:
    """Return the status part of a record as it was at a time: as we know it now, or as we knew it at `at`."""
    if at is None:
        entry = app.cases(who).status_as_of(events[0].stream, then)
    else:
        entry = in_force(rows_known_at(status_history.MODEL, events, at), then)
    if "verification" in row:
        return {"as_of": then, "verification": entry["status"] if entry else Verification.UNVERIFIED.value}
    # Of an entry that says nobody knew the status there is nothing to say, as in the row of the present.
    holds = entry if entry and entry["status"] is not None else {}
    found: Row = {"as_of": then}
    found |= {name: holds.get(column) for name, column in _STATUS_COLUMNS.items() if name in row}
    return found | ({"due_on": found["delivery_date"]} if "due_on" in row else {})


def _belongings(
    app: Application, who: Actor, kind: Kind, row: Row, events: Sequence[Recorded], at: datetime | int | None
) -> Row:
    """Return what belongs to a record; what other streams hold of it is left out where it is shown as it was known."""
    match kind:
        case "account":
            return _of_account(app, row, events, now=at is None)
        case "company":
            return {"members": [_member(member) for member in rows_known_at(company_members.MODEL, events, at)]}
        case "conversation":
            found = rows_known_at(messages.MODEL, events, at)
            return {"messages": [{name: message[name] for name in _OF_MESSAGE} for message in found]}
        case "collective" if at is None:
            counts = app.cases(who).statuses_in(row["collective_id"])
            return {
                "status": computed_status(counts) or None,
                "cases": [{"status": status, "cases": count} for status, count in counts.items()],
            }
        case _:
            return {}


def _of_account(app: Application, row: Row, events: Sequence[Recorded], *, now: bool) -> Row:
    """Return the profiles an account had with its last event that the row knows, and what else it has now."""
    state = ACCOUNT.fold(recorded.event for recorded in events[: row["version"]])
    found: Row = {"profiles": [{"profile_id": key, "kind": kind} for key, kind in state.profiles.items()]}
    if now:
        mine = {"account_id": row["account_id"]}
        found["view"] = account_view(row, app.reads.fetch(profiles.MODEL, **mine), app.reads.fetch(items.MODEL, **mine))
        for name, (model, columns) in _OF_ACCOUNT.items():
            found[name] = [{column: each[column] for column in columns} for each in app.reads.fetch(model, **mine)]
    return found


def _member(member: Row) -> Row:
    return {
        name: member[name]
        for name in ("member", "account_id", "person_key", "role", "is_current", "created_at", "ended_reason")
    }


def _model_for(events: Sequence[Recorded]) -> ReadModel | None:
    models = (*MODELS.values(), legacy_ids.MODEL)
    return next((model for model in models if events[0].topic in model.topics), None)


def _model_of(stream: UUID, events: Sequence[Recorded]) -> ReadModel:
    model = _model_for(events)
    if model is None:
        raise NotFound(
            f"{stream} has no fields to explain", field="id", hint=f"`dossier history {stream}` shows its events"
        )
    return model


def _explained(entry: Explained) -> dict[str, Any]:
    event = entry.event
    found = {
        "field": entry.field,
        "value": entry.value,
        "event": {"position": event.position, "version": event.version, "topic": event.topic},
        "actor": event.metadata.actor,
        "recorded_by": event.metadata.recorded_by,
        "occurred_at": event.occurred_at,
        "recorded_at": event.recorded_at,
        "origin": event.metadata.origin,
        "sources": [source._asdict() for source in entry.sources],
    }
    if entry.conflict:
        conflict = entry.conflict.event
        found["conflict"] = {
            "position": entry.conflict.position,
            "values": conflict.values,
            "chosen": conflict.chosen,
            "rule": conflict.rule,
        }
    return found


def _explained_line(entry: Explained) -> tuple[Any, ...]:
    event = entry.event
    sources = ", ".join(f"{source.table}/{source.key}{source.pointer}" for source in entry.sources)
    set_by = f"{event.position} {event.topic}"
    return (
        entry.field,
        shortened(entry.value, 80),
        set_by,
        event.metadata.actor,
        event.occurred_at,
        event.recorded_at,
        sources,
    )
