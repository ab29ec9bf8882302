from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example
from hypothesis import given as for_any
from hypothesis import strategies as st

from domain.errors import AlreadyExists, InvalidCommand, NotFound, RuleViolated
from domain.event import Change, DomainEvent
from domain.kinds import KINDS
from domain.profile import (
    PROFILE,
    ArchiveProfile,
    CreateProfile,
    ProfileArchived,
    ProfileConflictRecorded,
    ProfileConflictResolved,
    ProfileCreated,
    ProfileUpdated,
    ProfileVerificationChanged,
    ResolveConflict,
    UpdateProfile,
    Verification,
    VerifyProfile,
    value_at,
    with_value,
)
from tests.support.examples import ACCOUNT_ID as ADA
from tests.support.examples import COMMANDS, OTHER_ACCOUNT_ID, PROFILE_ID
from tests.support.given_when_then import given
from tests.support.json_values import changes_of, same

CREATED = ProfileCreated(account_id=ADA, kind="personal", fields={"location": "Bern", "beliefs": {"diet": "any"}})
ARCHIVED = ProfileArchived(reason="not needed")
OVER_LOCATION = ProfileConflictRecorded(
    field="location", values=("Bern", "Basel"), chosen="Bern", rule="first_non_empty"
)
OVER_DIET = ProfileConflictRecorded(
    field="beliefs/diet", values=("vegan", "any", 1), chosen="any", rule="last_writer_wins"
)
ON_PROFILES = {
    name: command
    for name, command in COMMANDS.items()
    if any(participant.aggregate == "profile" for participant in command.participants())
}


def _create(**fields: Any) -> CreateProfile:
    return CreateProfile(profile_id=PROFILE_ID, account_id=ADA, kind="personal", fields=fields)


def _update(**changes: Any) -> UpdateProfile:
    return UpdateProfile(profile_id=PROFILE_ID, changes=changes)


def _resolve(field: str, value: Any) -> ResolveConflict:
    return ResolveConflict(profile_id=PROFILE_ID, field=field, value=value)


def test_a_profile_is_created_with_its_set_fields_in_normal_form() -> None:
    command = _create(
        location="  Gene\u0300ve ",
        age_range=" ",
        name=None,
        core_values=["calm", " ", "", "Calm "],
        constraints=[],
        beliefs={"diet": "any", "faith": "", "none": None},
        lifestyle={},
    )
    created = ProfileCreated(
        account_id=ADA,
        kind="personal",
        fields={"location": "Gen\u00e8ve", "core_values": ["calm", "Calm "], "beliefs": {"diet": "any"}},
    )
    state = given(PROFILE).when(command).then(created)
    assert (state.account_id, state.kind, state.archived) == (ADA, "personal", False)
    assert PROFILE.owner(state) == ADA


def test_a_profile_may_be_empty_or_outside_its_vocabulary() -> None:
    given(PROFILE).when(_create()).then(ProfileCreated(account_id=ADA, kind="personal", fields={}))
    given(PROFILE).when(_create(age_range="early 30s")).then(
        ProfileCreated(account_id=ADA, kind="personal", fields={"age_range": "early 30s"})
    )


@pytest.mark.parametrize("past", [[CREATED], [CREATED, ARCHIVED]])
def test_a_profile_is_created_once(past: list[DomainEvent]) -> None:
    given(PROFILE, *past).when(_create()).raises(AlreadyExists, field="profile_id")


def test_the_kind_is_strict() -> None:
    command = CreateProfile(profile_id=PROFILE_ID, account_id=ADA, kind="Personal")
    refused = given(PROFILE).when(command).raises(InvalidCommand, field="kind")
    assert refused.hint
    assert "personal" in refused.hint


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("relationship_timeline", "open_to_soon"),
        ("Location", "Bern"),
        ("location", 3000),
        ("location", ["Bern"]),
        ("location", {"city": "Bern"}),
        ("location", True),
        ("core_values", "calm"),
        ("core_values", ["calm", 1]),
        ("core_values", ["calm", None]),
        ("core_values", {"first": "calm"}),
        ("beliefs", ["green"]),
        ("beliefs", "green"),
        ("lifestyle", 1.5),
    ],
)
def test_fields_the_kind_does_not_have_or_of_a_wrong_shape_are_refused(field: str, value: Any) -> None:
    given(PROFILE).when(_create(**{field: value})).raises(InvalidCommand, field=f"fields.{field}")
    given(PROFILE, CREATED).when(_update(**{field: value})).raises(InvalidCommand, field=f"changes.{field}")


