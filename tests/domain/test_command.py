from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from domain.account import AccountRegistered
from domain.command import COMMAND_TYPES, Command, parse_command
from domain.errors import CommandRejected, InvalidCommand
from domain.event import ERASED, EVENT_TYPES, Change, DomainEvent, Erased, known, personal_fields
from domain.service import AGGREGATES
from domain.streams import ACCESS_STREAM, imported_id, intent_id, merged_profile_id, migration_id, status_id
from tests.support.examples import ACCOUNT_ID as ADA
from tests.support.examples import CASE_ID, COMMANDS, EVENTS, OTHER_ACCOUNT_ID, PROFILE_ID

PERSONAL = [(topic, field) for topic, event in sorted(EVENTS.items()) for field in sorted(personal_fields(type(event)))]


def test_there_is_an_example_of_every_command() -> None:
    assert set(COMMANDS) == set(COMMAND_TYPES)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_survives_its_json(name: str) -> None:
    data = json.loads(COMMANDS[name].model_dump_json(exclude_unset=True))
    parsed = parse_command(name, data)
    assert parsed == COMMANDS[name]
    assert parsed.model_fields_set == COMMANDS[name].model_fields_set


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_names_who_decides_on_it(name: str) -> None:
    participants = COMMANDS[name].participants()
    assert participants
    assert {participant.aggregate for participant in participants} <= set(AGGREGATES)
    assert len({participant.stream for participant in participants}) == len(participants)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_takes_no_fields_it_does_not_have_and_has_a_schema(name: str) -> None:
    data = json.loads(COMMANDS[name].model_dump_json(exclude_unset=True))
    with pytest.raises(InvalidCommand) as refused:
        parse_command(name, data | {"surprise": 1})
    assert refused.value.field == "surprise"
    schema = COMMAND_TYPES[name].model_json_schema()
    assert schema["additionalProperties"] is False
    assert schema["description"]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_is_frozen(name: str) -> None:
    field = next(iter(COMMANDS[name].model_fields_set))
    with pytest.raises(ValidationError):
        setattr(COMMANDS[name], field, "x")


ACCOUNT = str(ADA)
PROFILE = str(PROFILE_ID)
CASE = str(CASE_ID)


