"""Get-or-create and sync from an authentication service, and the limits of deck profiles and phones."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from domain.access import Actor
from domain.account import (
    ACCOUNT,
    AccountRegistered,
    AccountUpdated,
    ActiveProfileSwitched,
    ChangeContact,
    ContactChanged,
    ProfileAdded,
    RegisterAccount,
    UpdateAccount,
)
from domain.errors import AccessDenied, InvalidCommand, RuleViolated
from domain.event import Change
from domain.identity import EnsureProfile, SyncIdentity
from domain.kinds.deck import KIND
from domain.profile import PROFILE, ArchiveProfile, CreateProfile, ProfileCreated, ProfileUpdated, UpdateProfile
from domain.service import Dossier
from domain.streams import merged_profile_id
from tests.support.examples import ACCOUNT_ID as ADA
from tests.support.examples import OTHER_PROFILE_ID, PROFILE_ID
from tests.support.given_when_then import given

DECK = merged_profile_id(ADA, "deck")
REGISTERED = AccountRegistered(email="ada@example.org", details={"full_name": "Ada", "first_name": "Ada"})
CREATED = ProfileCreated(account_id=ADA, kind="deck", fields={"bio": "Owl", "job_title": "Analyst"})


def _ensure(**more: Any) -> EnsureProfile:
    return EnsureProfile(account_id=ADA, kind="deck", **more)


def test_what_is_not_there_is_made_from_the_identity_and_the_fields() -> None:
    command = _ensure(email="ada@example.org", name="Ada L.", first_name=" ", fields={"bio": "Owl"})
    given(ACCOUNT).when(command).then(
        AccountRegistered(email="ada@example.org", details={"full_name": "Ada L."}),
        ProfileAdded(profile_id=DECK, kind="deck"),
        ActiveProfileSwitched(profile_id=DECK, previous=None),
    )
    given(PROFILE).when(command).then(ProfileCreated(account_id=ADA, kind="deck", fields={"bio": "Owl"}))


def test_an_account_that_is_there_stays_as_it_is_and_gets_the_profile() -> None:
    given(ACCOUNT, REGISTERED).when(_ensure(email="other@example.org")).then(
        ProfileAdded(profile_id=DECK, kind="deck"), ActiveProfileSwitched(profile_id=DECK, previous=None)
    )


def _state(dossier: Dossier, stream: UUID) -> list[Any]:
    return [recorded.event for recorded in dossier.store.load([stream])[stream]]


def test_ensuring_twice_has_one_effect_whatever_made_the_profile(dossier: Dossier) -> None:
    account, other = dossier.new_id(), dossier.new_id()
    person = Actor.of_account(account)
    first = dossier.execute(EnsureProfile(account_id=account, kind="deck", email="a@example.org"), actor=person)
    assert first.stream == merged_profile_id(account, "deck")
    again = dossier.execute(EnsureProfile(account_id=account, kind="deck", fields={"bio": "x"}), actor=person)
    assert (first.events, again.events) == (4, 0)
    dossier.execute(RegisterAccount(account_id=other), actor=Actor.of_account(other))
    made = CreateProfile(account_id=other, profile_id=dossier.new_id(), kind="deck")
    dossier.execute(made, actor=Actor.of_account(other))
    assert dossier.execute(EnsureProfile(account_id=other, kind="deck"), actor=Actor.of_account(other)).events == 0
    with pytest.raises(AccessDenied):
        dossier.execute(EnsureProfile(account_id=other, kind="deck"), actor=person)
    put_away = ArchiveProfile(account_id=account, profile_id=first.stream, reason="no longer")
    dossier.execute(put_away, actor=person)
    with pytest.raises(RuleViolated):
        dossier.execute(EnsureProfile(account_id=account, kind="deck"), actor=person)
    assert len(_state(dossier, first.stream)) == 2


@pytest.mark.parametrize(
    ("said", "events"),
    [
        ({}, []),
        ({"email": " ", "full_name": None, "name": ""}, []),
        ({"email": "ada@example.org", "name": "Ada", "first_name": "Ada"}, []),
        (
            {"email": "ADA@example.org"},
            [ContactChanged(changes={"email": Change(old="ada@example.org", new="ADA@example.org")})],
        ),
        ({"name": "A. L."}, [AccountUpdated(changes={"full_name": Change(old="Ada", new="A. L.")})]),
        ({"name": "ignored", "full_name": "Ada"}, []),
        (
            {"phone": "+4144", "last_name": "L."},
            [
                ContactChanged(changes={"phone": Change(old=None, new="+4144")}),
                AccountUpdated(changes={"last_name": Change(old=None, new="L.")}),
            ],
        ),
    ],
)
def test_only_what_the_identity_says_otherwise_becomes_an_event(said: dict[str, Any], events: list[Any]) -> None:
    decision = given(ACCOUNT, REGISTERED).when(SyncIdentity(account_id=ADA, **said))
    decision.then(*events) if events else decision.nothing()


@pytest.mark.parametrize(
    ("field", "limit", "within"),
    [
        ("bio", 1000, True),
        ("company_name", 100, True),
        ("job_title", 100, True),
        ("master_system_prompt", 2000, True),
        ("target_audience", 9000, False),
        ("business_context", 9000, False),
    ],
)
def test_exactly_the_limit_passes_and_one_more_does_not(field: str, limit: int, within: bool) -> None:
    at_limit, beyond = (
        UpdateProfile(profile_id=PROFILE_ID, changes={field: "x" * size}) for size in (limit, limit + 1)
    )
    given(PROFILE, CREATED).when(at_limit).decide()
    if within:
        given(PROFILE, CREATED).when(beyond).raises(InvalidCommand, field=f"changes.{field}")
    else:
        given(PROFILE, CREATED).when(beyond).decide()


@pytest.mark.parametrize("value", ["example.org/a.png", "/a.png", "not a url", "https://exa mple.org", "http://[::1"])
@pytest.mark.parametrize("field", ["avatar_url", "profile_picture_url", "logo_url"])
def test_a_picture_is_an_absolute_url_or_none(field: str, value: str) -> None:
    wrong = UpdateProfile(profile_id=PROFILE_ID, changes={field: value})
    given(PROFILE, CREATED).when(wrong).raises(InvalidCommand, field=f"changes.{field}")
    for right in ("https://example.org/a.png", "", None):
        given(PROFILE, CREATED).when(UpdateProfile(profile_id=PROFILE_ID, changes={field: right})).decide()


def test_metrics_are_a_list_of_at_most_twenty() -> None:
    for wrong in (["x"] * 21, "x", [1]):
        command = UpdateProfile(profile_id=PROFILE_ID, changes={"key_metrics": wrong})
        given(PROFILE, CREATED).when(command).raises(InvalidCommand, field="changes.key_metrics")
    given(PROFILE, CREATED).when(UpdateProfile(profile_id=PROFILE_ID, changes={"key_metrics": ["x"] * 20})).decide()


@pytest.mark.parametrize("phone", ["1" * 21, "ada@example.org"])
def test_a_phone_is_short_and_no_email(phone: str) -> None:
    for command in (ChangeContact(account_id=ADA, phone=phone), SyncIdentity(account_id=ADA, phone=phone)):
        given(ACCOUNT, REGISTERED).when(command).raises(InvalidCommand, field="phone")
    given(ACCOUNT).when(RegisterAccount(account_id=ADA, phone=phone)).raises(InvalidCommand, field="phone")
    given(ACCOUNT, REGISTERED).when(ChangeContact(account_id=ADA, phone="1" * 20)).decide()


def test_a_full_name_has_a_limit_too() -> None:
    long = "x" * 101
    sync = SyncIdentity(account_id=ADA, full_name=long)
    given(ACCOUNT, REGISTERED).when(sync).raises(InvalidCommand, field="full_name")
    update = UpdateAccount(account_id=ADA, changes={"full_name": long})
    given(ACCOUNT, REGISTERED).when(update).raises(InvalidCommand, field="changes.full_name")
    given(ACCOUNT, REGISTERED).when(UpdateAccount(account_id=ADA, changes={"full_name": long[1:]})).decide()


def test_an_update_names_only_what_changed() -> None:
    given(PROFILE, CREATED).when(
        UpdateProfile(profile_id=PROFILE_ID, changes={"bio": " Owl ", "job_title": None})
    ).then(ProfileUpdated(changes={"job_title": Change(old="Analyst", new=None)}))
    same = UpdateProfile(profile_id=OTHER_PROFILE_ID, changes={"bio": "Owl", "industry": "", "brand_colors": {}})
    given(PROFILE, CREATED).when(same).nothing()


def test_how_complete_a_deck_profile_is() -> None:
    assert KIND.completeness({}) == (0, ("company_name", "industry", "job_title", "key_metrics"))
    full = {"company_name": "x", "industry": "Finance", "job_title": "y", "key_metrics": ["z"]}
    assert KIND.completeness(full) == (100, ())
