"""What the benchmark of choreographers asks: both sides give the same answers; no time is asserted."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.bootstrap import Application
from benchmarks import choreographers
from benchmarks.choreographers import GATES, People


def _who(kind: str, answer: Any) -> list[Any]:
    match kind:
        case "with_profile" | "own_with_profile":
            return [answer[0]["account_id"]] if isinstance(answer, tuple) else [answer[0]["user_id"]]
        case "search":
            return [found.row["account_id"] if hasattr(found, "row") else found["user_id"] for found in answer]
        case _:
            return [row.get("account_id") or row["user_id"] for row in answer]


def test_both_sides_find_the_same_people(app: Application, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choreographers, "WARMING", 1)
    monkeypatch.setattr(choreographers, "QUERIES", 20)
    people = People(app, 2_000)
    for kind in GATES:
        ours, theirs = (people.queries(kind, side) for side in (people.ours, people.one_table))
        answers = [(_who(kind, mine()), _who(kind, other())) for mine, other in zip(ours, theirs, strict=True)]
        if kind == "page":  # in the order of other ids: of profiles here, of users there
            assert all(len(mine) == len(other) or min(len(mine), len(other)) < 50 for mine, other in answers)
        else:
            assert all(sorted(mine) == sorted(other) for mine, other in answers)
        assert any(mine for mine, _ in answers), kind