@pytest.mark.parametrize(
    ("name", "data", "field"),
    [
        ("registeraccount", {}, "command"),
        ("_AccountCommand", {}, "command"),
        ("Command", {}, "command"),
        ("RegisterAccount", {}, "account_id"),
        ("RegisterAccount", None, None),
        ("RegisterAccount", [], None),
        ("RegisterAccount", "{}", None),
        ("RegisterAccount", {"account_id": "ada"}, "account_id"),
        ("RegisterAccount", {"account_id": ACCOUNT, "email": 5}, "email"),
        ("RegisterAccount", {"account_id": ACCOUNT, "email": "x" * 501}, "email"),
        ("RegisterAccount", {"account_id": ACCOUNT, "name": "a\0b"}, "name"),
        ("RegisterAccount", {"account_id": ACCOUNT, "name": "\ud800"}, "name"),
        ("GrantRole", {"account_id": ACCOUNT, "role": "Admin"}, "role"),
        ("GrantRole", {"account_id": ACCOUNT, "role": ""}, "role"),
        ("DeactivateAccount", {"account_id": ACCOUNT}, "reason"),
        ("DeactivateAccount", {"account_id": ACCOUNT, "reason": "  "}, "reason"),
        ("DeactivateAccount", {"account_id": ACCOUNT, "reason": "x" * 1001}, "reason"),
        ("CreateProfile", {"account_id": ACCOUNT, "profile_id": PROFILE}, "kind"),
        ("UpdateProfile", {"profile_id": PROFILE}, "changes"),
        ("UpdateProfile", {"profile_id": PROFILE, "changes": {"location": "a\0b"}}, "changes.location"),
        ("UpdateProfile", {"profile_id": PROFILE, "changes": {"beliefs": {"n": 2**63}}}, "changes.beliefs"),
        ("UpdateProfile", {"profile_id": PROFILE, "changes": {"beliefs": {"n": float("nan")}}}, "changes.beliefs"),
        ("UpdateProfile", {"profile_id": PROFILE, "changes": {"beliefs": {"n": {"\ud800": 1}}}}, "changes.beliefs"),
        ("VerifyProfile", {"profile_id": PROFILE, "status": "fine"}, "status"),
        ("DeclareIntent", {"account_id": ACCOUNT, "context": "Romantic"}, "context"),
        (
            "DeclareIntent",
            {"account_id": ACCOUNT, "context": "service", "tone_preference": "formal"},
            "tone_preference",
        ),
        ("ReviseIntent", {"account_id": ACCOUNT, "context": "service", "tone_preference": 1}, "tone_preference"),
        ("OpenCase", {"case_id": CASE, "fields": {"passport_id": "a\0b"}}, "fields.passport_id"),
        ("OpenCase", {"case_id": CASE, "effective_at": "2026-01-01T10:00"}, "effective_at"),
        ("ChangeCaseStatus", {"case_id": CASE}, "status"),
        ("ChangeCaseStatus", {"case_id": CASE, "status": "deferido", "notes": "x" * 1001}, "notes"),
        ("ChangeCaseStatus", {"case_id": CASE, "status": "deferido", "notes": "a\0b"}, "notes"),
        ("CorrectCaseStatus", {"case_id": CASE, "reason": "x"}, "entry"),
        ("CorrectCaseStatus", {"case_id": CASE, "entry": 0, "reason": "x"}, "entry"),
        ("CorrectCaseStatus", {"case_id": CASE, "entry": 1}, "reason"),
        ("RemoveCaseStatus", {"case_id": CASE, "reason": " "}, "reason"),
        ("CloseCase", {"case_id": CASE}, "reason"),
        ("ReopenCase", {"case_id": CASE}, "reason"),
        ("SettleCaseConflict", {"case_id": CASE, "reason": "x"}, "field"),
        ("RegisterCompany", {"company_id": CASE}, "fields"),
        ("AddCompanyMember", {"company_id": CASE}, "account_id"),
        ("EndCompanyMembership", {"company_id": CASE, "account_id": ACCOUNT}, "reason"),
        ("OpenCollective", {"collective_id": CASE}, "company_id"),
        ("DefineStatus", {"code": "Em trâmite", "catalogue": "case_codes", "name": "x"}, "code"),
        ("DefineStatus", {"code": "x" * 51, "catalogue": "case_codes", "name": "x"}, "code"),
        ("DefineStatus", {"code": "x\n", "catalogue": "case_codes", "name": "x"}, "code"),
        ("DefineStatus", {"code": "x", "catalogue": "", "name": "x"}, "catalogue"),
        ("DefineStatus", {"code": "x", "catalogue": "case_codes", "name": " "}, "name"),
        ("DefineStatus", {"code": "x", "catalogue": "case_codes", "name": "x", "colour": "red"}, "colour"),
        ("DefineStatus", {"code": "x", "catalogue": "case_codes", "name": "x", "sort_order": 10_000}, "sort_order"),
        ("DefineStatus", {"code": "x", "catalogue": "case_codes", "name": "x", "order": 100}, "order"),
        ("DefineStatus", {"code": "x", "catalogue": "case_codes", "name": "x", "may_go_to": ["A"]}, "may_go_to"),
        ("RetireStatus", {"code": "x"}, "reason"),
    ],
)
def test_an_error_names_the_field_at_fault(name: str, data: Any, field: str | None) -> None:
    with pytest.raises(InvalidCommand) as refused:
        parse_command(name, data)
    found = refused.value.field
    assert found == field or (field is not None and found is not None and found.startswith(f"{field}."))
    assert refused.value.hint


def test_an_error_never_quotes_the_value() -> None:
    with pytest.raises(InvalidCommand) as refused:
        parse_command("GrantRole", {"account_id": ACCOUNT, "role": "s3cret"})
    assert "s3cret" not in json.dumps(refused.value.as_dict())


def test_the_account_of_a_command() -> None:
    assert COMMANDS["GrantRole"].account() == ADA
    assert COMMANDS["UpdateProfile"].account() is None
    with pytest.raises(NotImplementedError):
        Command().participants()


