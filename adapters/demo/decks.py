"""Live commands on people of the decks system: signed in again, synced, changed within limits, found by email."""

from __future__ import annotations

from adapters.demo.stage import Stage
from adapters.postgres.account_queries import accounts_with
from domain.access import Actor
from domain.errors import InvalidCommand
from domain.identity import EnsureProfile, SyncIdentity
from domain.profile import UpdateProfile
from projections import accounts, profiles


class Decks:
    """What the demo does with people who came with a deck profile."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._app = stage, stage.app

    def live(self, title: str) -> None:
        """Let somebody sign in again, take over a new name, change their bio, and refuse a bio that is too long."""
        self._app.catch_up()
        profile = next(row for row in self._app.reads.fetch(profiles.MODEL, kind="deck") if row["origin"] != "live")
        account, actor = profile["account_id"], Actor.of_account(profile["account_id"])
        again = self._stage.execute(EnsureProfile(account_id=account, kind="deck"), actor).events
        self._stage.expect(f"signing in again appended {again} events", holds=again == 0)
        # The versions make it another name and bio each time, so that it is a change each time.
        version = (self._app.reads.find(accounts.MODEL, (account,)) or {})["version"]
        synced = SyncIdentity(account_id=account, full_name=f"Ada the {version}th")
        update = UpdateProfile(profile_id=profile["profile_id"], changes={"bio": f"Bio {profile['version']}"})
        changed = [self._stage.execute(command, actor).events for command in (synced, update)]
        long = UpdateProfile(profile_id=profile["profile_id"], changes={"bio": "x" * 1001})
        self._stage.command_refused(long, actor, InvalidCommand)
        self._found(title, sum(changed))

    def _found(self, title: str, changed: int) -> None:
        """Look an email up that two people have."""
        emails = [row["email"] for row in self._app.reads.fetch(accounts.MODEL) if row["email"]]
        shared = next(email for email in emails if emails.count(email) > 1)
        found = accounts_with(self._app.reads, "email", shared.upper())
        self._stage.out.line(f"{shared} belongs to {len(found)} accounts: {', '.join(map(str, found))}")
        self._stage.expect("a shared email was found once", holds=len(found) > 1)
        self._stage.note(title, f"{changed} events appended, 1 command refused, {len(found)} accounts share an email")
