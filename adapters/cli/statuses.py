"""`dossier statuses`: the statuses a case can have."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from adapters.bootstrap import Application
from adapters.cli.output import Output
from adapters.cli.session import ActorOption, AsJson, opened, reading
from domain import access
from domain.errors import NotFound
from domain.status_catalogue import SEEDED
from domain.streams import status_id
from projections import statuses as table
from projections.read_model import Row

UNDETERMINED: Final = "undetermined"
"""What stands for the status of a case that nobody knows."""

_LAST: Final = 10_000
_LEFT_OUT: Final = ("updated_at", "version", "position", "recorded_at", "created_at")


def statuses(
    *,
    catalogue: Annotated[
        str | None, typer.Option("--catalogue", metavar="NAME", help="Only those of one catalogue.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Retired ones too.")] = False,
    actor: ActorOption = None,
    as_json: AsJson = False,
) -> None:
    """List the statuses a case can have: those the product comes with, and those that were defined here."""
    out = Output(as_json=as_json)
    with opened() as app:
        app.catch_up()
        _, permissions = reading(app, actor)
        access.check_standing(permissions)
        found = known_statuses(app)
    catalogues = sorted({status["catalogue"] for status in found})
    if catalogue is not None and catalogue not in catalogues:
        raise NotFound(
            f"there is no catalogue {catalogue!r}", field="catalogue", hint=f"there are: {', '.join(catalogues)}"
        )
    shown = [
        status
        for status in found
        if (catalogue is None or status["catalogue"] == catalogue) and (everything or status["in_use"])
    ]
    out.json({"statuses": shown})
    columns = ("code", "catalogue", "name", "name_en", "category", "workflow_order", "may_go_to", "in_use", "origin")
    rows = [
        [", ".join(cell) if isinstance(cell := status[name], list) else cell for name in columns] for status in shown
    ]
    out.table(columns, rows)
    retired = sum(not status["in_use"] for status in found)
    if retired and not everything:
        out.next("`dossier statuses --all` lists the retired ones too")
    else:
        out.next("`dossier cases --status CODE` lists the cases that have one")


def known_statuses(app: Application) -> list[Row]:
    """Return every status there is, in order: by catalogue, then its place in lists, then its code.

    What was defined here takes the place of what the product comes with, whose origin is `seeded`.
    """
    seeded = {status_id(code): _seeded(code) for code in SEEDED}
    here = {row["status_id"]: {name: row[name] for name in row if name not in _LEFT_OUT} for row in _rows(app)}
    return sorted((seeded | here).values(), key=_order)


def _rows(app: Application) -> list[Row]:
    return app.reads.fetch(table.MODEL)


def _seeded(code: str) -> Row:
    definition = SEEDED[code]
    columns: dict[str, Any] = definition.model_dump(mode="json")
    return {
        "status_id": status_id(code),
        **{name: value for name, value in columns.items() if name != "order"},
        "workflow_order": definition.order,
        "in_use": True,
        "origin": "seeded",
    }


def _order(status: Row) -> tuple[str, int, int, str]:
    order, place = status["workflow_order"], status["sort_order"]
    return (
        status["catalogue"],
        _LAST if place is None else place,
        _LAST if order is None else order,
        status["code"] or "",
    )
