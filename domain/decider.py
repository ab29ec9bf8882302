"""The shape of an aggregate: an initial state and two pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Any, Generic, TypeVar

from domain.command import Command
from domain.event import DomainEvent

S = TypeVar("S")


@dataclass(frozen=True)
class Decider(Generic[S]):
    """An aggregate: `decide(state, command)` says what events happen, `evolve(state, event)` what is true after one.

    `owner(state)` is the account the record belongs to, as far as the state knows.
    """

    name: str
    initial: S
    decide: Callable[[S, Command], list[DomainEvent]]
    evolve: Callable[[S, Any], S]
    owner: Callable[[S], Any]

    def fold(self, events: Iterable[Any], state: S | None = None) -> S:
        """Return the state after the events, oldest first."""
        return reduce(self.evolve, events, self.initial if state is None else state)
