"""What the commands share: their common options, the opened application, who acts, and which record an id names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import typer

from adapters.bootstrap import Application, application
from adapters.postgres.case_queries import LARGEST_PAGE
from adapters.postgres.pool import PATIENCE
from adapters.settings import load_settings
from domain import access
from domain.access import Actor, Permissions
from domain.account import AccountRegistered
from domain.errors import AccessDenied, ConfigurationInvalid, InvalidCommand, NotFound
from domain.streams import billing_id
from projections import (
    accounts,
    billing_accounts,
    cases,
    collectives,
    companies,
    conversations,
    intents,
    items,
    legacy_ids,
    profiles,
    quarantine,
    statuses,
)
from projections.read_model import ReadModel, Row

Kind = Literal[
    "account", "profile", "intent", "item", "conversation", "billing", "case", "company", "collective", "status"
]
MODELS: Final[dict[str, ReadModel]] = {
    "account": accounts.MODEL,
    "profile": profiles.MODEL,
    "intent": intents.MODEL,
    "item": items.MODEL,
    "conversation": conversations.MODEL,
    "billing": billing_accounts.MODEL,
    "case": cases.MODEL,
    "company": companies.MODEL,
    "collective": collectives.MODEL,
    "status": statuses.MODEL,
}
LEGACY: Final = "legacy:"
_KIND_OF_FIELD: Final[dict[str, Kind]] = {
    "account_id": "account",
    "person_id": "account",
    "profile_id": "profile",
    "item_id": "item",
    "conversation_id": "conversation",
    "case_id": "case",
    "company_id": "company",
    "collective_id": "collective",
}
"""What the id in a field of a command is of."""
_OF_ACCOUNT: Final[tuple[Kind, ...]] = ("profile", "intent", "conversation", "billing")
"""What belongs to an account, so that its id may stand for the account and the other way round."""


def well_formed(name: str) -> str:
    """Return what may be an id; a usage error for anything else."""
    if _as_uuid(name) is None and _legacy_parts(name) is None:
        raise typer.BadParameter(f"{name!r} is neither a UUID nor legacy:SYSTEM/TABLE/KEY")
    return name


def _well_formed(name: str | None) -> str | None:
    return None if name is None else well_formed(name)


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]
ActorOption = Annotated[
    str | None,
    typer.Option(
        "--actor",
        metavar="ID",
        callback=_well_formed,
        help="The account that acts; else DOSSIER_ACTOR, else the local operator, who is an admin.",
    ),
]
ActingAs = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="ID",
        callback=_well_formed,
        help="The account that acts; else DOSSIER_ACTOR, else the local operator, who is an auditor.",
    ),
]
PAGE: Final = 50
Limit = Annotated[int, typer.Option("--limit", min=1, max=LARGEST_PAGE, help="How many a page holds.")]
RecordId = Annotated[
    str, typer.Argument(metavar="ID", help="A UUID, or legacy:SYSTEM/TABLE/KEY.", callback=_well_formed)
]


def id_option(flag: str, purpose: str) -> Any:
    """Return an option that takes the id of a record as `RecordId` does."""
    return typer.Option(flag, metavar="ID", help=purpose, callback=_well_formed)


def next_page(last: object) -> str:
    """Say how the page after the one that ends so is had."""
    return f"the same with `--after {last}` gives the next page"


@contextmanager
def opened(patience: float = PATIENCE) -> Iterator[Application]:
    """Open the application that the environment describes; `patience` is how long it waits for a connection."""
    with application(load_settings(), patience) as app:
        yield app


def acting(app: Application, option: str | None) -> Actor:
    """Return who acts: `--actor`, else DOSSIER_ACTOR, else the local operator; AccessDenied for what is no account."""
    name = option or load_settings().actor
    if not name:
        return Actor.operator()
    if not option and _as_uuid(name) is None and _legacy_parts(name) is None:
        raise ConfigurationInvalid("DOSSIER_ACTOR is not an id", hint="a UUID, or legacy:SYSTEM/TABLE/KEY")
    account = _as_uuid(name)
    if account is None:
        account = _became(app, name, "account") or _refuse(name)
    events = app.dossier.store.load([account])[account]
    if events and not isinstance(events[0].event, AccountRegistered):
        _refuse(name)
    return Actor.of_account(account)


def reading(app: Application, option: str | None) -> tuple[Actor, Permissions]:
    """Return who reads, with the roles in force; raises AccessDenied for an account that does not exist."""
    actor = acting(app, option)
    if actor.account and not app.dossier.store.load([actor.account])[actor.account]:
        _refuse(actor.id)
    return actor, app.dossier.permissions(actor)


def record_of(app: Application, name: str, permissions: Permissions, kind: Kind | None = None) -> UUID:
    """Return the stream that an id names, as a record of the kind asked for; the read models must have caught up.

    An account stands for its active profile, its billing account, its only intent or conversation; what an account has
    stands for the account. Raises NotFound, or AccessDenied where somebody who may not read the answer could learn from
    it what there is: a legacy id that was taken in and one that was not are refused alike.
    """
    stream = _as_uuid(name)
    if stream is None:
        stream = _became(app, name, kind)
        if stream is None:
            access.check_read(permissions, None)
            raise NotFound(f"no legacy record {name} was taken in", field="id", hint="see `dossier migrate status`")
        if not permissions.is_admin:
            app.dossier.history(stream, actor=permissions.actor)
    return _as_kind(app, stream, kind, permissions) if kind else stream


def resolved_data(app: Application, fields: dict[str, Any], data: Any, permissions: Permissions) -> Any:
    """Return a command's data with legacy ids in its id fields replaced by what they became."""
    if not isinstance(data, dict):
        return data
    return {
        name: record_of(app, value, permissions, _KIND_OF_FIELD[name])
        if name in _KIND_OF_FIELD and name in fields and isinstance(value, str) and value.startswith(LEGACY)
        else value
        for name, value in data.items()
    }


