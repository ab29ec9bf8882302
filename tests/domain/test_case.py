from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as for_any
from hypothesis import settings
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.case import (
    CASE,
    CaseClosed,
    CaseConflictRecorded,
    CaseConflictSettled,
    CaseOpened,
    CaseReopened,
    CaseState,
    CaseStatusChanged,
    CaseStatusCorrected,
    CaseStatusRemoved,
    CaseUpdated,
    ChangeCaseStatus,
    CloseCase,
    CorrectCaseStatus,
    Deadlines,
    OpenCase,
    RemoveCaseStatus,
    ReopenCase,
    SettleCaseConflict,
    StatusNow,
    UpdateCase,
    deadlines,
)
from domain.command import Command, Participant
from domain.errors import AlreadyExists, CommandRejected, InvalidCommand, NotFound, RuleViolated, TransitionForbidden
from domain.event import ERASED, Change, DomainEvent, personal_fields
from domain.status_catalogue import SEEDED, StatusDefinition, StatusState
from domain.streams import status_id
from tests.support.examples import ACCOUNT_ID as ADA
from tests.support.examples import CASE_ID, COLLECTIVE_ID, COMMANDS, COMPANY_ID, EVENTS
from tests.support.given_when_then import Given, given

DAY = timedelta(days=1)
T1 = datetime(2026, 3, 10, 12, tzinfo=UTC)
T2, T3, T4, NOW = T1 + DAY, T1 + 2 * DAY, T1 + 3 * DAY, T1 + 30 * DAY
OPENED = CaseOpened(person_id=ADA, fields={"passport_id": "p1"})
ON_CASES = {
    name: command
    for name, command in COMMANDS.items()
    if any(participant.aggregate == "case" for participant in command.participants())
}


def _open(**said: Any) -> OpenCase:
    return OpenCase(case_id=CASE_ID, person_id=ADA, **said)


def _change(status: str, at: datetime = T2, **said: Any) -> ChangeCaseStatus:
    return ChangeCaseStatus(case_id=CASE_ID, status=status, effective_at=at, **said)


def _correct(entry: int, **said: Any) -> CorrectCaseStatus:
    return CorrectCaseStatus(case_id=CASE_ID, entry=entry, reason="misread", **said)


def _remove(entry: int | None = None) -> RemoveCaseStatus:
    return RemoveCaseStatus(case_id=CASE_ID, entry=entry, reason="another case")


def _changed(status: str | None, at: datetime = T1, **said: Any) -> CaseStatusChanged:
    return CaseStatusChanged(status=status, effective_at=at, day=at.date(), **said)


def _history(*commands: Command, past: tuple[Any, ...] = (OPENED,)) -> list[Any]:
    """Return the events of a case after commands, each of which must be accepted."""
    events = list(past)
    for command in commands:
        events += CASE.decide(CASE.fold(events), command.at(NOW))
    return events


def _after(*commands: Command, past: tuple[Any, ...] = (OPENED,)) -> CaseState:
    return CASE.fold(_history(*commands, past=past))


def _given(*commands: Command) -> Given[CaseState]:
    return given(CASE, *_history(*commands))


def _line(state: CaseState) -> list[tuple[int, str | None]]:
    return [(entry.number, entry.status) for entry in state.timeline.entries]


def _active(state: CaseState) -> str | None:
    return state.timeline.active.status if state.timeline.active else None


def _informed(state: CaseState, **known: StatusState) -> CaseState:
    return CASE.informed(state, {status_id(code): found for code, found in known.items()})


# --- opening ----------------------------------------------------------------------------------------------------------


def test_a_case_is_opened_with_its_set_fields_in_normal_form() -> None:
    command = _open(
        company_id=COMPANY_ID, fields={"passport_id": " p1 ", "cargo": "", "funcao": None, "dou_date": " 2026-01-31"}
    )
    opened = CaseOpened(person_id=ADA, company_id=COMPANY_ID, fields={"passport_id": "p1", "dou_date": "2026-01-31"})
    state = given(CASE).when(command).then(opened)
    assert (state.exists, state.is_current, state.version) == (True, True, 1)
    assert state.timeline.active is None
    assert CASE.owner(state) == ADA
    assert CASE.parent(state) == Participant("company", COMPANY_ID)
    assert CASE.members(state) == frozenset()


def test_a_case_may_be_about_nobody_and_belong_to_nothing() -> None:
    state = given(CASE).when(OpenCase(case_id=CASE_ID)).then(CaseOpened(fields={}))
    assert CASE.owner(state) is None
    assert CASE.parent(state) is None


def test_the_company_of_a_case_in_a_collective_process_is_that_of_the_process() -> None:
    state = (
        given(CASE)
        .when(_open(collective_id=COLLECTIVE_ID))
        .then(CaseOpened(person_id=ADA, collective_id=COLLECTIVE_ID, fields={}))
    )
    assert CASE.parent(state) == Participant("collective", COLLECTIVE_ID)
    with pytest.raises(ValidationError, match="company of its own"):
        _open(company_id=COMPANY_ID, collective_id=COLLECTIVE_ID)


def test_what_a_case_belongs_to_takes_part_in_opening_it() -> None:
    case = Participant("case", CASE_ID)
    assert _open().participants() == (case,)
    assert _open(company_id=COMPANY_ID).participants() == (case, Participant("company", COMPANY_ID))
    assert _open(collective_id=COLLECTIVE_ID).participants() == (case, Participant("collective", COLLECTIVE_ID))
    assert _open().account() == ADA


def test_a_case_may_be_opened_with_its_first_status() -> None:
    first = CaseStatusChanged(status="em_preparacao", effective_at=T1, day=T1.date(), notes="complete")
    state = (
        given(CASE)
        .when(_open(status="em_preparacao", notes=" complete ", effective_at=T1))
        .then(CaseOpened(person_id=ADA, fields={}), first)
    )
    assert _line(state) == [(2, "em_preparacao")]


