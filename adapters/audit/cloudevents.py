"""Stored events as CloudEvents 1.0: the envelope as attributes, the data as the very bytes that were stored.

`id` is the position and `source` the stream, together unique. `time` is when it happened, the extension `recordedtime`
when we learned it; `authid` and `authtype` say who did it. Attributes hold texts and integers only, so `provenance` is
JSON in a text: `{field: [[table, key, JSON pointer], …]}`. The schema version is the one the event was stored with.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

import orjson

from adapters.audit.verifier import OF_META, Attributes, attributes
from adapters.postgres.audit_log import StoredRow
from domain.errors import StoredEventUnreadable

_META: Final = b',"meta":{"actor":'
_VERSION: Final = b',"v":'
_KNOWN: Final = frozenset(OF_META)


def cloud_event(row: StoredRow) -> tuple[Attributes, bytes]:
    """Return attributes and data of a stored event; raises StoredEventUnreadable for a body not of our form."""
    body = row.body
    start, end = body.rfind(_META), body.rfind(_VERSION)
    try:
        meta_text, schema_version = body[start + 8 : end], int(body[end + len(_VERSION) : -1])
        meta = orjson.loads(meta_text)
        is_ours = (
            body.startswith(b'{"data":')
            and body[end:] == b"%b%d}" % (_VERSION, schema_version)
            and orjson.dumps(meta, option=orjson.OPT_SORT_KEYS) == meta_text
            and meta.keys() <= _KNOWN
        )
    except ValueError:
        is_ours = False
    if start < 0 or not is_ours:
        raise StoredEventUnreadable(f"position {row.position}: the stored body is not of the form that can be proven")
    stream = str(UUID(bytes=row.stream))
    found = attributes(stream, row.version, row.position, row.topic.decode(), meta, schema_version)
    return found, body[8:start]
