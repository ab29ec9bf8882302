"""Stored events as bytes: one canonical JSON form out, validation and upcasting in.

The body of an event is `{"data": …, "meta": …, "v": 1}` with sorted keys and RFC 3339 UTC times with microseconds.
A sealed body has what is personal, and the provenance, in one sealed value beside: `{"data": …, "meta": …, "sealed": …,
"v": 1}`. It ends with the subject, the sealed value and the schema version, so that it is known without being parsed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from adapters.sealing import SubjectKey, no_master_key
from domain.errors import StoredEventUnreadable
from domain.event import (
    ERASED,
    EVENT_TYPES,
    DomainEvent,
    Erased,
    EventMetadata,
    NewEvent,
    Recorded,
    Unreadable,
    personal_fields,
)

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
Keys = Mapping[UUID, SubjectKey | None]
"""Keys by subject; None for a subject that was erased."""

ENVELOPE: Final = tuple(field.name for field in fields(EventMetadata))

UPCASTERS: Final[dict[tuple[str, int], Upcaster]] = {
    ("account.registered", 1): lambda data: {**data, "details": {}},
    # Version 2 of a verification says which event it follows; of version 1, which no release wrote, nobody knows.
    ("legacy.snapshot_recorded", 1): lambda data: {**data, "platform_created": None},
    ("legacy.snapshot_recorded", 2): lambda data: {**data, "became_version": None, "dangling": [], "foreign": []},
    ("profile.verification_changed", 1): lambda data: {**data, "follows": None},
}
"""By topic and schema version: turns the data of that version into the data of the next."""

_UNKNOWN: Final = EventMetadata(
    datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC), "unknown", "unknown"
)
_OPTIONS: Final = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME


def canonical_json(value: Any) -> bytes:
    """Return the canonical JSON form of plain values, pydantic models, times and ids."""
    return orjson.dumps(value, default=_plain, option=_OPTIONS)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):  # most often: a source of the provenance
        return list(value)
    if isinstance(value, datetime):
        return canonical_instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, BaseModel):
        return value.__dict__  # all of our models store what they were given: no field is dropped, renamed or computed
    if isinstance(value, Erased):
        return {"erased": True}
    raise TypeError(f"{type(value).__name__} has no JSON form")


@lru_cache(maxsize=4096)
def canonical_instant(moment: datetime) -> str:
    """Return a time as all of our JSON writes it: RFC 3339, UTC, with microseconds."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def encode(new: NewEvent, key: SubjectKey | None = None) -> bytes:
    """Return the body of an event that waits to be appended, sealed if a key is given."""
    event = new.event
    metadata = {name: value for name in ENVELOPE if (value := getattr(new.metadata, name)) is not None}
    if key is None:
        return canonical_json({"data": event, "meta": metadata, "v": event.schema_version})
    values, personal = event.__dict__, _personal(type(event))
    secret: dict[str, Any] = {"data": {name: values[name] for name in personal}}
    if provenance := metadata.pop("provenance", None):
        secret["provenance"] = provenance
    clear = {name: value for name, value in values.items() if name not in personal}
    place = _place(new.stream, new.version, event.topic, event.schema_version)
    return _sealed(key, secret, place, {"data": clear, "meta": metadata, "v": event.schema_version})


def seal_body(stream: UUID, version: int, topic: str, body: bytes, key: SubjectKey) -> bytes:
    """Return a body that was stored open as a sealed one, of the schema version it has.

    Sealed is all but what its present type knows and does not mark as personal.
    """
    found = orjson.loads(body)
    known = EVENT_TYPES[topic].model_fields.keys() if topic in EVENT_TYPES else ()
    clear = {name: value for name, value in found["data"].items() if name in known} if known else {}
    for name in _personal(EVENT_TYPES[topic]) if known else ():
        clear.pop(name, None)
    secret: dict[str, Any] = {"data": {name: value for name, value in found["data"].items() if name not in clear}}
    if provenance := found["meta"].pop("provenance", None):
        secret["provenance"] = provenance
    return _sealed(key, secret, _place(stream, version, topic, found["v"]), {**found, "data": clear})


def _sealed(key: SubjectKey, secret: dict[str, Any], place: bytes, clear: dict[str, Any]) -> bytes:
    sealed = base64.b64encode(key.seal(canonical_json(secret), place)).decode("ascii")
    return canonical_json({**clear, "sealed": sealed})


def sealed_for(new: NewEvent) -> UUID | None:
    """Return whose key an event is to be sealed with; None if it holds nothing to seal, or nobody's."""
    holds = _personal(type(new.event)) or new.metadata.provenance
    return new.metadata.subject if holds else None


def subject_of(body: bytes) -> UUID | None:
    """Return the subject of a stored body, sealed or not, without parsing it; None if it has none."""
    found = _ABOUT.match(body, max(0, body.rfind(b'"subject":"')))
    return UUID(found[1].decode("ascii")) if found else None


def is_open(topic: str, body: bytes) -> bool:
    """Tell whether a body that is about somebody holds something to seal, and is not sealed."""
    holds = b',"provenance":{' in body or (topic in EVENT_TYPES and _personal(EVENT_TYPES[topic]))
    return bool(holds) and _sealed_end(body) is None


def subject_of_sealed(body: bytes) -> UUID | None:
    """Return the subject of a sealed body, None for one that is not sealed."""
    found = _sealed_end(body)
    return UUID(found[1].decode("ascii")) if found else None