def test_a_case_is_not_opened_where_something_is_wrong() -> None:
    given(CASE, OPENED).when(_open()).raises(AlreadyExists, field="case_id")
    given(CASE).when(_open(fields={"shoe_size": "42"})).raises(InvalidCommand, field="fields.shoe_size")
    given(CASE).when(_open(fields={"passport_id": 1})).raises(InvalidCommand, field="fields.passport_id")
    given(CASE).when(_open(fields={"dou_date": "31/01/2026"})).raises(InvalidCommand, field="fields.dou_date")
    given(CASE).when(_open(notes="x", effective_at=T1)).raises(InvalidCommand, field="notes")
    given(CASE).when(_open(status="aprovado", effective_at=T1)).raises(InvalidCommand, field="status")
    given(CASE).when(_open(status="deferido")).raises(InvalidCommand, field="effective_at")


@pytest.mark.parametrize("name", sorted(ON_CASES.keys() - {"OpenCase"}))
def test_a_case_that_was_never_opened_decides_on_nothing(name: str) -> None:
    given(CASE).when(ON_CASES[name]).raises(NotFound, field="case_id")


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - ON_CASES))
def test_a_case_does_not_decide_on_what_is_not_about_it(name: str) -> None:
    given(CASE, OPENED).when(COMMANDS[name]).raises(InvalidCommand, field=None)


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
CASE_CODES = (
    "em_preparacao", "em_tramite", "encaminhado_analise", "proposta_deferimento", "deferido", "publicado_dou",
    "emissao_vitem", "entrada_brasil", "rnm", "em_renovacao", "pedido_cancelamento", "pedido_arquivamento",
    "pedido_cancelado", "exigencia", "juntada_documento", "nova_solicitacao_visto", "diario_oficial",
)  # fmt: skip


def test_the_tables_are_about_all_statuses_there_are() -> None:
    assert SEEDED.keys() == TABLE.keys() | set(CASE_CODES)


@pytest.mark.parametrize(("before", "after"), list(product(TABLE, TABLE)))
def test_the_transition_table_of_the_english_statuses(before: str, after: str) -> None:
    decision = given(CASE, OPENED, _changed(before)).when(_change(after))
    if before == after or after in TABLE[before]:
        state = decision.then(_changed(after, T2, previous=before, follows=2))
        assert _active(state) == after
    else:
        refused = decision.raises(TransitionForbidden, field="status")
        assert isinstance(refused, TransitionForbidden)
        assert set(refused.allowed) == set(refused.as_dict()["allowed"]) == TABLE[before]
        assert refused.hint == f"allowed: {', '.join(refused.allowed)}"
        assert before in refused.message
        assert after in refused.message


@pytest.mark.parametrize(("before", "after"), list(product(CASE_CODES, CASE_CODES)))
def test_the_order_of_the_case_codes_is_advisory(before: str, after: str) -> None:
    given(CASE, OPENED, _changed(before)).when(_change(after)).then(_changed(after, T2, previous=before, follows=2))


@pytest.mark.parametrize("after", list(SEEDED))
def test_from_undetermined_any_status_may_come(after: str) -> None:
    given(CASE, OPENED).when(_change(after)).then(_changed(after, T2))
    given(CASE, OPENED, _changed(None)).when(_change(after)).then(_changed(after, T2, follows=2))


@pytest.mark.parametrize("after", list(SEEDED))
def test_from_a_status_no_catalogue_holds_any_status_may_come(after: str) -> None:
    """An import keeps what the old system said, whatever that was."""
    given(CASE, OPENED, _changed("aprovado parcial")).when(_change(after)).then(
        _changed(after, T2, previous="aprovado parcial", follows=2)
    )


@pytest.mark.parametrize(("english", "code"), list(product(("pending_documents", "completed"), CASE_CODES)))
def test_between_the_catalogues_nothing_is_forbidden(english: str, code: str) -> None:
    given(CASE, OPENED, _changed(english)).when(_change(code)).then(_changed(code, T2, previous=english, follows=2))
    given(CASE, OPENED, _changed(code)).when(_change(english)).then(_changed(english, T2, previous=code, follows=2))


def test_a_status_no_catalogue_holds_cannot_be_given() -> None:
    for unknown in ("aprovado parcial", "Deferido", "", " deferido"):
        refused = given(CASE, OPENED).when(_change(unknown)).raises(InvalidCommand, field="status")
        assert refused.hint


# --- what was looked up -----------------------------------------------------------------------------------------------


def _defined(code: str, **said: Any) -> StatusState:
    return StatusState(StatusDefinition(**{"catalogue": "own", "code": code, "name": code} | said))


def test_a_status_of_ones_own_can_be_given() -> None:
    state = _informed(CASE.fold([OPENED]), waiting=_defined("waiting", fillable_fields=("rnm_number",)))
    decided = CASE.decide(state, _change("waiting", filled={"rnm_number": "V1"}))
    assert decided == [_changed("waiting", T2, filled={"rnm_number": "V1"}, changes={"rnm_number": Change(new="V1")})]
    with pytest.raises(InvalidCommand):
        CASE.decide(CASE.fold([OPENED]), _change("waiting"))


def test_transitions_that_were_defined_anew_are_honoured() -> None:
    past = CASE.fold([OPENED, _changed("em_tramite")])
    strict = _informed(past, em_tramite=_defined("em_tramite", catalogue="case_codes", may_go_to=("exigencia",)))
    assert CASE.decide(strict, _change("exigencia"))
    with pytest.raises(RuleViolated) as refused:
        CASE.decide(strict, _change("deferido"))
    assert refused.value.hint == "allowed: exigencia"
    shut = _informed(past, em_tramite=_defined("em_tramite", catalogue="case_codes", may_go_to=()))
    with pytest.raises(RuleViolated) as refused:
        CASE.decide(shut, _change("deferido"))
    assert refused.value.hint == "allowed: none"
    past = CASE.fold([OPENED, _changed("completed")])
    loose = _informed(past, completed=_defined("completed", catalogue="english", may_go_to=None))
    assert CASE.decide(loose, _change("cancelled"))


