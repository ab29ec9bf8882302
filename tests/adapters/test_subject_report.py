"""The subject report: complete, for whom it is, and a page that no stored value can script."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from uuid import UUID, uuid4

import pytest

from adapters.bootstrap import Application
from adapters.erasure import Held, held
from adapters.subject_report import STYLE, as_document, as_page
from domain import access
from domain.access import Actor, Permissions, Role
from domain.account import RegisterAccount, UpdateAccount
from domain.errors import AccessDenied
from domain.event import NewEvent
from tests.projections.histories import recorded
from tests.support.application import application_at
from tests.support.examples import ACCOUNT_ID, EVENTS, METADATA, STREAM_ID

OPERATOR = Actor.operator()
SCRIPT = "</code><script>alert('x')</script><img src=x onerror=alert(1)>\"' onload=x \x00\u202e"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attributes)))


def test_no_stored_value_can_script_the_page() -> None:
    event = EVENTS["account.registered"].model_copy(update={"name": SCRIPT, "details": {SCRIPT: [SCRIPT]}})
    found = Held(
        ACCOUNT_ID,
        [recorded(NewEvent(STREAM_ID, 1, event, METADATA), 7)],
        {"accounts": [{"name": SCRIPT, SCRIPT: {SCRIPT: 1}}]},
        (ACCOUNT_ID,),
    )
    page = as_page(as_document(found, METADATA.recorded_at))
    tags = _Tags()
    tags.feed(page)
    assert {tag for tag, _ in tags.seen} == {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "table", "tr", "th", "td")
    }
    assert all(not attributes or tag in ("html", "meta") for tag, attributes in tags.seen)
    policy = next(values["content"] or "" for tag, values in tags.seen if tag == "meta" and "http-equiv" in values)
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert STYLE in page
    assert not re.search("[\x00-\x08\u202e]", page)
    assert page.count("&lt;script&gt;") >= 4


def test_a_report_holds_every_event_and_row_about_the_person_alone(database_url: str) -> None:
    with application_at(database_url) as app:
        person, other = _registered(app, "Ada"), _registered(app, "Bob")
        app.dossier.execute(UpdateAccount(account_id=person, changes={"last_name": "Lovelace"}), actor=OPERATOR)
        report = as_document(held(app, person), app.dossier.clock())
        assert [event["what"] for event in report["events"]] == ["account.registered", "account.updated"]
        assert [row["name"] for row in report["now"]["accounts"]] == ["Ada"]
        assert "Lovelace" in as_page(report)
        assert str(other) not in str(report)


def _registered(app: Application, name: str) -> UUID:
    account = uuid4()
    app.dossier.execute(RegisterAccount(account_id=account, name=name), actor=OPERATOR)
    return account


def test_who_may_have_a_report() -> None:
    for roles in ({Role.ADMIN}, {Role.AUDITOR}):
        access.check_subject_report(Permissions(OPERATOR, frozenset(roles)), ACCOUNT_ID)
    access.check_subject_report(Permissions(Actor.of_account(ACCOUNT_ID), frozenset()), ACCOUNT_ID)
    for permissions in (
        Permissions(Actor.of_account(uuid4()), frozenset({Role.SUPPORT})),
        Permissions(Actor.of_account(ACCOUNT_ID), frozenset({Role.AUDITOR}), active=False),
    ):
        with pytest.raises(AccessDenied):
            access.check_subject_report(permissions, ACCOUNT_ID)
