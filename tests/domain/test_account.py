from __future__ import annotations

from uuid import UUID

import pytest

from domain.access import BootstrapAdmin, Role
from domain.account import (
    ACCOUNT,
    AccountDeactivated,
    AccountErased,
    AccountRegistered,
    AccountUpdated,
    ActiveProfileSwitched,
    ChangeContact,
    ContactChanged,
    DeactivateAccount,
    EraseAccount,
    GrantRole,
    ProfileAdded,
    ProfileRemoved,
    RegisterAccount,
    RevokeRole,
    RoleGranted,
    RoleRevoked,
    SwitchActiveProfile,
    UpdateAccount,
)
from domain.command import Command
from domain.errors import AlreadyExists, InvalidCommand, NotFound, RuleViolated
from domain.event import Change, DomainEvent
from domain.profile import ArchiveProfile, CreateProfile
from tests.support.examples import ACCOUNT_ID as ADA
from tests.support.examples import COMMANDS, OTHER_PROFILE_ID, PROFILE_ID
from tests.support.given_when_then import given

REGISTERED = AccountRegistered(email="ada@example.org", name="Ada")
DEACTIVATED = AccountDeactivated(reason="asked for it")
ADDED = ProfileAdded(profile_id=PROFILE_ID, kind="personal")
ACTIVE = ActiveProfileSwitched(profile_id=PROFILE_ID, previous=None)
OTHER_ADDED = ProfileAdded(profile_id=OTHER_PROFILE_ID, kind="personal")

ON_ACCOUNTS = {
    name: command
    for name, command in COMMANDS.items()
    if any(participant.aggregate == "account" for participant in command.participants())
}


def _create(profile: UUID) -> CreateProfile:
    return CreateProfile(account_id=ADA, profile_id=profile, kind="personal")


def _archive(profile: UUID) -> ArchiveProfile:
    return ArchiveProfile(account_id=ADA, profile_id=profile, reason="not needed")


def test_an_account_is_registered_with_its_contact_in_normal_form() -> None:
    command = RegisterAccount(account_id=ADA, email=" ada@example.org\n", phone="  ", name="Zoe\u0308")
    state = given(ACCOUNT).when(command).then(AccountRegistered(email="ada@example.org", name="Zo\u00eb"))
    assert state.exists
    assert state.active
    assert state.contact == {"email": "ada@example.org", "name": "Zo\u00eb"}


def test_an_account_needs_no_contact() -> None:
    given(ACCOUNT).when(RegisterAccount(account_id=ADA)).then(AccountRegistered())


@pytest.mark.parametrize("past", [[REGISTERED], [REGISTERED, DEACTIVATED]])
def test_an_account_is_registered_once(past: list[DomainEvent]) -> None:
    given(ACCOUNT, *past).when(COMMANDS["RegisterAccount"]).raises(AlreadyExists, field="account_id")


@pytest.mark.parametrize("name", sorted(ON_ACCOUNTS.keys() - {"RegisterAccount", "EnsureProfile", "EraseAccount"}))
def test_nothing_is_done_to_an_account_nobody_registered(name: str) -> None:
    given(ACCOUNT).when(ON_ACCOUNTS[name]).raises(NotFound, field="account_id")


@pytest.mark.parametrize("name", sorted(ON_ACCOUNTS.keys() - {"RegisterAccount", "DeactivateAccount", "EraseAccount"}))
def test_nothing_is_done_to_an_account_that_was_closed(name: str) -> None:
    given(ACCOUNT, REGISTERED, DEACTIVATED).when(ON_ACCOUNTS[name]).raises(RuleViolated, field="account_id")


def test_a_person_is_erased_once_also_from_a_closed_account_and_nothing_follows() -> None:
    erase = EraseAccount(account_id=ADA, reason="request 17")
    erased = AccountErased(reason="request 17")
    for past in ([REGISTERED], [REGISTERED, DEACTIVATED]):
        state = given(ACCOUNT, *past, RoleGranted(role=Role.ADMIN)).when(erase).then(erased)
        assert (state.active, state.contact, state.roles) == (False, {}, frozenset())
    given(ACCOUNT).when(erase).then(erased)  # a person whom an import knows
    given(ACCOUNT, REGISTERED, erased).when(erase).nothing()
    for name in ON_ACCOUNTS.keys() - {"EraseAccount"}:
        given(ACCOUNT, REGISTERED, erased).when(ON_ACCOUNTS[name]).raises(RuleViolated, field="account_id")


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - ON_ACCOUNTS.keys()))
def test_an_account_does_not_decide_on_what_does_not_name_it(name: str) -> None:
    given(ACCOUNT, REGISTERED).when(COMMANDS[name]).raises(InvalidCommand, field=None)


