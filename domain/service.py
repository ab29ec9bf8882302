"""The command API: load, fold, decide, append. Idempotent by command id, authorised, with the ports it needs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol
from uuid import UUID

from domain import access
from domain.access import ACCESS, Actor, Permissions
from domain.account import ACCOUNT, EraseAccount
from domain.billing import BILLING
from domain.case import CASE
from domain.collective import COLLECTIVE
from domain.command import Command, Participant
from domain.company import COMPANY
from domain.conversation import CONVERSATION
from domain.decider import Decider
from domain.errors import CommandIdReused, CommandRejected, NotFound, VersionConflict
from domain.event import DomainEvent, EventMetadata, NewEvent, Recorded
from domain.evidence import EVIDENCE
from domain.intent import INTENT
from domain.item import ITEM
from domain.profile import PROFILE
from domain.projection import PROJECTION
from domain.recent import Loaded, Recent, Tally
from domain.status_catalogue import STATUS

AGGREGATES: Final[dict[str, Decider[Any]]] = {
    decider.name: decider
    for decider in (
        *(ACCOUNT, PROFILE, ITEM, INTENT, CONVERSATION, BILLING, CASE, COLLECTIVE, COMPANY),
        *(STATUS, ACCESS, PROJECTION, EVIDENCE),
    )
}
"""Every aggregate by its name, which is also what the topics of its events begin with."""
ATTEMPTS: Final = 10


class Receipt(NamedTuple):
    """What a command did: the stream it was about and its version now, the position of its last event, how many events.

    A command that changed nothing has `events` 0 and the position of the newest event it was judged by.
    """

    stream: UUID
    version: int
    position: int
    events: int


@dataclass(frozen=True)
class Append:
    """A request to append: events of one command, in order, with the versions its decision rests on.

    `unchanged` maps streams that were read and not written to the version they must still have. `subject` is the person
    the command says something about: a store that seals keeps the digest under their key.
    """

    command_id: UUID
    digest: bytes
    stream: UUID
    version: int
    position: int
    events: Sequence[NewEvent]
    unchanged: Mapping[UUID, int]
    subject: UUID | None = None


class Since(NamedTuple):
    """The events of each stream after the version asked for, oldest first, and their generation."""

    events: dict[UUID, list[Recorded]]
    generation: int


class EventStore(Protocol):
    """The port to stored events."""

    def load(self, streams: Iterable[UUID]) -> dict[UUID, list[Recorded]]:
        """Return the events of each stream, oldest first; a stream without any has an empty list."""
        ...

    def load_since(self, versions: Mapping[UUID, int]) -> Since:
        """Return the events of each stream after a version (0 for all of them), in one read.

        The generation grows whenever events that were read before would now be read as something else, as those of an
        erased person are.
        """
        ...

    def append(self, request: Append) -> Receipt:
        """Append all events or none, with the receipt; the receipt on file if the command id was used before.

        Raises VersionConflict, CommandIdReused, StoreBusy, StoreUnavailable or UnknownOutcome.
        """
        ...

    def receipt(self, command_id: UUID, digest: bytes) -> Receipt | None:
        """Return the receipt of a command id, None if it was never used; CommandIdReused if for another command."""
        ...


@dataclass(frozen=True)
class Dossier:
    """The command API of the product. `clock` returns the time in UTC, `new_id` a fresh unique id.

    `conflicted` is called with a command and how many of its attempts have met a conflicting write: before the next
    attempt, and after the last.

    `tally` counts commands, those decided anew after a conflict, those given up after the last attempt, and for how
    many streams a recent state was at hand (`hits`) or not (`misses`).
    """

    store: EventStore
    clock: Callable[[], datetime]
    new_id: Callable[[], UUID]
    conflicted: Callable[[Command, int], None] = lambda _command, _attempts: None
    recent: Recent = field(default_factory=Recent, init=False, compare=False, repr=False)
    tally: Tally = field(default_factory=Tally, init=False, compare=False, repr=False)

    def execute(
        self,
        command: Command,
        *,
        actor: Actor,
        command_id: UUID | None = None,
        expected_version: int | None = None,
        correlation_id: UUID | None = None,
    ) -> Receipt:
        """Carry out a command and return its receipt; the same command id with the same payload has one effect.

        `expected_version` is the version the caller saw of the stream the command is about. Without it a conflicting
        write is decided anew, until the tenth attempt. Raises a CommandRejected or StoreError.
        """
        command_id = command_id or self.new_id()
        digest = payload_digest(command, actor)
        self.tally.add(commands=1)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                request = self._decide(command, actor, command_id, digest, expected_version, correlation_id)
                return self.store.append(request)
            except CommandRejected as rejection:
                if receipt := self.store.receipt(command_id, digest):
                    return receipt
                if not isinstance(rejection, VersionConflict) or expected_version is not None:
                    raise
                self.tally.add(**{"given_up" if attempt == ATTEMPTS else "decided_anew": 1})
                self.conflicted(command, attempt)
                if attempt == ATTEMPTS:
                    raise VersionConflict(
                        f"somebody else wrote first, {ATTEMPTS} times in a row; nothing was written",
                        hint="many change the same record at once: ask again in a moment",
                    ) from rejection
        raise AssertionError("the last attempt returns or raises")

    def permissions(self, actor: Actor) -> Permissions:
        """Return the actor with the roles in force, read from the actor's own stream."""
        accounts = _accounts_of(actor)
        return _permissions(actor, *self._load(accounts))

    def history(self, stream: UUID, *, actor: Actor) -> list[Recorded]:
        """Return the events of a record, oldest first; raises AccessDenied or NotFound."""
        events, accounts = self.store.load([stream])[stream], self._load(_accounts_of(actor))
        permissions = _permissions(actor, *accounts)
        if any(account.version == 0 for account in accounts):  # an id alone reads nothing
            permissions = replace(permissions, active=False)
        decider = next((known for known in AGGREGATES.values() if events and _is_of(known, events)), None)
        if decider is None:  # a legacy record as it was taken in, or none at all
            access.check_read(permissions, next((event.metadata.subject for event in events), None))
        else:
            record = _folded(decider, stream, events)
            members = frozenset() if permissions.is_admin else self._members(record)
            access.check_read(permissions, _owner([record]), members)
        if not events:
            raise NotFound(f"there is no record {stream}")
        return events

    def _members(self, record: Loaded) -> frozenset[UUID]:
        """Return the accounts that may read a record because they belong to it, or to what it belongs to."""
        members: frozenset[UUID] = record.decider.members(record.state)
        parent = record.decider.parent(record.state)
        return members | self._members(self._load([parent])[0]) if parent else members

    def _load(self, participants: Sequence[Participant]) -> list[Loaded]:
        """Return records as they are now, in one read: recent states are brought forward by what came since."""
        streams = {participant.stream for participant in participants}
        if not streams:
            return []
        known = self.recent.among(streams)
        since = self.store.load_since({stream: _version(known.records.get(stream)) for stream in streams})
        if known.records and since.generation != known.generation:  # it was made from events that read otherwise now
            known = known._replace(records={})
            since = self.store.load_since(dict.fromkeys(streams, 0))
        self.tally.add(hits=len(known.records), misses=len(streams) - len(known.records))
        loaded = {
            record.stream: record
            for stream, events in since.events.items()
            if (record := _brought_forward(known.records.get(stream), stream, events))
        }
        self.recent.keep(loaded.values(), since.generation)
        return [_as(participant, loaded.get(participant.stream), since) for participant in participants]

    def _decide(
        self,
        command: Command,
        actor: Actor,
        command_id: UUID,
        digest: bytes,
        expected_version: int | None,
        correlation_id: UUID | None,
    ) -> Append:
        participants = command.participants()
        loaded = self._load([*participants, *_accounts_of(actor)])
        records, accounts = loaded[: len(participants)], loaded[len(participants) :]
        owner = _owner(records) or command.account()
        access.check_command(_permissions(actor, *accounts), command, owner)
        _check_kinds(records)
        main = records[0]
        if expected_version not in (None, main.version):
            raise VersionConflict(
                f"expected version {expected_version}, found {main.version}",
                field="expected_version",
                hint="load the record again and decide anew",
            )
        now = self.clock()
        command = command.at(now)
        looked_at = self._load([needed for record in records for needed in record.decider.needs(record.state, command)])
        known = {record.stream: record.state for record in looked_at}
        decided = [record.decider.decide(record.decider.informed(record.state, known), command) for record in records]
        new_events = [
            NewEvent(record.stream, record.version + number, event, _occurred(event, metadata))
            for record, events in zip(records, decided, strict=True)
            for metadata in [_metadata(now, actor, _subject(record, owner), command_id, correlation_id or command_id)]
            for number, event in enumerate(events, start=1)
        ]
        unchanged = [record for record, events in zip(records, decided, strict=True) if not events]
        return Append(
            command_id,
            digest,
            main.stream,
            main.version + len(decided[0]),
            max(record.position for record in (*records, *looked_at)),
            new_events,
            {record.stream: record.version for record in (*unchanged, *looked_at)},
            # With an erasure the key goes, and the command must be known again without it.
            None if isinstance(command, EraseAccount) else owner,
        )


