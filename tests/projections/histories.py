"""Histories for property tests: random commands and imports, played through the command API into any log."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Protocol
from uuid import UUID, uuid4, uuid5

from hypothesis import strategies as st

from domain.access import Actor, Role
from domain.account import (
    AccountErased,
    ChangeContact,
    DeactivateAccount,
    EraseAccount,
    GrantRole,
    RegisterAccount,
    RevokeRole,
    SwitchActiveProfile,
)
from domain.billing import (
    BILLING,
    CancelSubscription,
    ChangeSubscriptionStatus,
    OpenBilling,
    StartSubscription,
    Subscription,
    SubscriptionStatusChanged,
    UpdateBilling,
)
from domain.case import (
    CASE,
    CaseConflictRecorded,
    CaseOpened,
    CaseStatusChanged,
    ChangeCaseStatus,
    CloseCase,
    CorrectCaseStatus,
    OpenCase,
    RemoveCaseStatus,
    ReopenCase,
    SettleCaseConflict,
    UpdateCase,
)
from domain.collective import CollectiveOpened, OpenCollective
from domain.command import Command
from domain.company import (
    AddCompanyMember,
    CompanyMemberAdded,
    CompanyRegistered,
    EndCompanyMembership,
    RegisterCompany,
    UpdateCompany,
)
from domain.contexts import Context, Tone
from domain.conversation import (
    ConversationStarted,
    HistorySummarised,
    InteractionsCounted,
    MessageRecorded,
    MessageRole,
    RecordMessage,
    StartConversation,
    SummariseHistory,
)
from domain.errors import CommandRejected, RuleViolated
from domain.event import ERASED, DomainEvent, EventMetadata, NewEvent, Recorded, personal_fields
from domain.intent import DeclareIntent, ReviseIntent, WithdrawIntent
from domain.legacy import LegacySnapshotRecorded
from domain.migration import MigrationRunCompleted, MigrationRunStarted
from domain.profile import (
    ArchiveProfile,
    CreateProfile,
    ProfileConflictRecorded,
    ResolveConflict,
    UpdateProfile,
    Verification,
    VerifyProfile,
)
from domain.service import Append, Dossier, EventStore, Receipt, Since
from domain.status_catalogue import DefineStatus, RetireStatus, StatusDefined, StatusDefinition
from domain.streams import billing_id, imported_id, migration_id, status_id
from domain.timeline import Entry
from domain.wall_clock import read_wall_clock
from projections.read_model import ReadModel, Row, fold_events

FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)
START = datetime(2024, 1, 1, tzinfo=UTC)
OPERATOR = Actor.operator()


class Log(EventStore, Protocol):
    """A log that takes commands and imports, and can be followed and rebuilt from."""

    def append_bulk(self, events: Sequence[NewEvent]) -> int: ...
    def head(self) -> int: ...
    def read(self, after: int, limit: int) -> list[Recorded]: ...
    def scan(self, upto: int, first: UUID = ..., last: UUID = ...) -> Iterator[Recorded]: ...


@dataclass
class MemoryLog:
    """A log in a list; positions have gaps, as those of the real one may."""

    events: list[Recorded] = field(default_factory=list)

    def load(self, streams: Any) -> dict[UUID, list[Recorded]]:
        return {stream: [event for event in self.events if event.stream == stream] for stream in streams}

    def load_since(self, versions: Mapping[UUID, int]) -> Since:
        loaded = self.load(versions)
        return Since({stream: events[versions[stream] :] for stream, events in loaded.items()}, 0)

    def append(self, request: Append) -> Receipt:
        self.append_bulk(request.events)
        return Receipt(request.stream, request.version, self.head(), len(request.events))

    def append_bulk(self, events: Sequence[NewEvent]) -> int:
        gone = {event.stream for event in self.events if isinstance(event.event, AccountErased)}
        if any(new.metadata.subject in gone and personal_fields(type(new.event)) for new in events):
            raise RuleViolated("the person was erased")
        for new in events:
            position = self.head() + 1 + len(self.events) % 3
            self.events.append(recorded(new, position))
            if isinstance(new.event, AccountErased):
                self.events = [
                    erased(event) if event.metadata.subject == new.stream else event for event in self.events
                ]
        return self.head()

    def receipt(self, command_id: UUID, digest: bytes) -> Receipt | None:
        return None

    def streams_about(self, subjects: Any) -> set[UUID]:
        return {event.stream for event in self.events if event.metadata.subject in subjects}

    def head(self) -> int:
        return self.events[-1].position if self.events else 0

    def read(self, after: int, limit: int) -> list[Recorded]:
        return [event for event in self.events if event.position > after][:limit]

    def scan(self, upto: int, first: UUID = FIRST, last: UUID = LAST) -> Iterator[Recorded]:
        kept = [event for event in self.events if event.position <= upto and first <= event.stream <= last]
        return iter(sorted(kept, key=lambda event: (event.stream, event.version)))


def recorded(new: NewEvent, position: int) -> Recorded:
    event = new.event
    return Recorded(new.stream, new.version, position, event.topic, event, new.metadata, event.schema_version)


def erased(event: Recorded) -> Recorded:
    """Return the event as it reads after its subject was erased."""
    update = dict.fromkeys(personal_fields(type(event.event)), ERASED)
    return event._replace(event=event.event.model_copy(update=update))


def metadata(occurred_at: datetime, origin: str = "live") -> EventMetadata:
    return EventMetadata(
        occurred_at=occurred_at,
        recorded_at=occurred_at + timedelta(hours=1),
        actor="someone",
        recorded_by="someone",
        origin=origin,
    )


def history(stream: UUID, *events: DomainEvent, first: int = 1) -> list[Recorded]:
    """Return events of one stream as stored, a day apart, at every tenth position."""
    return [
        recorded(NewEvent(stream, version, event, metadata(START + timedelta(days=version))), version * 10)
        for version, event in enumerate(events, start=first)
    ]


@dataclass(frozen=True)
class Import:
    """An event that an import appends to a stream, where it fits what is there."""

    stream: UUID
    event: DomainEvent


@dataclass(frozen=True)
class Follow:
    """The follower gets to work, this many events at a time."""

    limit: int


Step = Command | Import | Follow


def histories() -> st.SearchStrategy[list[Step]]:
    """Strategy for interleaved steps over a few accounts with all that is theirs, snapshots, runs, cases."""
    return st.builds(uuid4).flatmap(
        lambda base: st.lists(_steps(base) | _case_steps(base) | _beside_steps(base), max_size=50).map(
            opening(base).__add__
        )
    )


def play(log: Log, steps: Sequence[Step], follow: Any = lambda limit: None) -> None:
    """Carry the steps out; what the deciders reject is left out."""
    times = count(1)
    dossier = Dossier(log, lambda: START + timedelta(minutes=next(times)), uuid4)
    for step in steps:
        match step:
            case Follow(limit=limit):
                follow(limit)
            case Import():
                _import(log, step, START + timedelta(minutes=next(times)))
            case _:
                _execute(dossier, step)


def _execute(dossier: Dossier, command: Command) -> None:
    try:
        dossier.execute(command, actor=OPERATOR)
    except CommandRejected:
        return


def _import(log: Log, step: Import, now: datetime) -> None:
    earlier = log.load([step.stream])[step.stream]
    if _fits(step.event, [event.event for event in earlier]):
        event = placed(step.event, earlier)
        log.append_bulk([NewEvent(step.stream, len(earlier) + 1, event, metadata(now, "import:run-7"))])


def placed(event: DomainEvent, earlier: Sequence[Recorded]) -> DomainEvent:
    """Return the event, a status with the entries between which it takes its place, as an import says them."""
    if isinstance(event, SubscriptionStatusChanged):
        timeline = BILLING.fold(before.event for before in earlier).timeline
    elif isinstance(event, CaseStatusChanged) and event.superseded_by is None:
        timeline = CASE.fold(before.event for before in earlier).timeline
    else:
        return event
    neighbours = timeline.neighbours(Entry(event.effective_at, len(earlier) + 1, event.status))
    return event.model_copy(update=neighbours._asdict())


def _fits(event: DomainEvent, earlier: list[DomainEvent]) -> bool:
    match event:
        case ProfileConflictRecorded() | CaseConflictRecorded() | CaseStatusChanged() | CompanyMemberAdded():
            return bool(earlier)
        case MessageRecorded() | HistorySummarised() | InteractionsCounted() | SubscriptionStatusChanged():
            return bool(earlier)
        case CaseOpened() | CompanyRegistered() | CollectiveOpened() | ConversationStarted():
            return not earlier
        case MigrationRunStarted(run_id=run_id) | MigrationRunCompleted(run_id=run_id):
            runs = [type(before) for before in earlier if getattr(before, "run_id", None) == run_id]
            return runs == ([] if isinstance(event, MigrationRunStarted) else [MigrationRunStarted])
        case _:
            return True


_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_texts, inner, max_size=2),
    max_leaves=4,
)
_objects = st.dictionaries(_texts, _json, max_size=2)
_fields = st.fixed_dictionaries(
    {},
    optional={
        "location": _texts,
        "age_range": st.sampled_from(["18-24", "early 30s", ""]),
        "core_values": st.lists(_texts, max_size=2),
        "beliefs": _objects,
    },
)
_wishes = st.fixed_dictionaries({}, optional={"friendship_depth": st.sampled_from(["casual", "deep", ""])})
_reasons = st.just("because")
_contexts = st.sampled_from([Context.FRIENDSHIP, Context.ROMANTIC])
_tones = st.none() | st.sampled_from(Tone)
_counts = st.integers(0, 9)


def _ids(base: UUID, noun: str, number: int = 2) -> list[UUID]:
    return [uuid5(base, f"{noun}{index}") for index in range(number)]


def opening(base: UUID) -> list[Step]:
    """Return the steps that every history begins with."""
    account, profile = _ids(base, "account")[0], _ids(base, "profile")[0]
    return [
        RegisterAccount(account_id=account, email="A@x.org"),
        CreateProfile(account_id=account, profile_id=profile, kind="personal", fields={"location": "Oslo"}),
        RegisterCompany(company_id=_ids(base, "company")[0], fields={"name": "Acme", "tax_id": "1.2"}),
        OpenCase(
            case_id=_ids(base, "case")[0],
            person_id=account,
            company_id=_ids(base, "company")[0],
            status="exigencia",
            effective_at=START - timedelta(days=9),
        ),
    ]


def _steps(base: UUID) -> st.SearchStrategy[Step]:
    account = st.sampled_from(_ids(base, "account"))
    profile = st.sampled_from(_ids(base, "profile", 3))
    mine = {"account_id": account}
    commands: list[st.SearchStrategy[Step]] = [
        st.builds(RegisterAccount, **mine, email=_texts, phone=_texts, name=_texts),
        st.builds(ChangeContact, **mine, email=_texts, name=st.none() | _texts),
        st.builds(GrantRole, **mine, role=st.sampled_from(Role)),
        st.builds(RevokeRole, **mine, role=st.sampled_from(Role)),
        st.builds(DeactivateAccount, **mine, reason=_reasons),
        st.builds(EraseAccount, **mine, reason=_reasons),
        st.builds(SwitchActiveProfile, **mine, profile_id=profile),
        st.builds(CreateProfile, **mine, profile_id=profile, kind=st.just("personal"), fields=_fields),
        st.builds(UpdateProfile, profile_id=profile, changes=_fields),
        st.builds(VerifyProfile, profile_id=profile, status=st.sampled_from(Verification)),
        st.builds(ArchiveProfile, **mine, profile_id=profile, reason=_reasons),
        st.builds(ResolveConflict, profile_id=profile, field=st.just("location"), value=st.just("Rome")),
        st.builds(DeclareIntent, **mine, context=_contexts, fields=_wishes, tone_preference=_tones),
        st.builds(ReviseIntent, **mine, context=_contexts, changes=_wishes, tone_preference=_tones),
        st.builds(WithdrawIntent, **mine, context=_contexts),
    ]
    follows = st.builds(Follow, st.integers(1, 5))
    return st.one_of(*commands, _conflicts(profile), _snapshots(base), _runs(base), follows)


# Some before the opening, some twice: late entries and entries of one time.
_times = st.none() | st.integers(0, 12).map(lambda days: START - timedelta(days=days))
_entries = st.integers(1, 9)
_codes = st.sampled_from(["em_tramite", "exigencia", "rnm", "deferido"])
_case_fields = st.fixed_dictionaries(
    {},
    optional={
        "protocol_number": _texts,
        "deadline_date": st.sampled_from(["2024-01-31", "2024-02-01T09:30", ""]),
        "rnm_deadline": st.sampled_from(["2025-06-01T12:00Z", ""]),
    },
)
_filled = st.sampled_from([{}, {}, {"deadline_date": "2024-03-01"}, {"protocol_number": "17"}, {"rnm_number": "R1"}])
_company_fields = st.fixed_dictionaries({}, optional={"name": _texts, "tax_id": _texts, "notes": _texts})


def _beside_steps(base: UUID) -> st.SearchStrategy[Step]:
    """Strategy for what happens beside account and profile: messages and billing."""
    account, talk = st.sampled_from(_ids(base, "account")), st.sampled_from(_ids(base, "conversation"))
    mine, the_talk = {"account_id": account}, {"conversation_id": talk}
    status = st.sampled_from([*Subscription, "canceled"])
    billing = account.map(billing_id)
    fields = st.sampled_from([{}, {"stripe_customer_id": "c1"}, {"subscription_tier": "gold", "trial_ends_at": ""}])
    begun = st.builds(ConversationStarted, **mine, began_at=_times)
    message = st.builds(MessageRecorded, role=st.none() | _texts, content=st.none() | _texts, sent_at=_times)
    summary = st.builds(HistorySummarised, summary=st.none() | _texts, summary_version=st.none() | _texts)
    kept = st.builds(
        SubscriptionStatusChanged, status=_texts, effective_at=_times.map(lambda at: at or START), notes=_texts
    )
    commands: list[st.SearchStrategy[Step]] = [
        st.builds(StartConversation, **the_talk, **mine, began_at=_times),
        st.builds(RecordMessage, **the_talk, role=st.sampled_from(MessageRole), content=_texts, sent_at=_times),
        st.builds(RecordMessage, **the_talk, role=st.just(MessageRole.USER), off_record=st.just(True)),
        st.builds(SummariseHistory, **the_talk, summary=st.just("short"), prompt_tokens=_counts),
        st.builds(OpenBilling, **mine, fields=fields),
        st.builds(UpdateBilling, **mine, changes=fields),
        st.builds(StartSubscription, **mine, fields=fields, effective_at=_times),
        st.builds(ChangeSubscriptionStatus, **mine, status=status, effective_at=_times),
        st.builds(CancelSubscription, **mine, effective_at=_times, reason=_reasons),
        st.builds(Import, talk, begun),
        st.builds(Import, talk, message | summary | st.builds(InteractionsCounted, total=_counts)),
        st.builds(Import, billing, kept),
    ]
    return st.one_of(*commands)


def _case_steps(base: UUID) -> st.SearchStrategy[Step]:
    case, company = st.sampled_from(_ids(base, "case")), st.sampled_from(_ids(base, "company"))
    collective = st.sampled_from(_ids(base, "collective"))
    account = st.sampled_from(_ids(base, "account"))
    the_case, the_company = {"case_id": case}, {"company_id": company}
    code = st.just(f"own_{base.hex}")
    commands: list[st.SearchStrategy[Step]] = [
        st.builds(
            OpenCase,
            **the_case,
            person_id=st.none() | account,
            collective_id=st.none() | collective,
            fields=_case_fields,
            status=st.none() | _codes,
            effective_at=_times,
        ),
        st.builds(UpdateCase, **the_case, changes=_case_fields),
        st.builds(ChangeCaseStatus, **the_case, status=_codes, effective_at=_times, filled=_filled),
        st.builds(ChangeCaseStatus, **the_case, status=_codes | code, effective_at=_times, notes=_texts),
        st.builds(CorrectCaseStatus, **the_case, entry=_entries, effective_at=_times, reason=_reasons),
        st.builds(CorrectCaseStatus, **the_case, entry=_entries, status=_codes, filled=_filled, reason=_reasons),
        st.builds(RemoveCaseStatus, **the_case, entry=st.none() | _entries, reason=_reasons),
        st.builds(CloseCase, **the_case, reason=_reasons),
        st.builds(ReopenCase, **the_case, reason=_reasons),
        st.builds(SettleCaseConflict, **the_case, field=st.just("status"), reason=_reasons),
        st.builds(RegisterCompany, **the_company, fields=_company_fields),
        st.builds(UpdateCompany, **the_company, changes=_company_fields),
        st.builds(AddCompanyMember, **the_company, account_id=account, role=st.none() | _texts),
        st.builds(EndCompanyMembership, **the_company, account_id=account, reason=_reasons),
        st.builds(OpenCollective, **the_company, collective_id=collective, reference_number=st.none() | _texts),
        st.builds(DefineStatus, code=code, catalogue=st.just("own"), name=st.just("Ours"), sort_order=st.just(1)),
        st.builds(RetireStatus, code=code | st.just("emissao_vitem"), reason=_reasons),
    ]
    return st.one_of(*commands, *_imported_cases(base))


def _imported_cases(base: UUID) -> list[st.SearchStrategy[Step]]:
    case, company = st.sampled_from(_ids(base, "case")), st.sampled_from(_ids(base, "company"))
    times = _times.map(lambda at: at or START)
    opened = st.builds(
        CaseOpened,
        company_id=st.none() | company,
        fields=st.just({"deadline_date": "soon", "rnm_deadline": 7}),
        is_current=st.booleans(),
        completed_at=_times,
        legacy_keys=st.just({"company_id": "c1"}),
    )
    entry = st.builds(
        CaseStatusChanged,
        status=st.none() | _codes | st.just("an old name"),
        effective_at=times,
        day=times.map(datetime.date),
        superseded_by=st.none() | st.none() | _entries,
        notes=st.none() | _texts,
        dated=st.none() | st.sampled_from(["2023-12-24", "2023-12-24T18:00"]).map(read_wall_clock),
        carried=_objects,
    )
    conflict = CaseConflictRecorded(field="status", values=("rnm", None), chosen="rnm", rule="status_rank")
    person = st.builds(CompanyMemberAdded, person_key=_texts, fields=_objects, is_current=st.none() | st.booleans())
    nameless = CompanyRegistered(fields={"notes": "x"})
    defined = StatusDefined(definition=StatusDefinition(catalogue="own", code=None, name="?"), in_use=False)
    collective = _ids(base, "collective")[1]
    return [
        st.builds(Import, case, opened),
        st.builds(Import, case, entry),
        st.builds(Import, case, st.just(conflict)),
        st.builds(Import, company, person),
        st.builds(Import, company, st.just(nameless)),
        st.builds(Import, st.just(collective), st.just(CollectiveOpened(company_id=None, completed_at=START))),
        st.builds(Import, st.just(status_id(f"own_{base.hex}")), st.just(defined)),
    ]


def _conflicts(profile: st.SearchStrategy[UUID]) -> st.SearchStrategy[Step]:
    event = ProfileConflictRecorded(field="location", values=("Oslo", "Rome"), chosen="Oslo", rule="first_non_empty")
    return st.builds(Import, profile, st.just(event))


def _snapshots(base: UUID) -> st.SearchStrategy[Step]:
    def snapshot(key: str, became: UUID | None, created: datetime | None) -> Import:
        system = f"contexts-{base}"
        event = LegacySnapshotRecorded(
            system=system,
            table="User",
            key=key,
            bundle=key,
            created=created,
            became=became,
            digest="00",
            mapping_version=1,
            raw="{}",
        )
        return Import(imported_id("snapshot", system, "User", key), event)

    times = st.none() | st.datetimes(timezones=st.just(UTC))
    return st.builds(snapshot, _texts, st.none() | st.sampled_from(_ids(base, "account")), times)


def _runs(base: UUID) -> st.SearchStrategy[Step]:
    system = f"contexts-{base}"
    run = st.sampled_from(_ids(base, "run"))
    events = st.builds(started, run, st.just(system)) | st.builds(completed, run, st.just(system))
    return st.builds(Import, st.just(migration_id(system)), events)


def started(run_id: UUID, system: str) -> MigrationRunStarted:
    return MigrationRunStarted(
        run_id=run_id, system=system, mapping_version=1, source_kind="json_lines", tables={"User": 2}
    )


def completed(run_id: UUID, system: str) -> MigrationRunCompleted:
    return MigrationRunCompleted(run_id=run_id, system=system, recorded=1, unchanged=2, quarantined=3, events=4)


def row_of(model: ReadModel, events: Sequence[Recorded]) -> Row:
    """Return the row that the events of one stream make."""
    row = fold_events(model, {}, events)[events[0].stream,]
    assert row is not None
    return row
