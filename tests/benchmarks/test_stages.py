"""The arithmetic of stages: each is told without what it calls, whatever thread it is in."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmarks import stages
from benchmarks.stages import SUBJECTS, Clock, Stage


class Work:
    """Functions that take a second each by the clock, and half of it of the processor."""

    now = 0.0

    def outer(self) -> str:
        self.inner()
        Work.now += 1
        self.inner()
        return "done"

    def inner(self) -> None:
        Work.now += 1


def test_a_stage_is_told_without_those_it_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "perf_counter", lambda: Work.now)
    monkeypatch.setattr(time, "thread_time", lambda: Work.now / 2)
    clock, original = Clock(), Work.inner
    with clock.over([Stage("read: all", Work, "outer"), Stage(": one", Work, "inner")]):
        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(Work().outer).result() == "done"
        Work().inner()
    assert {name: (spent.calls, spent.wall, spent.cpu) for name, spent in clock.spent.items()} == {
        "read: all": (1, 1, 0.5), "read: one": (2, 2, 1), "other: one": (1, 1, 0.5),
    }  # fmt: skip
    assert Work.inner is original


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_stage_is_a_function_there_is(name: str) -> None:
    assert all(callable(getattr(stage.owner, stage.function)) for stage in stages.SUBJECTS[name].stages)
