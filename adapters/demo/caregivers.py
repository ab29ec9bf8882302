"""Live commands on a person of the caregivers system: a message and a payment touch neither account nor profile."""

from __future__ import annotations

from adapters.demo.stage import OPERATOR, Stage
from domain.access import Actor
from domain.billing import ChangeSubscriptionStatus
from domain.conversation import MessageRole, RecordMessage
from domain.errors import AccessDenied, InvalidCommand
from projections import accounts, billing_accounts, conversations, profiles


class Caregivers:
    """What the demo does with somebody who cares for another."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._app = stage, stage.app

    def live(self, title: str) -> None:
        """Record a message and a payment; refuse what must not be kept, and a status that is not theirs to give."""
        self._app.catch_up()
        talks = {row["account_id"]: row for row in self._app.reads.fetch(conversations.MODEL) if self._counted(row)}
        bills = (row for row in self._app.reads.fetch(billing_accounts.MODEL) if row["status"])
        billing = next(row for row in bills if row["account_id"] in talks)
        account, talk = billing["account_id"], talks[billing["account_id"]]["conversation_id"]
        before = self._apart(account)
        person = Actor.of_account(account)
        message = RecordMessage(conversation_id=talk, role=MessageRole.USER, content="I slept six hours.")
        off_record = RecordMessage(conversation_id=talk, role=MessageRole.USER, content="psst", off_record=True)
        # Another status each time, so that it is a change each time.
        status = "past_due" if billing["status"] == "active" else "active"
        pay = ChangeSubscriptionStatus(account_id=account, status=status)
        receipts = [self._stage.execute(message, person), self._stage.execute(pay, OPERATOR)]
        self._stage.refused("what is off the record", lambda: self._stage.execute(off_record, person), InvalidCommand)
        self._stage.refused("a status of one's own", lambda: self._stage.execute(pay, person), AccessDenied)
        self._app.catch_up()
        self._stage.expect("a message or a payment touched account or profile", holds=self._apart(account) == before)
        said = f"{sum(receipt.events for receipt in receipts)} events appended, 2 commands refused"
        self._stage.note(title, f"{said}, account and profile untouched")

    def _apart(self, account: object) -> list[tuple[object, int]]:
        models = (accounts.MODEL, profiles.MODEL)
        rows = [row for model in models for row in self._app.reads.fetch(model, account_id=account)]
        return [(row.get("profile_id"), row["version"]) for row in rows]

    @staticmethod
    def _counted(row: dict[str, object]) -> bool:
        return row["origin"] != "live" and row["interaction_count"] is not None
