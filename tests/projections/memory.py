"""The ports of following and rebuilding in memory, so that the loops can be tested without a database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy

from projections.read_model import Key, ReadModel, Row


class MemoryReadStore:
    def __init__(self, models: Sequence[ReadModel]) -> None:
        self.rows: dict[str, dict[Key, Row]] = {model.name: {} for model in models}
        self.reached = {model.name: 0 for model in models}

    def positions(self, models: Sequence[ReadModel]) -> dict[str, int]:
        return {model.name: self.reached[model.name] for model in models}

    @contextmanager
    def batch(self) -> Iterator[MemoryReadStore]:
        before = deepcopy(self.rows), dict(self.reached)
        try:
            yield self
        except BaseException:
            self.rows, self.reached = before
            raise

    def load(self, model: ReadModel, keys: Collection[Key]) -> dict[Key, Row]:
        rows = self.rows[model.name]
        return deepcopy({key: rows[key] for key in keys if key in rows})

    def save(self, model: ReadModel, rows: Mapping[Key, Row | None], existing: Collection[Key]) -> None:
        for key in existing:
            del self.rows[model.name][key]
        for key, row in rows.items():
            assert key not in self.rows[model.name]
            if row is not None:
                self.rows[model.name][key] = deepcopy(row)

    def advance(self, models: Sequence[ReadModel], position: int) -> None:
        self.reached |= {model.name: position for model in models}
