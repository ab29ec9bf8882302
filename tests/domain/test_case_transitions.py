"""Which status may follow which."""

from __future__ import annotations

from itertools import product
from typing import Any
from uuid import UUID

import pytest

from domain.case import CASE
from domain.command import Command
from domain.errors import InvalidCommand, RuleViolated, TransitionForbidden
from domain.event import Change
from domain.status_catalogue import SEEDED, StatusDefinition, StatusState
from domain.streams import status_id
from tests.support.given_when_then import given
from tests.support.one_case import (
    CASE_CODES,
    OPENED,
    T1,
    T2,
    T3,
    active_in,
    change,
    correct,
    informed,
    opening,
    remove,
    status_changed,
)

# --- the two catalogues -----------------------------------------------------------------------------------------------

TABLE = {
    "pending_documents": {"documents_submitted", "cancelled"},
    "documents_submitted": {"documents_approved", "pending_documents", "cancelled"},
    "documents_approved": {"preparing_submission", "cancelled"},
    "preparing_submission": {"submitted_to_government", "cancelled"},
    "submitted_to_government": {"under_government_review", "cancelled"},
    "under_government_review": {"government_approved", "government_rejected", "cancelled"},
    "government_approved": {"completed", "cancelled"},
    "government_rejected": {"pending_documents", "cancelled"},
    "completed": {"under_government_review"},
    "cancelled": {"pending_documents"},
}


def test_the_tables_are_about_all_statuses_there_are() -> None:
    assert SEEDED.keys() == TABLE.keys() | set(CASE_CODES)


@pytest.mark.parametrize(("before", "after"), list(product(TABLE, TABLE)))
def test_the_transition_table_of_the_english_statuses(before: str, after: str) -> None:
    decision = given(CASE, OPENED, status_changed(before)).when(change(after))
    if before == after or after in TABLE[before]:
        state = decision.then(status_changed(after, T2, previous=before, follows=2))
        assert active_in(state) == after
    else:
        refused = decision.raises(TransitionForbidden, field="status")
        assert isinstance(refused, TransitionForbidden)
        assert set(refused.allowed) == set(refused.as_dict()["allowed"]) == TABLE[before]
        assert refused.hint == f"allowed: {', '.join(refused.allowed)}"
        assert before in refused.message
        assert after in refused.message


@pytest.mark.parametrize(("before", "after"), list(product(CASE_CODES, CASE_CODES)))
def test_the_order_of_the_case_codes_is_advisory(before: str, after: str) -> None:
    given(CASE, OPENED, status_changed(before)).when(change(after)).then(
        status_changed(after, T2, previous=before, follows=2)
    )


@pytest.mark.parametrize("after", list(SEEDED))
def test_from_undetermined_any_status_may_come(after: str) -> None:
    given(CASE, OPENED).when(change(after)).then(status_changed(after, T2))
    given(CASE, OPENED, status_changed(None)).when(change(after)).then(status_changed(after, T2, follows=2))


@pytest.mark.parametrize("after", list(SEEDED))
def test_from_a_status_no_catalogue_holds_any_status_may_come(after: str) -> None:
    """An import keeps what the old system said, whatever that was."""
    given(CASE, OPENED, status_changed("aprovado parcial")).when(change(after)).then(
        status_changed(after, T2, previous="aprovado parcial", follows=2)
    )


@pytest.mark.parametrize(("english", "code"), list(product(("pending_documents", "completed"), CASE_CODES)))
def test_between_the_catalogues_nothing_is_forbidden(english: str, code: str) -> None:
    given(CASE, OPENED, status_changed(english)).when(change(code)).then(
        status_changed(code, T2, previous=english, follows=2)
    )
    given(CASE, OPENED, status_changed(code)).when(change(english)).then(
        status_changed(english, T2, previous=code, follows=2)
    )


def test_a_status_no_catalogue_holds_cannot_be_given() -> None:
    for unknown in ("aprovado parcial", "Deferido", "", " deferido"):
        refused = given(CASE, OPENED).when(change(unknown)).raises(InvalidCommand, field="status")
        assert refused.hint


