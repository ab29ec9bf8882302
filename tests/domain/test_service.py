"""The command API through the real store."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.postgres.event_store import PostgresEventStore
from domain.access import Actor, BootstrapAdmin, Role
from domain.account import ChangeContact, DeactivateAccount, GrantRole, RegisterAccount, SwitchActiveProfile
from domain.command import Command
from domain.contexts import Context
from domain.errors import (
    AccessDenied,
    AlreadyExists,
    CommandIdReused,
    CommandRejected,
    InvalidCommand,
    NotFound,
    RuleViolated,
    VersionConflict,
)
from domain.event import LIVE
from domain.intent import DeclareIntent, ReviseIntent
from domain.profile import ArchiveProfile, CreateProfile, UpdateProfile, Verification, VerifyProfile
from domain.service import ATTEMPTS, Append, Dossier, EventStore, Receipt, payload_digest
from domain.streams import ACCESS_STREAM, intent_id

OPERATOR = Actor.operator()


@dataclass(frozen=True)
class Person:
    account: UUID = field(default_factory=uuid4)
    profile: UUID = field(default_factory=uuid4)

    @property
    def actor(self) -> Actor:
        return Actor.of_account(self.account)


@pytest.fixture
def ada(dossier: Dossier) -> Person:
    """A registered person with a profile."""
    person = Person()
    dossier.execute(RegisterAccount(account_id=person.account, name="Ada"), actor=person.actor)
    dossier.execute(
        CreateProfile(profile_id=person.profile, account_id=person.account, kind="personal"), actor=person.actor
    )
    return person


def _update(person: Person, **changes: Any) -> UpdateProfile:
    return UpdateProfile(profile_id=person.profile, changes=changes)


@pytest.fixture
def writes_nothing(store: PostgresEventStore) -> Callable[[Callable[[], object], type[CommandRejected]], Any]:
    """Assert that a call is refused and leaves neither an event nor a receipt."""

    def refused(call: Callable[[], object], error: type[CommandRejected]) -> CommandRejected:
        before = store.head(), _receipts(store)
        with pytest.raises(CommandRejected) as caught:
            call()
        assert type(caught.value) is error
        assert (store.head(), _receipts(store)) == before
        return caught.value

    return refused


def _receipts(store: PostgresEventStore) -> int:
    with store.pool.connection() as connection:
        row = connection.execute("SELECT count(*) FROM store.receipts").fetchone()
    assert row
    return int(row[0])


# --- receipts and envelopes --------------------------------------------------------------------------------


def test_a_receipt_says_what_happened(dossier: Dossier, store: PostgresEventStore, ada: Person) -> None:
    receipt = dossier.execute(_update(ada, location="Bern"), actor=ada.actor)
    assert receipt == Receipt(ada.profile, 2, store.head(), 1)


def test_the_envelope_of_a_live_event(store: PostgresEventStore, ada: Person) -> None:
    now = datetime(2026, 5, 4, 3, 2, 1, 987_654, tzinfo=UTC)
    command_id, correlation_id = uuid4(), uuid4()
    Dossier(store, lambda: now, uuid4).execute(
        _update(ada, location="Bern"), actor=OPERATOR, command_id=command_id, correlation_id=correlation_id
    )
    metadata = store.load([ada.profile])[ada.profile][-1].metadata
    assert (metadata.occurred_at, metadata.recorded_at) == (now, now)
    assert (metadata.actor, metadata.recorded_by) == ("operator:local", "operator:local")
    assert metadata.subject == ada.account
    assert (metadata.command_id, metadata.causation_id) == (command_id, command_id)
    assert metadata.correlation_id == correlation_id
    assert (metadata.origin, metadata.provenance) == (LIVE, None)


def test_a_command_correlates_to_itself_unless_told_otherwise(
    dossier: Dossier, store: PostgresEventStore, ada: Person
) -> None:
    command_id = uuid4()
    dossier.execute(_update(ada, location="Bern"), actor=ada.actor, command_id=command_id)
    assert store.load([ada.profile])[ada.profile][-1].metadata.correlation_id == command_id


def test_the_same_command_again_returns_the_first_receipt_and_appends_nothing(
    dossier: Dossier, store: PostgresEventStore, ada: Person
) -> None:
    command_id = uuid4()
    first = dossier.execute(_update(ada, location="Bern"), actor=ada.actor, command_id=command_id)
    dossier.execute(_update(ada, location="Basel"), actor=ada.actor)
    head = store.head()
    assert dossier.execute(_update(ada, location="Bern"), actor=ada.actor, command_id=command_id) == first
    assert store.head() == head


def test_a_repeated_command_is_known_even_where_it_could_not_be_decided_again(
    dossier: Dossier, store: PostgresEventStore
) -> None:
    person, command_id = Person(), uuid4()
    command = RegisterAccount(account_id=person.account)
    first = dossier.execute(command, actor=person.actor, command_id=command_id, expected_version=0)
    head = store.head()
    assert dossier.execute(command, actor=person.actor, command_id=command_id, expected_version=0) == first
    dossier.execute(DeactivateAccount(account_id=person.account, reason="x"), actor=person.actor)
    assert dossier.execute(command, actor=person.actor, command_id=command_id) == first
    assert store.head() == head + 1


def test_a_command_id_stands_for_one_payload_and_one_actor(
    dossier: Dossier, store: PostgresEventStore, ada: Person, writes_nothing: Any
) -> None:
    command_id = uuid4()
    dossier.execute(_update(ada, location="Bern"), actor=ada.actor, command_id=command_id)
    others: list[tuple[Command, Actor]] = [
        (_update(ada, location="Basel"), ada.actor),
        (_update(ada, location="Bern", name=None), ada.actor),
        (_update(ada, location="Bern"), OPERATOR),
        (VerifyProfile(profile_id=ada.profile, status=Verification.VERIFIED), OPERATOR),
        (UpdateProfile(profile_id=uuid4(), changes={"location": "Bern"}), ada.actor),  # would not be found
    ]
    for command, actor in others:
        error = writes_nothing(
            lambda command=command, actor=actor: dossier.execute(command, actor=actor, command_id=command_id),
            CommandIdReused,
        )
        assert error.field == "command_id"


def test_the_payload_of_a_command_is_what_was_said(ada: Person) -> None:
    one = ChangeContact.model_validate_json(f'{{"account_id": "{ada.account}", "email": "a", "name": "b"}}')
    two = ChangeContact.model_validate_json(f'{{"name": " b", "email": "a", "account_id": "{ada.account}"}}')
    assert payload_digest(one, ada.actor) == payload_digest(two, ada.actor)
    cleared = ChangeContact(account_id=ada.account, email="a", name=None)
    left_out = ChangeContact(account_id=ada.account, email="a")
    assert payload_digest(cleared, ada.actor) != payload_digest(left_out, ada.actor)


def test_a_command_that_changes_nothing_has_a_receipt_without_events(
    dossier: Dossier, store: PostgresEventStore, ada: Person, writes_nothing: Any
) -> None:
    done = dossier.execute(_update(ada, location="Bern"), actor=ada.actor)
    head, receipts = store.head(), _receipts(store)
    command_id = uuid4()
    nothing = dossier.execute(_update(ada, location=" Bern"), actor=ada.actor, command_id=command_id)
    assert nothing == Receipt(ada.profile, 2, done.position, 0)
    assert (store.head(), _receipts(store)) == (head, receipts + 1)
    dossier.execute(_update(ada, location="Basel"), actor=ada.actor)
    again = dossier.execute(_update(ada, location=" Bern"), actor=ada.actor, command_id=command_id)
    assert again == nothing
    writes_nothing(
        lambda: dossier.execute(_update(ada, location="Chur"), actor=ada.actor, command_id=command_id),
        CommandIdReused,
    )


# --- versions ------------------------------------------------------------------------------------------------


def test_an_expected_version_must_be_the_present_one(dossier: Dossier, ada: Person, writes_nothing: Any) -> None:
    dossier.execute(_update(ada, location="Bern"), actor=ada.actor, expected_version=1)
    for stale in (0, 1, 3):
        error = writes_nothing(
            lambda stale=stale: dossier.execute(
                _update(ada, location="Basel"), actor=ada.actor, expected_version=stale
            ),
            VersionConflict,
        )
        assert error.field == "expected_version"
    assert dossier.execute(_update(ada, location="Basel"), actor=ada.actor, expected_version=2).version == 3


def test_an_expected_version_is_that_of_the_record_the_command_is_about(dossier: Dossier, ada: Person) -> None:
    archive = ArchiveProfile(profile_id=ada.profile, account_id=ada.account, reason="x")
    assert dossier.execute(archive, actor=ada.actor, expected_version=1).version == 2


@dataclass
class Racing:
    """A store in which somebody else writes between a load and each of the first appends."""

    inner: PostgresEventStore
    races: int
    write: Callable[[], object]
    appends: int = 0

    def load(self, streams: Any) -> Any:
        return self.inner.load(streams)

    def load_since(self, versions: Any) -> Any:
        return self.inner.load_since(versions)

    def append(self, request: Append) -> Receipt:
        self.appends += 1
        if self.appends <= self.races:
            self.write()
        return self.inner.append(request)

    def receipt(self, command_id: UUID, digest: bytes) -> Any:
        return self.inner.receipt(command_id, digest)


def _racing(dossier: Dossier, ada: Person, races: int) -> tuple[Dossier, Racing, list[int]]:
    told: list[int] = []
    assert isinstance(dossier.store, PostgresEventStore)

    def write() -> None:
        dossier.execute(_update(ada, name=str(uuid4())), actor=ada.actor)

    store: EventStore = (racing := Racing(dossier.store, races, write))
    return Dossier(store, dossier.clock, dossier.new_id, lambda _, attempts: told.append(attempts)), racing, told


def test_a_conflicting_write_is_decided_anew_a_few_times(dossier: Dossier, ada: Person) -> None:
    patient, racing, _ = _racing(dossier, ada, ATTEMPTS - 1)
    receipt = patient.execute(_update(ada, location="Bern"), actor=ada.actor)
    assert (receipt.version, racing.appends) == (1 + ATTEMPTS, ATTEMPTS)
    patient, racing, told = _racing(dossier, ada, ATTEMPTS)
    with pytest.raises(VersionConflict, match=f"{ATTEMPTS} times in a row"):
        patient.execute(_update(ada, location="Basel"), actor=ada.actor)
    assert racing.appends == ATTEMPTS
    assert told == [*range(1, ATTEMPTS + 1)]


def test_with_an_expected_version_nothing_is_decided_anew(dossier: Dossier, ada: Person) -> None:
    hasty, racing, _ = _racing(dossier, ada, 1)
    with pytest.raises(VersionConflict):
        hasty.execute(_update(ada, location="Bern"), actor=ada.actor, expected_version=1)
    assert racing.appends == 1


def test_a_record_that_only_stood_by_must_not_have_changed_either(
    dossier: Dossier, store: PostgresEventStore, ada: Person
) -> None:
    """The account of an intent is closed between the decision and the append: the intent must not be declared."""

    def close() -> None:
        dossier.execute(DeactivateAccount(account_id=ada.account, reason="x"), actor=ada.actor)

    racing = Dossier(Racing(store, 1, close), dossier.clock, dossier.new_id)
    with pytest.raises(RuleViolated):
        racing.execute(DeclareIntent(account_id=ada.account, context=Context.SERVICE), actor=OPERATOR)
    intent = intent_id(ada.account, "service")
    assert store.load([intent])[intent] == []


@pytest.mark.parametrize("threads", [4, 12])
def test_threads_that_update_one_profile_all_succeed(
    dossier: Dossier, store: PostgresEventStore, ada: Person, threads: int
) -> None:
    """Each sets a key of its own, and tries again on the version conflicts its five attempts did not outlast."""
    names = ["location", "age_range", "name"]

    def work(number: int) -> list[Receipt]:
        receipts = []
        for turn in range(5):
            command, command_id = _update(ada, **{names[number % 3]: f"{number}/{turn}"}), uuid4()
            while True:
                try:
                    receipts.append(dossier.execute(command, actor=ada.actor, command_id=command_id))
                    break
                except VersionConflict:
                    continue
        return receipts

    with ThreadPoolExecutor(threads) as pool:
        receipts = [receipt for done in pool.map(work, range(threads)) for receipt in done]
    events = store.load([ada.profile])[ada.profile]
    assert [event.version for event in events] == list(range(1, 2 + threads * 5))
    assert sorted(receipt.version for receipt in receipts) == list(range(2, 2 + threads * 5))
    assert {(receipt.version, receipt.position) for receipt in receipts} == {
        (event.version, event.position) for event in events[1:]
    }
    assert [event.position for event in events] == sorted(event.position for event in events)


def test_threads_with_one_command_id_have_one_effect(dossier: Dossier, store: PostgresEventStore, ada: Person) -> None:
    command_id = uuid4()
    head = store.head()

    def work(_: int) -> Receipt:
        return dossier.execute(_update(ada, location="Bern"), actor=ada.actor, command_id=command_id)

    with ThreadPoolExecutor(8) as pool:
        receipts = set(pool.map(work, range(16)))
    assert receipts == {Receipt(ada.profile, 2, head + 1, 1)}
    assert store.head() == head + 1


# --- several records -----------------------------------------------------------------------------------------


def test_a_command_on_two_records_writes_both_or_none(
    dossier: Dossier, store: PostgresEventStore, ada: Person, writes_nothing: Any
) -> None:
    other = uuid4()
    receipt = dossier.execute(CreateProfile(profile_id=other, account_id=ada.account, kind="personal"), actor=ada.actor)
    assert (receipt.stream, receipt.version, receipt.events) == (other, 1, 2)
    loaded = store.load([other, ada.account])
    assert [event.topic for event in loaded[other]] == ["profile.created"]
    assert loaded[ada.account][-1].topic == "account.profile_added"
    positions = [loaded[other][0].position, loaded[ada.account][-1].position]
    assert positions == [receipt.position - 1, receipt.position]
    assert loaded[other][0].metadata.command_id == loaded[ada.account][-1].metadata.command_id
    nobody = Person()
    error = writes_nothing(
        lambda: dossier.execute(
            CreateProfile(profile_id=nobody.profile, account_id=nobody.account, kind="personal"), actor=OPERATOR
        ),
        NotFound,
    )
    assert error.field == "account_id"


def test_profiles_of_one_account_created_at_once_are_all_listed(
    dossier: Dossier, store: PostgresEventStore, ada: Person
) -> None:
    profiles = [uuid4() for _ in range(8)]

    def work(profile: UUID) -> None:
        command, command_id = CreateProfile(profile_id=profile, account_id=ada.account, kind="personal"), uuid4()
        while True:
            try:
                dossier.execute(command, actor=ada.actor, command_id=command_id)
            except VersionConflict:
                continue
            break

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, profiles))
    listed = [event.event.profile_id for event in store.load([ada.account])[ada.account] if "added" in event.topic]
    assert sorted(listed) == sorted([ada.profile, *profiles])


# --- refusals --------------------------------------------------------------------------------------------------


def test_a_refused_command_writes_neither_event_nor_receipt(dossier: Dossier, ada: Person, writes_nothing: Any) -> None:
    stranger = Person()
    refusals: list[tuple[Command, Actor, type[CommandRejected]]] = [
        (RegisterAccount(account_id=ada.account), ada.actor, AlreadyExists),
        (_update(ada, shoe_size="42"), ada.actor, InvalidCommand),
        (_update(stranger, location="Bern"), OPERATOR, NotFound),
        (SwitchActiveProfile(account_id=ada.account, profile_id=uuid4()), ada.actor, RuleViolated),
        (_update(ada, location="Bern"), stranger.actor, AccessDenied),
        (GrantRole(account_id=ada.account, role=Role.ADMIN), ada.actor, AccessDenied),
        (BootstrapAdmin(account_id=ada.account), ada.actor, AccessDenied),
        (ReviseIntent(account_id=ada.account, context=Context.SERVICE), ada.actor, NotFound),
    ]
    for command, actor, error in refusals:
        command_id = uuid4()
        for _ in range(2):
            writes_nothing(
                lambda command=command, actor=actor, command_id=command_id: dossier.execute(
                    command, actor=actor, command_id=command_id
                ),
                error,
            )


def test_a_refused_command_may_be_sent_again_with_its_id(dossier: Dossier, ada: Person) -> None:
    command_id = uuid4()
    command = DeclareIntent(account_id=ada.account, context=Context.SERVICE, fields={"service_type": "seeking"})
    stranger = Person()
    with pytest.raises(AccessDenied):
        dossier.execute(command, actor=stranger.actor, command_id=command_id)
    assert dossier.execute(command, actor=ada.actor, command_id=command_id).events == 1


def test_a_record_belongs_to_the_account_it_says_not_to_the_one_the_command_names(
    dossier: Dossier, ada: Person, writes_nothing: Any
) -> None:
    eve = Person()
    dossier.execute(RegisterAccount(account_id=eve.account), actor=eve.actor)
    for command in (
        CreateProfile(profile_id=ada.profile, account_id=eve.account, kind="personal"),
        ArchiveProfile(profile_id=ada.profile, account_id=eve.account, reason="mine"),
    ):
        writes_nothing(lambda command=command: dossier.execute(command, actor=eve.actor), AccessDenied)
    archive = ArchiveProfile(profile_id=ada.profile, account_id=eve.account, reason="x")
    assert writes_nothing(lambda: dossier.execute(archive, actor=OPERATOR), RuleViolated).field == "account_id"


@pytest.mark.parametrize("aggregate", ["profile", "intent", "access"])
def test_the_id_of_one_kind_of_record_is_not_that_of_another(
    dossier: Dossier, store: PostgresEventStore, ada: Person, writes_nothing: Any, aggregate: str
) -> None:
    """A stream holds one aggregate: commands on it as another must be refused, not crash and not mix."""
    dossier.execute(DeclareIntent(account_id=ada.account, context=Context.ROMANTIC), actor=ada.actor)
    stream = {"profile": ada.profile, "intent": intent_id(ada.account, "romantic"), "access": ACCESS_STREAM}[aggregate]
    if aggregate == "access" and not store.load([ACCESS_STREAM])[ACCESS_STREAM]:
        dossier.execute(BootstrapAdmin(account_id=ada.account), actor=OPERATOR)
    for command in (
        RegisterAccount(account_id=stream),
        ChangeContact(account_id=stream, name="x"),
        CreateProfile(profile_id=uuid4(), account_id=stream, kind="personal"),
    ):
        before = store.head()
        with pytest.raises(CommandRejected):
            dossier.execute(command, actor=OPERATOR)
        assert store.head() == before
    if aggregate != "profile":
        with pytest.raises(CommandRejected):
            dossier.execute(UpdateProfile(profile_id=stream, changes={"location": "x"}), actor=OPERATOR)
    with pytest.raises(CommandRejected):
        dossier.execute(_update(ada, location="x"), actor=Actor.of_account(stream))


# --- roles and reads -----------------------------------------------------------------------------------------------


def test_the_first_admin_is_granted_once_in_the_life_of_a_store(make_database: Any) -> None:
    from adapters.postgres.pool import open_pool

    pool = open_pool(make_database())
    try:
        store = PostgresEventStore(pool)
        dossier = Dossier(store, lambda: datetime.now(UTC), uuid4)
        first, second = Person(), Person()
        for person in (first, second):
            dossier.execute(RegisterAccount(account_id=person.account), actor=person.actor)
        with pytest.raises(NotFound):
            dossier.execute(BootstrapAdmin(account_id=uuid4()), actor=OPERATOR)
        command_id = uuid4()
        receipt = dossier.execute(BootstrapAdmin(account_id=first.account), actor=OPERATOR, command_id=command_id)
        assert receipt.events == 2
        for person in (first, second):
            with pytest.raises(RuleViolated):
                dossier.execute(BootstrapAdmin(account_id=person.account), actor=OPERATOR)
        again = dossier.execute(BootstrapAdmin(account_id=first.account), actor=OPERATOR, command_id=command_id)
        assert again == receipt
        dossier.execute(GrantRole(account_id=second.account, role=Role.ADMIN), actor=first.actor)
        assert dossier.permissions(second.actor).is_admin
        assert store.load([ACCESS_STREAM])[ACCESS_STREAM][0].metadata.subject is None
    finally:
        pool.close()


def test_roles_are_those_of_the_log_at_the_moment_of_the_command(dossier: Dossier, ada: Person) -> None:
    admin, verify = Person(), VerifyProfile(profile_id=ada.profile, status=Verification.VERIFIED)
    dossier.execute(RegisterAccount(account_id=admin.account), actor=admin.actor)
    with pytest.raises(AccessDenied):
        dossier.execute(verify, actor=admin.actor)
    dossier.execute(GrantRole(account_id=admin.account, role=Role.ADMIN), actor=OPERATOR)
    dossier.execute(verify, actor=admin.actor)
    dossier.execute(DeactivateAccount(account_id=admin.account, reason="left"), actor=OPERATOR)
    with pytest.raises(AccessDenied):
        dossier.execute(replace_status(verify), actor=admin.actor)
    assert not dossier.permissions(admin.actor).is_admin


def replace_status(command: VerifyProfile) -> VerifyProfile:
    return command.model_copy(update={"status": Verification.REJECTED})


def test_a_person_whose_account_was_closed_can_change_nothing(dossier: Dossier, ada: Person) -> None:
    dossier.execute(DeactivateAccount(account_id=ada.account, reason="x"), actor=ada.actor)
    with pytest.raises(AccessDenied):
        dossier.execute(_update(ada, location="Bern"), actor=ada.actor)
    with pytest.raises(AccessDenied):
        dossier.history(ada.account, actor=ada.actor)
    assert dossier.execute(_update(ada, location="Bern"), actor=OPERATOR).events == 1


def test_history_is_for_its_person_and_admins(dossier: Dossier, ada: Person) -> None:
    stranger = Person()
    assert [event.version for event in dossier.history(ada.profile, actor=ada.actor)] == [1]
    assert dossier.history(ada.account, actor=OPERATOR)[0].topic == "account.registered"
    for stream in (ada.profile, ada.account):
        with pytest.raises(AccessDenied):
            dossier.history(stream, actor=stranger.actor)
    with pytest.raises(NotFound):
        dossier.history(uuid4(), actor=OPERATOR)
    with pytest.raises(AccessDenied):  # and not NotFound, which would tell what exists
        dossier.history(uuid4(), actor=stranger.actor)


def test_dossier_is_made_of_ports(dossier: Dossier) -> None:
    assert replace(dossier, clock=lambda: datetime(2020, 1, 1, tzinfo=UTC)).clock().year == 2020