def _as_uuid(name: str) -> UUID | None:
    with suppress(ValueError):
        return UUID(name)
    return None


def _legacy_parts(name: str) -> list[str] | None:
    """Return system, table and key of a legacy id; the key may hold slashes."""
    parts = name.removeprefix(LEGACY).split("/", 2)
    return parts if name.startswith(LEGACY) and len(parts) == 3 and all(parts) else None


def _became(app: Application, name: str, kind: Kind | None) -> UUID | None:
    """Return what a legacy record became; where any stream will do also its snapshot, or its place in quarantine."""
    parts = _legacy_parts(name)
    if parts is None:
        raise InvalidCommand(f"{name!r} is not of the form legacy:SYSTEM/TABLE/KEY", field="id")
    system, table, key = parts
    app.catch_up()
    rows = app.reads.fetch(legacy_ids.MODEL, system=system, table_name=table, key=key)
    if not rows:
        aside = [] if kind else app.reads.fetch(quarantine.MODEL, system=system, table_name=table, key=key)
        return max(((row["position"], row["quarantine_id"]) for row in aside), default=(0, None))[1]
    became: UUID | None = rows[0]["became"] or (None if kind else rows[0]["snapshot_id"])
    return became


def _as_kind(app: Application, stream: UUID, kind: Kind, permissions: Permissions) -> UUID:
    if app.reads.find(MODELS[kind], (stream,)):
        return stream
    if kind == "account":
        owned = next(filter(None, (app.reads.find(MODELS[name], (stream,)) for name in _OF_ACCOUNT)), None)
        return owned["account_id"] if owned else stream
    account = app.reads.find(accounts.MODEL, (stream,)) if kind in _OF_ACCOUNT else None
    match kind:
        case _ if account is None:
            return stream
        case "profile":
            profile: UUID | None = account["active_profile_id"] or account["primary_profile_id"]
            return profile or stream
        case "billing":
            return billing_id(stream)
        case _:
            return _only(app, kind, account, permissions)


def _only(app: Application, kind: Kind, account: Row, permissions: Permissions) -> UUID:
    access.check_read(permissions, account["account_id"])
    model = MODELS[kind]
    found = app.reads.fetch(model, account_id=account["account_id"])
    if len(found) == 1:
        only: UUID = found[0][model.key[0]]
        return only
    listed = ", ".join(f"{row['context'] or kind}: {row[model.key[0]]}" for row in found)
    raise NotFound(
        f"the account has {len(found)} {kind}s; name one of them",
        field="id",
        hint=listed or ("declare one with DeclareIntent" if kind == "intent" else "start one with StartConversation"),
    )


def _refuse(name: str) -> UUID:
    raise AccessDenied(
        f"there is no account {name} that could act",
        field="actor",
        hint="give --actor (or DOSSIER_ACTOR) the id of an account, or leave both out to act as the local operator",
    )