def test_a_retired_status_cannot_be_given_and_is_kept_where_it_is() -> None:
    retired = StatusState(in_use=False)
    state = _informed(CASE.fold([OPENED, _changed("em_tramite")]), deferido=retired, em_tramite=retired)
    with pytest.raises(RuleViolated) as refused:
        CASE.decide(state, _change("deferido"))
    assert refused.value.field == "status"
    with pytest.raises(RuleViolated):
        CASE.decide(state, _correct(2, status="deferido"))
    assert CASE.decide(state, _change("rnm"))  # from a retired one one may go on
    assert CASE.decide(state, _correct(2, notes="still the same"))


def test_a_retired_status_still_says_what_may_follow_it() -> None:
    retired = StatusState(SEEDED["completed"], in_use=False)
    state = _informed(CASE.fold([OPENED, _changed("completed")]), completed=retired)
    with pytest.raises(RuleViolated):
        CASE.decide(state, _change("cancelled"))


def test_which_statuses_must_be_looked_at() -> None:
    def needed(command: Command, *past: Any) -> list[UUID]:
        participants = CASE.needs(CASE.fold(past), command)
        assert {participant.aggregate for participant in participants} <= {"status"}
        return [participant.stream for participant in participants]

    rnm, deferido, em_tramite = map(status_id, ("rnm", "deferido", "em_tramite"))
    assert needed(_open(status="rnm", effective_at=T1)) == [rnm]
    assert needed(_open()) == []
    assert needed(_change("rnm"), OPENED) == [rnm]
    assert needed(_change("rnm"), OPENED, _changed("deferido")) == [rnm, deferido]
    assert needed(_change("rnm", T1), OPENED, _changed("deferido")) == [rnm, deferido]
    assert needed(_change("rnm"), OPENED, _changed("rnm")) == [rnm]
    assert needed(_change("rnm"), OPENED, _changed(None)) == [rnm]
    late = (OPENED, _changed("em_tramite"), _changed("deferido", T3, follows=2))
    assert needed(_change("rnm", T2), *late) == [rnm, em_tramite]
    assert needed(_correct(2, status="rnm"), *late) == [rnm]
    assert needed(_correct(2, notes="x"), *late) == []
    assert needed(_remove(), *late) == []


# --- changing ---------------------------------------------------------------------------------------------------------


def test_the_day_of_an_evening_change_is_that_of_sao_paulo() -> None:
    evening = datetime(2026, 3, 11, 1, 30, tzinfo=UTC)
    state = (
        given(CASE, OPENED)
        .when(_change("exigencia", evening))
        .then(CaseStatusChanged(status="exigencia", effective_at=evening, day=date(2026, 3, 10)))
    )
    assert state.timeline.active
    assert deadlines("exigencia", state.timeline.active.details.day) == (date(2026, 4, 8), date(2026, 4, 2))
    summer = datetime(2018, 12, 2, 1, 59, tzinfo=UTC)
    [changed] = CASE.decide(CASE.fold([OPENED]), _change("exigencia", summer))
    assert isinstance(changed, CaseStatusChanged)
    assert changed.day == date(2018, 12, 1)


def test_the_same_status_of_the_same_time_says_nothing_new_unless_something_is_added() -> None:
    past = _given(_change("deferido", T1))
    past.when(_change("deferido", T1)).nothing()
    past.when(_change("deferido", T1, notes=" ")).nothing()
    past.when(_change("deferido", T1, filled={"mre_office_number": " "})).nothing()
    past.when(_change("deferido", T1, notes="again")).then(
        _changed("deferido", T1, previous="deferido", follows=2, notes="again")
    )
    number = {"mre_office_number": "7"}
    past.when(_change("deferido", T1, filled=number)).then(
        _changed(
            "deferido",
            T1,
            previous="deferido",
            follows=2,
            filled=number,
            changes={"mre_office_number": Change(new="7")},
        )
    )
    _given(_change("deferido", T1), _remove()).when(_change("deferido", T1)).then(_changed("deferido", T1, follows=3))


def test_the_same_status_at_a_later_time_is_kept() -> None:
    """It says that the status held then, also once a late entry comes between or the one before is corrected."""
    state = (
        _given(_change("completed", T1))
        .when(_change("completed", T3))
        .then(_changed("completed", T3, previous="completed", follows=2))
    )
    assert _line(state) == [(2, "completed"), (3, "completed")]
    between = _after(_change("deferido", T1), _change("deferido", T3), _change("exigencia", T2))
    assert _active(between) == "deferido"


def test_a_late_entry_takes_its_place() -> None:
    state = (
        _given(_change("em_preparacao", T1), _change("deferido", T3))
        .when(_change("em_tramite", T2))
        .then(_changed("em_tramite", T2, previous="em_preparacao", follows=2, precedes=3))
    )
    assert _line(state) == [(2, "em_preparacao"), (4, "em_tramite"), (3, "deferido")]
    assert _active(state) == "deferido"
    _given(_change("deferido", T3)).when(_change("em_tramite", T1)).then(_changed("em_tramite", T1, precedes=2))


def test_a_late_entry_of_the_same_status_is_kept() -> None:
    _given(_change("em_tramite", T1), _change("deferido", T3)).when(_change("em_tramite", T2)).then(
        _changed("em_tramite", T2, previous="em_tramite", follows=2, precedes=3)
    )


def test_a_late_entry_must_be_allowed_after_the_one_before_it() -> None:
    past = _given(_change("pending_documents", T1), _change("documents_submitted", T3))
    past.when(_change("documents_approved", T2)).raises(TransitionForbidden, field="status")
    past.when(_change("cancelled", T2)).then(
        _changed("cancelled", T2, previous="pending_documents", follows=2, precedes=3)
    )


