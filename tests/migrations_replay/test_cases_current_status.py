"""The mapping of the cases system, K8 to K10 of `docs/legacy/cases.md`: the current status of a case."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from domain.event import UNKNOWN_AUTHOR
from migrations_replay.leaves import CONFLICTING, MAPPED, NORMALISED
from tests.support.legacy_cases import STATUSES, case_of, history, ms, status, when


def test_k8_the_active_row_gives_the_current_status() -> None:
    told = case_of(status("s1", "rnm", 5, active=True), status("s2", "deferido", 3), history("h1", "em_tramite", 2))
    assert [name for name, _ in told.statuses] == ["em_tramite", "deferido", "rnm"]
    assert (told.case["status"], told.case["status_since"], told.case["status_entry"]) == ("rnm", when(5), 4)
    assert [row["is_active"] for row in told.entries] == [False, False, True]
    assert [row["active_to"] for row in told.entries] == [when(3), when(5), None]
    assert (told.codes, told.conflicts) == ([], {})


def test_k8_of_several_active_rows_the_latest_change_wins_then_the_greater_id() -> None:
    rows = [
        status("s3", "em_tramite", 2, active=True),
        status("s1", "deferido", 5, active=True),
        status("s2", "rnm", 5, active=True),
    ]
    for arranged in permutations(rows):
        told = case_of(*arranged)
        assert told.case["status"] == "rnm"
        assert sum(row["is_active"] for row in told.entries) == 1
        assert told.conflicts == {"s2/isActive": (["s2", "s1", "s3"], "s2", "latest_change")}
        assert [finding for finding in told.findings if finding[2] == "several_active"] == [
            ("s1", "isActive", "several_active", True),
            ("s3", "isActive", "several_active", True),
        ]
        assert [told.class_of(STATUSES, key, "/isActive") for key in ("s1", "s2", "s3")] == [
            *(CONFLICTING, MAPPED, CONFLICTING)
        ]


def test_k8_of_active_rows_at_one_time_one_that_comes_later_in_order_is_superseded_too() -> None:
    told = case_of(status("s1", "deferido", 5, active=True, _creationTime=ms(9)), status("s2", "rnm", 5, active=True))
    assert [(row["status"], row["is_active"], row["superseded_by"]) for row in told.entries] == [
        ("rnm", True, None),
        ("deferido", False, 2),
    ]
    assert ("s1", "changedAt", "disagrees") in told.codes


def test_k8_several_active_rows_of_one_change() -> None:
    told = case_of(status("s1", "rnm", 5, active=True), status("s2", "rnm", 5, active=True))
    assert told.statuses == [("rnm", when(5))]
    assert told.case["status"] == "rnm"
    assert ("s1", "isActive", "several_active") in told.codes
    assert told.class_of(STATUSES, "s1", "/isActive") == CONFLICTING


def test_k8_without_status_rows_the_latest_history_row_tells() -> None:
    told = case_of(history("h2", "rnm", 5), history("h1", "deferido", 3), status="RNM")
    assert (told.case["status"], told.case["status_entry"]) == ("rnm", 3)
    assert told.class_of("individualProcesses", "p1", "/status") == NORMALISED
    assert told.codes == []


def test_k8_entries_later_than_the_active_row_are_superseded_by_it() -> None:
    told = case_of(
        status("s1", "rnm", 4, active=True),
        status("s2", "deferido", 6),
        history("h1", "em_tramite", 7),
    )
    assert told.case["status"] == "rnm"
    assert [(row["status"], row["superseded"], row["superseded_by"]) for row in told.entries] == [
        ("rnm", False, None),
        ("deferido", True, 2),
        ("em_tramite", True, 2),
    ]
    assert told.entries[0]["active_to"] is None
    found = [finding for finding in told.findings if finding[2] == "disagrees"]
    assert found == [("h1", "changedAt", "disagrees", ms(7)), ("s2", "changedAt", "disagrees", ms(6))]
    assert told.class_of(STATUSES, "s2", "/isActive") == MAPPED
    assert set(told.state.timeline.superseded) == {3, 4}


def test_k9_status_rows_of_which_none_is_active_end_in_nobody_knows() -> None:
    told = case_of(status("s1", "rnm", 4), history("h1", "deferido", 2), status="rnm", updatedAt=ms(9))
    assert told.statuses == [("deferido", when(2)), ("rnm", when(4)), (None, when(9))]
    assert told.case["status"] is None
    assert told.findings == [("p1", "status", "undetermined_status", "rnm")]
    assert told.conflicts == {"p1/status": ([None, "rnm"], None, "status_rank")}
    assert told.class_of("individualProcesses", "p1", "/status") == CONFLICTING
    assert told.entries[-1]["changed_by"] == UNKNOWN_AUTHOR
    assert not any(row["is_active"] for row in told.entries)
    assert told.state.timeline.active is None


@pytest.mark.parametrize("updated", [ms(3), None, "soon"])
def test_k9_nobody_knows_not_before_the_last_entry(updated: Any) -> None:
    assert case_of(status("s1", "rnm", 4), updatedAt=updated).statuses == [("rnm", when(4)), (None, when(4))]


def test_k9_nothing_anywhere() -> None:
    told = case_of()
    assert (told.entries, told.case["status"]) == ([], None)
    assert told.findings == [("p1", "status", "undetermined_status", None)]


@pytest.mark.parametrize("field", [None, "", 5, ["rnm"]])
def test_k9_a_field_that_says_nothing(field: Any) -> None:
    told = case_of(status=field)
    assert ("p1", "status", "undetermined_status", None) in told.findings
    assert told.entries == []


def test_k10_the_field_alone_is_one_entry() -> None:
    told = case_of(status="Em trâmite")
    assert told.statuses == [("em_tramite", when(20))]
    assert told.entries[0]["changed_by"] == UNKNOWN_AUTHOR
    assert told.findings == [
        ("p1", "status", "assumed_author", None),
        ("p1", "status", "assumed_time", when(20)),
    ]
    assert told.class_of("individualProcesses", "p1", "/status") == NORMALISED
    assert (told.case["status"], told.conflicts) == ("em_tramite", {})
    assert case_of(status="rnm", updatedAt=None).statuses == [("rnm", when(1))]


@pytest.mark.parametrize(
    ("current", "field", "leaf", "conflict"),
    [
        ("em_tramite", "em_tramite", MAPPED, None),
        ("em_tramite", "Em trâmite", NORMALISED, None),
        ("Em trâmite", "em_tramite", MAPPED, None),
        ("em_tramite", "deferido", CONFLICTING, "deferido"),
        ("completed", "deferido", CONFLICTING, "deferido"),
        ("em_tramite", "Em análise", CONFLICTING, "Em análise"),
        ("em_tramite", None, NORMALISED, None),
    ],
)
def test_k10_the_field_is_compared_with_the_current_status(current: str, field: Any, leaf: str, conflict: Any) -> None:
    told = case_of(status("s1", current, 3, active=True), status=field)
    assert told.class_of("individualProcesses", "p1", "/status") == leaf
    ours = told.case["status"]
    expected = {"p1/status": ([ours, conflict], ours, "status_rank")} if conflict else {}
    assert told.conflicts == expected
    assert told.case["conflicts"] == ({"status": [ours, conflict]} if conflict else {})
