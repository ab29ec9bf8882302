from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from domain.contexts import CONTEXTS, Context, Tone
from domain.errors import InvalidCommand, NotFound, RuleViolated
from domain.event import Change, DomainEvent
from domain.intent import (
    INTENT,
    DeclareIntent,
    IntentDeclared,
    IntentRevised,
    IntentWithdrawn,
    ReviseIntent,
    WithdrawIntent,
)
from domain.streams import intent_id
from tests.support.examples import ACCOUNT_ID as ADA
from tests.support.examples import COMMANDS, OTHER_ACCOUNT_ID
from tests.support.given_when_then import given
from tests.support.json_values import changes_of, same

SERVICE = Context.SERVICE
DECLARED = IntentDeclared(
    account_id=ADA, context="service", fields={"service_type": "seeking"}, tone_preference="light"
)
WITHDRAWN = IntentWithdrawn()


def _declare(context: Context = SERVICE, **fields: Any) -> DeclareIntent:
    return DeclareIntent(account_id=ADA, context=context, fields=fields)


def _revise(changes: dict[str, Any], **tone: Any) -> ReviseIntent:
    return ReviseIntent(account_id=ADA, context=SERVICE, changes=changes, **tone)


def test_an_intent_is_declared_with_its_set_fields() -> None:
    command = DeclareIntent(
        account_id=ADA,
        context=SERVICE,
        fields={"service_type": " seeking ", "budget_range": None, "timeline_needed": ""},
        tone_preference=Tone.LIGHT,
    )
    state = given(INTENT).when(command).then(DECLARED)
    assert state.declared
    assert state.fields == {"service_type": "seeking", "tone_preference": "light"}
    assert INTENT.owner(state) == ADA


def test_an_intent_may_be_empty_or_outside_the_offered_values() -> None:
    given(INTENT).when(_declare()).then(IntentDeclared(account_id=ADA, context="service", fields={}))
    given(INTENT).when(_declare(budget_range="whatever it takes")).then(
        IntentDeclared(account_id=ADA, context="service", fields={"budget_range": "whatever it takes"})
    )


def test_there_is_one_intent_an_account_and_context() -> None:
    given(INTENT, DECLARED).when(_declare()).raises(RuleViolated, field="context")
    ids = {
        DeclareIntent(account_id=account, context=context).participants()[0].stream
        for account in (ADA, OTHER_ACCOUNT_ID)
        for context in Context
    }
    assert len(ids) == 2 * len(Context)
    assert intent_id(ADA, Context.SERVICE) == intent_id(ADA, "service")


def test_an_intent_withdrawn_can_be_declared_anew() -> None:
    state = (
        given(INTENT, DECLARED, WITHDRAWN)
        .when(_declare(timeline_needed="weeks"))
        .then(IntentDeclared(account_id=ADA, context="service", fields={"timeline_needed": "weeks"}))
    )
    assert state.fields == {"timeline_needed": "weeks"}


@pytest.mark.parametrize("past", [[], [DECLARED, WITHDRAWN]])
@pytest.mark.parametrize("name", ["ReviseIntent", "WithdrawIntent"])
def test_only_a_declared_intent_can_be_changed(past: list[DomainEvent], name: str) -> None:
    given(INTENT, *past).when(COMMANDS[name]).raises(NotFound, field="context")


@pytest.mark.parametrize("reason", [None, "found somebody"])
def test_an_intent_is_withdrawn(reason: str | None) -> None:
    command = WithdrawIntent(account_id=ADA, context=SERVICE, reason=reason)
    assert not given(INTENT, DECLARED).when(command).then(IntentWithdrawn(reason=reason)).declared


def test_a_revision_carries_only_what_changed() -> None:
    given(INTENT, DECLARED).when(
        _revise({"service_type": "seeking", "budget_range": "1k_5k"}, tone_preference=Tone.LIGHT)
    ).then(IntentRevised(changes={"budget_range": Change(old=None, new="1k_5k")}))