# --- what was looked up -----------------------------------------------------------------------------------------------


def _defined(code: str, **said: Any) -> StatusState:
    return StatusState(StatusDefinition(**{"catalogue": "own", "code": code, "name": code} | said))


def test_a_status_of_ones_own_can_be_given() -> None:
    state = informed(CASE.fold([OPENED]), waiting=_defined("waiting", fillable_fields=("rnm_number",)))
    decided = CASE.decide(state, change("waiting", filled={"rnm_number": "V1"}))
    assert decided == [
        status_changed("waiting", T2, filled={"rnm_number": "V1"}, changes={"rnm_number": Change(new="V1")})
    ]
    with pytest.raises(InvalidCommand):
        CASE.decide(CASE.fold([OPENED]), change("waiting"))


def test_transitions_that_were_defined_anew_are_honoured() -> None:
    past = CASE.fold([OPENED, status_changed("em_tramite")])
    strict = informed(past, em_tramite=_defined("em_tramite", catalogue="case_codes", may_go_to=("exigencia",)))
    assert CASE.decide(strict, change("exigencia"))
    with pytest.raises(RuleViolated) as refused:
        CASE.decide(strict, change("deferido"))
    assert refused.value.hint == "allowed: exigencia"
    shut = informed(past, em_tramite=_defined("em_tramite", catalogue="case_codes", may_go_to=()))
    with pytest.raises(RuleViolated) as refused:
        CASE.decide(shut, change("deferido"))
    assert refused.value.hint == "allowed: none"
    past = CASE.fold([OPENED, status_changed("completed")])
    loose = informed(past, completed=_defined("completed", catalogue="english", may_go_to=None))
    assert CASE.decide(loose, change("cancelled"))


def test_a_retired_status_cannot_be_given_and_is_kept_where_it_is() -> None:
    retired = StatusState(in_use=False)
    state = informed(CASE.fold([OPENED, status_changed("em_tramite")]), deferido=retired, em_tramite=retired)
    with pytest.raises(RuleViolated) as refused:
        CASE.decide(state, change("deferido"))
    assert refused.value.field == "status"
    with pytest.raises(RuleViolated):
        CASE.decide(state, correct(2, status="deferido"))
    assert CASE.decide(state, change("rnm"))  # from a retired one one may go on
    assert CASE.decide(state, correct(2, notes="still the same"))


def test_a_retired_status_still_says_what_may_follow_it() -> None:
    retired = StatusState(SEEDED["completed"], in_use=False)
    state = informed(CASE.fold([OPENED, status_changed("completed")]), completed=retired)
    with pytest.raises(RuleViolated):
        CASE.decide(state, change("cancelled"))


def test_which_statuses_must_be_looked_at() -> None:
    def needed(command: Command, *past: Any) -> list[UUID]:
        participants = CASE.needs(CASE.fold(past), command)
        assert {participant.aggregate for participant in participants} <= {"status"}
        return [participant.stream for participant in participants]

    rnm, deferido, em_tramite = map(status_id, ("rnm", "deferido", "em_tramite"))
    assert needed(opening(status="rnm", effective_at=T1)) == [rnm]
    assert needed(opening()) == []
    assert needed(change("rnm"), OPENED) == [rnm]
    assert needed(change("rnm"), OPENED, status_changed("deferido")) == [rnm, deferido]
    assert needed(change("rnm", T1), OPENED, status_changed("deferido")) == [rnm, deferido]
    assert needed(change("rnm"), OPENED, status_changed("rnm")) == [rnm]
    assert needed(change("rnm"), OPENED, status_changed(None)) == [rnm]
    late = (OPENED, status_changed("em_tramite"), status_changed("deferido", T3, follows=2))
    assert needed(change("rnm", T2), *late) == [rnm, em_tramite]
    assert needed(correct(2, status="rnm"), *late) == [rnm]
    assert needed(correct(2, notes="x"), *late) == []
    assert needed(remove(), *late) == []
