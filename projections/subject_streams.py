"""Which streams hold something about which person: what a report on them reads, and what an erasure folds anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from domain import legacy, service
from domain.event import EVENT_TYPES, Recorded
from projections.read_model import Key, ReadModel, Row, Rows

REGISTERED: Final = (legacy, service)
"""Importing them registers the events of all records."""


def _touches(recorded: Recorded) -> Iterable[Key]:
    subject = recorded.metadata.subject
    return () if subject is None else ((recorded.stream, subject),)


def _evolve(rows: Rows, recorded: Recorded) -> Mapping[Key, Row]:
    return {
        (stream, subject): rows.get((stream, subject)) or {"stream_id": stream, "subject": subject}
        for stream, subject in _touches(recorded)
    }


MODEL: Final = ReadModel("subject_streams", 1, ("stream_id", "subject"), frozenset(EVENT_TYPES), _touches, _evolve)
