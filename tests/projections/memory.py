"""The ports of following and rebuilding in memory, so that the loops can be tested without a database."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from uuid import UUID

from domain.errors import RowsRefused
from projections.dead_letters import DeadLetter
from projections.read_model import Key, ReadModel, Row


class MemoryReadStore:
    """`refuses` tells of a row whether its table has a constraint against it."""

    def __init__(self, models: Sequence[ReadModel], refuses: Callable[[Row], bool] = lambda _: False) -> None:
        self.rows: dict[str, dict[Key, Row]] = {model.name: {} for model in models}
        self.reached = {model.name: 0 for model in models}
        self.letters: dict[tuple[str, UUID], DeadLetter] = {}
        self._refuses = refuses

    def positions(self, models: Sequence[ReadModel]) -> dict[str, int]:
        return {model.name: self.reached[model.name] for model in models}

    @contextmanager
    def batch(self) -> Iterator[MemoryReadStore]:
        with self._undone():
            yield self

    @contextmanager
    def attempt(self) -> Iterator[None]:
        with self._undone():
            yield
            if any(self._refuses(row) for rows in self.rows.values() for row in rows.values()):
                raise RowsRefused("a constraint")

    @contextmanager
    def _undone(self) -> Iterator[None]:
        before = {name: dict(rows) for name, rows in self.rows.items()}, dict(self.reached), dict(self.letters)
        try:
            yield
        except BaseException:
            self.rows, self.reached, self.letters = before
            raise

    def load(self, model: ReadModel, keys: Collection[Key]) -> dict[Key, Row]:
        rows = self.rows[model.name]
        return deepcopy({key: rows[key] for key in keys if key in rows})

    def delete(self, model: ReadModel, streams: Collection[UUID]) -> None:
        rows = self.rows[model.name]
        for key in [key for key in rows if key[0] in streams]:
            del rows[key]

    def save(self, model: ReadModel, rows: Mapping[Key, Row | None], existing: Collection[Key]) -> None:
        for key in existing:
            del self.rows[model.name][key]
        for key, row in rows.items():
            assert key not in self.rows[model.name]
            if row is not None:
                self.rows[model.name][key] = deepcopy(row)

    def halted(self, streams: Collection[UUID]) -> set[tuple[str, UUID]]:
        return {(name, stream) for name, stream in self.letters if stream in streams}

    def set_aside(self, letters: Collection[DeadLetter]) -> None:
        self.letters |= {(letter.read_model, letter.stream): letter for letter in letters}

    def heal(self, model: ReadModel, streams: Collection[UUID]) -> None:
        for stream in streams:
            self.letters.pop((model.name, stream), None)

    def advance(self, models: Sequence[ReadModel], position: int) -> None:
        self.reached |= {model.name: position for model in models}