def test_a_contact_change_names_only_the_fields_that_changed() -> None:
    given(ACCOUNT, REGISTERED).when(
        ChangeContact(account_id=ADA, email="ada@example.com", phone="044", name="Ada")
    ).then(
        ContactChanged(
            changes={
                "email": Change(old="ada@example.org", new="ada@example.com"),
                "phone": Change(old=None, new="044"),
            }
        )
    )


@pytest.mark.parametrize("blank", [None, "", "  \t"])
def test_null_or_blank_clears_a_contact_field_and_one_left_out_stays(blank: str | None) -> None:
    state = (
        given(ACCOUNT, REGISTERED)
        .when(ChangeContact(account_id=ADA, email=blank))
        .then(ContactChanged(changes={"email": Change(old="ada@example.org", new=None)}))
    )
    assert state.contact["name"] == "Ada"


@pytest.mark.parametrize(
    "command",
    [
        ChangeContact(account_id=ADA),
        ChangeContact(account_id=ADA, email="ada@example.org"),
        ChangeContact(account_id=ADA, email=" ada@example.org ", name="Ada", phone=None),
        ChangeContact(account_id=ADA, phone=" "),
    ],
)
def test_a_contact_change_that_changes_nothing(command: Command) -> None:
    given(ACCOUNT, REGISTERED).when(command).nothing()


def test_a_contact_cleared_twice() -> None:
    cleared = ContactChanged(changes={"email": Change(old="ada@example.org", new=None)})
    given(ACCOUNT, REGISTERED, cleared).when(ChangeContact(account_id=ADA, email="")).nothing()


def test_a_contact_differs_by_case() -> None:
    given(ACCOUNT, REGISTERED).when(ChangeContact(account_id=ADA, email="Ada@example.org")).then(
        ContactChanged(changes={"email": Change(old="ada@example.org", new="Ada@example.org")})
    )


@pytest.mark.parametrize("role", Role)
def test_a_role_is_granted_and_revoked_once(role: Role) -> None:
    grant, revoke = GrantRole(account_id=ADA, role=role), RevokeRole(account_id=ADA, role=role)
    granted, revoked = RoleGranted(role=role), RoleRevoked(role=role)
    state = given(ACCOUNT, REGISTERED).when(grant).then(granted)
    assert state.roles == {role}
    given(ACCOUNT, REGISTERED, granted).when(grant).nothing()
    assert given(ACCOUNT, REGISTERED, granted).when(revoke).then(revoked).roles == frozenset()
    given(ACCOUNT, REGISTERED).when(revoke).nothing()
    given(ACCOUNT, REGISTERED, granted, revoked).when(grant).then(granted)


def test_one_role_does_not_stand_for_another() -> None:
    held = RoleGranted(role=Role.SUPPORT)
    given(ACCOUNT, REGISTERED, held).when(RevokeRole(account_id=ADA, role=Role.ADMIN)).nothing()
    given(ACCOUNT, REGISTERED, held).when(GrantRole(account_id=ADA, role=Role.ADMIN)).then(RoleGranted(role=Role.ADMIN))


def test_the_first_admin_is_granted_the_role_unless_they_have_it() -> None:
    bootstrap, admin = BootstrapAdmin(account_id=ADA), RoleGranted(role=Role.ADMIN)
    given(ACCOUNT, REGISTERED).when(bootstrap).then(admin)
    given(ACCOUNT, REGISTERED, admin).when(bootstrap).nothing()


def test_an_account_is_closed_once() -> None:
    command = DeactivateAccount(account_id=ADA, reason="asked for it")
    assert not given(ACCOUNT, REGISTERED).when(command).then(DEACTIVATED).active
    given(ACCOUNT, REGISTERED, DEACTIVATED).when(command).nothing()


def test_the_first_profile_becomes_primary_and_active() -> None:
    state = given(ACCOUNT, REGISTERED).when(_create(PROFILE_ID)).then(ADDED, ACTIVE)
    assert state.primary_profile == state.active_profile == PROFILE_ID


