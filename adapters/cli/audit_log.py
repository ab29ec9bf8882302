"""`dossier audit log`: what happened, across all records, for those who may read the whole log."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from adapters.audit.verifier import matches
from adapters.bootstrap import Application
from adapters.cli.audit_export import (
    By,
    From,
    PositionFrom,
    PositionTo,
    Subject,
    Systems,
    To,
    Topics,
    asked_for,
    resolved_filters,
)
from adapters.cli.happened import Happened, as_dict, by_itself, print_happened
from adapters.cli.output import Output
from adapters.cli.session import ActingAs, AsJson, opened, reading
from adapters.cli.signals import until_signalled
from adapters.postgres.mapper import canonical_instant
from adapters.postgres.notifications import Notifications
from domain import access
from domain.event import Recorded

_WINDOW: Final = 1_000


def log(  # noqa: PLR0913 – one a filter
    *,
    happened_from: From = None,
    happened_to: To = None,
    position_from: PositionFrom = None,
    position_to: PositionTo = None,
    subject: Subject = None,
    actor: By = None,
    topic: Topics = None,
    system: Systems = None,
    limit: Annotated[int, typer.Option("--limit", min=0, max=100_000, help="How many, the newest.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what happens from now, until stopped.")] = False,
    acting_as: ActingAs = None,
    as_json: AsJson = False,
) -> None:
    """Show who did what, when, why, and what changed: the newest events, the oldest of them first."""
    out = Output(as_json=as_json)
    asked = asked_for(happened_from, happened_to, position_from, position_to, actor, topic, system)
    with opened() as app:
        _, permissions = reading(app, acting_as)
        access.check_audit(permissions)
        filters, head = resolved_filters(app, asked, subject), app.events.head()
        _print(out, _newest(app, filters, head, limit))
        if follow:
            _follow(out, app, filters, head)


def _follow(out: Output, app: Application, filters: Mapping[str, Any], position: int) -> None:
    with until_signalled() as stopped, Notifications(str(app.pool.conninfo)) as notifications:
        while not stopped:
            events = app.log.read(position, _WINDOW)
            if not events:
                notifications.wait()
                continue
            position = events[-1].position
            if found := _matching(filters, events):
                _print(out, found)


def _newest(app: Application, filters: Mapping[str, Any], head: int, limit: int) -> list[Happened]:
    """Return the newest events that the filters ask for; the log is read backwards, no further than needed."""
    found: deque[Happened] = deque()
    upper, first = min(head, filters.get("position_to", head)), filters.get("position_from", 1)
    while upper >= first and len(found) < limit:
        lower = max(upper - _WINDOW, first - 1, 0)
        events = [event for event in app.log.read(lower, upper - lower) if event.position <= upper]
        found.extendleft(reversed(_matching(filters, events)))
        upper = lower
    return list(found)[-limit:] if limit else []


def _matching(filters: Mapping[str, Any], events: Sequence[Recorded]) -> list[Happened]:
    return [by_itself(event) for event in events if matches(filters, _attributes(event))]


def _attributes(event: Recorded) -> dict[str, str | int]:
    meta = event.metadata
    return {
        "id": str(event.position),
        "type": event.topic,
        "time": canonical_instant(meta.occurred_at),
        "subject": str(meta.subject),
        "authid": meta.actor,
        "origin": meta.origin,
    }


def _print(out: Output, happened: Sequence[Happened]) -> None:
    out.json({"events": [as_dict(one) for one in happened]})
    print_happened(out, happened)
