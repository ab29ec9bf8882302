"""Stored events as bytes: one canonical JSON form out, validation and upcasting in.

The body of an event is `{"data": …, "meta": …, "v": 1}` with sorted keys and RFC 3339 UTC times with microseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from domain.errors import StoredEventUnreadable
from domain.event import EVENT_TYPES, DomainEvent, Erased, EventMetadata, NewEvent, Recorded

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

ENVELOPE: Final = tuple(field.name for field in fields(EventMetadata))

UPCASTERS: Final[dict[tuple[str, int], Upcaster]] = {
    ("account.registered", 1): lambda data: {**data, "details": {}},
    # Version 2 of a verification says which event it follows; of version 1, which no release wrote, nobody knows.
    ("legacy.snapshot_recorded", 1): lambda data: {**data, "platform_created": None},
    ("legacy.snapshot_recorded", 2): lambda data: {**data, "became_version": None, "dangling": [], "foreign": []},
    ("profile.verification_changed", 1): lambda data: {**data, "follows": None},
}
"""By topic and schema version: turns the data of that version into the data of the next."""

_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME


def canonical_json(value: Any) -> bytes:
    """Return the canonical JSON form of plain values, pydantic models, times and ids."""
    return orjson.dumps(value, default=_plain, option=_OPTIONS)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return canonical_instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, BaseModel):
        return value.__dict__  # all of our models store what they were given: no field is dropped, renamed or computed
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Erased):
        return {"erased": True}
    raise TypeError(f"{type(value).__name__} has no JSON form")


@lru_cache(maxsize=4096)
def canonical_instant(moment: datetime) -> str:
    """Return a time as all of our JSON writes it: RFC 3339, UTC, with microseconds."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def encode(new: NewEvent) -> bytes:
    """Return the body of an event that waits to be appended."""
    metadata = {name: value for name in ENVELOPE if (value := getattr(new.metadata, name)) is not None}
    return canonical_json({"data": new.event, "meta": metadata, "v": new.event.schema_version})


def decode(stream: UUID, version: int, position: int, topic: str, body: bytes) -> Recorded:
    """Return a stored event as its type, validated; raises StoredEventUnreadable naming position and topic."""
    event_type = EVENT_TYPES.get(topic)
    if event_type is None:
        raise StoredEventUnreadable(f"position {position}: no event is registered for topic {topic!r}")
    try:
        reader = _readers.get(event_type) or _reader(event_type)
        parsed = reader.validate(body) if body.endswith(reader.ending) else _upcast(reader, body)
    except (ValidationError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise StoredEventUnreadable(
            f"position {position}: the stored body does not fit {topic} ({type(error).__name__})",
            hint="was the event type changed without a new schema version and an upcaster?",
        ) from error
    return Recorded(stream, version, position, topic, parsed["data"], parsed["meta"], parsed["v"])


class _Reader(NamedTuple):
    """Reads bodies of one topic: `validate` those of the present schema version, which are known by their `ending`."""

    event_type: type[DomainEvent]
    ending: bytes
    validate: Callable[[bytes], dict[str, Any]]


_readers: Final[dict[type[DomainEvent], _Reader]] = {}


def _reader(event_type: type[DomainEvent]) -> _Reader:
    fields_of_body: dict[str, Any] = {"data": event_type, "meta": EventMetadata, "v": int}
    body: Any = TypedDict("body", fields_of_body)  # type: ignore[misc]
    adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(body)  # type: ignore[arg-type]
    ending = b',"v":%d}' % event_type.schema_version
    _readers[event_type] = _Reader(event_type, ending, adapter.validator.validate_json)
    return _readers[event_type]


def _upcast(reader: _Reader, body: bytes) -> dict[str, Any]:
    """Read a body of an earlier schema version: its data is brought up to date, a version at a time."""
    old = orjson.loads(body)
    stored_version = old["v"]
    if stored_version > reader.event_type.schema_version:
        raise ValueError("written by a later release")
    for version in range(stored_version, reader.event_type.schema_version):
        old["data"] = UPCASTERS[reader.event_type.topic, version](old["data"])
    return {**reader.validate(orjson.dumps(old)), "v": stored_version}