def secret_of(stream: UUID, version: int, topic: str, body: bytes, keys: Keys) -> dict[str, Any] | None:
    """Return what a sealed body holds sealed, its personal `data` and its `provenance`; None for an erased subject.

    Raises ValueError for a body that is not sealed, or does not open.
    """
    sealed = _sealed_end(body)
    if sealed is None:
        raise ValueError("not a sealed body")
    return _secret(sealed, _place(stream, version, topic, int(sealed[3])), keys)


def decode(stream: UUID, version: int, position: int, topic: str, body: bytes, keys: Keys | None = None) -> Recorded:
    """Return a stored event as its type, validated; raises StoredEventUnreadable naming position and topic.

    `keys` are those of the subjects of sealed bodies; where one was erased, Erased stands for what was sealed.
    """
    event_type = EVENT_TYPES.get(topic)
    if event_type is None:
        raise StoredEventUnreadable(f"position {position}: no event is registered for topic {topic!r}")
    try:
        reader = _readers.get(event_type) or _reader(event_type)
        if sealed := _sealed_end(body):
            parsed = _opened(reader, body, sealed, _place(stream, version, topic, int(sealed[3])), keys)
        else:
            parsed = reader.validate(body) if body.endswith(reader.ending) else _upcast(reader, orjson.loads(body))
    except (ValidationError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise StoredEventUnreadable(
            f"position {position}: the stored body does not fit {topic} ({type(error).__name__})",
            hint="was the event type changed without a new schema version and an upcaster?",
        ) from error
    return Recorded(stream, version, position, topic, parsed["data"], parsed["meta"], parsed["v"])


def decode_or_mark(
    stream: UUID, version: int, position: int, topic: str, body: bytes, keys: Keys | None = None
) -> Recorded:
    """Return a stored event as `decode` does, or Unreadable in its place: for readers that carry on without it."""
    try:
        return decode(stream, version, position, topic, body, keys)
    except StoredEventUnreadable as error:
        return Recorded(stream, version, position, topic, Unreadable(error.message), _UNKNOWN, 0)


class _Reader(NamedTuple):
    """Reads bodies of one topic: `validate` those of the present schema version, which are known by their `ending`.

    `accept` takes a body as Python values, in which Erased may stand.
    """

    event_type: type[DomainEvent]
    ending: bytes
    validate: Callable[[bytes], dict[str, Any]]
    accept: Callable[[dict[str, Any]], dict[str, Any]]


_readers: Final[dict[type[DomainEvent], _Reader]] = {}
_personal: Final = lru_cache(maxsize=None)(personal_fields)
_SEALED: Final = re.compile(rb'"subject":"([0-9a-f-]{36})"\},"sealed":"([A-Za-z0-9+/=]+)","v":([0-9]+)\}\Z')
_ABOUT: Final = re.compile(rb'"subject":"([0-9a-f-]{36})"\}(?:,"sealed":"[A-Za-z0-9+/=]+")?,"v":[0-9]+\}\Z')
_BEFORE_SEALED: Final = len('"subject":""}') + 36


def _reader(event_type: type[DomainEvent]) -> _Reader:
    fields_of_body: dict[str, Any] = {"data": event_type, "meta": EventMetadata, "v": int}
    body: Any = TypedDict("body", fields_of_body)  # type: ignore[misc]
    adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(body)  # type: ignore[arg-type]
    ending = b',"v":%d}' % event_type.schema_version
    reads = adapter.validator
    _readers[event_type] = _Reader(event_type, ending, reads.validate_json, reads.validate_python)
    return _readers[event_type]


def _place(stream: UUID, version: int, topic: str, schema_version: int) -> bytes:
    """Return what a sealed value is bound to. A retried append encodes anew, for the version it is then to have."""
    return b"%b/%d/%b/%d" % (stream.bytes, version, topic.encode(), schema_version)


def _sealed_end(body: bytes) -> re.Match[bytes] | None:
    at = body.rfind(b',"sealed":"')
    return _SEALED.match(body, at - _BEFORE_SEALED) if at >= _BEFORE_SEALED else None


def _opened(reader: _Reader, body: bytes, sealed: re.Match[bytes], place: bytes, keys: Keys | None) -> dict[str, Any]:
    if keys is None:
        raise no_master_key()
    parsed, secret = orjson.loads(body), _secret(sealed, place, keys)
    if secret is not None:
        parsed["data"] |= secret["data"]
        if "provenance" in secret:
            parsed["meta"]["provenance"] = secret["provenance"]
    stored_version = parsed["v"]
    _bring_up(reader, parsed)
    if secret is None:
        parsed["data"] |= dict.fromkeys(_personal(reader.event_type), ERASED)
    return {**reader.accept(parsed), "v": stored_version}


def _secret(sealed: re.Match[bytes], place: bytes, keys: Keys) -> dict[str, Any] | None:
    key = keys[UUID(sealed[1].decode("ascii"))]
    if key is None:
        return None
    secret: dict[str, Any] = orjson.loads(key.open(base64.b64decode(sealed[2]), place))
    return secret


def _upcast(reader: _Reader, old: dict[str, Any]) -> dict[str, Any]:
    """Read a body of an earlier schema version."""
    stored_version = old["v"]
    _bring_up(reader, old)
    return {**reader.validate(orjson.dumps(old)), "v": stored_version}


def _bring_up(reader: _Reader, body: dict[str, Any]) -> None:
    """Bring the data of an earlier schema version up to date, a version at a time.

    That of an erased person comes without its personal fields.
    """
    if body["v"] > reader.event_type.schema_version:
        raise ValueError("written by a later release")
    for version in range(body["v"], reader.event_type.schema_version):
        body["data"] = UPCASTERS[reader.event_type.topic, version](body["data"])
