"""`dossier find`: the account behind an email or a phone, as a webhook needs it."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from adapters.cli.output import Output
from adapters.cli.session import ActorOption, AsJson, opened, reading
from adapters.postgres.account_queries import Contact, accounts_with
from domain import access
from domain.errors import NotFound
from domain.values import is_storable
from projections import accounts
from projections.account_view import account_view

FINDINGS: Final = 1
_SHOWN: Final = ("account_id", "email", "phone", "name", "status", "registered_at", "active_profile_id")


def find(
    *,
    email: Annotated[str | None, typer.Option("--email", metavar="EMAIL", help="In upper or lower case.")] = None,
    phone: Annotated[str | None, typer.Option("--phone", metavar="PHONE", help="Exactly as it is kept.")] = None,
    actor: ActorOption = None,
    as_json: AsJson = False,
) -> None:
    """Find the accounts with an email or a phone; more than one is a finding, and all are listed (admins only)."""
    wanted: list[tuple[Contact, str | None]] = [("email", email), ("phone", phone)]
    given = [(contact, value) for contact, value in wanted if value is not None]
    if len(given) != 1:
        raise typer.BadParameter("give one of --email and --phone")
    ((contact, value),) = given
    if not value.strip() or not is_storable(value):
        raise typer.BadParameter(f"this is no {contact}")
    out = Output(as_json=as_json)
    with opened() as app:
        app.catch_up()
        access.check_read(reading(app, actor)[1], None)
        rows = [app.reads.find(accounts.MODEL, (account,)) for account in accounts_with(app.reads, contact, value)]
    found = [{name: row[name] for name in _SHOWN} | {"name": account_view(row).get("name")} for row in rows if row]
    if not found:
        raise NotFound(f"no account has this {contact}", field=contact, hint="was it changed? `dossier history` tells")
    out.json({"accounts": found, "duplicates": len(found) > 1})
    out.table(_SHOWN, [list(row.values()) for row in found])
    if len(found) > 1:
        out.line(f"{len(found)} accounts have this {contact}: it does not tell whose it is.")
        out.next("ask the people; ChangeContact or DeactivateAccount puts it right")
        raise typer.Exit(FINDINGS)
    out.next(f"`dossier show account {found[0]['account_id']}`")