def test_of_two_entries_at_one_time_the_one_recorded_later_stands_later() -> None:
    state = (
        _given(_change("em_tramite", T1))
        .when(_change("deferido", T1))
        .then(_changed("deferido", T1, previous="em_tramite", follows=2))
    )
    assert _active(state) == "deferido"


def test_a_status_is_given_with_a_time() -> None:
    command = ChangeCaseStatus(case_id=CASE_ID, status="deferido")
    given(CASE, OPENED).when(command).raises(InvalidCommand, field="effective_at")
    assert command.at(NOW).effective_at == NOW
    assert _change("deferido", T1).at(NOW).effective_at == T1
    assert _change("deferido", NOW).at(NOW).effective_at == NOW
    local = ChangeCaseStatus.model_validate(
        {"case_id": str(CASE_ID), "status": "deferido", "effective_at": "2026-03-10T09:00:00-03:00"}
    )
    assert (local.effective_at, local.effective_at and local.effective_at.tzinfo) == (T1, UTC)


@pytest.mark.parametrize(
    "command",
    [_open(status="deferido", effective_at=T2), _change("deferido", T2), _correct(2, effective_at=T2)],
    ids=lambda command: type(command).__name__,
)
def test_a_status_cannot_take_effect_in_the_future(command: Command) -> None:
    with pytest.raises(InvalidCommand) as refused:
        command.at(T2 - timedelta(microseconds=1))
    assert refused.value.field == "effective_at"
    assert command.at(T2) == command


def test_other_commands_have_no_time() -> None:
    for name in ("UpdateCase", "RemoveCaseStatus", "CloseCase", "ReopenCase", "RegisterAccount"):
        assert COMMANDS[name].at(NOW) is COMMANDS[name]
    assert _correct(2, notes="x").at(NOW).effective_at is None


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_beyond_the_calendar_is_an_invalid_command(moment: str) -> None:
    with pytest.raises(ValidationError, match="point in time"):
        ChangeCaseStatus.model_validate({"case_id": str(CASE_ID), "status": "deferido", "effective_at": moment})


def test_a_status_at_the_ends_of_the_calendar() -> None:
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    state = _after(_change("exigencia", first))
    assert state.timeline.active
    assert state.timeline.active.details.day == date(1, 1, 1)
    given(CASE, OPENED).when(_change("exigencia", last)).then(_changed("exigencia", last))


# --- deadlines --------------------------------------------------------------------------------------------------------


def test_only_a_requirement_has_deadlines() -> None:
    assert deadlines("exigencia", date(2026, 1, 31)) == Deadlines(delivery=date(2026, 3, 1), client=date(2026, 2, 23))
    assert deadlines("exigencia", date(2024, 2, 1)) == (date(2024, 3, 1), date(2024, 2, 24))
    assert deadlines("exigencia", None) is None
    assert deadlines(None, date(2026, 1, 31)) is None
    for code in SEEDED.keys() - {"exigencia"}:
        assert deadlines(code, date(2026, 1, 31)) is None


def test_a_deadline_beyond_the_calendar_is_none() -> None:
    assert deadlines("exigencia", date(9999, 12, 2)) == (date(9999, 12, 31), date(9999, 12, 25))
    assert deadlines("exigencia", date(9999, 12, 3)) is None


# --- what a status fills ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", CASE_CODES)
def test_a_status_fills_the_fields_it_asks_for_and_no_other(code: str) -> None:
    fillable = SEEDED[code].fillable_fields
    filled = dict.fromkeys(fillable, "2026-02-01")
    given(CASE, CaseOpened(fields={})).when(_change(code, filled=filled)).then(
        _changed(code, T2, filled=filled, changes={name: Change(new=new) for name, new in filled.items()})
    )
    refused = (
        given(CASE, OPENED).when(_change(code, filled={"cargo": "x"})).raises(InvalidCommand, field="filled.cargo")
    )
    assert refused.hint
    assert all(name in refused.hint for name in fillable)


def test_an_english_status_fills_nothing() -> None:
    given(CASE, OPENED).when(_change("completed", filled={"rnm_number": "1"})).raises(
        InvalidCommand, field="filled.rnm_number"
    )


def test_a_filled_value_must_have_the_shape_of_its_field() -> None:
    past = given(CASE, OPENED)
    past.when(_change("em_renovacao", filled={"deadline_date": "soon"})).raises(
        InvalidCommand, field="filled.deadline_date"
    )
    past.when(_change("deferido", filled={"mre_office_number": 7})).raises(
        InvalidCommand, field="filled.mre_office_number"
    )


PROTOCOL = "protocol_number"


def _filled(value: str, at: datetime, code: str = "em_tramite") -> ChangeCaseStatus:
    return _change(code, at, filled={PROTOCOL: value})


def test_what_is_filled_becomes_a_field_of_the_case() -> None:
    state = _after(_filled(" 47 ", T1))
    assert state.fields == {"passport_id": "p1", PROTOCOL: "47"}
    assert _after(_filled("47", T1), _filled("48", T2, "juntada_documento")).fields[PROTOCOL] == "48"


def test_a_status_sets_the_field_it_fills_whatever_it_is() -> None:
    """Also one that was changed apart from the history since an earlier status filled it."""
    by_hand = UpdateCase(case_id=CASE_ID, changes={PROTOCOL: "by hand"})
    assert _after(by_hand, _filled("47", T1)).fields[PROTOCOL] == "47"
    past = _given(_filled("47", T1), by_hand)
    state = past.when(_filled("48", T2, "juntada_documento")).then(
        _changed(
            "juntada_documento", T2, previous="em_tramite", follows=2, filled={PROTOCOL: "48"},
            changes={PROTOCOL: Change(old="by hand", new="48")},
        )
    )  # fmt: skip
    assert state.fields[PROTOCOL] == "48"
    assert _after(_filled("47", T1), by_hand, _filled("47", T2, "juntada_documento")).fields[PROTOCOL] == "47"


