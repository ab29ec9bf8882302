"""Items: added to a profile and listed there, changed, removed; and the onboarding that creates a profile."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from domain.access import Actor
from domain.account import RegisterAccount, SwitchActiveProfile, UpdateAccount
from domain.errors import AccessDenied, InvalidCommand, NotFound, RuleViolated
from domain.item import AddItem, RemoveItem, UpdateItem
from domain.items import ITEMS
from domain.kinds import KINDS
from domain.onboarding import progress
from domain.profile import ArchiveProfile, CompleteOnboarding, CreateProfile, UpdateProfile
from domain.service import Dossier
from projections import accounts, items, profiles
from projections.account_view import account_view
from projections.read_model import Row
from tests.projections.histories import MemoryLog, row_of

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Person:
    """An account with a dancer profile, and short ways to act and look."""

    def __init__(self, log: MemoryLog | None = None) -> None:
        self.store = log or MemoryLog()
        self.dossier = Dossier(self.store, lambda: NOW, uuid4)
        self.account, self.profile = uuid4(), uuid4()
        self.do(RegisterAccount(account_id=self.account, details={"profile_type": "guest", "onboarding_steps": ["a"]}))
        self.do(CompleteOnboarding(account_id=self.account, profile_id=self.profile, kind="dancer", steps=("name",)))

    def do(self, command: Any) -> int:
        return self.dossier.execute(command, actor=Actor.of_account(self.account)).events

    def add(self, kind: str = "project", **more: Any) -> Any:
        item = uuid4()
        wanted = {"account_id": self.account, "profile_id": self.profile, "fields": {}} | more
        self.do(AddItem(item_id=item, kind=kind, **wanted))
        return item

    def row(self, model: Any, stream: Any) -> Row:
        return row_of(model, self.store.load([stream])[stream])

    @property
    def fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = self.row(profiles.MODEL, self.profile)["fields"]
        return fields


def test_onboarding_creates_the_chosen_profile_primary_and_active_and_keeps_what_was_done() -> None:
    ada = Person()
    account = ada.row(accounts.MODEL, ada.account)
    assert account["primary_profile_id"] == account["active_profile_id"] == ada.profile
    assert account["details"] == {"profile_type": "dancer", "onboarding_steps": ["a"]}
    assert ada.fields == {
        "onboarding_completed": True,
        "onboarding_completed_at": "2026-03-01T12:00:00.000000Z",
        "onboarding_steps": ["name"],
    }
    second = uuid4()
    ada.do(CompleteOnboarding(account_id=ada.account, profile_id=second, kind="choreographer", version="v2"))
    account = ada.row(accounts.MODEL, ada.account)
    assert (account["primary_profile_id"], account["active_profile_id"]) == (ada.profile, second)
    assert ada.do(SwitchActiveProfile(account_id=ada.account, profile_id=ada.profile)) == 1


@pytest.mark.parametrize(
    ("flow", "done", "percent"),
    [
        ("dancer", [], 16),  # 3 / 19
        ("dancer", ["resume", "name"], 21),  # 4 / 19
        ("choreographer", ["name", "email"], 36),  # 5 / 14
        ("guest", ["a", "b", "c"], 100),
        ("nobody", ["a"], 0),
    ],
)
def test_progress_counts_steps_that_are_always_done(flow: str, done: list[str], percent: int) -> None:
    assert progress(flow, done) == percent


def test_an_item_is_listed_on_its_profile_until_it_is_removed() -> None:
    ada = Person()
    one, two, audition = ada.add(fields={"title": "Hair"}), ada.add(), ada.add("audition")
    training = ada.add("training", fields={"institution": "Folkwang"})
    assert ada.fields["projects"] == [str(one), str(two)]
    assert ada.fields["training"] == [str(training)]
    assert ada.row(profiles.MODEL, ada.profile)["completeness"] == 25
    assert ada.do(UpdateItem(item_id=one, changes={"title": "Hair", "type": "opera"})) == 1
    row = ada.row(items.MODEL, one)
    assert (row["fields"], row["outside_vocabulary"]) == ({"title": "Hair", "type": "opera"}, ["type"])
    assert ada.do(RemoveItem(item_id=one, profile_id=ada.profile)) == 2
    assert ada.do(RemoveItem(item_id=audition, profile_id=ada.profile)) == 1
    assert ada.fields["projects"] == [str(two)]
    assert ada.row(items.MODEL, one)["removed"]
    with pytest.raises(RuleViolated):
        ada.do(UpdateItem(item_id=one, changes={"title": "x"}))
    with pytest.raises(RuleViolated) as refused:
        ada.do(RemoveItem(item_id=two))
    assert refused.value.field == "profile_id"


def test_items_go_to_ones_own_profiles_that_are_not_archived() -> None:
    ada = Person()
    with pytest.raises(NotFound):
        ada.add(profile_id=uuid4())
    other = Person(ada.store)
    with pytest.raises(RuleViolated) as refused:
        ada.add(profile_id=other.profile)
    assert refused.value.field == "account_id"
    theirs = other.add()
    for command in (UpdateItem(item_id=theirs, changes={}), RemoveItem(item_id=theirs, profile_id=other.profile)):
        with pytest.raises(AccessDenied):
            ada.do(command)
    mine = ada.add()
    ada.do(ArchiveProfile(account_id=ada.account, profile_id=ada.profile, reason="done"))
    with pytest.raises(RuleViolated):
        ada.add()
    assert ada.do(RemoveItem(item_id=mine, profile_id=ada.profile)) == 2


@pytest.mark.parametrize("kind", ["dancer", "choreographer"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("display_name", "A"),
        ("display_name", "A" * 51),
        ("attributes", {"height": {"feet": 2, "inches": 0}}),
        ("attributes", {"height": {"feet": 5, "inches": 12}}),
        ("attributes", {"height": 64}),
        ("links", {"homepage": "https://example.org"}),
        ("skills", {"expert": ["tap"]}),
        ("projects", "p1"),
    ],
)
def test_limits_and_shapes_bind_commands(kind: str, field: str, value: Any) -> None:
    ada = Person()
    with pytest.raises(InvalidCommand) as refused:
        ada.do(CreateProfile(account_id=ada.account, profile_id=uuid4(), kind=kind, fields={field: value}))
    assert refused.value.field == f"fields.{field}"


def test_completeness_counts_weights_of_what_holds_a_value() -> None:
    dancer, choreographer = KINDS["dancer"], KINDS["choreographer"]
    assert sum(dancer.weights.values()) == sum(choreographer.weights.values()) == 100
    assert dancer.completeness({}) == (0, tuple(dancer.weights))
    # The old rule let an empty object score, and never saw a flattened choreographer's projects.
    assert dancer.completeness({"links": {}, "sizing": {}, "headshots": [{"storage_id": "s"}]}).score == 20
    assert choreographer.completeness({"projects": ["p"], "company_name": "Co"}).score == 35
    for kind in KINDS.values():
        assert {*kind.searchable, *kind.weights, *kind.required, *kind.optional} <= kind.fields.keys()
    for item in ITEMS.values():
        assert not item.listed_in or item.listed_in in dancer.fields


def test_the_view_of_an_account_is_won_by_what_the_active_profile_sets() -> None:
    ada = Person()
    details = {"first_name": "Ada", "last_name": "L", "display_name": "Ada L", "points": 0, "favorites": ["x"]}
    ada.do(UpdateAccount(account_id=ada.account, changes=details))
    choreographer = uuid4()
    ada.do(CreateProfile(account_id=ada.account, profile_id=choreographer, kind="choreographer"))
    ada.do(UpdateProfile(profile_id=ada.profile, changes={"profile_tip_dismissed": False, "skills": ["tap"]}))
    project = ada.add(fields={"title": "Hair"})

    def view() -> dict[str, Any]:
        rows = [ada.row(profiles.MODEL, stream) for stream in (ada.profile, choreographer)]
        account = ada.row(accounts.MODEL, ada.account)
        return account_view(account, rows, [ada.row(items.MODEL, project)])

    seen = view()
    assert (seen["name"], seen["display_name"], seen["kind"]) == ("Ada L", "Ada L", "dancer")
    assert (seen["points"], seen["profile_tip_dismissed"], seen["skills"]) == (0, False, ["tap"])
    assert seen["items"] == [{"item_id": project, "kind": "project", "title": "Hair"}]
    assert seen["onboarding_progress"] == 100
    ada.do(UpdateProfile(profile_id=ada.profile, changes={"display_name": "Dancing Ada"}))
    assert view()["display_name"] == "Dancing Ada"
    ada.do(SwitchActiveProfile(account_id=ada.account, profile_id=choreographer))
    seen = view()
    # Nothing of the other profile, and no empty value in the place of the account's.
    assert (seen["kind"], seen["display_name"], seen["items"]) == ("choreographer", "Ada L", [])
    assert "skills" not in seen
    assert seen["completeness"] == 0
    bare = account_view(ada.row(accounts.MODEL, ada.account) | {"active_profile_id": None, "details": {}})
    assert (bare["kind"], bare["items"], bare["missing"]) == (None, [], [])