# --- events ---------------------------------------------------------------------------------------------


def test_a_topic_is_registered_once() -> None:
    before = dict(EVENT_TYPES)
    with pytest.raises(ValueError, match=r"account\.registered.*twice"):

        class Again(DomainEvent, topic="account.registered"):
            pass

    assert before == EVENT_TYPES


def test_topics_are_noun_dot_past_tense() -> None:
    for topic, event_type in EVENT_TYPES.items():
        noun, _, verb = topic.partition(".")
        assert noun.isalpha(), topic
        assert verb.replace("_", "").isalpha(), topic
        assert event_type.topic == topic
        assert event_type.model_config["frozen"]


def test_no_json_reads_as_erased() -> None:
    for topic, field in PERSONAL:
        event_type = EVENT_TYPES[topic]
        data = json.loads(EVENTS[topic].model_dump_json()) | {field: {"erased": True}}
        try:
            value = getattr(event_type.model_validate_json(json.dumps(data)), field)
        except ValidationError:
            continue
        assert not isinstance(value, Erased)


def test_erased_is_written_and_described() -> None:
    event = AccountRegistered(email=ERASED)
    assert json.loads(event.model_dump_json())["email"] == {"erased": True}
    schema = type(event).model_json_schema()
    assert schema["properties"]["email"]["x-personal"] is True
    assert repr(ERASED) == "ERASED"
    assert known(ERASED) is None
    assert known("x") == "x"


def _decider_of(topic: str) -> str:
    return topic.partition(".")[0]


_PAST = {
    "account": ["account.registered", "account.profile_added"],
    "profile": ["profile.created", "profile.conflict_recorded"],
    "item": ["item.added"],
    "intent": ["intent.declared"],
    "conversation": ["conversation.started"],
    "billing": ["billing.opened"],
    "case": ["case.opened", "case.conflict_recorded"],
    "company": ["company.registered"],
    "status": ["status.defined"],
}


@pytest.mark.parametrize(("topic", "field"), PERSONAL)
def test_every_personal_field_may_be_erased(topic: str, field: str) -> None:
    event_type = EVENT_TYPES[topic]
    erased = event_type(**{**EVENTS[topic].__dict__, field: ERASED})
    assert getattr(erased, field) is ERASED
    noun = _decider_of(topic)
    if noun not in AGGREGATES:
        assert noun == "legacy"  # recorded snapshots are folded by read models alone
        return
    decider = AGGREGATES[noun]
    past: list[Any] = [] if topic == _PAST[noun][0] else [EVENTS[earlier] for earlier in _PAST[noun]]
    state = decider.fold([*past, erased])
    wholly = decider.fold([*past, event_type(**{**EVENTS[topic].__dict__, **_all_erased(event_type)})])
    for after in (state, wholly):
        assert after != decider.initial
        for command in COMMANDS.values():
            _decide_without_crash(decider, after, command)


def _all_erased(event_type: type[DomainEvent]) -> dict[str, Any]:
    return dict.fromkeys(personal_fields(event_type), ERASED)


def _decide_without_crash(decider: Any, state: Any, command: Command) -> None:
    try:
        events = decider.decide(state, command)
    except CommandRejected:
        return
    decider.fold(events, state)


def test_nothing_of_an_erased_profile_is_left_in_its_state() -> None:
    profile, intent = AGGREGATES["profile"], AGGREGATES["intent"]
    events: list[Any] = []
    for topic in ("profile.created", "profile.updated", "profile.conflict_recorded", "profile.conflict_resolved"):
        event_type = EVENT_TYPES[topic]
        events.append(event_type(**{**EVENTS[topic].__dict__, **_all_erased(event_type)}))
    state = profile.fold(events)
    assert state.fields == {}
    assert not any(state.conflicts.values())
    declared = EVENT_TYPES["intent.declared"]
    assert intent.fold([declared(**{**EVENTS["intent.declared"].__dict__, **_all_erased(declared)})]).fields == {}