def test_a_late_entry_does_not_take_back_what_a_later_status_filled() -> None:
    state = (
        _given(_filled("late", T3))
        .when(_filled("early", T1, "juntada_documento"))
        .then(_changed("juntada_documento", T1, precedes=2, filled={PROTOCOL: "early"}))
    )
    assert state.fields[PROTOCOL] == "late"
    state = _after(_change("rnm", T3), _filled("early", T1))  # none that fills it follows
    assert state.fields[PROTOCOL] == "early"


def test_a_correction_of_what_was_filled() -> None:
    state = _given(_filled("47", T1)).when(_correct(2, filled={PROTOCOL: "48"})).then(
        CaseStatusCorrected(
            entry=2, left_between=(None, None), status="em_tramite", effective_at=T1, day=T1.date(),
            now=StatusNow(entry=3, status="em_tramite", since=T1, day=T1.date()),
            filled={PROTOCOL: "48"}, changes={PROTOCOL: Change(old="47", new="48")}, reason="misread",
        )
    )  # fmt: skip
    assert state.fields[PROTOCOL] == "48"
    assert _after(_filled("47", T1), _correct(2, filled={PROTOCOL: None})).fields == {"passport_id": "p1"}
    _given(_filled("47", T1)).when(_correct(2, filled={PROTOCOL: " 47"})).nothing()


def test_a_field_left_out_of_a_correction_stays_filled() -> None:
    filled = {"dou_number": "1", "dou_page": "2"}
    past = _history(_change("publicado_dou", T1, filled=filled))
    for said in ({}, {"status": "publicado_dou"}, {"status": "diario_oficial"}):
        state = CASE.fold(past)
        [corrected] = CASE.decide(state, _correct(2, filled={"dou_page": "3"}, **said))
        assert isinstance(corrected, CaseStatusCorrected)
        assert corrected.filled == {"dou_number": "1", "dou_page": "3"}
        assert corrected.changes == {"dou_page": Change(old="2", new="3")}
    given(CASE, *past).when(_correct(2, filled={})).nothing()


def test_a_correction_fills_further_fields_only_where_it_names_the_status() -> None:
    past = _given(_change("publicado_dou", T1, filled={"dou_number": "1"}))
    refused = past.when(_correct(2, filled={"dou_page": "2"})).raises(InvalidCommand, field="status")
    assert refused.hint
    assert "dou_page" in refused.hint
    past.when(_correct(2, filled={"shoe_size": "2"})).raises(InvalidCommand, field="filled.shoe_size")
    past.when(_correct(2, status="publicado_dou", filled={"rnm_number": "2"})).raises(
        InvalidCommand, field="filled.rnm_number"
    )
    state = CASE.fold(_history(_change("publicado_dou", T1, filled={"dou_number": "1"})))
    [corrected] = CASE.decide(state, _correct(2, status="publicado_dou", filled={"dou_page": "2"}))
    assert isinstance(corrected, CaseStatusCorrected)
    assert corrected.filled == {"dou_number": "1", "dou_page": "2"}


def test_a_corrected_status_keeps_of_the_filled_fields_those_it_may_fill() -> None:
    state = _after(_filled("47", T1), _correct(2, status="juntada_documento"))
    assert state.fields[PROTOCOL] == "47"
    state = _after(_filled("47", T1), _correct(2, status="rnm"))
    assert state.fields == {"passport_id": "p1"}
    assert state.timeline.active
    assert state.timeline.active.details.filled == {}


def test_a_later_refill_is_kept_when_an_earlier_entry_is_corrected_or_removed() -> None:
    past = (_filled("47", T1), _filled("48", T2, "juntada_documento"))
    for undo in (_correct(2, filled={PROTOCOL: "1"}), _correct(2, status="rnm"), _remove(2)):
        assert _after(*past, undo).fields[PROTOCOL] == "48"


def test_what_an_earlier_status_filled_holds_again_when_the_later_is_taken_out() -> None:
    past = (_filled("47", T1), _filled("48", T2, "juntada_documento"))
    for undo in (_correct(3, filled={PROTOCOL: ""}), _correct(3, status="rnm"), _remove()):
        assert _after(*past, undo).fields[PROTOCOL] == "47"


def test_a_correction_of_the_time_decides_anew_who_filled_last() -> None:
    past = (_filled("47", T1), _filled("48", T2, "juntada_documento"))
    state = _after(*past, _correct(2, effective_at=T3))
    assert (state.fields[PROTOCOL], _active(state)) == ("47", "em_tramite")


def test_a_field_changed_by_hand_since_is_left_alone() -> None:
    past = (_filled("47", T1), UpdateCase(case_id=CASE_ID, changes={PROTOCOL: "by hand"}))
    for undo in (_correct(2, filled={PROTOCOL: "48"}), _correct(2, status="rnm"), _remove()):
        assert _after(*past, undo).fields[PROTOCOL] == "by hand"


def test_removal_withdraws_what_was_filled() -> None:
    state = (
        _given(_filled("47", T1))
        .when(_remove())
        .then(
            CaseStatusRemoved(
                entry=2, effective_at=T1, changes={PROTOCOL: Change(old="47", new=None)}, reason="another case"
            )
        )
    )
    assert state.fields == {"passport_id": "p1"}


# --- corrections ------------------------------------------------------------------------------------------------------

_ONE = (_change("em_preparacao", T1, notes="n"), _change("em_tramite", T2), _change("deferido", T3))


def _corrected(entry: int, status: str, at: datetime, **said: Any) -> CaseStatusCorrected:
    return CaseStatusCorrected(entry=entry, status=status, effective_at=at, day=at.date(), reason="misread", **said)


