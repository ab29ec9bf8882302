"""The arithmetic of the benchmarks; no time is asserted."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.__main__ import keep
from benchmarks.harness import Latency, Pair, Result, summarise

PAIRS = [Pair(300, 100), Pair(200, 100), Pair(900, 100), Pair(100, 200), Pair(400, 100)]


def result(name: str, gate: float | None = 3.0) -> Result:
    return summarise(name, "events/s", "copy", gate, PAIRS)


def test_a_ratio_is_ours_over_the_baseline_and_higher_is_better() -> None:
    assert Pair(ours=300, baseline=100).ratio == 3.0


def test_the_ratio_is_the_median_of_the_paired_ratios() -> None:
    found = result("bulk.x")
    assert (found.value, found.baseline_value, found.ratio, found.spread) == (300, 100, 3.0, (0.5, 9.0))


def test_a_gate_is_met_when_the_ratio_reaches_it() -> None:
    assert result("bulk.x", gate=3.0).met
    assert result("bulk.x", gate=None).met
    assert not result("bulk.x", gate=3.1).met


def test_a_latency_names_the_middle_and_the_slowest_but_one_in_a_hundred() -> None:
    assert Latency.of([number / 1000 for number in range(200, 0, -1)]) == (100, 198)
    assert Latency.of([0.005]) == (5, 5)


def test_a_group_replaces_its_own_results_and_leaves_the_others(tmp_path: Path) -> None:
    file = tmp_path / "latest.json"
    keep(file, "follow", [result("follow.x")])
    keep(file, "bulk", [result("bulk.old"), result("bulk.older")])
    keep(file, "bulk", [result("bulk.new", gate=None)])
    lines = json.loads(file.read_text())
    assert [line["name"] for line in lines] == ["bulk.new", "follow.x"]
    assert lines[0] == {
        "name": "bulk.new",
        "value": 300,
        "unit": "events/s",
        "baseline": "copy",
        "baseline_value": 100,
        "ratio": 3.0,
        "spread": [0.5, 9.0],
        "gate": None,
    }