def check_same_command(command_id: UUID, digest: bytes, on_file: bytes) -> None:
    """Raise CommandIdReused unless the receipt on file is that of the same command."""
    if digest != on_file:
        raise CommandIdReused(
            f"command id {command_id} was used for another command",
            field="command_id",
            hint="choose a new id for a new command",
        )


def payload_digest(command: Command, actor: Actor) -> bytes:
    """Return the digest by which a repeated command is known: SHA-256 over its name, actor and payload."""
    payload = json.dumps(command.model_dump(mode="json", exclude_unset=True), sort_keys=True)
    text = f"{type(command).__name__}\n{actor.id}\n{payload}"
    return hashlib.sha256(text.encode()).digest()


def _version(record: Loaded | None) -> int:
    return record.version if record else 0


def _brought_forward(record: Loaded | None, stream: UUID, events: list[Recorded]) -> Loaded | None:
    """Return a record after further events; None while a stream is empty, or where it is no aggregate's."""
    if not events:
        return record
    if record is None:
        decider = AGGREGATES.get(events[0].topic.partition(".")[0])
        return _folded(decider, stream, events) if decider else None
    state = record.decider.fold((recorded.event for recorded in events), record.state)
    return record._replace(state=state, version=events[-1].version, position=events[-1].position)


def _as(participant: Participant, record: Loaded | None, since: Since) -> Loaded:
    """Return a record as the aggregate that is to decide on it."""
    decider, stream = AGGREGATES[participant.aggregate], participant.stream
    if record is None:
        return _folded(decider, stream, since.events[stream])
    return record if record.decider is decider else record._replace(decider=decider, state=decider.initial, fits=False)


