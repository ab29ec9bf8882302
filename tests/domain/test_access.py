from __future__ import annotations

from uuid import uuid4

import pytest

from domain.access import (
    ACCESS,
    AccessBootstrapped,
    Actor,
    BootstrapAdmin,
    Permissions,
    Role,
    check_audit,
    check_command,
    check_read,
)
from domain.errors import AccessDenied, RuleViolated
from tests.support.examples import ACCOUNT_ID as ADA
from tests.support.examples import COMMANDS, OTHER_ACCOUNT_ID
from tests.support.given_when_then import given

PERSON = Permissions(Actor.of_account(ADA), frozenset())
OTHER = Permissions(Actor.of_account(OTHER_ACCOUNT_ID), frozenset())
STAFF = Permissions(Actor.of_account(OTHER_ACCOUNT_ID), frozenset({Role.SUPPORT, Role.AUDITOR}))
ADMIN = Permissions(Actor.of_account(OTHER_ACCOUNT_ID), frozenset({Role.ADMIN}))
CLOSED_ADMIN = Permissions(Actor.of_account(OTHER_ACCOUNT_ID), frozenset(Role), active=False)
CLOSED_PERSON = Permissions(Actor.of_account(ADA), frozenset(), active=False)
OPERATOR = Permissions(Actor.operator(), Actor.operator().roles)
NOBODY = Permissions(Actor("nobody"), frozenset())

PERSONAL = {
    "RegisterAccount",
    "ChangeContact",
    "UpdateAccount",
    "EraseAccount",
    "DeactivateAccount",
    "SwitchActiveProfile",
    "CreateProfile",
    "CompleteOnboarding",
    "EnsureProfile",
    "SyncIdentity",
    "UpdateProfile",
    "ArchiveProfile",
    "ResolveConflict",
    "AddItem",
    "UpdateItem",
    "RemoveItem",
    "DeclareIntent",
    "ReviseIntent",
    "WithdrawIntent",
    "StartConversation",
    "RecordMessage",
    "SummariseHistory",
    "CancelSubscription",
}
STAFF_ONLY = set(COMMANDS) - PERSONAL - {"BootstrapAdmin"}
MAY = {
    "person": (PERSON, PERSONAL),
    "other": (OTHER, set()),
    "staff": (STAFF, {"RecordExport"}),
    "admin": (ADMIN, PERSONAL | STAFF_ONLY),
    "deactivated admin": (CLOSED_ADMIN, set()),
    "deactivated person": (CLOSED_PERSON, set()),
    "operator": (OPERATOR, set(COMMANDS)),
    "nobody": (NOBODY, set()),
}


@pytest.mark.parametrize("who", MAY)
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_who_may_issue_which_command_about_ada(who: str, name: str) -> None:
    permissions, allowed = MAY[who]
    if name in allowed:
        check_command(permissions, COMMANDS[name], ADA)
        return
    with pytest.raises(AccessDenied) as denied:
        check_command(permissions, COMMANDS[name], ADA)
    assert denied.value.field == (None if name == "BootstrapAdmin" else "actor")
    assert str(ADA) not in denied.value.message or permissions.actor.account == ADA


@pytest.mark.parametrize("who", MAY)
def test_a_record_without_owner_is_for_admins(who: str) -> None:
    permissions, _ = MAY[who]
    if permissions in (ADMIN, OPERATOR):
        check_command(permissions, COMMANDS["UpdateProfile"], None)
        check_read(permissions, None)
        return
    with pytest.raises(AccessDenied):
        check_command(permissions, COMMANDS["UpdateProfile"], None)
    with pytest.raises(AccessDenied):
        check_read(permissions, None)


@pytest.mark.parametrize(
    ("permissions", "reads", "audits"),
    [
        (PERSON, True, False),
        (OTHER, False, False),
        (STAFF, False, True),
        (ADMIN, True, True),
        (CLOSED_ADMIN, False, False),
        (CLOSED_PERSON, False, False),
        (OPERATOR, True, True),
        (NOBODY, False, False),
    ],
)
def test_who_may_read_adas_records_and_the_whole_log(permissions: Permissions, reads: bool, audits: bool) -> None:
    if reads:
        check_read(permissions, ADA)
    else:
        with pytest.raises(AccessDenied) as denied:
            check_read(permissions, ADA)
        assert denied.value.field == "actor"
    if audits:
        check_audit(permissions)
    else:
        with pytest.raises(AccessDenied) as denied:
            check_audit(permissions)
        assert denied.value.field == "actor"


def test_a_member_reads_what_belongs_to_their_company() -> None:
    members = frozenset({OTHER_ACCOUNT_ID})
    check_read(OTHER, None, members)
    check_read(PERSON, ADA, members)
    for denied in (PERSON, NOBODY, CLOSED_ADMIN):
        with pytest.raises(AccessDenied):
            check_read(denied, None, members)


def test_an_account_that_calls_itself_an_operator_is_none() -> None:
    posing = Permissions(Actor("operator:local", uuid4()), frozenset({Role.ADMIN}))
    with pytest.raises(AccessDenied):
        check_command(posing, BootstrapAdmin(account_id=ADA), ADA)


def test_operators_are_named() -> None:
    assert Actor.operator().id == "operator:local"
    assert Actor.operator("mara").id == "operator:mara"
    assert Actor.operator().account is None


def test_the_first_admin_is_granted_once() -> None:
    bootstrap = BootstrapAdmin(account_id=ADA)
    assert given(ACCESS).when(bootstrap).then(AccessBootstrapped(account_id=ADA)).first_admin == ADA
    past = AccessBootstrapped(account_id=OTHER_ACCOUNT_ID)
    refused = given(ACCESS, past).when(bootstrap).raises(RuleViolated, field=None)
    assert refused.hint
    given(ACCESS, AccessBootstrapped(account_id=ADA)).when(bootstrap).raises(RuleViolated, field=None)


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - {"BootstrapAdmin"}))
def test_access_decides_on_nothing_else(name: str) -> None:
    given(ACCESS).when(COMMANDS[name]).nothing()
