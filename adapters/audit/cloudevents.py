"""Stored events as CloudEvents 1.0: the envelope as attributes, the data as the very bytes that were stored.

`id` is the position and `source` the stream, together unique. `time` is when it happened, the extension `recordedtime`
when we learned it; `authid` and `authtype` say who did it. Attributes hold texts and integers only, so `provenance` is
JSON in a text: `{field: [[table, key, JSON pointer], …]}`. The schema version is the one the event was stored with.
Of a sealed event `data` is what is not personal, `sealed` the sealed value, `personal` what it opens to, or erased.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import orjson

from adapters.audit.verifier import OF_META, Attributes, attributes, stored_body
from adapters.postgres.audit_log import StoredRow
from adapters.postgres.mapper import Keys, canonical_json, secret_of
from domain.errors import StoredEventUnreadable
from domain.event import ERASED, EVENT_TYPES, personal_fields

_META: Final = b',"meta":{"actor":'
_SEALED: Final = b',"sealed":"'
_VERSION: Final = b',"v":'
_KNOWN: Final = frozenset(OF_META)


def cloud_event(row: StoredRow, keys: Keys | None = None) -> tuple[Attributes, bytes]:
    """Return attributes and data of a stored event; raises StoredEventUnreadable for a body not of our form.

    `keys` open what is sealed; without them it stays sealed.
    """
    body = row.body
    start, end = body.rfind(_META), body.rfind(_VERSION)
    at = body.find(_SEALED, start, end)
    data, meta_text = body[8:start], body[start + 8 : end if at < 0 else at]
    sealed = "" if at < 0 else body[at + len(_SEALED) : end - 1].decode("ascii", "replace")
    try:
        schema_version, meta = int(body[end + len(_VERSION) : -1]), orjson.loads(meta_text)
        is_ours = (
            start > 0
            and meta.keys() <= _KNOWN
            and orjson.dumps(meta, option=orjson.OPT_SORT_KEYS) == meta_text
            and stored_body(data, meta_text, sealed, schema_version) == body
        )
        stream, topic = UUID(bytes=row.stream), row.topic.decode()
        if is_ours:
            found = attributes(str(stream), row.version, row.position, topic, meta, schema_version)
            if sealed:
                found |= {"sealed": sealed} | _opened(stream, topic, row, keys)
            return found, data
    except (ValueError, LookupError):
        pass
    raise StoredEventUnreadable(f"position {row.position}: the stored body is not of the form that can be proven")


def _opened(stream: UUID, topic: str, row: StoredRow, keys: Keys | None) -> dict[str, str]:
    """Return what a sealed value opens to, as JSON in texts."""
    if keys is None:
        return {}
    secret = secret_of(stream, row.version, topic, row.body, keys)
    if secret is None:
        names = personal_fields(EVENT_TYPES[topic]) if topic in EVENT_TYPES else ()
        return {"personal": canonical_json(dict.fromkeys(names, ERASED)).decode()}
    found: dict[str, Any] = {"personal": secret["data"]}
    if "provenance" in secret:
        found = {"provenance": secret["provenance"], **found}
    return {name: canonical_json(value).decode() for name, value in found.items()}