def test_a_wrong_status_is_put_right_and_stays_visible() -> None:
    now = StatusNow(entry=4, status="deferido", since=T3, day=T3.date())
    state = (
        _given(*_ONE)
        .when(_correct(3, status="exigencia"))
        .then(_corrected(3, "exigencia", T2, left_between=(2, 4), follows=2, precedes=4, now=now))
    )
    assert _line(state) == [(2, "em_preparacao"), (5, "exigencia"), (4, "deferido")]
    assert state.timeline.superseded == {3: 5}
    now = StatusNow(entry=5, status="rnm", since=T3, day=T3.date())
    state = (
        _given(*_ONE)
        .when(_correct(4, status="rnm"))
        .then(_corrected(4, "rnm", T3, left_between=(3, None), follows=3, now=now))
    )
    assert _active(state) == "rnm"


def test_a_wrong_time_moves_the_entry() -> None:
    now = StatusNow(entry=5, status="em_preparacao", since=T4, day=T4.date())
    state = (
        _given(*_ONE)
        .when(_correct(2, effective_at=T4))
        .then(_corrected(2, "em_preparacao", T4, left_between=(None, 3), follows=4, now=now, notes="n"))
    )
    assert _line(state) == [(3, "em_tramite"), (4, "deferido"), (5, "em_preparacao")]
    state = _after(*_ONE, _correct(4, effective_at=T1 - DAY))
    assert _line(state) == [(5, "deferido"), (2, "em_preparacao"), (3, "em_tramite")]
    assert _active(state) == "em_tramite"


def test_notes_are_put_right_or_taken_out() -> None:
    now = StatusNow(entry=4, status="deferido", since=T3, day=T3.date())
    between = {"left_between": (None, 3), "precedes": 3, "now": now}
    past = _given(*_ONE)
    past.when(_correct(2, notes="m")).then(_corrected(2, "em_preparacao", T1, notes="m", **between))
    past.when(_correct(2, notes=None)).then(_corrected(2, "em_preparacao", T1, **between))
    past.when(_correct(2, notes=" ")).then(_corrected(2, "em_preparacao", T1, **between))
    past.when(_correct(3, effective_at=T2, notes="")).nothing()


def test_a_correction_that_changes_nothing() -> None:
    past = _given(*_ONE)
    nothing: list[dict[str, Any]] = [{}, {"filled": {}}]
    for same in (*nothing, {"status": "em_preparacao"}, {"effective_at": T1}, {"notes": "n"}):
        past.when(_correct(2, **same)).nothing()


def test_a_correction_is_not_held_against_the_table() -> None:
    """It says what was, not what may be done."""
    past = _given(_change("pending_documents", T1), _change("documents_submitted", T2))
    now = StatusNow(entry=4, status="completed", since=T2, day=T2.date())
    past.when(_correct(3, status="completed")).then(
        _corrected(3, "completed", T2, left_between=(2, None), follows=2, now=now)
    )


def test_a_correction_keeps_its_place_among_entries_of_the_same_time() -> None:
    past = (_change("em_tramite", T1), _change("deferido", T1))
    state = _after(*past, _correct(2, notes="misspelt"))
    assert _line(state) == [(4, "em_tramite"), (3, "deferido")]
    assert _active(state) == "deferido"
    state = _after(*past, _correct(2, status="exigencia"), _correct(4, status="rnm"), _change("publicado_dou", T1))
    assert _line(state) == [(5, "rnm"), (3, "deferido"), (6, "publicado_dou")]


def test_a_removed_entry_leaves_its_place_among_entries_of_the_same_time() -> None:
    past = (_change("em_tramite", T1), _change("deferido", T1))
    state = (
        _given(*past)
        .when(_remove(2))
        .then(CaseStatusRemoved(entry=2, effective_at=T1, precedes=3, reason="another case"))
    )
    assert _line(state) == [(4, None), (3, "deferido")]
    assert _active(state) == "deferido"


def test_the_day_a_legacy_record_named_is_kept_unless_the_time_is_corrected() -> None:
    dated = _changed("exigencia", T2).model_copy(update={"day": date(2026, 3, 9)})
    state = CASE.fold([OPENED, dated])
    [corrected] = CASE.decide(state, _correct(2, notes="x"))
    assert isinstance(corrected, CaseStatusCorrected)
    assert (corrected.day, corrected.now and corrected.now.day) == (date(2026, 3, 9), date(2026, 3, 9))
    [corrected] = CASE.decide(state, _correct(2, effective_at=T3))
    assert isinstance(corrected, CaseStatusCorrected)
    assert corrected.day == T3.date()


def test_an_entry_that_says_nobody_knows_is_put_right_by_naming_a_status() -> None:
    past = _given(_change("deferido", T1), _remove())
    past.when(_correct(3, notes="x")).raises(InvalidCommand, field="status")
    now = StatusNow(entry=4, status="rnm", since=T1, day=T1.date())
    past.when(_correct(3, status="rnm")).then(_corrected(3, "rnm", T1, left_between=(None, None), now=now))


def test_putting_an_earlier_entry_right_leaves_the_status_undetermined() -> None:
    past = _given(_change("em_tramite", T1), _change("deferido", T2), _remove())
    state = past.when(_correct(2, status="exigencia")).then(
        _corrected(2, "exigencia", T1, left_between=(None, 4), precedes=4, now=None)
    )
    assert _active(state) is None


def test_only_entries_in_force_can_be_put_right() -> None:
    past = _given(*_ONE, _correct(3, status="exigencia"))
    for undo in (_correct(3, notes="x"), _remove(3)):
        refused = past.when(undo).raises(RuleViolated, field="entry")
        assert refused.hint == "correct entry 5"
    for number in (1, 6, 99):
        for undo in (_correct(number, notes="x"), _remove(number)):
            refused = past.when(undo).raises(NotFound, field="entry")
            assert refused.hint == "in force are: 2, 5, 4"
    refused = given(CASE, OPENED).when(_remove(1)).raises(NotFound, field="entry")
    assert refused.hint == "in force are: none"


