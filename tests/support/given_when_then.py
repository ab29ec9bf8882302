"""Tests of a decider as sentences: `given(ACCOUNT, registered).when(command).then(event)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pytest

from domain.command import Command
from domain.decider import Decider
from domain.errors import DossierError
from domain.event import DomainEvent

S = TypeVar("S")


@dataclass(frozen=True)
class Decision(Generic[S]):
    """A command about to be decided on: exactly one of `then`, `nothing` and `raises` says how it ends."""

    decider: Decider[S]
    state: S
    decide: Callable[[], list[DomainEvent]]

    def then(self, *expected: DomainEvent) -> S:
        """These events happen, in this order; return the state after them."""
        decided = self.decide()
        assert decided == list(expected)
        assert [type(event) for event in decided] == [type(event) for event in expected]
        return self.decider.fold(decided, self.state)

    def nothing(self) -> None:
        """The command is fine and changes nothing."""
        assert self.decide() == []

    def raises(self, error: type[DossierError], *, field: str | None) -> DossierError:
        """The command is refused with exactly this error, which names this field."""
        with pytest.raises(DossierError) as refused:
            self.decide()
        assert (type(refused.value), refused.value.field) == (error, field), refused.value
        assert refused.value.message
        return refused.value


@dataclass(frozen=True)
class Given(Generic[S]):
    """A record with a past."""

    decider: Decider[S]
    state: S

    def when(self, command: Command) -> Decision[S]:
        """Issue a command."""
        return Decision(self.decider, self.state, lambda: self.decider.decide(self.state, command))


def given(decider: Decider[S], *past: Any) -> Given[S]:
    """Begin a sentence with the events that have happened, oldest first."""
    return Given(decider, decider.fold(past))
