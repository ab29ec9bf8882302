from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from domain.account import AccountRegistered, ContactChanged
from domain.event import ERASED, Change, EventMetadata, Source
from domain.intent import IntentDeclared, IntentRevised, IntentWithdrawn
from domain.profile import ProfileConflictRecorded, ProfileConflictResolved, ProfileCreated, ProfileUpdated
from projections import accounts, intents, profiles
from projections.explain import explain
from tests.projections.histories import history

STREAM, ACCOUNT = UUID(int=1), UUID(int=2)


def created(**fields: object) -> ProfileCreated:
    return ProfileCreated(account_id=ACCOUNT, kind="personal", fields=fields)


def test_a_value_belongs_to_the_event_that_changed_it_last() -> None:
    update = ProfileUpdated(changes={"location": Change(old="Bern", new="Lyon")})
    found = explain(profiles.MODEL, history(STREAM, created(location="Bern", name="Ada"), update))
    assert (found["location"].value, found["location"].event.version) == ("Lyon", 2)
    assert (found["name"].value, found["name"].event.version) == ("Ada", 1)
    assert not {"version", "position", "updated_at", "profile_id"} & found.keys()


def test_what_was_unset_is_explained_too() -> None:
    update = ContactChanged(changes={"phone": Change(old="1", new=None)})
    found = explain(accounts.MODEL, history(STREAM, AccountRegistered(phone="1"), update))
    assert (found["phone"].value, found["phone"].event.version) == (None, 2)
    assert "email" not in found


def test_keys_of_an_object_are_told_apart() -> None:
    new = {"diet": "vegan", "faith": "some"}
    update = ProfileUpdated(changes={"beliefs": Change(old=None, new=new)})
    found = explain(profiles.MODEL, history(STREAM, created(beliefs={"diet": "vegan"}), update))
    assert (found["beliefs/diet"].event.version, found["beliefs/faith"].event.version) == (1, 2)


def test_a_conflict_settled_for_the_value_it_had_belongs_to_who_settled_it() -> None:
    found = explain(
        profiles.MODEL,
        history(
            STREAM,
            created(name="Ada"),
            ProfileConflictRecorded(field="name", values=("Ada", "Ida"), chosen="Ada", rule="first_non_empty"),
            ProfileConflictResolved(field="name", value="Ada", previous="Ada"),
        ),
    )
    assert (found["name"].value, found["name"].event.version) == ("Ada", 3)
    assert found["name"].conflict is not None
    assert found["name"].conflict.version == 2
    assert (found["conflicts/name"].value, found["conflicts/name"].event.version) == (None, 3)


def test_a_new_declaration_sets_everything_anew() -> None:
    declared = IntentDeclared(account_id=ACCOUNT, context="friendship", fields={"friendship_depth": "close"})
    revised = IntentRevised(changes={"friendship_depth": Change(old="close", new="casual")})
    found = explain(intents.MODEL, history(STREAM, declared, revised, IntentWithdrawn(), declared))
    assert {entry.event.version for entry in found.values()} == {4}


def test_provenance_and_erasure() -> None:
    source = (Source("Profile", "p1", "/data/beliefs/diet"),)
    first, second = history(STREAM, created(beliefs={"diet": "vegan"}), ProfileUpdated(changes=ERASED))
    imported = first._replace(metadata=_with_provenance(first.metadata, {"beliefs/diet": source}))
    assert explain(profiles.MODEL, [imported])["beliefs/diet"].sources == source
    assert explain(profiles.MODEL, [imported])["kind"].sources == ()
    erased = explain(profiles.MODEL, [imported, second])["beliefs/diet"]
    assert (erased.value, erased.event.version, erased.sources) == (None, 2, ())


def _with_provenance(metadata: EventMetadata, provenance: dict[str, tuple[Source, ...]]) -> EventMetadata:
    return replace(metadata, provenance=provenance)


def test_a_value_the_new_declaration_leaves_out_is_unset() -> None:
    first = IntentDeclared(account_id=ACCOUNT, context="romantic", fields={"family_intentions": "open"})
    second = IntentDeclared(account_id=ACCOUNT, context="romantic", fields={"attraction_importance": "critical"})
    found = explain(intents.MODEL, history(STREAM, first, IntentWithdrawn(), second))
    assert (found["family_intentions"].value, found["family_intentions"].event.version) == (None, 3)
