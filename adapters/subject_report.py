"""What is held about a person, for them to read: as JSON, and as one HTML page that no stored value can script."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from html import escape
from typing import Any, Final

import orjson

from adapters.erasure import Held
from adapters.postgres.mapper import canonical_json
from domain.event import Recorded

STYLE: Final = (
    "body{font:16px/1.5 sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%;margin:0 0 2rem}th,td{border:1px solid #bbb;padding:.3rem .5rem;"
    "text-align:left;vertical-align:top;overflow-wrap:anywhere}th{background:#eee}td:first-child{white-space:nowrap}"
    "code{white-space:pre-wrap}"
)
_POLICY: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'"
)


def as_document(found: Held, at: datetime) -> dict[str, Any]:
    """Return the report in plain JSON values: the tables as they are now, and every event with where it came from."""
    report = {
        "person": found.person,
        "made_at": at,
        "erased": found.erased,
        "now": found.rows,
        "events": [_event(event) for event in found.events],
    }
    plain: dict[str, Any] = orjson.loads(canonical_json(report))
    return plain


def as_page(report: dict[str, Any]) -> str:
    """Return the report as an HTML page that stands alone: nothing is loaded, nothing runs, every value is escaped."""
    return "".join(_page(report))


def _event(recorded: Recorded) -> dict[str, Any]:
    meta = recorded.metadata
    return {
        "position": recorded.position,
        "record": recorded.stream,
        "version": recorded.version,
        "what": recorded.topic,
        "happened": meta.occurred_at,
        "recorded": meta.recorded_at,
        "by": meta.actor,
        "recorded_by": meta.recorded_by,
        "origin": meta.origin,
        "values": recorded.event,
        "came_from": {
            field: [source._asdict() for source in sources] for field, sources in (meta.provenance or {}).items()
        },
    }


def _page(report: dict[str, Any]) -> Iterator[str]:
    yield "<!DOCTYPE html>\n<html lang='en'><head><meta charset='utf-8'>"
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield f"<meta name='referrer' content='no-referrer'><title>What is held</title><style>{STYLE}</style></head><body>"
    yield f"<h1>What is held about {_text(report['person'])}</h1><p>Made at {_text(report['made_at'])}."
    if report["erased"]:
        yield " The person was erased: values that are gone read <code>{&quot;erased&quot;: true}</code>."
    yield "</p><h2>Now</h2>"
    for table, rows in report["now"].items():
        for row in rows:
            yield f"<h3>{_text(table)}</h3>" + _table(("field", "value"), row.items())
    yield "<h2>Everything that was recorded, oldest first</h2>"
    for event in report["events"]:
        yield f"<h3>{_text(event['position'])}. {_text(event['what'])}</h3><p>Happened {_text(event['happened'])},"
        yield f" recorded {_text(event['recorded'])}, by {_text(event['by'])} ({_text(event['origin'])});"
        yield f" record {_text(event['record'])}.</p>"
        came_from = event["came_from"]
        rows = ((name, value, _sources(came_from.get(name, ()))) for name, value in event["values"].items())
        yield _table(("field", "value", "came from"), rows)
        if further := [(name, _sources(came_from[name])) for name in came_from if name not in event["values"]]:
            yield _table(("part", "came from"), further)
    yield "</body></html>\n"


def _table(headings: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    head = "".join(f"<th>{_text(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _sources(sources: Iterable[dict[str, str]]) -> str:
    return ", ".join(f"{source['table']}/{source['key']}{source['pointer']}" for source in sources)


def _text(value: Any) -> str:
    """Return a value as escaped text; a character that no page may hold is replaced."""
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    return escape(
        "".join(character if character.isprintable() or character in "\n\t" else "\ufffd" for character in text)
    )
