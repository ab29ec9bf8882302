"""`dossier cases`: which cases there are, and how they stand; everybody sees those they may read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import typer

from adapters.bootstrap import Application
from adapters.cli.output import Output
from adapters.cli.session import PAGE, ActorOption, AsJson, Kind, Limit, id_option, opened, reading, record_of
from adapters.cli.statuses import UNDETERMINED, known_statuses
from adapters.cli.times import duration, moment
from adapters.postgres.case_queries import CaseFilters, CaseQueries, StatusTotal, Within
from domain import access
from domain.access import Permissions
from domain.errors import NotFound
from domain.wall_clock import local_day
from projections import collectives
from projections.read_model import Row

app = typer.Typer()


@app.callback(invoke_without_command=True)
def cases(  # noqa: PLR0913 – an option each
    context: typer.Context,
    *,
    status: Annotated[
        str | None, typer.Option("--status", metavar="CODE", help=f"Those with this status, or `{UNDETERMINED}`.")
    ] = None,
    company: Annotated[str | None, id_option("--company", "Those of a company.")] = None,
    collective: Annotated[str | None, id_option("--collective", "Those of a collective process.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Current ones that were due before today.")] = False,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Those that have had their status since then or later."),
    ] = None,
    is_current: Annotated[
        bool | None, typer.Option("--current/--closed", help="Only current ones, or only closed ones.")
    ] = None,
    limit: Limit = PAGE,
    after: Annotated[str | None, id_option("--after", "Those after this case, by id.")] = None,
    actor: ActorOption = None,
    as_json: AsJson = False,
) -> None:
    """List cases in the order of their ids, a page at a time: an admin all, others those they may read."""
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return
    out, since_at = Output(as_json=as_json), moment("--since", since)
    if overdue and is_current is False:
        raise typer.BadParameter("--overdue is about current cases: leave --closed out")
    undetermined = status == UNDETERMINED
    with opened() as app_:
        app_.catch_up()
        who, permissions = reading(app_, actor)
        queries = app_.cases(who)
        found = {
            kind: record_of(app_, name, permissions, kind) if name else None
            for kind, name in _named(company, collective, after)
        }
        within = _within(app_, queries, permissions, found["company"], found["collective"])
        filters = CaseFilters(
            status=None if undetermined else status,
            undetermined=undetermined,
            collective=found["collective"],
            due_before=local_day(datetime.now(UTC)) if overdue else None,
            since=since_at,
            is_current=is_current,
            after=found["case"],
        )
        rows = queries.page(filters, limit + 1, within)
        if not rows and filters.status is not None:
            _check_status(app_, queries, filters.status, within)
    page, further = rows[:limit], len(rows) > limit
    out.json({"cases": page, "next": page[-1]["case_id"] if further else None})
    _print(out, page)
    out.next(_next_page(context, page[-1]["case_id"]) if further else "`dossier timeline ID` tells how one came about")


@app.command()
def stats(*, actor: ActorOption = None, as_json: AsJson = False) -> None:
    """Count the cases, and the time they spend in each status (admins)."""
    out, now = Output(as_json=as_json), datetime.now(UTC)
    with opened() as app_:
        app_.catch_up()
        who, permissions = reading(app_, actor)
        access.check_read(permissions, None)
        queries = app_.cases(who)
        totals = queries.totals(local_day(now))
        by_status = _in_order(app_, queries.status_totals(now))
    found = [_total(total) for total in by_status]
    out.json({**totals, "statuses": found})
    out.pairs(totals)
    out.table(
        ("status", "cases now", "entries ever", "total time", "mean time"),
        [
            (
                entry["status"] or UNDETERMINED,
                *(entry["cases_now"], entry["entries_ever"]),
                *(duration(entry["total_s"]), duration(entry["mean_s"])),
            )
            for entry in found
        ],
    )
    out.next("`dossier cases --status CODE` lists those that have a status")


def _named(company: str | None, collective: str | None, after: str | None) -> Iterator[tuple[Kind, str | None]]:
    yield "company", company
    yield "collective", collective
    yield "case", after


def _within(
    app_: Application,
    queries: CaseQueries,
    permissions: Permissions,
    company: UUID | None,
    collective: UUID | None,
) -> Within | None:
    """Return which cases the reader may see of those asked for, None for all; raises AccessDenied."""
    account = permissions.actor.account
    if permissions.is_admin:
        return Within([company]) if company else None
    access.check_standing(permissions)
    mine = queries.companies_of(account) if account else frozenset()
    asked: list[UUID | None] = [company] if company else []
    if collective:
        process = app_.find(collectives.MODEL, (collective,), permissions.actor)
        asked.append(process["company_id"] if process else None)
    if not asked:
        return Within(sorted(mine), account)
    open_to_them = [one for one in asked if one in mine]
    if len(open_to_them) < len(asked):
        access.check_read(permissions, None)
    return Within(open_to_them[:1])


def _check_status(app_: Application, queries: CaseQueries, code: str, within: Within | None) -> None:
    """Raise NotFound for a status that no catalogue holds and none of the cases the reader may see has."""
    known = any(status["code"] == code for status in known_statuses(app_))
    if not known and not queries.page(CaseFilters(status=code), 1, within):
        raise NotFound(f"there is no status {code!r}", field="status", hint="`dossier statuses --all` lists them")


def _print(out: Output, page: list[Row]) -> None:
    if not page:
        out.line("No case.")
        return
    columns = ("case_id", "status", "status_since", "due_on", "person_id", "company_id", "collective_id", "is_current")
    out.table(columns, [[_cell(row, name) for name in columns] for row in page])


def _cell(row: Row, name: str) -> Any:
    return row[name] or UNDETERMINED if name == "status" else row[name]


def _next_page(context: typer.Context, last: UUID) -> str:
    """Return the command that lists the page after this one: the same options, from the last case on."""
    flags = {True: "--current", False: "--closed"}
    words = ["dossier", "cases"]
    for name, value in context.params.items():
        if not _is_given(context, name) or name in ("after", "as_json"):
            continue
        if name == "is_current":
            words.append(flags[value])
        else:
            words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return f"`{shlex.join([*words, '--after', str(last)])}`"


def _refuse_options(context: typer.Context) -> None:
    if any(_is_given(context, name) for name in context.params):
        raise typer.BadParameter(f"the options of {context.invoked_subcommand} come after it")


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _in_order(app_: Application, totals: list[StatusTotal]) -> list[StatusTotal]:
    """Return the totals in the order of the catalogues, then the statuses no catalogue holds, undetermined last."""
    places = {status["code"]: place for place, status in enumerate(known_statuses(app_))}
    found = {total.status: total for total in totals}
    undetermined = found.pop(None, StatusTotal(None, 0, 0, 0.0))
    in_order = sorted(found.values(), key=lambda total: (places.get(total.status, len(places)), total.status or ""))
    return [*in_order, undetermined]


def _total(total: StatusTotal) -> dict[str, Any]:
    seconds = round(total.total_s or 0.0, 3)
    mean = round(seconds / total.entries_ever, 3) if total.entries_ever else None
    return {**total._asdict(), "total_s": seconds, "mean_s": mean}
