"""The shape of an aggregate: an initial state and two pure functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar
from uuid import UUID

from domain.command import Command, Participant
from domain.event import DomainEvent
from domain.legacy import ImportWithdrawn

S = TypeVar("S")


@dataclass(frozen=True)
class Decider(Generic[S]):
    """An aggregate: `decide(state, command)` says what events happen, `evolve(state, event)` what is true after one.

    `owner(state)` is the account the record belongs to, as far as the state knows. `members(state)` are further
    accounts that may read it, `parent(state)` the record whose readers may read it too. `needs(state, command)` names
    records that have no say in a command but must be looked at, `informed(state, others)` is the state with theirs,
    by stream.
    """

    name: str
    initial: S
    decide: Callable[[S, Command], list[DomainEvent]]
    evolve: Callable[[S, Any], S]
    owner: Callable[[S], UUID | None]
    members: Callable[[S], frozenset[UUID]] = lambda _: frozenset()
    parent: Callable[[S], Participant | None] = lambda _: None
    needs: Callable[[S, Command], tuple[Participant, ...]] = lambda _, __: ()
    informed: Callable[[S, Mapping[UUID, Any]], S] = lambda state, _: state

    def fold(self, events: Iterable[Any], state: S | None = None) -> S:
        """Return the state after the events, oldest first; a withdrawn import leaves the initial one."""
        state = self.initial if state is None else state
        for event in events:
            state = self._anew(state) if isinstance(event, ImportWithdrawn) else self.evolve(state, event)
        return state

    def _anew(self, state: Any) -> S:
        """Return the initial state; one that counts the events of its stream goes on counting."""
        counted: int | None = getattr(state, "version", None)
        return self.initial if counted is None else replace(self.initial, version=counted + 1)  # type: ignore[type-var]
