"""Stored events as CloudEvents 1.0, a pure mapping.

`id` is the position and `source` the stream, together unique. `time` is when it happened, the extension `recordedtime`
when we learned it. Attributes hold texts and integers only, so `provenance` is JSON in a text:
`{field: [[table, key, JSON pointer], …]}`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import orjson

from adapters.postgres.mapper import canonical_json
from domain.event import Recorded

SPEC_VERSION: Final = "1.0"
_DIGITS: Final = 20


def cloud_event(recorded: Recorded) -> dict[str, Any]:
    """Return a stored event as a CloudEvents 1.0 event in plain JSON values, attributes without a value left out."""
    meta = recorded.metadata
    attributes = {
        "specversion": SPEC_VERSION,
        "id": str(recorded.position),
        "source": f"/dossier/{recorded.stream}",
        "type": recorded.topic,
        "subject": _text(meta.subject),
        "time": _time(meta.occurred_at),
        "datacontenttype": "application/json",
        "dataschemaversion": recorded.schema_version,
        "sequence": f"{recorded.position:0{_DIGITS}d}",
        "streamversion": recorded.version,
        "recordedtime": _time(meta.recorded_at),
        "actor": meta.actor,
        "recordedby": meta.recorded_by,
        "commandid": _text(meta.command_id),
        "correlationid": _text(meta.correlation_id),
        "causationid": _text(meta.causation_id),
        "origin": meta.origin,
        "provenance": canonical_json(meta.provenance).decode() if meta.provenance else None,
    }
    found = {name: value for name, value in attributes.items() if value is not None}
    return found | {"data": orjson.loads(canonical_json(recorded.event))}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