def test_an_entry_an_import_found_overruled_is_visible_and_not_in_force() -> None:
    overruled = _changed("rnm", T3, superseded_by=2)
    state = CASE.fold([OPENED, _changed("deferido", T1), overruled])
    assert (_line(state), state.timeline.superseded) == ([(2, "deferido")], {3: 2})
    given(CASE, OPENED, _changed("deferido", T1), overruled).when(_remove(3)).raises(RuleViolated, field="entry")


# --- removal ----------------------------------------------------------------------------------------------------------


def test_a_removed_status_promotes_nothing() -> None:
    state = (
        _given(*_ONE)
        .when(_remove())
        .then(CaseStatusRemoved(entry=4, effective_at=T3, follows=3, reason="another case"))
    )
    assert _line(state) == [(2, "em_preparacao"), (3, "em_tramite"), (5, None)]
    assert (_active(state), state.timeline.superseded) == (None, {4: 5})


def test_an_earlier_entry_can_be_removed() -> None:
    state = (
        _given(*_ONE)
        .when(_remove(3))
        .then(CaseStatusRemoved(entry=3, effective_at=T2, follows=2, precedes=4, reason="another case"))
    )
    assert _line(state) == [(2, "em_preparacao"), (5, None), (4, "deferido")]
    assert _active(state) == "deferido"


def test_where_the_status_is_undetermined_there_is_none_to_remove() -> None:
    given(CASE, OPENED).when(_remove()).raises(RuleViolated, field="entry")
    past = _given(_change("deferido", T1), _remove())
    past.when(_remove()).raises(RuleViolated, field="entry")
    past.when(_remove(3)).nothing()
    past.when(_remove(2)).raises(RuleViolated, field="entry")


def test_after_a_removal_any_status_may_come() -> None:
    past = _given(_change("completed", T1), _remove())
    past.when(_change("pending_documents", T2)).then(_changed("pending_documents", T2, follows=3))
    past.when(_change("completed", T2)).then(_changed("completed", T2, follows=3))


# --- fields, closing, conflicts ---------------------------------------------------------------------------------------


def test_fields_change_apart_from_the_history() -> None:
    state = (
        given(CASE, OPENED)
        .when(UpdateCase(case_id=CASE_ID, changes={"cargo": " Eng ", "passport_id": None}))
        .then(CaseUpdated(changes={"cargo": Change(new="Eng"), "passport_id": Change(old="p1")}))
    )
    assert state.fields == {"cargo": "Eng"}
    given(CASE, OPENED).when(UpdateCase(case_id=CASE_ID, changes={"passport_id": "p1 ", "cargo": ""})).nothing()
    given(CASE, OPENED).when(UpdateCase(case_id=CASE_ID, changes={"status": "rnm"})).raises(
        InvalidCommand, field="changes.status"
    )


def test_a_closed_case_takes_no_changes_until_it_is_reopened() -> None:
    close, reopen = CloseCase(case_id=CASE_ID, reason="old"), ReopenCase(case_id=CASE_ID, reason="new")
    assert not given(CASE, OPENED).when(close).then(CaseClosed(reason="old")).is_current
    given(CASE, OPENED).when(reopen).nothing()
    for closed in ((OPENED, CaseClosed(reason="old")), (OPENED.model_copy(update={"is_current": False}),)):
        past = given(CASE, *closed)
        past.when(close).nothing()
        for command in (_change("deferido"), UpdateCase(case_id=CASE_ID, changes={"cargo": "x"})):
            refused = past.when(command).raises(RuleViolated, field="case_id")
            assert refused.hint
            assert "ReopenCase" in refused.hint
        state = past.when(reopen).then(CaseReopened(reason="new"))
        assert state.is_current
        assert CASE.decide(state, _change("deferido"))


def test_the_history_of_a_closed_case_can_be_put_right() -> None:
    closed = _history(_change("deferido", T1), CloseCase(case_id=CASE_ID, reason="old"))
    assert CASE.decide(CASE.fold(closed), _correct(2, notes="x"))
    assert CASE.decide(CASE.fold(closed), _remove())


def test_what_an_import_found_to_differ_is_settled_once() -> None:
    over = CaseConflictRecorded(field="status", values=("deferido", "rnm"), chosen="deferido", rule="status_rank")
    settle = SettleCaseConflict(case_id=CASE_ID, field="status", reason="asked")
    state = given(CASE, OPENED, over).when(settle).then(CaseConflictSettled(field="status", reason="asked"))
    assert state.conflicts == {}
    refused = given(CASE, OPENED).when(settle).raises(RuleViolated, field="field")
    assert refused.hint == "open: none"
    other = given(CASE, OPENED, over).when(settle.model_copy(update={"field": "notes"}))
    assert other.raises(RuleViolated, field="field").hint == "open: status"


# --- what was erased --------------------------------------------------------------------------------------------------

_TOPICS = [topic for topic in EVENTS if topic.startswith("case.")]


@pytest.mark.parametrize("topic", _TOPICS)
def test_every_event_is_folded_also_where_all_of_it_was_erased(topic: str) -> None:
    past = [OPENED, _changed("em_tramite", filled={PROTOCOL: "47"})]
    event = EVENTS[topic]
    erased = type(event)(**{**event.__dict__, **dict.fromkeys(personal_fields(type(event)), ERASED)})
    state = CASE.fold([*past, erased])
    assert state.version == 3
    for command in (_change("deferido", NOW), _remove(), UpdateCase(case_id=CASE_ID, changes={"cargo": "x"})):
        try:
            CASE.fold(CASE.decide(replace(state, is_current=True), command), state)
        except CommandRejected:
            assert state.timeline.active is None
            assert isinstance(command, RemoveCaseStatus)


def test_an_entry_that_was_erased_keeps_its_status_and_place() -> None:
    changed = _changed("em_tramite").model_copy(update={"notes": ERASED, "filled": ERASED, "changes": ERASED})
    state = CASE.fold([CaseOpened(fields=ERASED), changed])
    assert (state.fields, _active(state)) == ({}, "em_tramite")
    assert state.timeline.active
    assert (state.timeline.active.details.notes, state.timeline.active.details.filled) == (None, {})


