"""What a case is opened with, and what changes it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from pydantic import ValidationError

from domain.case import (
    CASE,
    CaseClosed,
    CaseConflictRecorded,
    CaseConflictSettled,
    CaseOpened,
    CaseReopened,
    CaseStatusChanged,
    CaseUpdated,
    ChangeCaseStatus,
    CloseCase,
    Deadlines,
    OpenCase,
    RemoveCaseStatus,
    ReopenCase,
    SettleCaseConflict,
    UpdateCase,
    deadlines,
)
from domain.command import Command, Participant
from domain.errors import AlreadyExists, CommandRejected, InvalidCommand, NotFound, RuleViolated, TransitionForbidden
from domain.event import ERASED, Change, personal_fields
from domain.status_catalogue import SEEDED
from tests.support.examples import ACCOUNT_ID as ADA
from tests.support.examples import CASE_ID, COLLECTIVE_ID, COMMANDS, COMPANY_ID, EVENTS
from tests.support.given_when_then import given
from tests.support.one_case import (
    NOW,
    OPENED,
    PROTOCOL,
    T1,
    T2,
    T3,
    TOPICS,
    active_in,
    change,
    correct,
    entries_of,
    given_after,
    history_after,
    opening,
    remove,
    state_after,
    status_changed,
)

ON_CASES = {
    name: command
    for name, command in COMMANDS.items()
    if any(participant.aggregate == "case" for participant in command.participants())
}


# --- opening ----------------------------------------------------------------------------------------------------------


def test_a_case_is_opened_with_its_set_fields_in_normal_form() -> None:
    command = opening(
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
        .when(opening(collective_id=COLLECTIVE_ID))
        .then(CaseOpened(person_id=ADA, collective_id=COLLECTIVE_ID, fields={}))
    )
    assert CASE.parent(state) == Participant("collective", COLLECTIVE_ID)
    with pytest.raises(ValidationError, match="company of its own"):
        opening(company_id=COMPANY_ID, collective_id=COLLECTIVE_ID)


def test_what_a_case_belongs_to_takes_part_in_opening_it() -> None:
    case = Participant("case", CASE_ID)
    assert opening().participants() == (case,)
    assert opening(company_id=COMPANY_ID).participants() == (case, Participant("company", COMPANY_ID))
    assert opening(collective_id=COLLECTIVE_ID).participants() == (case, Participant("collective", COLLECTIVE_ID))
    assert opening().account() == ADA


def test_a_case_may_be_opened_with_its_first_status() -> None:
    first = CaseStatusChanged(status="em_preparacao", effective_at=T1, day=T1.date(), notes="complete")
    state = (
        given(CASE)
        .when(opening(status="em_preparacao", notes=" complete ", effective_at=T1))
        .then(CaseOpened(person_id=ADA, fields={}), first)
    )
    assert entries_of(state) == [(2, "em_preparacao")]


def test_a_case_is_not_opened_where_something_is_wrong() -> None:
    given(CASE, OPENED).when(opening()).raises(AlreadyExists, field="case_id")
    given(CASE).when(opening(fields={"shoe_size": "42"})).raises(InvalidCommand, field="fields.shoe_size")
    given(CASE).when(opening(fields={"passport_id": 1})).raises(InvalidCommand, field="fields.passport_id")
    given(CASE).when(opening(fields={"dou_date": "31/01/2026"})).raises(InvalidCommand, field="fields.dou_date")
    given(CASE).when(opening(notes="x", effective_at=T1)).raises(InvalidCommand, field="notes")
    given(CASE).when(opening(status="aprovado", effective_at=T1)).raises(InvalidCommand, field="status")
    given(CASE).when(opening(status="deferido")).raises(InvalidCommand, field="effective_at")


@pytest.mark.parametrize("name", sorted(ON_CASES.keys() - {"OpenCase"}))
def test_a_case_that_was_never_opened_decides_on_nothing(name: str) -> None:
    given(CASE).when(ON_CASES[name]).raises(NotFound, field="case_id")


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - ON_CASES))
def test_a_case_does_not_decide_on_what_is_not_about_it(name: str) -> None:
    given(CASE, OPENED).when(COMMANDS[name]).raises(InvalidCommand, field=None)


# --- changing ---------------------------------------------------------------------------------------------------------


def test_the_day_of_an_evening_change_is_that_of_sao_paulo() -> None:
    evening = datetime(2026, 3, 11, 1, 30, tzinfo=UTC)
    state = (
        given(CASE, OPENED)
        .when(change("exigencia", evening))
        .then(CaseStatusChanged(status="exigencia", effective_at=evening, day=date(2026, 3, 10)))
    )
    assert state.timeline.active
    assert deadlines("exigencia", state.timeline.active.details.day) == (date(2026, 4, 8), date(2026, 4, 2))
    summer = datetime(2018, 12, 2, 1, 59, tzinfo=UTC)
    [changed] = CASE.decide(CASE.fold([OPENED]), change("exigencia", summer))
    assert isinstance(changed, CaseStatusChanged)
    assert changed.day == date(2018, 12, 1)


def test_the_same_status_of_the_same_time_says_nothing_new_unless_something_is_added() -> None:
    past = given_after(change("deferido", T1))
    past.when(change("deferido", T1)).nothing()
    past.when(change("deferido", T1, notes=" ")).nothing()
    past.when(change("deferido", T1, filled={"mre_office_number": " "})).nothing()
    past.when(change("deferido", T1, notes="again")).then(
        status_changed("deferido", T1, previous="deferido", follows=2, notes="again")
    )
    number = {"mre_office_number": "7"}
    past.when(change("deferido", T1, filled=number)).then(
        status_changed(
            "deferido",
            T1,
            previous="deferido",
            follows=2,
            filled=number,
            changes={"mre_office_number": Change(new="7")},
        )
    )
    given_after(change("deferido", T1), remove()).when(change("deferido", T1)).then(
        status_changed("deferido", T1, follows=3)
    )


def test_the_same_status_at_a_later_time_is_kept() -> None:
    """It says that the status held then, also once a late entry comes between or the one before is corrected."""
    state = (
        given_after(change("completed", T1))
        .when(change("completed", T3))
        .then(status_changed("completed", T3, previous="completed", follows=2))
    )
    assert entries_of(state) == [(2, "completed"), (3, "completed")]
    between = state_after(change("deferido", T1), change("deferido", T3), change("exigencia", T2))
    assert active_in(between) == "deferido"


def test_a_late_entry_takes_its_place() -> None:
    state = (
        given_after(change("em_preparacao", T1), change("deferido", T3))
        .when(change("em_tramite", T2))
        .then(status_changed("em_tramite", T2, previous="em_preparacao", follows=2, precedes=3))
    )
    assert entries_of(state) == [(2, "em_preparacao"), (4, "em_tramite"), (3, "deferido")]
    assert active_in(state) == "deferido"
    given_after(change("deferido", T3)).when(change("em_tramite", T1)).then(
        status_changed("em_tramite", T1, precedes=2)
    )


def test_a_late_entry_of_the_same_status_is_kept() -> None:
    given_after(change("em_tramite", T1), change("deferido", T3)).when(change("em_tramite", T2)).then(
        status_changed("em_tramite", T2, previous="em_tramite", follows=2, precedes=3)
    )


def test_a_late_entry_must_be_allowed_after_the_one_before_it() -> None:
    past = given_after(change("pending_documents", T1), change("documents_submitted", T3))
    past.when(change("documents_approved", T2)).raises(TransitionForbidden, field="status")
    past.when(change("cancelled", T2)).then(
        status_changed("cancelled", T2, previous="pending_documents", follows=2, precedes=3)
    )


def test_of_two_entries_at_one_time_the_one_recorded_later_stands_later() -> None:
    state = (
        given_after(change("em_tramite", T1))
        .when(change("deferido", T1))
        .then(status_changed("deferido", T1, previous="em_tramite", follows=2))
    )
    assert active_in(state) == "deferido"


def test_a_status_is_given_with_a_time() -> None:
    command = ChangeCaseStatus(case_id=CASE_ID, status="deferido")
    given(CASE, OPENED).when(command).raises(InvalidCommand, field="effective_at")
    assert command.at(NOW).effective_at == NOW
    assert change("deferido", T1).at(NOW).effective_at == T1
    assert change("deferido", NOW).at(NOW).effective_at == NOW
    local = ChangeCaseStatus.model_validate(
        {"case_id": str(CASE_ID), "status": "deferido", "effective_at": "2026-03-10T09:00:00-03:00"}
    )
    assert (local.effective_at, local.effective_at and local.effective_at.tzinfo) == (T1, UTC)


@pytest.mark.parametrize(
    "command",
    [opening(status="deferido", effective_at=T2), change("deferido", T2), correct(2, effective_at=T2)],
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
    assert correct(2, notes="x").at(NOW).effective_at is None


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_beyond_the_calendar_is_an_invalid_command(moment: str) -> None:
    with pytest.raises(ValidationError, match="point in time"):
        ChangeCaseStatus.model_validate({"case_id": str(CASE_ID), "status": "deferido", "effective_at": moment})


def test_a_status_at_the_ends_of_the_calendar() -> None:
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    state = state_after(change("exigencia", first))
    assert state.timeline.active
    assert state.timeline.active.details.day == date(1, 1, 1)
    given(CASE, OPENED).when(change("exigencia", last)).then(status_changed("exigencia", last))


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
        for command in (change("deferido"), UpdateCase(case_id=CASE_ID, changes={"cargo": "x"})):
            refused = past.when(command).raises(RuleViolated, field="case_id")
            assert refused.hint
            assert "ReopenCase" in refused.hint
        state = past.when(reopen).then(CaseReopened(reason="new"))
        assert state.is_current
        assert CASE.decide(state, change("deferido"))


def test_the_history_of_a_closed_case_can_be_put_right() -> None:
    closed = history_after(change("deferido", T1), CloseCase(case_id=CASE_ID, reason="old"))
    assert CASE.decide(CASE.fold(closed), correct(2, notes="x"))
    assert CASE.decide(CASE.fold(closed), remove())


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


@pytest.mark.parametrize("topic", TOPICS)
def test_every_event_is_folded_also_where_all_of_it_was_erased(topic: str) -> None:
    past = [OPENED, status_changed("em_tramite", filled={PROTOCOL: "47"})]
    event = EVENTS[topic]
    erased = type(event)(**{**event.__dict__, **dict.fromkeys(personal_fields(type(event)), ERASED)})
    state = CASE.fold([*past, erased])
    assert state.version == 3
    for command in (change("deferido", NOW), remove(), UpdateCase(case_id=CASE_ID, changes={"cargo": "x"})):
        try:
            CASE.fold(CASE.decide(replace(state, is_current=True), command), state)
        except CommandRejected:
            assert state.timeline.active is None
            assert isinstance(command, RemoveCaseStatus)


def test_an_entry_that_was_erased_keeps_its_status_and_place() -> None:
    changed = status_changed("em_tramite").model_copy(update={"notes": ERASED, "filled": ERASED, "changes": ERASED})
    state = CASE.fold([CaseOpened(fields=ERASED), changed])
    assert (state.fields, active_in(state)) == ({}, "em_tramite")
    assert state.timeline.active
    assert (state.timeline.active.details.notes, state.timeline.active.details.filled) == (None, {})
