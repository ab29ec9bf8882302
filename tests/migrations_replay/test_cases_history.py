"""The mapping of the cases system, K4 to K7 and K11 of `docs/legacy/cases.md`: which entries its rows become."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from domain.event import UNKNOWN_AUTHOR
from migrations_replay.facts import NO_TIME
from migrations_replay.leaves import CONFLICTING, MAPPED, NORMALISED, leaves
from tests.support.legacy import NFC, NFD
from tests.support.legacy_cases import (
    AUTHOR,
    NO_TEXTS,
    STATUSES,
    Told,
    case_of,
    history,
    id_of,
    ms,
    person,
    process,
    status,
    when,
)

# --- K4, K5: rows that tell of one change -----------------------------------------------------------------------------


def test_k4_rows_of_one_status_at_one_time_are_one_entry() -> None:
    told = case_of(
        history("h1", "em_tramite", 2),
        history("h2", "Em trâmite", 3),
        status("s1", "Em trâmite", 3, active=True),
        status("s2", "em_tramite", 3),
    )
    assert told.statuses == [("em_tramite", when(2)), ("em_tramite", when(3))]
    assert told.case["status_entry"] == 3
    for key in ("s1", "s2"):
        assert set(told.classes(STATUSES, key).values()) == {MAPPED, NORMALISED}
    assert told.conflicts == {}


@pytest.mark.parametrize("moved", [{"changedAt": ms(3) + 1}, {"newStatus": "rnm"}])
def test_k4_another_time_or_status_is_another_entry(moved: dict[str, Any]) -> None:
    told = case_of(history("h1", "deferido", 3) | moved, status("s1", "deferido", 3, active=True))
    assert len(told.entries) == 2


def test_k4_rows_without_a_time_or_status_stand_alone() -> None:
    timeless = [status(key, "rnm", 3, active=key == "s2", changedAt=None) for key in ("s1", "s2")]
    assert [name for name, _ in case_of(*timeless).statuses] == ["rnm", "rnm"]
    nameless = [status(key, None, 3, active=key == "s2") for key in ("s1", "s2")]
    assert [name for name, _ in case_of(*nameless).statuses] == [None, None]


@pytest.mark.parametrize(
    ("rows", "order"),
    [
        ([("s1", False), ("h1", None), ("s2", True), ("s3", False)], ["h1", "s2", "s3", "s1"]),
        ([("s1", True), ("s9", False), ("s10", False)], ["s1", "s9", "s10"]),
        ([("h2", None), ("h1", None), ("s1", True)], ["h1", "h2", "s1"]),
    ],
)
def test_k4_history_rows_are_asked_first_then_the_active_row_then_the_greater_id(
    rows: list[Any], order: list[str]
) -> None:
    for arranged in permutations(rows):
        told = case_of(
            *(
                history(key, "rnm", 3, notes=key, _creationTime=ms(3))
                if active is None
                else status(key, "rnm", 3, active=active, notes=key)
                for key, active in arranged
            )
        )
        assert told.entries[0]["notes"] == order[0]
        assert told.conflicts[f"{order[0]}/notes"] == (order, order[0], "history_row")


def test_k4_of_history_rows_at_one_time_the_platforms_time_decides_then_the_id() -> None:
    early = history("h9", "rnm", 3, notes="early", _creationTime=ms(3))
    late = history("h1", "rnm", 3, notes="late", _creationTime=ms(3) + 1)
    assert case_of(late, early).entries[0]["notes"] == "early"
    late["_creationTime"] = early["_creationTime"]
    assert case_of(early, late).entries[0]["notes"] == "late"


def test_k5_equal_values_are_mapped_and_different_ones_conflicting() -> None:
    told = case_of(
        history("h1", "rnm", 3, notes=f" {NFD}", changedBy="a1"),
        status("s2", "rnm", 3, active=True, notes=NFC, changedBy="a2"),
        status("s1", "rnm", 3, notes="other", changedBy="a1"),
    )
    assert told.entries[0]["notes"] == NFC
    assert told.entries[0]["changed_by"] == AUTHOR
    assert told.class_of("processHistory", "h1", "/notes") == NORMALISED
    assert [told.class_of(STATUSES, key, "/notes") for key in ("s2", "s1")] == [MAPPED, CONFLICTING]
    assert [told.class_of(STATUSES, key, "/changedBy") for key in ("s2", "s1")] == [CONFLICTING, MAPPED]
    assert told.conflicts == {
        "h1/notes": ([NFC, "other"], NFC, "history_row"),
        "h1/changedBy": (["a1", "a2"], "a1", "history_row"),
    }
    assert [(event.field, event.rule) for event in told.events("case.conflict_recorded")] == [
        ("processHistory/h1/changedBy", "history_row"),
        ("processHistory/h1/notes", "history_row"),
    ]
    assert set(told.case["conflicts"]) == {"processHistory/h1/changedBy", "processHistory/h1/notes"}


def test_k5_the_first_row_that_has_it_set_gives_it() -> None:
    told = case_of(
        history("h1", "rnm", 3, notes=" ", changedBy=None),
        status("s1", "rnm", 3, active=True, notes="n", changedBy="a2"),
    )
    assert told.entries[0]["notes"] == "n"
    assert told.entries[0]["changed_by"] == str(id_of("account", "users", "a2"))
    assert (told.conflicts, told.codes) == ({}, [])
    assert told.class_of("processHistory", "h1", "/changedBy") == NORMALISED


def test_k5_the_rest_of_a_change() -> None:
    old = {
        "caseStatusId": "k1",
        "date": "2023-06-03",
        "fillableFields": ["a"],
        "filledFieldsData": {"douPage": "1", "x": 1},
    }
    new = {
        "caseStatusId": "k2",
        "date": "2023-06-02",
        "fillableFields": ["b"],
        "filledFieldsData": {"douPage": "2", "x": 1.0},
    }
    told = case_of(
        status("s2", "rnm", 3, active=True, **new),
        status("s1", "rnm", 3, **old),
        history("h1", "rnm", 3, metadata={"a": 1}, previousStatus="rnm", previousStatusId="s1", newStatusId="s2"),
        history("h2", "rnm", 3, metadata={"a": 2}, previousStatus="deferido", previousStatusId="s2", newStatusId="s1"),
    )
    assert {name: (values, chosen) for name, (values, chosen, _) in told.conflicts.items()} == {
        "h1/metadata": ([{"a": 1}, {"a": 2}], {"a": 1}),
        "h1/previousStatus": (["rnm", "deferido"], "rnm"),
        "h1/previousStatusId": (["s1", "s2"], "s1"),
        "h1/newStatusId": (["s2", "s1"], "s2"),
        "s2/caseStatusId": (["k2", "k1"], "k2"),
        "s2/date": (["2023-06-02", "2023-06-03"], "2023-06-02"),
        "s2/fillableFields": ([["b"], ["a"]], ["b"]),
        "s2/filledFieldsData/douPage": (["2", "1"], "2"),
    }
    entry = told.entries[-1]
    assert entry["filled"] == {"dou_page": "2", "x": 1}
    assert {name: entry["carried"][name] for name in ("case_status_id", "fillable_fields", "metadata")} == {
        "case_status_id": "k2",
        "fillable_fields": ["b"],
        "metadata": {"a": 1},
    }
    given_up = ("caseStatusId", "date", "fillableFields/0", "filledFieldsData/douPage")
    assert {told.class_of(STATUSES, "s1", f"/{name}") for name in given_up} == {CONFLICTING}
    assert {told.class_of(STATUSES, "s2", f"/{name}") for name in given_up} == {MAPPED}
    assert told.class_of("processHistory", "h2", "/metadata/a") == CONFLICTING
    assert told.class_of(STATUSES, "s1", "/filledFieldsData/x") == MAPPED


@pytest.mark.parametrize(("length", "code"), [(1000, []), (1001, [("s1", "notes", "outside_limit")])])
def test_k5_long_notes_are_kept(length: int, code: list[Any]) -> None:
    told = case_of(status("s1", "rnm", 2, active=True, notes="n" * length))
    assert (told.entries[0]["notes"], told.codes) == ("n" * length, code)


@pytest.mark.parametrize("value", NO_TEXTS)
def test_k5_notes_that_are_no_text_are_unreadable(value: Any) -> None:
    told = case_of(status("s1", "rnm", 2, active=True, notes=value))
    assert told.entries[0]["notes"] is None
    assert told.codes == [("s1", "notes", "unreadable")]


# --- K6: who did it ---------------------------------------------------------------------------------------------------


def _authors(changed_by: Any, **tables: Any) -> Told:
    return Told(
        individualProcesses=[process()],
        individualProcessStatuses=[status("s1", "rnm", 2, active=True, changedBy=changed_by)],
        **tables,
    )


@pytest.mark.parametrize(
    ("tables", "user"),
    [
        ({"userProfiles": [], "users": [{"_id": "a1"}]}, "a1"),
        ({"userProfiles": [person("up1", "a1")]}, "a1"),
        ({"userProfiles": [person("up1", None)]}, "up1"),
        ({"userProfiles": [person("up1", "a1")], "users": [{"_id": "a1"}]}, "a1"),
    ],
)
def test_k6_an_author_is_the_account_of_the_user(tables: dict[str, Any], user: str) -> None:
    told = _authors(user, **tables)
    assert told.entries[0]["changed_by"] == str(id_of("account", "users", user))
    assert told.class_of(STATUSES, "s1", "/changedBy") == MAPPED
    assert told.codes == []


def test_k6_the_author_of_an_entry_is_the_account_the_profile_became() -> None:
    for row, user in ((person("up1", "a1"), "a1"), (person("up1", None), "up1"), (person("up1", 7), "7")):
        entry = _authors(user, userProfiles=[row]).entries[0]
        account = Told("userProfiles", userProfiles=[row]).row("accounts")["account_id"]
        assert entry["changed_by"] == str(account)


@pytest.mark.parametrize("value", ["system", "up1", " a1", "A1", True, 1.5, ["a1"], {"id": "a1", "n": None}, "k" * 501])
def test_k6_any_other_author_is_unknown_and_a_finding(value: Any) -> None:
    told = _authors(value)
    assert told.entries[0]["changed_by"] == UNKNOWN_AUTHOR
    assert {told.class_of(STATUSES, "s1", pointer) for pointer, _ in leaves(value, "/changedBy")} == {NORMALISED}
    assert told.findings == [("s1", "changedBy", "assumed_author", value)]
    assert told.case["status"] == "rnm"


@pytest.mark.parametrize("value", [None, "", " ", [], {}])
def test_k6_an_unset_author_is_one_finding_of_the_first_row(value: Any) -> None:
    told = case_of(history("h1", "rnm", 3, changedBy=value), status("s1", "rnm", 3, active=True, changedBy=value))
    assert told.findings == [("h1", "changedBy", "assumed_author", None)]
    assert told.entries[0]["changed_by"] == UNKNOWN_AUTHOR


def test_k6_an_unknown_author_first_is_chosen_and_the_known_one_conflicts() -> None:
    told = case_of(history("h1", "rnm", 3, changedBy="system"), status("s1", "rnm", 3, active=True))
    assert told.entries[0]["changed_by"] == UNKNOWN_AUTHOR
    assert told.conflicts == {"h1/changedBy": ([UNKNOWN_AUTHOR, "a1"], UNKNOWN_AUTHOR, "history_row")}
    assert told.class_of(STATUSES, "s1", "/changedBy") == CONFLICTING


def test_k6_an_integer_author_is_normalised() -> None:
    told = _authors(7, userProfiles=[person("up1", "7")])
    assert told.entries[0]["changed_by"] == str(id_of("account", "users", "7"))
    assert told.class_of(STATUSES, "s1", "/changedBy") == NORMALISED


# --- K7: order --------------------------------------------------------------------------------------------------------


def test_k7_entries_are_ordered_by_change_then_platform_then_id() -> None:
    rows = [
        history("h3", "rnm", 2),
        history("h1", "deferido", 4, _creationTime=ms(4)),
        history("h2", "em_tramite", 4, _creationTime=ms(3)),
        history("h0", "exigencia", 4, _creationTime=ms(4)),
    ]
    for arranged in permutations(rows):
        assert [name for name, _ in case_of(*arranged).statuses] == ["rnm", "em_tramite", "exigencia", "deferido"]


@pytest.mark.parametrize("bad", [None, "soon", True, 253402300800000, "2023-06-03"])
def test_k7_a_time_of_change_nobody_can_mean_is_assumed(bad: Any) -> None:
    told = case_of(status("s1", "rnm", 9, active=True, changedAt=bad, createdAt=ms(5), _creationTime=ms(6)))
    assert told.statuses == [("rnm", when(5))]
    unreadable = [] if bad is None else [("s1", "changedAt", "unreadable")]
    assert told.codes == [("s1", "changedAt", "assumed_time"), *unreadable]
    assert told.findings[0][3] == when(5)


def test_k7_then_the_platforms_time_then_the_earliest_of_the_bundle() -> None:
    row = history("h1", "rnm", 9, changedAt=None, _creationTime=ms(6))
    assert case_of(row).statuses == [("rnm", when(6))]
    del row["_creationTime"]
    assert case_of(row, _creationTime=None).statuses == [("rnm", when(1))]
    other = history("h2", "deferido", 4, _creationTime=None)
    bare = {"_id": "p1"}
    told = Told(individualProcesses=[bare], processHistory=[row, other])
    assert sorted(told.statuses, key=repr) == [("deferido", when(4)), ("rnm", when(4))]
    nowhere = Told(individualProcesses=[bare], processHistory=[row])
    assert nowhere.statuses == [("rnm", NO_TIME)]


# --- K11: the opening entry -------------------------------------------------------------------------------------------


def test_k11_what_the_first_history_row_says_was_before_opens_the_history() -> None:
    told = case_of(
        history("h2", "rnm", 5, previousStatus="deferido"), history("h1", "deferido", 3, previousStatus="Em trâmite")
    )
    assert told.statuses == [("em_tramite", when(1)), ("deferido", when(3)), ("rnm", when(5))]
    assert told.entries[0]["changed_by"] == UNKNOWN_AUTHOR
    assert [finding for finding in told.findings if finding[2] != "assumed_author"] == [
        ("h1", "previousStatus", "assumed_time", when(1))
    ]
    assert [row["previous"] for row in told.entries] == [None, "em_tramite", "deferido"]
    assert told.class_of("processHistory", "h1", "/previousStatus") == NORMALISED
    assert told.class_of("processHistory", "h2", "/previousStatus") == MAPPED


def test_k11_the_opening_entry_is_not_later_than_the_row() -> None:
    told = case_of(history("h1", "rnm", 3, previousStatus="deferido"), createdAt=ms(10))
    assert told.statuses == [("deferido", when(3)), ("rnm", when(3))]
    assert told.case["status"] == "rnm"


def test_k11_what_an_earlier_entry_tells_opens_nothing() -> None:
    told = case_of(
        status("s1", "deferido", 2),
        history("h1", "rnm", 3, previousStatus="deferido"),
        status("s2", "rnm", 3, active=True),
    )
    assert told.statuses == [("deferido", when(2)), ("rnm", when(3))]
    assert told.codes == []


def test_k11_only_the_first_history_row_opens_and_others_disagree() -> None:
    told = case_of(history("h1", "deferido", 3), history("h2", "rnm", 5, previousStatus="em_tramite"))
    assert told.statuses == [("deferido", when(3)), ("rnm", when(5))]
    assert (
        told.findings
        == [
            ("h2", "previousStatus", "disagrees", "em_tramite"),
            ("p1", "status", "undetermined_status", None),
        ][:1]
    )
    assert told.entries[1]["carried"]["previous_status"] == "em_tramite"
    assert told.class_of("processHistory", "h2", "/previousStatus") == MAPPED


@pytest.mark.parametrize("value", [None, "", 5])
def test_k11_a_previous_status_that_says_nothing_opens_nothing(value: Any) -> None:
    told = case_of(history("h1", "rnm", 3, previousStatus=value))
    assert told.statuses == [("rnm", when(3))]
    assert told.codes == ([("h1", "previousStatus", "unreadable")] if value == 5 else [])