def test_which_fields_are_personal() -> None:
    assert set(PERSONAL) == {
        ("account.registered", "email"),
        ("account.registered", "phone"),
        ("account.registered", "name"),
        ("account.registered", "details"),
        ("account.updated", "changes"),
        ("account.contact_changed", "changes"),
        ("account.deactivated", "reason"),
        ("profile.created", "fields"),
        ("profile.updated", "changes"),
        ("profile.verification_changed", "notes"),
        ("profile.archived", "reason"),
        ("profile.conflict_recorded", "field"),
        ("profile.conflict_recorded", "values"),
        ("profile.conflict_recorded", "chosen"),
        ("profile.conflict_resolved", "field"),
        ("profile.conflict_resolved", "value"),
        ("profile.conflict_resolved", "previous"),
        ("item.added", "fields"),
        ("item.updated", "changes"),
        ("item.removed", "reason"),
        ("intent.declared", "fields"),
        ("intent.declared", "tone_preference"),
        ("intent.revised", "changes"),
        ("intent.withdrawn", "reason"),
        ("conversation.message_recorded", "role"),
        ("conversation.message_recorded", "content"),
        ("conversation.history_summarised", "summary"),
        ("billing.opened", "fields"),
        ("billing.updated", "changes"),
        ("billing.subscription_started", "notes"),
        ("billing.subscription_started", "changes"),
        ("billing.subscription_status_changed", "notes"),
        ("billing.subscription_status_changed", "changes"),
        ("billing.subscription_cancelled", "notes"),
        ("billing.subscription_cancelled", "changes"),
        ("case.opened", "fields"),
        ("case.updated", "changes"),
        ("case.status_changed", "notes"),
        ("case.status_changed", "filled"),
        ("case.status_changed", "changes"),
        ("case.status_changed", "carried"),
        ("case.status_corrected", "notes"),
        ("case.status_corrected", "filled"),
        ("case.status_corrected", "changes"),
        ("case.status_corrected", "reason"),
        ("case.status_removed", "changes"),
        ("case.status_removed", "reason"),
        ("case.closed", "reason"),
        ("case.reopened", "reason"),
        ("case.conflict_recorded", "field"),
        ("case.conflict_recorded", "values"),
        ("case.conflict_recorded", "chosen"),
        ("case.conflict_settled", "field"),
        ("case.conflict_settled", "reason"),
        ("company.member_added", "role"),
        ("company.member_added", "fields"),
        ("company.membership_ended", "reason"),
        ("legacy.snapshot_recorded", "digest"),
        ("legacy.snapshot_recorded", "raw"),
        ("legacy.record_quarantined", "digest"),
        ("legacy.record_quarantined", "raw"),
        ("legacy.live_value_kept", "live"),
        ("legacy.live_value_kept", "legacy"),
    }


def test_changes_and_events_take_no_number_that_is_none() -> None:
    with pytest.raises(ValidationError):
        Change.model_validate({"old": 1, "new": 2, "other": 3})


# --- ids ------------------------------------------------------------------------------------------------


def test_stream_ids_never_change() -> None:
    """These ids stand in stored events: a change here is a change of identity."""
    assert str(ACCESS_STREAM) == "6bfd5d57-80f9-5ba2-8269-36273dbfff46"
    assert str(imported_id("account", "contexts", "User", "c1")) == "46b850c1-9955-5990-8350-b8ed63f66484"
    assert str(merged_profile_id(ADA, "personal")) == "2c1737ec-8fcb-5d3e-afff-ee67e48598e9"
    assert str(intent_id(ADA, "service")) == "68597bf0-4a3d-5975-8a24-8a4aa4f51d91"
    assert str(migration_id("contexts")) == "7ddeebbf-5f75-5c37-b271-9d532495003a"
    assert str(status_id("exigencia")) == "3906c181-d489-5db2-8d94-660139aac5e8"


def test_stream_ids_of_different_things_differ() -> None:
    ids = {
        imported_id(noun, "contexts", table, key)
        for noun in ("account", "snapshot", "quarantined")
        for table in ("User", "Profile")
        for key in ("1", "11", "1\x1f1")
    }
    assert len(ids) == 18
    assert merged_profile_id(ADA, "personal") != merged_profile_id(OTHER_ACCOUNT_ID, "personal")
    assert merged_profile_id(ADA, "service") != intent_id(ADA, "service")
