"""One example of every command and of every event there is: a type without one fails the tests."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

from domain.access import AccessBootstrapped, BootstrapAdmin, Role
from domain.account import (
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
from domain.billing import (
    BillingOpened,
    BillingUpdated,
    CancelSubscription,
    ChangeSubscriptionStatus,
    OpenBilling,
    StartSubscription,
    SubscriptionCancelled,
    SubscriptionStarted,
    SubscriptionStatusChanged,
    UpdateBilling,
)
from domain.case import (
    CaseClosed,
    CaseConflictRecorded,
    CaseConflictSettled,
    CaseOpened,
    CaseReopened,
    CaseStatusChanged,
    CaseStatusCorrected,
    CaseStatusRemoved,
    CaseUpdated,
    ChangeCaseStatus,
    CloseCase,
    CorrectCaseStatus,
    OpenCase,
    RemoveCaseStatus,
    ReopenCase,
    SettleCaseConflict,
    StatusNow,
    UpdateCase,
)
from domain.collective import CollectiveOpened, OpenCollective
from domain.command import Command
from domain.company import (
    AddCompanyMember,
    CompanyMemberAdded,
    CompanyMembershipEnded,
    CompanyRegistered,
    CompanyUpdated,
    EndCompanyMembership,
    RegisterCompany,
    UpdateCompany,
)
from domain.contexts import Context
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
from domain.event import Change, DomainEvent, EventMetadata, Source
from domain.evidence import EvidenceExported, RecordExport
from domain.identity import EnsureProfile, SyncIdentity
from domain.intent import (
    DeclareIntent,
    IntentDeclared,
    IntentRevised,
    IntentWithdrawn,
    ReviseIntent,
    WithdrawIntent,
)
from domain.item import AddItem, ItemAdded, ItemRemoved, ItemUpdated, RemoveItem, UpdateItem
from domain.legacy import (
    ImportWithdrawn,
    LegacyRecordQuarantined,
    LegacySnapshotRecorded,
    LegacySnapshotWithdrawn,
    LiveValueKept,
)
from domain.migration import MigrationRunCompleted, MigrationRunStarted
from domain.profile import (
    ArchiveProfile,
    CompleteOnboarding,
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
)
from domain.projection import EventRestored, EventSkipped, RestoreEvent, SkipEvent
from domain.status_catalogue import DefineStatus, RetireStatus, StatusDefined, StatusDefinition, StatusRetired
from domain.wall_clock import ZONE, WallClock

ACCOUNT_ID: Final = UUID("0a000000-0000-4000-8000-000000000001")
OTHER_ACCOUNT_ID: Final = UUID("0a000000-0000-4000-8000-000000000002")
PROFILE_ID: Final = UUID("0b000000-0000-4000-8000-000000000001")
OTHER_PROFILE_ID: Final = UUID("0b000000-0000-4000-8000-000000000002")
CASE_ID: Final = UUID("0f000000-0000-4000-8000-000000000001")
ITEM_ID: Final = UUID("7e6d5c4b-3a29-4818-9706-f5e4d3c2b1a0")
COMPANY_ID: Final = UUID("0f000000-0000-4000-8000-000000000002")
COLLECTIVE_ID: Final = UUID("0f000000-0000-4000-8000-000000000003")
CONVERSATION_ID: Final = UUID("0f000000-0000-4000-8000-000000000004")
STREAM_ID: Final = UUID("0c000000-0000-4000-8000-000000000001")
RUN_ID: Final = UUID("0d000000-0000-4000-8000-000000000001")
COMMAND_ID: Final = UUID("0e000000-0000-4000-8000-000000000001")

_EARLIER: Final = datetime(2023, 5, 30, 13, 0, tzinfo=UTC)
_LATER: Final = datetime(2023, 6, 1, 8, 30, 0, 120_000, tzinfo=UTC)

COMMANDS: Final[dict[str, Command]] = {
    type(command).__name__: command
    for command in (
        BootstrapAdmin(account_id=ACCOUNT_ID),
        RegisterAccount(account_id=ACCOUNT_ID, email="ada@example.org", phone="+41 44 000 00 00", name="Ada"),
        ChangeContact(account_id=ACCOUNT_ID, email="ada@example.com"),
        UpdateAccount(account_id=ACCOUNT_ID, changes={"first_name": "Ada", "date_of_birth": "1815-12-10"}),
        GrantRole(account_id=ACCOUNT_ID, role=Role.SUPPORT),
        RevokeRole(account_id=ACCOUNT_ID, role=Role.SUPPORT),
        EraseAccount(account_id=ACCOUNT_ID, reason="request 2026/17"),
        DeactivateAccount(account_id=ACCOUNT_ID, reason="asked for it"),
        SwitchActiveProfile(account_id=ACCOUNT_ID, profile_id=PROFILE_ID),
        CreateProfile(account_id=ACCOUNT_ID, profile_id=PROFILE_ID, kind="personal", fields={"location": "Bern"}),
        CompleteOnboarding(
            account_id=ACCOUNT_ID,
            profile_id=PROFILE_ID,
            kind="dancer",
            fields={"display_name": "Ada", "skills": ["tap"]},
            steps=("name", "skills"),
            version="v2",
        ),
        EnsureProfile(
            account_id=ACCOUNT_ID, email="ada@example.org", name="Ada L.", kind="deck", fields={"bio": "Owl"}
        ),
        SyncIdentity(account_id=ACCOUNT_ID, email="ada@example.com", full_name="Ada Lovelace"),
        UpdateProfile(profile_id=PROFILE_ID, changes={"location": "Basel"}),
        VerifyProfile(profile_id=PROFILE_ID, status=Verification.VERIFIED),
        ArchiveProfile(account_id=ACCOUNT_ID, profile_id=PROFILE_ID, reason="not needed"),
        ResolveConflict(profile_id=PROFILE_ID, field="location", value="Basel"),
        AddItem(
            item_id=ITEM_ID,
            account_id=ACCOUNT_ID,
            profile_id=PROFILE_ID,
            kind="project",
            fields={"title": "Hair"},
        ),
        UpdateItem(item_id=ITEM_ID, changes={"roles": ["Clara"]}),
        RemoveItem(item_id=ITEM_ID, profile_id=PROFILE_ID, reason="somebody else danced it"),
        DeclareIntent(account_id=ACCOUNT_ID, context=Context.SERVICE, fields={"service_type": "seeking"}),
        ReviseIntent(account_id=ACCOUNT_ID, context=Context.SERVICE, changes={"service_type": "offering"}),
        WithdrawIntent(account_id=ACCOUNT_ID, context=Context.SERVICE),
        StartConversation(
            conversation_id=CONVERSATION_ID, account_id=ACCOUNT_ID, context=Context.SERVICE, began_at=_EARLIER
        ),
        RecordMessage(
            conversation_id=CONVERSATION_ID, role=MessageRole.USER, content="How do I sleep again?", sent_at=_EARLIER
        ),
        SummariseHistory(
            conversation_id=CONVERSATION_ID,
            summary="sleeps badly",
            summary_version="batch-v1",
            prompt_tokens=900,
            completion_tokens=80,
            cost_usd=0.0021,
        ),
        OpenBilling(account_id=ACCOUNT_ID, fields={"stripe_customer_id": "cus_1"}),
        UpdateBilling(account_id=ACCOUNT_ID, changes={"subscription_plan": "starter"}),
        StartSubscription(
            account_id=ACCOUNT_ID,
            status="trialing",
            fields={"stripe_subscription_id": "sub_1", "trial_ends_at": "2023-06-15T00:00:00Z"},
            effective_at=_EARLIER,
        ),
        ChangeSubscriptionStatus(account_id=ACCOUNT_ID, status="past_due", effective_at=_LATER, notes="card declined"),
        CancelSubscription(account_id=ACCOUNT_ID, reason="not needed any more"),
        RegisterCompany(company_id=COMPANY_ID, fields={"name": "Açúcar & Filhos", "tax_id": "12.345.678/0001-95"}),
        UpdateCompany(company_id=COMPANY_ID, changes={"phone_number": "+55 11 0000-0000"}),
        AddCompanyMember(company_id=COMPANY_ID, account_id=ACCOUNT_ID, role="HR"),
        EndCompanyMembership(company_id=COMPANY_ID, account_id=ACCOUNT_ID, reason="left the company"),
        OpenCollective(collective_id=COLLECTIVE_ID, company_id=COMPANY_ID, reference_number="2026/7"),
        OpenCase(
            case_id=CASE_ID,
            person_id=ACCOUNT_ID,
            collective_id=COLLECTIVE_ID,
            fields={"passport_id": "p1"},
            status="em_preparacao",
            notes="papers are complete",
            effective_at=_EARLIER,
        ),
        UpdateCase(case_id=CASE_ID, changes={"dou_date": "2023-06-01"}),
        ChangeCaseStatus(
            case_id=CASE_ID, status="em_tramite", effective_at=_LATER, filled={"protocol_number": "47039.000001"}
        ),
        CorrectCaseStatus(case_id=CASE_ID, entry=2, notes="a day too early", effective_at=_LATER, reason="misread"),
        RemoveCaseStatus(case_id=CASE_ID, entry=2, reason="meant for another case"),
        CloseCase(case_id=CASE_ID, reason="a newer one took its place"),
        ReopenCase(case_id=CASE_ID, reason="closed by mistake"),
        SettleCaseConflict(case_id=CASE_ID, field="status", reason="the history is right"),
        RecordExport(
            export_id=RUN_ID,
            file_format="jsonl",
            filters={"topic": ["profile.updated"]},
            events=3,
            tree_size=17,
            tree_root="0a" * 32,
            manifest_digest="0b" * 32,
        ),
        DefineStatus(
            code="aguardando_cliente",
            catalogue="case_codes",
            name="Aguardando o cliente",
            name_en="Waiting for the client",
            category="review",
            colour="#D97706",
            sort_order=18,
            fillable_fields=("deadline_date",),
            may_go_to=("em_tramite",),
        ),
        RetireStatus(code="diario_oficial", reason="publicado_dou says the same"),
        SkipEvent(read_model="accounts", stream=ACCOUNT_ID, version=3, reason="written by a broken release"),
        RestoreEvent(read_model="accounts", stream=ACCOUNT_ID, version=3, reason="the fold reads it now"),
    )
}

EVENTS: Final[dict[str, DomainEvent]] = {
    event.topic: event
    for event in (
        AccessBootstrapped(account_id=ACCOUNT_ID),
        AccountRegistered(
            email="zoë@example.org", phone="+41 44 000 00 00", name="Zoë 🌻", details={"first_name": "Zoë"}
        ),
        AccountUpdated(changes={"first_name": Change(old="Zoë", new=None), "last_name": Change(new="Ünal")}),
        ContactChanged(changes={"email": Change(old="zoë@example.org", new=None), "name": Change(new="Zoë")}),
        RoleGranted(role=Role.ADMIN),
        RoleRevoked(role=Role.AUDITOR),
        AccountDeactivated(reason="asked for it"),
        AccountErased(reason="request 2026/17"),
        ProfileAdded(profile_id=PROFILE_ID, kind="personal"),
        ProfileRemoved(profile_id=PROFILE_ID),
        ActiveProfileSwitched(profile_id=OTHER_PROFILE_ID, previous=PROFILE_ID),
        ProfileCreated(
            account_id=ACCOUNT_ID,
            kind="personal",
            fields={
                "location": "Genève",
                "core_values": ["calm", "Calm "],
                "beliefs": {"z": [1, 2.5, None, True], "a/b~c": {"deep": "x"}},
            },
        ),
        ProfileUpdated(changes={"location": Change(old="Genève", new="Bern"), "beliefs": Change(old={"a": 1})}),
        ProfileVerificationChanged(
            status=Verification.REJECTED, previous=Verification.PENDING, notes="not the same person"
        ),
        ProfileArchived(reason="a duplicate"),
        ProfileConflictRecorded(
            field="beliefs/faith", values=("none", {"of": "old"}), chosen="none", rule="last_writer_wins"
        ),
        ProfileConflictResolved(field="beliefs/faith", value={"of": "old"}, previous="none"),
        ItemAdded(
            account_id=ACCOUNT_ID,
            profile_id=PROFILE_ID,
            kind="highlight",
            fields={"project_id": str(ITEM_ID), "position": 2},
            legacy_keys={"project_id": "k57a"},
        ),
        ItemUpdated(changes={"position": Change(old=2, new=0)}),
        ItemRemoved(reason="shown elsewhere"),
        IntentDeclared(
            account_id=ACCOUNT_ID,
            context="professional",
            fields={"partnership_type": "cofounder", "complementary_skills": ["sales", "law"]},
            tone_preference="light",
            context_profile_id="cl9ebqhxk00003b600tymydho",
        ),
        IntentRevised(changes={"tone_preference": Change(old="light", new="serious")}),
        IntentWithdrawn(reason="found somebody"),
        ConversationStarted(
            account_id=ACCOUNT_ID,
            context="romantic",
            context_profile_id="cl9ebqhxk00003b600tymydho",
            began_at=_LATER,
            interactions=12,
        ),
        MessageRecorded(role="user", content="¿Cómo duermo? 🌙", sent_at=_LATER, key="cm1"),
        HistorySummarised(
            summary="sleeps badly",
            summary_version="batch-v1",
            token_usage={"prompt_tokens": 900, "cost_usd": 0.0021, "recorded_at": "2023-06-01T08:30:00.120000Z"},
        ),
        InteractionsCounted(total=42),
        BillingOpened(
            account_id=ACCOUNT_ID,
            fields={"stripe_customer_id": "cus_1", "trial_ends_at": "2023-06-15T00:00:00.000000Z"},
        ),
        BillingUpdated(changes={"subscription_plan": Change(old="starter", new="enterprise")}),
        SubscriptionStarted(
            status="trialing", effective_at=_LATER, follows=2, changes={"cancelled_at": Change(old="x")}
        ),
        SubscriptionStatusChanged(
            status="past_due", previous="trialing", effective_at=_LATER, follows=3, precedes=7, notes="card declined"
        ),
        SubscriptionCancelled(
            previous="past_due",
            effective_at=_LATER,
            follows=4,
            written="canceled",
            notes="not needed any more",
            changes={"cancelled_at": Change(new="2023-06-01T08:30:00.120000Z")},
        ),
        LegacySnapshotRecorded(
            system="contexts",
            table="ContextProfile",
            key="cl9ebqhxk00003b600tymydho",
            bundle="demo-user-1",
            parent_key="demo-user-1",
            created=datetime(2023, 5, 1, 10, 0, tzinfo=UTC),
            updated=_LATER,
            became=PROFILE_ID,
            digest="ab" * 32,
            mapping_version=1,
            raw='{"id": "cl9ebqhxk00003b600tymydho"}',
        ),
        LegacySnapshotWithdrawn(system="contexts", table="User", key="u1", reason="rollback"),
        ImportWithdrawn(system="contexts", reason="rollback"),
        LiveValueKept(
            system="contexts", bundle="u1", stream=PROFILE_ID, field="beliefs/diet", live="any", legacy={"of": "old"}
        ),
        LegacyRecordQuarantined(
            system="contexts",
            table="User",
            key=None,
            code="not_json",
            reason="not UTF-8",
            digest="cd" * 32,
            raw="eyJpZCI6ICL/In0=",
            encoding="base64",
        ),
        MigrationRunStarted(
            run_id=RUN_ID,
            system="contexts",
            mapping_version=1,
            source_kind="json_lines",
            tables={"User": 3, "ContextProfile": 7},
        ),
        MigrationRunCompleted(run_id=RUN_ID, system="contexts", recorded=10, unchanged=2, quarantined=1, events=31),
        CompanyRegistered(fields={"name": "Açúcar & Filhos", "tax_id": "12.345.678/0001-95"}, is_active=True),
        CompanyUpdated(changes={"tax_id": Change(old="12.345.678/0001-95", new="12345678000195")}),
        CompanyMemberAdded(
            account_id=None,
            person_key="k17aaaa",
            role="HR",
            fields={"start_date": "2020-01-31", "end_date": 1_700_000_000_000},
            is_current=None,
        ),
        CompanyMembershipEnded(member=3, account_id=ACCOUNT_ID, reason="left the company"),
        CollectiveOpened(
            company_id=COMPANY_ID,
            reference_number="2026/7",
            completed_at=_LATER,
            legacy_keys={"company_id": "k23bbbb"},
        ),
        CaseOpened(
            person_id=ACCOUNT_ID,
            company_id=None,
            collective_id=COLLECTIVE_ID,
            fields={"passport_id": "p1", "dou_date": "2023-06-01"},
            is_current=False,
            completed_at=_LATER,
            legacy_keys={"collective_id": "k45cccc", "person_id": "k67dddd"},
        ),
        CaseUpdated(changes={"dou_date": Change(old="2023-06-01", new=None), "cargo": Change(new="Engenheira")}),
        CaseStatusChanged(
            status="exigencia",
            previous="em_tramite",
            effective_at=_LATER,
            day=date(2023, 6, 1),
            follows=2,
            precedes=7,
            superseded_by=9,
            notes="falta a procuração",
            filled={"deadline_date": "2023-06-30T12:00"},
            changes={"deadline_date": Change(new="2023-06-30T12:00")},
            dated=WallClock(text="2023-06-01T05:30", day=date(2023, 6, 1), instant=_LATER, zone=ZONE),
            carried={"metadata": {"source": "bulk", "rows": [1, 2.5, None]}},
        ),
        CaseStatusCorrected(
            entry=2,
            left_between=(None, 7),
            status="em_tramite",
            effective_at=_LATER,
            day=date(2023, 6, 1),
            follows=4,
            precedes=None,
            now=StatusNow(entry=8, status="em_tramite", since=_LATER, day=date(2023, 6, 1)),
            notes="protocolled",
            filled={"protocol_number": "47039.000001"},
            changes={"protocol_number": Change(old="47039", new="47039.000001")},
            reason="misread",
        ),
        CaseStatusRemoved(
            entry=2,
            effective_at=_LATER,
            follows=1,
            precedes=7,
            changes={"protocol_number": Change(old="47039.000001", new=None)},
            reason="meant for another case",
        ),
        CaseClosed(reason="a newer one took its place"),
        CaseReopened(reason="closed by mistake"),
        CaseConflictRecorded(field="status", values=("deferido", None), chosen="deferido", rule="status_rank"),
        CaseConflictSettled(field="status", reason="the history is right"),
        EvidenceExported(
            export_id=RUN_ID,
            file_format="jsonl",
            filters={"topic": ["profile.updated"], "position_from": 1},
            events=3,
            tree_size=17,
            tree_root="0a" * 32,
            manifest_digest="0b" * 32,
        ),
        StatusDefined(
            definition=StatusDefinition(
                catalogue="case_codes",
                code="exigencia",
                name="Exigência",
                name_en="Requirement",
                description="the authority asks for something",
                category="review",
                colour="#D97706",
                sort_order=14,
                order=None,
                fillable_fields=("deadline_date",),
                allow_documents=True,
                may_go_to=("em_tramite", "juntada_documento"),
            ),
            in_use=True,
        ),
        StatusRetired(reason="publicado_dou says the same"),
        EventSkipped(read_model="accounts", stream=ACCOUNT_ID, version=3, reason="written by a broken release"),
        EventRestored(read_model="accounts", stream=ACCOUNT_ID, version=3, reason="the fold reads it now"),
    )
}

METADATA: Final = EventMetadata(
    occurred_at=_LATER,
    recorded_at=datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC),
    actor=str(ACCOUNT_ID),
    recorded_by="import",
    subject=ACCOUNT_ID,
    command_id=COMMAND_ID,
    correlation_id=RUN_ID,
    causation_id=COMMAND_ID,
    origin=f"import:{RUN_ID}",
    provenance={"location": (Source("Profile", "p1", "/data/location"), Source("Profile", "p2", "/data/a~1b"))},
)
