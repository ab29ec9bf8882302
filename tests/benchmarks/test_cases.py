"""What the benchmark of reading cases asks, on few of them; no time is asserted."""

from __future__ import annotations

import pytest

from adapters.bootstrap import Application
from benchmarks.cases import CHANGES, World, results
from benchmarks.harness import Latency
from projections import cases, status_history
from tests.support.case_world import OPERATOR


def test_the_read_models_hold_what_the_events_say(app: Application) -> None:
    world = World(app)
    world.fill(200)
    rows = app.reads.fetch(cases.MODEL)
    assert len(rows) == 200
    assert len(app.reads.fetch(status_history.MODEL)) == 200 * CHANGES
    for row in rows[:20]:
        entries = app.cases(OPERATOR).timeline(row["case_id"])
        assert [entry["entry"] for entry in entries] == list(range(2, CHANGES + 2))
        assert [entry["status"] for entry in entries if entry["is_active"]] == [row["status"]]


def test_each_kind_of_query_finds_something(app: Application) -> None:
    world = World(app)
    world.fill(300)
    for kind in world.kinds:
        answers = [query() for query in world.queries(kind, 100)]
        assert any(answers), kind


def test_a_latency_is_told_as_a_rate_against_the_limit() -> None:
    slow, middle = results("timeline", [Latency(1.0, 4.0), Latency(2.0, 5.0), Latency(1.0, 400.0)])
    assert (slow.name, slow.value, slow.baseline_value) == ("cases.timeline_p99", 200, 5)
    assert (slow.ratio, slow.spread, slow.gate) == (40, (0.5, 50), 1)
    assert (middle.name, middle.value) == ("cases.timeline_p50", 1000)
    assert middle.gate is None


@pytest.mark.parametrize(("p99", "met"), [(200.0, True), (201.0, False)])
def test_the_gate_is_the_limit_of_the_plan(p99: float, *, met: bool) -> None:
    assert results("timeline", [Latency(1.0, p99)])[0].met is met