# --- laws -------------------------------------------------------------------------------------------------------------

_times = st.integers(0, 6).map(lambda hours: T1 + timedelta(hours=hours))
_codes = st.sampled_from(["em_tramite", "juntada_documento", "rnm", "completed", "cancelled", "pending_documents", "?"])
_numbers = st.integers(1, 12)
_fills = st.fixed_dictionaries({}, optional={PROTOCOL: st.sampled_from(["47", "48", ""])})
_commands = st.one_of(
    st.builds(_change, _codes, _times, notes=st.none() | st.just("n"), filled=_fills),
    st.builds(lambda entry, said: _correct(entry, **said), _numbers, st.fixed_dictionaries(
        {}, optional={"status": _codes, "effective_at": _times, "notes": st.none() | st.just("m"), "filled": _fills}
    )),
    st.builds(_remove, st.none() | _numbers),
    st.builds(lambda value: UpdateCase(case_id=CASE_ID, changes={PROTOCOL: value}), st.sampled_from(["hand", None])),
    st.sampled_from([CloseCase(case_id=CASE_ID, reason="x"), ReopenCase(case_id=CASE_ID, reason="x")]),
)  # fmt: skip
Entry = tuple[datetime, int, int, str | None]
"""When, its place among those of that time, its number, its status."""


class _Model:
    """A status history kept the plain way: all entries in a list, sorted anew each time."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.superseded: dict[int, int] = {}

    def numbers(self) -> list[int | None]:
        return [None, *(number for _, _, number, _ in sorted(self.entries, key=lambda entry: entry[:2])), None]

    def neighbours(self, number: int) -> tuple[int | None, int | None]:
        numbers = self.numbers()
        place = numbers.index(number)
        return numbers[place - 1], numbers[place + 1]

    def now(self) -> Entry | None:
        last = max(self.entries, key=lambda entry: entry[:2], default=None)
        return last if last and last[3] is not None else None

    def take(self, wrong: int, by: int, at: datetime, status: str | None) -> None:
        [old] = [entry for entry in self.entries if entry[2] == wrong]
        self.entries.remove(old)
        self.superseded[wrong] = by
        self.entries.append((at, old[1] if old[0] == at else by, by, status))


@settings(max_examples=100)
@for_any(st.lists(_commands, max_size=14))
def test_after_any_commands_there_is_one_active_status_or_none(commands: list[Command]) -> None:
    model, state, events = _Model(), CASE.fold([OPENED]), [OPENED]
    for command in commands:
        try:
            decided = CASE.decide(state, command)
        except CommandRejected:
            continue
        for event in decided:
            _follow(model, event, len(events) + 1)
            events.append(event)  # type: ignore[arg-type]
            state = CASE.evolve(state, event)
        assert state == CASE.fold(events)
        _agree(model, state)
    assert {event.topic for event in events} <= set(_TOPICS)


def _follow(model: _Model, event: DomainEvent, number: int) -> None:
    match event:
        case CaseStatusChanged():
            model.entries.append((event.effective_at, number, number, event.status))
        case CaseStatusCorrected():
            assert event.left_between == model.neighbours(event.entry)
            model.take(event.entry, number, event.effective_at, event.status)
            now = model.now()
            assert (event.now and (event.now.entry, event.now.status, event.now.since)) == (
                now and (now[2], now[3], now[0])
            )
        case CaseStatusRemoved():
            stood_between = model.neighbours(event.entry)
            model.take(event.entry, number, event.effective_at, None)
            assert (event.follows, event.precedes) == stood_between
        case _:
            return
    assert (event.follows, event.precedes) == model.neighbours(number)


def _agree(model: _Model, state: CaseState) -> None:
    ordered = sorted(model.entries, key=lambda entry: entry[:2])
    assert _line(state) == [(number, status) for _, _, number, status in ordered]
    assert [entry.at for entry in state.timeline.entries] == [at for at, _, _, _ in ordered]
    assert state.timeline.superseded == model.superseded
    now = model.now()
    assert _active(state) == (now and now[3])
    in_force = [entry.number for entry in state.timeline.entries]
    assert len(set(in_force)) == len(in_force)
    assert not set(in_force) & state.timeline.superseded.keys()


@for_any(st.lists(st.builds(_change, st.sampled_from(CASE_CODES[:4]), _times), max_size=10))
def test_late_entries_end_in_the_same_history_as_timely_ones(commands: list[ChangeCaseStatus]) -> None:
    """Where no table forbids: given in any order, the statuses in force through time are the same."""
    timely = sorted(commands, key=lambda command: command.effective_at or NOW)
    assert _periods(_after(*commands)) == _periods(_after(*timely))


def _periods(state: CaseState) -> list[tuple[datetime, str | None]]:
    """Return from when on which status held, without entries that held for no time or said nothing new."""
    found: Mapping[datetime, str | None] = {entry.at: entry.status for entry in state.timeline.entries}
    periods: list[tuple[datetime, str | None]] = []
    for at, status in found.items():
        if not periods or periods[-1][1] != status:
            periods.append((at, status))
    return periods


def test_a_status_may_name_fields_nobody_knows() -> None:
    """An import keeps such names; they can not be filled, and are in nobody's way."""
    names = ("observacoes", "dou_page")
    own = StatusDefinition(catalogue="case_codes", code="exigencia", name="E", fillable_fields=names)
    state = replace(CASE.fold([OPENED]), statuses={status_id("exigencia"): StatusState(own)})
    [changed] = CASE.decide(state, _change("exigencia", filled={"dou_page": "3"}))
    assert isinstance(changed, CaseStatusChanged)
    assert changed.filled == {"dou_page": "3"}
    with pytest.raises(InvalidCommand):
        CASE.decide(state, _change("exigencia", filled={"observacoes": "x"}))
