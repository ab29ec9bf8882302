"""One example of every command and of every event there is: a type without one fails the tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from domain.access import AccessBootstrapped, BootstrapAdmin, Role
from domain.account import (
    AccountDeactivated,
    AccountRegistered,
    ActiveProfileSwitched,
    ChangeContact,
    ContactChanged,
    DeactivateAccount,
    GrantRole,
    ProfileAdded,
    ProfileRemoved,
    RegisterAccount,
    RevokeRole,
    RoleGranted,
    RoleRevoked,
    SwitchActiveProfile,
)
from domain.command import Command
from domain.contexts import Context
from domain.event import Change, DomainEvent, EventMetadata, Source
from domain.intent import (
    DeclareIntent,
    IntentDeclared,
    IntentRevised,
    IntentWithdrawn,
    ReviseIntent,
    WithdrawIntent,
)
from domain.legacy import LegacyRecordQuarantined, LegacySnapshotRecorded
from domain.migration import MigrationRunCompleted, MigrationRunStarted
from domain.profile import (
    ArchiveProfile,
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

ACCOUNT_ID: Final = UUID("0a000000-0000-4000-8000-000000000001")
OTHER_ACCOUNT_ID: Final = UUID("0a000000-0000-4000-8000-000000000002")
PROFILE_ID: Final = UUID("0b000000-0000-4000-8000-000000000001")
OTHER_PROFILE_ID: Final = UUID("0b000000-0000-4000-8000-000000000002")
STREAM_ID: Final = UUID("0c000000-0000-4000-8000-000000000001")
RUN_ID: Final = UUID("0d000000-0000-4000-8000-000000000001")
COMMAND_ID: Final = UUID("0e000000-0000-4000-8000-000000000001")

COMMANDS: Final[dict[str, Command]] = {
    type(command).__name__: command
    for command in (
        BootstrapAdmin(account_id=ACCOUNT_ID),
        RegisterAccount(account_id=ACCOUNT_ID, email="ada@example.org", phone="+41 44 000 00 00", name="Ada"),
        ChangeContact(account_id=ACCOUNT_ID, email="ada@example.com"),
        GrantRole(account_id=ACCOUNT_ID, role=Role.SUPPORT),
        RevokeRole(account_id=ACCOUNT_ID, role=Role.SUPPORT),
        DeactivateAccount(account_id=ACCOUNT_ID, reason="asked for it"),
        SwitchActiveProfile(account_id=ACCOUNT_ID, profile_id=PROFILE_ID),
        CreateProfile(account_id=ACCOUNT_ID, profile_id=PROFILE_ID, kind="personal", fields={"location": "Bern"}),
        UpdateProfile(profile_id=PROFILE_ID, changes={"location": "Basel"}),
        VerifyProfile(profile_id=PROFILE_ID, status=Verification.VERIFIED),
        ArchiveProfile(account_id=ACCOUNT_ID, profile_id=PROFILE_ID, reason="not needed"),
        ResolveConflict(profile_id=PROFILE_ID, field="location", value="Basel"),
        DeclareIntent(account_id=ACCOUNT_ID, context=Context.SERVICE, fields={"service_type": "seeking"}),
        ReviseIntent(account_id=ACCOUNT_ID, context=Context.SERVICE, changes={"service_type": "offering"}),
        WithdrawIntent(account_id=ACCOUNT_ID, context=Context.SERVICE),
    )
}

_LATER: Final = datetime(2023, 6, 1, 8, 30, 0, 120_000, tzinfo=UTC)

EVENTS: Final[dict[str, DomainEvent]] = {
    event.topic: event
    for event in (
        AccessBootstrapped(account_id=ACCOUNT_ID),
        AccountRegistered(email="zoë@example.org", phone="+41 44 000 00 00", name="Zoë 🌻"),
        ContactChanged(changes={"email": Change(old="zoë@example.org", new=None), "name": Change(new="Zoë")}),
        RoleGranted(role=Role.ADMIN),
        RoleRevoked(role=Role.AUDITOR),
        AccountDeactivated(reason="asked for it"),
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
        IntentDeclared(
            account_id=ACCOUNT_ID,
            context="professional",
            fields={"partnership_type": "cofounder", "complementary_skills": ["sales", "law"]},
            tone_preference="light",
            context_profile_id="cl9ebqhxk00003b600tymydho",
        ),
        IntentRevised(changes={"tone_preference": Change(old="light", new="serious")}),
        IntentWithdrawn(reason="found somebody"),
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
