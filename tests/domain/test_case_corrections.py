"""What is put right in the history of a case."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from domain.case import CASE, CaseStatusCorrected, CaseStatusRemoved, StatusNow
from domain.errors import InvalidCommand, NotFound, RuleViolated
from tests.support.given_when_then import given
from tests.support.one_case import (
    DAY,
    OPENED,
    T1,
    T2,
    T3,
    T4,
    active_in,
    change,
    correct,
    entries_of,
    given_after,
    remove,
    state_after,
    status_changed,
)

# --- corrections ------------------------------------------------------------------------------------------------------

_ONE = (change("em_preparacao", T1, notes="n"), change("em_tramite", T2), change("deferido", T3))


def _corrected(entry: int, status: str, at: datetime, **said: Any) -> CaseStatusCorrected:
    return CaseStatusCorrected(entry=entry, status=status, effective_at=at, day=at.date(), reason="misread", **said)


def test_a_wrong_status_is_put_right_and_stays_visible() -> None:
    now = StatusNow(entry=4, status="deferido", since=T3, day=T3.date())
    state = (
        given_after(*_ONE)
        .when(correct(3, status="exigencia"))
        .then(_corrected(3, "exigencia", T2, left_between=(2, 4), follows=2, precedes=4, now=now))
    )
    assert entries_of(state) == [(2, "em_preparacao"), (5, "exigencia"), (4, "deferido")]
    assert state.timeline.superseded == {3: 5}
    now = StatusNow(entry=5, status="rnm", since=T3, day=T3.date())
    state = (
        given_after(*_ONE)
        .when(correct(4, status="rnm"))
        .then(_corrected(4, "rnm", T3, left_between=(3, None), follows=3, now=now))
    )
    assert active_in(state) == "rnm"


def test_a_wrong_time_moves_the_entry() -> None:
    now = StatusNow(entry=5, status="em_preparacao", since=T4, day=T4.date())
    state = (
        given_after(*_ONE)
        .when(correct(2, effective_at=T4))
        .then(_corrected(2, "em_preparacao", T4, left_between=(None, 3), follows=4, now=now, notes="n"))
    )
    assert entries_of(state) == [(3, "em_tramite"), (4, "deferido"), (5, "em_preparacao")]
    state = state_after(*_ONE, correct(4, effective_at=T1 - DAY))
    assert entries_of(state) == [(5, "deferido"), (2, "em_preparacao"), (3, "em_tramite")]
    assert active_in(state) == "em_tramite"


def test_notes_are_put_right_or_taken_out() -> None:
    now = StatusNow(entry=4, status="deferido", since=T3, day=T3.date())
    between = {"left_between": (None, 3), "precedes": 3, "now": now}
    past = given_after(*_ONE)
    past.when(correct(2, notes="m")).then(_corrected(2, "em_preparacao", T1, notes="m", **between))
    past.when(correct(2, notes=None)).then(_corrected(2, "em_preparacao", T1, **between))
    past.when(correct(2, notes=" ")).then(_corrected(2, "em_preparacao", T1, **between))
    past.when(correct(3, effective_at=T2, notes="")).nothing()


def test_a_correction_that_changes_nothing() -> None:
    past = given_after(*_ONE)
    nothing: list[dict[str, Any]] = [{}, {"filled": {}}]
    for same in (*nothing, {"status": "em_preparacao"}, {"effective_at": T1}, {"notes": "n"}):
        past.when(correct(2, **same)).nothing()


def test_a_correction_is_not_held_against_the_table() -> None:
    """It says what was, not what may be done."""
    past = given_after(change("pending_documents", T1), change("documents_submitted", T2))
    now = StatusNow(entry=4, status="completed", since=T2, day=T2.date())
    past.when(correct(3, status="completed")).then(
        _corrected(3, "completed", T2, left_between=(2, None), follows=2, now=now)
    )


def test_a_correction_keeps_its_place_among_entries_of_the_same_time() -> None:
    past = (change("em_tramite", T1), change("deferido", T1))
    state = state_after(*past, correct(2, notes="misspelt"))
    assert entries_of(state) == [(4, "em_tramite"), (3, "deferido")]
    assert active_in(state) == "deferido"
    state = state_after(*past, correct(2, status="exigencia"), correct(4, status="rnm"), change("publicado_dou", T1))
    assert entries_of(state) == [(5, "rnm"), (3, "deferido"), (6, "publicado_dou")]


def test_a_removed_entry_leaves_its_place_among_entries_of_the_same_time() -> None:
    past = (change("em_tramite", T1), change("deferido", T1))
    state = (
        given_after(*past)
        .when(remove(2))
        .then(CaseStatusRemoved(entry=2, effective_at=T1, precedes=3, reason="another case"))
    )
    assert entries_of(state) == [(4, None), (3, "deferido")]
    assert active_in(state) == "deferido"


def test_the_day_a_legacy_record_named_is_kept_unless_the_time_is_corrected() -> None:
    dated = status_changed("exigencia", T2).model_copy(update={"day": date(2026, 3, 9)})
    state = CASE.fold([OPENED, dated])
    [corrected] = CASE.decide(state, correct(2, notes="x"))
    assert isinstance(corrected, CaseStatusCorrected)
    assert (corrected.day, corrected.now and corrected.now.day) == (date(2026, 3, 9), date(2026, 3, 9))
    [corrected] = CASE.decide(state, correct(2, effective_at=T3))
    assert isinstance(corrected, CaseStatusCorrected)
    assert corrected.day == T3.date()


def test_an_entry_that_says_nobody_knows_is_put_right_by_naming_a_status() -> None:
    past = given_after(change("deferido", T1), remove())
    past.when(correct(3, notes="x")).raises(InvalidCommand, field="status")
    now = StatusNow(entry=4, status="rnm", since=T1, day=T1.date())
    past.when(correct(3, status="rnm")).then(_corrected(3, "rnm", T1, left_between=(None, None), now=now))


def test_putting_an_earlier_entry_right_leaves_the_status_undetermined() -> None:
    past = given_after(change("em_tramite", T1), change("deferido", T2), remove())
    state = past.when(correct(2, status="exigencia")).then(
        _corrected(2, "exigencia", T1, left_between=(None, 4), precedes=4, now=None)
    )
    assert active_in(state) is None


def test_only_entries_in_force_can_be_put_right() -> None:
    past = given_after(*_ONE, correct(3, status="exigencia"))
    for undo in (correct(3, notes="x"), remove(3)):
        refused = past.when(undo).raises(RuleViolated, field="entry")
        assert refused.hint == "correct entry 5"
    for number in (1, 6, 99):
        for undo in (correct(number, notes="x"), remove(number)):
            refused = past.when(undo).raises(NotFound, field="entry")
            assert refused.hint == "in force are: 2, 5, 4"
    refused = given(CASE, OPENED).when(remove(1)).raises(NotFound, field="entry")
    assert refused.hint == "in force are: none"


def test_an_entry_an_import_found_overruled_is_visible_and_not_in_force() -> None:
    overruled = status_changed("rnm", T3, superseded_by=2)
    state = CASE.fold([OPENED, status_changed("deferido", T1), overruled])
    assert (entries_of(state), state.timeline.superseded) == ([(2, "deferido")], {3: 2})
    given(CASE, OPENED, status_changed("deferido", T1), overruled).when(remove(3)).raises(RuleViolated, field="entry")


# --- removal ----------------------------------------------------------------------------------------------------------


def test_a_removed_status_promotes_nothing() -> None:
    state = (
        given_after(*_ONE)
        .when(remove())
        .then(CaseStatusRemoved(entry=4, effective_at=T3, follows=3, reason="another case"))
    )
    assert entries_of(state) == [(2, "em_preparacao"), (3, "em_tramite"), (5, None)]
    assert (active_in(state), state.timeline.superseded) == (None, {4: 5})


def test_an_earlier_entry_can_be_removed() -> None:
    state = (
        given_after(*_ONE)
        .when(remove(3))
        .then(CaseStatusRemoved(entry=3, effective_at=T2, follows=2, precedes=4, reason="another case"))
    )
    assert entries_of(state) == [(2, "em_preparacao"), (5, None), (4, "deferido")]
    assert active_in(state) == "deferido"


def test_where_the_status_is_undetermined_there_is_none_to_remove() -> None:
    given(CASE, OPENED).when(remove()).raises(RuleViolated, field="entry")
    past = given_after(change("deferido", T1), remove())
    past.when(remove()).raises(RuleViolated, field="entry")
    past.when(remove(3)).nothing()
    past.when(remove(2)).raises(RuleViolated, field="entry")


def test_after_a_removal_any_status_may_come() -> None:
    past = given_after(change("completed", T1), remove())
    past.when(change("pending_documents", T2)).then(status_changed("pending_documents", T2, follows=3))
    past.when(change("completed", T2)).then(status_changed("completed", T2, follows=3))