def test_the_tone_is_revised_cleared_or_left() -> None:
    given(INTENT, DECLARED).when(_revise({}, tone_preference=Tone.SERIOUS)).then(
        IntentRevised(changes={"tone_preference": Change(old="light", new="serious")})
    )
    state = (
        given(INTENT, DECLARED)
        .when(_revise({}, tone_preference=None))
        .then(IntentRevised(changes={"tone_preference": Change(old="light", new=None)}))
    )
    assert state.fields == {"service_type": "seeking"}
    given(INTENT, DECLARED).when(_revise({})).nothing()


def test_a_tone_an_import_kept_can_be_revised() -> None:
    imported = IntentDeclared(account_id=ADA, context="service", fields={}, tone_preference="formal")
    given(INTENT, imported).when(_revise({}, tone_preference=Tone.LIGHT)).then(
        IntentRevised(changes={"tone_preference": Change(old="formal", new="light")})
    )


def test_the_tone_is_no_field() -> None:
    given(INTENT).when(_declare(tone_preference="light")).raises(InvalidCommand, field="fields.tone_preference")
    given(INTENT, DECLARED).when(_revise({"tone_preference": "light"})).raises(
        InvalidCommand, field="changes.tone_preference"
    )


@pytest.mark.parametrize("context", Context)
def test_a_field_of_another_context_is_refused(context: Context) -> None:
    foreign = {name for shape in CONTEXTS.values() for name in shape.fields} - CONTEXTS[context].fields.keys()
    assert foreign
    for name in foreign:
        given(INTENT).when(_declare(context, **{name: "x"})).raises(InvalidCommand, field=f"fields.{name}")
        declared = IntentDeclared(account_id=ADA, context=context, fields={})
        revise = ReviseIntent(account_id=ADA, context=context, changes={name: "x"})
        given(INTENT, declared).when(revise).raises(InvalidCommand, field=f"changes.{name}")


@pytest.mark.parametrize("value", [1, True, ["seeking"], {"is": "seeking"}])
def test_a_field_of_a_wrong_shape_is_refused(value: Any) -> None:
    given(INTENT).when(_declare(service_type=value)).raises(InvalidCommand, field="fields.service_type")
    given(INTENT, DECLARED).when(_revise({"service_type": value})).raises(InvalidCommand, field="changes.service_type")


def test_skills_are_a_list_of_texts() -> None:
    state = (
        given(INTENT)
        .when(_declare(Context.PROFESSIONAL, complementary_skills=["law", "", "Law"]))
        .then(IntentDeclared(account_id=ADA, context="professional", fields={"complementary_skills": ["law", "Law"]}))
    )
    assert state.fields["complementary_skills"] == ["law", "Law"]
    given(INTENT).when(_declare(Context.PROFESSIONAL, complementary_skills="law")).raises(
        InvalidCommand, field="fields.complementary_skills"
    )


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"DeclareIntent", "ReviseIntent", "WithdrawIntent"}))
def test_an_intent_does_not_decide_on_what_does_not_name_it(name: str) -> None:
    given(INTENT, DECLARED).when(COMMANDS[name]).raises(InvalidCommand, field=None)


@for_any(st.data(), st.sampled_from(Context))
def test_revisions_are_exact_and_repeating_one_changes_nothing(data: st.DataObject, context: Context) -> None:
    fields = changes_of(CONTEXTS[context].fields)
    state = INTENT.fold(INTENT.decide(INTENT.initial, _declare(context, **data.draw(fields))))
    changes = data.draw(fields)
    tone = data.draw(st.fixed_dictionaries({}, optional={"tone_preference": st.none() | st.sampled_from(Tone)}))
    command = ReviseIntent(account_id=ADA, context=context, changes=changes, **tone)
    events = INTENT.decide(state, command)
    after = INTENT.fold(events, state)
    for event in events:
        assert isinstance(event, IntentRevised)
        assert isinstance(event.changes, dict)
        assert event.changes
        for name, change in event.changes.items():
            assert name in changes or name in tone
            assert not same(change.old, change.new)
            assert same(change.old, state.fields.get(name))
            assert same(change.new, after.fields.get(name))
    assert INTENT.decide(after, command) == []
