"""`dossier profiles`, `search`, `intents`: what one may read of people, a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
import typer

from adapters.cli.output import Output, shortened
from adapters.cli.session import PAGE, ActorOption, AsJson, Limit, id_option, next_page, opened, reading
from adapters.postgres.people_queries import ProfileFilters
from domain import access
from domain.contexts import CONTEXTS, Context
from domain.kinds import KINDS, kind_named
from domain.profile import Verification
from projections.read_model import Row

_COLUMNS: Final = ("profile_id", "account_id", "completeness", "verification", "fields")

Where = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="FIELD=VALUE", help="With this value; of a list, with this item. Repeatable."),
]
KindOption = Annotated[str, typer.Argument(metavar="KIND", help=f"One of {', '.join(KINDS)}.")]


def profiles(  # noqa: PLR0913 – an option each
    kind: KindOption,
    *,
    where: Where = None,
    verification: Annotated[
        Verification | None, typer.Option("--verification", help="Those that checking found to be so.")
    ] = None,
    at_least: Annotated[
        int | None, typer.Option("--complete", metavar="PERCENT", min=0, max=100, help="At least so complete.")
    ] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Archived ones instead.")] = False,
    limit: Limit = PAGE,
    after: Annotated[str | None, id_option("--after", "Those after this profile, by id.")] = None,
    actor: ActorOption = None,
    as_json: AsJson = False,
) -> None:
    """List the profiles of a kind in the order of their ids: an admin all, others their own."""
    out = Output(as_json=as_json)
    filters = ProfileFilters(
        kind_named(kind).name,
        _fields(where or (), KINDS[kind].fields),
        verification.value if verification else None,
        at_least,
        archived,
        UUID(after) if after else None,
    )
    with opened() as app:
        app.catch_up()
        who, permissions = reading(app, actor)
        access.check_standing(permissions)
        found = app.people(who).profiles(filters, limit + 1)
    page = found[:limit]
    last = page[-1]["profile_id"] if len(found) > limit else None
    out.json({"profiles": page, "next": last})
    _print(out, _COLUMNS, page)
    if last:
        out.next(next_page(last))


def search(
    kind: KindOption,
    text: Annotated[
        str, typer.Argument(help='Words; "in quotes" they stand together, `or` is a choice, -word is not.')
    ],
    *,
    limit: Limit = PAGE,
    after: Annotated[str | None, typer.Option("--after", metavar="RANK:ID", help="Those after this one.")] = None,
    actor: ActorOption = None,
    as_json: AsJson = False,
) -> None:
    """Search the profiles of a kind, the best first; case and accents do not matter."""
    out, last = Output(as_json=as_json), _ranked(after)
    kind = kind_named(kind).name
    with opened() as app:
        app.catch_up()
        who, permissions = reading(app, actor)
        access.check_standing(permissions)
        found = app.people(who).search(kind, text, limit + 1, last)
    page = found[:limit]
    further = f"{page[-1].rank!r}:{page[-1].row['profile_id']}" if len(found) > limit else None
    out.json({"profiles": [{"rank": hit.rank, **hit.row} for hit in page], "next": further})
    _print(out, ("rank", *_COLUMNS), [{"rank": round(hit.rank, 4), **hit.row} for hit in page])
    if further:
        out.next(next_page(further))


def intents(
    context: Annotated[Context, typer.Argument(help="The relationship context.")],
    *,
    where: Where = None,
    withdrawn: Annotated[bool, typer.Option("--withdrawn", help="Those that were withdrawn instead.")] = False,
    limit: Limit = PAGE,
    after: Annotated[str | None, id_option("--after", "Those after this intent, by id.")] = None,
    actor: ActorOption = None,
    as_json: AsJson = False,
) -> None:
    """List the intents in a context in the order of their ids: an admin all, others their own."""
    out = Output(as_json=as_json)
    fields = _fields(where or (), CONTEXTS[context].fields)
    with opened() as app:
        app.catch_up()
        who, permissions = reading(app, actor)
        access.check_standing(permissions)
        found = app.people(who).intents(
            context.value,
            limit + 1,
            status="withdrawn" if withdrawn else "declared",
            fields=fields,
            after=UUID(after) if after else None,
        )
    page = found[:limit]
    last = page[-1]["intent_id"] if len(found) > limit else None
    out.json({"intents": page, "next": last})
    _print(out, ("intent_id", "account_id", "completeness", "tone_preference", "fields"), page)
    if last:
        out.next(next_page(last))


def _fields(where: Sequence[str], shapes: Any) -> dict[str, Any]:
    """Return the wanted values by field: a text, an item of a list of texts, or JSON where the field holds no text."""
    wanted: dict[str, Any] = {}
    for condition in where:
        name, equals, value = condition.partition("=")
        if not equals or name not in shapes:
            raise typer.BadParameter(f"{condition!r} is not FIELD=VALUE of one of {', '.join(shapes)}")
        shape = shapes[name].shape
        if shape == "texts":
            wanted[name] = [*wanted.get(name, ()), value]
        elif shape in ("text", "day", "instant", "wall_clock"):
            wanted[name] = value
        else:
            wanted[name] = _json(condition, value)
    return wanted


def _json(condition: str, value: str) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise typer.BadParameter(f"{condition!r}: this field holds no text; give its value as JSON") from None


def _ranked(after: str | None) -> tuple[float, UUID] | None:
    if after is None:
        return None
    rank, _, last = after.partition(":")
    try:
        return float(rank), UUID(last)
    except ValueError:
        raise typer.BadParameter(f"{after!r} is not RANK:ID, as the page before gave it") from None


def _print(out: Output, columns: Sequence[str], page: Sequence[Row]) -> None:
    if not page:
        out.line("Nothing found.")
        return
    shown = [[shortened(row[name]) if name == "fields" else row[name] for name in columns] for row in page]
    out.table(columns, shown)