def _folded(decider: Decider[Any], stream: UUID, events: list[Recorded]) -> Loaded:
    fits = _is_of(decider, events)
    state = decider.fold(recorded.event for recorded in events) if fits else decider.initial
    return Loaded(decider, stream, state, len(events), events[-1].position if events else 0, fits)


def _is_of(decider: Decider[Any], events: list[Recorded]) -> bool:
    """Tell whether a stream is, or can become, a record of the aggregate: topics begin with its name."""
    return not events or events[0].topic.startswith(f"{decider.name}.")


def _check_kinds(records: list[Loaded]) -> None:
    for record in records:
        if not record.fits:
            raise NotFound(f"{record.stream} is not a record of kind {record.decider.name}")


def _owner(records: list[Loaded]) -> UUID | None:
    main = records[0]
    if main.decider is ACCOUNT:
        return main.stream
    owner: UUID | None = main.decider.owner(main.state)
    return owner


def _subject(record: Loaded, owner: UUID | None) -> UUID | None:
    if record.decider in (ACCESS, STATUS, COLLECTIVE, PROJECTION):
        return None
    return record.stream if record.decider is ACCOUNT else owner


def _accounts_of(actor: Actor) -> tuple[Participant, ...]:
    """Return the record an actor's roles are read from; an operator has none."""
    return () if actor.account is None else (Participant(ACCOUNT.name, actor.account),)


def _permissions(actor: Actor, account: Loaded | None = None) -> Permissions:
    if account is None:
        return Permissions(actor, actor.roles)
    if not account.fits:
        return Permissions(actor, actor.roles, active=False)
    return Permissions(actor, actor.roles | account.state.roles, account.state.active)


def _occurred(event: DomainEvent, metadata: EventMetadata) -> EventMetadata:
    """Return the envelope of an event that says itself when it took effect."""
    effective_at: datetime | None = getattr(event, "effective_at", None)
    return replace(metadata, occurred_at=effective_at) if effective_at else metadata


def _metadata(
    now: datetime, actor: Actor, subject: UUID | None, command_id: UUID, correlation_id: UUID
) -> EventMetadata:
    return EventMetadata(
        occurred_at=now,
        recorded_at=now,
        actor=actor.id,
        recorded_by=actor.id,
        subject=subject,
        command_id=command_id,
        correlation_id=correlation_id,
        causation_id=command_id,
    )
