"""Recent aggregates: what a command decides on is what is stored now, whoever wrote it and whatever was erased."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.postgres.event_store import PostgresEventStore
from domain.access import Actor
from domain.account import ACCOUNT, ChangeContact, DeactivateAccount, EraseAccount, RegisterAccount
from domain.command import Command, Participant
from domain.errors import CommandRejected, VersionConflict
from domain.event import known
from domain.profile import ArchiveProfile, CreateProfile, UpdateProfile
from domain.recent import Loaded, Recent
from domain.service import AGGREGATES, ATTEMPTS, Dossier, Since
from tests.support.sealing import master

OPERATOR = Actor.operator()


def _record(stream: UUID, version: int = 1) -> Loaded:
    return Loaded(ACCOUNT, stream, ACCOUNT.initial, version, version * 10, True)


def test_the_cache_is_bounded_and_the_one_unasked_for_longest_goes_first() -> None:
    recent, (a, b, c) = Recent(most=2), [uuid4() for _ in range(3)]
    recent.keep([_record(a), _record(b)], 0)
    assert recent.among([a, c]).records == {a: _record(a)}
    recent.keep([_record(c)], 0)
    assert set(recent.among([a, b, c]).records) == {a, c}


def test_an_older_state_or_generation_never_takes_the_place_of_a_newer_one() -> None:
    recent, (a, b) = Recent(), [uuid4() for _ in range(2)]
    recent.keep([_record(a, 5)], 3)
    recent.keep([_record(a, 4)], 3)
    recent.keep([_record(b)], 2)
    assert recent.among([a, b]) == ({a: _record(a, 5)}, 3)
    recent.keep([], 4)
    assert recent.among([a, b]) == ({}, 4)


def _some_command(rng: random.Random, account: UUID, profile: UUID) -> Command:
    match rng.choices(range(6), [2, 8, 4, 8, 1, 1])[0]:
        case 0:
            return RegisterAccount(account_id=account, name="Ada")
        case 1:
            return ChangeContact(account_id=account, name=str(rng.random()))
        case 2:
            return CreateProfile(profile_id=profile, account_id=account, kind="personal")
        case 3:
            return UpdateProfile(profile_id=profile, changes={"location": str(rng.random())})
        case 4:
            return ArchiveProfile(profile_id=profile, account_id=account, reason="x")
        case _:
            return EraseAccount(account_id=account, reason="x")


def _fresh(store: PostgresEventStore, participant: Participant) -> Any:
    """Return state and version of a record, folded from all of its events."""
    events = store.load([participant.stream])[participant.stream]
    return AGGREGATES[participant.aggregate].fold(recorded.event for recorded in events), len(events)


@pytest.mark.parametrize("most", [2, 100])
def test_recent_states_are_those_of_the_log(store: PostgresEventStore, most: int) -> None:
    """Two applications write in turn; each must see what the other wrote and erased."""
    rng = random.Random(most)
    sealing = PostgresEventStore(store.pool, master=master())
    dossiers = [Dossier(sealing, lambda: datetime.now(UTC), uuid4) for _ in range(2)]
    for dossier in dossiers:
        dossier.recent._most = most
    people = [(uuid4(), uuid4()) for _ in range(4)]
    records = [
        Participant(*pair) for account, profile in people for pair in (("account", account), ("profile", profile))
    ]
    for _ in range(120):
        dossier = rng.choice(dossiers)
        with suppress(CommandRejected):
            dossier.execute(_some_command(rng, *rng.choice(people)), actor=OPERATOR)
        looked_at = rng.sample(records, 2)
        for seen, record in zip(dossier._load(looked_at), looked_at, strict=True):
            assert (seen.state, seen.version) == _fresh(sealing, record)
    for dossier in dossiers:
        counts = dossier.tally.counts()
        assert counts["hits"] > 25
        assert counts["misses"] > 8


def test_what_is_at_hand_is_not_read_again(store: PostgresEventStore) -> None:
    asked: list[dict[UUID, int]] = []

    class Watched(PostgresEventStore):
        def load_since(self, versions: Any) -> Since:
            asked.append(dict(versions))
            return super().load_since(versions)

    dossier, account = Dossier(Watched(store.pool), lambda: datetime.now(UTC), uuid4), uuid4()
    dossier.execute(RegisterAccount(account_id=account, name="Ada"), actor=OPERATOR)
    for name in ("Bea", "Cleo"):
        dossier.execute(ChangeContact(account_id=account, name=name), actor=Actor.of_account(account))
    assert asked == [{account: 0}, {account: 0}, {account: 1}]
    assert dossier.tally.counts() == {"commands": 3, "hits": 1, "misses": 2}


def test_the_state_of_an_erased_person_is_not_kept(store: PostgresEventStore) -> None:
    """Another process erases; what this one remembers of their profile goes although the profile has no new event."""
    sealing = PostgresEventStore(store.pool, master=master())
    here, there = (Dossier(sealing, lambda: datetime.now(UTC), uuid4) for _ in range(2))
    account, profile = uuid4(), uuid4()
    here.execute(RegisterAccount(account_id=account), actor=OPERATOR)
    here.execute(CreateProfile(profile_id=profile, account_id=account, kind="personal"), actor=OPERATOR)
    here.execute(UpdateProfile(profile_id=profile, changes={"location": "Bern"}), actor=OPERATOR)
    record = Participant("profile", profile)
    assert known(here._load([record])[0].state.fields) == {"location": "Bern"}
    there.execute(EraseAccount(account_id=account, reason="x"), actor=OPERATOR)
    assert "Bern" not in repr(here._load([record]))
    assert "Bern" not in repr(here.recent._records)


def test_conflicts_and_the_end_of_patience_are_counted(store: PostgresEventStore) -> None:
    account = uuid4()
    other = Dossier(store, lambda: datetime.now(UTC), uuid4)
    other.execute(RegisterAccount(account_id=account), actor=OPERATOR)

    class Hot(PostgresEventStore):
        def append(self, request: Any) -> Any:
            other.execute(ChangeContact(account_id=account, name=str(uuid4())), actor=OPERATOR)
            return super().append(request)

    dossier = Dossier(Hot(store.pool), lambda: datetime.now(UTC), uuid4)
    with pytest.raises(VersionConflict):
        dossier.execute(DeactivateAccount(account_id=account, reason="x"), actor=OPERATOR)
    counts = dossier.tally.counts()
    assert (counts["commands"], counts["decided_anew"], counts["given_up"]) == (1, ATTEMPTS - 1, 1)
