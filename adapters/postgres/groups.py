"""Groups: what several threads want of the server at the same moment is carried out by one of them, in one call.

So requests to append are committed together, and streams are read together. Whoever comes while nobody is at work
leads: its request is carried out at once, by its own thread. Who comes meanwhile waits, and is served with all others
who wait, by the next leader. So there is no thread of its own, and no wait when idle.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Generic, Protocol, TypeVar

GROUP_EVENTS: Final = 500
GROUP_BYTES: Final = 1 << 20


class Request(Protocol):
    """What waits to be carried out."""

    @property
    def events(self) -> int:
        """How many events it holds, or streams it asks for."""
        ...

    @property
    def size(self) -> int:
        """How many bytes they are."""
        ...


Q = TypeVar("Q", bound=Request)
A = TypeVar("A")


@dataclass
class Group(Generic[Q]):
    """Requests that go together; the server process at work on them, and why nobody knows what it did."""

    requests: Sequence[Q]
    backend: int = 0
    cause: BaseException | None = None


@dataclass(eq=False)
class _Waiter(Generic[Q, A]):
    """A thread with its request: it sleeps until it has an answer, is left in doubt about its group, or is to lead."""

    request: Q
    leads: bool = False
    group: Group[Q] | None = None
    answer: A | Exception | None = None
    asleep: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.asleep.acquire()


@dataclass
class Counters:
    """How many requests went in how many groups, and how many were in the largest."""

    groups: int = 0
    requests: int = 0
    largest: int = 0

    def take(self, requests: int) -> None:
        """Count a group."""
        self.groups += 1
        self.requests += requests
        self.largest = max(self.largest, requests)


class Groups(Generic[Q, A]):
    """Carries out requests in groups, in the order they come in, bounded in events and bytes.

    `carry_out` returns an answer, or the error to raise, for each request of a group. Where it raises instead, because
    the leader's thread is being ended for instance, `settle` finds out for each request what became of it.
    """

    def __init__(
        self,
        carry_out: Callable[[Group[Q]], Sequence[A | Exception]],
        settle: Callable[[Group[Q]], Sequence[A | Exception]],
    ) -> None:
        self._carry_out, self._settle = carry_out, settle
        self._mutex = threading.Lock()
        self._waiting: deque[_Waiter[Q, A]] = deque()
        self._led = False
        self.counters = Counters()

    def submit(self, request: Q) -> A:
        """Have a request carried out and return its answer, or raise its error."""
        waiter: _Waiter[Q, A] = _Waiter(request)
        try:
            with self._mutex:
                self._waiting.append(waiter)
                if not self._led:
                    self._led = waiter.leads = True
            if not waiter.leads:
                waiter.asleep.acquire()
            if waiter.leads:
                self._lead(waiter)
        finally:
            if waiter.leads or waiter.group is None:
                self._leave(waiter)
        if waiter.answer is None:
            assert waiter.group is not None
            (waiter.answer,) = self._settle(replace(waiter.group, requests=[request]))
        if isinstance(waiter.answer, Exception):
            raise waiter.answer
        return waiter.answer

    def _lead(self, leader: _Waiter[Q, A]) -> None:
        """Carry out the next group, which is the leader's own; wake the next leader, then the threads of this group."""
        members = self._next()
        group = Group([member.request for member in members])
        answers: Sequence[A | Exception | None] = [None] * len(members)
        try:
            answers = self._carry_out(group)
        except Exception as error:  # noqa: BLE001 – each request settles what became of it, by itself
            group.cause = error
        finally:
            for member, answer in zip(members, answers, strict=True):
                member.answer, member.group = answer, group
            self._leave(leader)  # first, so that the server works while the others wake
            for member in members:
                member.asleep.release()

    def _next(self) -> list[_Waiter[Q, A]]:
        """Take the requests of the next group off the line: as many as the bounds allow, and at least one."""
        members: list[_Waiter[Q, A]] = []
        count = size = 0
        with self._mutex:
            while self._waiting:
                request = self._waiting[0].request
                count, size = count + request.events, size + request.size
                if members and (count > GROUP_EVENTS or size > GROUP_BYTES):
                    break
                members.append(self._waiting.popleft())
            self.counters.take(len(members))
        return members

    def _leave(self, waiter: _Waiter[Q, A]) -> None:
        """Take a thread out: it waits no more, and if it leads the first who waits does from now on."""
        with self._mutex:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            if not waiter.leads:
                return
            waiter.leads = False
            if self._waiting:
                self._waiting[0].leads = True
                self._waiting[0].asleep.release()
            else:
                self._led = False