def test_a_further_profile_is_neither() -> None:
    state = given(ACCOUNT, REGISTERED, ADDED, ACTIVE).when(_create(OTHER_PROFILE_ID)).then(OTHER_ADDED)
    assert state.primary_profile == state.active_profile == PROFILE_ID
    assert state.profiles == {PROFILE_ID: "personal", OTHER_PROFILE_ID: "personal"}


def test_another_profile_is_made_active() -> None:
    switch = SwitchActiveProfile(account_id=ADA, profile_id=OTHER_PROFILE_ID)
    past = REGISTERED, ADDED, ACTIVE, OTHER_ADDED
    switched = ActiveProfileSwitched(profile_id=OTHER_PROFILE_ID, previous=PROFILE_ID)
    assert given(ACCOUNT, *past).when(switch).then(switched).active_profile == OTHER_PROFILE_ID
    given(ACCOUNT, *past, switched).when(switch).nothing()


@pytest.mark.parametrize("past", [[], [OTHER_ADDED, ProfileRemoved(profile_id=OTHER_PROFILE_ID)]])
def test_a_profile_the_account_does_not_have_cannot_be_active(past: list[DomainEvent]) -> None:
    switch = SwitchActiveProfile(account_id=ADA, profile_id=OTHER_PROFILE_ID)
    given(ACCOUNT, REGISTERED, ADDED, ACTIVE, *past).when(switch).raises(RuleViolated, field="profile_id")


def test_no_other_profile_is_promoted_when_the_active_one_goes() -> None:
    past = REGISTERED, ADDED, ACTIVE, OTHER_ADDED
    removed = ProfileRemoved(profile_id=PROFILE_ID)
    none = ActiveProfileSwitched(profile_id=None, previous=PROFILE_ID)
    state = given(ACCOUNT, *past).when(_archive(PROFILE_ID)).then(removed, none)
    assert state.active_profile is None
    assert state.primary_profile == PROFILE_ID
    given(ACCOUNT, *past, removed, none).when(_archive(PROFILE_ID)).nothing()
    switch = SwitchActiveProfile(account_id=ADA, profile_id=OTHER_PROFILE_ID)
    given(ACCOUNT, *past, removed, none).when(switch).then(
        ActiveProfileSwitched(profile_id=OTHER_PROFILE_ID, previous=None)
    )


def test_a_profile_that_is_not_active_goes_quietly() -> None:
    past = REGISTERED, ADDED, ACTIVE, OTHER_ADDED
    given(ACCOUNT, *past).when(_archive(OTHER_PROFILE_ID)).then(ProfileRemoved(profile_id=OTHER_PROFILE_ID))


@pytest.mark.parametrize("name", ["DeclareIntent", "ReviseIntent", "WithdrawIntent"])
def test_the_account_only_stands_by_where_intents_are_decided(name: str) -> None:
    given(ACCOUNT, REGISTERED).when(COMMANDS[name]).nothing()


def test_an_event_nobody_knows_fails_loudly() -> None:
    class Strange(DomainEvent):
        pass

    with pytest.raises(AssertionError):
        ACCOUNT.fold([REGISTERED, Strange()])


def test_details_are_stored_in_their_normal_form_and_unset_ones_are_left_out() -> None:
    command = RegisterAccount(account_id=ADA, details={"first_name": " Zoe\u0308 ", "last_name": " "})
    given(ACCOUNT).when(command).then(AccountRegistered(details={"first_name": "Zo\u00eb"}))


def test_details_change_one_by_one() -> None:
    registered = AccountRegistered(details={"first_name": "Ada", "last_name": "King"})
    command = UpdateAccount(account_id=ADA, changes={"first_name": "Ada", "last_name": None, "full_name": "Ada L."})
    changes = {"last_name": Change(old="King", new=None), "full_name": Change(old=None, new="Ada L.")}
    state = given(ACCOUNT, registered).when(command).then(AccountUpdated(changes=changes))
    assert state.details == {"first_name": "Ada", "full_name": "Ada L."}
    given(ACCOUNT, registered).when(UpdateAccount(account_id=ADA, changes={"first_name": "Ada "})).nothing()


@pytest.mark.parametrize(
    ("changes", "field"), [({"shoe": 1}, "changes.shoe"), ({"date_of_birth": "x"}, "changes.date_of_birth")]
)
def test_a_detail_nobody_knows_or_can_read_is_refused(changes: dict[str, object], field: str) -> None:
    command = UpdateAccount.model_validate({"account_id": ADA, "changes": changes})
    given(ACCOUNT, REGISTERED).when(command).raises(InvalidCommand, field=field)
