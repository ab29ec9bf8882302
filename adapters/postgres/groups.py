"""Groups: what several threads want of the server at the same moment is carried out by one of them, in one call.

So requests to append are committed together, and streams are read together. Whoever comes while nobody is at work
leads: its request is carried out at once, by its own thread. Who comes meanwhile waits, and is served with all others
who wait, by the next leader. So there is no thread of its own, and no wait when idle.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence, Sized
from dataclasses import dataclass, field, replace
from typing import Final, Generic, Protocol, TypeVar

GROUP_EVENTS: Final = 500
GROUP_BYTES: Final = 1 << 20
PATIENCE: Final = 1.0
"""Seconds after which one who waits looks whether there still is somebody who leads."""


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


C = TypeVar("C", bound=Sized)


@dataclass(frozen=True)
class Asked(Generic[C]):
    """A request to read something of each of these; there is nothing to send whose bytes would count."""

    of: C
    size: int = 0

    @property
    def events(self) -> int:
        """How many they are."""
        return len(self.of)


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
    """A thread with its request. It sleeps until it has an answer, is left in doubt about its group, or is to lead.

    `taken_by` leads the group its request went in; `gone` says that the thread asks for nothing any more.
    """

    request: Q
    group: Group[Q] | None = None
    taken_by: _Waiter[Q, A] | None = None
    answer: A | Exception | None = None
    gone: bool = False
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
        self._leader: _Waiter[Q, A] | None = None
        self.counters = Counters()

    def submit(self, request: Q) -> A:
        """Have a request carried out and return its answer, or raise its error."""
        waiter: _Waiter[Q, A] = _Waiter(request)
        try:
            with self._mutex:
                self._waiting.append(waiter)
                first = self._leader is None
                if first:
                    self._leader = waiter
            if not first:
                self._sleep(waiter)
            if self._leader is waiter:
                self._lead(waiter)
        finally:
            waiter.gone = True
            if self._leader is waiter or waiter.answer is None:
                self._leave(waiter)
        if waiter.answer is None:
            assert waiter.group is not None
            (waiter.answer,) = self._settle(replace(waiter.group, requests=[request]))
        if isinstance(waiter.answer, Exception):
            raise waiter.answer
        return waiter.answer

    def _sleep(self, waiter: _Waiter[Q, A]) -> None:
        """Sleep until woken, and not for ever: whoever was to wake us may have been interrupted on the way to it."""
        while not waiter.asleep.acquire(timeout=PATIENCE):
            with self._mutex:
                if self._leader is None or self._leader.gone:
                    self._hand_over()
                left = waiter.taken_by and waiter.taken_by.gone and waiter not in self._waiting
                if left or self._leader is waiter:
                    return

    def _lead(self, leader: _Waiter[Q, A]) -> None:
        """Carry out the next group, which is the leader's own; wake the next leader, then the threads of this group."""
        members, group = self._next(leader)
        answers: Sequence[A | Exception | None] = [None] * len(members)
        try:
            answers = self._carry_out(group)
        except Exception as error:  # noqa: BLE001 – each request settles what became of it, by itself
            group.cause = error
        finally:
            for member, answer in zip(members, answers, strict=True):
                member.answer = answer
            self._leave(leader)  # first, so that the server works while the others wake
            for member in members:
                if member is not leader:
                    member.asleep.release()

    def _next(self, leader: _Waiter[Q, A]) -> tuple[list[_Waiter[Q, A]], Group[Q]]:
        """Take the requests of the next group off the line: as many as the bounds allow, and at least one."""
        members: list[_Waiter[Q, A]] = []
        requests: list[Q] = []
        group = Group(requests)
        count = size = 0
        with self._mutex:
            while self._waiting:
                member = self._waiting[0]
                count, size = count + member.request.events, size + member.request.size
                if members and (count > GROUP_EVENTS or size > GROUP_BYTES):
                    break
                member.group, member.taken_by = group, leader  # before it is off the line: one of both always holds
                members.append(self._waiting.popleft())
                requests.append(member.request)
            self.counters.take(len(members))
        return members, group

    def _leave(self, waiter: _Waiter[Q, A]) -> None:
        """Take a thread out: it waits no more, and if it leads the first who waits does from now on."""
        with self._mutex:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            if self._leader is waiter:
                self._hand_over()

    def _hand_over(self) -> None:
        """Let the first who waits lead, and wake it; nobody leads where nobody waits."""
        while self._waiting and self._waiting[0].gone:
            self._waiting.popleft()
        self._leader = self._waiting[0] if self._waiting else None
        if self._leader is not None:
            self._leader.asleep.release()
