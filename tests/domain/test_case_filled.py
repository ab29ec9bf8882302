"""What a status fills: fields of its case."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from domain.case import (
    CASE,
    CaseOpened,
    CaseStatusChanged,
    CaseStatusCorrected,
    CaseStatusRemoved,
    ChangeCaseStatus,
    StatusNow,
    UpdateCase,
)
from domain.errors import InvalidCommand
from domain.event import Change
from domain.status_catalogue import SEEDED, StatusDefinition, StatusState
from domain.streams import status_id
from tests.support.examples import CASE_ID
from tests.support.given_when_then import given
from tests.support.one_case import (
    CASE_CODES,
    OPENED,
    PROTOCOL,
    T1,
    T2,
    T3,
    active_in,
    change,
    correct,
    given_after,
    history_after,
    remove,
    state_after,
    status_changed,
)


@pytest.mark.parametrize("code", CASE_CODES)
def test_a_status_fills_the_fields_it_asks_for_and_no_other(code: str) -> None:
    fillable = SEEDED[code].fillable_fields
    filled = dict.fromkeys(fillable, "2026-02-01")
    given(CASE, CaseOpened(fields={})).when(change(code, filled=filled)).then(
        status_changed(code, T2, filled=filled, changes={name: Change(new=new) for name, new in filled.items()})
    )
    refused = given(CASE, OPENED).when(change(code, filled={"cargo": "x"})).raises(InvalidCommand, field="filled.cargo")
    assert refused.hint
    assert all(name in refused.hint for name in fillable)


def test_an_english_status_fills_nothing() -> None:
    given(CASE, OPENED).when(change("completed", filled={"rnm_number": "1"})).raises(
        InvalidCommand, field="filled.rnm_number"
    )


def test_a_filled_value_must_have_the_shape_of_its_field() -> None:
    past = given(CASE, OPENED)
    past.when(change("em_renovacao", filled={"deadline_date": "soon"})).raises(
        InvalidCommand, field="filled.deadline_date"
    )
    past.when(change("deferido", filled={"mre_office_number": 7})).raises(
        InvalidCommand, field="filled.mre_office_number"
    )


def _filled(value: str, at: datetime, code: str = "em_tramite") -> ChangeCaseStatus:
    return change(code, at, filled={PROTOCOL: value})


def test_what_is_filled_becomes_a_field_of_the_case() -> None:
    state = state_after(_filled(" 47 ", T1))
    assert state.fields == {"passport_id": "p1", PROTOCOL: "47"}
    assert state_after(_filled("47", T1), _filled("48", T2, "juntada_documento")).fields[PROTOCOL] == "48"


def test_a_status_sets_the_field_it_fills_whatever_it_is() -> None:
    """Also one that was changed apart from the history since an earlier status filled it."""
    by_hand = UpdateCase(case_id=CASE_ID, changes={PROTOCOL: "by hand"})
    assert state_after(by_hand, _filled("47", T1)).fields[PROTOCOL] == "47"
    past = given_after(_filled("47", T1), by_hand)
    state = past.when(_filled("48", T2, "juntada_documento")).then(
        status_changed(
            "juntada_documento", T2, previous="em_tramite", follows=2, filled={PROTOCOL: "48"},
            changes={PROTOCOL: Change(old="by hand", new="48")},
        )
    )  # fmt: skip
    assert state.fields[PROTOCOL] == "48"
    assert state_after(_filled("47", T1), by_hand, _filled("47", T2, "juntada_documento")).fields[PROTOCOL] == "47"


def test_a_late_entry_does_not_take_back_what_a_later_status_filled() -> None:
    state = (
        given_after(_filled("late", T3))
        .when(_filled("early", T1, "juntada_documento"))
        .then(status_changed("juntada_documento", T1, precedes=2, filled={PROTOCOL: "early"}))
    )
    assert state.fields[PROTOCOL] == "late"
    state = state_after(change("rnm", T3), _filled("early", T1))  # none that fills it follows
    assert state.fields[PROTOCOL] == "early"


def test_a_correction_of_what_was_filled() -> None:
    state = given_after(_filled("47", T1)).when(correct(2, filled={PROTOCOL: "48"})).then(
        CaseStatusCorrected(
            entry=2, left_between=(None, None), status="em_tramite", effective_at=T1, day=T1.date(),
            now=StatusNow(entry=3, status="em_tramite", since=T1, day=T1.date()),
            filled={PROTOCOL: "48"}, changes={PROTOCOL: Change(old="47", new="48")}, reason="misread",
        )
    )  # fmt: skip
    assert state.fields[PROTOCOL] == "48"
    assert state_after(_filled("47", T1), correct(2, filled={PROTOCOL: None})).fields == {"passport_id": "p1"}
    given_after(_filled("47", T1)).when(correct(2, filled={PROTOCOL: " 47"})).nothing()


def test_a_field_left_out_of_a_correction_stays_filled() -> None:
    filled = {"dou_number": "1", "dou_page": "2"}
    past = history_after(change("publicado_dou", T1, filled=filled))
    for said in ({}, {"status": "publicado_dou"}, {"status": "diario_oficial"}):
        state = CASE.fold(past)
        [corrected] = CASE.decide(state, correct(2, filled={"dou_page": "3"}, **said))
        assert isinstance(corrected, CaseStatusCorrected)
        assert corrected.filled == {"dou_number": "1", "dou_page": "3"}
        assert corrected.changes == {"dou_page": Change(old="2", new="3")}
    given(CASE, *past).when(correct(2, filled={})).nothing()


def test_a_correction_fills_further_fields_only_where_it_names_the_status() -> None:
    past = given_after(change("publicado_dou", T1, filled={"dou_number": "1"}))
    refused = past.when(correct(2, filled={"dou_page": "2"})).raises(InvalidCommand, field="status")
    assert refused.hint
    assert "dou_page" in refused.hint
    past.when(correct(2, filled={"shoe_size": "2"})).raises(InvalidCommand, field="filled.shoe_size")
    past.when(correct(2, status="publicado_dou", filled={"rnm_number": "2"})).raises(
        InvalidCommand, field="filled.rnm_number"
    )
    state = CASE.fold(history_after(change("publicado_dou", T1, filled={"dou_number": "1"})))
    [corrected] = CASE.decide(state, correct(2, status="publicado_dou", filled={"dou_page": "2"}))
    assert isinstance(corrected, CaseStatusCorrected)
    assert corrected.filled == {"dou_number": "1", "dou_page": "2"}


def test_a_corrected_status_keeps_of_the_filled_fields_those_it_may_fill() -> None:
    state = state_after(_filled("47", T1), correct(2, status="juntada_documento"))
    assert state.fields[PROTOCOL] == "47"
    state = state_after(_filled("47", T1), correct(2, status="rnm"))
    assert state.fields == {"passport_id": "p1"}
    assert state.timeline.active
    assert state.timeline.active.details.filled == {}


def test_a_later_refill_is_kept_when_an_earlier_entry_is_corrected_or_removed() -> None:
    past = (_filled("47", T1), _filled("48", T2, "juntada_documento"))
    for undo in (correct(2, filled={PROTOCOL: "1"}), correct(2, status="rnm"), remove(2)):
        assert state_after(*past, undo).fields[PROTOCOL] == "48"


def test_what_an_earlier_status_filled_holds_again_when_the_later_is_taken_out() -> None:
    past = (_filled("47", T1), _filled("48", T2, "juntada_documento"))
    for undo in (correct(3, filled={PROTOCOL: ""}), correct(3, status="rnm"), remove()):
        assert state_after(*past, undo).fields[PROTOCOL] == "47"


def test_a_correction_of_the_time_decides_anew_who_filled_last() -> None:
    past = (_filled("47", T1), _filled("48", T2, "juntada_documento"))
    state = state_after(*past, correct(2, effective_at=T3))
    assert (state.fields[PROTOCOL], active_in(state)) == ("47", "em_tramite")


def test_a_field_changed_by_hand_since_is_left_alone() -> None:
    past = (_filled("47", T1), UpdateCase(case_id=CASE_ID, changes={PROTOCOL: "by hand"}))
    for undo in (correct(2, filled={PROTOCOL: "48"}), correct(2, status="rnm"), remove()):
        assert state_after(*past, undo).fields[PROTOCOL] == "by hand"


def test_removal_withdraws_what_was_filled() -> None:
    state = (
        given_after(_filled("47", T1))
        .when(remove())
        .then(
            CaseStatusRemoved(
                entry=2, effective_at=T1, changes={PROTOCOL: Change(old="47", new=None)}, reason="another case"
            )
        )
    )
    assert state.fields == {"passport_id": "p1"}


def test_a_status_may_name_fields_nobody_knows() -> None:
    """An import keeps such names; they can not be filled, and are in nobody's way."""
    names = ("observacoes", "dou_page")
    own = StatusDefinition(catalogue="case_codes", code="exigencia", name="E", fillable_fields=names)
    state = replace(CASE.fold([OPENED]), statuses={status_id("exigencia"): StatusState(own)})
    [changed] = CASE.decide(state, change("exigencia", filled={"dou_page": "3"}))
    assert isinstance(changed, CaseStatusChanged)
    assert changed.filled == {"dou_page": "3"}
    with pytest.raises(InvalidCommand):
        CASE.decide(state, change("exigencia", filled={"observacoes": "x"}))