@pytest.mark.parametrize("name", sorted(ON_PROFILES.keys() - {"CreateProfile", "CompleteOnboarding", "EnsureProfile"}))
def test_nothing_is_done_to_a_profile_nobody_created(name: str) -> None:
    given(PROFILE).when(ON_PROFILES[name]).raises(NotFound, field="profile_id")


@pytest.mark.parametrize("name", ["UpdateProfile", "VerifyProfile", "ResolveConflict"])
def test_an_archived_profile_stays_as_it_is(name: str) -> None:
    given(PROFILE, CREATED, OVER_LOCATION, ARCHIVED).when(COMMANDS[name]).raises(RuleViolated, field="profile_id")


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - ON_PROFILES.keys()))
def test_a_profile_does_not_decide_on_what_does_not_name_it(name: str) -> None:
    given(PROFILE, CREATED).when(COMMANDS[name]).raises(InvalidCommand, field=None)


def test_an_update_carries_only_what_changed() -> None:
    given(PROFILE, CREATED).when(_update(location=" Bern", age_range="25-34", beliefs=None, lifestyle={})).then(
        ProfileUpdated(
            changes={
                "age_range": Change(old=None, new="25-34"),
                "beliefs": Change(old={"diet": "any"}, new=None),
            }
        )
    )


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"location": "Bern"},
        {"location": " Bern\t"},
        {"name": None},
        {"lifestyle": {"a": ""}},
        {"core_values": [""]},
    ],
)
def test_an_update_that_changes_nothing(changes: dict[str, Any]) -> None:
    given(PROFILE, CREATED).when(_update(**changes)).nothing()


def test_true_is_not_one() -> None:
    one = ProfileCreated(account_id=ADA, kind="personal", fields={"lifestyle": {"smokes": 1}})
    state = (
        given(PROFILE, one)
        .when(_update(lifestyle={"smokes": True}))
        .then(ProfileUpdated(changes={"lifestyle": Change(old={"smokes": 1}, new={"smokes": True})}))
    )
    assert state.fields["lifestyle"]["smokes"] is True


@pytest.mark.parametrize("status", [status for status in Verification if status != Verification.UNVERIFIED])
def test_checking_a_profile_is_recorded_with_what_it_was(status: Verification) -> None:
    verify = VerifyProfile(profile_id=PROFILE_ID, status=status, notes=" seen ")
    event = ProfileVerificationChanged(status=status, previous=Verification.UNVERIFIED, notes="seen")
    assert given(PROFILE, CREATED).when(verify).then(event).verification == status
    given(PROFILE, CREATED, event).when(verify).nothing()
    again = VerifyProfile(profile_id=PROFILE_ID, status=status, notes="seen again")
    given(PROFILE, CREATED, event).when(again).then(
        ProfileVerificationChanged(status=status, previous=status, follows=2, notes="seen again")
    )
    back = VerifyProfile(profile_id=PROFILE_ID, status=Verification.UNVERIFIED)
    given(PROFILE, CREATED, event).when(back).then(
        ProfileVerificationChanged(status=Verification.UNVERIFIED, previous=status, follows=2)
    )


def test_a_verification_names_the_one_before_it_whatever_came_between() -> None:
    pending = ProfileVerificationChanged(status=Verification.PENDING, previous=Verification.UNVERIFIED)
    between = ProfileUpdated(changes={"location": Change(old="Bern", new="Basel")})
    verify = VerifyProfile(profile_id=PROFILE_ID, status=Verification.VERIFIED)
    verified = ProfileVerificationChanged(status=Verification.VERIFIED, previous=Verification.PENDING, follows=3)
    state = given(PROFILE, CREATED, between, pending, between).when(verify).then(verified)
    assert (state.version, state.verified_by) == (5, 5)
    given(PROFILE, CREATED, pending).when(_update(location="Basel")).then(between)


def test_a_profile_is_archived_once_and_by_its_own_account() -> None:
    command = ArchiveProfile(profile_id=PROFILE_ID, account_id=ADA, reason="not needed")
    assert given(PROFILE, CREATED).when(command).then(ARCHIVED).archived
    given(PROFILE, CREATED, ARCHIVED).when(command).nothing()
    foreign = command.model_copy(update={"account_id": OTHER_ACCOUNT_ID})
    given(PROFILE, CREATED).when(foreign).raises(RuleViolated, field="account_id")
    given(PROFILE, CREATED, ARCHIVED).when(foreign).raises(RuleViolated, field="account_id")


def test_a_conflict_is_settled_by_choosing_among_its_values() -> None:
    resolved = ProfileConflictResolved(field="location", value="Basel", previous="Bern")
    state = given(PROFILE, CREATED, OVER_LOCATION, OVER_DIET).when(_resolve("location", "Basel")).then(resolved)
    assert state.fields["location"] == "Basel"
    assert list(state.conflicts) == ["beliefs/diet"]


