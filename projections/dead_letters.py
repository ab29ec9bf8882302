"""Events a read model could not take in: what is noted of them, and which of them it was told to leave out.

Such an event halts its own stream in that read model and nothing else. No value of it is noted: an error of ours says
what it says, of any other only its type and where it was raised.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from domain.errors import DossierError
from domain.event import Recorded
from domain.projection import EventRestored, EventSkipped
from projections.read_model import HoleInLog, ReadModel


class DeadLetter(NamedTuple):
    """The event that halts a stream in a read model, and why."""

    read_model: str
    stream: UUID
    version: int
    position: int
    topic: str
    error: str


class DeadLetters:
    """Collects what halts streams in one read model."""

    def __init__(self, model: ReadModel) -> None:
        self.streams: set[UUID] = set()
        self.letters: list[DeadLetter] = []
        self._model = model

    def halt(self, recorded: Recorded, error: Exception) -> None:
        """Note an event that could not be folded, or whose rows the table refused."""
        self.streams.add(recorded.stream)
        self.letters.append(
            DeadLetter(
                self._model.name,
                recorded.stream,
                recorded.version,
                recorded.position,
                recorded.topic,
                without_values(error),
            )
        )


def without_values(error: Exception) -> str:
    """Return what can be told of an error without telling a value of the event."""
    if isinstance(error, (DossierError, HoleInLog)):
        return f"{type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


class Skips:
    """The events a read model leaves out, as its decisions up to a position say."""

    def __init__(self, decisions: Iterable[Recorded], upto: int) -> None:
        self._skipped: dict[tuple[UUID, int], int] = {}
        for decision in decisions:
            if decision.position <= upto:
                self._take(decision)

    def _take(self, decision: Recorded) -> None:
        match decision.event:
            case EventSkipped(stream=stream, version=version):
                self._skipped[stream, version] = decision.position
            case EventRestored(stream=stream, version=version):
                self._skipped.pop((stream, version), None)

    def leave_out(self, recorded: Recorded) -> bool:
        """Tell whether the event is left out; a decision only ever concerns what came before it."""
        return self._skipped.get((recorded.stream, recorded.version), 0) > recorded.position

    def __bool__(self) -> bool:
        return bool(self._skipped)
