"""`dossier timeline`: which status a case, profile or subscription had, from when to when, and who said so."""

from __future__ import annotations

from datetime import UTC, datetime
from operator import itemgetter
from typing import Annotated, Any, Final

import typer

from adapters.bootstrap import Application
from adapters.cli.output import Output
from adapters.cli.session import ActorOption, AsJson, Limit, RecordId, next_page, opened, reading, record_of
from adapters.cli.statuses import UNDETERMINED
from adapters.cli.times import KnownAt, duration, known_at_moment
from adapters.postgres.case_queries import LARGEST_PAGE
from domain.access import Permissions
from domain.errors import NotFound
from projections import accounts, status_history
from projections.as_of import rows_known_at
from projections.read_model import Row

_KINDS: Final = ("case", "profile", "billing")
_ORDER: Final = itemgetter("active_from", "place", "entry")


def timeline(
    record_id: RecordId,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Superseded entries too.")] = False,
    known_at: KnownAt = None,
    limit: Limit = LARGEST_PAGE,
    after: Annotated[
        int | None, typer.Option("--after", metavar="ENTRY", min=1, max=2**31 - 1, help="Those after this entry.")
    ] = None,
    actor: ActorOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the status history of a case, profile or billing account, in the order in which the statuses took effect."""
    out, at, now = Output(as_json=as_json), known_at_moment(known_at), datetime.now(UTC)
    with opened() as app:
        app.catch_up()
        who, permissions = reading(app, actor)
        stream = _owner(app, record_id, permissions)
        events = app.dossier.history(stream, actor=who)
        kind = events[0].topic.partition(".")[0]
        if kind not in _KINDS:
            raise NotFound(
                f"{stream} has no status history", field="id", hint="a case, a profile or a billing account has one"
            )
        if at is None:
            last = app.find(status_history.MODEL, (stream, after), who) if after else None
            found = app.cases(who).timeline(stream, limit + 1, _place(last, after))
        else:
            entries = sorted(rows_known_at(status_history.MODEL, events, at), key=_ORDER)
            start = _place(next((entry for entry in entries if entry["entry"] == after), None), after)
            found = [entry for entry in entries if start is None or _ORDER(entry) > start][: limit + 1]
    entries = found[:limit]
    further = entries[-1]["entry"] if len(found) > limit else None
    shown = [entry for entry in entries if everything or not entry["superseded"]]
    out.json({"record": stream, "kind": kind, "known_at": at, "entries": shown, "next": further})
    if not entries:
        out.line(
            "There are no more." if after else f"The status of {kind} {stream} was never set: it is {UNDETERMINED}."
        )
    if shown:
        _print(out, f"{kind} {stream}", shown, now)
    if further:
        out.line(f"There are more: {next_page(further)}.")
    if hidden := len(entries) - len(shown):
        out.line(f"{hidden} superseded {'entry is' if hidden == 1 else 'entries are'} not shown.")
        out.next(f"`dossier timeline {stream} --all` shows them")
    else:
        out.next(f"`dossier history {stream}` shows the events behind it")


def _place(last: Row | None, after: int | None) -> Any:
    """Return where in the order the entry stands that a page begins after; raises NotFound."""
    if after is None:
        return None
    if last is None:
        raise NotFound(f"there is no entry {after}", field="after", hint="the page before said which it ends with")
    return _ORDER(last)


def _owner(app: Application, record_id: str, permissions: Permissions) -> Any:
    """Return whose history it is: an account stands for its active profile."""
    stream = record_of(app, record_id, permissions)
    return record_of(app, str(stream), permissions, "profile") if app.reads.find(accounts.MODEL, (stream,)) else stream


def _print(out: Output, title: str, entries: list[Row], now: datetime) -> None:
    columns = ["entry", "status", "from", "to", "for", "who", "notes"]
    dated = any(entry["date_text"] for entry in entries)
    marked = any(entry["superseded"] for entry in entries)
    rows = [
        [
            *(entry["entry"], entry["status"] or UNDETERMINED, entry["active_from"]),
            *(_until(entry), _lasted(entry, now), entry["changed_by"], entry["notes"] or entry["reason"]),
            *([_date(entry)] if dated else []),
            *([_superseded(entry)] if marked else []),
        ]
        for entry in entries
    ]
    columns += ["dated"] * dated + ["superseded"] * marked
    out.table(columns, rows, title=f"statuses of {title}")


def _until(entry: Row) -> Any:
    return entry["active_to"] or ("-" if entry["superseded"] else "now")


def _lasted(entry: Row, now: datetime) -> str:
    if entry["superseded"]:
        return "-"
    if entry["active_to"] is None:
        return f"{duration((now - entry['active_from']).total_seconds())} so far"
    return duration(entry["duration_s"])


def _date(entry: Row) -> str:
    """Return the date as a legacy record wrote it, and the zone that was assumed for it."""
    zone = f" ({entry['date_zone']} assumed)" if entry["date_zone"] else ""
    return "-" if entry["date_text"] is None else f"{entry['date_text']}{zone}"


def _superseded(entry: Row) -> str:
    return f"by entry {entry['superseded_by']}" if entry["superseded"] else "-"
