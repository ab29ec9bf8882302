"""Live commands on a dancer of the talent system: a new credit, a second profile, and one view of both."""

from __future__ import annotations

from typing import Any
from uuid import uuid5

from adapters.demo.stage import Stage
from domain.access import Actor
from domain.account import SwitchActiveProfile
from domain.errors import InvalidCommand
from domain.item import AddItem
from domain.profile import CompleteOnboarding, UpdateProfile
from projections import accounts, items, profiles
from projections.account_view import account_view


class Talent:
    """What the demo does with people who came as dancers."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self._app = stage, stage.app

    def live(self, title: str) -> None:
        """Add a credit to a dancer, onboard them as a choreographer too, switch back, and refuse too tall a height."""
        self._app.catch_up()
        dancer = next(
            row for row in self._app.reads.fetch(profiles.MODEL, kind="dancer") if row["fields"].get("skills")
        )
        account, profile = dancer["account_id"], dancer["profile_id"]
        actor = Actor.of_account(account)
        credit = uuid5(profile, f"credit {dancer['version']}")
        fields = {"title": "Live in Lisbon", "type": "live-performance"}
        second = uuid5(account, "demo choreographer")
        onboarded = CompleteOnboarding(
            account_id=account,
            profile_id=second,
            kind="choreographer",
            fields={"company_name": "Own"},
            steps=("company",),
        )
        added = AddItem(item_id=credit, account_id=account, profile_id=profile, kind="project", fields=fields)
        changed = self._stage.execute(added, actor).events
        if self._app.reads.find(profiles.MODEL, (second,)) is None:
            changed += self._stage.execute(onboarded, actor).events
        shown = [self._view(account)]
        for chosen in (second, profile):
            changed += self._stage.execute(SwitchActiveProfile(account_id=account, profile_id=chosen), actor).events
            shown.append(self._view(account))
        tall = UpdateProfile(profile_id=profile, changes={"attributes": {"height": {"feet": 9, "inches": 0}}})
        self._stage.command_refused(tall, actor, InvalidCommand)
        columns = ("kind", "display_name", "company_name", "completeness", "items")
        self._stage.out.table(
            columns, [[len(view["items"]) if name == "items" else view.get(name) for name in columns] for view in shown]
        )
        kinds = [view["kind"] for view in shown]
        self._stage.expect(f"active were {kinds}", holds=kinds[1:] == ["choreographer", "dancer"])
        self._stage.note(title, f"{changed} events appended, 1 command refused, active now: {kinds[-1]}")

    def _view(self, account: Any) -> dict[str, Any]:
        self._app.catch_up()
        row = self._app.reads.find(accounts.MODEL, (account,))
        assert row is not None, "it was imported"
        mine = {"account_id": account}
        return account_view(
            row, self._app.reads.fetch(profiles.MODEL, **mine), self._app.reads.fetch(items.MODEL, **mine)
        )