def test_the_chosen_value_may_be_confirmed() -> None:
    state = (
        given(PROFILE, CREATED, OVER_LOCATION)
        .when(_resolve("location", "Bern"))
        .then(ProfileConflictResolved(field="location", value="Bern", previous="Bern"))
    )
    assert state.conflicts == {}


def test_one_key_of_an_object_is_settled_and_the_others_stay() -> None:
    created = ProfileCreated(account_id=ADA, kind="personal", fields={"beliefs": {"diet": "any", "faith": "none"}})
    resolved = ProfileConflictResolved(field="beliefs/diet", value="vegan", previous="any")
    state = given(PROFILE, created, OVER_DIET).when(_resolve("beliefs/diet", "vegan")).then(resolved)
    assert state.fields == {"beliefs": {"diet": "vegan", "faith": "none"}}


def test_a_conflict_is_settled_once() -> None:
    resolved = ProfileConflictResolved(field="location", value="Basel", previous="Bern")
    given(PROFILE, CREATED, OVER_LOCATION, resolved).when(_resolve("location", "Bern")).raises(
        RuleViolated, field="field"
    )


@pytest.mark.parametrize("field", ["location", "beliefs", "beliefs/faith", "nothing/at/all"])
def test_only_an_open_conflict_can_be_settled(field: str) -> None:
    refused = given(PROFILE, CREATED, OVER_DIET).when(_resolve(field, "any")).raises(RuleViolated, field="field")
    assert refused.hint
    assert "beliefs/diet" in refused.hint


@pytest.mark.parametrize("value", ["Vegan", "", None, True, ["vegan"], {"vegan": "any"}])
def test_only_a_value_that_was_found_can_be_chosen(value: Any) -> None:
    given(PROFILE, CREATED, OVER_DIET).when(_resolve("beliefs/diet", value)).raises(InvalidCommand, field="value")


def test_a_key_may_hold_slashes_and_none_unsets_it() -> None:
    assert with_value({}, "beliefs/a/b", 1) == {"beliefs": {"a/b": 1}}
    assert value_at({"beliefs": {"a/b": 1}}, "beliefs/a/b") == 1
    assert value_at({}, "beliefs/a") is None
    assert with_value({"beliefs": {"a": 1, "b": 2}}, "beliefs/a", None) == {"beliefs": {"b": 2}}
    assert with_value({"beliefs": {"a": 1}}, "beliefs/a", None) == {}
    assert with_value({"location": "Bern"}, "location", None) == {}


# --- laws -----------------------------------------------------------------------------------------------


@for_any(st.lists(changes_of(KINDS["personal"].fields), max_size=4), changes_of(KINDS["personal"].fields))
@example([{"lifestyle": {"smokes": 1}}], {"lifestyle": {"smokes": True}})
@example([{"lifestyle": {"smokes": 0.0}}], {"lifestyle": {"smokes": False}})
def test_updates_are_exact_and_repeating_one_changes_nothing(
    history: list[dict[str, Any]], changes: dict[str, Any]
) -> None:
    state = PROFILE.fold([ProfileCreated(account_id=ADA, kind="personal", fields={})])
    for earlier in history:
        state = PROFILE.fold(PROFILE.decide(state, _update(**earlier)), state)
    command = _update(**changes)
    events = PROFILE.decide(state, command)
    after = PROFILE.fold(events, state)
    for event in events:
        assert isinstance(event, ProfileUpdated)
        assert isinstance(event.changes, dict)
        assert event.changes
        assert event.changes.keys() <= changes.keys()
        for name, change in event.changes.items():
            assert not same(change.old, change.new)
            assert same(change.old, state.fields.get(name))
            assert same(change.new, after.fields.get(name))
    for name, shape in KINDS["personal"].fields.items():
        wanted = shape.normal(changes[name]) if name in changes else state.fields.get(name)
        assert same(after.fields.get(name), wanted)
    assert PROFILE.decide(after, command) == []


@for_any(changes_of(KINDS["personal"].fields))
def test_a_profile_created_with_fields_equals_an_empty_one_that_was_given_them(fields: dict[str, Any]) -> None:
    created = PROFILE.fold(PROFILE.decide(PROFILE.initial, _create(**fields)))
    empty = PROFILE.fold(PROFILE.decide(PROFILE.initial, _create()))
    updated = PROFILE.fold(PROFILE.decide(empty, _update(**fields)), empty)
    assert same(created.fields, updated.fields)
